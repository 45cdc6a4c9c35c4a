//! Credentials and time for connections: roots, the client's certificate, the clock.

use core::fmt;

use sectag::clock::DateTime;
use sectag::inspect::{
    Container, Content, Inspector, KeyType, Kind, Material, Misplaced, Unsuitable, check,
    check_pair,
};
use sectag::signer::{Algorithm, Signer};
use sectag::{Digest, Tag, TimeSource};

/// A set of credentials in flash, all in DER.
#[derive(Clone, Copy, Debug)]
pub struct Credentials {
    /// The number under which a [`TlsConfig`](sectag::TlsConfig) asks for it.
    pub tag: Tag,
    /// Certificates of the CAs whose servers are trusted; at least one is needed.
    pub roots: &'static [&'static [u8]],
    /// This device's certificate, with a key on P-256.
    pub certificate: Option<&'static [u8]>,
}

impl Credentials {
    /// Checks the set as an upload to a modem is checked: each root is the whole certificate of a CA, the device's
    /// certificate is one of a device, both are in DER, and TLS as it is built can use their keys. `key` is the private
    /// key of that certificate, in DER or PEM; `None` where a secure element has it. A product calls this in a test or
    /// once at its start, so that the image need not link it.
    ///
    /// # Errors
    /// The first credential that cannot be used, and why.
    pub fn check(&self, key: Option<&[u8]>) -> Result<(), CredentialsError> {
        if self.roots.is_empty() {
            return Err(CredentialsError::NoRoot);
        }
        for root in self.roots {
            inspected(Kind::Ca, root)?;
        }
        let Some(certificate) = self.certificate else {
            return Ok(());
        };
        let certificate = inspected(Kind::ClientCertificate, certificate)?;
        let Some(key) = key else { return Ok(()) };
        let key = inspected(Kind::PrivateKey, key)?;
        check_pair(&certificate, &key)
            .map_err(|reason| CredentialsError::Misplaced(Kind::PrivateKey, reason))
    }
}

/// The error of a set of credentials that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum CredentialsError {
    /// The set has no root, so that no server could be trusted.
    NoRoot,
    /// The certificate of this kind is in PEM.
    Pem(Kind),
    /// The content is damaged, incomplete, or no credential.
    Unsuitable(Kind, Unsuitable),
    /// The content is a credential of another kind, or of another device.
    Misplaced(Kind, Misplaced),
    /// TLS, as it is built, cannot use a key of this type.
    KeyType(Kind, KeyType),
}

impl fmt::Display for CredentialsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRoot => {
                f.write_str("the set has no CA: add the one that issued the server's certificate")
            }
            Self::Pem(kind) => write!(
                f,
                "{kind}: this is PEM, and DER is needed: openssl x509 -in FILE -outform DER converts it"
            ),
            Self::Unsuitable(kind, reason) => write!(f, "{kind}: {reason}"),
            Self::Misplaced(kind, reason) => write!(f, "{kind}: {reason}"),
            Self::KeyType(kind, key) => write!(
                f,
                "{kind}: its key is {key}, and TLS can use ECDSA P-256 here; for CAs the features p384 and rsa add those"
            ),
        }
    }
}

impl core::error::Error for CredentialsError {}

/// Inspects one credential of a set.
fn inspected(kind: Kind, content: &[u8]) -> Result<Material, CredentialsError> {
    let mut inspector = Inspector::new();
    inspector.feed(content);
    let material = inspector
        .finish()
        .map_err(|reason| CredentialsError::Unsuitable(kind, reason))?;
    check(kind, &material, 1).map_err(|reason| CredentialsError::Misplaced(kind, reason))?;
    if kind != Kind::PrivateKey && material.container == Container::Pem {
        return Err(CredentialsError::Pem(kind));
    }
    let key = match &material.content {
        Content::Certificate(certificate) => certificate.key,
        Content::PrivateKey(key) => key.key,
    };
    let is_usable = match key {
        KeyType::EcP256 => true,
        KeyType::EcP384 => kind == Kind::Ca && cfg!(feature = "p384"),
        KeyType::Rsa { .. } => kind == Kind::Ca && cfg!(feature = "rsa"),
        _ => false,
    };
    if !is_usable {
        return Err(CredentialsError::KeyType(kind, key));
    }
    Ok(material)
}

/// A time and where it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Time {
    /// The current time, in UTC.
    pub now: DateTime,
    /// The source of the time.
    pub source: TimeSource,
}

/// A clock. Certificates have dates, so no connection is made without the time.
pub trait Clock {
    /// Returns the current time; `None` until the clock has been set.
    fn time(&self) -> Option<Time>;
}

impl<F: Fn() -> Option<Time>> Clock for F {
    fn time(&self) -> Option<Time> {
        self()
    }
}

/// The absence of a private key: no client certificate is sent.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoKey;

impl Signer for NoKey {
    type Error = NoKey;
    type Signature = [u8; 64];
    const ALGORITHM: Algorithm = Algorithm::Es256;

    async fn sign(&mut self, _: &Digest) -> Result<[u8; 64], NoKey> {
        Err(NoKey)
    }
}
