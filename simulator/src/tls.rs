//! The TLS client of a simulated modem: its abilities and checks are data, and rustls makes the
//! handshake.

use std::io;
use std::sync::Arc;

use rustls::client::danger::ServerCertVerifier;
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::time_provider::TimeProvider;
use rustls::{
    AlertDescription, CertificateError, ClientConfig, Error, RootCertStore,
    SupportedProtocolVersion,
};
use sectag_judge::{Judge, Judged, Shown};
use time::OffsetDateTime;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::network::Stream;

/// The checks of the server.
pub(crate) enum ServerCheck {
    /// No check, as on a modem at seclevel 0.
    None,
    Chain {
        ca: Vec<u8>,
        dates: bool,
        name: bool,
    },
    /// The name is compared with the certificate's common name.
    Common {
        ca: Vec<u8>,
        dates: bool,
        name: Option<String>,
        /// Whether alternative names are compared as well.
        alternatives: bool,
    },
}

/// The settings of one connection.
pub(crate) struct TlsSettings<'a> {
    pub(crate) host: &'a str,
    pub(crate) sni: bool,
    /// The application protocol to ask for, or an empty text for none.
    pub(crate) alpn: &'a str,
    /// The protocol versions that the modem may use, of those that rustls has.
    pub(crate) versions: &'static [&'static SupportedProtocolVersion],
    /// The IANA numbers of the suites that the modem offers; suites that rustls lacks are left out.
    pub(crate) suites: &'a [u16],
    pub(crate) server: ServerCheck,
    /// The client's certificate chain and private key, in the form in which they are stored.
    pub(crate) client: Option<(Vec<u8>, Vec<u8>)>,
    pub(crate) accepts_der: bool,
    /// The longest certificate chain that is accepted, in bytes.
    pub(crate) chain_limit: usize,
    /// The current time by the modem's clock.
    pub(crate) now: OffsetDateTime,
}

/// The reason of a failure when the server's certificate chain is above the limit.
pub(crate) const LONG_CHAIN: &str = "the certificate chain is too long";

/// A result whose error says why a handshake failed or was not attempted. It is for the log; the modem
/// reports less.
pub(crate) type TlsResult<T> = Result<T, String>;

/// Performs the handshake over `stream`.
pub(crate) async fn connect(
    settings: TlsSettings<'_>,
    stream: Box<dyn Stream>,
) -> TlsResult<TlsStream<Box<dyn Stream>>> {
    let name = ServerName::try_from(settings.host.to_owned())
        .map_err(|_| format!("{:?} cannot be the name of a TLS server", settings.host))?;
    let now = settings.now;
    let config = client_config(settings)?;
    TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
        .map_err(|error: io::Error| match in_words(&error) {
            Some(words) => format!("{words} ({error}; the modem's clock says {now})"),
            None => error.to_string(),
        })
}

/// Returns the meaning of a failed handshake, where it can be said better than rustls does.
fn in_words(error: &io::Error) -> Option<&'static str> {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        return Some("the server closed the connection in the middle of the handshake");
    }
    let error = error.get_ref()?.downcast_ref::<Error>()?;
    Some(match error {
        Error::InvalidCertificate(reason) => match reason {
            CertificateError::UnknownIssuer => {
                "the server's certificate is not signed by the CA that the modem has"
            }
            CertificateError::BadSignature => {
                "the signature of the server's certificate is not the CA's"
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "the server's certificate has expired"
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "the server's certificate is not valid yet"
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "the server's certificate is for another name"
            }
            _ => "the server's certificate is refused",
        },
        Error::AlertReceived(alert) => match alert {
            AlertDescription::CertificateRequired => {
                "the server demands a client certificate, and was sent none"
            }
            AlertDescription::HandshakeFailure => {
                "the server refuses: it may demand a client certificate, or have no cipher suite in common with the modem"
            }
            AlertDescription::UnknownCA => {
                "the server does not know the CA of the client certificate"
            }
            AlertDescription::BadCertificate
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnsupportedCertificate => {
                "the server refuses the client certificate"
            }
            AlertDescription::CertificateExpired => {
                "the client certificate has expired by the server's clock"
            }
            AlertDescription::ProtocolVersion => {
                "the server speaks no version of TLS that the modem has"
            }
            _ => "the server refuses the connection",
        },
        Error::PeerIncompatible(_) => {
            "server and modem have no version or cipher suite of TLS in common"
        }
        Error::InvalidMessage(_) => "what the server answers is not TLS",
        _ => return None,
    })
}

fn client_config(settings: TlsSettings<'_>) -> TlsResult<ClientConfig> {
    let mut provider = ring::default_provider();
    provider
        .cipher_suites
        .retain(|suite| settings.suites.contains(&u16::from(suite.suite())));
    if provider.cipher_suites.is_empty() {
        return Err("rustls has none of the cipher suites that are configured".into());
    }
    if settings.versions.is_empty() {
        return Err("rustls has none of the protocol versions that are configured".into());
    }
    let provider = Arc::new(provider);
    let verifier = Verifier::new(
        settings.server,
        settings.accepts_der,
        settings.chain_limit,
        &provider,
    )?;
    // No TLS of a modem is known that has it.
    let verifier =
        Judged::new(verifier, provider.clone()).without(rustls::SignatureScheme::ED25519);
    let verifier = Arc::new(verifier);
    let builder =
        ClientConfig::builder_with_details(provider, Arc::new(FixedTime(unix_time(settings.now))))
            .with_protocol_versions(settings.versions)
            .map_err(|error| error.to_string())?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
    let mut config = match settings.client {
        None => builder.with_no_client_auth(),
        Some((chain, key)) => builder
            .with_client_auth_cert(
                certificates(&chain, settings.accepts_der)?,
                private_key(key, settings.accepts_der)?,
            )
            .map_err(|error| error.to_string())?,
    };
    config.enable_sni = settings.sni;
    if !settings.alpn.is_empty() {
        config.alpn_protocols = vec![settings.alpn.as_bytes().to_vec()];
    }
    config.resumption = Resumption::disabled();
    Ok(config)
}

fn is_pem(file: &[u8]) -> bool {
    file.windows(11).any(|window| window == b"-----BEGIN ")
}

fn certificates(file: &[u8], accepts_der: bool) -> TlsResult<Vec<CertificateDer<'static>>> {
    let certificates = if is_pem(file) {
        CertificateDer::pem_slice_iter(file)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| error.to_string())?
    } else if accepts_der {
        vec![CertificateDer::from(file.to_vec())]
    } else {
        vec![]
    };
    if certificates.is_empty() {
        Err("no certificate in the file".into())
    } else {
        Ok(certificates)
    }
}

fn private_key(file: Vec<u8>, accepts_der: bool) -> TlsResult<PrivateKeyDer<'static>> {
    if is_pem(&file) {
        PrivateKeyDer::from_pem_slice(&file).map_err(|error| error.to_string())
    } else if accepts_der {
        PrivateKeyDer::try_from(file).map_err(str::to_owned)
    } else {
        Err("no private key in the file".into())
    }
}

fn unix_time(time: OffsetDateTime) -> UnixTime {
    UnixTime::since_unix_epoch(std::time::Duration::from_secs(
        time.unix_timestamp().max(0).unsigned_abs(),
    ))
}

/// The emulated clock, stopped at the moment of the open, since a handshake is short.
#[derive(Debug)]
struct FixedTime(UnixTime);

impl TimeProvider for FixedTime {
    fn current_time(&self) -> Option<UnixTime> {
        Some(self.0)
    }
}

/// A verifier that makes only the checks which the modem was told to make.
#[derive(Debug)]
struct Verifier {
    chain: Option<Arc<WebPkiServerVerifier>>,
    dates: bool,
    name: bool,
    /// The common name that the certificate must have, if that is checked.
    common: Option<String>,
    alternatives: bool,
    chain_limit: usize,
}

impl Verifier {
    fn new(
        check: ServerCheck,
        accepts_der: bool,
        chain_limit: usize,
        provider: &Arc<CryptoProvider>,
    ) -> TlsResult<Self> {
        let (ca, dates, name, common, alternatives) = match check {
            ServerCheck::Chain { ca, dates, name } => (ca, dates, name, None, false),
            ServerCheck::Common {
                ca,
                dates,
                name,
                alternatives,
            } => (ca, dates, false, name, alternatives),
            ServerCheck::None => {
                return Ok(Self {
                    chain: None,
                    dates: false,
                    name: false,
                    common: None,
                    alternatives: false,
                    chain_limit,
                });
            }
        };
        let mut roots = RootCertStore::empty();
        for certificate in certificates(&ca, accepts_der)? {
            roots.add(certificate).map_err(|error| error.to_string())?;
        }
        let chain = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone())
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Self {
            chain: Some(chain),
            dates,
            name,
            common,
            alternatives,
            chain_limit,
        })
    }
}

impl Judge for Verifier {
    fn judge(&self, shown: Shown<'_>) -> Result<(), Error> {
        let length: usize = shown
            .intermediates
            .iter()
            .map(|certificate| certificate.len())
            .sum();
        if shown.end_entity.len() + length > self.chain_limit {
            return Err(Error::General(LONG_CHAIN.into()));
        }
        let Some(chain) = &self.chain else {
            return Ok(());
        };
        let mut named = self.name;
        if let Some(common) = &self.common {
            let same = common_name(shown.end_entity)
                .is_some_and(|name| name.eq_ignore_ascii_case(common.as_bytes()));
            if !same && !self.alternatives {
                return Err(Error::InvalidCertificate(CertificateError::NotValidForName));
            }
            named = !same;
        }
        let mut moment = shown.now;
        // Each certificate of the chain can move the moment once or twice. If no moment fits all of
        // them, the chain is refused.
        for _ in 0..8 {
            match chain.verify_server_cert(
                shown.end_entity,
                shown.intermediates,
                shown.name,
                shown.ocsp_response,
                moment,
            ) {
                Err(Error::InvalidCertificate(CertificateError::ExpiredContext {
                    not_after,
                    ..
                })) if !self.dates => {
                    moment = not_after;
                }
                Err(Error::InvalidCertificate(CertificateError::NotValidYetContext {
                    not_before,
                    ..
                })) if !self.dates => {
                    moment = not_before;
                }
                // rustls checks the name last: if only the name is wrong, the chain is good.
                Err(Error::InvalidCertificate(
                    CertificateError::NotValidForName
                    | CertificateError::NotValidForNameContext { .. },
                )) if !named => return Ok(()),
                verdict => return verdict.map(drop),
            }
        }
        Err(Error::InvalidCertificate(CertificateError::Expired))
    }
}

/// Returns the common name of a certificate's subject.
fn common_name(certificate: &[u8]) -> Option<&[u8]> {
    /// The object identifier 2.5.4.3.
    const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
    let (_, certificate, _) = tlv(certificate)?;
    let (_, mut rest, _) = tlv(certificate)?;
    // Version, serial number, algorithm, issuer, validity; the first may be absent.
    let behind = if rest.first() == Some(&0xa0) { 5 } else { 4 };
    for _ in 0..behind {
        (_, _, rest) = tlv(rest)?;
    }
    let (_, mut subject, _) = tlv(rest)?;
    while !subject.is_empty() {
        let (_, set, more) = tlv(subject)?;
        let (_, pair, _) = tlv(set)?;
        let (_, kind, value) = tlv(pair)?;
        if kind == COMMON_NAME {
            return tlv(value).map(|value| value.1);
        }
        subject = more;
    }
    None
}

/// Reads a DER value; returns its tag, its content and the rest.
fn tlv(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, mut rest) = rest.split_first()?;
    let mut length = usize::from(first);
    if first >= 0x80 {
        let (digits, behind) = rest.split_at_checked(usize::from(first & 0x7f))?;
        length = digits
            .iter()
            .fold(0, |length, &digit| length << 8 | usize::from(digit));
        rest = behind;
    }
    let (value, behind) = rest.split_at_checked(length)?;
    Some((tag, value, behind))
}
