//! A TLS server in the simulated network, with credentials for both sides, so that a test or an example
//! needs no PKI of its own.
//!
//! ```no_run
//! use std::rc::Rc;
//! use sectag_simulator::{MemoryNetwork, Options, Simulator, peer};
//!
//! let network = MemoryNetwork::new();
//! // Poll it beside the driver and the modem.
//! let server = peer::echo(network.listen(peer::NAME, 443));
//! let modem = Simulator::bg96(Options::default(), Rc::new(network));
//! # drop((server, modem));
//! ```

use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream};
use tokio_rustls::TlsAcceptor;
pub use tokio_rustls::server::TlsStream;

use crate::MemoryListener;

/// The name for which the server has its certificate. The network leads to it wherever
/// [`MemoryNetwork::listen`](crate::MemoryNetwork::listen) was told this name.
pub const NAME: &str = "server.sectag.test";
/// The CA that signed both certificates, as PEM. A device stores it to verify the server. All three
/// certificates and keys are valid from 2020 to 2049 and are RSA with 2048 bits.
pub const CA_PEM: &str = include_str!("ca.pem");
/// A device's certificate, as PEM.
pub const CLIENT_CERTIFICATE_PEM: &str = include_str!("client.pem");
/// The private key of [`CLIENT_CERTIFICATE_PEM`], as PEM. It is published with this crate, so no other
/// server may trust it.
pub const CLIENT_KEY_PEM: &str = include_str!("client.key");

/// Makes the server's side of a TLS handshake. It asks for a client certificate, which must be issued
/// by [`CA_PEM`] if there is one.
///
/// # Errors
/// The error of the handshake.
pub async fn accept<S: AsyncRead + AsyncWrite + Unpin>(stream: S) -> io::Result<TlsStream<S>> {
    TlsAcceptor::from(config()).accept(stream).await
}

/// Serves every connection to `listener` by `handler`, several at a time. A connection that fails does
/// not affect the others. Returns once the network was dropped and no connection is left.
pub async fn serve<H, F>(mut listener: MemoryListener, handler: H)
where
    H: Fn(TlsStream<DuplexStream>) -> F,
    F: Future<Output = io::Result<()>>,
{
    let handler = &handler;
    let mut connections: Vec<Pin<Box<dyn Future<Output = io::Result<()>> + '_>>> = Vec::new();
    poll_fn(|cx| {
        let is_over = loop {
            match listener.poll_accept(cx) {
                Poll::Ready(Some(stream)) => {
                    connections.push(Box::pin(
                        async move { handler(accept(stream).await?).await },
                    ));
                }
                Poll::Ready(None) => break true,
                Poll::Pending => break false,
            }
        };
        connections.retain_mut(|connection| connection.as_mut().poll(cx).is_pending());
        if is_over && connections.is_empty() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}

/// Serves every connection to `listener` as an echo server.
pub async fn echo(listener: MemoryListener) {
    serve(listener, |mut stream| async move {
        let mut buffer = [0; 1024];
        loop {
            match stream.read(&mut buffer).await? {
                0 => return stream.shutdown().await,
                count => stream.write_all(&buffer[..count]).await?,
            }
            stream.flush().await?;
        }
    })
    .await;
}

fn config() -> Arc<ServerConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots
        .add(certificate(CA_PEM))
        .expect("a CA certificate of this crate");
    let clients = WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone())
        .allow_unauthenticated()
        .build()
        .expect("one CA");
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("server.key"));
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring knows TLS 1.2 and 1.3")
        .with_client_cert_verifier(clients)
        .with_single_cert(
            vec![certificate(include_str!("server.pem"))],
            key.expect("a key of this crate"),
        )
        .expect("a pair of this crate");
    Arc::new(config)
}

fn certificate(pem: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem.as_bytes()).expect("a certificate of this crate")
}
