//! Servers on 127.0.0.1, honest and otherwise.

extern crate std;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::vec::Vec;

use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::{CertifiedKey, Signer, SigningKey};
use rustls::{
    CipherSuite, RootCertStore, ServerConfig, ServerConnection, SignatureAlgorithm,
    SignatureScheme, Stream,
};

use super::pki::Identity;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Serving {
    /// Sends back what it gets.
    Echo,
    /// Wants a client certificate, too.
    WantsClient,
    /// Signs with its key, and says that it was RSA.
    ClaimsRsa,
    ClaimsEd25519,
    SignsBadly,
    Tls12,
    /// AES-256 alone.
    OtherSuite,
    /// HTTP.
    Plain,
    /// Closes at once.
    Nothing,
    /// Echoes once, then sends this message of the handshake, encrypted as it should be.
    Speaks(&'static [u8]),
}

pub(super) struct Server(SocketAddr);

impl Server {
    /// Serves until the test ends.
    pub(super) fn start(identity: Identity, serving: Serving) -> Self {
        Self::start_with(identity, serving, None)
    }

    /// Wants a client certificate of this root.
    pub(super) fn start_for_clients(identity: Identity, root: &[u8]) -> Self {
        Self::start_with(identity, Serving::WantsClient, Some(root.to_vec().into()))
    }

    fn start_with(
        identity: Identity,
        serving: Serving,
        root: Option<CertificateDer<'static>>,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let config = Arc::new(config(identity, serving, root));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                // What goes wrong is the client's to tell.
                let _ = serve(stream.unwrap(), &config, serving);
            }
        });
        Self(address)
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.0
    }
}

fn serve(
    mut stream: TcpStream,
    config: &Arc<ServerConfig>,
    serving: Serving,
) -> std::io::Result<()> {
    match serving {
        Serving::Plain => {
            let mut hello = [0; 512];
            let _ = stream.read(&mut hello)?;
            return stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
        Serving::Nothing => {
            let mut hello = [0; 2048];
            let _ = stream.read(&mut hello)?;
            return Ok(());
        }
        _ => {}
    }
    let mut connection = ServerConnection::new(config.clone()).map_err(std::io::Error::other)?;
    if let Serving::Speaks(message) = serving {
        return speak(stream, connection, message);
    }
    let mut tls = Stream::new(&mut connection, &mut stream);
    let mut bytes = [0; 256];
    loop {
        let count = tls.read(&mut bytes)?;
        if count == 0 {
            return Ok(());
        }
        tls.write_all(&bytes[..count])?;
    }
}

/// Continues a connection by hand: rustls says nothing that has no place.
fn speak(
    mut stream: TcpStream,
    mut connection: ServerConnection,
    message: &[u8],
) -> std::io::Result<()> {
    use aes_gcm::aead::{AeadInPlace, KeyInit};
    {
        let mut tls = Stream::new(&mut connection, &mut stream);
        let mut bytes = [0; 256];
        let count = tls.read(&mut bytes)?;
        tls.write_all(&bytes[..count])?;
        tls.flush()?;
    }
    let secrets = connection.dangerous_extract_secrets();
    let (number, secret) = secrets.map_err(std::io::Error::other)?.tx;
    let rustls::ConnectionTrafficSecrets::Aes128Gcm { key, iv } = secret else {
        panic!("another suite");
    };
    let mut nonce: [u8; 12] = iv.as_ref().try_into().unwrap();
    for (place, byte) in nonce[4..].iter_mut().zip(number.to_be_bytes()) {
        *place ^= byte;
    }
    let mut content = message.to_vec();
    content.push(22);
    let mut record = std::vec![23, 3, 3, 0, (content.len() + 16) as u8];
    let cipher = aes_gcm::Aes128Gcm::new_from_slice(key.as_ref()).unwrap();
    let tag = cipher.encrypt_in_place_detached(&nonce.into(), &record, &mut content);
    record.extend(content);
    record.extend(tag.unwrap());
    stream.write_all(&record)?;
    let _ = stream.read(&mut [0; 64])?;
    Ok(())
}

fn config(
    (chain, key): Identity,
    serving: Serving,
    root: Option<CertificateDer<'static>>,
) -> ServerConfig {
    let mut provider = ring::default_provider();
    if serving == Serving::OtherSuite {
        provider
            .cipher_suites
            .retain(|suite| suite.suite() == CipherSuite::TLS13_AES_256_GCM_SHA384);
    }
    let versions: &[_] = match serving {
        Serving::Tls12 => &[&rustls::version::TLS12],
        _ => &[&rustls::version::TLS13],
    };
    let provider = Arc::new(provider);
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(versions)
        .unwrap();
    let builder = if let Some(root) = root {
        let mut roots = RootCertStore::empty();
        roots.add(root).unwrap();
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone());
        builder.with_client_cert_verifier(verifier.build().unwrap())
    } else {
        builder.with_no_client_auth()
    };
    let claimed = match serving {
        Serving::ClaimsRsa => Some(SignatureScheme::RSA_PSS_SHA256),
        Serving::ClaimsEd25519 => Some(SignatureScheme::ED25519),
        Serving::SignsBadly => Some(SignatureScheme::ECDSA_NISTP256_SHA256),
        _ => None,
    };
    let mut config = match claimed {
        None => builder.with_single_cert(chain, key).unwrap(),
        Some(scheme) => {
            let key = provider.key_provider.load_private_key(key).unwrap();
            let liar = Liar {
                key,
                scheme,
                bad: serving == Serving::SignsBadly,
            };
            let key = CertifiedKey::new(chain, Arc::new(liar));
            builder.with_cert_resolver(Arc::new(One(Arc::new(key))))
        }
    };
    config.enable_secret_extraction = true;
    config
}

#[derive(Debug)]
struct One(Arc<CertifiedKey>);

impl ResolvesServerCert for One {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }
}

/// Signs with one key and names another scheme, or signs something else.
#[derive(Debug)]
struct Liar {
    key: Arc<dyn SigningKey>,
    scheme: SignatureScheme,
    bad: bool,
}

impl SigningKey for Liar {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<std::boxed::Box<dyn Signer>> {
        Some(std::boxed::Box::new(LiarSigner {
            signer: self.key.choose_scheme(offered)?,
            scheme: self.scheme,
            bad: self.bad,
        }))
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        self.key.algorithm()
    }
}

#[derive(Debug)]
struct LiarSigner {
    signer: std::boxed::Box<dyn Signer>,
    scheme: SignatureScheme,
    bad: bool,
}

impl Signer for LiarSigner {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rustls::Error> {
        let mut message = message.to_vec();
        message[0] ^= u8::from(self.bad);
        self.signer.sign(&message)
    }

    fn scheme(&self) -> SignatureScheme {
        self.scheme
    }
}
