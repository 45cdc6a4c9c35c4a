//! Credentials in the modem, by tag.

mod digest;
mod elsewhere;
mod prepare;
mod proof;
mod set;
mod source;
mod store;

pub use digest::{Digest, Hasher};
pub use elsewhere::{Elsewhere, Reads};
pub use proof::{Comparison, Ensured, Proof, ProvisionRecord};
pub use set::{CredentialSet, RotateError, SetError};
pub use source::Source;
pub(crate) use source::copy;
pub use store::{CredentialStore, CredentialsTurn};

use core::fmt;

use crate::inspect::Container;

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

impl Kind {
    /// All of them, in the order in which they are stored.
    pub const ALL: [Self; 3] = [Self::Ca, Self::ClientCertificate, Self::PrivateKey];

    /// Its place in [`ALL`](Self::ALL).
    pub(crate) const fn index(self) -> usize {
        match self {
            Self::Ca => 0,
            Self::ClientCertificate => 1,
            Self::PrivateKey => 2,
        }
    }
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
    /// SHA-256 over its bytes, where the modem tells.
    pub digest: Option<Digest>,
    /// The number under which the modem itself keeps it, where that is not the tag.
    pub place: Option<u32>,
    /// Why the TLS in use does not read it, if so: then it is as good as not there.
    pub elsewhere: Option<Elsewhere>,
}

impl Stored {
    /// An entry as a backend's listing found it.
    pub const fn new(tag: Tag, kind: Kind, len: Option<usize>) -> Self {
        Self {
            tag,
            kind,
            len,
            digest: None,
            place: None,
            elsewhere: None,
        }
    }
}

/// What credentials a modem takes.
#[derive(Clone, Copy, Debug)]
pub struct Accepts {
    /// What they must be in; `None` if either is taken.
    pub container: Option<Container>,
    /// The most certificates in the file of a CA.
    pub roots: u16,
    /// The most certificates in the file of a client's.
    pub chain: u16,
}
