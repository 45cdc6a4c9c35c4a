//! One line of a transcript.

use std::fmt;
use std::time::Duration;

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The driver sent these bytes.
    Host(Vec<u8>),
    /// The modem sent these bytes.
    Modem(Vec<u8>),
    /// The modem restarts, or goes down.
    Reset,
    /// Neither said anything for so long, in whole milliseconds.
    Wait(Duration),
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(bytes) => write!(f, "> {}", Escaped(bytes)),
            Self::Modem(bytes) => write!(f, "< {}", Escaped(bytes)),
            Self::Reset => f.write_str("! reset"),
            Self::Wait(time) => write!(f, "~ {}ms", time.as_millis()),
        }
    }
}

impl Event {
    /// Reads one line that is neither empty nor a comment.
    pub(crate) fn parse(line: &str) -> Result<Self, String> {
        let (mark, text) = match line.split_at_checked(1) {
            Some((mark, "")) => (mark, ""),
            Some((mark, rest)) => match rest.strip_prefix(' ') {
                Some(text) => (mark, text),
                None => return Err(format!("a blank must follow {mark:?}")),
            },
            None => return Err("it begins with none of # > < ~ !".into()),
        };
        match mark {
            ">" => unescape(text).map(Self::Host),
            "<" => unescape(text).map(Self::Modem),
            "~" => text
                .strip_suffix("ms")
                .and_then(|digits| digits.parse().ok())
                .map(|millis| Self::Wait(Duration::from_millis(millis)))
                .ok_or_else(|| format!("{text:?} is no time; 150ms is one")),
            "!" if text == "reset" => Ok(Self::Reset),
            "!" => Err(format!("there is no event {text:?}; there is reset")),
            _ => Err("it begins with none of # > < ~ !".into()),
        }
    }
}

/// Bytes as they stand in a line. Quotes need no escape here; a blank at either end would get lost in
/// an editor.
struct Escaped<'a>(&'a [u8]);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let last = self.0.len().saturating_sub(1);
        for (at, &byte) in self.0.iter().enumerate() {
            match byte {
                b'"' | b'\'' => write!(f, "{}", char::from(byte))?,
                b' ' if at == 0 || at == last => f.write_str("\\x20")?,
                byte => write!(f, "{}", byte.escape_ascii())?,
            }
        }
        Ok(())
    }
}

fn unescape(text: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [byte, behind @ ..] = rest {
        rest = behind;
        if *byte != b'\\' {
            if !(0x20..0x7f).contains(byte) {
                return Err(format!("byte 0x{byte:02x} must be written \\x{byte:02x}"));
            }
            bytes.push(*byte);
            continue;
        }
        let [escape, behind @ ..] = rest else {
            return Err("it ends in the middle of an escape".into());
        };
        rest = behind;
        bytes.push(match escape {
            b'r' => b'\r',
            b'n' => b'\n',
            b't' => b'\t',
            b'0' => 0,
            b'\\' | b'"' | b'\'' => *escape,
            b'x' => {
                let digits = rest.get(..2).and_then(|two| std::str::from_utf8(two).ok());
                let strict = digits.filter(|two| two.bytes().all(|c| c.is_ascii_hexdigit()));
                let byte = strict.and_then(|two| u8::from_str_radix(two, 16).ok());
                rest = rest.get(2..).unwrap_or_default();
                byte.ok_or("two hex digits must follow \\x")?
            }
            other => return Err(format!("there is no escape \\{}", other.escape_ascii())),
        });
    }
    Ok(bytes)
}
