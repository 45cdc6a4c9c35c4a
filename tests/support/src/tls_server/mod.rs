//! rustls servers, on any tokio stream or on a loopback port.

mod listener;

use std::io;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;
pub use tokio_rustls::server::TlsStream;

use crate::pki::Identity;

pub use listener::TlsListener;

/// A server of TLS 1.2 and 1.3. When `ca_for_clients` is given, clients must show a certificate of that CA.
///
/// # Panics
/// When the identity or the CA is damaged.
pub fn server_config(identity: &Identity, ca_for_clients: Option<&str>) -> Arc<ServerConfig> {
    let builder = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("ring knows TLS 1.2 and 1.3");
    let builder = match ca_for_clients {
        Some(ca_pem) => builder.with_client_cert_verifier(client_verifier(ca_pem)),
        None => builder.with_no_client_auth(),
    };
    let config = builder
        .with_single_cert(vec![identity.cert_der()], identity.key_der())
        .expect("the server's key does not belong to its certificate");
    Arc::new(config)
}

/// A server of TLS 1.3 alone, which asks no client for a certificate.
///
/// # Panics
/// When the identity is damaged.
pub fn tls13_config(identity: &Identity) -> Arc<ServerConfig> {
    let config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("ring knows TLS 1.3")
        .with_no_client_auth()
        .with_single_cert(vec![identity.cert_der()], identity.key_der())
        .expect("the server's key does not belong to its certificate");
    Arc::new(config)
}

/// Makes the handshake, then hands the connection to `handler`.
///
/// # Errors
/// Of the handshake, or the handler's own.
pub async fn serve_tls<S, H, Fut, T>(
    stream: S,
    config: Arc<ServerConfig>,
    handler: H,
) -> io::Result<T>
where
    S: AsyncRead + AsyncWrite + Unpin,
    H: FnOnce(TlsStream<S>) -> Fut,
    Fut: Future<Output = io::Result<T>>,
{
    handler(TlsAcceptor::from(config).accept(stream).await?).await
}

/// Sends back what arrives, until the peer closes; returns how many bytes that were.
///
/// # Errors
/// Of the stream.
pub async fn echo<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S) -> io::Result<u64> {
    let mut buffer = vec![0; 4096];
    let mut total = 0;
    loop {
        let count = stream.read(&mut buffer).await?;
        if count == 0 {
            // The peer may be gone already, which is how it wished.
            let _ = stream.shutdown().await;
            return Ok(total);
        }
        stream.write_all(&buffer[..count]).await?;
        stream.flush().await?;
        total += count as u64;
    }
}

/// Named explicitly, for a process may hold more than one provider.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

pub(crate) fn roots(ca_pem: &str) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(ca_pem.as_bytes()) {
        roots
            .add(certificate.expect("the CA is no PEM"))
            .expect("the CA is no certificate");
    }
    roots
}

pub(crate) fn client_verifier(ca_pem: &str) -> Arc<dyn ClientCertVerifier> {
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots(ca_pem)), provider())
        .build()
        .expect("there is no certificate in the CA for clients")
}

#[cfg(test)]
mod tests;
