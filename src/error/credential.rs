//! The error of an operation on credentials.

use core::fmt;

use super::at::AtError;
use super::bring_up::BringUpError;
use crate::at::InvalidInput;
use crate::capabilities::Feature;
use crate::inspect::{KeyType, Misplaced, Unsuitable};

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
            Self::KeyType(KeyType::Other) => f.write_str(
                "this modem's TLS can use keys of RSA and ECDSA, and this is neither: have a certificate issued for a key of another type, RSA 2048 where in doubt",
            ),
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
