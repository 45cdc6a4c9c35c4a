//! SHA-256 of a credential.

use core::fmt;

use sha2::Digest as _;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::Source;
use crate::error::CredentialError;

/// The SHA-256 of a credential in the form in which the modem stores it: of the PEM where a DER source was stored as PEM.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Digest([u8; 32]);

impl Digest {
    /// Computes the digest of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Makes a digest from its 32 bytes, for instance out of flash.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns the 32 bytes of the digest.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    pub(crate) async fn of_source<S: Source>(
        source: &mut S,
    ) -> Result<Self, CredentialError<S::Error>> {
        let mut hasher = Hasher::new();
        let mut chunk = Zeroizing::new([0; 64]);
        let mut at = 0;
        while at < source.len() {
            let read = source.read_at(at, &mut chunk[..]).await;
            match read.map_err(CredentialError::Source)? {
                0 => return Err(CredentialError::SourceTooShort),
                count => {
                    hasher.update(&chunk[..count]);
                    at += count;
                }
            }
        }
        Ok(hasher.finish())
    }
}

/// Prints the digest in hexadecimal, as `sha256sum` does.
impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for Digest {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "{=[u8; 32]:02x}", self.0);
    }
}

/// A hasher that makes a [`Digest`] of bytes that come in pieces.
pub struct Hasher(Sha256);

impl Hasher {
    /// Makes a hasher that has seen no bytes.
    pub fn new() -> Self {
        Self(Sha256::new())
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Returns the digest of all bytes.
    pub fn finish(self) -> Digest {
        Digest(self.0.finalize().into())
    }
}

impl Default for Hasher {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::string::ToString;

    use super::*;

    #[test]
    fn published_vector() {
        assert_eq!(
            Digest::of(b"abc").to_string(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
