//! The verification of a server: chain, purpose, name, dates, and the proof of its key.

use core::time::Duration;

use embedded_tls::alert::{AlertDescription, AlertLevel};
use embedded_tls::{
    CertificateEntryRef, CertificateRef, CertificateVerifyRef, SignatureScheme, TlsError,
    TlsVerifier,
};
use rustls_pki_types::{CertificateDer, ServerName, SignatureVerificationAlgorithm, UnixTime};
use sha2::{Digest, Sha256};
use webpki::{EndEntityCert, Error, KeyUsage, anchor_from_trusted_cert};

use super::algorithms;
use super::suite::CheckedAes128Gcm;

/// The longest certificate of a server, in bytes. It is kept until the message that proves its key.
pub const LEAF_LIMIT: usize = 2048;
/// The most certificates between that of the server and the root.
const INTERMEDIATES: usize = 4;
/// The text before the transcript in the bytes that the server signs (RFC 8446, 4.4.3).
const CONTEXT: &[u8; 34] = b"TLS 1.3, server CertificateVerify\0";

/// A reason to refuse a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    /// A root under the tag is not a certificate.
    Root,
    Chain(Error),
    /// The certificate has the name only in its subject.
    NameInSubjectOnly,
    LeafTooLong,
    ChainTooLong,
    /// The server's key is of a kind that is not linked.
    KeyOfAnotherKind,
    /// The signature scheme was not offered, or does not fit the key.
    Scheme,
    /// The signature was not made by the key of the certificate.
    Signature,
    /// A certificate is missing, or came twice, or too late.
    Order,
}

/// The verifier of one server's certificate and proof. Its caller must ask
/// [`is_proven`](Self::is_proven) after the handshake, which embedded-tls 0.19 also completes with a
/// server that shows neither (sheet C.3).
pub(crate) struct Verifier<'v> {
    roots: &'v [&'v [u8]],
    name: &'v str,
    now: u64,
    leaf: [u8; LEAF_LIMIT],
    leaf_len: usize,
    transcript: Option<Sha256>,
    proven: bool,
    problem: Option<Problem>,
}

impl<'v> Verifier<'v> {
    /// Returns a verifier for `name`; `now` is in Unix seconds.
    pub(crate) fn new(roots: &'v [&'v [u8]], name: &'v str, now: u64) -> Self {
        Self {
            roots,
            name,
            now,
            leaf: [0; LEAF_LIMIT],
            leaf_len: 0,
            transcript: None,
            proven: false,
            problem: None,
        }
    }

    /// Returns whether certificate and proof have come, in this order, once each, and were good.
    pub(crate) fn is_proven(&self) -> bool {
        self.proven && self.problem.is_none()
    }

    pub(crate) fn problem(&self) -> Option<Problem> {
        self.problem.clone()
    }

    fn refuse(&mut self, problem: Problem, alert: AlertDescription) -> TlsError {
        self.problem.get_or_insert(problem);
        self.proven = false;
        TlsError::AbortHandshake(AlertLevel::Fatal, alert)
    }

    fn look_at(&self, chain: &CertificateRef<'_>) -> Result<usize, Problem> {
        let entry = |at: usize| match chain.entries.get(at) {
            Some(CertificateEntryRef::X509(der)) => Ok(*der),
            _ => Err(Problem::Order),
        };
        let leaf = entry(0)?;
        if leaf.len() > LEAF_LIMIT {
            return Err(Problem::LeafTooLong);
        }
        let count = chain.entries.len() - 1;
        if count > INTERMEDIATES {
            return Err(Problem::ChainTooLong);
        }
        let mut between: [CertificateDer<'_>; INTERMEDIATES] =
            core::array::from_fn(|_| CertificateDer::from_slice(&[]));
        for (at, place) in between[..count].iter_mut().enumerate() {
            *place = CertificateDer::from_slice(entry(at + 1)?);
        }
        let der = CertificateDer::from_slice(leaf);
        let leaf_cert = EndEntityCert::try_from(&der).map_err(Problem::Chain)?;
        self.find_root(&leaf_cert, &between[..count])?;
        let name = ServerName::try_from(self.name)
            .map_err(|_| Problem::Chain(Error::MalformedDnsIdentifier))?;
        leaf_cert
            .verify_is_valid_for_subject_name(&name)
            .map_err(|error| {
                // A certificate without alternative names may have the name in its subject, where
                // browsers used to look.
                if matches!(error, Error::CertNotValidForName(_))
                    && leaf_cert.valid_dns_names().next().is_none()
                {
                    Problem::NameInSubjectOnly
                } else {
                    Problem::Chain(error)
                }
            })?;
        Ok(leaf.len())
    }

    /// Checks the chain against each root. If none fits, returns the last refusal other than "unknown
    /// issuer".
    fn find_root(
        &self,
        leaf: &EndEntityCert<'_>,
        between: &[CertificateDer<'_>],
    ) -> Result<(), Problem> {
        let now = UnixTime::since_unix_epoch(Duration::from_secs(self.now));
        let mut told = Problem::Chain(Error::UnknownIssuer);
        for root in self.roots {
            let der = CertificateDer::from_slice(root);
            let anchor = anchor_from_trusted_cert(&der).map_err(|_| Problem::Root)?;
            let usage = KeyUsage::server_auth();
            let anchors = core::slice::from_ref(&anchor);
            match leaf.verify_for_usage(algorithms::ALL, anchors, between, now, usage, None, None) {
                Ok(_) => return Ok(()),
                Err(Error::UnknownIssuer) => {}
                Err(error) => told = Problem::Chain(error),
            }
        }
        Err(told)
    }

    fn look_at_proof(&self, verify: &CertificateVerifyRef<'_>) -> Result<(), Problem> {
        let transcript = self.transcript.as_ref().ok_or(Problem::Order)?;
        if self.proven {
            return Err(Problem::Order);
        }
        let mut message = [0x20; 64 + CONTEXT.len() + 32];
        message[64..][..CONTEXT.len()].copy_from_slice(CONTEXT);
        message[64 + CONTEXT.len()..].copy_from_slice(&transcript.clone().finalize());
        let der = CertificateDer::from_slice(&self.leaf[..self.leaf_len]);
        let leaf = EndEntityCert::try_from(&der).map_err(Problem::Chain)?;
        let check = |algorithm: &dyn SignatureVerificationAlgorithm| {
            leaf.verify_signature(algorithm, &message, verify.signature)
        };
        let checked = match verify.signature_scheme {
            SignatureScheme::EcdsaSecp256r1Sha256 => check(&algorithms::P256Sha256),
            #[cfg(feature = "p384")]
            SignatureScheme::EcdsaSecp384r1Sha384 => check(&algorithms::P384Sha384),
            #[cfg(feature = "rsa")]
            SignatureScheme::RsaPssRsaeSha256 => check(&algorithms::rsa::PssSha256),
            #[cfg(feature = "rsa")]
            SignatureScheme::RsaPssRsaeSha384 => check(&algorithms::rsa::PssSha384),
            #[cfg(feature = "rsa")]
            SignatureScheme::RsaPssRsaeSha512 => check(&algorithms::rsa::PssSha512),
            // embedded-tls also offers schemes that are not linked, so an honest server may have such a
            // key.
            _ => {
                return Err(match check(&algorithms::P256Sha256) {
                    Ok(()) | Err(Error::InvalidSignatureForPublicKey) => Problem::Scheme,
                    Err(_) => Problem::KeyOfAnotherKind,
                });
            }
        };
        checked.map_err(|error| match error {
            Error::InvalidSignatureForPublicKey => Problem::Signature,
            _ => Problem::Scheme,
        })
    }
}

impl TlsVerifier<CheckedAes128Gcm> for Verifier<'_> {
    /// Does nothing: the name is known from the start.
    fn set_hostname_verification(&mut self, _: &str) -> Result<(), TlsError> {
        Ok(())
    }

    fn verify_certificate(
        &mut self,
        transcript: &Sha256,
        chain: CertificateRef<'_>,
    ) -> Result<(), TlsError> {
        if self.transcript.is_some() {
            return Err(self.refuse(Problem::Order, AlertDescription::UnexpectedMessage));
        }
        match self.look_at(&chain) {
            Ok(len) => {
                if let Some(CertificateEntryRef::X509(leaf)) = chain.entries.first() {
                    self.leaf[..len].copy_from_slice(leaf);
                    self.leaf_len = len;
                    self.transcript = Some(transcript.clone());
                }
                Ok(())
            }
            Err(problem) => {
                let alert = match problem {
                    Problem::Chain(Error::UnknownIssuer) => AlertDescription::UnknownCa,
                    Problem::Chain(Error::CertExpired { .. } | Error::CertNotValidYet { .. }) => {
                        AlertDescription::CertificateExpired
                    }
                    _ => AlertDescription::BadCertificate,
                };
                Err(self.refuse(problem, alert))
            }
        }
    }

    fn verify_signature(&mut self, verify: CertificateVerifyRef<'_>) -> Result<(), TlsError> {
        match self.look_at_proof(&verify) {
            Ok(()) => {
                self.proven = true;
                Ok(())
            }
            Err(problem) => Err(self.refuse(problem, AlertDescription::DecryptError)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_shows_nothing_or_in_the_wrong_order_has_proven_nothing() {
        let proof = || CertificateVerifyRef {
            signature_scheme: SignatureScheme::EcdsaSecp256r1Sha256,
            signature: &[],
        };
        let mut verifier = Verifier::new(&[], "a.example", 0);
        assert!(!verifier.is_proven());
        // A proof before its certificate.
        assert!(verifier.verify_signature(proof()).is_err());
        assert_eq!(verifier.problem(), Some(Problem::Order));
        // A message without a certificate.
        let mut verifier = Verifier::new(&[], "a.example", 0);
        let empty = CertificateRef::with_context(&[]);
        assert!(verifier.verify_certificate(&Sha256::new(), empty).is_err());
        assert!(!verifier.is_proven() && verifier.problem() == Some(Problem::Order));
    }

    #[test]
    fn a_second_certificate_message_is_refused() {
        let mut verifier = Verifier::new(&[], "a.example", 0);
        verifier.transcript = Some(Sha256::new());
        verifier.proven = true;
        let again = CertificateRef::with_context(&[]);
        assert!(verifier.verify_certificate(&Sha256::new(), again).is_err());
        assert!(!verifier.is_proven());
    }
}
