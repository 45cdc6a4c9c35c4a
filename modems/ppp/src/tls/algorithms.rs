//! The signature algorithms for servers and their chains, for webpki: ECDSA on P-256, on P-384 with the
//! feature `p384`, and RSA with the feature `rsa`.

use rustls_pki_types::{
    AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm, alg_id,
};
use sectag::signer::ecdsa_from_der;

/// All algorithms that are linked.
pub(crate) static ALL: &[&dyn SignatureVerificationAlgorithm] = &[
    &P256Sha256,
    #[cfg(feature = "p384")]
    &P384Sha384,
    #[cfg(feature = "rsa")]
    &rsa::Pkcs1Sha256,
    #[cfg(feature = "rsa")]
    &rsa::Pkcs1Sha384,
    #[cfg(feature = "rsa")]
    &rsa::Pkcs1Sha512,
];

#[derive(Debug)]
pub(crate) struct P256Sha256;

impl SignatureVerificationAlgorithm for P256Sha256 {
    fn verify_signature(
        &self,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        use p256::ecdsa::{Signature, VerifyingKey, signature::Verifier};
        let key = VerifyingKey::from_sec1_bytes(public_key).map_err(|_| InvalidSignature)?;
        // The core's reader takes 1.5 KB of flash less than that of the crate `der`, which nothing else here uses.
        let signature = ecdsa_from_der(signature).map_err(|_| InvalidSignature)?;
        let signature = Signature::from_slice(&signature).map_err(|_| InvalidSignature)?;
        key.verify(message, &signature)
            .map_err(|_| InvalidSignature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::ECDSA_P256
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::ECDSA_SHA256
    }
}

#[cfg(feature = "p384")]
#[derive(Debug)]
pub(crate) struct P384Sha384;

#[cfg(feature = "p384")]
impl SignatureVerificationAlgorithm for P384Sha384 {
    fn verify_signature(
        &self,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        use p384::ecdsa::{Signature, VerifyingKey, signature::Verifier};
        let key = VerifyingKey::from_sec1_bytes(public_key).map_err(|_| InvalidSignature)?;
        let signature = Signature::from_der(signature).map_err(|_| InvalidSignature)?;
        key.verify(message, &signature)
            .map_err(|_| InvalidSignature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::ECDSA_P384
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::ECDSA_SHA384
    }
}

/// RSA of 2048 to 4096 bits: in chains with PKCS#1 v1.5 padding, in the proof of TLS 1.3 with PSS (RFC
/// 8446, 4.2.3).
#[cfg(feature = "rsa")]
pub(crate) mod rsa {
    use ::rsa::pkcs1::DecodeRsaPublicKey;
    use ::rsa::signature::Verifier;
    use ::rsa::traits::PublicKeyParts;
    use ::rsa::{RsaPublicKey, pkcs1v15, pss};
    use rustls_pki_types::{
        AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm, alg_id,
    };
    use sha2::{Sha256, Sha384, Sha512};

    /// The sizes of accepted keys, in bytes. Shorter ones are not safe; a longer one takes an MCU
    /// minutes, and memory without a limit.
    const SIZES: core::ops::RangeInclusive<usize> = 256..=512;

    fn key(der: &[u8]) -> Result<RsaPublicKey, InvalidSignature> {
        let key = RsaPublicKey::from_pkcs1_der(der).map_err(|_| InvalidSignature)?;
        if SIZES.contains(&key.size()) {
            Ok(key)
        } else {
            Err(InvalidSignature)
        }
    }

    macro_rules! algorithm {
        ($name:ident, $padding:ident, $hash:ty, $id:expr) => {
            #[derive(Debug)]
            pub(crate) struct $name;

            impl SignatureVerificationAlgorithm for $name {
                fn verify_signature(
                    &self,
                    public_key: &[u8],
                    message: &[u8],
                    signature: &[u8],
                ) -> Result<(), InvalidSignature> {
                    let key = $padding::VerifyingKey::<$hash>::new(key(public_key)?);
                    let signature =
                        $padding::Signature::try_from(signature).map_err(|_| InvalidSignature)?;
                    key.verify(message, &signature)
                        .map_err(|_| InvalidSignature)
                }

                fn public_key_alg_id(&self) -> AlgorithmIdentifier {
                    alg_id::RSA_ENCRYPTION
                }

                fn signature_alg_id(&self) -> AlgorithmIdentifier {
                    $id
                }
            }
        };
    }

    algorithm!(Pkcs1Sha256, pkcs1v15, Sha256, alg_id::RSA_PKCS1_SHA256);
    algorithm!(Pkcs1Sha384, pkcs1v15, Sha384, alg_id::RSA_PKCS1_SHA384);
    algorithm!(Pkcs1Sha512, pkcs1v15, Sha512, alg_id::RSA_PKCS1_SHA512);
    algorithm!(PssSha256, pss, Sha256, alg_id::RSA_PSS_SHA256);
    algorithm!(PssSha384, pss, Sha384, alg_id::RSA_PSS_SHA384);
    algorithm!(PssSha512, pss, Sha512, alg_id::RSA_PSS_SHA512);
}
