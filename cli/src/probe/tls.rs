//! Handshakes that trust nobody and only look.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::client::{ResolvesClientCert, Resumption};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::sign::CertifiedKey;
use rustls::{
    AlertDescription, ClientConfig, Error, SignatureScheme, SupportedProtocolVersion, version,
};
use sectag::inspect::KeyType;
use sectag_judge::{Judge, Judged, Shown};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::certificates;
use super::files::Files;
use super::network::Place;
use crate::clock::timeout;
use crate::port::Stream;

/// For one step of a look.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

const TLS12: &[&SupportedProtocolVersion] = &[&version::TLS12];
const ALL: &[&SupportedProtocolVersion] = &[&version::TLS12, &version::TLS13];

/// The versions and suites of one handshake.
#[derive(Clone)]
pub(super) struct Offer {
    versions: &'static [&'static SupportedProtocolVersion],
    /// All that rustls has, or these of them, and then no signature of Ed25519: no modem has that.
    suites: Option<Vec<u16>>,
    /// The server is told which name is meant (SNI).
    names_host: bool,
}

impl Offer {
    pub(super) const EVERYTHING: Self = Self {
        versions: ALL,
        suites: None,
        names_host: true,
    };
    pub(super) const EVERYTHING_1_2: Self = Self {
        versions: TLS12,
        suites: None,
        names_host: true,
    };

    /// What a modem of these suites offers, as far as rustls can; `None` when it can not.
    pub(super) fn as_modem(suites: &[u16]) -> Option<Self> {
        let offer = Self {
            versions: TLS12,
            suites: Some(suites.into()),
            names_host: true,
        };
        let known = offer.provider().cipher_suites;
        known
            .iter()
            .any(|suite| suite.tls13().is_none())
            .then_some(offer)
    }

    /// Returns this offer without SNI.
    pub(super) fn without_name(self) -> Self {
        Self {
            names_host: false,
            ..self
        }
    }

    fn provider(&self) -> CryptoProvider {
        let mut provider = ring::default_provider();
        if let Some(suites) = &self.suites {
            provider
                .cipher_suites
                .retain(|suite| suites.contains(&u16::from(suite.suite())));
        }
        provider
    }
}

/// Whether one of `suites` can be used with a server's key.
pub(super) fn suits(key: KeyType, suites: &[u16]) -> bool {
    let ecdsa = |suite: &u16| matches!(suite, 0xc001..=0xc00a | 0xc023..=0xc026 | 0xc02b..=0xc02e | 0xc0ac..=0xc0af | 0xcca9);
    // Suites of TLS 1.3 leave the key open.
    let open = |suite: &u16| suite >> 8 == 0x13;
    match key {
        KeyType::Rsa { .. } => suites.iter().any(|suite| !ecdsa(suite)),
        key if is_ecdsa(key) => suites.iter().any(|suite| ecdsa(suite) || open(suite)),
        // Ed25519 came with the suites of ECDSA, and no modem has it.
        _ => false,
    }
}

/// Whether this computer has each of `suites` that can be used with a server's key, so that a server that refuses this computer refuses a
/// modem of these. Of a key that is not known, all of them count.
pub(super) fn has_all(key: Option<KeyType>, suites: &[u16]) -> bool {
    let known = ring::default_provider().cipher_suites;
    let has = |suite: u16| known.iter().any(|known| u16::from(known.suite()) == suite);
    let mut usable = suites.iter().filter(|suite| {
        !is_of_a_shared_key(**suite) && key.is_none_or(|key| suits(key, &[**suite]))
    });
    usable.all(|suite| has(*suite))
}

/// Whether a suite takes the place of certificates (RFC 4279, RFC 5487, RFC 6655, RFC 7905, RFC 8442).
fn is_of_a_shared_key(suite: u16) -> bool {
    matches!(suite, 0x008a..=0x0095 | 0x00a8..=0x00b9 | 0xc0a4..=0xc0ab | 0xccab..=0xccae | 0xd001..=0xd005)
}

/// Our certificate and key.
#[derive(Clone)]
pub(super) struct Client(Option<Arc<CertifiedKey>>);

impl Client {
    pub(super) const NONE: Self = Self(None);

    pub(super) fn from_files(files: &Files) -> Self {
        let read = |(certificate, key): &(Vec<u8>, Vec<u8>)| {
            let chain = certificates::read(certificate).ok()?;
            let key = PrivateKeyDer::from_pem_slice(key)
                .ok()
                .or_else(|| PrivateKeyDer::try_from(key.clone()).ok())?;
            let key = ring::sign::any_supported_type(&key).ok()?;
            Some(Arc::new(CertifiedKey::new(chain, key)))
        };
        Self(files.client.as_ref().and_then(read))
    }
}

/// What one handshake showed.
pub(super) struct Attempt {
    /// Leaf first; empty when the server showed none.
    pub(super) chain: Vec<CertificateDer<'static>>,
    /// It asked for a client certificate.
    pub(super) demanded: bool,
    pub(super) outcome: Result<(), String>,
    pub(super) offer: Offer,
    pub(super) ending: Ending,
}

/// How a handshake ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// Well.
    Done,
    /// What came is no TLS.
    NotTls,
    /// The server closed the connection without a word.
    Closed,
    /// The server said nothing.
    Silent,
    /// The server said that it has no such version, or no such suite.
    Incompatible,
    /// Otherwise.
    Otherwise,
}

impl Ending {
    fn of(error: &io::Error) -> Self {
        use io::ErrorKind::{
            BrokenPipe, ConnectionAborted, ConnectionReset, TimedOut, UnexpectedEof,
        };
        match error.kind() {
            TimedOut => return Self::Silent,
            UnexpectedEof | ConnectionReset | ConnectionAborted | BrokenPipe => {
                return Self::Closed;
            }
            _ => {}
        }
        match error.get_ref().and_then(|error| error.downcast_ref()) {
            Some(Error::InvalidMessage(_)) => Self::NotTls,
            Some(Error::PeerIncompatible(_)) => Self::Incompatible,
            Some(Error::AlertReceived(
                AlertDescription::ProtocolVersion | AlertDescription::InsufficientSecurity,
            )) => Self::Incompatible,
            _ => Self::Otherwise,
        }
    }
}

pub(super) async fn attempt(place: &Place, host: &str, offer: Offer, client: Client) -> Attempt {
    let seen = Arc::new(Seen::default());
    let result = handshake(place, host, &offer, client, &seen).await;
    let ending = result.as_ref().err().map_or(Ending::Done, Ending::of);
    let record = seen.lock();
    Attempt {
        chain: record.chain.clone(),
        demanded: record.demanded,
        outcome: result.map(drop).map_err(|error| error.to_string()),
        offer,
        ending,
    }
}

/// A connection that is not verified.
pub(super) async fn open(
    place: &Place,
    host: &str,
    offer: Offer,
    client: Client,
) -> io::Result<TlsStream<Box<dyn Stream>>> {
    handshake(place, host, &offer, client, &Arc::default()).await
}

async fn handshake(
    place: &Place,
    host: &str,
    offer: &Offer,
    client: Client,
    seen: &Arc<Seen>,
) -> io::Result<TlsStream<Box<dyn Stream>>> {
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    let provider = Arc::new(offer.provider());
    let verifier = Judged::new(Looker(Arc::clone(seen)), Arc::clone(&provider));
    let verifier = match offer.suites {
        Some(_) => verifier.without(SignatureScheme::ED25519),
        None => verifier,
    };
    let mut config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(offer.versions)
        .map_err(io::Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_client_cert_resolver(Arc::new(Shower {
            seen: Arc::clone(seen),
            client,
        }));
    config.resumption = Resumption::disabled();
    config.enable_sni = offer.names_host;
    let work = async {
        let tcp = place.connect().await?;
        TlsConnector::from(Arc::new(config))
            .connect(name, tcp)
            .await
    };
    timeout(PATIENCE, work)
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

#[derive(Debug, Default)]
struct Seen(Mutex<Record>);

#[derive(Debug, Default)]
struct Record {
    chain: Vec<CertificateDer<'static>>,
    demanded: bool,
}

impl Seen {
    fn lock(&self) -> std::sync::MutexGuard<'_, Record> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes any certificate, and remembers it.
#[derive(Debug)]
struct Looker(Arc<Seen>);

impl Judge for Looker {
    fn judge(&self, shown: Shown<'_>) -> Result<(), Error> {
        self.0.lock().chain = [shown.end_entity]
            .into_iter()
            .chain(shown.intermediates)
            .map(|certificate| certificate.clone().into_owned())
            .collect();
        Ok(())
    }
}

/// Shows our certificate when asked, and remembers that it was.
struct Shower {
    seen: Arc<Seen>,
    client: Client,
}

impl std::fmt::Debug for Shower {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Shower(..)")
    }
}

impl ResolvesClientCert for Shower {
    fn resolve(
        &self,
        _root_hint_subjects: &[&[u8]],
        _sigschemes: &[SignatureScheme],
    ) -> Option<Arc<CertifiedKey>> {
        self.seen.lock().demanded = true;
        self.client.0.clone()
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// Whether `key` is an elliptic curve's.
fn is_ecdsa(key: KeyType) -> bool {
    matches!(key, KeyType::EcP256 | KeyType::EcP384 | KeyType::EcOther)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_suites() {
        let rsa = KeyType::Rsa { bits: 2048 };
        assert!(suits(rsa, &[0xc02f]) && !suits(KeyType::EcP256, &[0xc02f, 0x0035]));
        assert!(suits(KeyType::EcP256, &[0xc02b]) && !suits(rsa, &[0xc02b]));
        assert!(suits(KeyType::EcP384, &[0x1301]) && suits(rsa, &[0x1301]));
        assert!(Offer::as_modem(&[0xc02f]).is_some());
        assert!(Offer::as_modem(&[0x0035]).is_none() && Offer::as_modem(&[]).is_none());
        // DHE is not of this computer's, CCM with ECDSA neither, and a shared key is no certificate's.
        assert!(has_all(Some(rsa), &[0xc02f, 0xc0ac, 0x00a8]));
        assert!(!has_all(None, &[0xc02f, 0xc0ac]) && !has_all(Some(rsa), &[0xc02f, 0x009e]));
    }
}
