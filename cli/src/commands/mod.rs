//! One module per command.

mod broker;
mod connect;
mod credentials;
mod demo;
mod doctor;
mod publish;
mod record;
mod simulate;
mod status;
mod subscribe;

use sectag::modem::Full;
use sectag::{ServerName, Socket};

use crate::args::{Command, TlsArgs};
use crate::hints::{self, Failure, Target};
use crate::mqtt::Login;
use crate::probe::Prober;
use crate::report::Report;
use crate::session::Session;
use crate::tls;

pub(crate) async fn run(command: Command, report: &Report) -> Result<(), Failure> {
    match command {
        Command::Demo(args) => demo::run(&args, report).await,
        Command::Publish(args) => publish::run(&args, report).await,
        Command::Subscribe(args) => subscribe::run(&args, report).await,
        Command::Connect(args) => connect::run(&args, report).await,
        Command::Credentials(args) => credentials::run(&args, report).await,
        Command::Status(args) => status::run(&args, report).await,
        // It runs one of the others.
        Command::Record(args) => Box::pin(record::run(&args, report)).await,
        Command::Doctor(args) => doctor::run(&args, report).await,
        Command::Simulate(args) => simulate::run(args, report).await,
    }
}

impl<'a, M: Full> Session<'a, M> {
    /// A verified connection, and on standard error what was verified.
    async fn secure(
        &self,
        tls: &TlsArgs,
        (host, port): (&str, u16),
        prober: Option<&Prober>,
    ) -> Result<Socket<'a>, Failure> {
        let report = self.report;
        let config = tls::config(self.control, tls, report).await?;
        let target = Target {
            host,
            port,
            tag: tls.tag,
            modem: Some(self.modem),
        };
        let name =
            ServerName::new(host).map_err(|error| Failure::new(format!("{host}: {error}")))?;
        let step = report.spin(format!("connecting to {host}:{port}"));
        let socket = match self.sockets.connect(name, port, &config).await {
            Ok(socket) => socket,
            Err(error) => {
                drop(step);
                let failure = hints::connect(&error, &target);
                return Err(self.explained(failure, prober, (host, port), None).await);
            }
        };
        step.done(
            report,
            &format!(
                "connected to {host}:{port} with {}: {}",
                if config.has_client_certificate() {
                    "mutual TLS"
                } else {
                    "TLS, without a client certificate"
                },
                tls::describe(socket.verified())
            ),
        );
        Ok(socket)
    }

    /// With what a look at the server tells, if there is to be one.
    async fn explained(
        &self,
        failure: Failure,
        prober: Option<&Prober>,
        server: (&str, u16),
        login: Option<&Login>,
    ) -> Failure {
        match prober {
            Some(prober) => {
                prober
                    .explain(failure, self.control, server, login, self.report)
                    .await
            }
            None if failure.causes().nth(1).is_some() => {
                failure.hint("--probe, with the --ca that is stored, looks at the server from this computer and tells some of these apart")
            }
            None => failure,
        }
    }
}
