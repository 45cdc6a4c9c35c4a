//! Who the servers of these tests are: their name, and the configuration of TLS 1.3 under a throw-away root.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use sectag::ServerName;

pub(crate) const NAME: ServerName<'static> = match ServerName::new("broker.sectag.test") {
    Ok(name) => name,
    Err(_) => panic!("not a name"),
};

/// Returns a root with this key as DER, and a server under it with a key on P-256.
pub(crate) fn server(root_key: KeyPair) -> (&'static [u8], Arc<ServerConfig>) {
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
    let root = Box::leak(root.der().to_vec().into_boxed_slice());
    (root, Arc::new(config))
}
