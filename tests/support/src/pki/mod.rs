//! A throw-away PKI, made in memory: RSA 2048, because the BG96 speaks only RSA suites.
//!
//! Making an RSA key takes a while, so a [`Pki`] makes three (CA, server, client) and every certificate of a role
//! carries the same key, unless asked for otherwise. Tests that need no CA of their own use [`Pki::shared`].

mod builder;
mod certificates;
mod files;
mod identity;
mod keys;
mod validity;

use std::sync::OnceLock;

use pem_rfc7468::LineEnding;
use rcgen::{CertifiedIssuer, KeyPair};

pub use builder::PkiBuilder;
pub use identity::Identity;
pub use validity::Validity;

use keys::RsaKey;
pub use keys::ServerKey;

/// The server names of [`Pki::server`] unless the builder was told others.
pub const DEFAULT_SERVER_NAMES: [&str; 2] = ["localhost", "broker.sectag.test"];

/// The CN of [`Pki::client`] unless the builder was told another.
pub const DEFAULT_CLIENT_ID: &str = "sectag-client";

/// A CA, and the identities that it signs.
///
/// # Panics
/// The methods panic on input that no certificate can carry, such as a server name that is not ASCII.
pub struct Pki {
    ca: CertifiedIssuer<'static, KeyPair>,
    organisation: Option<String>,
    validity: Validity,
    server_names: Vec<String>,
    client_id: String,
    server_key: OnceLock<RsaKey>,
    client_key: OnceLock<RsaKey>,
    server: OnceLock<Identity>,
    client: OnceLock<Identity>,
    intermediate: OnceLock<CertifiedIssuer<'static, KeyPair>>,
}

impl Default for Pki {
    fn default() -> Self {
        Self::new()
    }
}

impl Pki {
    /// A new CA with the defaults of [`PkiBuilder`].
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// Choose names and dates.
    pub fn builder() -> PkiBuilder {
        PkiBuilder::default()
    }

    /// The PKI of this process, made when first asked for.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Pki> = OnceLock::new();
        SHARED.get_or_init(Self::new)
    }

    /// The CA's certificate.
    pub fn ca_pem(&self) -> String {
        pem("CERTIFICATE", self.ca.der())
    }

    /// The CA's certificate in DER.
    pub fn ca_der(&self) -> Vec<u8> {
        self.ca.der().to_vec()
    }

    /// The server with the builder's names.
    pub fn server(&self) -> &Identity {
        self.server
            .get_or_init(|| self.issue_server(&self.server_names))
    }

    /// The client with the builder's client id.
    pub fn client(&self) -> &Identity {
        self.client
            .get_or_init(|| self.issue_client(&self.client_id))
    }

    /// A server with these DNS names and IP addresses; the first is also its CN.
    pub fn issue_server<N: AsRef<str>>(&self, names: impl IntoIterator<Item = N>) -> Identity {
        self.issue_server_valid(names, self.validity)
    }

    /// As [`issue_server`](Self::issue_server), with dates of its own: expired, or not yet valid.
    pub fn issue_server_valid<N: AsRef<str>>(
        &self,
        names: impl IntoIterator<Item = N>,
        validity: Validity,
    ) -> Identity {
        let key = self.server_key.get_or_init(RsaKey::generate);
        let certificate = certificates::server(names, validity);
        self.sign(certificate, &key.key_pair(), key.pem())
    }

    /// A server with an ECDSA P-256 key, under the same RSA CA.
    pub fn issue_server_ecdsa<N: AsRef<str>>(
        &self,
        names: impl IntoIterator<Item = N>,
    ) -> Identity {
        self.issue_server_of(names, ServerKey::EcdsaP256)
    }

    /// A server with a key of another kind than RSA, under the same RSA CA.
    pub fn issue_server_of<N: AsRef<str>>(
        &self,
        names: impl IntoIterator<Item = N>,
        key: ServerKey,
    ) -> Identity {
        let key = key.generate();
        self.sign(
            certificates::server(names, self.validity),
            &key,
            pem("PRIVATE KEY", key.serialized_der()),
        )
    }

    /// The certificate (PEM) of an intermediate CA that this CA has signed.
    pub fn intermediate_pem(&self) -> String {
        pem("CERTIFICATE", self.intermediate().der())
    }

    /// A server whose certificate the intermediate CA has signed.
    pub fn issue_behind_intermediate<N: AsRef<str>>(
        &self,
        names: impl IntoIterator<Item = N>,
    ) -> Identity {
        let key = self.server_key.get_or_init(RsaKey::generate);
        let certificate = certificates::server(names, self.validity)
            .signed_by(&key.key_pair(), self.intermediate())
            .expect("cannot sign the certificate");
        Identity {
            cert_pem: pem("CERTIFICATE", certificate.der()),
            key_pem: key.pem(),
        }
    }

    /// It has the key of the clients, which is one less to make.
    fn intermediate(&self) -> &CertifiedIssuer<'static, KeyPair> {
        self.intermediate.get_or_init(|| {
            let key = self.client_key.get_or_init(RsaKey::generate).key_pair();
            let certificate = certificates::ca(
                "sectag throw-away intermediate CA",
                self.organisation.as_deref(),
                self.validity,
            );
            CertifiedIssuer::signed_by(certificate, key, &self.ca)
                .expect("cannot sign the intermediate CA")
        })
    }

    /// A client with an ECDSA P-256 key, under the same RSA CA.
    pub fn issue_client_ecdsa(&self, client_id: &str) -> Identity {
        let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)
            .expect("cannot make an ECDSA key");
        self.sign(
            certificates::client(client_id, self.validity),
            &key,
            pem("PRIVATE KEY", key.serialized_der()),
        )
    }

    /// A client whose CN is `client_id`.
    pub fn issue_client(&self, client_id: &str) -> Identity {
        self.issue_client_valid(client_id, self.validity)
    }

    /// As [`issue_client`](Self::issue_client), with dates of its own.
    pub fn issue_client_valid(&self, client_id: &str, validity: Validity) -> Identity {
        let key = self.client_key.get_or_init(RsaKey::generate);
        self.sign(
            certificates::client(client_id, validity),
            &key.key_pair(),
            key.pem(),
        )
    }

    /// As [`issue_client`](Self::issue_client), with a key of its own: for rotation, and for keys that do not match.
    pub fn issue_client_with_new_key(&self, client_id: &str) -> Identity {
        let key = RsaKey::generate();
        self.sign(
            certificates::client(client_id, self.validity),
            &key.key_pair(),
            key.pem(),
        )
    }

    /// The certificate (PEM) of a client that made its key itself, after its signing request (PKCS#10, DER).
    #[cfg(feature = "requests")]
    pub fn issue_for_request(&self, request: &[u8]) -> Result<String, String> {
        let request = request.to_vec().into();
        let request = rcgen::CertificateSigningRequestParams::from_der(&request)
            .map_err(|error| error.to_string())?;
        let certificate = request
            .signed_by(&self.ca)
            .map_err(|error| error.to_string())?;
        Ok(pem("CERTIFICATE", certificate.der()))
    }

    fn sign(
        &self,
        certificate: rcgen::CertificateParams,
        key: &KeyPair,
        key_pem: String,
    ) -> Identity {
        let certificate = certificate
            .signed_by(key, &self.ca)
            .expect("cannot sign the certificate");
        Identity {
            cert_pem: pem("CERTIFICATE", certificate.der()),
            key_pem,
        }
    }
}

/// DER in the armour of RFC 7468.
fn pem(label: &str, der: &[u8]) -> String {
    pem_rfc7468::encode_string(label, LineEnding::LF, der).expect("cannot encode PEM")
}

#[cfg(test)]
mod tests;
