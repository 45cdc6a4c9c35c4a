//! Text of users for quoted arguments, and the error for text that cannot be sent.

use core::fmt;

/// The error for an input that cannot be sent to a modem. No byte was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum InvalidInput {
    /// The text is empty.
    Empty,
    /// A character that would end the quoted argument or the command: CR, LF, NUL, `"` or another
    /// control character.
    ForbiddenCharacter {
        /// The position of the character in bytes, from 0.
        at: usize,
    },
    /// A PIN has a character that is no digit.
    NoDigit {
        /// The position of the character in bytes, from 0.
        at: usize,
    },
    /// A number is not below another one that was given with it: the active time of
    /// [`PowerSaving`](crate::PowerSaving), in seconds.
    NotBelow {
        /// The other number.
        limit: u32,
    },
    /// A number is out of the modem's range, for instance a tag that this modem has no name for.
    OutOfRange {
        /// The largest allowed value.
        limit: u32,
    },
    /// The text is longer than the modem takes.
    TooLong {
        /// The longest text in bytes.
        limit: usize,
    },
    /// The text is shorter than it can be.
    TooShort {
        /// The shortest text in bytes.
        least: usize,
    },
    /// Server name, port and the names of the credentials, which the modem takes as one text, are too long together.
    TooLongTogether {
        /// The length of that text in bytes.
        len: usize,
        /// The longest text that the modem takes, in bytes.
        limit: usize,
    },
}

impl fmt::Display for InvalidInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the text is empty"),
            Self::ForbiddenCharacter { at } => {
                write!(
                    f,
                    "byte {at} is a quote or control character, which would break the AT command"
                )
            }
            Self::NoDigit { at } => write!(f, "byte {at} is not a digit: a PIN has digits only"),
            Self::NotBelow { limit } => {
                write!(
                    f,
                    "the number has to be below {limit}, which was given with it"
                )
            }
            Self::OutOfRange { limit } => {
                write!(f, "the number is above this modem's limit of {limit}")
            }
            Self::TooLong { limit } => {
                write!(f, "the text is longer than the {limit} bytes allowed")
            }
            Self::TooShort { least } => {
                write!(f, "the text is shorter than the {least} bytes needed")
            }
            Self::TooLongTogether { len, limit } => write!(
                f,
                "server, port and credentials together make {len} bytes, and this modem takes {limit}: use a shorter server name, or a tag with fewer digits"
            ),
        }
    }
}

impl core::error::Error for InvalidInput {}

/// A text that is safe inside a quoted AT argument: at most `MAX` bytes, no quote, no control
/// character. May be empty.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Text<'a, const MAX: usize>(&'a str);

impl<'a, const MAX: usize> Text<'a, MAX> {
    /// The empty text.
    pub const EMPTY: Self = Self("");

    /// Checks `text`. It is `const`, so that a literal can be checked when the firmware is built.
    ///
    /// # Errors
    /// [`InvalidInput::TooLong`] above `MAX` bytes, [`InvalidInput::ForbiddenCharacter`] for a quote or a control character.
    pub const fn new(text: &'a str) -> Result<Self, InvalidInput> {
        if text.len() > MAX {
            return Err(InvalidInput::TooLong { limit: MAX });
        }
        let bytes = text.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            if bytes[at] < 0x20 || bytes[at] == b'"' || bytes[at] == 0x7f {
                return Err(InvalidInput::ForbiddenCharacter { at });
            }
            at += 1;
        }
        Ok(Self(text))
    }

    /// Returns the text.
    pub const fn as_str(&self) -> &'a str {
        self.0
    }

    /// Returns whether the text is empty.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<const MAX: usize> fmt::Debug for Text<'_, MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_would_break_a_command_is_refused() {
        for bad in ["a\rb", "a\nb", "a\0b", "a\"b", "a\x1bb", "a\x7fb"] {
            assert_eq!(
                Text::<9>::new(bad),
                Err(InvalidInput::ForbiddenCharacter { at: 1 }),
                "{bad:?}"
            );
        }
        assert_eq!(
            Text::<3>::new("abcd"),
            Err(InvalidInput::TooLong { limit: 3 })
        );
        assert_eq!(Text::<4>::new("a,b;").map(|text| text.as_str()), Ok("a,b;"));
    }

    #[test]
    fn text_is_shown_as_it_is_and_refusals_say_why() {
        extern crate std;
        use std::format;

        let text = Text::<9>::new("a\\b").unwrap();
        assert_eq!(
            (format!("{text:?}"), text.is_empty()),
            (format!("{:?}", "a\\b"), false)
        );
        assert!(Text::<9>::EMPTY.is_empty());
        for (refusal, words) in [
            (InvalidInput::Empty, "is empty"),
            (
                InvalidInput::ForbiddenCharacter { at: 7 },
                "byte 7 is a quote or control",
            ),
            (InvalidInput::OutOfRange { limit: 99 }, "limit of 99"),
            (InvalidInput::TooLong { limit: 64 }, "the 64 bytes allowed"),
            (InvalidInput::TooShort { least: 8 }, "the 8 bytes needed"),
            (
                InvalidInput::TooLongTogether {
                    len: 140,
                    limit: 128,
                },
                "make 140 bytes, and this modem takes 128",
            ),
        ] {
            assert!(format!("{refusal}").contains(words), "{refusal}");
        }
    }
}
