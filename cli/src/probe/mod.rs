//! A look at the server from this computer, to tell apart what the modem has one number for.
//!
//! What it finds holds for this computer's path to the server, so every line says so. The connection is not verified,
//! which is the point: nothing is sent over it but a handshake, and where that leads to nothing, a login of MQTT without name and
//! password. The user's login is tried only with a server that was proven to be the right one.

mod certificates;
mod files;
mod login;
mod names;
mod network;
mod tls;

use rustls::pki_types::CertificateDer;
use sectag::clock::DateTime;
use sectag::modem::Full;
use sectag::{Cause, Comparison, Control, Kind, Support, Tag};

pub(crate) use self::files::Files;
pub(crate) use self::network::Names;
use self::network::Place;
use self::tls::{Attempt, Client, Ending, Offer, PATIENCE};
use crate::args::{ModemArgs, ProbeArgs};
use crate::clock::timeout;
use crate::credential_file;
use crate::failure::{Failure, Findings};
use crate::mqtt::Login;
use crate::report::Report;
use crate::session::{host_clock, silent_by};

/// Whether the side that failed uses a file of this computer, byte for byte. What is found with another says something about the server, and
/// nothing about the modem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holds {
    /// It was asked, and does.
    It,
    /// It was asked, and has another or none.
    Another,
    /// It does not tell.
    Untold,
}

/// The same of each file. Of those that were not given, nothing is found either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Held {
    ca: Holds,
    certificate: Holds,
    key: Holds,
}

impl Held {
    /// TLS is on this computer.
    const ALL: Self = Self {
        ca: Holds::It,
        certificate: Holds::It,
        key: Holds::It,
    };

    /// Of certificate and key together.
    fn client(self) -> Holds {
        match (self.certificate, self.key) {
            (Holds::It, Holds::It) => Holds::It,
            (Holds::Another, _) | (_, Holds::Another) => Holds::Another,
            _ => Holds::Untold,
        }
    }
}

/// What is known of the modem's TLS.
struct Ability {
    /// Its cipher suites; empty when not known.
    suites: Vec<u16>,
    /// The server is told which name is meant (SNI).
    names_host: Support,
    /// The longest record that it takes.
    record_limit: Option<u16>,
}

impl Ability {
    /// This computer's.
    const UNBOUNDED: Self = Self {
        suites: Vec::new(),
        names_host: Support::Yes,
        record_limit: None,
    };
}

/// Explains failures of connections by looking at the server.
pub(crate) struct Prober {
    pub(crate) names: Names,
    pub(crate) files: Files,
    /// Where the modem has what it uses.
    pub(crate) tag: Tag,
}

impl Prober {
    /// When the user asked for it.
    pub(crate) async fn from_args(
        args: &ProbeArgs,
        modem: &ModemArgs,
        tag: Tag,
    ) -> Result<Option<Self>, Failure> {
        if !args.probe {
            return Ok(None);
        }
        let files = credential_file::read(args.files.paths(), modem.modem).await?;
        Ok(Some(Self {
            names: Names::behind(&modem.port),
            files: Files::of(&files),
            tag,
        }))
    }

    /// Asks the modem whether it holds the files.
    async fn held<M: Full>(&self, control: Control<'_, M>, report: &Report) -> Held {
        let holds = async |kind: Kind, content: &[u8]| {
            let limit = embassy_time::Duration::from_secs(10);
            let compared = control.compare(self.tag, kind, content);
            let tag = self.tag;
            let found = embassy_time::with_timeout(limit, compared).await;
            let told = match found {
                Ok(Ok(Comparison::Same)) => return Holds::It,
                Ok(Ok(Comparison::Differs)) => (
                    Holds::Another,
                    format!("the modem holds another {kind} under tag {tag} than the file"),
                ),
                Ok(Ok(Comparison::Absent)) => (
                    Holds::Another,
                    format!("the modem holds no {kind} under tag {tag}"),
                ),
                _ => (
                    Holds::Untold,
                    format!(
                        "the modem does not tell whether the {kind} under tag {tag} is that of the file"
                    ),
                ),
            };
            let (held, told) = told;
            report.note(&format!("probe: asked of the modem: {told}"));
            held
        };
        let ca = match &self.files.ca {
            Some(ca) => holds(Kind::Ca, ca).await,
            None => Holds::Untold,
        };
        let (certificate, key) = match &self.files.client {
            Some((certificate, key)) => (
                holds(Kind::ClientCertificate, certificate).await,
                holds(Kind::PrivateKey, key).await,
            ),
            None => (Holds::Untold, Holds::Untold),
        };
        Held {
            ca,
            certificate,
            key,
        }
    }

    /// Narrows the causes of `failure` down, if there are several. `login` when the modem came that far.
    pub(crate) async fn explain<M: Full>(
        &self,
        failure: Failure,
        control: Control<'_, M>,
        (host, port): (&str, u16),
        login: Option<&Login>,
        report: &Report,
    ) -> Failure {
        let failure = silent_by(&control, failure).await;
        if !failure.is_worth_a_look() {
            return failure;
        }
        match self.look(control, (host, port), login, report).await {
            Some(findings) => failure.narrow(&findings),
            None => failure,
        }
    }

    /// As [`explain`](Self::explain), with TLS that is on this computer: `now` is the time it goes by.
    pub(crate) async fn explain_here(
        &self,
        failure: Failure,
        now: DateTime,
        server: (&str, u16),
        login: Option<&Login>,
        report: &Report,
    ) -> Failure {
        if !failure.is_worth_a_look() {
            return failure;
        }
        let ability = Ability::UNBOUNDED;
        let findings = self.look_with(now, ability, Held::ALL, server, login, report);
        let findings = findings.await;
        failure.narrow(&findings)
    }

    /// Looks at the server, and tells line by line what it sees; `None` where there is no date to judge it by.
    pub(crate) async fn look<M: Full>(
        &self,
        control: Control<'_, M>,
        (host, port): (&str, u16),
        login: Option<&Login>,
        report: &Report,
    ) -> Option<Findings> {
        // The modem may be down by now; then this computer's clock is the best there is.
        let limit = embassy_time::Duration::from_secs(10);
        let clock = embassy_time::with_timeout(limit, control.clock_if_any()).await;
        let now = clock
            .ok()
            .and_then(|read| read.ok().flatten())
            .or_else(host_clock)?;
        let capabilities = control.capabilities();
        let ability = Ability {
            suites: capabilities.suites.modern().iter().collect(),
            names_host: capabilities.verification.sni,
            record_limit: capabilities.record_limit,
        };
        let held = self.held(control, report).await;
        let findings = self.look_with(now, ability, held, (host, port), login, report);
        Some(findings.await)
    }

    async fn look_with(
        &self,
        now: DateTime,
        ability: Ability,
        held: Held,
        (host, port): (&str, u16),
        login: Option<&Login>,
        report: &Report,
    ) -> Findings {
        let subject = Subject {
            host,
            port,
            names: &self.names,
            files: &self.files,
            now,
            ability,
            held,
            login,
        };
        let step = report.spin(format!("looking at {host}:{port} from this computer"));
        let findings = look(&subject, report).await;
        drop(step);
        findings
    }
}

/// What to look at, and with what in hand.
pub(crate) struct Subject<'a> {
    pub(crate) host: &'a str,
    pub(crate) port: u16,
    pub(crate) names: &'a Names,
    pub(crate) files: &'a Files,
    /// What the modem takes for the present; it decides about dates.
    pub(crate) now: DateTime,
    ability: Ability,
    /// Which of the files the modem uses.
    held: Held,
    /// How the modem logged in, when it came that far.
    pub(crate) login: Option<&'a Login>,
}

/// Looks, tells line by line, and sums up.
pub(crate) async fn look(subject: &Subject<'_>, report: &Report) -> Findings {
    let mut probe = Probe {
        report,
        findings: Findings {
            is_past_tls: subject.login.is_some(),
            ..Findings::default()
        },
    };
    // Its findings stand as far as it came.
    let _ = probe.run(subject).await;
    probe.findings
}

struct Probe<'r> {
    report: &'r Report,
    findings: Findings,
}

/// Nothing more can be seen.
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

    /// As the modem does it; when no certificate is seen that way, as openly as this computer can, to see why.
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
