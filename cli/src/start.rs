//! From what the user has named to a job beside the modem's driver: opens the port, asks who is there where it is not
//! named, and runs the job with the driver of that family.

use embassy_time::{Timer, with_timeout};
use sectag::modem::Full;

use crate::args::ModemArgs;
use crate::failure::Failure;
use crate::families::ModemName;
use crate::identify;
use crate::modems;
use crate::port::{self, Opened};
use crate::report::Report;
use crate::session::{Job, PARTING, SECOND_LOOK, Session, another, attach};

/// Opens the port, brings the modem up, sets its clock and runs `job`.
pub(crate) async fn run(args: &ModemArgs, report: &Report, job: impl Job) -> Result<(), Failure> {
    ask(args, report, Up(job)).await
}

/// Opens the port and runs `job`, which needs a modem that answers, and neither SIM nor network, as in a factory.
pub(crate) async fn answering(
    args: &ModemArgs,
    report: &Report,
    job: impl Job,
) -> Result<(), Failure> {
    ask(args, report, Answering(job)).await
}

/// Opens the port and runs `job`, which may find the modem in any state.
pub(crate) async fn ask(args: &ModemArgs, report: &Report, job: impl Job) -> Result<(), Failure> {
    let (name, opened, args) = open(args, report).await?;
    match driver(name, opened, &args, report, job).await {
        Err(failure) if failure.is_strange() && args.modem.0.is_some() => {
            Err(stranger(name, &args).await.unwrap_or(failure))
        }
        result => result,
    }
}

/// Runs `job` on an open port as [`answering`] does.
pub(crate) async fn answering_on(
    name: ModemName,
    opened: Opened,
    args: &ModemArgs,
    report: &Report,
    job: impl Job,
) -> Result<(), Failure> {
    driver(name, opened, args, report, Answering(job)).await
}

/// Another modem than the one whose driver got nowhere, if there is one.
async fn stranger(name: ModemName, args: &ModemArgs) -> Option<Failure> {
    // A simulator on a TCP port, and some converters, take a moment to see that the driver's connection has ended.
    Timer::after(PARTING).await;
    let mut opened = port::open(&args.port, args.baud, args.flow_control)
        .await
        .ok()?;
    let asked = identify::who(&args.port, &mut opened, args.baud);
    let found = with_timeout(SECOND_LOOK, asked).await.ok()?.ok()?;
    another(name, &found.identity)
}

/// Opens the port, and asks who is there where the user has not said it: then the speed is the one it answered at.
pub(crate) async fn open(
    args: &ModemArgs,
    report: &Report,
) -> Result<(ModemName, Opened, ModemArgs), Failure> {
    let mut args = args.clone();
    let mut opened = port::open(&args.port, args.baud, args.flow_control).await?;
    if let Some(name) = args.modem.0 {
        return Ok((name, opened, args));
    }
    let step = report.spin(format!("asking who is on {}", args.port));
    let (name, baud) = identify::modem(&args.port, &mut opened, args.baud).await?;
    let at = if baud == args.baud {
        String::new()
    } else {
        format!(" at {baud} baud (give --baud {baud})")
    };
    step.done(report, &format!("{} on {}{at}", name.what(), args.port));
    args.baud = baud;
    Ok((name, opened, args))
}

/// Runs `job` with the driver of the modem on an open port.
async fn driver(
    name: ModemName,
    opened: Opened,
    args: &ModemArgs,
    report: &Report,
    job: impl Job,
) -> Result<(), Failure> {
    macro_rules! with {
        ($make:ident) => {{
            let modem = modems::$make(args, report)?;
            let work = async |session: Session<'_, _>| job.run(session).await;
            attach(name, modem, opened, args, report, work).await
        }};
    }
    if args.file_token.is_some() && name != ModemName::Cc31xx {
        return Err(Failure::new(format!(
            "--file-token: a {} takes no tokens from its host",
            name.as_str()
        ))
        .hint("leave it out: tokens are of cc31xx, and cc32xx keeps private keys in secure files without one"));
    }
    match name {
        ModemName::Bg96 => with!(bg96),
        ModemName::Nrf9160 => with!(nrf9160),
        ModemName::UbloxCellular => with!(ublox_cellular),
        ModemName::ShortRange => with!(short_range),
        ModemName::Cc32xx => with!(cc32xx),
        ModemName::Cc31xx => with!(cc31xx),
        ModemName::Ppp => Err(Failure::new(
            "ublox-ppp: this command needs a modem that has TLS inside",
        )
        .hint("name the module by --modem ublox-cellular or --modem ublox-shortrange")),
    }
}

/// What is done on a modem that is on the network and knows the time.
struct Up<J>(J);

impl<J: Job> Job for Up<J> {
    async fn run<M: Full>(self, session: Session<'_, M>) -> Result<(), Failure> {
        session.bring_up().await?;
        session.set_clock().await?;
        self.0.run(session).await
    }
}

/// What is done on a modem that answers.
struct Answering<J>(J);

impl<J: Job> Job for Answering<J> {
    async fn run<M: Full>(self, session: Session<'_, M>) -> Result<(), Failure> {
        session.answering(self.0).await
    }
}
