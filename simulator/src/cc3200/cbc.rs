//! TLS of the first generation, whose suites are CBC ones (sheet 4.4), by OpenSSL: rustls does not have them.

use std::pin::Pin;

use openssl::error::ErrorStack;
use openssl::pkey::PKey;
use openssl::ssl::{Ssl, SslContext, SslMethod, SslRef, SslVerifyMode, SslVersion};
use openssl::x509::store::X509StoreBuilder;
use openssl::x509::verify::X509VerifyFlags;
use openssl::x509::{X509, X509VerifyResult};
use tokio::io::BufReader;
use tokio_openssl::SslStream;

use super::secure::Plan;
use crate::channel::Channel;
use crate::network::Stream;
use crate::tls::ServerCheck;

/// The suites by IANA number, and OpenSSL's names of them. OpenSSL is built without RC4, which no server of today has either.
const NAMES: [(u16, &str); 7] = [
    (0x0035, "AES256-SHA"),
    (0x0039, "DHE-RSA-AES256-SHA"),
    (0xc014, "ECDHE-RSA-AES256-SHA"),
    (0x003c, "AES128-SHA256"),
    (0x003d, "AES256-SHA256"),
    (0xc027, "ECDHE-RSA-AES128-SHA256"),
    (0xc023, "ECDHE-ECDSA-AES128-SHA256"),
];

/// The end of an attempt: the chip's number, as in the second generation, and the reason for the log.
pub(super) struct Failure {
    pub(super) code: i16,
    pub(super) reason: String,
}

impl From<ErrorStack> for Failure {
    fn from(error: ErrorStack) -> Self {
        Self {
            code: -450,
            reason: error.to_string(),
        }
    }
}

/// Makes the handshake of a plan.
pub(super) async fn connect(
    plan: Plan,
    stream: Box<dyn Stream>,
) -> Result<Box<dyn Channel>, Failure> {
    let ssl = prepare(plan)?;
    let mut stream = SslStream::new(ssl, stream)?;
    match Pin::new(&mut stream).connect().await {
        Ok(()) => Ok(Box::new(BufReader::with_capacity(16 * 1024, stream))),
        Err(error) => Err(Failure {
            code: code_of(stream.ssl(), &error),
            reason: error.to_string(),
        }),
    }
}

fn prepare(plan: Plan) -> Result<Ssl, Failure> {
    let mut context = SslContext::builder(SslMethod::tls_client())?;
    let offered = NAMES
        .iter()
        .filter(|(number, _)| plan.suites.contains(number));
    let offered: Vec<&str> = offered.map(|(_, name)| *name).collect();
    if offered.is_empty() {
        return Err(Failure {
            code: -340,
            reason: "OpenSSL has none of the cipher suites that are configured".into(),
        });
    }
    // The chip is older than the security levels of OpenSSL.
    context.set_security_level(0);
    context.set_cipher_list(&offered.join(":"))?;
    context.set_max_proto_version(Some(SslVersion::TLS1_2))?;
    if plan.modern {
        context.set_min_proto_version(Some(SslVersion::TLS1_2))?;
    }
    let (mut checks_name, mut checks_dates) = (false, false);
    if let ServerCheck::Chain { ca, dates, name } = plan.server {
        let mut store = X509StoreBuilder::new()?;
        store.add_cert(X509::from_der(&ca)?)?;
        context.set_cert_store(store.build());
        context.set_verify(SslVerifyMode::PEER);
        (checks_name, checks_dates) = (name, dates);
    } else {
        context.set_verify(SslVerifyMode::NONE);
    }
    if let Some((certificate, key)) = plan.client {
        let unusable = |code| {
            move |error: ErrorStack| Failure {
                code,
                reason: error.to_string(),
            }
        };
        let certificate = X509::from_der(&certificate).map_err(unusable(-457))?;
        context.set_certificate(&certificate)?;
        let key = PKey::private_key_from_der(&key).map_err(unusable(-458))?;
        // Refused if it does not belong to the certificate.
        context.set_private_key(&key).map_err(unusable(-458))?;
    }
    let mut ssl = Ssl::new(&context.build())?;
    let parameters = ssl.param_mut();
    parameters.set_time(plan.now.unix_timestamp());
    if !checks_dates {
        parameters.set_flags(X509VerifyFlags::NO_CHECK_TIME)?;
    }
    if let Some(name) = &plan.name {
        if checks_name {
            parameters.set_host(name)?;
        }
        ssl.set_hostname(name)?;
    }
    Ok(ssl)
}

/// Returns the chip's number for a failed handshake, as in the second generation (sheet 5).
fn code_of(ssl: &SslRef, error: &openssl::ssl::Error) -> i16 {
    // What x509_vfy.h calls so.
    const SIGNATURE_FAILURE: i32 = 7;
    const NOT_YET_VALID: i32 = 9;
    const HAS_EXPIRED: i32 = 10;
    const REVOKED: i32 = 23;
    const HOSTNAME_MISMATCH: i32 = 62;
    let verified = ssl.verify_result();
    if verified != X509VerifyResult::OK {
        return match verified.as_raw() {
            SIGNATURE_FAILURE => -655,
            NOT_YET_VALID => -650,
            HAS_EXPIRED => -651,
            REVOKED => -467,
            HOSTNAME_MISMATCH => -722,
            _ => -688,
        };
    }
    // OpenSSL's number for an alert of the peer is 1000 and the alert's.
    let errors = error.ssl_error().into_iter().flat_map(ErrorStack::errors);
    let mut reasons = errors.map(openssl::error::Error::reason_code);
    let alert = reasons.find(|reason| (1000..1256).contains(reason));
    match alert.and_then(|reason| i16::try_from(reason - 1000).ok()) {
        Some(alert) => -300 - alert,
        None if error.ssl_error().is_none() => -452,
        None => -450,
    }
}
