//! `sectag`, the host tool: real modems on a serial port, simulated ones, and the demo.

mod args;
mod clock;
mod commands;
mod credential_file;
mod failure;
mod families;
mod heard;
mod hints;
mod identify;
mod identity;
#[cfg(test)]
mod in_process;
mod input;
mod json;
mod modems;
mod mqtt;
mod mqtt_error;
mod output_file;
mod port;
mod port_failure;
mod ppp;
mod probe;
mod processes;
mod report;
mod route;
mod secret;
mod serial_ports;
mod server_task;
mod session;
mod signing;
#[cfg(feature = "demo")]
mod simulated_port;
mod start;
mod stop;
mod style;
mod tls;
mod trace;

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use args::Cli;
use failure::Failure;
use report::{Report, output_failed};

/// As a shell has it for a program that SIGPIPE ended.
const BROKEN_PIPE: u8 = 141;

/// As clap has it for a command line that it does not take.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return refused(&error),
    };
    clock::set_up();
    trace::trace_to_stderr(cli.verbose);
    let json = cli.json;
    let report = Report::new(json, cli.verbose);
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
    let tasks = tokio::task::LocalSet::new();
    let result = tasks.block_on(&runtime, commands::run(cli.command, &report));
    drop(tasks);
    // A blocked read of standard input must not keep the process alive.
    runtime.shutdown_timeout(Duration::from_millis(50));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) if failure.exit_status() == BROKEN_PIPE => ExitCode::from(BROKEN_PIPE),
        Err(failure) => {
            if json {
                print_as_json(&failure, &report);
            } else {
                failure.print();
            }
            ExitCode::from(failure.exit_status())
        }
    }
}

/// Prints a failure as the last line of the results, or for people where that cannot be written.
fn print_as_json(failure: &Failure, report: &Report) {
    match report.output(failure.json().as_bytes()) {
        Err(unwritten) if unwritten.exit_status() != BROKEN_PIPE => failure.print(),
        _ => {}
    }
}

/// Ends with what the command line asks for instead of a command, its help or version, or with what is wrong with it.
fn refused(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        let printed = error.print().and_then(|()| std::io::stdout().flush());
        return match printed {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                let failure = output_failed(&error);
                if failure.exit_status() != BROKEN_PIPE {
                    failure.print();
                }
                ExitCode::from(failure.exit_status())
            }
        };
    }
    // The command line cannot be understood as a whole, so it is looked for.
    let mut arguments = std::env::args_os().skip(1);
    if arguments
        .by_ref()
        .take_while(|one| one != "--")
        .any(|one| one == "--json")
    {
        let failure = Failure::usage(&error.to_string());
        print_as_json(&failure, &Report::new(true, false));
    } else {
        // Nobody can be told that standard error is closed.
        let _ = error.print();
    }
    ExitCode::from(USAGE)
}
