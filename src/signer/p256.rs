//! A P-256 key in RAM, by the crate `p256`.

use core::convert::Infallible;
use core::fmt;

use p256::SecretKey;
use p256::ecdsa::signature::hazmat::PrehashSigner;
use p256::ecdsa::{Signature, SigningKey};
use p256::pkcs8::DecodePrivateKey;

use super::{Algorithm, PublicKey, Signer, p256_public_key};
use crate::inspect::{Container, Content, Decoder, Inspector, KeyFormat, KeyType, Unsuitable};
use crate::{Digest, SecretBuf};

/// The size of a buffer for the DER of a P-256 key in any of its forms.
const DER_ROOM: usize = 160;

/// A P-256 private key that signs with ES256. Signatures are deterministic (RFC 6979), so no random numbers are needed.
/// The key is wiped from memory when it is dropped.
pub struct P256Key(SigningKey);

/// The error for content that is no key for ES256.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum P256KeyError {
    /// The content is a certificate, which has no private key.
    Certificate,
    /// The number is not in the range of private keys on this curve.
    OutOfRange,
    /// The content is no whole, unencrypted private key: see [`Unsuitable::EncryptedKey`],
    /// [`Unsuitable::PublicKeyOnly`].
    Unsuitable(Unsuitable),
    /// The private key is of another algorithm or on another curve.
    WrongType(KeyType),
}

impl fmt::Display for P256KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Certificate => {
                "this is a certificate, and signing needs the private key: give the key's file"
            }
            Self::OutOfRange => {
                "this number is not a private key of P-256: export the key again from where it was made"
            }
            Self::Unsuitable(Unsuitable::EncryptedKey) => {
                "the private key is encrypted: decrypt it first: openssl pkey -in .. -out .."
            }
            Self::Unsuitable(Unsuitable::PublicKeyOnly) => {
                "this is a public key, and signing needs the private one: give the key's file"
            }
            Self::Unsuitable(unsuitable) => return unsuitable.fmt(f),
            Self::WrongType(found) => {
                return write!(
                    f,
                    "the key is {found}, and ES256 signs with ECDSA P-256 only: make one with openssl ecparam -name prime256v1 -genkey -noout"
                );
            }
        })
    }
}

impl core::error::Error for P256KeyError {}

impl P256Key {
    /// Parses an unencrypted key in PEM or DER, in SEC1 or PKCS#8, as openssl writes it.
    ///
    /// # Errors
    /// The reason why it is no key for ES256.
    pub fn parse(content: &[u8]) -> Result<Self, P256KeyError> {
        let mut inspector = Inspector::new();
        inspector.feed(content);
        let material = inspector.finish().map_err(P256KeyError::Unsuitable)?;
        let key = match material.content {
            Content::Certificate(_) => return Err(P256KeyError::Certificate),
            Content::PrivateKey(key) => key,
        };
        // A SEC1 key need not name its curve.
        let unnamed = key.format == KeyFormat::Sec1 && key.key == KeyType::EcOther;
        if key.key != KeyType::EcP256 && !unnamed {
            return Err(P256KeyError::WrongType(key.key));
        }
        let mut der = SecretBuf::<DER_ROOM>::new();
        let fits = match material.container {
            Container::Der => der.push(content),
            Container::Pem => {
                let mut decoder = Decoder::new();
                let mut bytes = content.iter().filter_map(|byte| decoder.push(*byte));
                bytes.all(|byte| der.push(&[byte]))
            }
        };
        let secret = match key.format {
            KeyFormat::Pkcs8 => SecretKey::from_pkcs8_der(der.expose()).ok(),
            _ => SecretKey::from_sec1_der(der.expose()).ok(),
        };
        match secret.filter(|_| fits) {
            Some(secret) => Ok(Self(secret.into())),
            None if unnamed => Err(P256KeyError::WrongType(KeyType::EcOther)),
            None => Err(P256KeyError::Unsuitable(Unsuitable::BadStructure)),
        }
    }

    /// Makes a key from its private number alone, big endian, the form in which key stores have it.
    ///
    /// # Errors
    /// [`P256KeyError::OutOfRange`] where the number is no private key on this curve.
    pub fn from_scalar(scalar: &[u8; 32]) -> Result<Self, P256KeyError> {
        SigningKey::from_bytes(scalar.into())
            .map(Self)
            .map_err(|_| P256KeyError::OutOfRange)
    }

    /// Generates a key. `random` fills its argument with random bytes of a generator that is fit for keys, such as the
    /// MCU's TRNG. It is called again in the one case in four billion that the bytes are no key.
    pub fn generate(mut random: impl FnMut(&mut [u8; 32])) -> Self {
        let mut scalar = zeroize::Zeroizing::new([0; 32]);
        loop {
            random(&mut scalar);
            if let Ok(key) = Self::from_scalar(&scalar) {
                return key;
            }
        }
    }

    /// Returns the key as PKCS#8 in DER, to be stored in a modem as [`Kind::PrivateKey`](crate::Kind::PrivateKey). It is
    /// converted for modems that need PEM.
    pub fn to_pkcs8(&self) -> SecretBuf<138> {
        // SEQUENCE { 0, SEQUENCE { id-ecPublicKey, prime256v1 }, OCTET STRING { ECPrivateKey } } (RFC 5958, RFC 5915).
        const HEAD: &[u8] = b"\x30\x81\x87\x02\x01\x00\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x04\x6d\x30\x6b\x02\x01\x01\x04\x20";
        const MIDDLE: &[u8] = b"\xa1\x44\x03\x42\x00\x04";
        let mut der = SecretBuf::new();
        let mut scalar = self.0.to_bytes();
        for part in [HEAD, &scalar, MIDDLE, &self.point()] {
            der.push(part);
        }
        zeroize::Zeroize::zeroize(scalar.as_mut_slice());
        der
    }

    fn point(&self) -> [u8; 64] {
        let point = self.0.verifying_key().to_encoded_point(false);
        let mut both = [0; 64];
        if let (Some(x), Some(y)) = (point.x(), point.y()) {
            both[..32].copy_from_slice(x);
            both[32..].copy_from_slice(y);
        }
        both
    }
}

impl fmt::Debug for P256Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("P256Key(secret)")
    }
}

impl Signer for P256Key {
    type Error = Infallible;
    type Signature = [u8; 64];
    const ALGORITHM: Algorithm = Algorithm::Es256;

    async fn sign(&mut self, digest: &Digest) -> Result<[u8; 64], Infallible> {
        // This fails only for a digest shorter than half the curve's size.
        let signature: Option<Signature> = self.0.sign_prehash(digest.as_bytes()).ok();
        Ok(signature.map_or([0; 64], |signature| signature.to_bytes().into()))
    }
}

impl PublicKey for P256Key {
    type Info = [u8; 91];

    async fn public_key(&mut self) -> Result<[u8; 91], Infallible> {
        Ok(p256_public_key(&self.point()))
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::string::ToString;

    use embassy_futures::block_on;
    use p256::ecdsa::VerifyingKey;
    use p256::ecdsa::signature::hazmat::PrehashVerifier;
    use p256::pkcs8::DecodePublicKey;
    use sectag_test_support::pki::Pki;

    use super::*;
    use crate::inspect::Pem;

    /// RFC 6979 A.2.5: the key, and r and s of the message "sample" with SHA-256.
    const SCALAR: [u8; 32] =
        hex(b"C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721");
    const R: [u8; 32] = hex(b"EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716");
    const S: [u8; 32] = hex(b"F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8");

    const fn hex(text: &[u8; 64]) -> [u8; 32] {
        const fn digit(character: u8) -> u8 {
            match character {
                b'0'..=b'9' => character - b'0',
                _ => character - b'A' + 10,
            }
        }
        let mut bytes = [0; 32];
        let mut at = 0;
        while at < 32 {
            bytes[at] = digit(text[2 * at]) << 4 | digit(text[2 * at + 1]);
            at += 1;
        }
        bytes
    }

    #[test]
    fn signatures_are_those_of_the_rfc() {
        let mut key = P256Key::from_scalar(&SCALAR).unwrap();
        let signature = block_on(key.sign_message(b"sample")).unwrap();
        assert_eq!((&signature[..32], &signature[32..]), (&R[..], &S[..]));
        assert_eq!(key.to_pkcs8().expose().len(), 138);
    }

    /// The key reads the PKCS#8 that it writes, and so does another implementation.
    #[test]
    fn a_key_is_what_it_was_in_every_form() {
        let mut key = P256Key::generate(|bytes| *bytes = [0x42; 32]);
        let der = key.to_pkcs8();
        let pem = Pem::new("PRIVATE KEY", der.expose()).to_string();
        let digest = Digest::of(b"abc");
        let signature = block_on(key.sign(&digest)).unwrap();
        for content in [der.expose(), pem.as_bytes()] {
            let mut other = P256Key::parse(content).unwrap();
            assert_eq!(block_on(other.sign(&digest)), Ok(signature));
        }
        let info = block_on(key.public_key()).unwrap();
        let public = VerifyingKey::from_public_key_der(&info).unwrap();
        let signature = Signature::from_slice(&signature).unwrap();
        public
            .verify_prehash(digest.as_bytes(), &signature)
            .unwrap();
    }

    #[test]
    fn what_cannot_sign_is_refused_by_name() {
        let refused = |content: &[u8]| P256Key::parse(content).unwrap_err();
        let pki = Pki::shared();
        let rsa = refused(pki.client().key_pem.as_bytes());
        assert!(
            matches!(rsa, P256KeyError::WrongType(KeyType::Rsa { .. })),
            "{rsa}"
        );
        assert_eq!(refused(pki.ca_pem().as_bytes()), P256KeyError::Certificate);
        let encrypted =
            b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
        assert_eq!(
            refused(encrypted),
            P256KeyError::Unsuitable(Unsuitable::EncryptedKey)
        );
        let key = P256Key::from_scalar(&SCALAR).unwrap();
        let public = Pem::new("PUBLIC KEY", &p256_public_key(&key.point())).to_string();
        assert_eq!(
            refused(public.as_bytes()),
            P256KeyError::Unsuitable(Unsuitable::PublicKeyOnly)
        );
        assert!(matches!(
            P256Key::from_scalar(&[0; 32]),
            Err(P256KeyError::OutOfRange)
        ));
        assert!(matches!(
            P256Key::from_scalar(&[0xff; 32]),
            Err(P256KeyError::OutOfRange)
        ));
        // A number that no key on this curve has, in a whole PKCS#8.
        let mut der = [0; 138];
        der.copy_from_slice(key.to_pkcs8().expose());
        der[36..68].fill(0xff);
        assert_eq!(
            refused(&der),
            P256KeyError::Unsuitable(Unsuitable::BadStructure)
        );
        for cut in 0..138 {
            assert!(P256Key::parse(&der[..cut]).is_err());
        }
    }

    #[test]
    fn a_wrong_curve_is_named() {
        // openssl ecparam -name secp384r1 -genkey -noout
        let p384 = include_bytes!("p384.pem");
        assert_eq!(
            P256Key::parse(p384).unwrap_err(),
            P256KeyError::WrongType(KeyType::EcP384)
        );
        let text = P256KeyError::WrongType(KeyType::EcP384).to_string();
        assert!(text.contains("P-384") && text.contains("ES256"));
    }
}
