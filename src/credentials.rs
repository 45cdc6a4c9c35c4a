//! Credentials in the modem, by tag.

use core::convert::Infallible;
use core::fmt;

use crate::error::CredentialError;

/// The number under which a set of credentials (CA, client certificate, private key) is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Tag(pub u32);

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Which part of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Kind {
    /// The certificate of the authority that signed the server's.
    Ca,
    /// This device's certificate.
    ClientCertificate,
    /// This device's private key.
    PrivateKey,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ca => "CA certificate",
            Self::ClientCertificate => "client certificate",
            Self::PrivateKey => "private key",
        })
    }
}

/// An entry of [`CredentialStore::list`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Stored {
    /// Its tag.
    pub tag: Tag,
    /// Its part of the set.
    pub kind: Kind,
    /// Its length in bytes, where the modem tells.
    pub len: Option<usize>,
}

impl Stored {
    /// An entry as a backend's listing found it.
    pub const fn new(tag: Tag, kind: Kind, len: Option<usize>) -> Self {
        Self { tag, kind, len }
    }
}

/// Where a credential's bytes come from: flash, a file, another socket. Read in small chunks, so
/// that no copy of the whole is held.
#[allow(async_fn_in_trait)]
pub trait Source {
    /// Why reading failed.
    type Error;

    /// The whole length in bytes; the modem must be told before the first byte.
    fn len(&self) -> usize;

    /// Whether there is nothing in it.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Reads the next bytes; `Ok(0)` only at the end. Need not be cancel-safe: a dropped upload is
    /// not resumed.
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, Self::Error>;
}

impl Source for &[u8] {
    type Error = Infallible;

    fn len(&self) -> usize {
        <[u8]>::len(self)
    }

    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, Infallible> {
        let count = buf.len().min(<[u8]>::len(self));
        let (now, later) = self.split_at(count);
        buf[..count].copy_from_slice(now);
        *self = later;
        Ok(count)
    }
}

/// Storing credentials in the modem.
///
/// Dropping any of these futures is allowed: the runner brings the modem back to a known state, and
/// an upload that was under way is completed with filler and deleted, so that nothing half-valid
/// stays.
#[allow(async_fn_in_trait)]
pub trait CredentialStore {
    /// Stores `content` under `tag`, replacing what is there. When it returns `Ok`, the modem has
    /// confirmed length and content as far as it can.
    async fn store<S: Source>(
        &self,
        tag: Tag,
        kind: Kind,
        content: S,
    ) -> Result<(), CredentialError<S::Error>>;

    /// Calls `found` for each credential in the modem that sectag stored, in the modem's order.
    async fn list(&self, found: &mut dyn FnMut(Stored)) -> Result<(), CredentialError<Infallible>>;

    /// Removes one credential. Removing what is not there succeeds.
    async fn remove(&self, tag: Tag, kind: Kind) -> Result<(), CredentialError<Infallible>>;
}
