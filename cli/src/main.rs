//! `sectag`, the host tool: real modems on a serial port, simulated ones, and the demo.

mod args;
mod commands;
mod credential_file;
mod failure;
mod hints;
mod json;
mod mqtt;
mod port;
mod probe;
mod report;
mod secret;
mod session;
mod stop;
mod tls;

use std::io::Write;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;

use args::Cli;
use report::Report;

sectag_host_clock::time_driver!();

fn main() -> ExitCode {
    let cli = Cli::parse();
    trace_to_stderr(cli.verbose);
    let report = Report::new(cli.json, cli.verbose);
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let result = runtime.block_on(commands::run(cli.command, &report));
    // A blocked read of standard input must not keep the process alive.
    runtime.shutdown_timeout(Duration::from_millis(50));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.print();
            ExitCode::FAILURE
        }
    }
}

/// The AT trace. Secrets and payload are masked where it is made, in the core.
pub(crate) fn trace_to_stderr(verbose: bool) {
    if !verbose {
        return;
    }
    let begin = Instant::now();
    // The command that `record` runs may ask for what is there already.
    let _ = env_logger::Builder::new()
        .filter(Some("sectag"), log::LevelFilter::Trace)
        .format(move |out, record| {
            writeln!(
                out,
                "[{:9.3}] {}",
                begin.elapsed().as_secs_f64(),
                record.args()
            )
        })
        .try_init();
}
