//! A transcript and what its comments say.

use std::fs;
use std::path::Path;

use sectag_transcript::{Event, Transcript};

use super::Answer;

/// How far driver and modem are when the transcript begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Setup {
    /// The driver takes no part.
    None,
    Off,
    Up,
    /// With a socket behind so many others.
    Open(usize),
}

/// An event and what a comment in front of it says.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) event: Event,
    /// The driver may say other things first.
    pub(super) gap: bool,
    /// What happens in the simulated world.
    pub(super) happens: Vec<String>,
}

/// What is further from a line end is in the middle.
const EDGE: usize = 12;

/// A transcript, ready to be played.
#[derive(Clone, Debug)]
pub struct Script {
    source: String,
    notes: Vec<(String, String)>,
    pub(super) setup: Setup,
    pub(super) steps: Vec<Step>,
}

const KEYS: [&str; 9] = [
    "setup",
    "config",
    "usual",
    "application",
    "expect",
    "simulator",
    "peer",
    "before",
    "variable",
];

impl Script {
    /// Reads a file.
    ///
    /// # Panics
    /// When it is no transcript, or its comments contradict each other.
    pub fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path);
        let text = text.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self::parse(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let transcript: Transcript = text.parse().map_err(|error| format!("{error}"))?;
        let mut events = transcript.events.into_iter();
        let (mut notes, mut steps) = (Vec::new(), Vec::new());
        let (mut gap, mut happens) = (true, Vec::new());
        for line in text.lines().skip(1).filter(|line| !line.is_empty()) {
            let Some(comment) = line.strip_prefix('#') else {
                let event = events.next().expect("a line for each event");
                steps.push(Step {
                    event,
                    gap: std::mem::take(&mut gap),
                    happens: std::mem::take(&mut happens),
                });
                continue;
            };
            let comment = comment.trim();
            match comment.split_once(": ") {
                _ if comment == "gap" => gap = true,
                Some(("happens", what)) => happens.push(what.to_owned()),
                Some((key, value)) if KEYS.contains(&key) => {
                    if !steps.is_empty() {
                        return Err(format!("# {key}: belongs in front of the first event"));
                    }
                    notes.push((key.to_owned(), value.to_owned()));
                }
                _ => {}
            }
        }
        let mut script = Self {
            source: transcript.source,
            notes,
            setup: Setup::None,
            steps,
        };
        script.setup = match script.notes("setup").as_slice() {
            ["none"] => Setup::None,
            ["off"] => Setup::Off,
            ["up"] => Setup::Up,
            ["open"] => Setup::Open(0),
            [text] => {
                let number = text
                    .strip_prefix("open ")
                    .and_then(|text| text.parse().ok());
                Setup::Open(number.ok_or_else(|| format!("# setup: {text}"))?)
            }
            several => return Err(format!("{} # setup: lines", several.len())),
        };
        let steps = script.notes("application").len();
        if steps != script.notes("expect").len() {
            return Err("each # application: has its # expect:".into());
        }
        if script.has_driver() == (steps == 0) {
            return Err("an application exists where a driver does".into());
        }
        if !script.has_driver() && script.simulator().is_none() {
            return Err("neither driver nor simulator takes part".into());
        }
        Ok(script)
    }

    /// Whether the driver takes part.
    pub fn has_driver(&self) -> bool {
        self.setup != Setup::None
    }

    /// Whether all of it is as it was seen.
    pub fn is_verbatim(&self) -> bool {
        self.source.contains("verbatim")
    }

    /// How the simulator is set up, if it is to be compared.
    pub fn simulator(&self) -> Option<Vec<String>> {
        let setup = self.notes("simulator");
        (!setup.is_empty()).then(|| words(&setup))
    }

    /// Where what the modem says can be cut: at every position, but in the middle of long runs without a
    /// CR only when `SECTAG_EXHAUSTIVE` is set.
    pub fn cuts(&self) -> Vec<usize> {
        let all = std::env::var_os("SECTAG_EXHAUSTIVE").is_some();
        let (mut cuts, mut said) = (Vec::new(), 0);
        for step in &self.steps {
            let Event::Modem(bytes) = &step.event else {
                continue;
            };
            let is_end = |at: usize| at == 0 || at >= bytes.len() || bytes[at] == b'\r';
            for at in 0..bytes.len() {
                if all || (at.saturating_sub(EDGE)..at + EDGE).any(is_end) {
                    cuts.push(said + at);
                }
            }
            said += bytes.len();
        }
        cuts
    }

    /// The values of all comments with this key.
    pub(super) fn notes(&self, key: &str) -> Vec<&str> {
        let notes = self.notes.iter().filter(|(found, _)| found == key);
        notes.map(|(_, value)| value.as_str()).collect()
    }

    /// The words of `# config:`.
    pub(super) fn config(&self) -> Vec<String> {
        words(&self.notes("config"))
    }

    /// What the application does, and what must come of it.
    pub(super) fn application(&self) -> Vec<(&str, &str)> {
        let expected = self.notes("expect");
        self.notes("application")
            .into_iter()
            .zip(expected)
            .collect()
    }

    /// What `# usual:` says about a line.
    pub(super) fn usual(&self, line: &str) -> Option<Answer> {
        let lines = self.notes("usual").into_iter();
        let answer = lines
            .filter_map(|note| note.split_once(" = "))
            .find(|(pattern, _)| is_like(line, pattern));
        answer.map(|(_, answer)| Answer::Now(bytes(answer)))
    }
}

/// Whether it is just that, or begins so where the pattern ends in `...`.
pub(super) fn is_like(text: &str, pattern: &str) -> bool {
    match pattern.strip_suffix("...") {
        Some(start) => text.starts_with(start),
        None => text == pattern,
    }
}

/// Bytes written as in events.
///
/// # Panics
/// When they are not.
pub(super) fn bytes(text: &str) -> Vec<u8> {
    let line = format!("# source: a comment\n> {text}\n");
    let parsed: Transcript = line
        .parse()
        .unwrap_or_else(|error| panic!("{text:?}: {error}"));
    match parsed.events.into_iter().next() {
        Some(Event::Host(bytes)) => bytes,
        other => panic!("{text:?} was read as {other:?}"),
    }
}

fn words(lines: &[&str]) -> Vec<String> {
    let words = lines.iter().flat_map(|line| line.split_whitespace());
    words.map(str::to_owned).collect()
}
