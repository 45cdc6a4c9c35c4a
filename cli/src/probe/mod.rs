//! The probe of a server from this computer, which tells apart causes that a modem reports by one number.
//!
//! What it finds holds for this computer's path to the server, so every line says so. The connection is not verified,
//! which is the point: nothing is sent over it but a handshake, and where that leads to nothing, a login of MQTT without name and
//! password. The user's login is tried only with a server that was proven to be the right one.

mod certificates;
mod examination;
mod files;
mod login;
mod names;
mod network;
mod subject;
mod tls;

use sectag::clock::DateTime;
use sectag::modem::Full;
use sectag::{Comparison, Control, Kind, Tag};

use self::examination::look;
pub(crate) use self::files::Files;
pub(crate) use self::network::Names;
use self::subject::{Ability, Held, Holds, Subject};
use crate::args::{ModemArgs, ProbeArgs};
use crate::credential_file;
use crate::failure::{Failure, Findings};
use crate::mqtt::Login;
use crate::report::Report;
use crate::session::{host_clock, silent_by};

/// The part of the tool that explains a failed connection by a probe of the server.
pub(crate) struct Prober {
    pub(crate) names: Names,
    pub(crate) files: Files,
    /// The tag whose credentials the modem uses.
    pub(crate) tag: Tag,
}

impl Prober {
    /// Returns the prober, if the user asked for one by `--probe`.
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

    /// Narrows the causes of `failure` down, if there are several. `login` is the login that the modem made, if it came that
    /// far.
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

    /// Probes the server and prints each finding. Returns `None` where there is no time by which to judge dates.
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
