//! The entry of a list of credentials, and the forms that a modem accepts.

use sectag_inspect::{Container, Kind};

use super::digest::Digest;
use crate::other_store::OtherStore;
use crate::tag::Tag;

/// A credential in the modem, as an entry of [`Control::list`](crate::Control::list).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Stored {
    /// The tag.
    pub tag: Tag,
    /// The part of the set: CA, client certificate or private key.
    pub kind: Kind,
    /// The length in bytes, where the modem reports it.
    pub len: Option<usize>,
    /// The SHA-256 of the bytes, where the modem reports it.
    pub digest: Option<Digest>,
    /// The modem's own number of the credential, where that is not the tag.
    pub place: Option<u32>,
    /// Set where the credential is in a store that the TLS in use does not read, so that a connection would miss it.
    pub other_store: Option<OtherStore>,
}

impl Stored {
    /// Makes an entry, for the listing of a backend.
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

/// The forms of credentials that a modem accepts.
#[derive(Clone, Copy, Debug)]
pub struct Accepts {
    /// The container that the modem takes, PEM or DER; `None` where it takes both.
    pub container: Option<Container>,
    /// The most certificates in one CA credential.
    pub roots: u16,
    /// The most certificates in one client certificate credential.
    pub chain: u16,
    /// The most bytes of one credential in the form that the modem takes; where firmwares differ, of those that take most.
    pub len: usize,
    /// Whether the modem trusts a chain only if it ends in a CA that signed itself: an intermediate or a cross-signed root
    /// is then refused.
    pub self_signed_root: bool,
}
