use crate::pki::Identity;

/// What the TLS listener of a [`Mosquitto`](super::Mosquitto) asks for and shows.
#[derive(Clone, Debug, Default)]
pub struct MosquittoOptions {
    pub(super) username_from_certificate: bool,
    pub(super) users: Vec<(String, String)>,
    pub(super) server: Option<Identity>,
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
}
