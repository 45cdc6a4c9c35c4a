//! What a simulated modem keeps without power, its files and credentials, in a file of this computer.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use sectag_simulator::Simulator;
use serde_json::{Map, Value, json};

use crate::failure::Failure;
use crate::families::ModemName;
use crate::input::{self, Purpose};
use crate::output_file::{self, Readers};

type Files = BTreeMap<String, Vec<u8>>;

/// The file, and what it says.
pub(super) struct Kept {
    path: PathBuf,
    modem: ModemName,
    files: Files,
}

impl Kept {
    /// Gives the modem what the file says it has; a file that is not there yet says nothing.
    pub(super) fn restore(
        path: &Path,
        modem: ModemName,
        simulator: &Simulator,
    ) -> Result<Self, Failure> {
        let failed = |error: String| Failure::new(format!("--state {}: {error}", path.display()));
        let files = match std::fs::metadata(path) {
            Ok(found) if found.is_file() => {
                let (content, _) = input::read(path, Purpose::State)?;
                let text = String::from_utf8(content).map_err(|_| "it is no text".to_owned());
                text.and_then(|text| parse(&text, modem)).map_err(|error| {
                    failed(error)
                        .hint("give another file, or remove it: the modem then begins empty")
                })?
            }
            // A pipe or a device would be waited for, and could not be replaced.
            Ok(_) => {
                return Err(failed("it is no file that can be written anew".into())
                    .hint("give the name of a file, which need not exist yet"));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Files::new(),
            Err(error) => return Err(failed(error.to_string())),
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
        Ok(Self {
            path: path.to_owned(),
            modem,
            files,
        })
    }

    /// Writes the file anew if the modem has something else than it says.
    pub(super) fn update(&mut self, simulator: &Simulator) -> Result<(), Failure> {
        let files = simulator.files();
        if files == self.files && self.path.exists() {
            return Ok(());
        }
        self.write(&files)
            .map_err(|error| Failure::new(format!("--state {}: {error}", self.path.display())))?;
        self.files = files;
        Ok(())
    }

    /// In one go, so that a run that is killed leaves the file of before or the new one. For this user only: private
    /// keys are in it.
    fn write(&self, files: &Files) -> io::Result<()> {
        let files: Map<String, Value> = files
            .iter()
            .map(|(name, content)| (name.clone(), to_json(content)))
            .collect();
        let state = json!({ "modem": self.modem.as_str(), "files": files });
        output_file::replace(&self.path, format!("{state:#}\n").as_bytes(), Readers::User)
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
