//! Signatures by a device's key, for tokens ([`jwt`](crate::jwt)) and signing requests ([`csr`](crate::csr)).
//!
//! A [`Signer`] is the holder of the key. `P256Key` (feature `p256`) has it in RAM; a secure element, a PSA key store or
//! an HSM does not give it away. For one of these, implement the trait over its driver:
//!
//! ```
//! use sectag::Digest;
//! use sectag::signer::{Algorithm, PublicKey, Signer, p256_public_key};
//!
//! # struct Driver;
//! # struct DriverError;
//! # impl Driver {
//! #     async fn sign(&mut self, _slot: u8, _digest: &[u8; 32]) -> Result<[u8; 64], DriverError> { Err(DriverError) }
//! #     async fn public_point(&mut self, _slot: u8) -> Result<[u8; 64], DriverError> { Err(DriverError) }
//! # }
//! /// The key in slot 0 of a secure element.
//! struct Element(Driver);
//!
//! impl Signer for Element {
//!     type Error = DriverError;
//!     // r and s, 32 bytes each. An element that answers in DER: `ecdsa_from_der`.
//!     type Signature = [u8; 64];
//!     const ALGORITHM: Algorithm = Algorithm::Es256;
//!
//!     async fn sign(&mut self, digest: &Digest) -> Result<[u8; 64], DriverError> {
//!         self.0.sign(0, digest.as_bytes()).await
//!     }
//! }
//!
//! impl PublicKey for Element {
//!     type Info = [u8; 91];
//!
//!     async fn public_key(&mut self) -> Result<[u8; 91], DriverError> {
//!         Ok(p256_public_key(&self.0.public_point(0).await?))
//!     }
//! }
//! ```
//!
//! This module verifies no signatures. It is linked only where it is used.

mod ecdsa;
#[cfg(feature = "p256")]
mod p256;

pub use self::ecdsa::{Malformed, ecdsa_from_der, ecdsa_to_der, p256_public_key};
#[cfg(feature = "p256")]
pub use self::p256::{P256Key, P256KeyError};

use crate::Digest;

/// The algorithm of a signature, over the SHA-256 of the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Algorithm {
    /// ECDSA on P-256; the signature is r and s, 32 bytes each, big endian.
    Es256,
    /// RSA with PKCS#1 v1.5 padding; the signature is as long as the modulus.
    Rs256,
}

impl Algorithm {
    /// Returns the name of the algorithm in JOSE (RFC 7518 section 3.1).
    pub const fn name(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
        }
    }
}

/// A private key that signs.
///
/// When a future of it is dropped, the key must stay usable.
#[allow(async_fn_in_trait)]
pub trait Signer {
    /// The error of signing, such as a bus that did not answer.
    type Error;
    /// The signature in the form of its [`Algorithm`]: `[u8; 64]` for [`Algorithm::Es256`].
    type Signature: AsRef<[u8]>;
    /// The algorithm of the signatures.
    const ALGORITHM: Algorithm;

    /// Signs a message by its SHA-256.
    async fn sign(&mut self, digest: &Digest) -> Result<Self::Signature, Self::Error>;

    /// Signs a message. Only a key that must hash by itself needs another implementation than the default.
    async fn sign_message(&mut self, message: &[u8]) -> Result<Self::Signature, Self::Error> {
        self.sign(&Digest::of(message)).await
    }
}

/// A [`Signer`] that returns its public key, for signing requests.
#[allow(async_fn_in_trait)]
pub trait PublicKey: Signer {
    /// A SubjectPublicKeyInfo in DER: `[u8; 91]` for P-256, see [`p256_public_key`].
    type Info: AsRef<[u8]>;

    /// Returns the public key that belongs to the signatures.
    async fn public_key(&mut self) -> Result<Self::Info, Self::Error>;
}

impl<S: Signer> Signer for &mut S {
    type Error = S::Error;
    type Signature = S::Signature;
    const ALGORITHM: Algorithm = S::ALGORITHM;

    async fn sign(&mut self, digest: &Digest) -> Result<S::Signature, S::Error> {
        S::sign(self, digest).await
    }

    async fn sign_message(&mut self, message: &[u8]) -> Result<S::Signature, S::Error> {
        S::sign_message(self, message).await
    }
}

impl<S: PublicKey> PublicKey for &mut S {
    type Info = S::Info;

    async fn public_key(&mut self) -> Result<S::Info, S::Error> {
        S::public_key(self).await
    }
}
