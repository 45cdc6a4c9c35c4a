//! What became of a line of the manifest, for people, programs and spreadsheets.

use std::path::Path;
use std::time::Duration;

use sectag::Kind;

use super::csv;
use crate::failure::Failure;
use crate::json::Object;

/// What became of one credential.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Part {
    /// The manifest has none.
    #[default]
    None,
    /// It was not come to.
    Open,
    /// It was sent, and the modem has proved that it has it.
    Stored,
    /// The modem has proved that it had it: nothing was sent.
    Proved,
}

impl Part {
    const fn word(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Open => "open",
            Self::Stored => "stored",
            Self::Proved => "proved",
        }
    }
}

/// One line's.
#[derive(Clone, Debug, Default)]
pub(super) struct Outcome {
    pub(super) line: usize,
    pub(super) port: String,
    pub(super) imei: String,
    pub(super) modem: String,
    pub(super) tag: u32,
    /// CA, client certificate, private key.
    pub(super) parts: [Part; 3],
    pub(super) attempts: u32,
    pub(super) took: Duration,
    pub(super) failure: Option<Failure>,
}

const NAMES: [&str; 13] = [
    "line", "port", "imei", "modem", "tag", "ca", "cert", "key", "result", "error", "hint",
    "attempts", "ms",
];

impl Outcome {
    pub(super) fn part(&mut self, kind: Kind) -> &mut Part {
        let [ca, cert, key] = &mut self.parts;
        match kind {
            Kind::ClientCertificate => cert,
            Kind::PrivateKey => key,
            _ => ca,
        }
    }

    pub(super) fn result(&self) -> &'static str {
        if self.failure.is_none() {
            "done"
        } else {
            "FAIL"
        }
    }

    /// One line for people.
    pub(super) fn text(&self) -> String {
        let kinds = ["ca", "cert", "key"];
        let parts: Vec<String> = kinds
            .iter()
            .zip(self.parts)
            .filter(|(_, part)| *part != Part::None)
            .map(|(kind, part)| format!("{kind} {}", part.word()))
            .collect();
        let why = match &self.failure {
            Some(failure) => format!(": {}", failure.observed()),
            None => String::new(),
        };
        let modem = match self.modem.as_str() {
            "" => String::new(),
            modem => format!(" ({modem})"),
        };
        format!(
            "{:<5} {} tag {}{modem}: {}{why} ({:.1} s)",
            self.result(),
            self.port,
            self.tag,
            parts.join(", "),
            self.took.as_secs_f64()
        )
    }

    pub(super) fn object(&self, object: Object) -> Object {
        let [ca, cert, key] = self.parts.map(Part::word);
        let object = object
            .number("line", self.line as u64)
            .text("port", &self.port)
            .text("imei", &self.imei)
            .text("modem", &self.modem)
            .number("tag", self.tag.into())
            .text("ca", ca)
            .text("cert", cert)
            .text("key", key)
            .text("result", &self.result().to_lowercase())
            .number("attempts", self.attempts.into())
            .number("ms", self.took.as_millis() as u64);
        match &self.failure {
            Some(failure) => object.objects("failure", &[failure.json()]),
            None => object,
        }
    }

    fn record(&self) -> String {
        let [ca, cert, key] = self.parts.map(Part::word);
        let lines = self
            .failure
            .as_ref()
            .map(Failure::lines)
            .unwrap_or_default();
        let hint = lines.iter().find_map(|line| line.strip_prefix("hint: "));
        csv::write(&[
            &self.line.to_string(),
            &self.port,
            &self.imei,
            &self.modem,
            &self.tag.to_string(),
            ca,
            cert,
            key,
            self.result(),
            self.failure.as_ref().map_or("", Failure::observed),
            hint.unwrap_or_default(),
            &self.attempts.to_string(),
            &self.took.as_millis().to_string(),
        ])
    }
}

/// The first line of a report in CSV.
pub(super) fn head() -> String {
    csv::write(&NAMES)
}

/// All of them, in the form that the file's name asks for.
pub(super) fn text(path: &Path, outcomes: &[Outcome]) -> String {
    if is_json(path) {
        let objects = outcomes
            .iter()
            .map(|outcome| outcome.object(Object::new()).finish());
        format!("[\n{}\n]\n", objects.collect::<Vec<_>>().join(",\n"))
    } else {
        let records = outcomes.iter().map(Outcome::record);
        head() + &records.collect::<String>()
    }
}

/// Whether a report of that name is JSON, and not CSV.
pub(super) fn is_json(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension == "json")
}
