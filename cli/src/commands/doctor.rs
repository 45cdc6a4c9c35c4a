//! `sectag doctor`: everything that a connection needs, in order, with what to do about the first that is missing.

use sectag::clock::{DateTime, MIN_DATE};
use sectag::modem::{ClockPart, Full, LinesPart, SimPart};
use sectag::{
    AtError, BringUpError, Capabilities, Cause, Comparison, ConnectError, Control, CredentialError,
    Expiry, Feature, Kind, Registration, ServerKey, ServerName, Signal, SimState, Status, Stored,
    TlsConfig, TlsVersion,
};

use crate::args::{Doctor, Server, TlsArgs};
use crate::credential_file::{self, CredentialFile};
use crate::failure::Failure;
use crate::families::ModemName;
use crate::hints::{self, Target};
use crate::mqtt::{self, Login};
use crate::ppp;
use crate::probe::{Files, Names, Prober};
use crate::report::Report;
use crate::session::{self, Job, Session, host_clock};
use crate::start;
use crate::tls;

/// A certificate that ends within so many days is named.
const DUE_DAYS: u16 = 30;
/// Nothing to read, here and there.
const UNREADABLE: &str = "not known: the modem does not let certificates be read back (give the files by --ca and --cert)";

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

impl Examination<'_> {
    /// From the first answer to the data connection. The bring-up stops at its first obstacle, so what comes before
    /// that is in order.
    fn modem<M: Full>(
        &self,
        status: &Status,
        other_speed: Option<u32>,
        tried: &str,
    ) -> Result<(), Failure> {
        let failed = |what| match &status.problem {
            Some(problem) => self.list.fails(what, hints::bring_up(problem, tried)),
            None => Failure::new(format!("{what}: the modem does not say")),
        };
        let problem = status.problem.as_ref();
        if problem.is_some_and(session::is_no_answer) {
            return Err(failed(answers::<M>()));
        }
        if let Some(BringUpError::At { error, .. }) = problem
            && !matches!(error, AtError::Refused(_))
        {
            return Err(failed(answers::<M>()));
        }
        let speed = other_speed.map_or_else(String::new, |baud| {
            format!(", at {baud} baud and not at {}", self.args.modem.baud)
        });
        self.list
            .ok(answers::<M>(), &format!("{}{speed}", identity(status)))?;
        if let Some(BringUpError::SettingRefused { .. }) = problem {
            return Err(failed("settings"));
        }
        if !M::Sim::THERE {
            if problem.is_some() {
                return Err(failed("network"));
            }
            if status.signal != Signal::default() {
                self.list.line("info", "signal", &signal(status))?;
            }
            let address = status.address.as_ref().map_or("up", |address| address);
            return self.list.ok("network", address);
        }
        let sim_failed = matches!(
            problem,
            Some(
                BringUpError::SimMissing(_)
                    | BringUpError::SimNotReady(_)
                    | BringUpError::SimLocked
                    | BringUpError::SimPinRefused
                    | BringUpError::SimPukNeeded
                    | BringUpError::SimForeign
            )
        );
        if sim_failed || status.sim.is_some_and(|sim| sim != SimState::Ready) {
            return Err(failed("SIM"));
        }
        self.list.ok("SIM", "ready")?;
        self.list.line("info", "signal", &signal(status))?;
        let registered = status.registration.is_some_and(Registration::is_registered);
        if !registered || matches!(problem, Some(BringUpError::NotRegistered { .. })) {
            return Err(failed("registration"));
        }
        self.list.ok("registration", &registration(status))?;
        if problem.is_some() {
            return Err(failed("data connection"));
        }
        let address = status.address.as_ref().map_or("up", |address| address);
        self.list.ok("data connection", address)
    }

    async fn clock<M: Full>(&self, session: &Session<'_, M>) -> Result<DateTime, Failure> {
        const WHAT: &str = "clock";
        let fails = |failure| self.list.fails(WHAT, failure);
        session.set_clock().await.map_err(fails)?;
        if !M::Clock::THERE {
            self.list.line(
                "info",
                WHAT,
                "this modem has none: dates are judged by this computer's",
            )?;
            return host_clock()
                .ok_or_else(|| fails(Failure::new("this computer's clock shows no date: set it")));
        }
        let now = session
            .control
            .clock_if_any()
            .await
            .map_err(|error| fails(hints::at("the modem's clock", &error)))?;
        match now {
            Some(now) if now >= MIN_DATE => {
                self.list.ok(WHAT, &now.to_string())?;
                Ok(now)
            }
            now => Err(fails(
                Failure::new(format!(
                    "the modem's clock says {}, so it cannot tell whether a certificate is valid",
                    now.map_or("nothing".into(), |now| now.to_string())
                ))
                .hint("set it from this computer: --set-clock host"),
            )),
        }
    }

    /// What no credential and no server can mend.
    fn firmware<M: Full>(&self, control: Control<'_, M>, tls: &TlsArgs) -> Result<(), Failure> {
        const WHAT: &str = "firmware";
        match control.admit(&TlsConfig::new(tls.tag)) {
            Err(error @ ConnectError::Firmware { .. }) => {
                Err(self.list.fails(WHAT, hints::connect_at_all(&error)))
            }
            Err(error @ ConnectError::Lacks(Feature::FlowControl)) => Err(self
                .list
                .fails("flow control", hints::connect_at_all(&error))),
            // The rest is for the policy and for the server to decide.
            _ => self.list.ok(WHAT, "TLS sockets can be used"),
        }
    }

    /// Presence, and size against the local files: another size is another content, the same size proves nothing.
    async fn credentials<M: Full>(
        &self,
        control: Control<'_, M>,
        tls: &TlsArgs,
        now: DateTime,
    ) -> Result<(), Failure> {
        const WHAT: &str = "credentials";
        let tag = tls.tag;
        let mut stored = Vec::new();
        control
            .list_tag(tag, &mut |entry| {
                if entry.other_store.is_none() {
                    stored.push(entry);
                }
            })
            .await
            .map_err(|error| {
                let failure = hints::credential("listing the credentials", &error);
                self.list.fails(WHAT, failure)
            })?;
        let has = |kind| stored.iter().find(|entry| entry.kind == kind);
        // A firmware may well have both.
        let elsewhere = if stored.len() < Kind::ALL.len() {
            control.other_store(tag).await.map_err(|error| {
                let failure = hints::credential("looking for credentials elsewhere", &error);
                self.list.fails(WHAT, failure)
            })?
        } else {
            None
        };
        let others = match has(Kind::Ca) {
            Some(_) => None,
            None => tls::other_tags(control, tag).await,
        };
        let missing = |kind: Kind, option: &str| {
            let failure = match elsewhere {
                Some(found) => hints::unsuitable(&format!("tag {tag} holds no {kind}"), &found),
                None => Failure::new(format!("tag {tag} holds no {kind}")),
            };
            let failure = failure.hint(format!(
                "store it: sectag credentials store{} --tag {tag} {option}",
                hints::place(&self.args.modem)
            ));
            let failure = match &others {
                Some(others) => failure.hint(others.clone()),
                None => failure,
            };
            self.list.fails(WHAT, failure)
        };
        if has(Kind::Ca).is_none() {
            return Err(missing(Kind::Ca, "--ca ca.pem"));
        }
        match (has(Kind::ClientCertificate), has(Kind::PrivateKey)) {
            (Some(_), None) => return Err(missing(Kind::PrivateKey, "--key client.key")),
            (None, Some(_)) => return Err(missing(Kind::ClientCertificate, "--cert client.pem")),
            _ => {}
        }
        for file in &self.local {
            if let Some(end) = file.expired(now) {
                let kind = file.kind;
                let failure = Failure::new(format!("the {kind} of this computer expired at {end}"))
                    .hint("renew it, then store it again");
                return Err(self.list.fails(WHAT, failure));
            }
            let Some(entry) = has(file.kind) else {
                let option = match file.kind {
                    Kind::ClientCertificate => "--cert client.pem",
                    Kind::PrivateKey => "--key client.key",
                    _ => "--ca ca.pem",
                };
                return Err(missing(file.kind, option));
            };
            if let Some(failure) = self.differs(control, file, entry).await? {
                return Err(self.list.fails(WHAT, failure));
            }
        }
        if let Some(found) = elsewhere {
            self.list.line("info", WHAT, &found.to_string())?;
        }
        let kinds: Vec<String> = stored.iter().map(|entry| entry.kind.to_string()).collect();
        self.list
            .ok(WHAT, &format!("tag {tag}: {}", kinds.join(", ")))
    }

    /// When what is stored is not what the file has: by size where it is stored as it is given, else by content.
    async fn differs<M: Full>(
        &self,
        control: Control<'_, M>,
        file: &CredentialFile,
        stored: &Stored,
    ) -> Result<Option<Failure>, Failure> {
        let (tag, kind) = (stored.tag, file.kind);
        let other = |text: String| {
            Failure::new(text)
                .hint("it is another one: store the file, or give the one that was stored")
        };
        if M::ACCEPTS.container.is_none() {
            let (here, there) = (file.len(), stored.len);
            return Ok(there.filter(|there| *there != here).map(|there| {
                other(format!(
                    "the {kind} under tag {tag} has {there} bytes and the file of this computer {here}"
                ))
            }));
        }
        let step = self
            .report
            .bytes(format!("comparing the {kind}"), file.len());
        let found = control.compare(tag, kind, file.source(&step)).await;
        drop(step);
        match found {
            Ok(Comparison::Differs) => Ok(Some(other(format!(
                "the {kind} under tag {tag} is not that of the file of this computer"
            )))),
            Ok(_) => Ok(None),
            Err(error) => {
                let failure = hints::credential(&format!("comparing the {kind}"), &error);
                Err(self.list.fails("credentials", failure))
            }
        }
    }

    /// When the certificates in the modem end; where it does not let them be read, those of the files here.
    async fn expiry<M: Full>(
        &self,
        control: Control<'_, M>,
        tls: &TlsArgs,
        now: DateTime,
    ) -> Result<(), Failure> {
        const WHAT: &str = "expiry";
        let tag = tls.tag;
        let (found, place) = match control.expires(tag).await {
            Ok(found) => (found, ""),
            Err(CredentialError::Unreadable) => {
                let end = |kind| {
                    let file = self.local.iter().find(|file| file.kind == kind);
                    file.and_then(CredentialFile::ends)
                };
                let found = Expiry {
                    ca: end(Kind::Ca),
                    client: end(Kind::ClientCertificate),
                };
                if found.soonest().is_none() {
                    return self.list.line("info", WHAT, UNREADABLE);
                }
                (found, " (of the files on this computer)")
            }
            Err(error) => {
                let failure = hints::credential("reading when the certificates end", &error);
                return Err(self.list.fails(WHAT, failure));
            }
        };
        let mut parts = Vec::new();
        for (kind, end) in [
            (Kind::Ca, found.ca),
            (Kind::ClientCertificate, found.client),
        ] {
            let Some(end) = end else { continue };
            if end < now {
                let failure = Failure::new(format!("the {kind} under tag {tag} ended at {end}"))
                    .hint("renew it, then store it again");
                return Err(self.list.fails(WHAT, failure));
            }
            let days = (end.to_unix() - now.to_unix()) / 86_400;
            parts.push(format!("{kind} in {days} days, at {end}"));
        }
        if parts.is_empty() {
            return self
                .list
                .line("info", WHAT, "no certificate says when it ends");
        }
        let soon = if found.is_due(now, DUE_DAYS) {
            ": time to renew what ends first"
        } else {
            ""
        };
        self.list
            .ok(WHAT, &format!("{}{place}{soon}", parts.join("; ")))
    }

    /// What a server must have to be spoken to.
    fn abilities(&self, capabilities: &Capabilities) -> Result<(), Failure> {
        let (oldest, newest) = capabilities.versions;
        let versions = if oldest == newest {
            format!("only TLS {newest}")
        } else {
            format!("TLS {oldest} to {newest}")
        };
        let keys = [(ServerKey::Rsa, "RSA"), (ServerKey::Ecdsa, "ECDSA")];
        let keys: Vec<&str> = keys
            .iter()
            .filter(|(key, _)| capabilities.speaks_to(*key))
            .map(|(_, name)| *name)
            .collect();
        let keys = match keys[..] {
            [] => "which keys a server may have is not known".into(),
            [only] => format!("only servers with a key of {only}"),
            _ => format!("servers with a key of {}", keys.join(" or ")),
        };
        let newer = if newest == TlsVersion::Tls13 {
            ""
        } else {
            "; a server of TLS 1.3 alone is not spoken to"
        };
        self.list
            .line("info", "TLS", &format!("{versions}, {keys}{newer}"))
    }

    async fn connection<M: Full>(
        &self,
        control: Control<'_, M>,
        tls: &TlsArgs,
        server: &Server,
    ) -> Result<(), Failure> {
        const WHAT: &str = "connection";
        let prober = Prober {
            names: Names::behind(&self.args.modem.port),
            files: Files::of(&self.local),
            tag: tls.tag,
        };
        let (host, port) = (server.host.as_str(), server.port);
        let fails = |failure| self.list.fails(WHAT, failure);
        let config = tls::config(control, tls, self.report)
            .await
            .map_err(fails)?;
        let name = ServerName::new(host)
            .map_err(|error| fails(Failure::new(format!("{host}: {error}"))))?;
        let target = Target {
            host,
            port,
            tag: tls.tag,
            modem: Some(&self.args.modem),
        };
        let step = self.report.spin(format!("connecting to {host}:{port}"));
        let connected = control.connect(name, port, &config).await;
        drop(step);
        let socket = match connected {
            Ok(socket) => socket,
            Err(error) => {
                let what = match error.causes().next() {
                    _ if matches!(error, ConnectError::Unverifiable(_)) => "verification",
                    _ if matches!(
                        error,
                        ConnectError::Lacks(Feature::SuiteChoice)
                            | ConnectError::SuiteNotAllowed { .. }
                    ) =>
                    {
                        "cipher suites"
                    }
                    Some(Cause::NameUnknown | Cause::NameUnknownHere) => "DNS",
                    _ => WHAT,
                };
                let failure = hints::connect(&error, &target);
                let failure = prober
                    .explain(failure, control, (host, port), None, self.report)
                    .await;
                return Err(self.list.fails(what, failure));
            }
        };
        self.list.ok("DNS", host)?;
        self.list
            .ok("verification", &tls::describe(socket.verified()))?;
        let detail = format!("{host}:{port}, {}", tls::kind(&config));
        self.list.ok(WHAT, &detail)?;
        let Some(login) = &self.login else {
            socket
                .close()
                .await
                .map_err(|error| hints::socket("closing the connection", &error))?;
            return self.looked_at(&prober, control, (host, port)).await;
        };
        let step = self.report.spin("logging in to the broker");
        let logged_in = mqtt::try_login(login, socket).await;
        drop(step);
        if let Err(failure) = logged_in {
            let failure = prober
                .explain(failure, control, (host, port), Some(login), self.report)
                .await;
            return Err(self.list.fails("login", failure));
        }
        self.list
            .ok("login", &format!("as client {}", login.client_id))?;
        self.looked_at(&prober, control, (host, port)).await
    }

    /// Looks from this computer, where that is wanted though all is well.
    async fn looked_at<M: Full>(
        &self,
        prober: &Prober,
        control: Control<'_, M>,
        (host, port): (&str, u16),
    ) -> Result<(), Failure> {
        if self.args.probe {
            let server = (host, port);
            prober.look(control, server, None, self.report).await;
        }
        Ok(())
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

fn identity(status: &Status) -> String {
    let parts = [
        status.manufacturer.as_deref(),
        status.model.as_deref(),
        status.firmware.as_deref(),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

fn registration(status: &Status) -> String {
    let mut parts: Vec<String> = Vec::new();
    parts.extend(status.registration.map(|state| state.to_string()));
    parts.extend(status.operator.as_ref().map(|name| name.to_string()));
    parts.extend(status.technology.map(|technology| technology.to_string()));
    parts.extend(status.band.as_ref().map(|band| band.to_string()));
    parts.join(", ")
}

fn signal(status: &Status) -> String {
    let signal = &status.signal;
    let (figure, value, poor) = match (signal.rsrp, signal.rssi) {
        (Some(rsrp), _) => ("RSRP", rsrp, rsrp < -115),
        (None, Some(rssi)) => ("RSSI", rssi, rssi < -105),
        (None, None) => return "no cell is heard".into(),
    };
    let poor = if poor {
        ", which is poor: check the antenna"
    } else {
        ""
    };
    format!("{figure} {value} dBm{poor}")
}
