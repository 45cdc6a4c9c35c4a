//! The errors of the driver, one enum for each operation.
//!
//! An error holds the observation, with the vendor's number. If it may have several causes, `causes()` returns them
//! in order of likelihood; with the feature `hints`, [`Cause::hint`] says what to do about each.

use core::fmt;

use embedded_io::ErrorKind;

use crate::at::InvalidInput;
use crate::capabilities::{Check, Feature};
use crate::cause::{Cause, Causes};
use crate::clock::DateTime;
use crate::inspect::{KeyType, Kind, Misplaced, Unsuitable};
use crate::other_store::OtherStore;
use crate::wifi::JoinFailure;

/// The number or word with which a modem refused a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Code {
    /// A bare `ERROR` without a number.
    Plain,
    /// `+CME ERROR: <n>`.
    Cme(u16),
    /// `+CMS ERROR: <n>`.
    Cms(u16),
    /// A negative error number of the vendor, with its meaning, which may be empty.
    Signed(i16, Meaning),
    /// An error number of the vendor, with its meaning in the vendor's manual.
    Vendor(u16, Meaning),
    /// A URC of the vendor that reports a failure without a reason.
    Word(Meaning),
    /// A finding of TLS or PPP on this MCU, in words; no modem refused.
    Here(Meaning),
}

/// The text of a vendor's manual about an error number. It is empty without the feature `hints`, because the texts take
/// flash even where they are never printed.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Meaning(#[cfg(feature = "hints")] &'static str);

impl Meaning {
    /// Makes a meaning, for a backend.
    pub const fn new(_text: &'static str) -> Self {
        Self(
            #[cfg(feature = "hints")]
            _text,
        )
    }

    /// Returns the text; `None` without the feature `hints`.
    pub const fn text(self) -> Option<&'static str> {
        #[cfg(feature = "hints")]
        return Some(self.0);
        #[cfg(not(feature = "hints"))]
        None
    }
}

impl fmt::Debug for Meaning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text().fmt(f)
    }
}

/// Prints the number or word; with the feature `hints`, also its meaning.
impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain => f.write_str("ERROR"),
            Self::Cme(code) => write!(f, "+CME ERROR: {code}"),
            Self::Cms(code) => write!(f, "+CMS ERROR: {code}"),
            Self::Signed(code, _) => write!(f, "{code}"),
            Self::Vendor(code, _) => write!(f, "{code}"),
            Self::Word(word) => {
                let word = word.text().unwrap_or("a notice");
                write!(f, "{word}, which gives no reason")
            }
            Self::Here(found) => f.write_str(found.text().unwrap_or("a check on this MCU failed")),
        }?;
        if let Self::Vendor(_, meaning) | Self::Signed(_, meaning) = self
            && let Some(text) = meaning.text().filter(|text| !text.is_empty())
        {
            write!(f, " ({text})")?;
        }
        #[cfg(feature = "hints")]
        if let Some(number) = self.number() {
            write!(f, " ({})", number.meaning)?;
        }
        Ok(())
    }
}

#[cfg(feature = "hints")]
impl Code {
    /// Returns the entry for a number of 3GPP; `None` for others. The vendor's own numbers are in the backend, see
    /// [`Modem::CODES`](crate::modem::Modem::CODES).
    pub fn number(&self) -> Option<&'static crate::numbers::Number> {
        match self {
            Self::Cme(code) => crate::numbers::cme(*code),
            Self::Cms(code) => crate::numbers::cms(*code),
            Self::Plain | Self::Signed(..) | Self::Vendor(..) | Self::Word(_) | Self::Here(_) => {
                None
            }
        }
    }
}

/// A refusal: the modem's error code, and its possible causes.
///
/// The causes are those that the code may have, in order of likelihood, less those that the driver had ruled out before
/// the command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Refusal {
    /// The error code of the modem.
    pub code: Code,
    /// The causes that were not ruled out.
    pub causes: Causes,
}

impl Refusal {
    /// Makes a refusal, for a backend.
    pub const fn new(code: Code, causes: Causes) -> Self {
        Self { code, causes }
    }

    /// Rules `cause` out, where it is one of the causes.
    pub const fn without(self, cause: Cause) -> Self {
        Self {
            code: self.code,
            causes: self.causes.without(cause),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !matches!(self.code, Code::Here(_)) {
            f.write_str("the modem answered ")?;
        }
        self.code.fmt(f)?;
        because(f, self.causes)
    }
}

/// Prints the causes behind an observation.
fn because(f: &mut fmt::Formatter<'_>, causes: Causes) -> fmt::Result {
    let mut left = causes;
    if left.next().is_some() {
        write!(f, ": {causes}")?;
    }
    Ok(())
}

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
    /// Other failures may be over at the next bring-up, which the runner makes by itself.
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
            Self::NotRegistered { status, .. } => {
                let meaning = match status {
                    0 => "not searching",
                    2 => "still searching",
                    3 => "registration denied",
                    _ => "unknown",
                };
                write!(
                    f,
                    "the modem did not register to a network (+CEREG status {status}: {meaning})"
                )?;
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

/// The error of a read or a write. It is final for the socket; a new connect is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum SocketError {
    /// The peer ended TLS with an alert. A TLS 1.3 server checks the client's certificate after the client has finished
    /// its handshake, so this may mean that it refuses the certificate, or needs one.
    Alert,
    /// The peer closed the connection, so nothing can be written.
    BrokenPipe,
    /// The peer closed the connection without having sent a byte: it refused the first data that it got, a login for
    /// instance. See [`mqtt::LoginFailure::Closed`](crate::mqtt::LoginFailure).
    ClosedUnanswered,
    /// The connection was lost: the modem reset, lost the network or the connection, or an exchange of payload broke the
    /// grammar, so that the order of the bytes is not certain. [`Socket::loss`](crate::Socket::loss) and
    /// [`Control::last_loss`](crate::Control::last_loss) have the reason.
    ConnectionReset,
    /// The peer sent a TLS record larger than the modem takes, see
    /// [`Capabilities::record_limit`](crate::Capabilities::record_limit): let the server send smaller messages or
    /// fragments, or use a firmware with a larger limit. If the modem does not report this, it is inferred when TLS
    /// fails while TCP stays up.
    RecordTooLarge,
    /// Pushed data was not read in time, and would have held up other sockets: read faster, give the socket a larger
    /// ring, or configure the modem to have data fetched.
    RxOverrun,
}

impl fmt::Display for SocketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Alert => {
                "the peer ended TLS with an alert: it may want a client certificate, or refuse this one, and its log tells why"
            }
            Self::BrokenPipe => "the peer closed the connection: its log tells why",
            Self::ClosedUnanswered => {
                "the peer closed the connection without an answer: check what was sent first, such as a login"
            }
            Self::ConnectionReset => "the connection was lost: connect again",
            Self::RecordTooLarge => {
                "the peer sent a TLS record larger than the modem takes: let it send smaller messages, or use a firmware of the modem with a larger limit"
            }
            Self::RxOverrun => {
                "pushed data was not read in time, so the connection was given up: read faster or use a larger ring"
            }
        })
    }
}

impl SocketError {
    /// Returns whether the peer closed the connection, as opposed to a fault.
    pub const fn is_closed_by_peer(self) -> bool {
        matches!(self, Self::BrokenPipe | Self::ClosedUnanswered)
    }
}

impl core::error::Error for SocketError {}

impl embedded_io::Error for SocketError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Alert => ErrorKind::ConnectionAborted,
            Self::BrokenPipe | Self::ClosedUnanswered => ErrorKind::BrokenPipe,
            Self::ConnectionReset => ErrorKind::ConnectionReset,
            Self::RecordTooLarge | Self::RxOverrun => ErrorKind::OutOfMemory,
        }
    }
}

/// The error of storing, reading, listing or removing a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum CredentialError<S> {
    /// A command of the operation did not succeed.
    At(AtError),
    /// The modem could not be brought up.
    BringUp(BringUpError),
    /// The modem stored other bytes than were sent. They were removed again.
    Corrupted,
    /// The tag is not usable on this modem, or the content is empty or too long.
    InvalidInput(InvalidInput),
    /// The modem, with this firmware and configuration, lacks a feature that this needs. Nothing was sent.
    Lacks(Feature),
    /// The credential is whole and of the right kind, but the modem's TLS cannot use a key of its type. Nothing was sent.
    KeyType(KeyType),
    /// The modem has more credentials than its list can show at once, so the list is incomplete: ask for one tag, or
    /// remove some.
    ListTooLong,
    /// The content is a credential of another kind. Nothing was sent.
    Misplaced(Misplaced),
    /// The modem has no room for the credential.
    NoSpace {
        /// The number of bytes needed.
        needed: usize,
        /// The number of free bytes that the modem reports.
        free: usize,
    },
    /// The [`ProvisionRecord`](crate::ProvisionRecord) could not be written. Nothing was sent.
    RecordNotWritten,
    /// The source of the content could not be read.
    Source(S),
    /// The modem changes credentials only while it is off the network, which would end the open connections: close them
    /// first. Nothing was sent.
    SocketsOpen,
    /// The source gave no byte for so long that the modem would have given up.
    SourceTooSlow,
    /// The content ended before its announced length.
    SourceTooShort,
    /// The modem does not let the credential be read back.
    Unreadable,
    /// The content is no credential that a modem can take. Nothing was sent.
    Unsuitable(Unsuitable),
}

impl CredentialError<core::convert::Infallible> {
    /// Converts the error to that of an operation whose source may fail too.
    pub(crate) fn widen<S>(self) -> CredentialError<S> {
        match self {
            Self::At(error) => CredentialError::At(error),
            Self::BringUp(error) => CredentialError::BringUp(error),
            Self::Corrupted => CredentialError::Corrupted,
            Self::InvalidInput(error) => CredentialError::InvalidInput(error),
            Self::Lacks(feature) => CredentialError::Lacks(feature),
            Self::KeyType(key) => CredentialError::KeyType(key),
            Self::ListTooLong => CredentialError::ListTooLong,
            Self::Misplaced(misplaced) => CredentialError::Misplaced(misplaced),
            Self::NoSpace { needed, free } => CredentialError::NoSpace { needed, free },
            Self::RecordNotWritten => CredentialError::RecordNotWritten,
            Self::Source(never) => match never {},
            Self::SocketsOpen => CredentialError::SocketsOpen,
            Self::SourceTooSlow => CredentialError::SourceTooSlow,
            Self::SourceTooShort => CredentialError::SourceTooShort,
            Self::Unreadable => CredentialError::Unreadable,
            Self::Unsuitable(reason) => CredentialError::Unsuitable(reason),
        }
    }
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
            Self::Lacks(feature) => write!(f, "this modem has {feature}"),
            Self::KeyType(key) => write!(
                f,
                "this modem's TLS cannot use a key of type {key}: have a certificate issued for a key of another type, RSA 2048 where in doubt"
            ),
            Self::ListTooLong => f.write_str(
                "the modem holds more credentials than its list can show at once: ask for one tag, or remove some",
            ),
            Self::Misplaced(reason) => reason.fmt(f),
            Self::NoSpace { needed, free } => {
                write!(f, "{needed} bytes are needed and the modem has {free} free: remove other files")
            }
            Self::RecordNotWritten => f.write_str(
                "the record of what is stored could not be written, so nothing was sent: check the flash it is in",
            ),
            Self::Source(error) => write!(f, "reading the credential: {error}"),
            Self::SocketsOpen => f.write_str(
                "this modem changes credentials only while it is off the network, which would end the open connections: close them first, or allow it in the configuration",
            ),
            Self::SourceTooSlow => f.write_str(
                "the source of the credential gave no byte for seconds: read it into memory first, and not from a socket of the same modem",
            ),
            Self::SourceTooShort => f.write_str(
                "the credential ended before its announced length: give the length of what there is",
            ),
            Self::Unreadable => f.write_str("the modem does not return what it stores"),
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

/// The reason why the runner stopped: the UART failed. Every socket has been reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum RunError {
    /// The UART reported the end of its input, as a closed pty or TCP port does.
    Eof,
    /// The UART could not be read.
    Read(ErrorKind),
    /// The UART could not be written.
    Write(ErrorKind),
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Eof => f.write_str("the port to the modem was closed: open it again"),
            Self::Read(kind) => write!(f, "reading from the modem's port: {kind:?}"),
            Self::Write(kind) => write!(f, "writing to the modem's port: {kind:?}"),
        }
    }
}

impl core::error::Error for RunError {}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::format;
    use std::string::ToString;

    use super::*;

    /// The types that are passed through every exchange fit into a register.
    #[test]
    #[cfg(not(feature = "hints"))]
    fn an_error_of_an_exchange_is_one_word() {
        assert_eq!(size_of::<Result<(), AtError>>(), 4);
        assert_eq!(size_of::<Option<AtError>>(), 4);
    }

    #[test]
    fn a_refusal_keeps_the_number_and_names_what_is_left() {
        let code = Code::Vendor(566, Meaning::new("socket connect failed"));
        let refusal = Refusal::new(code, Causes::new(&[Cause::CaMismatch, Cause::Unreachable]));
        let error = ConnectError::Refused(refusal.without(Cause::CaMismatch));
        assert!(error.causes().eq([Cause::Unreachable]));
        let meaning = if cfg!(feature = "hints") {
            " (socket connect failed)"
        } else {
            ""
        };
        assert_eq!(
            error.to_string(),
            format!("the modem answered 566{meaning}: nothing answers at this host and port")
        );
    }

    #[test]
    fn a_fault_found_by_the_host_is_not_shown_as_a_modems_answer() {
        let code = Code::Here(Meaning::new("the certificate is for another name"));
        let refusal = Refusal::new(code, Causes::NONE);
        assert_eq!(refusal.to_string(), "the certificate is for another name");
    }

    #[test]
    fn the_signal_that_the_modem_heard_narrows_the_causes() {
        let causes = |status, heard| BringUpError::NotRegistered { status, heard }.causes();
        assert!(causes(2, Some(false)).eq([Cause::NoCoverage]));
        assert!(!causes(2, Some(true)).any(|cause| cause == Cause::NoCoverage));
        assert_eq!(causes(3, None).next(), Some(Cause::RegistrationDenied));
        assert!(
            BringUpError::SimMissing(Code::Cme(10))
                .causes()
                .eq([Cause::SimMissing])
        );
    }
}
