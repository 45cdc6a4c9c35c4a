/// A decoder of base64 with the alphabet of RFC 4648 section 4, one character at a time.
#[derive(Clone, Copy)]
pub struct Base64 {
    /// The bits of the last character that belong to the next byte, left-aligned.
    bits: u8,
    /// The number of characters of the running group of four.
    filled: u8,
    /// Padding has begun, which only padding may follow.
    padding: bool,
}

/// The error for a character that cannot stand at this place of the text.
#[derive(Debug, PartialEq, Eq)]
pub struct BadCharacter;

impl Default for Base64 {
    fn default() -> Self {
        Self::new()
    }
}

impl Base64 {
    /// Makes a decoder that has seen no characters.
    pub const fn new() -> Self {
        Self {
            bits: 0,
            filled: 0,
            padding: false,
        }
    }

    /// Takes a character, and returns the byte that it completes, if any.
    ///
    /// # Errors
    /// An error where the character cannot stand there.
    pub fn push(&mut self, character: u8) -> Result<Option<u8>, BadCharacter> {
        if character == b'=' {
            return self.pad();
        }
        if self.padding {
            return Err(BadCharacter);
        }
        let value = match character {
            b'A'..=b'Z' => character - b'A',
            b'a'..=b'z' => character - b'a' + 26,
            b'0'..=b'9' => character - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return Err(BadCharacter),
        };
        let (byte, left) = match self.filled {
            0 => (None, value << 2),
            1 => (Some(self.bits | value >> 4), value << 4),
            2 => (Some(self.bits | value >> 2), value << 6),
            _ => (Some(self.bits | value), 0),
        };
        self.bits = left;
        self.filled = (self.filled + 1) % 4;
        Ok(byte)
    }

    /// Returns whether the text may end here, which is after a whole, padded group.
    pub fn is_whole(&self) -> bool {
        self.filled == 0
    }

    fn pad(&mut self) -> Result<Option<u8>, BadCharacter> {
        // The group must have two or three characters, which stand for one or two bytes.
        if self.filled < 2 {
            return Err(BadCharacter);
        }
        self.padding = true;
        self.filled = (self.filled + 1) % 4;
        Ok(None)
    }
}

/// Encodes `bytes` as padded base64 into `text`, as far as whole groups fit, and returns the number of characters.
pub fn encode(bytes: &[u8], text: &mut [u8]) -> usize {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut len = 0;
    for (group, room) in bytes.chunks(3).zip(text.chunks_exact_mut(4)) {
        let byte = |index: usize| u32::from(group.get(index).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for (index, character) in room.iter_mut().enumerate() {
            let value = (bits >> (18 - 6 * index)) as usize & 63;
            *character = if index > group.len() {
                b'='
            } else {
                ALPHABET[value]
            };
        }
        len += room.len();
    }
    len
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_stands_only_where_bytes_are_left_over() {
        let cases = [
            ("", Ok(true)),
            ("QUJD", Ok(true)),
            ("QUI=", Ok(true)),
            ("QQ==", Ok(true)),
            ("QUI", Ok(false)),
            ("QQ=", Ok(false)),
            ("=", Err(BadCharacter)),
            ("Q=", Err(BadCharacter)),
            ("QUJD=", Err(BadCharacter)),
            ("QQ=Q", Err(BadCharacter)),
            ("QQ==QUJD", Err(BadCharacter)),
            ("QQ===", Err(BadCharacter)),
            ("QU-_", Err(BadCharacter)),
        ];
        for (text, expected) in cases {
            let mut decoder = Base64::new();
            let result = text.bytes().try_for_each(|character| {
                decoder.push(character)?;
                Ok(())
            });
            assert_eq!(result.map(|()| decoder.is_whole()), expected, "{text}");
        }
    }
}
