//! TLS servers with CBC suites alone, by OpenSSL: rustls has none, and the first generation of TI's network processors nothing
//! else.

use std::future::Future;
use std::io;
use std::pin::Pin;

use openssl::pkey::PKey;
use openssl::ssl::{Ssl, SslContext, SslMethod, SslVerifyMode, SslVersion};
use openssl::x509::X509;
use openssl::x509::store::X509StoreBuilder;
use sectag_simulator::MemoryNetwork;
use sectag_test_support::pki::Identity;
use tokio::io::DuplexStream;
use tokio_openssl::SslStream;

use crate::simulated::PORT;

/// CBC suites that the first generation has, sheet 4.4 (CC31xx), by the names of OpenSSL.
pub const SUITES: &str = "ECDHE-RSA-AES128-SHA256:AES128-SHA256";

/// Serves every connection to `host` with TLS 1.2 by `handler`; clients need a certificate of `client_ca`.
///
/// # Panics
/// When the identity or the CA is damaged.
pub fn serve<H, F, T>(
    network: &MemoryNetwork,
    host: &str,
    identity: &Identity,
    client_ca: &str,
    handler: H,
) where
    H: Fn(SslStream<DuplexStream>) -> F + Clone + 'static,
    F: Future<Output = io::Result<T>> + 'static,
{
    let context = context(identity, client_ca).expect("identity and CA are whole");
    network.register(host, PORT, move |stream| {
        let (context, handler) = (context.clone(), handler.clone());
        tokio::task::spawn_local(async move {
            let ssl = Ssl::new(&context).map_err(io::Error::other)?;
            let mut stream = SslStream::new(ssl, stream).map_err(io::Error::other)?;
            let accepted = Pin::new(&mut stream).accept().await;
            accepted.map_err(io::Error::other)?;
            handler(stream).await.map(drop)
        });
    });
}

fn context(identity: &Identity, client_ca: &str) -> Result<SslContext, openssl::error::ErrorStack> {
    let mut context = SslContext::builder(SslMethod::tls_server())?;
    context.set_max_proto_version(Some(SslVersion::TLS1_2))?;
    context.set_cipher_list(SUITES)?;
    let certificate = X509::from_pem(identity.cert_pem.as_bytes())?;
    context.set_certificate(&certificate)?;
    let key = PKey::private_key_from_pem(identity.key_pem.as_bytes())?;
    context.set_private_key(&key)?;
    let mut clients = X509StoreBuilder::new()?;
    clients.add_cert(X509::from_pem(client_ca.as_bytes())?)?;
    context.set_cert_store(clients.build());
    context.set_verify(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT);
    Ok(context.build())
}
