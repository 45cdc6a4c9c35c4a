use crate::pki::Identity;

/// What the TLS listener of a [`Mosquitto`](super::Mosquitto) asks for and shows.
#[derive(Clone, Debug, Default)]
pub struct MosquittoOptions {
    pub(super) username_from_certificate: bool,
    pub(super) users: Vec<(String, String)>,
    pub(super) server: Option<Identity>,
    pub(super) without_client_certificates: bool,
    /// The rules of who may publish and read what.
    pub(super) acl: Option<String>,
    /// OpenSSL's names of the suites of TLS 1.2, if it has no later version.
    pub(super) tls12_suites: Option<String>,
}

impl MosquittoOptions {
    /// Anonymous clients, and the PKI's own server certificate.
    pub fn new() -> Self {
        Self::default()
    }

    /// The CN of the client's certificate is its user name.
    pub fn username_from_certificate(self) -> Self {
        Self {
            username_from_certificate: true,
            ..self
        }
    }

    /// Accepts this login; as soon as there is one, anonymous clients are refused.
    pub fn user(mut self, name: impl Into<String>, password: impl Into<String>) -> Self {
        self.users.push((name.into(), password.into()));
        self
    }

    /// Shows another server certificate, an expired one for instance.
    pub fn server(self, server: Identity) -> Self {
        Self {
            server: Some(server),
            ..self
        }
    }

    /// Asks no client for a certificate.
    pub fn without_client_certificates(self) -> Self {
        Self {
            without_client_certificates: true,
            ..self
        }
    }

    /// Allows what these lines of an ACL file (mosquitto.conf(5)) do, and nothing else.
    pub fn acl(self, lines: impl Into<String>) -> Self {
        Self {
            acl: Some(lines.into()),
            ..self
        }
    }

    /// Has TLS 1.2 alone, with these suites by OpenSSL's names.
    pub fn tls12_with(self, suites: impl Into<String>) -> Self {
        Self {
            tls12_suites: Some(suites.into()),
            ..self
        }
    }
}
