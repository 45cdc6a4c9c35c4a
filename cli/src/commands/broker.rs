//! What the commands to a broker have in common: up to the login.

use embassy_time::Duration;
use sectag::modem::Full;

use crate::args::BrokerArgs;
use crate::hints::Failure;
use crate::mqtt::{self, Client, Login, Memory};
use crate::probe::Prober;
use crate::report::Report;
use crate::session::{self, Job, Session};

/// What is done with a broker.
pub(super) trait Talk {
    async fn talk(self, client: Client<'_, '_, '_>, report: &Report) -> Result<(), Failure>;
}

pub(super) async fn run(
    args: &BrokerArgs,
    patience: Duration,
    report: &Report,
    talk: impl Talk,
) -> Result<(), Failure> {
    // Before the modem is touched: it may ask standard input.
    let login = Login::from_args(&args.mqtt, report)?;
    let prober = Prober::from_args(&args.probe, args.modem.modem).await?;
    let job = LogIn {
        args,
        login,
        prober,
        patience,
        talk,
    };
    session::run(&args.modem, report, job).await
}

struct LogIn<'a, T> {
    args: &'a BrokerArgs,
    login: Login,
    prober: Option<Prober>,
    patience: Duration,
    talk: T,
}

impl<T: Talk> Job for LogIn<'_, T> {
    async fn run<M: Full>(self, session: Session<'_, M>) -> Result<(), Failure> {
        let (args, login, report) = (self.args, &self.login, session.report);
        let server = args.mqtt.server();
        let prober = self.prober.as_ref();
        let socket = session.secure(&args.tls, server, prober).await?;
        let mut memory = Memory::new();
        let mut mqtt = memory.session(login)?;
        let step = report.spin("logging in to the broker");
        let client = match mqtt::connect(&mut mqtt, socket, self.patience).await {
            Ok(client) => client,
            Err(failure) => {
                drop(step);
                return Err(session
                    .explained(failure, prober, server, Some(login))
                    .await);
            }
        };
        step.done(report, &format!("logged in as client {}", login.client_id));
        self.talk.talk(client, report).await
    }
}
