//! The route to a server: TLS inside a modem, or TLS on this computer over the link that a modem gives.

use sectag::clock::{DateTime, MIN_DATE};
use sectag::modem::Full;
use sectag::{AtError, ConnectError, SecureSocket, ServerName, Socket, SocketError};

use crate::args::TlsArgs;
use crate::hints::{self, Failure, Target};
use crate::mqtt::Login;
use crate::probe::Prober;
use crate::report::Report;
use crate::session::{self, Session};
use crate::tls;

/// The part of a session that a command needs which only connects to a server.
pub(crate) trait Route {
    type Socket: SecureSocket<Error = SocketError>;

    fn report(&self) -> &Report;

    /// Connects, and prints on standard error what was verified.
    async fn secure(
        &self,
        tls: &TlsArgs,
        server: (&str, u16),
        prober: Option<&Prober>,
    ) -> Result<Self::Socket, Failure>;

    /// Adds to `failure` what a probe of the server from this computer finds; without a prober, the hint to probe.
    async fn explained(
        &self,
        failure: Failure,
        prober: Option<&Prober>,
        server: (&str, u16),
        login: Option<&Login>,
    ) -> Failure;

    /// Returns the time by which certificates are judged, if it is known. For a modem without a clock it is this computer's.
    async fn time(&self) -> Result<Option<DateTime>, Failure>;
}

/// The work of a command that connects to a server, written once for both routes.
pub(crate) trait ServerTask {
    async fn run(self, route: &impl Route) -> Result<(), Failure>;
}

impl<'a, M: Full> Route for Session<'a, M> {
    type Socket = Socket<'a>;

    fn report(&self) -> &Report {
        self.report
    }

    async fn secure(
        &self,
        args: &TlsArgs,
        (host, port): (&str, u16),
        prober: Option<&Prober>,
    ) -> Result<Socket<'a>, Failure> {
        let report = self.report;
        let config = tls::config(self.control, args, report).await?;
        let target = Target {
            host,
            port,
            tag: args.tag,
            modem: Some(self.modem),
        };
        let name = name(host)?;
        let step = report.spin(format!("connecting to {host}:{port}"));
        let socket = match self.control.connect(name, port, &config).await {
            Ok(socket) => socket,
            Err(error) => {
                drop(step);
                let mut failure = hints::connect(&error, &target);
                if matches!(error, ConnectError::CredentialMissing(_))
                    && let Some(others) = tls::other_tags(self.control, args.tag).await
                {
                    failure = failure.hint(others);
                }
                return Err(self.explained(failure, prober, (host, port), None).await);
            }
        };
        let detail = connected((host, port), tls::kind(&config), socket.verified());
        step.done(report, &detail);
        Ok(socket)
    }

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
            None => unprobed(failure),
        }
    }

    async fn time(&self) -> Result<Option<DateTime>, Failure> {
        match self.control.clock_if_any().await {
            Err(AtError::Unsupported) => Ok(session::host_clock()),
            shown => shown.map_err(|error| hints::at("the modem's clock", &error)),
        }
    }
}

pub(crate) fn name(host: &str) -> Result<ServerName<'_>, Failure> {
    ServerName::new(host).map_err(|error| Failure::new(format!("{host}: {error}")))
}

/// Returns the line that reports an open connection and what was verified of it.
pub(crate) fn connected(
    (host, port): (&str, u16),
    kind: &str,
    verified: sectag::Verification,
) -> String {
    format!(
        "connected to {host}:{port} with {kind}: {}",
        tls::describe(verified)
    )
}

/// Adds the hint that `--probe` may tell more, unless this computer could see nothing of the cause.
pub(crate) fn unprobed(failure: Failure) -> Failure {
    if !failure.is_worth_a_look() {
        return failure;
    }
    failure.hint("--probe, with the --ca that is stored, looks at the server from this computer and tells more")
}

/// Returns `time` unless it is too early to be the present, as that of a clock that was never set.
pub(crate) fn plausible(time: Option<DateTime>) -> Option<DateTime> {
    time.filter(|now| now.is_plausible(MIN_DATE))
}
