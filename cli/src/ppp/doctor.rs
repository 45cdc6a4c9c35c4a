//! `sectag doctor`, with the module as a link: everything that a connection needs, in order.

use std::cell::Cell;

use embassy_net::dns::DnsQueryType;
use sectag::Tag;

use super::connect::{config, connect};
use super::credentials::Set;
use super::link::{self, Dial, Link};
use crate::args::{Doctor, TlsArgs};
use crate::credential_file;
use crate::hints::{self, Failure, Target};
use crate::mqtt::{self, Login};
use crate::probe::{Files, Names, Prober};
use crate::report::Report;

/// Prints one line: verdict, what was looked at, detail.
pub(crate) trait Lines: Fn(&str, &str, &str) -> Result<(), Failure> {}
impl<F: Fn(&str, &str, &str) -> Result<(), Failure>> Lines for F {}

pub(crate) async fn run(args: &Doctor, report: &Report, line: impl Lines) -> Result<(), Failure> {
    let ok = |what: &str, detail: &str| line("ok", what, detail);
    let fails = |what: &str, failure: Failure| match line("FAIL", what, "see below") {
        Ok(()) => failure,
        Err(error) => error,
    };
    let set = match args.tag {
        None => Set::none(Tag(0)),
        Some(tag) => {
            const WHAT: &str = "credentials";
            let set = Set::read(tag, &args.files).await;
            let set = set.map_err(|failure| fails(WHAT, failure))?;
            let client = if set.has_client() {
                ", with a client certificate"
            } else {
                ", without a client certificate"
            };
            ok(WHAT, &format!("on this computer{client}"))?;
            set
        }
    };
    let prober = Prober {
        names: Names::behind(&args.modem.port),
        files: Files::of(&credential_file::read(args.files.paths(), args.modem.modem).await?),
        tag: args.tag.unwrap_or(Tag(0)),
    };
    let dial = Dial::from_args(&args.modem, report)?;
    // What fails before the link is up is the port, the module or the network: its own words say which.
    let up = Cell::new(false);
    let done = link::on_port(&args.modem, &dial, &set, report, async |link| {
        up.set(true);
        ok("link", &format!("address {}", address(&link)))?;
        match link.status().await {
            Ok(status) => ok("module", status.model.as_deref().unwrap_or("no name"))?,
            Err(error) => {
                let failure = hints::bring_up(&error, "--baud");
                line("info", "module", failure.observed())?;
            }
        }
        match link.now().zip(link.time_source()) {
            Some((now, source)) => ok("clock", &format!("{now}, from {source}"))?,
            None => {
                let unset = Failure::new("no time is known, so no certificate can be judged")
                    .hint("set it from this computer: --set-clock host");
                return Err(fails("clock", unset));
            }
        }
        let (Some(tag), Some(server)) = (args.tag, &args.host) else {
            return Ok(());
        };
        let found = link.stack.dns_query(&server.host, DnsQueryType::A).await;
        if !found.is_ok_and(|found| !found.is_empty()) {
            let unknown = Failure::new(format!(
                "{}: no name server of the link knows an address",
                server.host
            ))
            .hint("check the name; a network may know only its own names");
            return Err(fails("DNS", unknown));
        }
        ok("DNS", &server.host)?;
        let tls = TlsArgs {
            tag,
            private_ca: args.private_ca,
            accept_missing: args.accept_missing.clone(),
        };
        let target = Target {
            host: &server.host,
            port: server.port,
            tag,
            modem: Some(&args.modem),
        };
        let config = config(&set, &tls, report);
        let place = (server.host.as_str(), server.port);
        let looked_at = async |failure, login: Option<&Login>| match link.now() {
            Some(now) => {
                prober
                    .explain_here(failure, now, place, login, report)
                    .await
            }
            None => failure,
        };
        let socket = match connect(link.sockets, &config, &target, report).await {
            Ok(socket) => socket,
            Err(failure) => return Err(fails("connection", looked_at(failure, None).await)),
        };
        ok("verification", &crate::tls::describe(socket.verified()))?;
        ok("connection", &format!("{}:{}", server.host, server.port))?;
        if args.logs_in() {
            let mut login = Login::from_args(&args.user, report)?;
            if let Some(now) = link.now() {
                login.sign(now).await?;
            }
            if let Err(failure) = mqtt::try_login(&login, socket).await {
                return Err(fails("login", looked_at(failure, Some(&login)).await));
            }
            return ok("login", &format!("as client {}", login.client_id));
        }
        socket
            .close()
            .await
            .map_err(|error| hints::socket("closing the connection", &error))
    })
    .await;
    match done {
        Err(failure) if !up.get() => Err(fails("link", failure)),
        done => done,
    }
}

fn address(link: &Link<'_>) -> String {
    let config = link.stack.config_v4();
    config.map_or_else(String::new, |config| config.address.address().to_string())
}
