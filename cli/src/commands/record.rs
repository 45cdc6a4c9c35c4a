//! `sectag record`: another command, with a transcript of what it and the modem say to each other.

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use clap::Parser;
use sectag_transcript::{Payload, Recorder};

use crate::args::{Cli, Command, Record};
use crate::families::ModemName;
use crate::hints::Failure;
use crate::port;
use crate::report::Report;

/// Any will do, to see whether the port can be opened.
const BAUD: u32 = 115_200;

/// A recording that has been begun.
pub(super) struct Recording {
    recorder: &'static Recorder<BufWriter<File>>,
    out: PathBuf,
    /// Where the command that is recorded reports to.
    pub(super) report: Report,
}

/// Begins to record, and says which command is to be.
pub(super) async fn begin(args: &Record, report: &Report) -> Result<(Command, Recording), Failure> {
    let Cli {
        command,
        json,
        verbose,
    } = inner(args)?;
    crate::trace::trace_to_stderr(verbose);
    let payload = if args.payload {
        Payload::Kept
    } else {
        Payload::Masked
    };
    let source = format!(
        "recorded by sectag {} at a {}; whole; secrets{} masked",
        env!("CARGO_PKG_VERSION"),
        args.modem.0.map_or("modem", ModemName::as_str),
        match payload {
            Payload::Kept => " and what was sent before the server's first byte",
            Payload::Masked => " and payload",
        }
    );
    if args.out.exists() {
        return Err(failed(&args.out, &io::ErrorKind::AlreadyExists.into()));
    }
    // A port that cannot be opened leaves no recording.
    drop(port::open(&args.port, BAUD, false).await?);
    let out = create(&args.out).map_err(|error| failed(&args.out, &error))?;
    // The driver's state refers to it; this process runs one command and ends.
    let recorder: &'static Recorder<_> = Box::leak(Box::new(Recorder::new(
        BufWriter::new(out),
        &source,
        payload,
    )));
    let recording = Recording {
        recorder,
        out: args.out.clone(),
        report: report.tapped(json, recorder),
    };
    Ok((command, recording))
}

impl Recording {
    /// Writes the rest, and passes on what became of the command: a failure is what one records for.
    pub(super) fn end(self, result: Result<(), Failure>) -> Result<(), Failure> {
        let Self {
            recorder,
            out,
            report,
        } = self;
        if let Err(error) = recorder.finish() {
            // A part of it would be in the way of the next try.
            let _ = std::fs::remove_file(&out);
            return Err(failed(&out, &error));
        }
        if result.is_err() && is_empty(&out) {
            // Nothing was said: the command was refused before it came to that.
            let _ = std::fs::remove_file(&out);
        } else {
            report.note(&format!("recorded in {}", out.display()));
        }
        result
    }
}

/// Whether a recording has no exchange in it.
fn is_empty(path: &Path) -> bool {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    !text.lines().any(|line| line.starts_with(['>', '<']))
}

/// Never over an existing file, and for this user only: a recording names the device.
fn create(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn failed(path: &Path, error: &io::Error) -> Failure {
    let failed =
        |why: &dyn std::fmt::Display| Failure::new(format!("--out {}: {why}", path.display()));
    match error.kind() {
        io::ErrorKind::AlreadyExists => failed(&"it is there already")
            .hint("recordings are not overwritten: give another name, or remove it first"),
        _ => failed(error),
    }
}

/// The command as if it had been called by itself, with this modem and port.
fn inner(args: &Record) -> Result<Cli, Failure> {
    let port = args.port.to_string();
    let modem = args.modem.0.map_or("auto", ModemName::as_str);
    let place = ["--modem", modem, "--port", port.as_str()];
    // Behind the command's options, and before what `--` says are words of its own.
    let words: Vec<&str> = args.command.iter().map(String::as_str).collect();
    let end = words.iter().position(|word| *word == "--");
    let (options, own) = words.split_at(end.unwrap_or(words.len()));
    let line = std::iter::once("sectag")
        .chain(options.iter().copied())
        .chain(place)
        .chain(own.iter().copied());
    let cli = Cli::try_parse_from(line).map_err(|error| {
        let text = error.to_string();
        let first = text.lines().next().unwrap_or_default();
        Failure::new(format!(
            "the command to record: {}",
            first.strip_prefix("error: ").unwrap_or(first)
        ))
        .hint("it is a command of sectag with its options, without --modem and --port")
    })?;
    match &cli.command {
        Command::Record(_)
        | Command::Simulate(_)
        | Command::Demo(_)
        | Command::Ports(_)
        | Command::Provision(_)
        | Command::Restart(_)
        | Command::Completions { .. }
        | Command::Man { .. } => Err(Failure::new(
            "only a command that talks to a modem can be recorded",
        )
        .hint("for example: sectag record --modem bg96 --port PORT --out FILE.at -- status")),
        _ => Ok(cli),
    }
}
