//! The matrix on a CC3220 or CC3235 with TI's AT application.

use std::collections::BTreeMap;

use sectag_simulator::AtVersion;

use super::{STORED, Side, Subject};
use crate::unit::Cc32xxUnit;

/// The first version, which prompts and echoes by itself.
pub fn cc32xx() -> Cc32xxUnit {
    Cc32xxUnit::new(AtVersion::First)
}

impl Subject for Cc32xxUnit {
    const NOTICE: &'static [u8] = b"+eventmqtt:operation,7\n\r";
    const BANNER: &'static [u8] = b"\t    AT Commands Example Ver: 1.1.1\n\r";

    /// What is base64 in a send, a file, or an answer that brings either.
    fn counted(&self, _: Side, said: &[u8]) -> Vec<bool> {
        let mut marks = vec![false; said.len()];
        let mut start = 0;
        for line in said.split_inclusive(|byte| *byte == b'\n') {
            let text = line.trim_ascii_start();
            let commas = [
                (&b"AT+Send="[..], 3),
                (b"AT+FileWrite=", 4),
                (b"+recv:", 3),
                (b"+fileread:", 2),
            ];
            let known = commas.iter().find(|(name, _)| text.starts_with(name));
            if let Some((_, commas)) = known {
                let places = line.iter().enumerate().filter(|(_, byte)| **byte == b',');
                let begin = places.map(|(at, _)| at + 1).nth(commas - 1);
                if let Some(begin) = begin {
                    marks[start + begin..start + line.len() - 1].fill(true);
                }
            }
            start += line.len();
        }
        marks
    }

    /// Behind a line, and anywhere in an echo.
    fn between(&self, said: &[u8]) -> Vec<bool> {
        let mut marks: Vec<bool> = (0..said.len())
            .map(|at| at == 0 || said[at - 1] == b'\n')
            .collect();
        let mut start = 0;
        for line in said.split_inclusive(|byte| *byte == b'\n') {
            if line.trim_ascii_start().starts_with(b"AT+") {
                marks[start..start + line.len()].fill(true);
            }
            start += line.len();
        }
        marks
    }

    fn verification_written(&self, commands: &[String]) -> Result<(), String> {
        let last = |name: &str| commands.iter().rposition(|line| line.starts_with(name));
        let from = last("AT+Socket").unwrap_or(0);
        let options: Vec<&str> = commands[from..]
            .iter()
            .filter_map(|line| line.strip_prefix("AT+SetSockOpt="))
            .filter_map(|line| Some(line.split_once(",SOCKET,")?.1))
            .collect();
        for wanted in [
            "SECMETHOD,TLSV1_2",
            "SECURE_FILES_CA_FILE_NAME,/cert/7_ca.der",
            "SECURE_DOMAIN_NAME_VERIFICATION,broker.sectag.test",
            "SECURE_FILES_PRIVATE_KEY_FILE_NAME,/cert/7_key.der",
            "SECURE_FILES_CERTIFICATE_FILE_NAME,/cert/7_cert.der",
        ] {
            if !options.contains(&wanted) {
                return Err(format!("connected without {wanted:?}: {options:?}"));
            }
        }
        Ok(())
    }

    /// Nothing but the intended, and no part of a credential that passes for one.
    fn strange_files(
        &self,
        before: &BTreeMap<String, Vec<u8>>,
        mut after: BTreeMap<String, Vec<u8>>,
        stored: bool,
    ) -> Option<String> {
        let new = after.remove("/cert/9_ca.der");
        after.retain(|name, content| before.contains_key(name) || content != STORED);
        if &after != before {
            let names: Vec<_> = after.keys().collect();
            return Some(format!("other credentials: {names:?}"));
        }
        let whole = new.as_deref() == Some(STORED);
        if !whole && (stored || new.is_some()) {
            return Some("half a credential passes for one".into());
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_counted_and_echoes_may_be_cut() {
        let unit = cc32xx();
        let said = b"AT+Send=0,1,4,aGk=\n\rOK\n\r+recv:0,1,4,aGk=\n\r";
        let marks = unit.counted(Side::Modem, said);
        let marked = marks.iter().filter(|mark| **mark).count();
        assert_eq!(marked, 8);
        let between = unit.between(said);
        assert!(between[..19].iter().all(|mark| *mark));
        assert!(!between[21]);
    }
}
