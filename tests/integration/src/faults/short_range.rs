//! The matrix on u-blox Wi-Fi modules, over extended data mode.

use std::collections::BTreeMap;
use std::ops::Range;

use embassy_time::Duration;

use super::{Case, Fault, Golden, STORED, Side, Subject};
use crate::unit::ShortRangeUnit;

/// A model that answers as late as one on a UART does.
pub fn short_range(model: &str) -> ShortRangeUnit {
    ShortRangeUnit::new(model).with(|options| options.turnaround = Duration::from_millis(20))
}

/// A connection, data from the module and to it, and text to it.
const CONNECT: u16 = 0x11;
const DATA_EVENT: u16 = 0x31;
const DATA_COMMAND: u16 = 0x36;
const AT_REQUEST: u16 = 0x44;
/// What is in front of a body, and the channel of data.
const HEAD: usize = 5;

impl Subject for ShortRangeUnit {
    /// A notice of Bluetooth, as text of its own frame: what the mode has for it.
    const NOTICE: &'static [u8] = b"\xaa\x00\x16\x00\x41\r\n+UUBTACLD:112233\r\n\x55";
    const BANNER: &'static [u8] = b"\r\n+STARTUP\r\n";
    const SHIFTS_SHOW: bool = true;

    fn counted(&self, side: Side, said: &[u8]) -> Vec<bool> {
        let mut marks = vec![false; said.len()];
        let data = match side {
            Side::Host => DATA_COMMAND,
            Side::Modem => DATA_EVENT,
        };
        // Of a credential that is being imported.
        let mut left = 0;
        for (kind, body) in frames(said) {
            if kind == data {
                marks[body.start + 1..body.end].fill(true);
            } else if side == Side::Host && kind == AT_REQUEST {
                let text = &said[body.clone()];
                let upload = left.min(text.len());
                marks[body.start..body.start + upload].fill(true);
                left -= upload;
                let line = String::from_utf8_lossy(text);
                let size = line
                    .strip_prefix("AT+USECMNG=0,")
                    .and_then(|args| args.trim_end().rsplit(',').next()?.parse::<usize>().ok());
                left = size.unwrap_or(left);
            }
        }
        marks
    }

    fn between(&self, said: &[u8]) -> Vec<bool> {
        let mut marks = vec![false; said.len()];
        for (_, body) in frames(said) {
            if let Some(mark) = marks.get_mut(body.end + 1) {
                *mark = true;
            }
        }
        marks
    }

    fn verification_written(&self, commands: &[String]) -> Result<(), String> {
        let url = commands.iter().rev().find(|line| line.contains("+UDCP="));
        let wanted = "AT+UDCP=\"tcp://broker.sectag.test:8883/?ca=st7ca&cert=st7cc&privKey=st7pk\"";
        match url {
            // Names of hosts have no case, and names of credentials are lower case here.
            Some(url) if url.trim().eq_ignore_ascii_case(wanted) => Ok(()),
            other => Err(format!("connected with {other:?} instead of {wanted:?}")),
        }
    }

    /// Nothing but the intended, and no part of a credential that passes for one.
    fn strange_files(
        &self,
        before: &BTreeMap<String, Vec<u8>>,
        mut after: BTreeMap<String, Vec<u8>>,
        stored: bool,
    ) -> Option<String> {
        let new = after.remove("0/st9ca");
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

    fn unseen(&self, golden: &Golden, case: Case) -> Option<&'static str> {
        let (kind, body) = frames(golden.said(case.side))
            .into_iter()
            .find(|(_, body)| (body.start - HEAD..=body.end).contains(&case.at))?;
        match (case.side, kind) {
            (Side::Host, DATA_COMMAND) => {
                Some("nothing acknowledges data to the module: a frame of it is lost, or another's")
            }
            (Side::Modem, DATA_EVENT)
                if matches!(case.fault, Fault::Notice | Fault::Banner) && case.at > body.start =>
            {
                Some("what comes inside of a frame is counted, and has a U in it, which ends one")
            }
            (Side::Modem, DATA_EVENT)
                if case.fault == Fault::Silence && case.at + HEAD == body.start =>
            {
                Some("whole frames are lost while the line is dead, and nothing numbers them")
            }
            (Side::Modem, CONNECT) if case.fault == Fault::Flip && case.at == body.start => {
                Some("a connection is told with another channel")
            }
            (Side::Modem, DATA_EVENT) if case.fault == Fault::Flip && case.at == body.start => {
                Some("data has another channel, which is another socket's")
            }
            _ => None,
        }
    }
}

/// Kind, and where the body is, of each frame; what is between frames is text of before the mode.
fn frames(said: &[u8]) -> Vec<(u16, Range<usize>)> {
    let mut found = Vec::new();
    let mut at = 0;
    while at + HEAD < said.len() {
        let length = usize::from(said[at + 1]) << 8 | usize::from(said[at + 2]);
        let end = at + 3 + length;
        if said[at] != 0xaa || length < 2 || said.get(end) != Some(&0x55) {
            at += 1;
            continue;
        }
        let kind = u16::from(said[at + 3]) << 8 | u16::from(said[at + 4]);
        found.push((kind, at + HEAD..end));
        at = end + 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counted_bytes_are_known() {
        let unit = short_range("odin");
        let said = b"ATO2\r\n\xaa\x00\x05\x00\x36\x07ab\x55\xaa\x00\x13\x00\x44AT+USECMNG=0,0,1\r\x55\xaa\x00\x04\x00\x44xy\x55";
        let marks = unit.counted(Side::Host, said);
        let marked: Vec<_> = (0..said.len()).filter(|&at| marks[at]).collect();
        // One byte was announced, of two that come.
        assert_eq!(marked.len(), 3);
        assert_eq!((said[marked[0]], said[marked[2]]), (b'a', b'x'));
        assert!(unit.counted(Side::Modem, said).iter().all(|mark| !mark));
    }
}
