//! TLS of the network processor: the effect of a socket's options on a connection (sheet 4.3), for
//! every way to drive the chip.

use std::collections::BTreeMap;

use time::OffsetDateTime;

use super::files::Files;
use crate::channel::Channel;
use crate::clock::EmulatedClock;
use crate::network::Stream;
use crate::tls::{self, ServerCheck, TlsSettings};

// Socket options (sheet 4.3).
const METHOD: u8 = 25;
const MASK: u8 = 26;
const KEY_NAME: u8 = 30;
const CERTIFICATE_NAME: u8 = 31;
const CA_NAME: u8 = 32;
pub(super) const DOMAIN: u8 = 42;

/// The suites of the mask, from bit 0 on (sheet 4.4).
const SUITES: [u16; 23] = [
    0x0005, 0x0004, 0x0035, 0x0039, 0xc014, 0xc011, 0x003c, 0x003d, 0xc027, 0xc023, 0xc009, 0xc00a,
    0x009c, 0x009d, 0x009e, 0x009f, 0xc02f, 0xc030, 0xc02b, 0xc02c, 0xcca9, 0xcca8, 0xccaa,
];
const TLS12_ONLY: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS12];

/// The plan of a connection.
pub(super) struct Plan {
    pub(super) server: ServerCheck,
    pub(super) client: Option<(Vec<u8>, Vec<u8>)>,
    /// The number that the chip reports for an open connection: 0, or what was not verified.
    warning: i16,
    pub(super) now: OffsetDateTime,
    pub(super) suites: Vec<u16>,
    /// Whether the method is TLS 1.2 alone.
    pub(super) modern: bool,
    pub(super) name: Option<String>,
}

impl Plan {
    /// Returns the plan for these options, on a chip with these files and this date.
    pub(super) fn new(
        options: &BTreeMap<u8, Vec<u8>>,
        files: &Files,
        clock: Option<&EmulatedClock>,
        unknown_to_catalog: bool,
    ) -> Result<Self, i16> {
        let file = |option| {
            options
                .get(&option)
                .map(|name: &Vec<u8>| files.content(&String::from_utf8_lossy(name)))
        };
        let mut warning = 0;
        let server = match file(CA_NAME) {
            // Without a CA the chip connects, and reports that.
            None => {
                warning = -453;
                ServerCheck::None
            }
            Some(None) => return Err(-454),
            Some(Some(ca)) => ServerCheck::Chain {
                ca,
                dates: clock.is_some(),
                name: options.contains_key(&DOMAIN),
            },
        };
        if warning == 0 && clock.is_none() {
            warning = -461;
        }
        if warning == 0 && unknown_to_catalog {
            warning = -468;
        }
        let client = match (file(CERTIFICATE_NAME), file(KEY_NAME)) {
            (Some(None), _) => return Err(-457),
            (_, Some(None)) => return Err(-458),
            (Some(Some(certificate)), Some(Some(key))) => Some((certificate, key)),
            _ => None,
        };
        if let ServerCheck::Chain { ca, .. } = &server {
            let certificate = rustls::pki_types::CertificateDer::from(ca.clone());
            let added = rustls::RootCertStore::empty().add(certificate);
            added.map_err(|_| -456_i16)?;
        }
        let mask = options.get(&MASK).map_or(0x007f_ffff, |mask| {
            mask.iter()
                .rev()
                .fold(0, |all, byte| all << 8 | u32::from(*byte))
        });
        let suites = SUITES.iter().enumerate();
        let suites = suites.filter(|(bit, _)| mask >> bit & 1 != 0);
        let name = options.get(&DOMAIN);
        Ok(Self {
            server,
            client,
            warning,
            now: clock.map_or(OffsetDateTime::UNIX_EPOCH, EmulatedClock::now),
            suites: suites.map(|(_, number)| *number).collect(),
            modern: options
                .get(&METHOD)
                .is_none_or(|method| method.first() >= Some(&3)),
            name: name.map(|name| String::from_utf8_lossy(name).into_owned()),
        })
    }

    /// Makes the handshake; returns the number that the chip reports for the open connection.
    pub(super) async fn handshake(
        self,
        host: &str,
        stream: Box<dyn Stream>,
    ) -> Result<(Box<dyn Channel>, i16), i16> {
        let settings = TlsSettings {
            host: self.name.as_deref().unwrap_or(host),
            sni: self.name.is_some(),
            alpn: "",
            versions: if self.modern { TLS12_ONLY } else { &[] },
            suites: &self.suites,
            server: self.server,
            client: self.client,
            accepts_der: true,
            chain_limit: usize::MAX,
            now: self.now,
        };
        match tls::connect(settings, stream).await {
            Ok(channel) => Ok((Box::new(channel), self.warning)),
            Err(reason) => {
                log::info!("cc3200: TLS to {host} failed: {reason}");
                Err(code_of(&reason))
            }
        }
    }
}

/// The first generation, whose suites rustls does not have.
impl Plan {
    /// Makes the handshake; returns the number that the chip reports for the open connection.
    #[cfg(feature = "openssl")]
    pub(super) async fn handshake_with_cbc(
        self,
        host: &str,
        stream: Box<dyn Stream>,
    ) -> Result<(Box<dyn Channel>, i16), i16> {
        let warning = self.warning;
        match super::cbc::connect(self, stream).await {
            Ok(channel) => Ok((channel, warning)),
            Err(failure) => {
                log::info!("cc3200: TLS to {host} failed: {}", failure.reason);
                Err(failure.code)
            }
        }
    }

    /// Fails as with a server that has no suite in common with the chip.
    #[cfg(not(feature = "openssl"))]
    pub(super) async fn handshake_with_cbc(
        self,
        host: &str,
        _: Box<dyn Stream>,
    ) -> Result<(Box<dyn Channel>, i16), i16> {
        log::info!(
            "cc3200: TLS to {host} failed: a chip of the first generation has CBC and RC4 suites alone, and this simulator was built without its feature openssl, which has them"
        );
        Err(-340)
    }
}

/// Returns the chip's number for a failure of rustls.
fn code_of(reason: &str) -> i16 {
    const KNOWN: [(&str, i16); 16] = [
        ("UnknownIssuer", -688),
        ("BadSignature", -655),
        ("NotValidForName", -722),
        ("not valid for name", -722),
        ("Expired", -651),
        ("expired", -651),
        ("NotValidYet", -650),
        ("not valid yet", -650),
        ("alert: HandshakeFailure", -340),
        ("alert: BadCertificate", -342),
        ("alert: UnknownCA", -348),
        ("alert: ProtocolVersion", -370),
        ("alert: CertificateRequired", -341),
        ("alert: DecryptError", -351),
        ("private key", -458),
        ("no certificate", -457),
    ];
    let known = KNOWN.iter().find(|(text, _)| reason.contains(text));
    known.map_or(-450, |known| known.1)
}
