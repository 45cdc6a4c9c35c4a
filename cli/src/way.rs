//! A way to servers: TLS inside a modem, or TLS on this computer over the link that a modem gives.

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

/// What a command needs that only connects.
pub(crate) trait Way {
    type Socket: SecureSocket<Error = SocketError>;

    fn report(&self) -> &Report;

    /// A verified connection, and on standard error what was verified.
    async fn secure(
        &self,
        tls: &TlsArgs,
        server: (&str, u16),
        prober: Option<&Prober>,
    ) -> Result<Self::Socket, Failure>;

    /// With what a look at the server tells, if there is to be one.
    async fn explained(
        &self,
        failure: Failure,
        prober: Option<&Prober>,
        server: (&str, u16),
        login: Option<&Login>,
    ) -> Failure;

    /// The time by which certificates are judged, as far as it is known; of a modem without a clock, this computer's.
    async fn time(&self) -> Result<Option<DateTime>, Failure>;
}

/// Something to do with a server.
pub(crate) trait Errand {
    async fn run(self, way: &impl Way) -> Result<(), Failure>;
}

impl<'a, M: Full> Way for Session<'a, M> {
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

/// What is told of a connection that stands.
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

/// With where to look further.
pub(crate) fn unprobed(failure: Failure) -> Failure {
    if !failure.is_worth_a_look() {
        return failure;
    }
    failure.hint("--probe, with the --ca that is stored, looks at the server from this computer and tells more")
}

/// That time, if it is one.
pub(crate) fn plausible(time: Option<DateTime>) -> Option<DateTime> {
    time.filter(|now| now.is_plausible(MIN_DATE))
}
