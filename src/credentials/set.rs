//! A set of credentials for one tag, and the errors of storing and rotating it.

use core::fmt;

use super::prepare::{admit, inspect};
use super::{Accepts, Kind, Source};
use crate::error::CredentialError;
use crate::inspect::{Material, check_pair};
use crate::tag::Tag;

/// A set of credentials for one tag: CA, client certificate, private key. Any of them may be missing, but
/// [`rotate`](crate::Control::rotate) needs the CA, and certificate and key or neither.
pub struct CredentialSet<S> {
    pub(crate) parts: [Option<S>; 3],
    /// The modem has generated the private key.
    made: bool,
    /// The set may replace one with a client certificate, though it has none.
    drops_client: bool,
}

impl<S> CredentialSet<S> {
    /// Makes an empty set.
    pub const fn new() -> Self {
        Self {
            parts: [None, None, None],
            made: false,
            drops_client: false,
        }
    }

    /// Adds the certificate of the authority that signed the server's certificate.
    pub fn ca(self, content: S) -> Self {
        self.with(Kind::Ca, content)
    }

    /// Adds the device's certificate.
    pub fn client_certificate(self, content: S) -> Self {
        self.with(Kind::ClientCertificate, content)
    }

    /// Adds the device's private key.
    pub fn private_key(self, content: S) -> Self {
        self.with(Kind::PrivateKey, content)
    }

    /// Declares that the modem has generated the private key under the tag already. If [`rotate`](crate::Control::rotate)
    /// finds that the new set does not work, it removes that key too.
    pub fn key_in_modem(mut self) -> Self {
        self.made = true;
        self
    }

    /// Allows the set to [replace](crate::Control::rotate) one with a client certificate, though it has none. Such a
    /// rotation is refused otherwise ([`RotateError::Fewer`]), since it turns mutual TLS into TLS and removes the key.
    pub fn drop_client_certificate(mut self) -> Self {
        self.drops_client = true;
        self
    }

    /// Adds a credential of any kind.
    pub fn with(mut self, kind: Kind, content: S) -> Self {
        if let Some(part) = self.parts.get_mut(kind.index()) {
            *part = Some(content);
        }
        self
    }

    /// Returns the first kind that is missing for a rotation, which needs the CA, and certificate and key or neither.
    pub(crate) fn missing(&self) -> Option<Kind> {
        match &self.parts {
            [None, ..] => Some(Kind::Ca),
            [_, None, Some(_)] => Some(Kind::ClientCertificate),
            [_, Some(_), None] if !self.made => Some(Kind::PrivateKey),
            _ => None,
        }
    }

    /// Returns whether the modem has generated the private key, which is then under the new tag.
    pub(crate) fn brings_key(&self) -> bool {
        self.made
    }

    /// Returns whether the set has a credential of this kind, or is declared to need none.
    pub(crate) fn replaces(&self, kind: Kind) -> bool {
        let made = self.made && kind == Kind::PrivateKey;
        let given = self.parts.get(kind.index()).is_some_and(Option::is_some);
        given || made || self.drops_client && kind != Kind::Ca
    }
}

impl<S: Source> CredentialSet<S> {
    /// Checks all credentials, and whether key and certificate belong together, before anything is sent: everything that
    /// [`store`](crate::Control::store) would refuse. `accepts` is the backend's `Credentials::ACCEPTS`.
    ///
    /// # Errors
    /// The first credential that is unsuitable, and why.
    pub async fn check(&mut self, accepts: &Accepts) -> Result<(), SetError<S::Error>> {
        let mut certificate: Option<Material> = None;
        for (kind, part) in Kind::ALL.into_iter().zip(&mut self.parts) {
            let failed = |error| SetError { kind, error };
            let Some(source) = part else { continue };
            let material = inspect(source).await.map_err(failed)?;
            admit(kind, &material, source.len(), accepts).map_err(failed)?;
            let misplaced = |reason| failed(CredentialError::Misplaced(reason));
            match (kind, &certificate) {
                (Kind::ClientCertificate, _) => certificate = Some(material),
                (Kind::PrivateKey, Some(certificate)) => {
                    check_pair(certificate, &material).map_err(misplaced)?;
                }
                _ => {}
            }
        }
        Ok(())
    }
}

impl<S> Default for CredentialSet<S> {
    fn default() -> Self {
        Self::new()
    }
}

/// The error of one credential of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct SetError<S> {
    /// The kind of the credential.
    pub kind: Kind,
    /// The reason.
    pub error: CredentialError<S>,
}

impl<S: fmt::Display> fmt::Display for SetError<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.error)
    }
}

impl<S: fmt::Debug + fmt::Display> core::error::Error for SetError<S> {}

/// The error of a rotation. In every case one of the two tags holds a complete set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum RotateError<S, P> {
    /// The modem could not be asked what is stored under this tag. Nothing was sent.
    Ask(Tag, CredentialError<S>),
    /// The old tag has a credential of this kind and the new set has none. Nothing was sent. See
    /// [`drop_client_certificate`](CredentialSet::drop_client_certificate).
    Fewer(Kind),
    /// The new tag has a credential of this kind, which is not known to be that of the new set. Nothing was sent.
    InUse(Kind),
    /// The new set lacks a credential of this kind. Nothing was sent.
    Incomplete(Kind),
    /// Nothing is stored under the old tag, so there is nothing to replace. Nothing was sent.
    NothingOld,
    /// The new credentials were stored, but the probe with them failed, so they were removed again. The old ones are
    /// unchanged.
    Probe(P),
    /// The new credentials are in use. Removing the old ones failed, so some of them may be left.
    Remove(SetError<core::convert::Infallible>),
    /// Both tags are the same. Nothing was sent.
    SameTag,
    /// The new credentials could not be stored. The old ones are unchanged.
    Store(SetError<S>),
}

impl<S: fmt::Display, P: fmt::Display> fmt::Display for RotateError<S, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ask(tag, error) => write!(f, "what is stored under tag {tag}: {error}"),
            Self::Fewer(kind) => write!(
                f,
                "the old set has a {kind} and the new one has none: give the new one its own, or say that it is to do without"
            ),
            Self::InUse(kind) => write!(
                f,
                "the new tag is in use: there is a {kind}, not known to be that of the new set: take another tag, or remove what is there"
            ),
            Self::NothingOld => f.write_str("nothing is stored under the old tag: store the new set, there is nothing to replace"),
            Self::Incomplete(kind) => write!(
                f,
                "the {kind} is missing: a set that replaces another has a CA, and certificate and key or neither"
            ),
            Self::Probe(error) => write!(f, "the new credentials do not work, so the old ones stay: {error}"),
            Self::Remove(error) => write!(f, "the new credentials are in use, but the old {error}"),
            Self::SameTag => f.write_str("the new credentials need a tag of their own: the old ones stay until the new ones have proved themselves"),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl<S: fmt::Debug + fmt::Display, P: fmt::Debug + fmt::Display> core::error::Error
    for RotateError<S, P>
{
}
