//! What the commands to a broker have in common: up to the login.

use std::convert::Infallible;

use embassy_time::Duration;
use sectag::clock::DateTime;
use sectag::jwt::{Invalid, TokenError};
use sectag::{SecureSocket, SocketError};

use crate::args::BrokerArgs;
use crate::hints::{self, Failure};
use crate::mqtt::{self, Client, Login};
use crate::probe::Prober;
use crate::report::Report;
use crate::route::{self, Route, ServerTask};
use crate::server_task;
use crate::session;

/// Seconds between two clocks from which on a token of the one may be refused by the other.
const CLOCKS_APART: u64 = 60;

/// What is done with a broker.
pub(super) trait Talk {
    async fn talk<S: SecureSocket<Error = SocketError>>(
        self,
        client: Client<S>,
        report: &Report,
    ) -> Result<(), Failure>;
}

pub(super) async fn run(
    args: &BrokerArgs,
    patience: Duration,
    report: &Report,
    talk: impl Talk,
) -> Result<(), Failure> {
    // Before the modem is touched: it may ask standard input.
    let login = Login::from_args(&args.mqtt.login, report)?;
    let prober = Prober::from_args(&args.probe, &args.modem, args.tls.tag).await?;
    let job = LogIn {
        args,
        login,
        prober,
        patience,
        talk,
    };
    server_task::run(&args.modem, &args.tls, &args.probe.files, report, job).await
}

struct LogIn<'a, T> {
    args: &'a BrokerArgs,
    login: Login,
    prober: Option<Prober>,
    patience: Duration,
    talk: T,
}

impl<T: Talk> ServerTask for LogIn<'_, T> {
    async fn run(self, route: &impl Route) -> Result<(), Failure> {
        let (args, mut login, report) = (self.args, self.login, route.report());
        let server = args.mqtt.server();
        let prober = self.prober.as_ref();
        let socket = route.secure(&args.tls, server, prober).await?;
        let token = match login.token {
            Some(_) => login.sign(token_time(route).await?).await?,
            None => None,
        };
        let login = &login;
        let step = report.spin("logging in to the broker");
        let client = match mqtt::connect(login, socket, self.patience).await {
            Ok(client) => client,
            Err(failure) => {
                drop(step);
                let failure = match token {
                    Some(token) => failure.hint(format!(
                        "the token is {token}: the broker must know this key, this audience and this time"
                    )),
                    None => failure,
                };
                return Err(route.explained(failure, prober, server, Some(login)).await);
            }
        };
        step.done(report, &format!("logged in as client {}", login.client_id));
        self.talk.talk(client, report).await
    }
}

/// What the modem's clock shows, with a warning where this computer's differs; of a modem without one, this
/// computer's.
async fn token_time(route: &impl Route) -> Result<DateTime, Failure> {
    let here = session::host_clock();
    let shown = route.time().await?;
    let Some(now) = route::plausible(shown) else {
        let unset = TokenError::<Infallible>::Invalid(Invalid::ClockNotSet { now: shown });
        return Err(hints::token(&unset));
    };
    if let Some(here) = here {
        let apart = now.to_unix().abs_diff(here.to_unix());
        if apart > CLOCKS_APART {
            route.report().warn(&format!(
                "the modem's clock says {now} and this computer's {here}: a token has the modem's time"
            ));
        }
    }
    Ok(now)
}
