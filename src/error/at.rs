//! The error of one exchange.

use core::fmt;

use super::code::Code;
use crate::cause::{Cause, Causes};

/// The error of one exchange of command and answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum AtError {
    /// The answer did not follow the command's grammar. The engine has brought the channel back to a known state.
    Garbled,
    /// The modem is not up, or went down before the command was sent. [`Control::wait_up`](crate::Control::wait_up)
    /// returns the reason.
    LinkDown,
    /// The modem restarted before it answered.
    ModemReset,
    /// The modem refused.
    Refused(Code),
    /// No final result within the command's deadline.
    Timeout,
    /// The modem, its firmware or the board cannot do it. Nothing was sent.
    Unsupported,
    /// The command is longer than [`COMMAND_LIMIT`](crate::COMMAND_LIMIT) bytes, or the answer longer than the 256 bytes
    /// that are kept for a typed response.
    TooLong,
}

impl fmt::Display for AtError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Garbled => {
                f.write_str(
                    "the modem's answer does not follow the command's grammar: check wiring and speed",
                )
            }
            Self::LinkDown => f.write_str("the modem is not up: Control::last_problem tells why"),
            Self::ModemReset => f.write_str("the modem restarted before it answered: try again"),
            Self::Refused(code) => write!(f, "the modem answered {code}"),
            Self::Timeout => {
                f.write_str("the modem did not answer in time: check its supply and the wiring")
            }
            Self::Unsupported => f.write_str("this modem or board cannot do that"),
            Self::TooLong => {
                f.write_str("the command or its answer is longer than the buffer for it: shorten it, or take the answer line by line")
            }
        }
    }
}

impl AtError {
    /// Returns the possible causes, the likeliest first. The causes of 3GPP's numbers are known with the feature `hints`
    /// only, because their table takes some kilobytes of flash.
    pub fn causes(&self) -> Causes {
        Causes::new(match self {
            #[cfg(feature = "hints")]
            Self::Refused(code) => code
                .number()
                .map_or(&[Cause::Unknown], |number| number.causes),
            Self::Garbled => &[Cause::LineFault],
            Self::LinkDown | Self::ModemReset => &[Cause::ModemReset],
            Self::Timeout => &[Cause::LineFault, Cause::ModemBusy, Cause::ModemReset],
            #[cfg(not(feature = "hints"))]
            Self::Refused(_) => &[Cause::Unknown],
            // The error itself names the cause.
            _ => &[],
        })
    }
}

impl core::error::Error for AtError {}
