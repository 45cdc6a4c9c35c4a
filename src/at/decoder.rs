//! The decoder of payload that a modem writes as text.

use crate::inspect::Base64;

/// A decoder of payload that a modem writes as text, hexadecimal or base64, one character at a time. A backend keeps
/// one, see [`Modem::DECODER`](crate::modem::Modem::DECODER).
#[derive(Clone, Copy)]
pub struct Decoder(Form);

#[derive(Clone, Copy)]
enum Form {
    /// Two hexadecimal digits for each byte. Holds the first one until the second comes.
    Hex(Option<u8>),
    Base64(Base64),
}

/// The error for a character that cannot stand at this place of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadCharacter;

impl Decoder {
    /// Makes a decoder of two hexadecimal digits for each byte, in either case.
    pub const fn hex() -> Self {
        Self(Form::Hex(None))
    }

    /// Makes a decoder of padded base64 with the alphabet of RFC 4648 section 4.
    pub const fn base64() -> Self {
        Self(Form::Base64(Base64::new()))
    }

    /// Returns the number of characters for `bytes` bytes.
    pub const fn encoded(&self, bytes: usize) -> usize {
        match self.0 {
            Form::Hex(_) => bytes * 2,
            Form::Base64(_) => bytes.div_ceil(3) * 4,
        }
    }

    /// Takes a character, and returns the byte that it completes, if any.
    ///
    /// # Errors
    /// [`BadCharacter`] where the character cannot stand there.
    pub fn push(&mut self, character: u8) -> Result<Option<u8>, BadCharacter> {
        match &mut self.0 {
            Form::Base64(base64) => base64.push(character).map_err(|_| BadCharacter),
            Form::Hex(high) => {
                let digit = char::from(character).to_digit(16).ok_or(BadCharacter)? as u8;
                Ok(match high.take() {
                    Some(high) => Some(high | digit),
                    None => {
                        *high = Some(digit << 4);
                        None
                    }
                })
            }
        }
    }

    /// Returns whether the text may end here.
    pub fn is_whole(&self) -> bool {
        match &self.0 {
            Form::Hex(high) => high.is_none(),
            Form::Base64(base64) => base64.is_whole(),
        }
    }

    /// Begins another payload.
    pub fn restart(&mut self) {
        *self = match self.0 {
            Form::Hex(_) => Self::hex(),
            Form::Base64(_) => Self::base64(),
        };
    }
}

impl core::fmt::Debug for Decoder {
    // The decoder's state may hold a part of a secret, and is not shown.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self.0 {
            Form::Hex(_) => "Decoder::hex()",
            Form::Base64(_) => "Decoder::base64()",
        })
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::format;
    use std::vec::Vec;

    use super::*;

    fn decode(mut decoder: Decoder, text: &str) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        for character in text.bytes() {
            bytes.extend(decoder.push(character).ok()?);
        }
        decoder.is_whole().then_some(bytes)
    }

    #[test]
    fn both_forms_are_read_and_nothing_else() {
        let bytes = |text: &[u8]| Some(text.to_vec());
        assert_eq!(decode(Decoder::hex(), "00fF7a"), bytes(b"\x00\xff\x7a"));
        assert_eq!(decode(Decoder::hex(), ""), bytes(b""));
        assert_eq!(decode(Decoder::hex(), "0"), None);
        assert_eq!(decode(Decoder::hex(), "0g"), None);
        assert_eq!(decode(Decoder::base64(), "aGVsbG8="), bytes(b"hello"));
        assert_eq!(decode(Decoder::base64(), "aGVsbG8"), None);
        assert_eq!(decode(Decoder::base64(), "aG-s"), None);
    }

    #[test]
    fn a_half_decoded_group_is_dropped_at_a_restart() {
        for (mut decoder, begun, whole) in [
            (Decoder::hex(), b'a', "6869"),
            (Decoder::base64(), b'a', "aGk="),
        ] {
            assert_eq!(decoder.push(begun), Ok(None));
            assert!(!decoder.is_whole());
            decoder.restart();
            assert_eq!(decode(decoder, whole), Some(b"hi".to_vec()));
            assert_eq!(decoder.encoded(2), whole.len());
            assert!(!format!("{decoder:?}").contains("Some"));
        }
    }
}
