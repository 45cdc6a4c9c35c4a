use core::fmt;

use rsa::RsaPrivateKey;
use rsa::pkcs1::{EncodeRsaPrivateKey, LineEnding};
use rsa::pkcs8::DecodePrivateKey;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// A certificate and its private key.
#[derive(Clone)]
pub struct Identity {
    /// The certificate.
    pub cert_pem: String,
    /// The key, as PKCS#8.
    pub key_pem: String,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("cert_pem", &self.cert_pem)
            .finish_non_exhaustive()
    }
}

impl Identity {
    /// The key as PKCS#1 (`BEGIN RSA PRIVATE KEY`); `None` when it is no RSA key.
    pub fn key_pem_pkcs1(&self) -> Option<String> {
        let key = RsaPrivateKey::from_pkcs8_pem(&self.key_pem).ok()?;
        Some(key.to_pkcs1_pem(LineEnding::LF).ok()?.to_string())
    }

    /// The certificate in DER.
    ///
    /// # Panics
    /// When `cert_pem` was replaced by something that is no PEM certificate.
    pub fn cert_der(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(self.cert_pem.as_bytes())
            .expect("cert_pem is no PEM certificate")
    }

    /// The key in DER.
    ///
    /// # Panics
    /// When `key_pem` was replaced by something that is no PEM key.
    pub fn key_der(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::from_pem_slice(self.key_pem.as_bytes()).expect("key_pem is no PEM key")
    }
}
