use core::fmt;

use super::fingerprint::Fingerprint;
use super::unsuitable::{Block, Unsuitable};
use crate::clock::DateTime;

/// The classification of a credential by the [`Inspector`](super::Inspector).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Material {
    /// The container of the content.
    pub container: Container,
    /// The certificate or key; of several certificates the first.
    pub content: Content,
    /// The number of certificates; 1 for a key.
    pub blocks: u16,
    /// The number, from 1, of the first certificate that is no CA certificate.
    pub first_leaf: Option<u16>,
    /// The length of the DER in bytes; of several certificates that of the first.
    pub der_len: u32,
    /// The length of all blocks as PEM in bytes, with 64 characters on a line, LF after each line, and no text around the
    /// blocks.
    pub pem_len: u32,
}

/// The container of a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Container {
    /// DER, which is binary.
    Der,
    /// PEM, which is base64 between BEGIN and END lines.
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
    /// Returns the type of the key.
    pub const fn key(&self) -> KeyType {
        match self {
            Self::Certificate(certificate) => certificate.key,
            Self::PrivateKey(key) => key.key,
        }
    }

    /// Returns the label of a PEM block with this content.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Certificate(_) => "CERTIFICATE",
            Self::PrivateKey(key) => key.format.label(),
        }
    }

    /// Returns the length of a PEM block with this content, whose DER has `len` bytes.
    const fn pem_len(&self, len: u32) -> u32 {
        // The boundaries are "-----BEGIN " and "-----END ", with five dashes and LF after each label.
        let boundaries = 20 + 2 * (self.label().len() as u32 + 6);
        let text = len.div_ceil(3).saturating_mul(4);
        boundaries
            .saturating_add(text)
            .saturating_add(text.div_ceil(64))
    }
}

/// The contents of a certificate. None of them is verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Certificate {
    /// Whether it is a CA certificate by its basic constraints; without them it is not. `None` for a certificate of
    /// version 1, which does not say.
    pub is_ca: Option<bool>,
    /// Whether issuer and subject are equal, byte for byte.
    pub self_issued: bool,
    /// The type of the public key.
    pub key: KeyType,
    /// The fingerprint of the public key. `None` for a key of an unknown type, or a compressed point.
    pub fingerprint: Option<Fingerprint>,
    /// The date from which on it is valid. `None` outside the years 2000 to 2099.
    pub not_before: Option<DateTime>,
    /// The date at which it expires. `None` outside the years 2000 to 2099.
    pub not_after: Option<DateTime>,
}

/// The properties of a private key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct PrivateKey {
    /// The structure of the key.
    pub format: KeyFormat,
    /// The type of the key.
    pub key: KeyType,
    /// The fingerprint of the public key. Always known for RSA; for others only if the file has the public key too.
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

/// The type of a key: its algorithm, and its length or curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum KeyType {
    /// RSA.
    Rsa {
        /// The length of the modulus in bits.
        bits: u16,
    },
    /// NIST P-256, prime256v1, secp256r1.
    EcP256,
    /// NIST P-384, secp384r1.
    EcP384,
    /// Another curve, or one that the key does not name.
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
    /// Returns whether the private key `key` belongs to this certificate, or to the first of several.
    ///
    /// `None` where that is not known: the file of an EC or Ed25519 key lacks the public key, or `self` is no certificate,
    /// or `key` no private key.
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

/// Returns whether the types of two keys alone rule a match out.
fn differ(one: KeyType, other: KeyType) -> bool {
    use KeyType::{EcOther, EcP256, EcP384};
    match (one, other) {
        // A SEC1 key need not name its curve.
        (EcOther, EcP256 | EcP384) | (EcP256 | EcP384, EcOther) => false,
        _ => one != other,
    }
}

/// A collector that makes a [`Material`] of the blocks of a file.
pub(super) struct Collector {
    first: Option<Content>,
    blocks: u16,
    first_leaf: Option<u16>,
    der_len: u32,
    pem_len: u32,
    /// A block that may stand beside a credential was skipped.
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
