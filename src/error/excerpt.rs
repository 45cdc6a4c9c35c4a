//! The part of an error that shows what the modem said.

use core::fmt;

use crate::fmt::Ascii;

/// The first bytes of a line from the modem, as an error shows them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Excerpt {
    bytes: [u8; Self::LIMIT],
    len: u8,
}

impl Excerpt {
    /// The most bytes that are kept: an answer with one or two numbers.
    const LIMIT: usize = 20;

    pub(crate) fn of(line: &[u8]) -> Self {
        let kept = &line[..line.len().min(Self::LIMIT)];
        let mut bytes = [0; Self::LIMIT];
        bytes[..kept.len()].copy_from_slice(kept);
        Self {
            bytes,
            len: kept.len() as u8,
        }
    }

    /// Returns the bytes, as the modem sent them.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

/// In quotes, with unprintable bytes escaped.
impl fmt::Display for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", Ascii(self.as_bytes()))
    }
}

impl fmt::Debug for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for Excerpt {
    fn format(&self, f: defmt::Formatter<'_>) {
        Ascii(self.as_bytes()).format(f);
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::string::ToString;

    use super::*;

    #[test]
    fn a_long_line_is_cut_and_bytes_are_shown_as_text() {
        for (line, shown) in [
            (&b""[..], r#""""#),
            (b"+CEREG: 0,x", r#""+CEREG: 0,x""#),
            (b"\xf8+Q\"", r#""\xf8+Q\"""#),
            (
                b"+CEREG: 0,\"0123\",\"4567\"",
                r#""+CEREG: 0,\"0123\",\"45""#,
            ),
        ] {
            assert_eq!(Excerpt::of(line).to_string(), shown);
        }
    }
}
