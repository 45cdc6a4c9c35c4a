//! One module per command.

mod at;
mod binary;
mod broker;
mod connect;
mod credentials;
#[cfg(feature = "demo")]
mod demo;
mod doctor;
mod jwt;
mod man;
mod ports;
mod provision;
mod publish;
mod record;
mod restart;
#[cfg(test)]
mod servers;
#[cfg(feature = "demo")]
mod simulate;
mod status;
mod subscribe;
#[cfg(feature = "demo")]
mod surroundings;

use clap::CommandFactory;
use embassy_futures::select::{Either, select};

use crate::args::{Cli, Command, Credentials};
use crate::hints::Failure;
use crate::ppp;
use crate::report::Report;
use crate::stop::Stop;

/// Runs a command. Ctrl-C ends those that have nothing of their own to put in order, and says what was under way.
pub(crate) async fn run(command: Command, report: &Report) -> Result<(), Failure> {
    ppp::admits(&command)?;
    binary::admits(&command)?;
    let own_way = matches!(
        command,
        Command::Subscribe(_)
            | Command::Connect(_)
            | Command::Simulate(_)
            | Command::Credentials(Credentials::Store(_))
            | Command::Record(_)
    );
    if own_way {
        return dispatch(command, report).await;
    }
    let mut stop = Stop::listen().map_err(|error| Failure::new(error.to_string()))?;
    match select(dispatch(command, report), stop.requested()).await {
        Either::First(result) => result,
        Either::Second(()) => {
            let doing = report.under_way();
            let doing = if doing.is_empty() { "starting" } else { &doing };
            Err(Failure::interrupted(format!("interrupted while {doing}"))
                .hint("start again: what this run left in the modem is put in order at the next start"))
        }
    }
}

async fn dispatch(command: Command, report: &Report) -> Result<(), Failure> {
    match command {
        #[cfg(feature = "demo")]
        Command::Demo(args) => demo::run(&args, report).await,
        #[cfg(not(feature = "demo"))]
        Command::Demo(_) => Err(without("demo")),
        Command::Publish(args) => publish::run(&args, report).await,
        Command::Subscribe(args) => subscribe::run(&args, report).await,
        Command::Connect(args) => connect::run(&args, report).await,
        Command::Credentials(args) => credentials::run(&args, report).await,
        Command::Status(args) => status::run(&args, report).await,
        // It runs one of the others.
        Command::Record(args) => {
            let (command, recording) = record::begin(&args, report).await?;
            let result = Box::pin(run(command, &recording.report)).await;
            recording.end(result)
        }
        Command::Doctor(args) => doctor::run(&args, report).await,
        Command::Jwt(args) => jwt::run(&args, report).await,
        Command::Provision(args) => provision::run(&args, report).await,
        Command::Restart(args) => restart::run(&args, report).await,
        Command::At(args) => at::run(&args, report).await,
        Command::Ports(args) => ports::run(&args, report).await,
        #[cfg(feature = "demo")]
        Command::Simulate(args) => simulate::run(args, report).await,
        #[cfg(not(feature = "demo"))]
        Command::Simulate(_) => Err(without("simulate")),
        Command::Completions { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "sectag", &mut text);
            report.output(text.trim_ascii_end())
        }
        Command::Man { command } => man::run(&command, report),
    }
}

/// For a command that a build without the simulator does not have.
#[cfg(not(feature = "demo"))]
fn without(command: &str) -> Failure {
    Failure::new(format!(
        "{command}: this sectag was built without the feature demo, which brings simulator and broker"
    ))
    .hint("build it with its default features: cargo install --path cli")
}
