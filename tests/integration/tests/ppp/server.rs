//! A TLS 1.3 server on 127.0.0.1 under a root of its own.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, Stream};
use sectag::ServerName;

pub(crate) const NAME: ServerName<'static> = match ServerName::new("broker.sectag.test") {
    Ok(name) => name,
    Err(_) => panic!("not a name"),
};

pub(crate) struct Server {
    pub(crate) root: &'static [u8],
    pub(crate) address: SocketAddr,
}

impl Server {
    /// Serves one client after another until the test ends; the root has this key, the server one on P-256.
    pub(crate) fn start(
        root_key: KeyPair,
        serve: impl Fn(&mut Stream<'_, ServerConnection, TcpStream>) + Send + 'static,
    ) -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root = CertifiedIssuer::self_signed(params, root_key).unwrap();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([NAME.as_str().to_owned()]).unwrap();
        let leaf = params.signed_by(&key, &root).unwrap();
        let chain = vec![leaf.der().clone()];
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        let config = Arc::new(config);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut connection = ServerConnection::new(config.clone()).unwrap();
                serve(&mut Stream::new(&mut connection, &mut stream));
            }
        });
        Self {
            root: Box::leak(root.der().to_vec().into_boxed_slice()),
            address,
        }
    }
}
