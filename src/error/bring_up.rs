//! The error of a bring-up.

use core::fmt;

use super::at::AtError;
use super::code::{Code, Refusal, because};
use super::excerpt::Excerpt;
use crate::cause::{Cause, Causes};
use crate::wifi::JoinFailure;

/// The error of a bring-up. The runner repeats the bring-up by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum BringUpError {
    /// A command of the bring-up did not succeed.
    At {
        /// The name of the command.
        command: &'static str,
        /// The error of its exchange.
        error: AtError,
    },
    /// Nothing answers at this baud rate, even after the power pins were used where they are wired.
    NoAnswer,
    /// `AT` is not answered at this baud rate, and the bytes that come are neither an answer nor `ERROR`.
    Unintelligible,
    /// The modem answers `ERROR` to everything, even to `AT`.
    RefusesAll,
    /// The modem's firmware was built without something that the configuration needs.
    Firmware {
        /// The text for the user: what is missing, and the way out.
        reason: &'static str,
    },
    /// The modem did not register on a network within the configured time.
    NotRegistered {
        /// The last `<stat>` of `+CEREG`: 0 not searching, 2 searching, 3 denied, 4 unknown.
        status: u8,
        /// Whether the modem heard any cell at the end; `None` where it did not report that.
        heard: Option<bool>,
        /// The last answer about the registration, where it could not be read: the modem may be registered, or not.
        unread: Option<Excerpt>,
    },
    /// The modem did not join the Wi-Fi network within the configured time.
    NotJoined {
        /// The stage at which the join failed.
        failure: JoinFailure,
        /// The modem's own number of the reason, where it reported one.
        reason: Option<u16>,
    },
    /// The PDP context could not be activated.
    PdpRefused(Refusal),
    /// The modem reports that there is no SIM.
    SimMissing(Code),
    /// The SIM was not ready within 20 s. The modem does not report whether one is inserted.
    SimNotReady(Code),
    /// The SIM needs its PIN, and none is configured.
    SimLocked,
    /// The SIM refused the configured PIN. The driver does not enter it again until the firmware restarts, because the
    /// third wrong PIN in a row blocks the SIM.
    SimPinRefused,
    /// The SIM needs its PUK after too many wrong PINs. This driver never enters it.
    SimPukNeeded,
    /// The modem is locked to another operator's SIMs.
    SimForeign,
    /// The modem refused a setting that the configuration asks for.
    SettingRefused {
        /// The vendor's name of the setting.
        setting: &'static str,
        /// The error code of the refusal.
        code: Code,
    },
    /// The modem was switched off by [`Control::power_off`](crate::Control::power_off), and stays off until
    /// [`Control::power_on`](crate::Control::power_on).
    PoweredOff,
}

impl BringUpError {
    /// Returns whether the bring-up fails until something is changed: the SIM or its PIN, the configuration, the firmware.
    /// Other failures may be over at the next bring-up, which the runner makes by itself: [`SimMissing`](Self::SimMissing) and
    /// [`SettingRefused`](Self::SettingRefused) too, for a SIM may be read late, and noise may have altered a setting.
    pub const fn is_lasting(&self) -> bool {
        matches!(
            self,
            Self::Firmware { .. }
                | Self::SimLocked
                | Self::SimPinRefused
                | Self::SimPukNeeded
                | Self::SimForeign
                | Self::PoweredOff
        )
    }

    /// Returns whether the modem took commands before this failure.
    pub(crate) const fn leaves_it_answering(&self) -> bool {
        match self {
            Self::At { error, .. } => matches!(error, AtError::Refused(_)),
            Self::NoAnswer | Self::Unintelligible | Self::RefusesAll | Self::PoweredOff => false,
            _ => true,
        }
    }

    /// Returns the possible causes, the likeliest first.
    pub fn causes(&self) -> Causes {
        use Cause::*;
        match self {
            Self::At { error, .. } => error.causes(),
            Self::NoAnswer => {
                Causes::new(&[ModemOff, WrongSpeed, WrongPort, PowerSaving, OtherMode])
            }
            Self::Unintelligible => Causes::new(&[WrongSpeed, LineFault, OtherMode, WrongPort]),
            Self::NotRegistered {
                unread: Some(_), ..
            } => AtError::Garbled.causes(),
            Self::NotRegistered { status: 0, .. } => Causes::new(&[RadioOff, NoCoverage]),
            Self::NotRegistered { status: 3, .. } => {
                Causes::new(&[RegistrationDenied, RadioMismatch])
            }
            Self::NotRegistered {
                heard: Some(false), ..
            } => Causes::new(&[NoCoverage]),
            Self::NotRegistered { heard, .. } => {
                let causes = Causes::new(&[NoCoverage, RadioMismatch, RegistrationDenied]);
                if heard.is_some() {
                    causes.without(NoCoverage)
                } else {
                    causes
                }
            }
            Self::NotJoined { failure, .. } => failure.causes(),
            Self::PdpRefused(refusal) => refusal.causes,
            // The error itself names the cause.
            Self::Firmware { .. } | Self::RefusesAll => Causes::NONE,
            Self::SimMissing(_) => Causes::new(&[SimMissing]),
            // 3GPP 27.007, 9.2: 13 is "SIM failure", 15 is "SIM wrong", also for another operator's SIM. The other
            // numbers do not show that a SIM is inserted.
            Self::SimNotReady(Code::Cme(13)) => Causes::new(&[SimUnreadable]),
            Self::SimNotReady(Code::Cme(15)) => Causes::new(&[SimUnreadable, SimForeign]),
            Self::SimNotReady(_) => Causes::new(&[SimNotReady]),
            Self::SimLocked => Causes::new(&[SimPinMissing]),
            Self::SimPinRefused => Causes::new(&[SimPinWrong]),
            Self::SimPukNeeded => Causes::new(&[SimPukNeeded]),
            Self::SimForeign => Causes::new(&[SimForeign]),
            Self::SettingRefused { .. } => Causes::new(&[SettingRefused]),
            Self::PoweredOff => Causes::new(&[ModemOff]),
        }
    }
}

impl fmt::Display for BringUpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At { command, error } => write!(f, "{command}: {error}"),
            Self::NoAnswer => {
                f.write_str("nothing answers on this port")?;
                because(f, self.causes())
            }
            Self::Unintelligible => {
                f.write_str("the bytes from this port are not an answer to AT")?;
                because(f, self.causes())
            }
            Self::RefusesAll => {
                f.write_str("the modem answers ERROR to everything, also to AT: restart it")
            }
            Self::Firmware { reason } => f.write_str(reason),
            Self::NotRegistered { status, unread, .. } => {
                let meaning = match status {
                    0 => "not searching",
                    2 => "still searching",
                    3 => "registration denied",
                    _ => "unknown",
                };
                write!(
                    f,
                    "the modem did not register to a network (+CEREG status {status}: {meaning}"
                )?;
                if let Some(answer) = unread {
                    write!(f, "; the answer {answer} cannot be read")?;
                }
                f.write_str(")")?;
                because(f, self.causes())
            }
            Self::NotJoined { failure, reason } => {
                failure.fmt(f)?;
                if let Some(reason) = reason {
                    write!(f, " (reason {reason})")?;
                }
                because(f, self.causes())
            }
            Self::PdpRefused(refusal) => write!(f, "no data connection: {refusal}"),
            Self::SimMissing(code) => {
                write!(f, "no SIM: the modem answered {code}")?;
                because(f, self.causes())
            }
            Self::SimNotReady(Code::Plain) => {
                f.write_str("the modem says that the SIM is not ready")?;
                because(f, self.causes())
            }
            Self::SimNotReady(code) => {
                write!(f, "the SIM is not ready: the modem answered {code}")?;
                because(f, self.causes())
            }
            Self::SimLocked => f.write_str("the SIM wants its PIN: configure it"),
            Self::SimPinRefused => f.write_str(
                "the SIM refused the configured PIN, which is not tried again: configure the right one before the tries are used up",
            ),
            Self::SimPukNeeded => f.write_str(
                "the SIM is blocked after too many wrong PINs: unblock it with its PUK in a telephone",
            ),
            Self::SimForeign => f.write_str(
                "the modem is locked to another operator's SIMs: use such a SIM, or have the lock removed",
            ),
            Self::SettingRefused { setting, code } => write!(
                f,
                "the modem refused the setting {setting} ({code}): this model or firmware cannot do it"
            ),
            Self::PoweredOff => f.write_str("the modem was switched off: call power_on"),
        }
    }
}

impl core::error::Error for BringUpError {}
