//! Credentials in the modem, by tag.

mod digest;
mod elsewhere;
mod md5;
mod prepare;
mod proof;
mod set;
mod source;
mod store;

pub use digest::{Digest, Hasher};
pub use elsewhere::{Elsewhere, Reads};
pub use md5::Md5;
pub use proof::{Comparison, Ensured, Proof, ProvisionRecord};
pub use set::{CredentialSet, RotateError, SetError};
pub use source::Source;
pub(crate) use source::copy;
pub use store::{CredentialStore, CredentialsTurn};

use core::fmt;

use sectag_inspect::Container;
pub use sectag_inspect::Kind;

/// The number under which a set of credentials (CA, client certificate, private key) is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Tag(pub u32);

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
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
