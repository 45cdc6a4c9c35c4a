//! TLS servers with something wrong about them.

use std::sync::Arc;

use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, SupportedProtocolVersion, version};

use crate::pki::Identity;
use crate::tls_server::{client_verifier, provider};

const ALL: &[&SupportedProtocolVersion] = &[&version::TLS12, &version::TLS13];
const TLS13: &[&SupportedProtocolVersion] = &[&version::TLS13];

/// How a server does TLS.
#[derive(Clone, Debug)]
pub struct Tls {
    pub(super) identity: Identity,
    /// What is sent behind its own certificate, in PEM.
    pub(super) chain: Vec<String>,
    shown: CertifiedKey,
    nameless: Option<CertifiedKey>,
    versions: &'static [&'static SupportedProtocolVersion],
    suites: Option<&'static [u16]>,
    pub(super) client_ca: Option<String>,
}

impl Tls {
    /// Of TLS 1.2 and 1.3, for everybody.
    ///
    /// # Panics
    /// When the identity is damaged.
    pub fn new(identity: &Identity) -> Self {
        Self {
            identity: identity.clone(),
            chain: Vec::new(),
            shown: certified(identity),
            nameless: None,
            versions: ALL,
            suites: None,
            client_ca: None,
        }
    }

    /// Sends these certificates (PEM) behind its own.
    ///
    /// # Panics
    /// When one is damaged.
    pub fn chain(mut self, pems: &[&str]) -> Self {
        self.shown
            .cert
            .extend(pems.iter().map(|pem| certificate(pem)));
        self.chain.extend(pems.iter().map(ToString::to_string));
        self
    }

    /// Sends its certificates the wrong way round.
    pub fn reversed(mut self) -> Self {
        self.shown.cert.reverse();
        self
    }

    /// Speaks TLS 1.3 alone.
    pub fn only_1_3(mut self) -> Self {
        self.versions = TLS13;
        self
    }

    /// Has these suites alone, by their numbers.
    pub fn suites(mut self, suites: &'static [u16]) -> Self {
        self.suites = Some(suites);
        self
    }

    /// Demands a client certificate of this CA.
    pub fn for_clients_of(mut self, ca_pem: &str) -> Self {
        self.client_ca = Some(ca_pem.into());
        self
    }

    /// Is this one to clients that do not name whom they want (SNI).
    ///
    /// # Panics
    /// When the identity is damaged.
    pub fn without_name(mut self, identity: &Identity) -> Self {
        self.nameless = Some(certified(identity));
        self
    }

    /// As rustls wants it.
    ///
    /// # Panics
    /// When no suite or no CA is left.
    pub fn config(self) -> Arc<ServerConfig> {
        let mut provider = (*provider()).clone();
        if let Some(suites) = self.suites {
            provider
                .cipher_suites
                .retain(|suite| suites.contains(&u16::from(suite.suite())));
        }
        let builder = ServerConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(self.versions)
            .expect("a version with a suite");
        let builder = match &self.client_ca {
            Some(ca) => builder.with_client_cert_verifier(client_verifier(ca)),
            None => builder.with_no_client_auth(),
        };
        let shown = Arc::new(self.shown);
        let nameless = self.nameless.map_or_else(|| Arc::clone(&shown), Arc::new);
        Arc::new(builder.with_cert_resolver(Arc::new(Shows { shown, nameless })))
    }
}

/// Shows what it is told to, without a look whether it fits.
#[derive(Debug)]
struct Shows {
    shown: Arc<CertifiedKey>,
    nameless: Arc<CertifiedKey>,
}

impl ResolvesServerCert for Shows {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(match hello.server_name() {
            Some(_) => &self.shown,
            None => &self.nameless,
        }))
    }
}

fn certificate(pem: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem.as_bytes()).expect("no PEM certificate")
}

fn certified(identity: &Identity) -> CertifiedKey {
    let key = any_supported_type(&identity.key_der()).expect("a key that ring does not sign with");
    CertifiedKey::new(vec![identity.cert_der()], key)
}
