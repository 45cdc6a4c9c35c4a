//! The files that tell what became of the lines of a manifest.

use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::manifest::Entry;
use super::outcome::{self, Outcome};
use crate::args::Provision;
use crate::failure::Failure;
use crate::output_file::{self, Readers};
use crate::report::Report;

/// Between two times that all is written: a run that is killed has told all but the last second. With the time that
/// writing takes, it grows, so that thousands of lines are not written thousands of times.
const PAUSE: Duration = Duration::from_secs(1);
const SHARE: u32 = 20;

pub(super) struct Reports {
    paths: Vec<PathBuf>,
    all: Vec<Outcome>,
    /// Something is not written yet.
    behind: bool,
    next: Instant,
}

impl Reports {
    /// Looks whether the files can be written, before a modem is touched: none of them is an input, and what is there is
    /// a report of an earlier run.
    pub(super) fn prepare(args: &Provision, entries: &[Entry]) -> Result<Self, Failure> {
        let inputs = entries.iter().flat_map(|entry| &entry.files);
        let mut inputs: Vec<&str> = inputs.map(|file| file.path()).collect();
        let manifest = args.manifest.to_str().unwrap_or_default();
        inputs.push(manifest.strip_prefix('@').unwrap_or(manifest));
        inputs.sort_unstable();
        inputs.dedup();
        let inputs: Vec<(PathBuf, &str)> = inputs
            .into_iter()
            .filter_map(|input| Some((std::fs::canonicalize(input).ok()?, input)))
            .collect();
        let reports = Self {
            paths: args.report.clone(),
            all: Vec::new(),
            behind: false,
            next: Instant::now(),
        };
        for path in reports.files() {
            let real = std::fs::canonicalize(path).ok();
            let same = |(input, _): &&(PathBuf, _)| real.as_ref() == Some(input);
            if let Some((_, input)) = inputs.iter().find(same) {
                return Err(
                    failed(path, &format!("it is {input}, which this command reads"))
                        .hint("give another name"),
                );
            }
            match std::fs::metadata(path) {
                Ok(_) if is_report(path) => {}
                Ok(_) => {
                    return Err(failed(path, &"it is there, and no report of this command")
                        .hint("give another name, or remove it first"));
                }
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(failed(path, &error)),
            }
            // Empty, but in its place.
            reports.write_one(path)?;
        }
        Ok(reports)
    }

    /// Whether one of them is standard output.
    pub(super) fn on_output(&self) -> bool {
        self.paths.iter().any(|path| path.as_os_str() == "-")
    }

    pub(super) fn failed(&self) -> usize {
        let failures = self
            .all
            .iter()
            .filter_map(|outcome| outcome.failure.as_ref());
        failures.count()
    }

    pub(super) fn add(&mut self, outcome: Outcome) -> Result<(), Failure> {
        self.all.push(outcome);
        self.behind = true;
        if Instant::now() < self.next {
            return Ok(());
        }
        self.write()
    }

    /// Writes what is left, and the report that is to go to standard output.
    pub(super) fn finish(mut self, report: &Report) -> Result<(), Failure> {
        self.write()?;
        if self.on_output() {
            let text = outcome::text(Path::new("-"), &self.all);
            report.output(text.trim_end().as_bytes())?;
        }
        Ok(())
    }

    fn write(&mut self) -> Result<(), Failure> {
        let begin = Instant::now();
        self.all.sort_by_key(|outcome| outcome.line);
        for path in self.files() {
            self.write_one(path)?;
        }
        self.behind = false;
        self.next = Instant::now() + PAUSE.max(begin.elapsed() * SHARE);
        Ok(())
    }

    fn write_one(&self, path: &Path) -> Result<(), Failure> {
        let text = outcome::text(path, &self.all);
        output_file::replace(path, text.as_bytes(), Readers::Umask)
            .map_err(|error| failed(path, &error))
    }

    fn files(&self) -> impl Iterator<Item = &PathBuf> {
        self.paths.iter().filter(|path| path.as_os_str() != "-")
    }
}

impl Drop for Reports {
    /// After Ctrl-C, too, it is told what was done.
    fn drop(&mut self) {
        if self.behind {
            // Why the run ends is told elsewhere.
            let _ = self.write();
        }
    }
}

fn failed(path: &Path, why: &dyn std::fmt::Display) -> Failure {
    Failure::new(format!("--report {}: {why}", path.display()))
}

/// Whether a file that is there is one that this command wrote; an empty one is nobody's.
fn is_report(path: &Path) -> bool {
    let Ok(found) = std::fs::metadata(path) else {
        return false;
    };
    if !found.is_file() {
        return false;
    }
    let mut begin = Vec::new();
    let head = outcome::head();
    let read = std::fs::File::open(path)
        .and_then(|file| file.take(head.len() as u64).read_to_end(&mut begin));
    let told = if outcome::is_json(path) {
        begin.starts_with(b"[\n{\"line\":") || begin == b"[\n\n]\n"
    } else {
        begin == head.as_bytes()
    };
    read.is_ok() && (told || begin.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(line: usize) -> Outcome {
        Outcome {
            line,
            ..Outcome::default()
        }
    }

    #[test]
    fn a_report_is_written_over_and_nothing_else_is() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["report.csv", "report.json"] {
            let path = dir.path().join(name);
            for outcomes in [&[][..], &[outcome(2), outcome(3)]] {
                std::fs::write(&path, outcome::text(&path, outcomes)).unwrap();
                assert!(is_report(&path), "{name}");
            }
            for other in ["port,tag,ca\nx,7,ca.pem\n", "[1]", "-----BEGIN"] {
                std::fs::write(&path, other).unwrap();
                assert!(!is_report(&path), "{name}: {other}");
            }
        }
        assert!(!is_report(dir.path()));
    }

    /// Each time all of them would be quadratic.
    #[test]
    fn thousands_of_lines_are_written_a_few_times_and_all_are_there_at_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("report.csv");
        let mut reports = Reports {
            paths: vec![path.clone()],
            all: Vec::new(),
            behind: false,
            next: Instant::now(),
        };
        let lines = || {
            std::fs::read_to_string(&path)
                .unwrap_or_default()
                .lines()
                .count()
        };
        let mut written = 0;
        for line in (1..=3000).rev() {
            let before = lines();
            reports.add(outcome(line)).unwrap();
            written += usize::from(lines() != before);
        }
        assert!((1..300).contains(&written), "{written}");
        // As after Ctrl-C.
        drop(reports);
        assert_eq!(lines(), 3001);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(
            text.lines()
                .nth(1)
                .is_some_and(|line| line.starts_with("1,"))
        );
    }
}
