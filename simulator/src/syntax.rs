//! The syntax of one command: `AT`, or `AT` with `+`, `%` or `#`, a name, and `=...`, `?` or `=?`
//! (V.250).

use std::ops::RangeInclusive;

/// The answer to a command that is not executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fail {
    /// The command does not exist, or not in this form: `ERROR`.
    Unknown,
    /// The command is refused: `ERROR`.
    Error,
    /// The command is refused with `+CME ERROR: n`, subject to `AT+CMEE`.
    Cme(u16),
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Command {
    /// `+`, `%` or `#` and the name in upper case; empty for `AT` alone.
    pub(crate) name: String,
    pub(crate) op: Op,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Op {
    Execute,
    Read,
    Test,
    Set(Args),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Arg {
    Empty,
    Quoted(Vec<u8>),
    Bare(String),
}

/// The arguments of a set command. Types are strict: a quoted number or a bare string is an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Args(Vec<Arg>);

/// The most arguments that any command takes.
const MOST_ARGS: usize = 42;

impl Args {
    pub(crate) fn count(&self, least: usize, most: usize) -> Result<(), Fail> {
        if (least..=most).contains(&self.0.len()) {
            Ok(())
        } else {
            Err(Fail::Error)
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether an argument is missing, or empty between commas.
    pub(crate) fn absent(&self, index: usize) -> bool {
        matches!(self.0.get(index), None | Some(Arg::Empty))
    }

    /// Refuses empty arguments.
    pub(crate) fn none_empty(&self) -> Result<(), Fail> {
        if self.0.contains(&Arg::Empty) {
            Err(Fail::Error)
        } else {
            Ok(())
        }
    }

    pub(crate) fn number(&self, index: usize, range: RangeInclusive<i64>) -> Result<i64, Fail> {
        let Some(Arg::Bare(text)) = self.0.get(index) else {
            return Err(Fail::Error);
        };
        let digits = text.strip_prefix('-').unwrap_or(text);
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Fail::Error);
        }
        let number = text.parse().map_err(|_| Fail::Error)?;
        range.contains(&number).then_some(number).ok_or(Fail::Error)
    }

    pub(crate) fn number_or(
        &self,
        index: usize,
        range: RangeInclusive<i64>,
        default: i64,
    ) -> Result<i64, Fail> {
        if self.absent(index) {
            Ok(default)
        } else {
            self.number(index, range)
        }
    }

    pub(crate) fn byte(&self, index: usize, range: RangeInclusive<u8>) -> Result<u8, Fail> {
        let (least, most) = (i64::from(*range.start()), i64::from(*range.end()));
        self.number(index, least..=most).map(|number| number as u8)
    }

    /// Returns a quoted argument of any bytes.
    pub(crate) fn bytes(&self, index: usize) -> Result<&[u8], Fail> {
        match self.0.get(index) {
            Some(Arg::Quoted(bytes)) => Ok(bytes),
            _ => Err(Fail::Error),
        }
    }

    /// Returns a quoted argument that is text.
    pub(crate) fn string(&self, index: usize) -> Result<&str, Fail> {
        std::str::from_utf8(self.bytes(index)?).map_err(|_| Fail::Error)
    }

    pub(crate) fn bare(&self, index: usize) -> Option<&str> {
        match self.0.get(index) {
            Some(Arg::Bare(text)) => Some(text),
            _ => None,
        }
    }
}

/// Parses a line that begins with `AT`.
pub(crate) fn parse(line: &[u8]) -> Result<Command, Fail> {
    let rest = match line.get(..2) {
        Some(at) if at.eq_ignore_ascii_case(b"AT") => &line[2..],
        _ => return Err(Fail::Error),
    };
    let end = rest
        .iter()
        .position(|byte| matches!(byte, b'=' | b'?'))
        .unwrap_or(rest.len());
    let (name, rest) = rest.split_at(end);
    let known = match name {
        [] => rest.is_empty(),
        [b'+' | b'%' | b'#', name @ ..] => {
            !name.is_empty() && name.iter().all(u8::is_ascii_alphanumeric)
        }
        // A command such as `AT&K3`.
        [b'&', letter, digits @ ..] => {
            letter.is_ascii_alphabetic() && digits.iter().all(u8::is_ascii_digit) && rest.is_empty()
        }
        // A command such as `ATE0` or `ATI`; whether it exists is decided later.
        [first, name @ ..] => {
            first.is_ascii_alphabetic() && name.iter().all(u8::is_ascii_digit) && rest.is_empty()
        }
    };
    if !known {
        return Err(Fail::Error);
    }
    let op = match rest {
        b"" => Op::Execute,
        b"?" => Op::Read,
        b"=?" => Op::Test,
        [b'=', args @ ..] => Op::Set(parse_args(args)?),
        _ => return Err(Fail::Error),
    };
    let name = String::from_utf8_lossy(name).to_ascii_uppercase();
    Ok(Command { name, op })
}

fn parse_args(text: &[u8]) -> Result<Args, Fail> {
    let mut args = Vec::new();
    let mut rest = text;
    loop {
        let (arg, after) = if let Some(quoted) = rest.strip_prefix(b"\"") {
            let end = position(quoted, b'"').ok_or(Fail::Error)?;
            (Arg::Quoted(quoted[..end].to_vec()), &quoted[end + 1..])
        } else {
            let end = position(rest, b',').unwrap_or(rest.len());
            let bare = std::str::from_utf8(&rest[..end])
                .map_err(|_| Fail::Error)?
                .trim();
            if bare.contains('"') {
                return Err(Fail::Error);
            }
            let arg = if bare.is_empty() {
                Arg::Empty
            } else {
                Arg::Bare(bare.to_owned())
            };
            (arg, &rest[end..])
        };
        args.push(arg);
        if args.len() > MOST_ARGS {
            return Err(Fail::Error);
        }
        match after {
            [b',', next @ ..] => rest = next,
            [] => return Ok(Args(args)),
            // Something follows a closing quote.
            _ => return Err(Fail::Error),
        }
    }
}

fn position(text: &[u8], wanted: u8) -> Option<usize> {
    text.iter().position(|byte| *byte == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grammar_is_checked_first() {
        assert_eq!(parse(b"at").unwrap().op, Op::Execute);
        assert_eq!(parse(b"at#xpoll?").unwrap().name, "#XPOLL");
        assert_eq!(parse(b"AT%CMNG=?").unwrap().op, Op::Test);
        for line in [
            &b"A"[..],
            b"ATX+",
            b"AT+",
            b"AT?",
            b"AT+CFUN=1;+CEREG=1\"",
            b"AT+X!",
            b"AT#X?1",
            b"\nAT",
        ] {
            assert!(parse(line).is_err(), "{line:?}");
        }
    }

    #[test]
    fn arguments() {
        let Op::Set(args) = parse(b"AT#X=0, -1,\"a,\nb\",,x").unwrap().op else {
            panic!()
        };
        assert_eq!(args.number(1, -1..=0), Ok(-1));
        assert_eq!(args.bytes(2), Ok(&b"a,\nb"[..]));
        assert!(args.absent(3) && args.none_empty().is_err());
        assert!(args.number(2, 0..=9).is_err() && args.string(0).is_err());
        assert!(args.number(4, 0..=9).is_err());
        assert!(parse(b"AT#X=\"a\"b").is_err());
    }
}
