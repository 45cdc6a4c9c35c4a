//! The role of a modem that keeps credentials: what its backend implements.

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

/// A modem that keeps credentials. What is done with them, such as ensuring and rotating, is the core's.
#[allow(async_fn_in_trait)]
pub trait Credentials: Backend {
    /// What it takes.
    const ACCEPTS: Accepts;
    /// How it proves that it has a credential.
    const PROOF: Proof = Proof::ReadBack;

    /// Whether its TLS can use a `kind` with a key of this type, as far as its firmware is known. What is
    /// certain to fail at every connect is refused when it is stored. No modem's sheet has a suite or a
    /// signature scheme for Ed25519.
    fn uses(&self, kind: Kind, key: KeyType) -> bool {
        let _ = kind;
        key != KeyType::Ed25519
    }

    /// Stores `content`, which is in the form that [`ACCEPTS`](Self::ACCEPTS) says, replacing what is there.
    async fn store<S: Source>(
        at: &At<'_, Self>,
        tag: Tag,
        kind: Kind,
        content: &mut S,
    ) -> Result<(), CredentialError<S::Error>>;

    /// Compares `content` with what is there. Where a modem has nothing better, all of it is read back.
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

    /// Hands `sink` all bytes of a credential; `false` when there is none.
    async fn read_back(
        at: &At<'_, Self>,
        tag: Tag,
        kind: Kind,
        sink: &mut dyn FnMut(&[u8]),
    ) -> Result<bool, CredentialError<Infallible>>;

    /// Tells of each credential in the modem.
    async fn list(
        at: &At<'_, Self>,
        found: &mut dyn FnMut(Stored),
    ) -> Result<(), CredentialError<Infallible>>;

    /// Removes one, if it is there.
    async fn remove(
        at: &At<'_, Self>,
        tag: Tag,
        kind: Kind,
    ) -> Result<(), CredentialError<Infallible>>;

    /// When a certificate ends, see [`Expiry`](crate::Expiry). Where a modem has nothing better, it is read back.
    async fn expires(
        at: &At<'_, Self>,
        tag: Tag,
        kind: Kind,
    ) -> Result<Option<DateTime>, CredentialError<Infallible>> {
        read_expiry(at, tag, kind).await
    }

    /// Tells of each credential of one tag.
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

    /// What the modem holds under `tag` that the TLS in use does not read, for modems that have two.
    async fn other_store(_at: &At<'_, Self>, _tag: Tag) -> Result<Option<OtherStore>, AtError> {
        Ok(None)
    }
}

/// When a certificate ends, from reading it back.
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
