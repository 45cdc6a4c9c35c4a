//! Errors, one enum per operation, sorted by who can do something about it.

use core::fmt;

use embedded_io::ErrorKind;

use crate::at::InvalidInput;
use crate::capabilities::{Check, Feature};
use crate::clock::DateTime;
use crate::credentials::Kind;
use crate::inspect::{Misplaced, Unsuitable};

/// A number or word with which the modem refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Code {
    /// A bare `ERROR`, which tells nothing more.
    Plain,
    /// `+CME ERROR: <n>`.
    Cme(u16),
    /// `+CMS ERROR: <n>`.
    Cms(u16),
    /// A number of the vendor's own, with its meaning in the vendor's manual.
    Vendor(u16, &'static str),
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain => f.write_str("ERROR"),
            Self::Cme(code) => write!(f, "+CME ERROR: {code}"),
            Self::Cms(code) => write!(f, "+CMS ERROR: {code}"),
            Self::Vendor(code, meaning) => write!(f, "{code} ({meaning})"),
        }
    }
}

/// Why one exchange of command and answer did not succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum AtError {
    /// The answer did not follow the command's grammar; the engine has brought the channel back to
    /// a known state.
    Garbled,
    /// The modem is not up, or went down before the command was sent.
    LinkDown,
    /// The modem restarted before it answered.
    ModemReset,
    /// The modem refused.
    Refused(Code),
    /// No final result within the command's deadline.
    Timeout,
    /// The command does not fit the engine's buffer of [`COMMAND_LIMIT`](crate::COMMAND_LIMIT)
    /// bytes, or the answer the 256 bytes kept for a typed one.
    TooLong,
}

impl fmt::Display for AtError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Garbled => {
                f.write_str("the modem's answer does not follow the command's grammar")
            }
            Self::LinkDown => f.write_str("the modem is not up"),
            Self::ModemReset => f.write_str("the modem restarted before it answered"),
            Self::Refused(code) => write!(f, "the modem answered {code}"),
            Self::Timeout => f.write_str("the modem did not answer in time"),
            Self::TooLong => {
                f.write_str("the command or its answer is longer than the buffer for it")
            }
        }
    }
}

impl core::error::Error for AtError {}

/// Why the modem could not be brought up. The runner tries again by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum BringUpError {
    /// A command of the bring-up did not succeed.
    At {
        /// The command's name.
        command: &'static str,
        /// What happened to it.
        error: AtError,
    },
    /// Nothing answers `AT`, at this baud rate, also after the power pins were used if there are any.
    NoAnswer,
    /// Not registered within the configured time.
    NotRegistered {
        /// The last `<stat>` of `+CEREG`: 0 not searching, 2 searching, 3 denied, 4 unknown.
        status: u8,
    },
    /// The PDP context could not be activated.
    PdpRefused(Code),
    /// The SIM is missing or not readable.
    SimMissing(Code),
    /// The SIM wants a PIN or PUK that is not configured, or refused the configured one.
    SimLocked,
}

impl fmt::Display for BringUpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At { command, error } => write!(f, "{command}: {error}"),
            Self::NoAnswer => f.write_str(
                "nothing answers AT: check power, TX/RX wiring, baud rate, and that no other program has the port",
            ),
            Self::NotRegistered { status } => {
                let meaning = match status {
                    0 => "not searching",
                    2 => "still searching",
                    3 => "registration denied",
                    _ => "unknown",
                };
                write!(
                    f,
                    "not registered to a network (+CEREG status {status}: {meaning}): check antenna, SIM subscription, bands and radio technology"
                )
            }
            Self::PdpRefused(code) => {
                write!(f, "the network refused the data connection ({code}): check APN, user name and password")
            }
            Self::SimMissing(code) => write!(f, "no usable SIM ({code}): check that it is inserted and makes contact"),
            Self::SimLocked => f.write_str("the SIM is locked: configure its PIN"),
        }
    }
}

impl core::error::Error for BringUpError {}

/// Why no secure connection was made. In every case no socket stays open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ConnectError {
    /// A command on the way did not succeed.
    At(AtError),
    /// The modem could not be brought up.
    BringUp(BringUpError),
    /// Certificates carry dates, and the modem's clock is before [`MIN_DATE`](crate::MIN_DATE) or
    /// what [`TlsConfig::min_date`](crate::TlsConfig::min_date) raised it to, or absurdly far in the
    /// future. Set it: by the network, NTP or `Control::set_clock`.
    ClockNotSet {
        /// What the modem's clock says.
        now: DateTime,
    },
    /// The tag lacks this credential. Store it first.
    CredentialMissing(Kind),
    /// The name, port, tag or policy cannot be used; nothing was sent.
    InvalidInput(InvalidInput),
    /// The policy asks for something that this modem does not have. Nothing was sent if that is known
    /// of its firmware, otherwise its settings were tried; no connection was attempted.
    Lacks(Feature),
    /// The modem tried and reported a failure.
    Refused(Code),
    /// The modem is to push data, up to `needed` bytes at once, and the receive rings are smaller.
    RingTooSmall {
        /// The least `RX` of [`State`](crate::State), in bytes.
        needed: usize,
    },
    /// The modem reported nothing within its own limit.
    TimedOut,
    /// All sockets, ids or TLS contexts are in use.
    TooManySockets,
    /// The modem refused a setting without which the connection would not be what was asked for.
    Unsupported {
        /// The vendor's name of the setting.
        setting: &'static str,
    },
    /// This modem cannot, or is not known to, check what is required of the server. See
    /// [`TlsConfig`](crate::TlsConfig).
    Unverifiable(Check),
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
            Self::InvalidInput(input) => input.fmt(f),
            Self::Lacks(feature) => write!(f, "this modem has {feature}"),
            Self::Refused(code) => write!(f, "the modem could not connect: {code}"),
            Self::RingTooSmall { needed } => write!(
                f,
                "a modem that pushes data needs receive rings of {needed} bytes: raise RX of State, or let data be fetched"
            ),
            Self::TimedOut => {
                f.write_str("the modem reported no result of the connection within its own limit")
            }
            Self::TooManySockets => f.write_str("all sockets are in use: close one first"),
            Self::Unsupported { setting } => {
                write!(
                    f,
                    "the modem refused the setting {setting}, which this connection needs"
                )
            }
            Self::Unverifiable(check) => write!(
                f,
                "this modem is not known to check the server's {check}: {}",
                match check {
                    Check::Name =>
                        "declare the CA as private if it signs only servers this device may talk to, or accept it by dangerous().accept_missing(Check::Name)",
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
            Self::CredentialMissing(_) => ErrorKind::NotFound,
            Self::InvalidInput(_) | Self::RingTooSmall { .. } => ErrorKind::InvalidInput,
            Self::Refused(_) => ErrorKind::ConnectionRefused,
            Self::TooManySockets => ErrorKind::OutOfMemory,
            Self::Lacks(_) | Self::Unsupported { .. } => ErrorKind::Unsupported,
            Self::Unverifiable(_) => ErrorKind::PermissionDenied,
            Self::At(_) | Self::ClockNotSet { .. } => ErrorKind::Other,
        }
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

/// Why a socket cannot be read or written any more. It stays so; connect anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum SocketError {
    /// The peer closed its end; what is written now goes nowhere.
    BrokenPipe,
    /// The modem reset, lost the network or the connection, or an exchange of payload did not end
    /// as its grammar says, so that nothing more can be trusted to be in order.
    ConnectionReset,
    /// The modem pushes data, and it was not read for so long that other sockets would have had to
    /// wait: read faster, give the socket a larger ring, or let data be fetched.
    RxOverrun,
}

impl fmt::Display for SocketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BrokenPipe => "the peer closed the connection",
            Self::ConnectionReset => "the connection was lost: connect again",
            Self::RxOverrun => {
                "pushed data was not read in time, so the connection was given up: read faster or use a larger ring"
            }
        })
    }
}

impl core::error::Error for SocketError {}

impl embedded_io::Error for SocketError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::BrokenPipe => ErrorKind::BrokenPipe,
            Self::ConnectionReset => ErrorKind::ConnectionReset,
            Self::RxOverrun => ErrorKind::OutOfMemory,
        }
    }
}

/// Why a credential could not be stored, listed or removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum CredentialError<S> {
    /// A command on the way did not succeed.
    At(AtError),
    /// The modem could not be brought up.
    BringUp(BringUpError),
    /// What the modem stored differs from what was sent; it was removed again.
    Corrupted,
    /// The tag is not usable on this modem, or the content is empty or too long.
    InvalidInput(InvalidInput),
    /// It is a credential, but not this one of the set. Nothing was sent.
    Misplaced(Misplaced),
    /// The modem has no room for it.
    NoSpace {
        /// Bytes needed.
        needed: usize,
        /// Bytes the modem says are free.
        free: usize,
    },
    /// The [`ProvisionRecord`](crate::ProvisionRecord) could not be written. Nothing was sent.
    RecordNotWritten,
    /// Reading the content failed on our side.
    Source(S),
    /// Our side gave no byte for so long that the modem would have given up.
    SourceTooSlow,
    /// The content ended before its announced length.
    SourceTooShort,
    /// The modem does not let it be read back.
    Unreadable,
    /// It is no credential that a modem can take. Nothing was sent.
    Unsuitable(Unsuitable),
}

impl<S: fmt::Display> fmt::Display for CredentialError<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(error) => error.fmt(f),
            Self::BringUp(error) => error.fmt(f),
            Self::Corrupted => f.write_str(
                "the modem stored something else than was sent, so it was removed: check flow control and baud rate, then store again",
            ),
            Self::InvalidInput(input) => input.fmt(f),
            Self::Misplaced(reason) => reason.fmt(f),
            Self::NoSpace { needed, free } => {
                write!(f, "{needed} bytes are needed and the modem has {free} free: remove other files")
            }
            Self::RecordNotWritten => f.write_str(
                "the record of what is stored could not be written, so nothing was sent: check the flash it is in",
            ),
            Self::Source(error) => write!(f, "reading the credential: {error}"),
            Self::SourceTooSlow => f.write_str(
                "the source of the credential gave no byte for seconds: read it into memory first, and not from a socket of the same modem",
            ),
            Self::SourceTooShort => f.write_str("the credential ended before its announced length"),
            Self::Unreadable => f.write_str("the modem does not let it be read back"),
            Self::Unsuitable(reason) => reason.fmt(f),
        }
    }
}

impl<S: fmt::Debug + fmt::Display> core::error::Error for CredentialError<S> {}

impl<S> From<AtError> for CredentialError<S> {
    fn from(error: AtError) -> Self {
        Self::At(error)
    }
}

/// Why the runner stopped: the UART itself failed. Every socket has been reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum RunError {
    /// The UART reported the end of its input, as a pty or TCP port does.
    Eof,
    /// The UART could not be read.
    Read(ErrorKind),
    /// The UART could not be written.
    Write(ErrorKind),
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Eof => f.write_str("the port to the modem was closed"),
            Self::Read(kind) => write!(f, "reading from the modem's port: {kind:?}"),
            Self::Write(kind) => write!(f, "writing to the modem's port: {kind:?}"),
        }
    }
}

impl core::error::Error for RunError {}
