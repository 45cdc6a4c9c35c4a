//! `sectag doctor`: everything that a connection needs, in order, with what to do about the first that is missing.

mod modem;
mod server;
mod stored;

use sectag::modem::{Full, LinesPart};
use sectag::{AtError, BringUpError, Kind};

use crate::args::{Doctor, TlsArgs};
use crate::credential_file::{self, CredentialFile};
use crate::failure::Failure;
use crate::families::ModemName;
use crate::hints;
use crate::mqtt::Login;
use crate::ppp;
use crate::report::Report;
use crate::session::{Job, Session};
use crate::start;

pub(crate) async fn run(args: &Doctor, report: &Report) -> Result<(), Failure> {
    let list = List { report };
    if args.logs_in() && args.host.is_none() {
        return Err(
            Failure::new("a login is to a broker, and none is named").hint("name it: --host")
        );
    }
    if args.modem.modem.0 == Some(ModemName::Ppp) {
        return ppp::doctor(args, report, |verdict, what, detail| {
            list.line(verdict, what, detail)
        })
        .await;
    }
    // Mistakes of this computer's own files are found before the modem is touched, and standard input may be asked.
    let local = local(args, &list).await?;
    let login = match args.logs_in() {
        true => Some(Login::from_args(&args.user, report)?),
        false => None,
    };
    let examination = Examination {
        args,
        list,
        local,
        login,
        report,
    };
    start::ask(&args.modem, report, examination).await
}

/// The checklist.
struct List<'r> {
    report: &'r Report,
}

impl List<'_> {
    fn ok(&self, what: &str, detail: &str) -> Result<(), Failure> {
        self.line("ok", what, detail)
    }

    /// Passes the failure on.
    fn fails(&self, what: &str, failure: Failure) -> Failure {
        match self.line("FAIL", what, "see below") {
            Ok(()) => failure,
            Err(error) => error,
        }
    }

    fn line(&self, verdict: &str, what: &str, detail: &str) -> Result<(), Failure> {
        let text = format!("{verdict:<5} {what:<22} {detail}");
        self.report.row(text.trim_end(), Some(29), |object| {
            object
                .text("check", what)
                .text("verdict", verdict)
                .text("detail", detail)
        })
    }
}

async fn local(args: &Doctor, list: &List<'_>) -> Result<Vec<CredentialFile>, Failure> {
    const WHAT: &str = "files on this computer";
    let found = credential_file::read(args.files.paths(), args.modem.modem)
        .await
        .map_err(|failure| list.fails(WHAT, failure))?;
    if !found.is_empty() {
        let kinds: Vec<String> = found.iter().map(|file| file.kind.to_string()).collect();
        let detail = format!("{}: of the right kind", kinds.join(", "));
        list.ok(WHAT, &detail)?;
    }
    Ok(found)
}

struct Examination<'a> {
    args: &'a Doctor,
    list: List<'a>,
    local: Vec<CredentialFile>,
    login: Option<Login>,
    report: &'a Report,
}

impl Job for Examination<'_> {
    async fn run<M: Full>(mut self, session: Session<'_, M>) -> Result<(), Failure> {
        let control = session.control;
        self.list
            .ok("port", &format!("{} is open", self.args.modem.port))?;
        let step = self
            .report
            .spin("waiting for the modem to be on the network");
        let status = session.status().await;
        drop(step);
        let status = status.map_err(|problem| {
            let what = match problem {
                BringUpError::SettingRefused { .. } => "settings",
                BringUpError::At {
                    error: AtError::Refused(_),
                    ..
                } => "bring-up",
                _ => answers::<M>(),
            };
            self.list
                .fails(what, hints::bring_up(&problem, &session.tried()))
        })?;
        session.known(&status)?;
        self.modem::<M>(&status, session.other_speed(), &session.tried())?;
        let now = self.clock(&session).await?;
        let Some(tag) = self.args.tag else {
            return Ok(());
        };
        let tls = TlsArgs {
            tag,
            private_ca: self.args.private_ca,
            accept_missing: self.args.accept_missing.clone(),
        };
        self.firmware(control, &tls)?;
        self.credentials(control, &tls, now).await?;
        self.expiry(control, &tls, now).await?;
        self.abilities(&control.capabilities())?;
        if let Some(login) = &mut self.login
            && let Some(claims) = login.sign(now).await?
        {
            let mut files = self.local.iter();
            let certificate = files.find(|file| file.kind == Kind::ClientCertificate);
            let whose = match (&login.token, certificate) {
                (Some(token), Some(certificate)) if token.is_key_of(certificate).await? => {
                    "; the key of --cert"
                }
                (Some(_), Some(_)) => {
                    "; not the key of --cert, so the broker must know its public key by itself"
                }
                _ => "",
            };
            self.list.ok("token", &format!("{claims}{whose}"))?;
        }
        match &self.args.host {
            Some(server) => self.connection(control, &tls, server).await,
            None => Ok(()),
        }
    }
}

/// The first check of a modem: whether it answers at all.
fn answers<M: Full>() -> &'static str {
    if M::Lines::THERE {
        "answers AT"
    } else {
        "answers"
    }
}
