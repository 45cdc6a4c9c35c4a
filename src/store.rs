//! Credentials through the handle: storing, ensuring, comparing, rotating. What all modems have in common.

use core::convert::Infallible;
use core::future::poll_fn;

use crate::control::Control;
use crate::credentials::{
    Comparison, CredentialSet, Credentials, Digest, Ensured, Expiry, Hasher, Kind, Prepared, Proof,
    ProvisionRecord, RotateError, SetError, Source, Stored, inspect, judge,
};
use crate::engine::{At, Shared};
use crate::error::{BringUpError, CredentialError};
use crate::inspect::KeyType;
use crate::other_store::OtherStore;
use crate::tag::Tag;

/// Credentials in the modem.
///
/// What is stored is looked at first, in a pass over the [`Source`]: kind, CA or leaf, encrypted,
/// whole; what cannot be the `kind` is refused before a byte is sent. PEM and DER are taken, and
/// converted on the way if the modem wants the other.
///
/// Dropping any of these futures is allowed: the runner brings the modem back to a known state, and
/// an upload that was under way is completed with filler and deleted, so that nothing half-valid
/// stays. A reset of the modem or of the MCU in the middle of it leaves nothing half-valid either.
///
/// Calls for the same or different tags may run at the same time; they take turns.
///
/// All of them need a modem that answers, and neither SIM nor network: in a factory there is neither.
///
/// Comparing and digesting read the credential back, private keys included, between modem and MCU
/// over the same UART that they were uploaded through. No trace shows the bytes.
impl<M: Credentials> Control<'_, M> {
    /// Stores `content` under `tag`, replacing what is there. When it returns `Ok`, the modem has
    /// confirmed length and content as far as it can.
    pub async fn store<S: Source>(
        &self,
        tag: Tag,
        kind: Kind,
        mut content: S,
    ) -> Result<(), CredentialError<S::Error>> {
        let (mut content, key) = prepare::<M, S>(kind, &mut content).await?;
        let (at, _turn) = self.exclusive().await?;
        used(&at, kind, key)?;
        M::store(&at, tag, kind, &mut content).await
    }

    /// As [`store`](Self::store), without asking whether this modem can use it: a leaf as CA, a chain in another order, a
    /// key of a type that its TLS cannot use. What is no credential at all is still refused.
    pub async fn store_as_it_is<S: Source>(
        &self,
        tag: Tag,
        kind: Kind,
        mut content: S,
    ) -> Result<(), CredentialError<S::Error>> {
        let material = inspect(&mut content).await?;
        let mut content = Prepared::<M, S>::new(&mut content, &material);
        let (at, _turn) = self.exclusive().await?;
        M::store(&at, tag, kind, &mut content).await
    }

    /// Stores `content` without looking at it or converting it, in a single pass: for formats that
    /// sectag does not know, and sources that can be read only once. Links no inspection.
    pub async fn store_unchecked<S: Source>(
        &self,
        tag: Tag,
        kind: Kind,
        mut content: S,
    ) -> Result<(), CredentialError<S::Error>> {
        let (at, _turn) = self.exclusive().await?;
        M::store(&at, tag, kind, &mut content).await
    }

    /// Makes sure that the modem has `content` under `tag`: uploads it, unless it is proved that it
    /// is there already.
    pub async fn ensure<S: Source>(
        &self,
        tag: Tag,
        kind: Kind,
        mut content: S,
    ) -> Result<Ensured, CredentialError<S::Error>> {
        let (mut content, key) = prepare::<M, S>(kind, &mut content).await?;
        let (at, _turn) = self.exclusive().await?;
        let found = M::compare(&at, tag, kind, &mut content).await?;
        if found == Comparison::Same {
            return Ok(Ensured::AlreadyThere(M::PROOF));
        }
        used(&at, kind, key)?;
        M::store(&at, tag, kind, &mut content).await?;
        Ok(Ensured::Stored)
    }

    /// As [`ensure`](Self::ensure), with a record in the application's flash, which is kept up to date, and
    /// consulted when the modem does not let the credential be read back.
    pub async fn ensure_recorded<S: Source, R: ProvisionRecord>(
        &self,
        tag: Tag,
        kind: Kind,
        mut content: S,
        record: &mut R,
    ) -> Result<Ensured, CredentialError<S::Error>> {
        let (mut content, key) = prepare::<M, S>(kind, &mut content).await?;
        let (at, _turn) = self.exclusive().await?;
        let found = M::compare(&at, tag, kind, &mut content).await?;
        if found == Comparison::Same {
            return Ok(Ensured::AlreadyThere(M::PROOF));
        }
        used(&at, kind, key)?;
        let digest = Digest::of_source(&mut content).await?;
        if found == Comparison::Unreadable && record.recall(tag, kind).await == Some(digest) {
            return Ok(Ensured::AlreadyThere(Proof::Record));
        }
        if !record.note(tag, kind, None).await {
            return Err(CredentialError::RecordNotWritten);
        }
        M::store(&at, tag, kind, &mut content).await?;
        // Not written: the next start uploads it once more.
        record.note(tag, kind, Some(digest)).await;
        Ok(Ensured::Stored)
    }

    /// Makes sure that the modem has all of a set, which is [checked](CredentialSet::check) as a
    /// whole before anything is sent. Returns how many were uploaded.
    pub async fn ensure_set<S: Source>(
        &self,
        tag: Tag,
        mut set: CredentialSet<S>,
    ) -> Result<usize, SetError<S::Error>> {
        set.check(&M::ACCEPTS).await?;
        let mut stored = 0;
        for (kind, part) in Kind::ALL.into_iter().zip(set.parts) {
            let Some(content) = part else { continue };
            let ensured = self.ensure(tag, kind, content).await;
            if ensured.map_err(|error| SetError { kind, error })? == Ensured::Stored {
                stored += 1;
            }
        }
        Ok(stored)
    }

    /// Replaces the set under `old` by one under `new`, a tag that is not in use, so that at any
    /// moment one of the two is complete and whole.
    ///
    /// The new set is stored beside the old one, `probe` proves it (connects with it, and at its end
    /// writes to the application's flash that `new` is the tag to use), and only then the old set is
    /// removed. If `probe` fails, what this call has sent is removed instead. After an interruption, by a drop or
    /// a reset, the tag in the application's flash holds a complete set; to go on, do it again with the same set
    /// (what is there already is not uploaded again) or remove the other.
    ///
    /// # Errors
    /// Refused before a byte is sent: a set that is not whole or whose parts do not belong together, an `old` with
    /// nothing under it, a `new` with something under it that is another set's (a modem that cannot tell is believed), and a set without a
    /// client certificate or key where the old one has it (unless it
    /// [says so](CredentialSet::drop_client_certificate)). See [`RotateError`].
    pub async fn rotate<S: Source, P>(
        &self,
        old: Tag,
        new: Tag,
        mut set: CredentialSet<S>,
        probe: impl AsyncFnOnce() -> Result<(), P>,
    ) -> Result<(), RotateError<S::Error, P>> {
        if old == new {
            return Err(RotateError::SameTag);
        }
        if let Some(kind) = set.missing() {
            return Err(RotateError::Incomplete(kind));
        }
        let checked = set.check(&M::ACCEPTS).await;
        checked.map_err(RotateError::Store)?;
        let replaced = self.kinds(old).await;
        let replaced = replaced.map_err(|error| RotateError::Ask(old, error))?;
        let there = self.kinds(new).await;
        let there = there.map_err(|error| RotateError::Ask(new, error))?;
        // A set that is there alone: the end of a rotation was interrupted.
        let is_whole = Kind::ALL
            .into_iter()
            .all(|kind| there[kind.index()] || !set.replaces(kind));
        if replaced == [false; 3] && !is_whole {
            return Err(RotateError::NothingOld);
        }
        // Whether the kind before is there, and is the one of this set.
        let mut follows = false;
        for kind in Kind::ALL {
            if replaced[kind.index()] && !set.replaces(kind) {
                return Err(RotateError::Fewer(kind));
            }
            if !there[kind.index()] || set.brings_key() && kind == Kind::PrivateKey {
                follows = false;
                continue;
            }
            // What an earlier rotation has left, which this one goes on with.
            let same = match &mut set.parts[kind.index()] {
                Some(content) => {
                    let found = self.compare_with(new, kind, content).await;
                    let found = found.map_err(|error| RotateError::Ask(new, error))?;
                    // A modem that cannot tell is no reason to refuse to go on.
                    matches!(found, Comparison::Same | Comparison::Unreadable)
                }
                None => false,
            };
            // They are sent in this order: what an interruption cut short is the last, and behind
            // others that are whole, or the CA alone of a set that brings more.
            let is_last = Kind::ALL[kind.index() + 1..]
                .iter()
                .all(|behind| !there[behind.index()]);
            let begins = kind == Kind::Ca && !is_whole;
            let is_cut = (follows || begins) && is_last && set.parts[kind.index()].is_some();
            if !same && !is_cut {
                return Err(RotateError::InUse(kind));
            }
            follows = same;
        }
        let key_made = set.brings_key();
        let stored = self.ensure_set(new, set).await;
        stored.map_err(RotateError::Store)?;
        if let Err(error) = probe().await {
            for kind in Kind::ALL {
                if !there[kind.index()] || key_made && kind == Kind::PrivateKey {
                    // What cannot be removed is found by `list`.
                    let _ = self.remove(new, kind).await;
                }
            }
            return Err(RotateError::Probe(error));
        }
        self.remove_all(old).await.map_err(RotateError::Remove)
    }

    /// Compares `content`, in the form in which it would be stored, with what the modem has.
    pub async fn compare<S: Source>(
        &self,
        tag: Tag,
        kind: Kind,
        mut content: S,
    ) -> Result<Comparison, CredentialError<S::Error>> {
        self.compare_with(tag, kind, &mut content).await
    }

    /// SHA-256 over the bytes that the modem has, read back; `None` when there are none. Refused by
    /// modems that do not let them be read.
    pub async fn digest(
        &self,
        tag: Tag,
        kind: Kind,
    ) -> Result<Option<Digest>, CredentialError<Infallible>> {
        let (at, _turn) = self.exclusive().await?;
        let mut hasher = Hasher::new();
        let mut sink = |bytes: &[u8]| hasher.update(bytes);
        let found = M::read_back(&at, tag, kind, &mut sink).await?;
        Ok(found.then(|| hasher.finish()))
    }

    /// When the certificates under `tag` end: the modem tells, or they are read back. Nothing changes in the modem;
    /// may be dropped at any time.
    ///
    /// [`CredentialError::Unreadable`] where the modem does neither.
    pub async fn expires(&self, tag: Tag) -> Result<Expiry, CredentialError<Infallible>> {
        let (at, _turn) = self.exclusive().await?;
        Ok(Expiry {
            ca: M::expires(&at, tag, Kind::Ca).await?,
            client: M::expires(&at, tag, Kind::ClientCertificate).await?,
        })
    }

    /// Whether the modem holds credentials under `tag` that the TLS in use does not read, for modems that
    /// have two: see [`OtherStore`]. Nothing is asked of others.
    pub async fn other_store(
        &self,
        tag: Tag,
    ) -> Result<Option<OtherStore>, CredentialError<Infallible>> {
        let at = self.handle().await?;
        Ok(M::other_store(&at, tag).await?)
    }

    /// Lists one tag, where the whole [list](Self::list) is not wanted, or is
    /// [longer](CredentialError::ListTooLong) than the modem can tell.
    pub async fn list_tag(
        &self,
        tag: Tag,
        found: &mut dyn FnMut(Stored),
    ) -> Result<(), CredentialError<Infallible>> {
        let at = self.handle().await?;
        M::list_tag(&at, tag, found).await
    }

    /// Calls `found` for each credential in the modem that sectag stored, in the modem's order, and for
    /// those that the TLS in use does not read ([`Stored::other_store`]). An error means that the list may
    /// not be complete.
    pub async fn list(
        &self,
        found: &mut dyn FnMut(Stored),
    ) -> Result<(), CredentialError<Infallible>> {
        let at = self.handle().await?;
        M::list(&at, found).await
    }

    /// Removes one credential. Removing what is not there succeeds.
    pub async fn remove(&self, tag: Tag, kind: Kind) -> Result<(), CredentialError<Infallible>> {
        let (at, _turn) = self.exclusive().await?;
        M::remove(&at, tag, kind).await
    }
}

impl<'a, M: Credentials> Control<'a, M> {
    /// Waits for the turn to read or change credentials, on a modem that answers: for what a backend adds to the
    /// methods here. At its end the runner removes what a dropped flow left behind.
    pub async fn credentials_turn(&self) -> Result<(At<'a, M>, CredentialsTurn<'a>), BringUpError> {
        self.wait_answering().await?;
        let mut turn = CredentialsTurn {
            world: self.world,
            ticket: None,
            held: false,
        };
        poll_fn(|cx| {
            let mut world = self.world.borrow_mut();
            world.stores.poll(&mut turn.ticket, cx)
        })
        .await;
        turn.held = true;
        Ok((At::new(self.world, self.engine), turn))
    }

    async fn handle<E>(&self) -> Result<At<'a, M>, CredentialError<E>> {
        let at = self.keeps_connections().answering_at().await;
        at.map_err(CredentialError::BringUp)
    }

    async fn exclusive<E>(&self) -> Result<(At<'a, M>, CredentialsTurn<'a>), CredentialError<E>> {
        self.credentials_turn()
            .await
            .map_err(CredentialError::BringUp)
    }

    async fn compare_with<S: Source>(
        &self,
        tag: Tag,
        kind: Kind,
        content: &mut S,
    ) -> Result<Comparison, CredentialError<S::Error>> {
        let (mut content, _) = prepare::<M, S>(kind, content).await?;
        let (at, _turn) = self.exclusive().await?;
        M::compare(&at, tag, kind, &mut content).await
    }

    /// Which kinds are stored under a tag, for the TLS in use, in the order of [`Kind::ALL`].
    async fn kinds<E>(&self, tag: Tag) -> Result<[bool; 3], CredentialError<E>> {
        let mut kinds = [false; 3];
        let mut keep = |entry: Stored| {
            if entry.tag == tag && entry.other_store.is_none() {
                kinds[entry.kind.index()] = true;
            }
        };
        match self.list_tag(tag, &mut keep).await {
            Ok(()) => Ok(kinds),
            Err(error) => Err(error.widen()),
        }
    }

    async fn remove_all(&self, tag: Tag) -> Result<(), SetError<Infallible>> {
        for kind in Kind::ALL {
            let removed = self.remove(tag, kind).await;
            removed.map_err(|error| SetError { kind, error })?;
        }
        Ok(())
    }
}

/// The turn to read or change credentials. At its end the runner looks whether a flow that was dropped has left
/// something behind.
pub struct CredentialsTurn<'a> {
    world: &'a Shared<'a>,
    ticket: Option<u8>,
    held: bool,
}

impl Drop for CredentialsTurn<'_> {
    fn drop(&mut self) {
        let mut world = self.world.borrow_mut();
        if self.held {
            world.stores.release();
            world.cleanup = true;
            world.wake_runner();
        } else if let Some(ticket) = self.ticket {
            world.stores.give_up(ticket);
        }
    }
}

/// Looks at `content` and makes ready what is to be sent.
async fn prepare<M: Credentials, S: Source>(
    kind: Kind,
    content: &mut S,
) -> Result<(Prepared<'_, M, S>, KeyType), CredentialError<S::Error>> {
    let material = inspect(content).await?;
    judge(kind, &material, &M::ACCEPTS).map_err(CredentialError::Misplaced)?;
    Ok((Prepared::new(content, &material), material.content.key()))
}

/// Refuses a key that the TLS of the modem that was found cannot use.
fn used<M: Credentials, E>(
    at: &At<'_, M>,
    kind: Kind,
    key: KeyType,
) -> Result<(), CredentialError<E>> {
    if at.modem(|modem| modem.uses(kind, key)) {
        Ok(())
    } else {
        Err(CredentialError::KeyType(key))
    }
}
