//! The examination of a server, step by step: reach it, make a handshake, judge the chain, show the client certificate,
//! log in. Each step confirms or rules out causes.

use rustls::pki_types::CertificateDer;
use sectag::clock::DateTime;
use sectag::{Cause, Support};

use super::network::Place;
use super::subject::{Holds, Subject};
use super::tls::{self, Attempt, Client, Ending, Offer, PATIENCE};
use super::{certificates, login};
use crate::clock::timeout;
use crate::failure::Findings;
use crate::mqtt::Login;
use crate::report::Report;

/// Examines the server, prints each finding as it is made, and returns all of them.
pub(crate) async fn look(subject: &Subject<'_>, report: &Report) -> Findings {
    let mut probe = Probe {
        report,
        findings: Findings {
            is_past_tls: subject.login.is_some(),
            ..Findings::default()
        },
    };
    // Findings that were made before it had to stop count.
    let _ = probe.run(subject).await;
    probe.findings
}

struct Probe<'r> {
    report: &'r Report,
    findings: Findings,
}

/// The examination cannot go on, as when the server is not reachable.
struct Stop;

impl Probe<'_> {
    async fn run(&mut self, subject: &Subject<'_>) -> Result<(), Stop> {
        self.pair(subject);
        let place = self.reach(subject).await?;
        let attempt = self.handshake(&place, subject).await?;
        let proven = self.judge(&attempt.chain, subject);
        self.size(&attempt.chain, subject);
        if proven {
            self.nameless(&attempt, &place, subject).await;
        }
        self.client(&attempt, &place, subject).await;
        if let (Some(login), Ok(_)) = (subject.login, &attempt.outcome) {
            if proven {
                self.login(&place, subject, login).await;
            } else {
                self.say("no login was tried, because the server was not proven to be the right one (give its CA by --ca)");
            }
        }
        Ok(())
    }

    fn say(&self, text: impl AsRef<str>) {
        self.report.note(&format!(
            "probe: seen from this computer: {}",
            text.as_ref()
        ));
    }

    fn confirm(&mut self, cause: Cause) {
        self.findings.confirmed.push(cause);
    }

    fn disprove(&mut self, causes: &[Cause]) {
        self.findings.disproved.extend(causes);
    }

    /// As [`confirm`](Self::confirm), where it was seen with what the modem uses.
    fn confirm_if(&mut self, held: Holds, cause: Cause) {
        match held {
            Holds::It => self.confirm(cause),
            Holds::Untold => self.findings.likely.push(cause),
            Holds::Another => {}
        }
    }

    fn disprove_if(&mut self, held: Holds, causes: &[Cause]) {
        match held {
            Holds::It => self.disprove(causes),
            Holds::Untold => self.findings.unlikely.extend(causes),
            Holds::Another => {}
        }
    }

    fn pair(&mut self, subject: &Subject<'_>) {
        let held = subject.held.client();
        let one_of_two = matches!(
            (subject.held.certificate, subject.held.key),
            (Holds::It, Holds::Another) | (Holds::Another, Holds::It)
        );
        match certificates::pair(subject.files) {
            Some(true) if one_of_two => {
                self.say("the private key belongs to the client certificate, and the modem holds only one of the two");
                self.confirm(Cause::ClientKeyMismatch);
            }
            // Of a modem that does not tell what it holds, this is what is left when all is well with the files.
            Some(true) if held == Holds::It => self.disprove(&[Cause::ClientKeyMismatch]),
            Some(true) => {}
            Some(false) => {
                self.say("the private key does not belong to the client certificate");
                self.confirm_if(held, Cause::ClientKeyMismatch);
            }
            None => {}
        }
    }

    async fn reach(&mut self, subject: &Subject<'_>) -> Result<Place, Stop> {
        let (host, port) = (subject.host, subject.port);
        let places = match timeout(PATIENCE, subject.names.resolve(host, port)).await {
            Ok(Ok(places)) => places,
            Ok(Err(error)) => {
                let error = error.to_string();
                let reason = error
                    .strip_prefix("failed to lookup address information: ")
                    .unwrap_or(&error);
                self.say(format!("{host}: {reason}"));
                // This computer may have no DNS itself.
                if !reason.contains("Temporary failure") {
                    self.confirm(Cause::NameUnknown);
                }
                return Err(Stop);
            }
            Err(_) => {
                self.say(format!(
                    "no answer to the question for the address of {host}"
                ));
                return Err(Stop);
            }
        };
        self.disprove(&[Cause::NameUnknown]);
        let mut last = String::from("nothing listens there");
        for place in places {
            match timeout(PATIENCE, place.connect()).await {
                Ok(Ok(_)) => {
                    self.say(format!(
                        "{host}:{port} is {place}{} and accepts connections",
                        subject.names.whose()
                    ));
                    self.disprove(&[Cause::Unreachable]);
                    return Ok(place);
                }
                Ok(Err(error)) => last = error.to_string(),
                Err(_) => last = format!("no answer within {} s", PATIENCE.as_secs()),
            }
        }
        self.say(format!(
            "nothing accepts a connection to {host}:{port}: {last}"
        ));
        self.confirm(Cause::Unreachable);
        Err(Stop)
    }

    /// Makes a handshake as the modem does. If that shows no certificate, makes one with all that this computer can, to see why.
    async fn handshake(&mut self, place: &Place, subject: &Subject<'_>) -> Result<Attempt, Stop> {
        let client = Client::from_files(subject.files);
        let suites = &subject.ability.suites;
        let tries = async |offer| tls::attempt(place, subject.host, offer, client.clone()).await;
        if let Some(offer) = Offer::as_modem(suites) {
            let attempt = tries(offer).await;
            if !attempt.chain.is_empty() {
                self.disprove(&[
                    Cause::NoCommonSuite,
                    Cause::PeerClosed,
                    Cause::ServerKeyUnsupported,
                    Cause::NotTls,
                ]);
                return Ok(attempt);
            }
            if attempt.ending == Ending::Silent {
                return Err(self.no_handshake(&attempt, place).await);
            }
        }
        let attempt = tries(Offer::EVERYTHING_1_2).await;
        if !attempt.chain.is_empty() {
            self.mismatch(&attempt.chain, suites);
            return Ok(attempt);
        }
        let attempt = tries(Offer::EVERYTHING).await;
        if !attempt.chain.is_empty() {
            self.mismatch(&attempt.chain, suites);
            return Ok(attempt);
        }
        Err(self.no_handshake(&attempt, place).await)
    }

    /// The server has shown no certificate, whatever was offered.
    async fn no_handshake(&mut self, attempt: &Attempt, place: &Place) -> Stop {
        match attempt.ending {
            Ending::NotTls => {
                self.say("the server does not speak TLS");
                self.confirm(Cause::NotTls);
            }
            Ending::Incompatible => {
                self.say("the server refuses TLS 1.2 and 1.3, with every cipher suite that this computer has: it may have older ones alone");
                self.confirm(Cause::NoCommonSuite);
            }
            Ending::Closed | Ending::Silent if login::is_plain_broker(place).await => {
                self.say("the server speaks MQTT without TLS");
                self.confirm(Cause::NotTls);
            }
            Ending::Closed => {
                self.say("the server closes the connection when a handshake begins");
                self.confirm(Cause::PeerClosed);
            }
            Ending::Silent => {
                self.say("the server accepts the connection and answers nothing");
                self.confirm(Cause::NetworkSlow);
            }
            _ => self.say(match &attempt.outcome {
                Err(reason) => format!("the server shows no certificate: {reason}"),
                Ok(()) => "the server shows no certificate".into(),
            }),
        }
        Stop
    }

    /// The server shows a certificate, and not to the modem's suites.
    fn mismatch(&mut self, chain: &[CertificateDer<'_>], suites: &[u16]) {
        self.disprove(&[Cause::NotTls]);
        let key = chain
            .first()
            .and_then(|leaf| certificates::inspect(leaf))
            .map(|certificate| certificate.key);
        if suites.is_empty() {
            return;
        }
        match key {
            Some(key) if !tls::suits(key, suites) => {
                self.say(format!(
                    "the server's key is {key}, for which the modem has no cipher suite"
                ));
                self.confirm(Cause::ServerKeyUnsupported);
            }
            _ if tls::has_all(key, suites) => {
                self.say("the server refuses the modem's TLS version and cipher suites");
                self.confirm(Cause::NoCommonSuite);
            }
            _ => {
                self.say("the server refuses those of the modem's cipher suites that this computer has too; it may take one of the others");
                self.findings.likely.push(Cause::NoCommonSuite);
            }
        }
    }

    /// Returns whether chain, dates and name are all in order.
    fn judge(&mut self, chain: &[CertificateDer<'static>], subject: &Subject<'_>) -> bool {
        let right = certificates::put_right(chain, subject.host);
        if right.is_some() {
            self.say("the server sends a CA's certificate first, and its own behind it");
            self.confirm(Cause::ChainIncomplete);
        }
        let is_ordered = right.is_none();
        let chain = right.as_deref().unwrap_or(chain);
        let dates = self.dates(chain, subject.now);
        let name = self.name(chain, subject.host);
        let signed = match certificates::is_signed(chain, subject.files.ca.as_deref()) {
            None => {
                self.say("whether the CA is the right one was not looked at: give it by --ca FILE");
                false
            }
            Some(Err(reason)) => {
                self.say(format!("the CA file cannot be read: {reason}"));
                self.confirm_if(subject.held.ca, Cause::CaUnreadable);
                false
            }
            Some(Ok(true)) => {
                self.say("the CA that was given has signed the server's certificate");
                if is_ordered {
                    self.disprove(&[Cause::ChainIncomplete]);
                }
                let (held, ca) = (subject.held.ca, [Cause::CaMismatch, Cause::CaUnreadable]);
                if held == Holds::Another {
                    self.findings.likely.extend(ca);
                }
                self.disprove_if(held, &ca);
                true
            }
            Some(Ok(false)) => {
                self.astray(chain, subject);
                false
            }
        };
        is_ordered && dates && name && signed
    }

    /// The chain does not lead to the CA that was given.
    fn astray(&mut self, chain: &[CertificateDer<'_>], subject: &Subject<'_>) {
        let held = subject.held.ca;
        let ca = subject.files.ca.as_deref().unwrap_or_default();
        match certificates::astray(chain, ca) {
            Some(astray) if !astray.is_named_like_the_ca => {
                self.say(format!(
                    "the server's certificate leads to {}, which the server does not send and which is not the CA that was given",
                    astray.issuer
                ));
                let mut both = [Cause::CaMismatch, Cause::ChainIncomplete];
                if astray.is_likely_cut {
                    both.reverse();
                }
                self.findings.likely.extend(both);
                if held == Holds::It {
                    self.findings.confirmed.extend(both);
                }
            }
            _ => {
                self.say("the server's certificate was not signed by the CA that was given");
                self.disprove_if(held, &[Cause::ChainIncomplete]);
                self.confirm_if(held, Cause::CaMismatch);
            }
        }
    }

    /// Whether the certificates are more than the modem takes.
    fn size(&mut self, chain: &[CertificateDer<'_>], subject: &Subject<'_>) {
        let Some(limit) = subject.ability.record_limit else {
            return;
        };
        let size: usize = chain.iter().map(|certificate| certificate.len()).sum();
        if size < usize::from(limit) {
            self.disprove(&[Cause::ChainTooLong]);
        } else {
            self.say(format!(
                "the server's certificates have {size} bytes, and the modem takes records of {limit}"
            ));
            self.findings.likely.push(Cause::ChainTooLong);
        }
    }

    /// Whether a server that is right shows the same to a modem that does not say which name it means.
    async fn nameless(&mut self, attempt: &Attempt, place: &Place, subject: &Subject<'_>) {
        if subject.ability.names_host == Support::Yes {
            return;
        }
        let client = Client::from_files(subject.files);
        let offer = attempt.offer.clone().without_name();
        let bare = tls::attempt(place, subject.host, offer, client).await;
        if bare.chain.first() == attempt.chain.first() {
            self.disprove(&[Cause::SniNeeded]);
            return;
        }
        self.say(
            "the server shows another certificate, or none, where its name is not in the handshake (SNI)",
        );
        self.confirm(Cause::SniNeeded);
    }

    fn dates(&mut self, chain: &[CertificateDer<'_>], now: DateTime) -> bool {
        let (mut expired, mut early, mut known) = (None, None, true);
        for certificate in chain {
            match certificates::inspect(certificate) {
                Some(certificate) => {
                    known &= certificate.not_before.is_some() && certificate.not_after.is_some();
                    expired = expired.or(certificate.not_after.filter(|end| *end < now));
                    early = early.or(certificate.not_before.filter(|begin| *begin > now));
                }
                None => known = false,
            }
        }
        match (expired, early) {
            (Some(end), _) => {
                self.say(format!(
                    "the server's certificate expired at {end}, and the modem's clock says {now}"
                ));
                self.confirm(Cause::CertificateExpired);
            }
            (None, Some(begin)) => {
                self.say(format!(
                    "the server's certificate is valid from {begin}, and the modem's clock says {now}"
                ));
                self.confirm(Cause::CertificateNotYetValid);
            }
            (None, None) if known => {
                self.disprove(&[Cause::CertificateExpired, Cause::CertificateNotYetValid]);
            }
            (None, None) => {}
        }
        known && expired.is_none() && early.is_none()
    }

    fn name(&mut self, chain: &[CertificateDer<'_>], host: &str) -> bool {
        match chain
            .first()
            .and_then(|leaf| certificates::is_for(leaf, host))
        {
            Some(true) => {
                self.disprove(&[Cause::NameMismatch]);
                true
            }
            Some(false) => {
                self.say(format!("the server's certificate is not for {host}"));
                self.confirm(Cause::NameMismatch);
                false
            }
            None => false,
        }
    }

    /// What the server made of our certificate, or of its absence.
    async fn client(&mut self, attempt: &Attempt, place: &Place, subject: &Subject<'_>) {
        let shown = subject.files.client.is_some();
        match (&attempt.outcome, attempt.demanded) {
            (Ok(()), false) => self.disprove(&[
                Cause::ClientCertificateNeeded,
                Cause::ClientCertificateRefused,
            ]),
            (Ok(()), true) if shown => {
                // The server has judged the certificate; the key is another matter.
                self.disprove_if(subject.held.certificate, &[Cause::ClientCertificateRefused]);
                if subject.held.key == Holds::Untold && subject.held.certificate != Holds::Another {
                    // With these files all is well from here, so that it is the key if it is any of them.
                    self.findings.likely.push(Cause::ClientKeyMismatch);
                }
                let offer = attempt.offer.clone();
                let bare = tls::attempt(place, subject.host, offer, Client::NONE).await;
                if bare.outcome.is_ok() {
                    self.disprove(&[Cause::ClientCertificateNeeded]);
                } else {
                    self.say("the server demands a client certificate, and accepts the one that was given");
                    self.confirm(Cause::ClientCertificateNeeded);
                }
            }
            (Ok(()), true) => self.disprove(&[Cause::ClientCertificateNeeded]),
            (Err(reason), true) if shown => {
                self.say(format!(
                    "the server refused the client certificate: {reason}"
                ));
                self.confirm_if(subject.held.client(), Cause::ClientCertificateRefused);
            }
            (Err(_), true) => {
                self.say("the server demands a client certificate, and none was given");
                self.confirm(Cause::ClientCertificateNeeded);
            }
            (Err(reason), false) => self.say(format!("the handshake ended: {reason}")),
        }
    }

    async fn login(&mut self, place: &Place, subject: &Subject<'_>, login: &Login) {
        let client = Client::from_files(subject.files);
        let connect = async || {
            tls::open(place, subject.host, Offer::EVERYTHING_1_2, client.clone())
                .await
                .ok()
        };
        for (cause, text) in login::look(connect, login).await {
            self.say(text);
            match cause {
                login::Verdict::Confirmed(cause) => self.confirm(cause),
                // A login that was made with another certificate than the modem's is another login.
                login::Verdict::Disproved(causes) if subject.files.client.is_some() => {
                    self.disprove_if(subject.held.client(), causes);
                }
                login::Verdict::Disproved(causes) => self.disprove(causes),
                login::Verdict::Nothing => {}
            }
        }
    }
}
