//! Private keys in files of this computer, which sign here and go nowhere.

use std::path::Path;

use rsa::pkcs1::DecodeRsaPrivateKey;
use rsa::pkcs8::{DecodePrivateKey, EncodePrivateKey, EncodePublicKey};
use rsa::sha2::Sha256;
use rsa::traits::PublicKeyParts;
use rsa::{Pkcs1v15Sign, RsaPrivateKey};
use sectag::clock::DateTime;
use sectag::inspect::{Container, Content, KeyFormat, KeyType};
use sectag::jwt::{self, Claims};
use sectag::signer::{Algorithm, P256Key, P256KeyError, PublicKey, Signer};
use sectag::{Digest, Secret};

use crate::credential_file::material;
use crate::hints::{self, Failure};
use crate::input::{self, Purpose};

/// A key and how it signs.
pub(crate) enum HostKey {
    Ec(P256Key),
    Rsa(RsaKey),
}

/// An RSA key; PKCS#1 v1.5 with SHA-256.
pub(crate) struct RsaKey(pub(crate) Box<RsaPrivateKey>);

/// RFC 7518 section 3.3 wants at least these.
const MIN_RSA_BITS: usize = 2048;

impl HostKey {
    /// What is no key that can sign is refused by name.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let (content, shown) = input::read(path, Purpose::Credential)?;
        Self::parse(&content, &shown)
    }

    fn parse(content: &[u8], shown: &str) -> Result<Self, Failure> {
        let found = match material(content) {
            Some(found) => found,
            None => {
                // It says what is wrong with it.
                return match P256Key::parse(content) {
                    Err(error) => Err(hints::unsuitable(shown, &error)),
                    Ok(key) => Ok(Self::Ec(key)),
                };
            }
        };
        let key = match found.content {
            Content::Certificate(_) => {
                return Err(hints::unsuitable(shown, &P256KeyError::Certificate));
            }
            Content::PrivateKey(key) => key,
        };
        if !matches!(key.key, KeyType::Rsa { .. }) {
            return match P256Key::parse(content) {
                Ok(key) => Ok(Self::Ec(key)),
                Err(P256KeyError::WrongType(found)) => Err(Failure::new(format!(
                    "{shown}: the key is {found}"
                ))
                .hint("ES256 signs with ECDSA P-256, RS256 with RSA: openssl ecparam -name prime256v1 -genkey -noout makes one for ES256")),
                Err(error) => Err(hints::unsuitable(shown, &error)),
            };
        }
        let text = String::from_utf8_lossy(content);
        let rsa = match (found.container, key.format) {
            (Container::Der, KeyFormat::Pkcs1) => RsaPrivateKey::from_pkcs1_der(content).ok(),
            (Container::Der, _) => RsaPrivateKey::from_pkcs8_der(content).ok(),
            (Container::Pem, KeyFormat::Pkcs1) => RsaPrivateKey::from_pkcs1_pem(&text).ok(),
            (Container::Pem, _) => RsaPrivateKey::from_pkcs8_pem(&text).ok(),
        };
        let rsa = rsa.ok_or_else(|| {
            Failure::new(format!("{shown}: this RSA key is damaged"))
                .hint("export it again from where it was made")
        })?;
        if rsa.size() * 8 < MIN_RSA_BITS {
            return Err(Failure::new(format!(
                "{shown}: an RSA key of {} bits is too short for RS256",
                rsa.size() * 8
            ))
            .hint(format!("make one of {MIN_RSA_BITS} bits or more")));
        }
        Ok(Self::Rsa(RsaKey(Box::new(rsa))))
    }

    pub(crate) fn algorithm(&self) -> Algorithm {
        match self {
            Self::Ec(_) => P256Key::ALGORITHM,
            Self::Rsa(_) => RsaKey::ALGORITHM,
        }
    }

    /// The key, in PKCS#8.
    pub(crate) fn to_pkcs8(&self) -> Result<Secret<Vec<u8>>, Failure> {
        match self {
            Self::Ec(key) => Ok(Secret::new(key.to_pkcs8().expose().to_vec())),
            Self::Rsa(key) => {
                let der = key.0.to_pkcs8_der();
                let der = der.map_err(|error| Failure::new(format!("writing the key: {error}")))?;
                Ok(Secret::new(der.as_bytes().to_vec()))
            }
        }
    }

    /// What kind of key that is, in words.
    pub(crate) fn kind(&self) -> String {
        match self {
            Self::Ec(_) => "ECDSA P-256".into(),
            Self::Rsa(key) => format!("RSA {}", key.0.size() * 8),
        }
    }

    /// A token that is valid from `now` on.
    pub(crate) async fn token(
        &mut self,
        claims: &Claims<'_>,
        now: DateTime,
    ) -> Result<String, Failure> {
        // Keys of 16384 bits and audiences of some kilobytes fit.
        let mut room = vec![0; 8192];
        let token = match self {
            Self::Ec(key) => jwt::sign(key, claims, now, &mut room)
                .await
                .map_err(|error| hints::token(&error)),
            Self::Rsa(key) => jwt::sign(key, claims, now, &mut room)
                .await
                .map_err(|error| hints::token(&error)),
        };
        Ok(token?.expose().into())
    }
}

impl Signer for RsaKey {
    type Error = rsa::Error;
    type Signature = Vec<u8>;
    const ALGORITHM: Algorithm = Algorithm::Rs256;

    async fn sign(&mut self, digest: &Digest) -> Result<Vec<u8>, rsa::Error> {
        self.0
            .sign(Pkcs1v15Sign::new::<Sha256>(), digest.as_bytes())
    }
}

impl PublicKey for RsaKey {
    type Info = Vec<u8>;

    async fn public_key(&mut self) -> Result<Vec<u8>, rsa::Error> {
        let public = self.0.to_public_key();
        let der = public
            .to_public_key_der()
            .map_err(|error| rsa::Error::Pkcs8(error.into()))?;
        Ok(der.as_bytes().to_vec())
    }
}

#[cfg(test)]
mod tests {
    use sectag_test_support::pki::Pki;

    use super::*;

    fn refused(content: &[u8]) -> String {
        match HostKey::parse(content, "k.pem") {
            Err(failure) => failure.lines().join("\n"),
            Ok(key) => panic!("{}", key.kind()),
        }
    }

    #[test]
    fn what_cannot_sign_is_named() {
        let pki = Pki::shared();
        assert!(refused(pki.ca_pem().as_bytes()).contains("certificate"));
        let encrypted =
            b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
        assert!(refused(encrypted).contains("encrypted"));
        let p384 = include_bytes!("../../src/signer/p384.pem");
        assert!(refused(p384).contains("P-384"));
        assert!(refused(b"hello").contains("neither PEM"));
        let key = HostKey::parse(pki.client().key_pem.as_bytes(), "k.pem");
        assert_eq!(key.ok().map(|key| key.algorithm()), Some(Algorithm::Rs256));
    }
}
