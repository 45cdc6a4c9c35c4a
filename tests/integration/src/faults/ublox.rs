//! The matrix on u-blox cellular modules.

use std::collections::BTreeMap;

use embassy_time::Duration;

use super::{STORED, Side, Subject, counted};
use crate::unit::UbloxUnit;

/// A model that answers as late as one on a UART does, and keeps what is no PEM.
pub fn ublox(model: &str) -> UbloxUnit {
    UbloxUnit::new(model).with(|options| {
        options.turnaround = Duration::from_millis(20);
        options.takes_anything = true;
    })
}

impl Subject for UbloxUnit {
    const NOTICE: &'static [u8] = b"\r\n+CIEV: 2,3\r\n";
    // There is none; two NULs are all that some models say.
    const BANNER: &'static [u8] = b"\0\0\r\n";

    fn counted(&self, side: Side, said: &[u8]) -> Vec<bool> {
        match side {
            Side::Host => counted(said, host_counts),
            Side::Modem => modem_counted(said),
        }
    }

    fn verification_written(&self, commands: &[String]) -> Result<(), String> {
        verification_written(commands)
    }

    /// Nothing but the intended, and no part of a credential that passes for one.
    fn strange_files(
        &self,
        before: &BTreeMap<String, Vec<u8>>,
        mut after: BTreeMap<String, Vec<u8>>,
        stored: bool,
    ) -> Option<String> {
        let new = after.remove("0/st9_ca");
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

fn host_counts(line: &str) -> Option<usize> {
    if let Some(args) = line.strip_prefix("AT+USOWR=") {
        return args.split(',').nth(1)?.parse().ok();
    }
    let args = line.strip_prefix("AT+USECMNG=0,")?;
    args.split(',').nth(2)?.parse().ok()
}

/// Payload begins inside of its line.
fn modem_counted(said: &[u8]) -> Vec<bool> {
    const HEAD: &[u8] = b"+USORD: ";
    let mut marks = vec![false; said.len()];
    let mut at = 0;
    while at < said.len() {
        let rest = &said[at..];
        let quote = rest.iter().position(|byte| *byte == b'"');
        let header = quote.filter(|_| rest.starts_with(HEAD));
        let count = header.and_then(|quote| {
            let fields = String::from_utf8_lossy(&rest[HEAD.len()..quote]).into_owned();
            let count = fields.split(',').nth(1)?.parse::<usize>().ok()?;
            Some((quote + 1, count))
        });
        match count {
            Some((head, count)) => {
                let end = (at + head + count).min(said.len());
                marks[at + head..end].fill(true);
                at = end;
            }
            None => at += 1,
        }
    }
    marks
}

/// What the last open's profile must have been told, after [`TLS`](crate::simulated::TLS).
const VERIFICATION: [(&str, &str); 6] = [
    ("0", "3"),
    ("1", "3"),
    ("3", "\"st7_ca\""),
    ("4", "\"broker.sectag.test\""),
    ("5", "\"st7_cert\""),
    ("6", "\"st7_key\""),
];

/// A line without what makes no difference to a modem: case, blanks, and zeros in front of a number, the first one's too.
fn meaning(line: &str) -> String {
    let (name, arguments) = line.split_once('=').unwrap_or((line, ""));
    let fields: Vec<_> = arguments
        .split(',')
        .map(|field| match field.trim().parse::<u32>() {
            Ok(number) => number.to_string(),
            Err(_) => field.trim().to_ascii_lowercase(),
        })
        .collect();
    format!("{}={}", name.trim().to_ascii_lowercase(), fields.join(","))
}

/// Looks at the lines as the modem received them, before the last connect.
fn verification_written(commands: &[String]) -> Result<(), String> {
    let is_open = |line: &String| meaning(line).starts_with("at+usoco=");
    let last = commands.iter().rposition(is_open).ok_or("no open")?;
    let secure = commands[..last]
        .iter()
        .rev()
        .find(|line| meaning(line).starts_with("at+usosec=") && line.split(',').count() >= 3)
        .ok_or("not secure")?;
    let profile = meaning(secure);
    // Without a number it is the first; what the socket has is read back.
    let profile = match profile.split(',').nth(2).ok_or("no profile")? {
        "" => "0",
        profile => profile,
    };
    for (op, value) in VERIFICATION {
        let start = format!("at+usecprf={profile},{op},");
        let line = commands[..last]
            .iter()
            .rev()
            // A name where a number belongs is refused, and changes nothing.
            .find(|line| {
                let said = meaning(line);
                said.strip_prefix(&start)
                    .is_some_and(|said| said.starts_with('"') == value.starts_with('"'))
            });
        let wanted = format!("{start}{value}");
        if line.is_none_or(|line| meaning(line) != wanted) {
            return Err(format!("connected with {line:?} instead of {wanted:?}"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_is_a_number_however_it_is_written() {
        let said = |secure: &str, level: &str| {
            let lines = ["0,1,3", "0,3,\"st7_ca\"", "0,4,\"broker.sectag.test\""];
            let more = ["0,5,\"st7_cert\"", "0,6,\"st7_key\""];
            let written = lines.into_iter().chain(more).chain([level]);
            let mut commands: Vec<_> = written
                .map(|arguments| format!("AT+USECPRF={arguments}"))
                .collect();
            commands.push(format!("AT+USOSEC={secure}"));
            commands.push("AT+USOSEC=0".into());
            commands.push("AT+USOCO=0,\"broker.sectag.test\",8883".into());
            verification_written(&commands)
        };
        for secure in ["0,1,0", "00,1,00", "0,1,", "0,1,,0"] {
            assert_eq!(said(secure, "00,0,3"), Ok(()), "{secure}");
        }
        assert!(said("0,1,1", "0,0,3").is_err());
        assert!(said("0,1,0", "0,0,1").is_err());
        assert!(said("0,1,0", "1,0,3").is_err());
        assert!(said("0", "0,0,3").is_err());
    }

    #[test]
    fn counted_bytes_are_known() {
        let said = b"+USORD: 0,2,\"\"\n\"\r\n\r\nOK\r\n";
        let marks = modem_counted(said);
        let marked: Vec<_> = (0..said.len()).filter(|&at| marks[at]).collect();
        assert_eq!(marked, [13, 14]);
    }
}
