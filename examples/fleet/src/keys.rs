//! Device keys: in the modem where that makes them, else made here.
//!
//! The BG96 authenticates with RSA only, so its key is one; on an MCU that takes a secure element or an allocator. For a
//! modem that takes ECDSA, `sectag::signer::P256Key` does the same without either.

use std::boxed::Box;
use std::vec::Vec;

use rsa::pkcs8::{EncodePrivateKey, EncodePublicKey};
use rsa::rand_core::OsRng;
use rsa::sha2::Sha256;
use rsa::{Pkcs1v15Sign, RsaPrivateKey};
use sectag::Digest;
use sectag::csr::{CsrError, OwnKey, Request, Requester, Subject};
use sectag::signer::{Algorithm, PublicKey, Signer};
use sectag_nrf9160::{Family, ModemKey};

use crate::device::DeviceKey;

impl<F: Family> DeviceKey for InModem<'_, F> {
    fn private_key(&self) -> Option<&[u8]> {
        None
    }
}

/// A key that the modem makes and keeps.
pub struct InModem<'a, F: Family>(pub ModemKey<'a, F>);

impl<F: Family> Requester for InModem<'_, F> {
    type Error = sectag_nrf9160::KeyError;

    async fn request<'b>(
        &mut self,
        subject: &Subject<'_>,
        out: &'b mut [u8],
    ) -> Result<Request<'b>, Self::Error> {
        self.0.request(subject, out).await
    }
}

/// An RSA key of 2048 bits.
#[derive(Clone)]
pub struct Rsa(OwnKey<RsaSigner>, Vec<u8>);

/// What signs with it.
#[derive(Clone)]
pub struct RsaSigner(Box<RsaPrivateKey>);

impl Rsa {
    /// A new key.
    ///
    /// # Panics
    /// When the computer has no random numbers.
    pub fn generate() -> Self {
        let key = RsaPrivateKey::new(&mut OsRng, 2048).expect("random numbers");
        let der = key.to_pkcs8_der().expect("a key can be written");
        let der = der.as_bytes().to_vec();
        Self(OwnKey(RsaSigner(Box::new(key))), der)
    }
}

impl DeviceKey for Rsa {
    fn private_key(&self) -> Option<&[u8]> {
        Some(&self.1)
    }
}

impl Requester for Rsa {
    type Error = CsrError<rsa::Error>;

    async fn request<'b>(
        &mut self,
        subject: &Subject<'_>,
        out: &'b mut [u8],
    ) -> Result<Request<'b>, Self::Error> {
        self.0.request(subject, out).await
    }
}

impl Signer for RsaSigner {
    type Error = rsa::Error;
    type Signature = Vec<u8>;
    const ALGORITHM: Algorithm = Algorithm::Rs256;

    async fn sign(&mut self, digest: &Digest) -> Result<Vec<u8>, rsa::Error> {
        self.0
            .sign(Pkcs1v15Sign::new::<Sha256>(), digest.as_bytes())
    }
}

impl PublicKey for RsaSigner {
    type Info = Vec<u8>;

    async fn public_key(&mut self) -> Result<Vec<u8>, rsa::Error> {
        let der = self.0.to_public_key().to_public_key_der();
        let der = der.map_err(|error| rsa::Error::Pkcs8(error.into()))?;
        Ok(der.as_bytes().to_vec())
    }
}
