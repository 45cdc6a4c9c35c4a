//! A verifier of servers whose decision about the chain is somebody else's.
//!
//! The simulator decides as its modem does; the host tool looks at servers and decides nothing.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

use std::fmt::Debug;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, Error, SignatureScheme};

/// What a server shows, and when.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    /// Its own certificate.
    pub end_entity: &'a CertificateDer<'a>,
    /// The others that it sent.
    pub intermediates: &'a [CertificateDer<'a>],
    /// The name that was asked for.
    pub name: &'a ServerName<'a>,
    /// What came along about revocation.
    pub ocsp_response: &'a [u8],
    /// The present.
    pub now: UnixTime,
}

/// Decides about what a server shows.
pub trait Judge: Debug + Send + Sync {
    /// # Errors
    /// Why the connection is not to be.
    fn judge(&self, shown: Shown<'_>) -> Result<(), Error>;
}

/// A [`Judge`] as rustls wants it. A certificate counts only with proof of its key: signatures are checked
/// whatever the judge decides.
#[derive(Debug)]
pub struct Judged<J> {
    judge: J,
    provider: Arc<CryptoProvider>,
    without: Option<SignatureScheme>,
}

impl<J: Judge> Judged<J> {
    /// The provider has the algorithms of the signatures.
    pub fn new(judge: J, provider: Arc<CryptoProvider>) -> Self {
        Self {
            judge,
            provider,
            without: None,
        }
    }

    /// Does not tell the server that it knows this kind of signature.
    pub fn without(self, scheme: SignatureScheme) -> Self {
        Self {
            without: Some(scheme),
            ..self
        }
    }
}

impl<J: Judge> ServerCertVerifier for Judged<J> {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let shown = Shown {
            end_entity,
            intermediates,
            name,
            ocsp_response,
            now,
        };
        self.judge
            .judge(shown)
            .map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let mut schemes = self
            .provider
            .signature_verification_algorithms
            .supported_schemes();
        schemes.retain(|scheme| Some(*scheme) != self.without);
        schemes
    }
}
