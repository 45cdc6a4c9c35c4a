//! When an upload may be skipped.

use super::digest::Digest;
use crate::tag::Tag;
use sectag_inspect::Kind;

/// What [`Control::ensure`](crate::Control::ensure) did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Ensured {
    /// Nothing was uploaded, because this proves that the modem has it.
    AlreadyThere(Proof),
    /// It was uploaded.
    Stored,
}

/// How it is known that the modem has just these bytes. Equal length, and the 16-bit checksum that
/// some modems print, are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Proof {
    /// A [`ProvisionRecord`] says so, and the modem has something there, of that length where it tells lengths.
    Record,
    /// The modem tells their SHA-256.
    Digest,
    /// The modem tells the MD5 of their DER form, and it is the one of these bytes. That nothing was lost or mixed
    /// up is proved by it; that nobody has prepared two credentials with one MD5 is not.
    Md5,
    /// They were read back and compared, all of them.
    ReadBack,
}

/// What a comparison with the modem's content found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Comparison {
    /// There is none.
    Absent,
    /// There is another.
    Differs,
    /// It is the same, byte for byte.
    Same,
    /// There is one, of the same length where the modem tells lengths, and it does not let it be read.
    Unreadable,
}

/// Remembers, in the user's flash, what was stored: for modems that do not let credentials be read
/// back. Valid only if nothing else writes credentials to this modem.
#[allow(async_fn_in_trait)]
pub trait ProvisionRecord {
    /// What [`note`](Self::note) was last told of this entry.
    async fn recall(&mut self, tag: Tag, kind: Kind) -> Option<Digest>;

    /// Remembers this digest, or for `None` that nothing is known, which is told before an upload
    /// begins. Returns whether it was written; without that nothing is uploaded.
    async fn note(&mut self, tag: Tag, kind: Kind, digest: Option<Digest>) -> bool;
}
