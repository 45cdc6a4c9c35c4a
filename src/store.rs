//! The methods of [`Control`] for credentials: storing, ensuring, comparing, rotating. They are independent of the modem.

use core::convert::Infallible;
use core::future::poll_fn;
use core::task::Poll;

use crate::control::Control;
use crate::credentials::{
    Comparison, CredentialSet, Credentials, Digest, Ensured, Expiry, Hasher, Kind, Prepared, Proof,
    ProvisionRecord, RotateError, SetError, Source, Stored, admit, fits, inspect,
};
use crate::engine::{At, Shared};
use crate::error::{BringUpError, CredentialError};
use crate::inspect::KeyType;
use crate::other_store::OtherStore;
use crate::tag::Tag;

/// The methods for credentials in the modem.
///
/// A credential is inspected before it is stored, in a pass over the [`Source`]: its kind, CA or leaf, whether it is
/// encrypted, whether it is whole. Content that cannot be the `kind` is refused before a byte is sent. PEM and DER are
/// accepted, and converted while they stream where the modem needs the other.
///
/// Any of these futures may be dropped: the runner brings the modem back to a known state, completes an upload that is
/// under way with filler and deletes it, so that no partial credential stays. Nor does one stay after a reset of modem or
/// MCU in the middle of an upload.
///
/// Calls may be made at the same time, also for one tag; they take turns.
///
/// All methods need a modem that answers, but neither SIM nor network, as in a factory.
///
/// Comparing and digesting read the credential back, private keys included, between modem and MCU
/// over the same UART that they were uploaded through. No trace shows the bytes.
impl<M: Credentials> Control<'_, M> {
    /// Stores `content` under `tag`, in the place of an earlier credential of this kind. `Ok` means that the modem has
    /// confirmed length and content as far as it can.
    ///
    /// # Errors
    /// The reason why the content was refused, or why it could not be stored, see [`CredentialError`].
    pub async fn store<S: Source>(
        &self,
        tag: Tag,
        kind: Kind,
        mut content: S,
    ) -> Result<(), CredentialError<S::Error>> {
        let (mut content, key) = prepare::<M, S>(kind, &mut content).await?;
        let (at, _turn) = self.exclusive().await?;
        refuse_unusable_key(&at, kind, key)?;
        send(&at, tag, kind, &mut content).await
    }

    /// Stores `content` as [`store`](Self::store) does, without the check whether this modem can use it: a leaf as CA, a
    /// chain in another order, a key of a type that its TLS cannot use. Content that is no credential is still refused.
    ///
    /// # Errors
    /// The reason why the content is no credential, or why it could not be stored, see [`CredentialError`].
    pub async fn store_as_it_is<S: Source>(
        &self,
        tag: Tag,
        kind: Kind,
        mut content: S,
    ) -> Result<(), CredentialError<S::Error>> {
        let material = inspect(&mut content).await?;
        let mut content = Prepared::<M, S>::new(&mut content, &material);
        let (at, _turn) = self.exclusive().await?;
        send(&at, tag, kind, &mut content).await
    }

    /// Stores `content` in a single pass, without inspecting or converting it: for formats that sectag does not know, and
    /// for sources that can be read only once. It links no inspection.
    ///
    /// # Errors
    /// The reason why it could not be stored, see [`CredentialError`].
    pub async fn store_unchecked<S: Source>(
        &self,
        tag: Tag,
        kind: Kind,
        mut content: S,
    ) -> Result<(), CredentialError<S::Error>> {
        let (at, _turn) = self.exclusive().await?;
        send(&at, tag, kind, &mut content).await
    }

    /// Ensures that the modem has `content` under `tag`: uploads it, unless there is [proof](Proof) that the modem has it
    /// already.
    ///
    /// # Errors
    /// The reason why the content was refused, or could not be compared or stored, see [`CredentialError`].
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
        refuse_unusable_key(&at, kind, key)?;
        send(&at, tag, kind, &mut content).await?;
        Ok(Ensured::Stored)
    }

    /// Ensures that the modem has `content`, as [`ensure`](Self::ensure) does, with a record in the application's flash.
    /// The record is kept up to date, and consulted where the modem does not let the credential be read back.
    ///
    /// # Errors
    /// [`CredentialError::RecordNotWritten`], before anything is sent, where the record cannot be written; otherwise those
    /// of [`ensure`](Self::ensure).
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
        refuse_unusable_key(&at, kind, key)?;
        let digest = Digest::of_source(&mut content).await?;
        if found == Comparison::Unreadable && record.recall(tag, kind).await == Some(digest) {
            return Ok(Ensured::AlreadyThere(Proof::Record));
        }
        if !record.note(tag, kind, None).await {
            return Err(CredentialError::RecordNotWritten);
        }
        send(&at, tag, kind, &mut content).await?;
        // If this is not written, the next start uploads the credential once more.
        record.note(tag, kind, Some(digest)).await;
        Ok(Ensured::Stored)
    }

    /// Ensures that the modem has all credentials of a set, which is [checked](CredentialSet::check) as a whole before
    /// anything is sent. Returns the number of credentials that were uploaded.
    ///
    /// # Errors
    /// The first credential that failed, and why. Those before it are stored.
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

    /// Replaces the set under `old` by one under `new`, a tag that is not in use, so that one of the two sets is complete
    /// at any moment.
    ///
    /// The new set is stored beside the old one. Then `probe` must prove that it works: it connects with the new set, and
    /// at its end writes to the application's flash that `new` is the tag to use. Only then is the old set removed. If
    /// `probe` fails, the credentials that this call has uploaded are removed instead.
    ///
    /// After an interruption, by a drop or a reset, the tag in the application's flash holds a complete set. To go on,
    /// call `rotate` again with this set (credentials that are there already are not uploaded again), or remove the set
    /// under the other tag.
    ///
    /// # Errors
    /// Refused before a byte is sent: a set that is incomplete or whose parts do not belong together; an `old` with
    /// nothing under it; a `new` under which another set's credential is stored (one that the modem cannot compare is
    /// taken for this set's); and a set without a client certificate or key where the old one has it, unless
    /// [allowed](CredentialSet::drop_client_certificate). See [`RotateError`].
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
        // A whole new set without an old one means that the end of a rotation was interrupted.
        let is_whole = Kind::ALL
            .into_iter()
            .all(|kind| there[kind.index()] || !set.replaces(kind));
        if replaced == [false; 3] && !is_whole {
            return Err(RotateError::NothingOld);
        }
        // True where the credential of the kind before this one is stored, and is that of this set.
        let mut follows = false;
        for kind in Kind::ALL {
            if replaced[kind.index()] && !set.replaces(kind) {
                return Err(RotateError::Fewer(kind));
            }
            if !there[kind.index()] || set.brings_key() && kind == Kind::PrivateKey {
                follows = false;
                continue;
            }
            // An earlier rotation may have stored this credential; this rotation then goes on with it.
            let same = match &mut set.parts[kind.index()] {
                Some(content) => {
                    let found = self.compare_with(new, kind, content).await;
                    let found = found.map_err(|error| RotateError::Ask(new, error))?;
                    // A modem that cannot compare does not keep the rotation from going on.
                    matches!(found, Comparison::Same | Comparison::Unreadable)
                }
                None => false,
            };
            // Credentials are uploaded in this order. The one that an interruption cut short is therefore the
            // last of them, after others that are whole, or the CA alone of a set that has more.
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
                    // A credential that cannot be removed shows up in `list`.
                    let _ = self.remove(new, kind).await;
                }
            }
            return Err(RotateError::Probe(error));
        }
        self.remove_all(old).await.map_err(RotateError::Remove)
    }

    /// Compares `content`, in the form in which it would be stored, with the credential in the modem.
    ///
    /// # Errors
    /// The reason why the content was refused, or could not be compared, see [`CredentialError`].
    pub async fn compare<S: Source>(
        &self,
        tag: Tag,
        kind: Kind,
        mut content: S,
    ) -> Result<Comparison, CredentialError<S::Error>> {
        self.compare_with(tag, kind, &mut content).await
    }

    /// Reads a credential back, and returns its SHA-256; `None` where there is none.
    ///
    /// # Errors
    /// [`CredentialError::Unreadable`] on a modem that does not let it be read.
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

    /// Returns the end dates of the certificates under `tag`: the modem reports them, or they are read back. Nothing
    /// changes in the modem. May be dropped at any time.
    ///
    /// # Errors
    /// [`CredentialError::Unreadable`] where the modem does neither.
    pub async fn expires(&self, tag: Tag) -> Result<Expiry, CredentialError<Infallible>> {
        let (at, _turn) = self.exclusive().await?;
        Ok(Expiry {
            ca: M::expires(&at, tag, Kind::Ca).await?,
            client: M::expires(&at, tag, Kind::ClientCertificate).await?,
        })
    }

    /// Returns whether the modem has credentials under `tag` in a store that the TLS in use does not read, see
    /// [`OtherStore`]. A modem with one store is not asked.
    ///
    /// # Errors
    /// The error that ended the exchange, or that of the bring-up.
    pub async fn other_store(
        &self,
        tag: Tag,
    ) -> Result<Option<OtherStore>, CredentialError<Infallible>> {
        let at = self.handle().await?;
        Ok(M::other_store(&at, tag).await?)
    }

    /// Calls `found` for each credential under one tag: where the whole [list](Self::list) is not needed, or is
    /// [longer](CredentialError::ListTooLong) than the modem can show.
    ///
    /// # Errors
    /// After an error the list may be incomplete.
    pub async fn list_tag(
        &self,
        tag: Tag,
        found: &mut dyn FnMut(Stored),
    ) -> Result<(), CredentialError<Infallible>> {
        let at = self.handle().await?;
        M::list_tag(&at, tag, found).await
    }

    /// Calls `found` for each credential in the modem that sectag has stored, in the modem's order, and for those that the
    /// TLS in use does not read ([`Stored::other_store`]).
    ///
    /// # Errors
    /// After an error the list may be incomplete.
    pub async fn list(
        &self,
        found: &mut dyn FnMut(Stored),
    ) -> Result<(), CredentialError<Infallible>> {
        let at = self.handle().await?;
        M::list(&at, found).await
    }

    /// Removes one credential. It succeeds where there is none.
    ///
    /// # Errors
    /// The reason why it could not be removed, see [`CredentialError`].
    pub async fn remove(&self, tag: Tag, kind: Kind) -> Result<(), CredentialError<Infallible>> {
        let (at, _turn) = self.exclusive().await?;
        M::remove(&at, tag, kind).await
    }
}

impl<'a, M: Credentials> Control<'a, M> {
    /// Waits for the turn to read or change credentials, on a modem that answers: for credential methods that a backend
    /// adds. When the turn is dropped, the runner removes leftovers of a dropped change. A future that is dropped gives up
    /// its place in the queue.
    ///
    /// # Errors
    /// The reason why the modem does not answer.
    pub async fn credentials_turn(&self) -> Result<(At<'a, M>, CredentialsTurn<'a>), BringUpError> {
        self.wait_answering().await?;
        let mut turn = CredentialsTurn {
            world: self.world,
            ticket: None,
            held: false,
        };
        poll_fn(|cx| {
            let mut world = self.world.borrow_mut();
            if world.stores.is_turn(&mut turn.ticket) {
                return Poll::Ready(());
            }
            world.waiting.register(cx);
            Poll::Pending
        })
        .await;
        turn.held = true;
        // It may have been switched off, or lost, while another had the turn.
        self.wait_answering().await?;
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

    /// Returns which kinds are stored under a tag for the TLS in use, in the order of [`Kind::ALL`].
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

/// The turn of a user to read or change credentials. When it is dropped, the runner removes leftovers of a dropped change
/// from the modem.
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
        world.waiting.wake();
    }
}

/// Inspects `content`, and returns it in the form that the modem takes, with the type of its key.
async fn prepare<M: Credentials, S: Source>(
    kind: Kind,
    content: &mut S,
) -> Result<(Prepared<'_, M, S>, KeyType), CredentialError<S::Error>> {
    let material = inspect(content).await?;
    admit(kind, &material, content.len(), &M::ACCEPTS)?;
    Ok((Prepared::new(content, &material), material.content.key()))
}

/// A source whose length is the one that was checked, whatever it says later.
struct Announced<'a, S> {
    content: &'a mut S,
    len: usize,
}

impl<S: Source> Source for Announced<'_, S> {
    type Error = S::Error;

    fn len(&self) -> usize {
        self.len
    }

    async fn read_at(&mut self, offset: usize, buf: &mut [u8]) -> Result<usize, S::Error> {
        self.content.read_at(offset, buf).await
    }
}

/// Stores `content`, which is in the form that the modem takes, if its length is one that it takes.
async fn send<M: Credentials, S: Source>(
    at: &At<'_, M>,
    tag: Tag,
    kind: Kind,
    content: &mut S,
) -> Result<(), CredentialError<S::Error>> {
    let len = content.len();
    fits(len, &M::ACCEPTS)?;
    M::store(at, tag, kind, &mut Announced { content, len }).await
}

/// Refuses a key of a type that the modem's TLS cannot use.
fn refuse_unusable_key<M: Credentials, E>(
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
