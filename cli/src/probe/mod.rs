//! A look at the server from this computer, to tell apart what the modem has one number for.
//!
//! What it finds holds for this computer's way to the server, so every line says so. The connection is not verified,
//! which is the point: nothing is sent over it but a handshake. A login is tried only with a server that was proven to
//! be the right one.

mod certificates;
mod files;
mod login;
mod network;
mod tls;

use rustls::pki_types::CertificateDer;
use sectag::clock::DateTime;
use sectag::modem::Full;
use sectag::{Cause, Comparison, Control, Kind, Tag};

pub(crate) use self::files::Files;
pub(crate) use self::network::Names;
use self::network::Place;
use self::tls::{Attempt, Client, Offer, PATIENCE};
use crate::args::ProbeArgs;
use crate::clock::timeout;
use crate::credential_file;
use crate::failure::{Failure, Findings};
use crate::families::Choice;
use crate::mqtt::Login;
use crate::report::Report;
use crate::session::host_clock;

/// Which of the files the side that failed was seen to use, byte for byte. What is found with others says something about
/// the server, and nothing about the modem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Held {
    ca: bool,
    client: bool,
}

impl Held {
    /// TLS is on this computer.
    const ALL: Self = Self {
        ca: true,
        client: true,
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
        modem: Choice,
        tag: Tag,
    ) -> Result<Option<Self>, Failure> {
        if !args.probe {
            return Ok(None);
        }
        let files = credential_file::read(args.files.paths(), modem).await?;
        Ok(Some(Self {
            names: Names::here(),
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
                Ok(Ok(Comparison::Same)) => return true,
                Ok(Ok(Comparison::Differs)) => {
                    format!("the modem holds another {kind} under tag {tag} than the file")
                }
                Ok(Ok(Comparison::Absent)) => format!("the modem holds no {kind} under tag {tag}"),
                _ => format!(
                    "the modem does not tell whether the {kind} under tag {tag} is that of the file"
                ),
            };
            report.note(&format!("probe: asked of the modem: {told}"));
            false
        };
        let ca = match &self.files.ca {
            Some(ca) => holds(Kind::Ca, ca).await,
            None => false,
        };
        let client = match &self.files.client {
            Some((certificate, key)) => {
                holds(Kind::ClientCertificate, certificate).await
                    && holds(Kind::PrivateKey, key).await
            }
            None => false,
        };
        Held { ca, client }
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
        if !can_tell(&failure) {
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
        if !can_tell(&failure) {
            return failure;
        }
        let findings = self.look_with(now, Vec::new(), Held::ALL, server, login, report);
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
        let suites = control.capabilities().suites.modern().iter().collect();
        let held = self.held(control, report).await;
        let findings = self.look_with(now, suites, held, (host, port), login, report);
        Some(findings.await)
    }

    async fn look_with(
        &self,
        now: DateTime,
        suites: Vec<u16>,
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
            suites,
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
    /// The modem's cipher suites; empty when not known.
    pub(crate) suites: Vec<u16>,
    /// Which of the files the modem uses.
    held: Held,
    /// How the modem logged in, when it came that far.
    pub(crate) login: Option<&'a Login>,
}

/// Looks, tells line by line, and sums up.
pub(crate) async fn look(subject: &Subject<'_>, report: &Report) -> Findings {
    let mut probe = Probe {
        report,
        findings: Findings::default(),
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
    fn confirm_if(&mut self, held: bool, cause: Cause) {
        if held {
            self.confirm(cause);
        }
    }

    fn disprove_if(&mut self, held: bool, causes: &[Cause]) {
        if held {
            self.disprove(causes);
        }
    }

    fn pair(&mut self, subject: &Subject<'_>) {
        let held = subject.held.client;
        match certificates::pair(subject.files) {
            Some(true) => self.disprove_if(held, &[Cause::ClientKeyMismatch]),
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
                    self.say(format!("{host}:{port} is {place} and accepts connections"));
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
        let offer = Offer::as_modem(&subject.suites);
        let tries = async |offer| tls::attempt(place, subject.host, offer, client.clone()).await;
        if let Some(offer) = offer {
            let attempt = tries(offer).await;
            if !attempt.chain.is_empty() {
                self.disprove(&[
                    Cause::NoCommonSuite,
                    Cause::ServerKeyUnsupported,
                    Cause::NotTls,
                ]);
                return Ok(attempt);
            }
        }
        for offer in [Offer::EVERYTHING_1_2, Offer::EVERYTHING] {
            let attempt = tries(offer).await;
            if !attempt.chain.is_empty() {
                self.mismatch(&attempt.chain, &subject.suites);
                return Ok(attempt);
            }
            if attempt.is_not_tls() {
                self.say("what answers does not speak TLS");
                self.confirm(Cause::NotTls);
                return Err(Stop);
            }
        }
        self.say("the server ends every handshake before it shows a certificate");
        Err(Stop)
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
            _ => {
                self.say("the server refuses the modem's TLS version and cipher suites");
                self.confirm(Cause::NoCommonSuite);
            }
        }
    }

    /// Returns whether chain, dates and name are all in order.
    fn judge(&mut self, chain: &[CertificateDer<'_>], subject: &Subject<'_>) -> bool {
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
                self.disprove_if(subject.held.ca, &[Cause::CaMismatch, Cause::CaUnreadable]);
                true
            }
            Some(Ok(false)) => {
                self.say("the server's certificate was not signed by the CA that was given");
                self.confirm_if(subject.held.ca, Cause::CaMismatch);
                false
            }
        };
        dates && name && signed
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
                self.disprove_if(subject.held.client, &[Cause::ClientCertificateRefused]);
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
                self.confirm_if(subject.held.client, Cause::ClientCertificateRefused);
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
                login::Verdict::Disproved(causes) => self.disprove(causes),
                login::Verdict::Nothing => {}
            }
        }
    }
}

/// Whether a look at the server can say more than the failure does: several causes, or one that it may contradict.
fn can_tell(failure: &Failure) -> bool {
    let mut causes = failure.causes();
    match (causes.next(), causes.next()) {
        (None, _) => false,
        (Some(_), Some(_)) => true,
        (Some(cause), None) => matches!(
            cause,
            Cause::NameUnknown
                | Cause::NameUnknownHere
                | Cause::NameMismatch
                | Cause::NetworkSlow
                | Cause::NotTls
                | Cause::PeerClosed
                | Cause::Unreachable
        ),
    }
}
