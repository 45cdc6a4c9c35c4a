//! `sectag demo`: the whole way from a modem that is off to a message through a broker with mutual TLS, on this
//! computer alone. What it prints was measured, and nothing is printed before it happened.
//!
//! A scenario changes the world, and nothing else: the [`flow`] knows a modem, a network and files.

mod flow;
mod steps;
#[cfg(test)]
mod tests;
mod world;

use std::time::Instant;

use embassy_time::with_timeout;

use self::steps::{Steps, summary};
use crate::args::{Demo, ModemName};
use crate::failure::Failure;
use crate::hints;
use crate::report::Report;

const LIMIT_SECS: u64 = 60;

pub(crate) async fn run(args: &Demo, report: &Report) -> Result<(), Failure> {
    if args.modem != ModemName::Bg96 {
        return Err(hints::not_implemented(args.modem));
    }
    let begin = Instant::now();
    let mut steps = Steps::new(report)?;
    let world = world::build(args.scenario, &mut steps).await?;
    let limit = embassy_time::Duration::from_secs(LIMIT_SECS);
    let flow = flow::run(&world.modem, &world.names, &world.files, &mut steps);
    match with_timeout(limit, flow).await {
        Ok(total) => summary(begin.elapsed(), total?, report),
        Err(_) => Err(
            Failure::new(format!("the demo did not end within {LIMIT_SECS} s"))
                .hint("this computer may be too busy; sectag demo -v shows every exchange"),
        ),
    }
}
