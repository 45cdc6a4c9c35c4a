//! The role of a modem that stores credentials.

use core::convert::Infallible;

use sectag_inspect::{Content, Inspector, KeyType, Kind};

use super::digest::{Digest, Hasher};
use super::proof::{Comparison, Proof};
use super::source::Source;
use super::stored::{Accepts, Stored};
use crate::clock::DateTime;
use crate::engine::At;
use crate::engine::Backend;
use crate::error::{AtError, CredentialError};
use crate::other_store::OtherStore;
use crate::tag::Tag;

/// A modem that stores credentials. Its backend implements these primitives; ensuring, rotating and the rest is done by
/// the core.
#[allow(async_fn_in_trait)]
pub trait Credentials: Backend {
    /// The forms of credentials that the modem takes.
    const ACCEPTS: Accepts;
    /// The proof by which the modem shows that it has a credential.
    const PROOF: Proof = Proof::ReadBack;

    /// Returns whether the modem's TLS can use a `kind` with a key of this type, as far as its firmware is known. A
    /// credential that would fail at every connect is refused when it is stored. The default takes RSA and ECDSA: no
    /// modem's sheet has a suite or a signature scheme for Ed25519, Ed448, X25519, DSA or keys of RSA-PSS alone.
    fn uses(&self, kind: Kind, key: KeyType) -> bool {
        let _ = kind;
        !matches!(key, KeyType::Ed25519 | KeyType::Other)
    }

    /// Stores `content`, which is in the form of [`ACCEPTS`](Self::ACCEPTS), in the place of an earlier one.
    async fn store<S: Source>(
        at: &At<'_, Self>,
        tag: Tag,
        kind: Kind,
        content: &mut S,
    ) -> Result<(), CredentialError<S::Error>>;

    /// Compares `content` with the credential in the modem. The default reads that back.
    async fn compare<S: Source>(
        at: &At<'_, Self>,
        tag: Tag,
        kind: Kind,
        content: &mut S,
    ) -> Result<Comparison, CredentialError<S::Error>> {
        let mut hasher = Hasher::new();
        let found = Self::read_back(at, tag, kind, &mut |bytes| hasher.update(bytes)).await;
        match found {
            Ok(true) => {}
            Ok(false) => return Ok(Comparison::Absent),
            Err(CredentialError::Unreadable) => return Ok(Comparison::Unreadable),
            Err(error) => return Err(error.widen()),
        }
        let same = Digest::of_source(content).await? == hasher.finish();
        Ok(if same {
            Comparison::Same
        } else {
            Comparison::Differs
        })
    }

    /// Hands all bytes of a credential to `sink`. Returns `false` where there is none.
    ///
    /// # Errors
    /// [`CredentialError::Unreadable`] where the modem does not let it be read.
    async fn read_back(
        at: &At<'_, Self>,
        tag: Tag,
        kind: Kind,
        sink: &mut dyn FnMut(&[u8]),
    ) -> Result<bool, CredentialError<Infallible>>;

    /// Calls `found` for each credential in the modem.
    async fn list(
        at: &At<'_, Self>,
        found: &mut dyn FnMut(Stored),
    ) -> Result<(), CredentialError<Infallible>>;

    /// Removes a credential, if it is there.
    async fn remove(
        at: &At<'_, Self>,
        tag: Tag,
        kind: Kind,
    ) -> Result<(), CredentialError<Infallible>>;

    /// Returns the end date of a certificate, see [`Expiry`](crate::Expiry). The default reads the certificate back.
    async fn expires(
        at: &At<'_, Self>,
        tag: Tag,
        kind: Kind,
    ) -> Result<Option<DateTime>, CredentialError<Infallible>> {
        read_expiry(at, tag, kind).await
    }

    /// Calls `found` for each credential of one tag.
    async fn list_tag(
        at: &At<'_, Self>,
        tag: Tag,
        found: &mut dyn FnMut(Stored),
    ) -> Result<(), CredentialError<Infallible>> {
        let mut wanted = |stored: Stored| {
            if stored.tag == tag {
                found(stored);
            }
        };
        Self::list(at, &mut wanted).await
    }

    /// Returns the store, under `tag`, that the TLS in use does not read, for a modem with two stores. The default has
    /// none.
    async fn other_store(_at: &At<'_, Self>, _tag: Tag) -> Result<Option<OtherStore>, AtError> {
        Ok(None)
    }
}

/// Reads a certificate back, and returns its end date.
async fn read_expiry<M: Credentials>(
    at: &At<'_, M>,
    tag: Tag,
    kind: Kind,
) -> Result<Option<DateTime>, CredentialError<Infallible>> {
    let mut inspector = Inspector::new();
    let found = M::read_back(at, tag, kind, &mut |bytes| inspector.feed(bytes)).await?;
    if !found {
        return Ok(None);
    }
    match inspector
        .finish()
        .map_err(CredentialError::Unsuitable)?
        .content
    {
        Content::Certificate(certificate) => Ok(certificate.not_after),
        Content::PrivateKey(_) => Ok(None),
    }
}
