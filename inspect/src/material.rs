use core::fmt;

use super::fingerprint::Fingerprint;
use super::unsuitable::{Block, Unsuitable};
use crate::clock::DateTime;

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Material {
    /// How it is wrapped.
    pub container: Container,
    /// The certificate or key; of several certificates the first.
    pub content: Content,
    /// How many certificates there are, or 1 for a key.
    pub blocks: u16,
    /// The number, from 1, of the first certificate that is no CA's.
    pub first_leaf: Option<u16>,
    /// The length of its DER; of several certificates the first's.
    pub der_len: u32,
    /// The length of all of it as PEM with LF behind each line, 64 characters a line, and nothing around the
    /// blocks.
    pub pem_len: u32,
}

/// How the content is wrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Container {
    /// Binary.
    Der,
    /// Base64 between BEGIN and END lines.
    Pem,
}

/// A certificate or a private key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Content {
    /// An X.509 certificate.
    Certificate(Certificate),
    /// A private key that is not encrypted.
    PrivateKey(PrivateKey),
}

impl Content {
    /// The algorithm of its key.
    pub const fn key(&self) -> KeyType {
        match self {
            Self::Certificate(certificate) => certificate.key,
            Self::PrivateKey(key) => key.key,
        }
    }

    /// The label of a PEM block with this in it.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Certificate(_) => "CERTIFICATE",
            Self::PrivateKey(key) => key.format.label(),
        }
    }

    /// The length of a PEM block with this in it, whose DER has `len` bytes.
    const fn pem_len(&self, len: u32) -> u32 {
        // "-----BEGIN ", "-----END ", and five dashes and a LF behind each label.
        let boundaries = 20 + 2 * (self.label().len() as u32 + 6);
        let text = len.div_ceil(3).saturating_mul(4);
        boundaries
            .saturating_add(text)
            .saturating_add(text.div_ceil(64))
    }
}

/// What a certificate says. None of it is verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Certificate {
    /// Whether it is a CA's by its basic constraints; absent ones mean no. `None` for a certificate
    /// of version 1, which cannot say.
    pub is_ca: Option<bool>,
    /// Issuer and subject are the same, byte for byte.
    pub self_issued: bool,
    /// Its public key.
    pub key: KeyType,
    /// Of its public key. `None` for a key of another kind, or a compressed point.
    pub fingerprint: Option<Fingerprint>,
    /// When it becomes valid. `None` outside the years 2000 to 2099.
    pub not_before: Option<DateTime>,
    /// When it expires. `None` outside the years 2000 to 2099.
    pub not_after: Option<DateTime>,
}

/// What a private key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct PrivateKey {
    /// The structure it is in.
    pub format: KeyFormat,
    /// Its algorithm.
    pub key: KeyType,
    /// Of its public key. Always there for RSA; for others only if the file has the public key too.
    pub fingerprint: Option<Fingerprint>,
}

/// The structure of a private key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum KeyFormat {
    /// `RSA PRIVATE KEY`.
    Pkcs1,
    /// `PRIVATE KEY`, for any algorithm.
    Pkcs8,
    /// `EC PRIVATE KEY`.
    Sec1,
}

impl fmt::Display for KeyFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pkcs1 => "PKCS#1",
            Self::Pkcs8 => "PKCS#8",
            Self::Sec1 => "SEC1",
        })
    }
}

/// The algorithm of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum KeyType {
    /// RSA.
    Rsa {
        /// The length of the modulus.
        bits: u16,
    },
    /// NIST P-256, prime256v1, secp256r1.
    EcP256,
    /// NIST P-384, secp384r1.
    EcP384,
    /// On another curve, or one that the key does not name.
    EcOther,
    /// Ed25519.
    Ed25519,
    /// Anything else.
    Other,
}

impl fmt::Display for KeyType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rsa { bits } => return write!(f, "RSA {bits}"),
            Self::EcP256 => "ECDSA P-256",
            Self::EcP384 => "ECDSA P-384",
            Self::EcOther => "ECDSA on another curve",
            Self::Ed25519 => "Ed25519",
            Self::Other => "another algorithm",
        })
    }
}

impl Material {
    /// Whether the private key `key` belongs to this certificate, of several to the first.
    ///
    /// `None` when it cannot be told: an EC or Ed25519 key whose file lacks the public key, or one of
    /// the two is not what it should be.
    pub fn matches(&self, key: &Material) -> Option<bool> {
        let (Content::Certificate(certificate), Content::PrivateKey(key)) =
            (&self.content, &key.content)
        else {
            return None;
        };
        match (certificate.key, key.key) {
            (KeyType::Other, _) | (_, KeyType::Other) => return None,
            (one, other) if differ(one, other) => return Some(false),
            _ => {}
        }
        Some(certificate.fingerprint? == key.fingerprint?)
    }
}

/// Whether the algorithms alone rule a match out.
fn differ(one: KeyType, other: KeyType) -> bool {
    use KeyType::{EcOther, EcP256, EcP384};
    match (one, other) {
        // A SEC1 key need not name its curve.
        (EcOther, EcP256 | EcP384) | (EcP256 | EcP384, EcOther) => false,
        _ => one != other,
    }
}

/// Gathers the blocks of a file into a [`Material`].
pub(super) struct Collector {
    first: Option<Content>,
    blocks: u16,
    first_leaf: Option<u16>,
    der_len: u32,
    pem_len: u32,
    /// A block that may stand beside one of interest was passed over.
    ignored: bool,
}

impl Collector {
    pub(super) const fn new() -> Self {
        Self {
            first: None,
            blocks: 0,
            first_leaf: None,
            der_len: 0,
            pem_len: 0,
            ignored: false,
        }
    }

    pub(super) fn add(&mut self, content: Content, len: u32) -> Result<(), Unsuitable> {
        self.pem_len = self.pem_len.saturating_add(content.pem_len(len));
        match (&self.first, &content) {
            (None, _) => {
                self.first = Some(content);
                self.der_len = len;
            }
            (Some(Content::Certificate(_)), Content::Certificate(_)) => {}
            (Some(Content::PrivateKey(_)), Content::PrivateKey(_)) => {
                return Err(Unsuitable::SeveralKeys);
            }
            _ => return Err(Unsuitable::Mixed),
        }
        self.blocks = self.blocks.saturating_add(1);
        if let Content::Certificate(certificate) = content
            && certificate.is_ca == Some(false)
            && self.first_leaf.is_none()
        {
            self.first_leaf = Some(self.blocks);
        }
        Ok(())
    }

    pub(super) fn ignore(&mut self) {
        self.ignored = true;
    }

    pub(super) fn finish(self, container: Container) -> Result<Material, Unsuitable> {
        match (self.first, self.ignored) {
            (Some(content), _) => Ok(Material {
                container,
                content,
                blocks: self.blocks,
                first_leaf: self.first_leaf,
                der_len: self.der_len,
                pem_len: self.pem_len,
            }),
            (None, true) => Err(Unsuitable::WrongBlock(Block::EcParameters)),
            (None, false) => Err(Unsuitable::NotPem),
        }
    }
}
