//! Base64 with the alphabet for URLs and without padding (RFC 4648 section 5), the form in which the
//! modem prints keys.

/// A decoder that takes one character at a time.
#[derive(Clone, Copy)]
pub(crate) struct Base64Url {
    /// Bits that belong to the next byte, right-aligned.
    bits: u32,
    count: u8,
}

/// A character outside the alphabet.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BadCharacter;

impl Base64Url {
    pub(crate) const fn new() -> Self {
        Self { bits: 0, count: 0 }
    }

    /// Takes a character, and returns the byte that it completes, if any.
    pub(crate) fn push(&mut self, character: u8) -> Result<Option<u8>, BadCharacter> {
        let value = match character {
            b'A'..=b'Z' => character - b'A',
            b'a'..=b'z' => character - b'a' + 26,
            b'0'..=b'9' => character - b'0' + 52,
            b'-' => 62,
            b'_' => 63,
            _ => return Err(BadCharacter),
        };
        self.bits = self.bits << 6 | u32::from(value);
        self.count += 6;
        if self.count < 8 {
            return Ok(None);
        }
        self.count -= 8;
        let byte = (self.bits >> self.count) as u8;
        self.bits &= (1 << self.count) - 1;
        Ok(Some(byte))
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::vec::Vec;

    use super::*;

    #[test]
    fn text_of_any_length_is_decoded_and_other_alphabets_are_refused() {
        let decode = |text: &str| -> Result<Vec<u8>, BadCharacter> {
            let mut decoder = Base64Url::new();
            let bytes = text.bytes().map(|character| decoder.push(character));
            bytes.filter_map(Result::transpose).collect()
        };
        assert_eq!(decode(""), Ok(b"".to_vec()));
        assert_eq!(decode("QQ"), Ok(b"A".to_vec()));
        assert_eq!(decode("QUI"), Ok(b"AB".to_vec()));
        assert_eq!(decode("QUJD"), Ok(b"ABC".to_vec()));
        assert_eq!(decode("-_-_"), Ok([0xfb, 0xff, 0xbf].to_vec()));
        for bad in ["Q+", "Q/", "QQ==", "Q Q"] {
            assert_eq!(decode(bad), Err(BadCharacter), "{bad}");
        }
    }
}
