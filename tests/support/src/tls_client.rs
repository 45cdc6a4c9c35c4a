//! A rustls client, for the side of a test that needs no modem.

use std::io;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::pki::Identity;
use crate::tls_server::{provider, roots};

/// Trusts `ca_pem` and shows `identity` when asked for a certificate.
///
/// # Panics
/// When the CA or the identity is damaged.
pub fn client_config(ca_pem: &str, identity: Option<&Identity>) -> Arc<ClientConfig> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("ring knows TLS 1.2 and 1.3")
        .with_root_certificates(roots(ca_pem));
    Arc::new(match identity {
        Some(identity) => builder
            .with_client_auth_cert(vec![identity.cert_der()], identity.key_der())
            .expect("the client's key does not belong to its certificate"),
        None => builder.with_no_client_auth(),
    })
}

/// Connects to 127.0.0.1 and expects the certificate of `server_name` there.
///
/// # Errors
/// Of the socket or of the handshake. In TLS 1.3 a refused client certificate is only seen by the first read.
pub async fn connect(
    port: u16,
    server_name: &str,
    config: Arc<ClientConfig>,
) -> io::Result<TlsStream<TcpStream>> {
    let name = ServerName::try_from(server_name.to_owned()).map_err(io::Error::other)?;
    let tcp = TcpStream::connect(("127.0.0.1", port)).await?;
    tcp.set_nodelay(true)?;
    TlsConnector::from(config).connect(name, tcp).await
}
