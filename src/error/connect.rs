//! The error of a connect.

use core::fmt;

use embedded_io::ErrorKind;

use super::at::AtError;
use super::bring_up::BringUpError;
use super::code::Refusal;
use crate::at::InvalidInput;
use crate::capabilities::{Check, Feature};
use crate::cause::{Cause, Causes};
use crate::clock::DateTime;
use crate::inspect::Kind;
use crate::other_store::OtherStore;

/// The error of a connect. No socket stays open after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ConnectError {
    /// A command of the connect did not succeed.
    At(AtError),
    /// The modem could not be brought up.
    BringUp(BringUpError),
    /// The modem's clock is not set, so certificate dates cannot be checked: it shows a date before
    /// [`MIN_DATE`](crate::MIN_DATE) or [`TlsConfig::min_date`](crate::TlsConfig::min_date), or absurdly far in the
    /// future. It is set by the network, by NTP or by `Control::set_clock`.
    ClockNotSet {
        /// The date that the modem's clock shows.
        now: DateTime,
    },
    /// The tag lacks this credential. Store it first.
    CredentialMissing(Kind),
    /// The tag lacks this credential in the store that the TLS in use reads, but has one in another store of the modem.
    CredentialInOtherStore {
        /// The kind that is missing.
        kind: Kind,
        /// The credentials in the other store.
        found: OtherStore,
    },
    /// The name, port, tag or policy cannot be used. Nothing was sent.
    InvalidInput(InvalidInput),
    /// The policy needs a feature that this modem does not have. Nothing was sent where that is known of its firmware;
    /// otherwise the settings were tried. No connection was attempted.
    Lacks(Feature),
    /// The modem's firmware has a defect, or was built without something, so that this connection is impossible. Nothing
    /// was sent for the connection.
    Firmware {
        /// The text for the user: what is wrong, and the way out.
        reason: &'static str,
    },
    /// The modem tried to connect and reported a failure.
    Refused(Refusal),
    /// The modem delivers up to `needed` bytes at once, and the receive rings are smaller.
    RingTooSmall {
        /// The least `RX` of [`State`](crate::State), in bytes.
        needed: usize,
    },
    /// The server's name does not fit the transmit ring, which holds it until the connection is opened.
    SendRingTooSmall {
        /// The least `TX` of [`State`](crate::State), in bytes.
        needed: usize,
    },
    /// The server chose a cipher suite that the policy does not allow, on a modem that reports the suite only after the
    /// handshake. The connection was closed before anything was sent on it.
    SuiteNotAllowed {
        /// The IANA number of the suite.
        number: u16,
    },
    /// The modem reported no result within its own time limit.
    TimedOut,
    /// All sockets, ids or TLS contexts are in use.
    TooManySockets,
    /// The modem refused a setting that the policy of the connection needs.
    Unsupported {
        /// The vendor's name of the setting.
        setting: &'static str,
    },
    /// The modem does not do, or is not known to do, this check, which the policy requires. See
    /// [`TlsConfig`](crate::TlsConfig).
    Unverifiable(Check),
}

impl ConnectError {
    /// Returns the possible causes, the likeliest first; none where the error itself names the cause.
    pub fn causes(&self) -> Causes {
        match self {
            Self::At(error) => error.causes(),
            Self::BringUp(error) => error.causes(),
            Self::ClockNotSet { .. } => Causes::new(&[Cause::ClockNotSet]),
            Self::CredentialMissing(_) => Causes::new(&[Cause::CredentialMissing]),
            Self::CredentialInOtherStore { .. } => Causes::new(&[Cause::CredentialInOtherStore]),
            Self::Refused(refusal) => refusal.causes,
            Self::TimedOut => Causes::new(&[Cause::NetworkSlow, Cause::Unreachable]),
            Self::TooManySockets => Causes::new(&[Cause::OutOfMemory]),
            // The error itself names the cause.
            _ => Causes::NONE,
        }
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(error) => error.fmt(f),
            Self::BringUp(error) => error.fmt(f),
            Self::ClockNotSet { now } => write!(
                f,
                "the modem's clock says {now}, so certificate dates cannot be checked: set the clock from the network, NTP or the host"
            ),
            Self::CredentialMissing(kind) => write!(f, "the tag holds no {kind}: store it first"),
            Self::CredentialInOtherStore { kind, found } => {
                write!(f, "the tag holds no {kind} in the store that this TLS reads: {found}")
            }
            Self::InvalidInput(input) => input.fmt(f),
            Self::Lacks(feature) => write!(f, "this modem has {feature}"),
            Self::Firmware { reason } => f.write_str(reason),
            Self::Refused(refusal) => refusal.fmt(f),
            Self::RingTooSmall { needed } => write!(
                f,
                "this modem hands over up to {needed} bytes at once: raise RX of State, or let data be fetched where it is pushed"
            ),
            Self::SendRingTooSmall { needed } => write!(
                f,
                "the server's name has {needed} bytes, which the send ring has no room for: raise TX of State"
            ),
            Self::SuiteNotAllowed { number } => write!(
                f,
                "the server chose cipher suite {number:#06x}, which the policy does not allow: enable one on the server that it allows, or allow all by Suites::All"
            ),
            Self::TimedOut => f.write_str(
                "the modem reported no result of the connection within its own limit: try again, and check the signal",
            ),
            Self::TooManySockets => f.write_str("all sockets are in use: close one first"),
            Self::Unsupported { setting } => {
                write!(
                    f,
                    "the modem refused the setting {setting}, which this connection needs: use a newer firmware of the modem, or another policy"
                )
            }
            Self::Unverifiable(check) => write!(
                f,
                "this modem is not known to check the server's {check}: {}",
                match check {
                    Check::Name =>
                        "declare the CA as private if it signs only servers this device may talk to, or accept it by dangerous().accept_missing(Check::Name)",
                    Check::Suites =>
                        "leave out require(Check::Suites), or use a modem that can be told which suites to offer",
                    _ => "accept it only by dangerous().accept_missing(..)",
                }
            ),
        }
    }
}

impl core::error::Error for ConnectError {}

impl embedded_io::Error for ConnectError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::At(AtError::Timeout) | Self::TimedOut => ErrorKind::TimedOut,
            Self::At(AtError::ModemReset) => ErrorKind::ConnectionReset,
            Self::At(AtError::LinkDown) | Self::BringUp(_) => ErrorKind::NotConnected,
            Self::CredentialMissing(_) | Self::CredentialInOtherStore { .. } => ErrorKind::NotFound,
            Self::InvalidInput(_) | Self::RingTooSmall { .. } | Self::SendRingTooSmall { .. } => {
                ErrorKind::InvalidInput
            }
            Self::Refused(_) => ErrorKind::ConnectionRefused,
            Self::TooManySockets => ErrorKind::OutOfMemory,
            Self::Firmware { .. } | Self::Lacks(_) | Self::Unsupported { .. } => {
                ErrorKind::Unsupported
            }
            Self::SuiteNotAllowed { .. } | Self::Unverifiable(_) => ErrorKind::PermissionDenied,
            Self::At(_) | Self::ClockNotSet { .. } => ErrorKind::Other,
        }
    }
}

impl From<BringUpError> for ConnectError {
    fn from(error: BringUpError) -> Self {
        Self::BringUp(error)
    }
}

impl From<AtError> for ConnectError {
    fn from(error: AtError) -> Self {
        Self::At(error)
    }
}

impl From<InvalidInput> for ConnectError {
    fn from(error: InvalidInput) -> Self {
        Self::InvalidInput(error)
    }
}
