//! `sectag restart`: the modem anew. No driver is needed for it, and none has a say in it.

use std::time::Duration;

use crate::args::Restart;
use crate::clock::timeout;
use crate::failure::Failure;
use crate::identify;
use crate::report::Report;
use crate::start;

/// From the command to the modem's word that it is there again; a BG96 takes some 10 s.
const LIMIT: Duration = Duration::from_secs(60);

pub(crate) async fn run(args: &Restart, report: &Report) -> Result<(), Failure> {
    let (name, mut opened, args) = start::open(&args.modem, report).await?;
    let Some((command, banner)) = name.restart() else {
        return Err(
            Failure::new(format!("{} has no command that restarts it", name.what()))
                .hint("switch its supply off and on"),
        );
    };
    let step = report.spin(format!("restarting {} on {}", name.what(), args.port));
    let restarted = identify::restart(opened.stream(), command, banner);
    match timeout(LIMIT, restarted).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            return Err(Failure::new(format!("{}: {error}", args.port)).hint(
                "a modem on USB takes its ports away when it restarts: they come back by themselves",
            ));
        }
        Err(_) => {
            return Err(Failure::new(format!(
                "{} did not say {banner} within {} s of {command}",
                name.what(),
                LIMIT.as_secs()
            ))
            .hint("look who is there: sectag ports --ask"));
        }
    }
    let took = step.elapsed();
    drop(step);
    report.result(
        &format!(
            "{} has restarted ({:.1} s)",
            name.what(),
            took.as_secs_f64()
        ),
        |object| {
            object
                .text("restarted", name.as_str())
                .number("ms", took.as_millis() as u64)
        },
    )
}
