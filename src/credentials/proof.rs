//! The proofs that the modem has a credential already, so that its upload may be skipped.

use super::digest::Digest;
use crate::tag::Tag;
use sectag_inspect::Kind;

/// The result of [`Control::ensure`](crate::Control::ensure).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Ensured {
    /// The modem has the credential already, by this proof. Nothing was uploaded.
    AlreadyThere(Proof),
    /// The credential was uploaded.
    Stored,
}

/// A proof that the modem has exactly these bytes. Neither an equal length nor the 16-bit checksum that some modems print
/// is a proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Proof {
    /// A [`ProvisionRecord`] has the digest of these bytes, and the modem has an entry there, of that length where it
    /// reports lengths.
    Record,
    /// The modem reports the SHA-256 of these bytes.
    Digest,
    /// The modem reports the MD5 of the DER form of these bytes. It proves that nothing was lost or mixed up, but not
    /// against an attacker who prepares two credentials with one MD5.
    Md5,
    /// All bytes were read back from the modem and compared.
    ReadBack,
}

/// The result of a comparison of a credential with the one in the modem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Comparison {
    /// The modem has none.
    Absent,
    /// The modem has another credential.
    Differs,
    /// The modem has this credential, byte for byte.
    Same,
    /// The modem has one, of equal length where it reports lengths, and does not let it be read.
    Unreadable,
}

/// A record, in the user's flash, of the credentials that were stored, for modems that do not let them be read back. It
/// is valid only if nothing else writes credentials to this modem.
#[allow(async_fn_in_trait)]
pub trait ProvisionRecord {
    /// Returns the digest that [`note`](Self::note) got last for this entry.
    async fn recall(&mut self, tag: Tag, kind: Kind) -> Option<Digest>;

    /// Records the digest of this entry; `None`, before an upload begins, records that its content is unknown. Returns
    /// whether it was written; otherwise nothing is uploaded.
    async fn note(&mut self, tag: Tag, kind: Kind, digest: Option<Digest>) -> bool;
}
