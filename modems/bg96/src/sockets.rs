//! TLS sockets in buffer mode (sheet 4).

use core::pin::pin;

use embassy_time::Duration;
use sectag::at::{Fields, answer};
use sectag::modem::{Final, Modem, Open, Received, Sent, Transfer, apart};
use sectag::{
    At, AtError, Cause, Code, ConnectError, Feature, Kind, Suites, Support, TlsConfig, TlsVersion,
    Verification,
};

use crate::bring_up::explain;
use crate::commands::{
    ContextQuery, PDP_CONTEXT, SslClose, SslOpen, SslReceive, SslSend, SslState, Value,
};
use crate::files::FileName;
use crate::keys::Key;
use crate::writing::{self, missing};
use crate::{Bg96, clock, codes, escalation, files};

/// Seconds for the handshake; the modem's default is 300.
const NEGOTIATION: u32 = 60;
/// The manual's limit for an open, with [`NEGOTIATION`] instead of its default.
const OPEN_LIMIT: Duration = Duration::from_secs(150 + NEGOTIATION as u64);
/// All suites of the modem.
const ALL_SUITES: u16 = 0xFFFF;

/// A warm connect is the list of files, the keys, what the modem then has of them, the open, and what it
/// has opened. Joining the keys in one line with `;`
/// would save some 20 ms each of seconds, and is not done: that the modem then carries out every part
/// is UNCONFIRMED, and an `OK` to a line of which only the first took effect would be a connection
/// without verification. The list of files is asked for each time, for what this modem does at
/// seclevel 1 without the CA's file is not known either (sheet T10 is a relative), and another host
/// on the modem's USB port may delete it.
pub(crate) async fn open(
    modem: &Bg96,
    at: At<'_>,
    open: Open<'_>,
) -> Result<Verification, ConnectError> {
    let config = open.config;
    let ca = files::name(config.tag(), Kind::Ca)?;
    let certificate = files::name(config.tag(), Kind::ClientCertificate)?;
    let key = files::name(config.tag(), Kind::PrivateKey)?;
    let context = Context {
        open: &open,
        ca: &ca,
        certificate: &certificate,
        key: &key,
        suite: admit(modem, config)?,
    };

    // A clock that nothing is compared with need not be set.
    let dated = modem.keys.get().of(Key::IgnoreLocalTime) != Support::No;
    if dated && !clock::is_known_set(modem, config.earliest_date()) {
        let min = config.earliest_date();
        let now = apart(pin!(clock::require(modem, at, min))).await?;
        if !now.is_plausible(min) {
            return Err(ConnectError::ClockNotSet { now });
        }
    }
    apart(pin!(require_files(at, &context))).await?;
    let lost = apart(pin!(writing::write(modem, at, &context))).await?;
    let verified = verify(modem, &open, lost)?;
    let result = apart(pin!(begin(modem, at, &open))).await;
    escalation::judge(modem, at, open.slot, &result);
    if result.is_err() {
        // Perhaps the clock after all: the next connect looks again, though it was set.
        modem.clock_floor.set(None);
    }
    result.map(|()| verified)
}

async fn begin(modem: &Bg96, at: At<'_>, open: &Open<'_>) -> Result<(), ConnectError> {
    let command = SslOpen {
        push: modem.config.direct_push,
        context: open.context,
        id: open.id,
        name: open.name,
        port: open.port,
    };
    at.expect_open(open.slot);
    let code = match at.send(&command).await {
        Ok(_) => match at.opened(open.slot, OPEN_LIMIT).await? {
            0 => return apart(pin!(is_as_asked(modem, at, open))).await,
            // Not QIGETERROR's number, which says 0 after a failed handshake (sheet 4.6).
            code => codes::vendor(code),
        },
        Err(AtError::Refused(code)) => explain(at, code).await,
        Err(error) => return Err(error.into()),
    };
    Err(refused(modem, open, code))
}

/// Whether it is this connection that was opened: noise may have made another number of the context's,
/// whose defaults verify nothing, or of the port or the mode. The state tells (sheet 4.6). A firmware
/// that tells nothing of it, asked twice, is believed. Where data is pushed it cannot be asked: a peer that
/// speaks first fills the ring before the answer, and nobody reads from it yet.
async fn is_as_asked(modem: &Bg96, at: At<'_>, open: &Open<'_>) -> Result<(), ConnectError> {
    if modem.config.direct_push {
        return Ok(());
    }
    // The last but one is buffer mode.
    let expected = [
        (3, open.port.into()),
        (6, PDP_CONTEXT),
        (8, 0),
        (10, open.context.into()),
    ];
    let mut result = Ok(());
    for _ in 0..2 {
        let mut same = None;
        let mut sink = |line: &[u8]| {
            let Some(text) = answer(line, "+QSSLSTATE:") else {
                return;
            };
            let number = |index| {
                Fields::new(text)
                    .nth(index)
                    .and_then(|text| Fields::new(text).int())
            };
            if number(0) == Some(open.id.into()) {
                same =
                    Some(expected.iter().all(|&(index, wanted)| {
                        number(index).is_none_or(|number| number == wanted)
                    }));
            }
        };
        match at.lines(&SslState(open.id), &mut sink).await {
            Ok(()) | Err(AtError::Refused(_)) => {}
            Err(error) => return Err(error.into()),
        }
        match same {
            Some(true) => return Ok(()),
            // Or the noise was in this answer.
            Some(false) => result = Err(AtError::Garbled.into()),
            None => {}
        }
    }
    result
}

async fn require_files(at: At<'_>, context: &Context<'_>) -> Result<(), ConnectError> {
    let mutual = context.open.config.has_client_certificate();
    let present = files::present(at, context.open.config.tag()).await?;
    for (kind, needed, present) in [
        (Kind::Ca, true, present[0]),
        (Kind::ClientCertificate, mutual, present[1]),
        (Kind::PrivateKey, mutual, present[2]),
    ] {
        if needed && !present {
            return Err(ConnectError::CredentialMissing(kind));
        }
    }
    Ok(())
}

/// Refuses what cannot be; returns the value of `ciphersuite`, one suite or all (sheet 4.1).
pub(crate) fn admit(modem: &Bg96, config: &TlsConfig) -> Result<u16, ConnectError> {
    files::name(config.tag(), Kind::Ca)?;
    let has = modem.keys.get().listed().capabilities();
    // What no firmware is known to check need not be tried; the rest the modem's answers tell.
    let mut hoped = has.verification;
    hoped.chain = Support::Yes;
    hoped.dates = Support::Yes;
    hoped.sni = Support::Yes;
    config.check(&hoped)?;
    let offered = config.suites_for(&has)?;
    if config.offered_suites() == Suites::All {
        return Ok(ALL_SUITES);
    }
    // Suites with authenticated encryption came with TLS 1.2, and the modem speaks one version only.
    let usable = config.oldest_version() >= TlsVersion::Tls12 || offered.modern().is_empty();
    offered
        .iter()
        .next()
        .filter(|_| usable)
        .ok_or(ConnectError::Lacks(Feature::Suites))
}

/// What the keys of a TLS context are to be.
pub(crate) struct Context<'a> {
    pub(crate) open: &'a Open<'a>,
    ca: &'a FileName,
    certificate: &'a FileName,
    key: &'a FileName,
    suite: u16,
}

impl<'a> Context<'a> {
    /// The value of `key`, `None` when it is not for this connection.
    pub(crate) fn value(&self, modem: &Bg96, key: Key) -> Option<Value<'a>> {
        let config = self.open.config;
        let mutual = config.has_client_certificate();
        Some(match key {
            // One version; 4 stands for all, down to SSL 3.
            Key::SslVersion => Value::Number(match config.oldest_version() {
                TlsVersion::Tls10 => 1,
                TlsVersion::Tls11 => 2,
                _ => 3,
            }),
            Key::CipherSuite => Value::Suite(self.suite),
            Key::CaCert => Value::File(self.ca),
            Key::ClientCert if mutual => Value::File(self.certificate),
            Key::ClientKey if mutual => Value::File(self.key),
            Key::ClientCert | Key::ClientKey => return None,
            Key::SecLevel => Value::Number(if mutual { 2 } else { 1 }),
            Key::IgnoreLocalTime => Value::Number(0),
            Key::NegotiateTime if modem.limited.get() & 1 << self.open.context != 0 => return None,
            Key::NegotiateTime => Value::Number(NEGOTIATION),
            Key::Sni => Value::Number(1),
            Key::SessionCache if config.resumes_sessions() => Value::Number(1),
            Key::Alpn if config.alpn_protocol().is_some() => {
                Value::Text(config.alpn_protocol().unwrap_or_default())
            }
            Key::Psk if config.pre_shared_key().is_some() => Value::Psk(config.pre_shared_key()?),
            // An earlier connection may have left something in this context.
            _ if modem.extended.get() & self.mark(key) == 0 => return None,
            Key::SessionCache => Value::Number(0),
            Key::Alpn => Value::Text(""),
            Key::Psk => Value::NoPsk,
        })
    }

    /// Whether the policy asks for what only later firmware has.
    pub(crate) fn asks_for(&self, key: Key) -> bool {
        let config = self.open.config;
        match key {
            Key::SessionCache => config.resumes_sessions(),
            Key::Alpn => config.alpn_protocol().is_some(),
            Key::Psk => config.pre_shared_key().is_some(),
            _ => false,
        }
    }

    /// The bit of `key` in [`Bg96::extended`], 0 for keys that every connection writes.
    pub(crate) fn mark(&self, key: Key) -> u32 {
        let shift = match key {
            Key::SessionCache => 0,
            Key::Alpn => 8,
            Key::Psk => 16,
            _ => return 0,
        };
        1 << (shift + self.open.context)
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

/// What is verified with these keys, if that is what the policy asks for.
fn verify(
    modem: &Bg96,
    open: &Open<'_>,
    lost: Option<(Key, bool)>,
) -> Result<Verification, ConnectError> {
    if let Some(error) = lost.and_then(|(key, asked)| missing(key, asked)) {
        return Err(error);
    }
    let mut verified = modem.keys.get().verification();
    if !open.config.has_client_certificate() {
        verified.client_certificate = Support::No;
    }
    open.config.check(&verified)?;
    Ok(verified)
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
    let result = at.receive_payload(&command, transfer).await;
    if let Ok(None) | Err(AtError::Refused(_)) = result {
        // It may have been the answer to something else, as to what was left of a send whose length
        // noise made shorter. Then this command's own answer is still to come, says not whose bytes it
        // carries, and would be another socket's.
        at.synchronise().await;
    }
    match result {
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
