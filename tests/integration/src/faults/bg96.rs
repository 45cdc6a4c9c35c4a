//! The matrix on a BG96.

use std::collections::BTreeMap;

use embassy_time::Duration;
use sectag_bg96::Config;
use sectag_simulator::Options;

use super::{STORED, Side, Subject, counted};
use crate::unit::Bg96Unit;

/// A BG96 that answers as late as one on a UART does.
pub fn bg96() -> Bg96Unit {
    Bg96Unit {
        config: Config::new(),
        options: Options {
            turnaround: Duration::from_millis(20),
            pdp_active: true,
            ..Options::default()
        },
    }
}

impl Subject for Bg96Unit {
    const NOTICE: &'static [u8] = b"\r\n+QIND: PB DONE\r\n";
    const BANNER: &'static [u8] = b"\r\nRDY\r\n";

    fn counted(&self, side: Side, said: &[u8]) -> Vec<bool> {
        counted(
            said,
            match side {
                Side::Host => host_counts,
                Side::Modem => modem_counts,
            },
        )
    }

    fn verification_written(&self, commands: &[String]) -> Result<(), String> {
        verification_written(commands)
    }

    /// Nothing but the intended, and no part of a file that passes for one.
    fn strange_files(
        &self,
        before: &BTreeMap<String, Vec<u8>>,
        mut after: BTreeMap<String, Vec<u8>>,
        stored: bool,
    ) -> Option<String> {
        let marked = after.remove("st9.xca").is_some();
        let new = after.remove("st9.ca");
        // A name that was altered on its way: whole, and no credential's.
        after.retain(|name, content| {
            before.contains_key(name) || is_credential(name) || !is_whole(content)
        });
        if &after != before {
            let names: Vec<_> = after.keys().collect();
            return Some(format!("other files: {names:?}"));
        }
        let whole = new.as_deref() == Some(STORED);
        if (stored && (!whole || marked)) || (new.is_some() && !whole && !marked) {
            return Some("half a credential passes for one".into());
        }
        None
    }
}

fn host_counts(line: &str) -> Option<usize> {
    let args = line
        .strip_prefix("AT+QSSLSEND=")
        .or(line.strip_prefix("AT+QFUPL="))?;
    args.split(',').nth(1)?.parse().ok()
}

fn modem_counts(line: &str) -> Option<usize> {
    line.strip_prefix("+QSSLRECV: ")?.parse().ok()
}

/// As the driver names those, and so takes them for.
fn is_credential(name: &str) -> bool {
    name.strip_prefix("st")
        .and_then(|rest| rest.split_once('.'))
        .is_some_and(|(tag, kind)| {
            !tag.is_empty()
                && tag.bytes().all(|byte| byte.is_ascii_digit())
                && matches!(kind, "ca" | "crt" | "key")
        })
}

/// What the store writes, the marker included.
fn is_whole(content: &[u8]) -> bool {
    content == STORED || content == b"x"
}

/// What the last open's context must have been told, after [`TLS`](crate::simulated::TLS).
const VERIFICATION: [(&str, &str); 8] = [
    ("sslversion", "3"),
    ("ciphersuite", "0XC02F"),
    ("cacert", "\"st7.ca\""),
    ("clientcert", "\"st7.crt\""),
    ("clientkey", "\"st7.key\""),
    ("seclevel", "2"),
    ("ignorelocaltime", "0"),
    ("sni", "1"),
];

/// A line without what makes no difference to a modem: the case of letters, which no name of a file here
/// depends on, and zeros in front of a number.
fn meaning(line: &str) -> String {
    let fields: Vec<_> = line
        .split(',')
        .map(|field| match field.parse::<u32>() {
            Ok(number) => number.to_string(),
            Err(_) => field.to_ascii_lowercase(),
        })
        .collect();
    fields.join(",")
}

/// Looks at the lines as the modem received them, between the last two opens.
fn verification_written(commands: &[String]) -> Result<(), String> {
    let is_open = |line: &String| meaning(line).starts_with("at+qsslopen=");
    let last = commands.iter().rposition(is_open).ok_or("no open")?;
    let context = commands[last].split(',').nth(1).ok_or("no context")?;
    let since = commands[..last].iter().rposition(is_open).unwrap_or(0);
    for (key, value) in VERIFICATION {
        // With a value, for without it is a query.
        let start = format!("AT+QSSLCFG=\"{key}\",{},", meaning(context));
        let line = commands[since..last]
            .iter()
            .rev()
            .find(|line| meaning(line).starts_with(&start.to_ascii_lowercase()));
        let wanted = format!("{start}{value}");
        if line.is_none_or(|line| meaning(line) != meaning(&wanted)) {
            return Err(format!("connected with {line:?} instead of {wanted:?}"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counted_bytes_are_known() {
        let said = b"AT\rAT+QSSLSEND=0,3\rA\r\nAT\r";
        let marks = counted(said, host_counts);
        let marked: Vec<_> = (0..said.len()).filter(|&at| marks[at]).collect();
        assert_eq!(marked, [19, 20, 21]);
        let said = b"\r\n+QSSLRECV: 2\r\nOK\r\n\r\nOK\r\n";
        let marks = counted(said, modem_counts);
        let marked: Vec<_> = (0..said.len()).filter(|&at| marks[at]).collect();
        assert_eq!(marked, [16, 17]);
    }
}
