//! What a simulated modem keeps without power, its files and credentials, in a file of this computer.

use std::collections::BTreeMap;
use std::fs::{File, Metadata, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use sectag_simulator::Simulator;
use serde_json::{Map, Value, json};

use crate::failure::Failure;
use crate::families::ModemName;
use crate::input::{self, Purpose};
use crate::output_file::{self, Readers};
use crate::processes::Process;

type Files = BTreeMap<String, Vec<u8>>;

/// The file, and what it says.
pub(super) struct Kept {
    path: PathBuf,
    /// The file as it was last written: while it is open, it is locked.
    locked: File,
    modem: ModemName,
    files: Files,
}

impl Kept {
    /// Gives the modem what the file says it has; a file that is not there yet says nothing.
    ///
    /// The file is this process's until `Kept` is dropped: a second simulated modem is refused, as each would write
    /// over what the other one stores.
    pub(super) fn restore(
        path: &Path,
        modem: ModemName,
        simulator: &Simulator,
    ) -> Result<Self, Failure> {
        let given = path.to_str().unwrap_or_default();
        if given == "-" {
            return Err(Failure::new(
                "--state -: what is kept is read and written, which needs a file",
            )
            .hint("give the name of a file, which need not exist yet"));
        }
        let path = given.strip_prefix('@').map_or(path, Path::new);
        let failed = |error: String| Failure::new(format!("--state {}: {error}", path.display()));
        let (locked, is_new) = lock(path)?;
        // Absolute, and of the file itself where a link was given.
        let path = std::fs::canonicalize(path).map_err(|error| failed(error.to_string()))?;
        let files = if is_new {
            Files::new()
        } else {
            let (content, _) = input::read(&path, Purpose::State)?;
            let text = String::from_utf8(content).map_err(|_| "it is no text".to_owned());
            text.and_then(|text| parse(&text, modem)).map_err(|error| {
                failed(error).hint("give another file, or remove it: the modem then begins empty")
            })?
        };
        for (name, content) in &files {
            if !simulator.has_name_for(name) {
                return Err(failed(format!(
                    "{name:?} is no name of a {}'s",
                    modem.as_str()
                )));
            }
            simulator.put_file(name, content);
        }
        let mut kept = Self {
            path,
            locked,
            modem,
            files,
        };
        if is_new {
            kept.locked = kept.written(&kept.files)?;
        }
        Ok(kept)
    }

    /// Writes the file anew if the modem has something else than it says.
    pub(super) fn update(&mut self, simulator: &Simulator) -> Result<(), Failure> {
        let files = simulator.files();
        let is_there = self.path.exists();
        if files == self.files && is_there {
            return Ok(());
        }
        if is_there && !is_at(&self.locked, &self.path) {
            let taken = format!(
                "--state {}: another file has taken its place, and is not written over",
                self.path.display()
            );
            return Err(Failure::new(taken).hint("move that one away, or end this modem"));
        }
        self.locked = self.written(&files)?;
        self.files = files;
        Ok(())
    }

    fn written(&self, files: &Files) -> Result<File, Failure> {
        self.write(files)
            .map_err(|error| Failure::new(format!("--state {}: {error}", self.path.display())))
    }

    /// In one go, so that a run that is killed leaves the file of before or the new one. For this user only: private
    /// keys are in it.
    fn write(&self, files: &Files) -> io::Result<File> {
        let files: Map<String, Value> = files
            .iter()
            .map(|(name, content)| (name.clone(), to_json(content)))
            .collect();
        let state = json!({ "modem": self.modem.as_str(), "files": files });
        let content = format!("{state:#}\n");
        output_file::replace_locked(&self.path, content.as_bytes(), Readers::User)
    }
}

/// Opens the file and locks it; makes an empty one where there is none, and says whether it did.
fn lock(path: &Path) -> Result<(File, bool), Failure> {
    let failed = |error: &dyn std::fmt::Display| {
        Failure::new(format!("--state {}: {error}", path.display()))
    };
    // A pipe or a device would be waited for, and could not be replaced.
    if std::fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        return Err(failed(&"it is no file that can be written anew")
            .hint("give the name of a file, which need not exist yet"));
    }
    let mut options = OpenOptions::new();
    options.read(true).append(true).mode(0o600);
    loop {
        let (file, is_new) = match options.clone().create_new(true).open(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                (options.open(path), false)
            }
            made => (made, true),
        };
        let file = file.map_err(|error| failed(&error))?;
        match file.try_lock() {
            // Between the two, another process may have put a new file in its place.
            Ok(()) if is_at(&file, path) => return Ok((file, is_new)),
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(in_use(path)),
            Err(TryLockError::Error(error)) => {
                return Err(failed(&format_args!("it cannot be locked: {error}"))
                    .hint("give a file in a folder of this computer's own, such as /tmp"));
            }
        }
    }
}

fn in_use(path: &Path) -> Failure {
    let file = std::fs::canonicalize(path).ok();
    let holders = Process::others()
        .filter(|process| file.as_ref().is_some_and(|file| process.has_open(file)));
    let names: Vec<String> = holders.map(|process| process.shown()).collect();
    let whose = if names.is_empty() {
        "another simulated modem".into()
    } else {
        format!("the simulated modem of {}", names.join(" and "))
    };
    Failure::new(format!(
        "--state {}: it is in use by {whose}",
        path.display()
    ))
    .hint("end that first, or give this one a file of its own: two modems would write over each other")
}

/// Whether an open file is the one of this name.
fn is_at(file: &File, path: &Path) -> bool {
    let place = |found: Metadata| (found.dev(), found.ino());
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(file), Ok(named)) => place(file) == place(named),
        _ => false,
    }
}

fn parse(text: &str, modem: ModemName) -> Result<Files, String> {
    let state: Value =
        serde_json::from_str(text).map_err(|error| format!("it is no JSON: {error}"))?;
    let whose = state["modem"].as_str().unwrap_or("nobody");
    if whose != modem.as_str() {
        return Err(format!(
            "it is the state of {whose}, and this modem is a {}",
            modem.as_str()
        ));
    }
    let files = state["files"].as_object().ok_or("\"files\" is missing")?;
    files
        .iter()
        .map(|(name, content)| {
            let content = from_json(content).ok_or_else(|| {
                format!("the content of {name:?} is neither text nor {{\"hex\": \"...\"}}")
            })?;
            Ok((name.clone(), content))
        })
        .collect()
}

/// Text as it is, anything else in hex.
fn to_json(content: &[u8]) -> Value {
    match std::str::from_utf8(content) {
        Ok(text) => Value::from(text),
        Err(_) => {
            let hex: String = content.iter().map(|byte| format!("{byte:02x}")).collect();
            json!({ "hex": hex })
        }
    }
}

fn from_json(content: &Value) -> Option<Vec<u8>> {
    if let Some(text) = content.as_str() {
        return Some(text.as_bytes().to_vec());
    }
    let hex = content["hex"].as_str()?.as_bytes();
    if hex.len() % 2 != 0 {
        return None;
    }
    hex.chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_of_all_kinds_come_back() {
        for content in [&b""[..], b"-----BEGIN\r\n", b"\x00\xff\x30\x82"] {
            assert_eq!(from_json(&to_json(content)).as_deref(), Some(content));
        }
        for wrong in [json!(7), json!({ "hex": "0" }), json!({ "hex": "zz" })] {
            assert_eq!(from_json(&wrong), None);
        }
    }

    #[test]
    fn the_state_of_another_modem_is_refused() {
        let text = r#"{"modem":"bg96","files":{"st7.ca":"PEM"}}"#;
        let files = parse(text, ModemName::Bg96).unwrap();
        assert_eq!(files["st7.ca"], b"PEM");
        let error = parse(text, ModemName::Nrf9160).unwrap_err();
        assert!(error.contains("the state of bg96"), "{error}");
        assert!(parse("no JSON", ModemName::Bg96).is_err());
    }
}
