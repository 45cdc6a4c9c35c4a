//! TLS sockets in buffer mode (sheet 4).

use embassy_time::Duration;
use sectag::clock::MIN_DATE;
use sectag::modem::{Final, Modem, Open, Received, Sent, Transfer};
use sectag::{At, AtError, Cause, Code, ConnectError, Kind, Suites, Support};

use crate::bring_up::explain;
use crate::commands::{
    Configure, ContextQuery, SslClose, SslOpen, SslReceive, SslSend, SslState, Value,
};
use crate::files::FileName;
use crate::{Bg96, Facts, clock, codes, escalation, files};

/// Seconds for the handshake; the modem's default is 300.
const NEGOTIATION: u32 = 60;
/// The manual's limit for an open, with [`NEGOTIATION`] instead of its default.
const OPEN_LIMIT: Duration = Duration::from_secs(150 + NEGOTIATION as u64);

/// Sheet 4.1 [SSL table 2]: RSA certificates only. The first is the only one with forward secrecy and
/// AEAD.
const SUITES: &[u16] = &[
    0xc02f, 0x0035, 0x002f, 0x0005, 0x0004, 0x000a, 0x003d, 0xc011, 0xc012, 0xc013, 0xc014, 0xc027,
    0xc028,
];

pub(crate) const fn suites(offered: Suites) -> &'static [u16] {
    match offered {
        Suites::Modern => SUITES.split_at(1).0,
        _ => SUITES,
    }
}

pub(crate) async fn open(modem: &Bg96, at: At<'_>, open: Open<'_>) -> Result<(), ConnectError> {
    let tag = open.config.tag();
    let mutual = open.config.has_client_certificate();
    let ca = files::name(tag, Kind::Ca)?;
    let certificate = files::name(tag, Kind::ClientCertificate)?;
    let key = files::name(tag, Kind::PrivateKey)?;
    // What no firmware is known to check need not be tried.
    open.check(&Facts::ALL.verification())?;

    let now = clock::read(at).await?;
    if now < MIN_DATE {
        return Err(ConnectError::ClockNotSet { now });
    }
    let present = files::present(at, tag).await?;
    for (kind, needed, present) in [
        (Kind::Ca, true, present[0]),
        (Kind::ClientCertificate, mutual, present[1]),
        (Kind::PrivateKey, mutual, present[2]),
    ] {
        if needed && !present {
            return Err(ConnectError::CredentialMissing(kind));
        }
    }
    configure(modem, at, &open, [&ca, &certificate, &key]).await?;
    let result = begin(modem, at, &open).await;
    escalation::judge(modem, at, open.slot, &result);
    result
}

async fn begin(modem: &Bg96, at: At<'_>, open: &Open<'_>) -> Result<(), ConnectError> {
    let command = SslOpen {
        push: modem.config.direct_push,
        context: open.context,
        id: open.id,
        name: open.name,
        port: open.port,
    };
    match at.send(&command).await {
        Ok(_) => {}
        Err(AtError::Refused(code)) => {
            return Err(refused(modem, open, explain(at, code).await));
        }
        Err(error) => return Err(error.into()),
    }
    match at.opened(open.slot, OPEN_LIMIT).await? {
        0 => Ok(()),
        // Not QIGETERROR's number, which says 0 after a failed handshake (sheet 4.6).
        code => Err(refused(modem, open, codes::vendor(code))),
    }
}

/// What rules a cause out.
const SENT_CERTIFICATE: u8 = 1;
const SENT_NO_CERTIFICATE: u8 = 2;
const DATES_UNCHECKED: u8 = 4;
const CHAIN_UNCHECKED: u8 = 8;
const NAME_UNCHECKED: u8 = 16;
const SENT_NAME: u8 = 32;

/// What the modem does not look at cannot be why it refused.
static RULED_OUT: [(Cause, u8); 9] = [
    (Cause::ClientCertificateNeeded, SENT_CERTIFICATE),
    (Cause::ClientCertificateRefused, SENT_NO_CERTIFICATE),
    (Cause::ClientKeyMismatch, SENT_NO_CERTIFICATE),
    (Cause::CertificateExpired, DATES_UNCHECKED),
    (Cause::CertificateNotYetValid, DATES_UNCHECKED),
    (Cause::CaMismatch, CHAIN_UNCHECKED),
    (Cause::CaUnreadable, CHAIN_UNCHECKED),
    (Cause::NameMismatch, NAME_UNCHECKED),
    (Cause::SniNeeded, SENT_NAME),
];

/// The causes of `code`, less those that were ruled out on the way to the open.
fn refused(modem: &Bg96, open: &Open<'_>, code: Code) -> ConnectError {
    let known = modem.verification();
    let mut facts = if open.config.has_client_certificate() {
        SENT_CERTIFICATE
    } else {
        SENT_NO_CERTIFICATE
    };
    for (support, value, fact) in [
        (known.dates, Support::No, DATES_UNCHECKED),
        (known.chain, Support::No, CHAIN_UNCHECKED),
        (known.name, Support::No, NAME_UNCHECKED),
        (known.sni, Support::Yes, SENT_NAME),
    ] {
        if support == value {
            facts |= fact;
        }
    }
    let mut refusal = codes::open_refused(code);
    for (cause, fact) in &RULED_OUT {
        if facts & fact != 0 {
            refusal = refusal.without(*cause);
        }
    }
    ConnectError::Refused(refusal)
}

/// Writes the whole TLS context. Nothing is assumed of what it held: its defaults verify nothing
/// (sheet 2 and 4.1), and another connection may have used it.
async fn configure(
    modem: &Bg96,
    at: At<'_>,
    open: &Open<'_>,
    files: [&FileName; 3],
) -> Result<(), ConnectError> {
    let [ca, certificate, key] = files;
    let mutual = open.config.has_client_certificate();
    let set = async |key: &'static str, value: Value<'_>| {
        match at
            .send(&Configure {
                key,
                context: open.context,
                value,
            })
            .await
        {
            Ok(_) => Ok(Support::Yes),
            // A key that this firmware does not know.
            Err(AtError::Refused(_)) => Ok(Support::No),
            Err(error) => Err(error),
        }
    };
    let suites = match open.config.offered_suites() {
        // The only one of the modem's list with forward secrecy and AEAD.
        Suites::Modern => "0XC02F",
        _ => "0XFFFF",
    };
    let version = set("sslversion", Value::Number(3)).await?;
    let suite = set("ciphersuite", Value::Word(suites)).await?;
    let anchor = set("cacert", Value::File(ca)).await?;
    let identity = if mutual {
        let certificate = set("clientcert", Value::File(certificate)).await?;
        let key = set("clientkey", Value::File(key)).await?;
        both(certificate, key)
    } else {
        Support::Yes
    };
    let level = set("seclevel", Value::Number(if mutual { 2 } else { 1 })).await?;
    let dates = set("ignorelocaltime", Value::Number(0)).await?;
    set("negotiatetime", Value::Number(NEGOTIATION)).await?;
    let sni = set("sni", Value::Number(1)).await?;

    let facts = Facts {
        chain: both(anchor, level),
        dates,
        sni,
    };
    modem.facts.set(facts);
    for (setting, support) in [
        ("sslversion", version),
        ("ciphersuite", suite),
        ("clientcert", identity),
    ] {
        if support == Support::No {
            return Err(ConnectError::Unsupported { setting });
        }
    }
    open.check(&facts.verification())
}

fn both(a: Support, b: Support) -> Support {
    if a == Support::Yes { b } else { a }
}

pub(crate) async fn send(at: At<'_>, transfer: Transfer) -> Result<Sent, AtError> {
    let command = SslSend {
        id: transfer.id,
        len: transfer.len as u32,
    };
    match at.send_payload(&command, transfer).await? {
        Final::SendOk => Ok(Sent::Accepted),
        Final::SendFail => Ok(Sent::Busy),
        Final::Error(_) => Ok(Sent::NotConnected),
        Final::Ok | Final::Connect => Err(AtError::Garbled),
    }
}

pub(crate) async fn receive(at: At<'_>, transfer: Transfer) -> Result<Received, AtError> {
    let command = SslReceive {
        id: transfer.id,
        len: transfer.len as u32,
    };
    match at.receive_payload(&command, transfer).await {
        Ok(Some(0)) => Ok(Received::Empty),
        Ok(Some(count)) => Ok(Received::Data(count)),
        Ok(None) => Err(AtError::Garbled),
        Err(AtError::Refused(_)) => Ok(Received::NotConnected),
        Err(error) => Err(error),
    }
}

/// Only 0, 4 and absence mean that it is not: a live one was seen with an odd number (sheet 4.8).
pub(crate) async fn is_open(modem: &Bg96, at: At<'_>, id: u8) -> Result<bool, AtError> {
    match at.send(&SslState(id)).await {
        Ok(state) if state.0 != 0 => Ok(true),
        // The peer closed it, or it went with a data connection whose end nobody heard of.
        Ok(_) => {
            if at.send(&ContextQuery).await?.0 == 0 {
                modem.context_lost.set(true);
                at.report_network_lost();
            }
            Ok(false)
        }
        // It does not say.
        Err(AtError::Refused(_)) => Ok(true),
        Err(error) => Err(error),
    }
}

/// `ERROR` on an id that is not open is normal (sheet 4.6).
pub(crate) async fn close(at: At<'_>, id: u8) -> Result<(), AtError> {
    match at.send(&SslClose(id)).await {
        Ok(_) | Err(AtError::Refused(_)) => Ok(()),
        Err(error) => Err(error),
    }
}
