//! `sectag demo`: the whole way from a modem that is off to a message through a broker with mutual TLS, on this
//! computer alone. What it prints was measured, and nothing is printed before it happened.
//!
//! A scenario changes the world, and nothing else: the [`flow`] knows a modem, a network and files.

mod flow;
mod modems;
mod ppp;
mod setting;
mod show;
mod steps;
#[cfg(test)]
mod tests;
mod total;
mod world;

use std::time::Instant;

use embassy_time::with_timeout;

use self::modems::Shown;
use self::setting::HOST;
use self::steps::{Steps, summary};
use crate::args::{Demo, Scenario};
use crate::failure::Failure;
use crate::report::Report;

const LIMIT_SECS: u64 = 60;

pub(crate) async fn run(args: &Demo, report: &Report) -> Result<(), Failure> {
    let begin = Instant::now();
    let shown = Shown::from_args(args)?;
    let mut steps = Steps::new(report)?;
    let limit = embassy_time::Duration::from_secs(LIMIT_SECS);
    let world = world::build(&shown, args.scenario, &mut steps).await?;
    let result = match with_timeout(limit, show::run(&shown, &world, &mut steps)).await {
        Ok(result) => result,
        Err(_) => Err(
            Failure::new(format!("the demo did not end within {LIMIT_SECS} s"))
                .hint("this computer may be too busy; sectag demo -v shows every exchange"),
        ),
    };
    match result {
        Ok(total) => {
            if args.scenario == Some(Scenario::WrongHost) && !total.checks_name {
                report.warn(&unnoticed());
            }
            summary(begin.elapsed(), &total, report)
        }
        Err(failure) => {
            steps.failed(&failure)?;
            Err(failure)
        }
    }
}

/// What a connection means that should not have come about.
fn unnoticed() -> String {
    format!(
        "the server's certificate is not for {HOST}, and the connection came about all the same: this modem does not check the name. \
         Whoever has a certificate of the CA under the tag can be the server, so the CA must be a private one, which signs your servers alone; \
         with a public one sectag refuses to connect. sectag simulate --profile checks-name is a BG96 that would have noticed"
    )
}
