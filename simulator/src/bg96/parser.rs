//! The parser of command lines: `AT`, basic commands, extended commands joined by `;`, and their
//! arguments.

/// The answer to a command that is not executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fail {
    /// The command does not exist, or not in this form: `ERROR`.
    Unknown,
    /// The command is refused: `ERROR`.
    Error,
    /// The command is refused with `+CME ERROR: n`, subject to `AT+CMEE`.
    Cme(u16),
    /// The command is refused with `ERROR`; the number is kept for `AT+QIGETERROR`.
    Tcp(u16),
}

/// A command of a line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Command {
    /// A basic command such as `E0`, `&F`, `I`: its name in upper case, and its number if there is one.
    Basic(String, Option<u32>),
    /// An extended command: the `NAME` of `+NAME`, and the operation that follows it.
    Extended(String, Op),
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Op {
    Execute,
    Read,
    Test,
    Set(Args),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Arg {
    Empty,
    Quoted(String),
    Bare(String),
}

/// The arguments of a set command. Types are strict: a quoted number or a bare string is an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Args(Vec<Arg>);

impl Args {
    /// Checks that there are between `least` and `most` arguments.
    pub(super) fn count(&self, least: usize, most: usize) -> Result<(), Fail> {
        if (least..=most).contains(&self.0.len()) {
            Ok(())
        } else {
            Err(Fail::Error)
        }
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether an argument is missing, or empty between commas.
    pub(super) fn absent(&self, index: usize) -> bool {
        matches!(self.0.get(index), None | Some(Arg::Empty))
    }

    pub(super) fn number(&self, index: usize, least: u64, most: u64) -> Result<u64, Fail> {
        match self.0.get(index) {
            Some(Arg::Bare(text))
                if text.len() <= 10 && text.bytes().all(|byte| byte.is_ascii_digit()) =>
            {
                text.parse()
                    .ok()
                    .filter(|number| (least..=most).contains(number))
                    .ok_or(Fail::Error)
            }
            _ => Err(Fail::Error),
        }
    }

    pub(super) fn number_or(
        &self,
        index: usize,
        least: u64,
        most: u64,
        default: u64,
    ) -> Result<u64, Fail> {
        if self.absent(index) {
            Ok(default)
        } else {
            self.number(index, least, most)
        }
    }

    pub(super) fn byte(&self, index: usize, least: u8, most: u8) -> Result<u8, Fail> {
        self.number(index, least.into(), most.into())
            .map(|number| number as u8)
    }

    pub(super) fn string(&self, index: usize) -> Result<&str, Fail> {
        match self.0.get(index) {
            Some(Arg::Quoted(text)) => Ok(text),
            _ => Err(Fail::Error),
        }
    }

    pub(super) fn string_or<'a>(&'a self, index: usize, default: &'a str) -> Result<&'a str, Fail> {
        if self.absent(index) {
            Ok(default)
        } else {
            self.string(index)
        }
    }

    pub(super) fn bare(&self, index: usize) -> Result<&str, Fail> {
        match self.0.get(index) {
            Some(Arg::Bare(text)) => Ok(text),
            _ => Err(Fail::Error),
        }
    }

    /// Returns a quoted or bare argument, for the few commands that take both.
    pub(super) fn text(&self, index: usize) -> Result<&str, Fail> {
        match self.0.get(index) {
            Some(Arg::Quoted(text) | Arg::Bare(text)) => Ok(text),
            _ => Err(Fail::Error),
        }
    }
}

/// Returns the command line in the bytes before a CR. Bytes before the first `AT` are noise; noise
/// alone gets no answer.
pub(super) fn find_line(received: &[u8]) -> Option<&[u8]> {
    let start = received
        .windows(2)
        .position(|two| two.eq_ignore_ascii_case(b"AT"))?;
    Some(&received[start..])
}

/// Splits a line (`AT...`) into its commands.
pub(super) fn parse(line: &[u8]) -> Result<Vec<Command>, Fail> {
    let text = std::str::from_utf8(line).map_err(|_| Fail::Error)?;
    let mut rest = text.get(2..).ok_or(Fail::Error)?.trim_end_matches(' ');
    let mut commands = Vec::new();
    while !rest.is_empty() {
        if let Some(extended) = rest.strip_prefix('+') {
            let end = separator(extended)?;
            commands.push(parse_extended(&extended[..end])?);
            rest = extended.get(end + 1..).unwrap_or("");
        } else if let Some(after) = rest.strip_prefix(';') {
            rest = after;
        } else {
            let name = if rest.starts_with('&') { 2 } else { 1 };
            let (name, after) = rest.split_at_checked(name).ok_or(Fail::Error)?;
            let digits = after.bytes().take_while(u8::is_ascii_digit).count();
            let number = if digits == 0 {
                None
            } else {
                Some(after[..digits].parse().map_err(|_| Fail::Error)?)
            };
            commands.push(Command::Basic(name.to_ascii_uppercase(), number));
            rest = &after[digits..];
        }
    }
    Ok(commands)
}

/// Returns the position of the first `;` outside quotes, or the length of the text.
fn separator(text: &str) -> Result<usize, Fail> {
    let mut quoted = false;
    for (index, byte) in text.bytes().enumerate() {
        match byte {
            b'"' => quoted = !quoted,
            b';' if !quoted => return Ok(index),
            _ => {}
        }
    }
    if quoted {
        Err(Fail::Error)
    } else {
        Ok(text.len())
    }
}

fn parse_extended(text: &str) -> Result<Command, Fail> {
    let end = text.find(['=', '?']).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(Fail::Error);
    }
    let op = match rest {
        "" => Op::Execute,
        "?" => Op::Read,
        "=?" => Op::Test,
        _ => Op::Set(parse_args(rest.strip_prefix('=').ok_or(Fail::Error)?)?),
    };
    Ok(Command::Extended(name.to_ascii_uppercase(), op))
}

fn parse_args(text: &str) -> Result<Args, Fail> {
    let mut args = Vec::new();
    let mut rest = text;
    loop {
        let (arg, after) = if let Some(quoted) = rest.strip_prefix('"') {
            let end = quoted.find('"').ok_or(Fail::Error)?;
            (Arg::Quoted(quoted[..end].to_owned()), &quoted[end + 1..])
        } else {
            let end = rest.find(',').unwrap_or(rest.len());
            let bare = rest[..end].trim();
            if bare.contains('"') {
                return Err(Fail::Error);
            }
            (
                if bare.is_empty() {
                    Arg::Empty
                } else {
                    Arg::Bare(bare.to_owned())
                },
                &rest[end..],
            )
        };
        args.push(arg);
        match after.strip_prefix(',') {
            Some(next) => rest = next,
            None if after.is_empty() => return Ok(Args(args)),
            // Something follows a closing quote.
            None => return Err(Fail::Error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_before_at_is_skipped_and_noise_alone_is_silence() {
        assert_eq!(find_line(b"\x1a\0AT+X"), Some(&b"AT+X"[..]));
        assert_eq!(find_line(b"hello"), None);
    }

    #[test]
    fn commands_are_joined_with_and_without_semicolon() {
        let commands = parse(b"AT&FZE0+IPR=115200;&W").unwrap();
        assert_eq!(commands.len(), 5);
        assert_eq!(commands[2], Command::Basic("E".into(), Some(0)));
        assert_eq!(commands[4], Command::Basic("&W".into(), None));
    }

    #[test]
    fn a_semicolon_in_quotes_is_text() {
        let commands = parse(b"AT+X=\"a;b\",1").unwrap();
        assert_eq!(commands.len(), 1);
        let Command::Extended(_, Op::Set(args)) = &commands[0] else {
            panic!()
        };
        assert_eq!(args.string(0), Ok("a;b"));
        assert_eq!(args.number(1, 0, 1), Ok(1));
    }

    #[test]
    fn types_are_strict() {
        let Command::Extended(_, Op::Set(args)) = &parse(b"AT+X=\"1\",a,,2").unwrap()[0] else {
            panic!()
        };
        assert_eq!(args.number(0, 0, 9), Err(Fail::Error));
        assert_eq!(args.string(1), Err(Fail::Error));
        assert_eq!(args.number_or(2, 0, 9, 7), Ok(7));
        assert_eq!(args.number(3, 0, 1), Err(Fail::Error));
        assert!(parse(b"AT+X=\"a\"b").is_err());
        assert!(parse(b"AT+X=\"a").is_err());
    }
}
