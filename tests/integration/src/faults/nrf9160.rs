//! The matrix on an nRF9160.

use std::collections::BTreeMap;

use embassy_time::Duration;
use sectag_simulator::NativeStore;

use super::{Case, Fault, Golden, STORED, Side, Subject};
use crate::unit::Nrf9160Unit;

/// A firmware that answers as late as one on a UART does, and does not look into certificates, so that what
/// is stored may be anything.
pub fn nrf9160(dialect: &str) -> Nrf9160Unit {
    Nrf9160Unit::new(dialect).with(|options| {
        options.turnaround = Duration::from_millis(20);
        options.profile.validates_content = false;
    })
}

/// Behind the last byte of a send.
const LEAVES: &[u8] = b"+++AT";

impl Subject for Nrf9160Unit {
    const NOTICE: &'static [u8] = b"\r\n%MDMEV: PRACH CE-LEVEL 1\r\n";
    const BANNER: &'static [u8] = b"Ready\r\n";

    fn counted(&self, side: Side, said: &[u8]) -> Vec<bool> {
        match side {
            Side::Host => {
                let settings = self
                    .options
                    .profile
                    .native
                    .is_some_and(|native| native.store == NativeStore::Settings);
                host_counted(said, settings)
            }
            Side::Modem => super::counted(said, modem_counts),
        }
    }

    fn verification_written(&self, commands: &[String]) -> Result<(), String> {
        let modem_tls = self.options.profile.native.is_none();
        verification_written(commands, modem_tls)
    }

    /// Nothing but the intended. A tag or type that was altered on its way is stored whole under another, which
    /// no connection uses.
    fn strange_files(
        &self,
        before: &BTreeMap<String, Vec<u8>>,
        mut after: BTreeMap<String, Vec<u8>>,
        _stored: bool,
    ) -> Option<String> {
        after.retain(|name, content| before.contains_key(name) || content != STORED);
        if &after == before {
            return None;
        }
        let names: Vec<_> = after.keys().collect();
        Some(format!("other credentials: {names:?}"))
    }

    fn unseen(&self, golden: &Golden, case: Case) -> Option<&'static str> {
        let said = golden.said(case.side);
        let start = said[..=case.at].windows(2).rposition(|two| two == b"AT");
        let start = start.unwrap_or(case.at);
        let end = said[start..]
            .windows(self.end().len())
            .position(|end| end == self.end());
        let end = end.map_or(said.len(), |end| start + end + self.end().len());
        let line = &said[start..end];
        match (case.side, case.fault) {
            (Side::Host, Fault::Double)
                if case.at + 1 == end && line.starts_with(b"AT#XSEND") && !line.contains(&b'"') =>
            {
                Some("the end of the line that begins data mode is its first byte")
            }
            // `64` becomes `66`: data is told and kept, and told again.
            (Side::Host, Fault::Flip | Fault::Drop | Fault::Double)
                if line.starts_with(b"AT#XRECV=") =>
            {
                Some("a flag of the read is another: the modem may be asked to keep what it tells")
            }
            (Side::Host, Fault::Drop | Fault::Double | Fault::Flip)
                if line.starts_with(b"AT#XSEND=") && !line.contains(&b'"') =>
            {
                Some(
                    "the length is another, and the end of data mode does not say how many it took",
                )
            }
            (Side::Modem, Fault::Double | Fault::Notice | Fault::Banner)
                if self.ends_a_count(said, case.at) =>
            {
                Some(
                    "what comes between a count and its payload is counted, and the payload has an end in it",
                )
            }
            (Side::Host, Fault::Flip) if self.ends_data_mode(said, case.at) => {
                Some("what should end data mode is payload")
            }
            _ => None,
        }
    }
}

impl Nrf9160Unit {
    /// Whether this byte is of the end of a line that announces payload.
    fn ends_a_count(&self, said: &[u8], at: usize) -> bool {
        let start = said[..at]
            .iter()
            .rposition(|&byte| byte == b'\n')
            .map_or(0, |end| end + 1);
        matches!(said[at], b'\r' | b'\n') && said[start..at].starts_with(b"#XRECV: ")
    }

    /// Whether this byte is of the `+++` behind a send.
    fn ends_data_mode(&self, said: &[u8], at: usize) -> bool {
        let from = at.saturating_sub(2);
        let around = &said[from..said.len().min(at + 3 + LEAVES.len())];
        !self.options.profile.serial_modem
            && around.windows(LEAVES.len()).any(|five| five == LEAVES)
            && said[at] == b'+'
    }

    fn end(&self) -> &'static [u8] {
        if self.options.profile.serial_modem {
            b"\r"
        } else {
            b"\r\n"
        }
    }
}

/// What is between quotes in a send, or in a store whose modem tells no digest, and what follows a line that
/// begins data mode.
fn host_counted(said: &[u8], settings: bool) -> Vec<bool> {
    let mut marks = vec![false; said.len()];
    let mut at = 0;
    while at < said.len() {
        let rest = &said[at..];
        let quoted =
            rest.starts_with(b"AT#XSEND=") || (settings && rest.starts_with(b"AT#XCMNG=0,"));
        let line = rest
            .iter()
            .position(|&byte| matches!(byte, b'\r' | b'\n' | b'"'))
            .unwrap_or(rest.len());
        let (mut from, mut len) = (at + line + 1, 0);
        if rest.starts_with(b"AT#XSEND\r\n") {
            from = at + 10;
            let left = &said[from..];
            len = left
                .windows(LEAVES.len())
                .position(|five| five == LEAVES)
                .unwrap_or(left.len().saturating_sub(3));
        } else if rest.starts_with(b"AT#XSEND=") && rest[line..].starts_with(b"\r") {
            let count = rest[..line].rsplit(|&byte| byte == b',').next();
            let count = count.and_then(|digits| core::str::from_utf8(digits).ok());
            len = count.and_then(|digits| digits.parse().ok()).unwrap_or(0);
        } else if quoted && rest[line..].starts_with(b"\"") {
            let left = &said[from..];
            len = left
                .iter()
                .position(|&byte| byte == b'"')
                .unwrap_or(left.len());
        }
        let end = (from + len).min(said.len());
        marks[from.min(end)..end].fill(true);
        at = end.max(at + 1);
    }
    marks
}

fn modem_counts(line: &str) -> Option<usize> {
    let fields = line.strip_prefix("#XRECV: ")?;
    fields.rsplit(',').next()?.parse().ok()
}

/// Looks at the lines as the modem received them, from the last socket to its connection.
fn verification_written(commands: &[String], modem_tls: bool) -> Result<(), String> {
    let commands: Vec<String> = commands.iter().map(|line| meaning(line)).collect();
    let is_connect = |line: &String| line.starts_with("AT#XCONNECT=");
    let last = commands
        .iter()
        .rposition(is_connect)
        .ok_or("no connection")?;
    let is_socket = |line: &String| line.starts_with("AT#XSSOCKET=");
    let first = commands[..last]
        .iter()
        .rposition(is_socket)
        .ok_or("no socket")?;
    let between = &commands[first..last];
    // Said twice, so that it holds when one of both is garbled.
    let again = |line: &String| {
        line.starts_with("AT#XSSOCKETOPT=")
            && (line.ends_with("=1,5,2") || line.ends_with(",1,5,2"))
    };
    let again = between.iter().any(again) && between[0].starts_with("AT#XSSOCKET=1,1,0,7,");
    if between[0] != "AT#XSSOCKET=1,1,0,7,2" && !again {
        return Err(format!("connected with {:?}", between[0]));
    }
    let set = |end: &str| {
        let sets = |line: &String| line.starts_with("AT#XSSOCKETOPT=") && line.ends_with(end);
        between.iter().any(sets)
    };
    if !set(",2,\"BROKER.SECTAG.TEST\"") {
        return Err(format!("connected without its name: {between:?}"));
    }
    // `12` garbled to `13` has the cache purged (sheet 4.2): nothing is resumed then either.
    if modem_tls && !set(",12,0") && !set(",13,0") {
        return Err(format!("connected with a session cache: {between:?}"));
    }
    Ok(())
}

/// A line without what makes no difference to a modem: junk in front of it, blanks in front of a number, the
/// case of letters, and zeros in front of a number.
fn meaning(line: &str) -> String {
    let line = line.trim().to_ascii_uppercase();
    let line = &line[line.find("AT").unwrap_or(0)..];
    let Some((name, args)) = line.split_once('=') else {
        return line.into();
    };
    let args: Vec<_> = args
        .split(',')
        .map(|field| match field.trim_start().parse::<u32>() {
            Ok(number) => number.to_string(),
            Err(_) => field.to_owned(),
        })
        .collect();
    format!("{name}={}", args.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked(said: &[u8], settings: bool) -> String {
        let marks = host_counted(said, settings);
        let marked = said.iter().zip(marks).filter(|(_, mark)| *mark);
        marked.map(|(&byte, _)| char::from(byte)).collect()
    }

    #[test]
    fn counted_bytes_are_known() {
        assert_eq!(marked(b"AT#XSEND=\"abc\"\r\nAT\r\n", false), "abc");
        assert_eq!(
            marked(b"AT#XSEND\r\na\r\n+++ b+++AT#XPOLL\r\n", false),
            "a\r\n+++ b"
        );
        assert_eq!(marked(b"AT#XSEND=0,2,0,3\ra\r\nAT\r", false), "a\r\n");
        assert_eq!(marked(b"AT#XCMNG=0,9,0,\"PEM\"\r\n", true), "PEM");
        assert_eq!(marked(b"AT%CMNG=0,9,0,\"PEM\"\r\n", false), "");
        let said = b"\r\n#XRECV: 2\r\nOK\r\nOK\r\n";
        let marks = super::super::counted(said, modem_counts);
        let marked: Vec<_> = (0..said.len()).filter(|&at| marks[at]).collect();
        assert_eq!(marked, [13, 14]);
    }
}
