//! Credentials in the modem: an entry of a list, and what a modem accepts.

use sectag_inspect::{Container, Kind};

use super::digest::Digest;
use crate::other_store::OtherStore;
use crate::tag::Tag;

/// An entry of [`Control::list`](crate::Control::list).
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
    /// Set where the TLS in use does not read it, so that a connection would miss it.
    pub other_store: Option<OtherStore>,
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
            other_store: None,
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
