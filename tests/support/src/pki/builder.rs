use std::sync::OnceLock;

use rcgen::CertifiedIssuer;

use super::keys::RsaKey;
use super::{DEFAULT_CLIENT_ID, DEFAULT_SERVER_NAMES, Pki, Validity, certificates};

/// The names and dates of a [`Pki`].
#[derive(Clone, Debug)]
pub struct PkiBuilder {
    ca_name: String,
    organisation: Option<String>,
    ca_validity: Validity,
    validity: Validity,
    server_names: Vec<String>,
    client_id: String,
}

impl Default for PkiBuilder {
    fn default() -> Self {
        Self {
            ca_name: "sectag throw-away CA".into(),
            organisation: None,
            ca_validity: Validity::default(),
            validity: Validity::default(),
            server_names: DEFAULT_SERVER_NAMES.map(String::from).into(),
            client_id: DEFAULT_CLIENT_ID.into(),
        }
    }
}

impl PkiBuilder {
    /// The CN of the CA.
    pub fn ca_name(self, ca_name: impl Into<String>) -> Self {
        Self {
            ca_name: ca_name.into(),
            ..self
        }
    }

    /// The organisation of the CA and of its intermediate one; there is none otherwise.
    pub fn organisation(self, organisation: impl Into<String>) -> Self {
        Self {
            organisation: Some(organisation.into()),
            ..self
        }
    }

    /// The dates of the CA.
    pub fn ca_validity(self, ca_validity: Validity) -> Self {
        Self {
            ca_validity,
            ..self
        }
    }

    /// The dates of the certificates that the CA signs.
    pub fn validity(self, validity: Validity) -> Self {
        Self { validity, ..self }
    }

    /// The DNS names and IP addresses of [`Pki::server`].
    pub fn server_names<N: AsRef<str>>(self, names: impl IntoIterator<Item = N>) -> Self {
        Self {
            server_names: names
                .into_iter()
                .map(|name| name.as_ref().to_owned())
                .collect(),
            ..self
        }
    }

    /// The CN of [`Pki::client`].
    pub fn client_id(self, client_id: impl Into<String>) -> Self {
        Self {
            client_id: client_id.into(),
            ..self
        }
    }

    /// Makes the CA; the other keys are made when first needed.
    pub fn build(self) -> Pki {
        let certificate = certificates::ca(
            &self.ca_name,
            self.organisation.as_deref(),
            self.ca_validity,
        );
        let ca = CertifiedIssuer::self_signed(certificate, RsaKey::generate().key_pair())
            .expect("cannot sign the CA");
        Pki {
            ca,
            organisation: self.organisation,
            validity: self.validity,
            server_names: self.server_names,
            client_id: self.client_id,
            server_key: OnceLock::new(),
            client_key: OnceLock::new(),
            server: OnceLock::new(),
            client: OnceLock::new(),
            intermediate: OnceLock::new(),
        }
    }
}
