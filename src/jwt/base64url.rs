//! The writer of a token: base64url without padding (RFC 4648 section 5), and the parts of JSON that a token has.

use super::Invalid;

/// A writer of the parts of a token, in base64url, one after the other.
pub(super) struct Writer<'b> {
    out: &'b mut [u8],
    /// The number of characters so far, with those that did not fit.
    len: usize,
    /// The bits of the part that have not filled a character yet, right-aligned.
    bits: u16,
    count: u8,
}

impl<'b> Writer<'b> {
    pub(super) fn new(out: &'b mut [u8]) -> Self {
        Self {
            out,
            len: 0,
            bits: 0,
            count: 0,
        }
    }

    /// Appends bytes to the running part.
    pub(super) fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.bits = self.bits << 8 | u16::from(byte);
            self.count += 8;
            while self.count >= 6 {
                self.count -= 6;
                self.character(self.bits >> self.count);
                self.bits &= (1 << self.count) - 1;
            }
        }
    }

    /// Appends a JSON string (RFC 8259 section 7).
    pub(super) fn quoted(&mut self, text: &str) {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        self.write(b"\"");
        for &byte in text.as_bytes() {
            match byte {
                b'"' | b'\\' => self.write(&[b'\\', byte]),
                0..0x20 => {
                    let [high, low] = [byte >> 4, byte & 15].map(|digit| HEX[usize::from(digit)]);
                    self.write(&[b'\\', b'u', b'0', b'0', high, low]);
                }
                byte => self.write(&[byte]),
            }
        }
        self.write(b"\"");
    }

    pub(super) fn number(&mut self, number: u32) {
        let mut digits = [0; 10];
        self.write(decimal(number, &mut digits));
    }

    /// Ends the running part and begins another.
    pub(super) fn dot(&mut self) {
        self.end();
        self.put(b'.');
    }

    /// Ends the running part, and returns all parts so far.
    pub(super) fn part(&mut self) -> Result<&[u8], Invalid> {
        self.end();
        let needed = self.len;
        let all = self.out.get(..needed);
        all.ok_or(Invalid::BufferTooSmall { needed })
    }

    pub(super) fn into_str(self) -> &'b str {
        let all = self.out.get(..self.len).unwrap_or_default();
        // The alphabet is ASCII.
        core::str::from_utf8(all).unwrap_or_default()
    }

    fn end(&mut self) {
        if self.count > 0 {
            self.character(self.bits << (6 - self.count));
            self.bits = 0;
            self.count = 0;
        }
    }

    fn character(&mut self, value: u16) {
        self.put(match value as u8 & 63 {
            value @ 0..26 => b'A' + value,
            value @ 26..52 => value - 26 + b'a',
            value @ 52..62 => value - 52 + b'0',
            62 => b'-',
            _ => b'_',
        });
    }

    fn put(&mut self, character: u8) {
        if let Some(place) = self.out.get_mut(self.len) {
            *place = character;
        }
        self.len += 1;
    }
}

/// Writes a number in decimal, and returns its digits.
pub(super) fn decimal(mut number: u32, digits: &mut [u8; 10]) -> &[u8] {
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return &digits[at..];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode<'b>(bytes: &[u8], out: &'b mut [u8]) -> Result<&'b str, Invalid> {
        let mut writer = Writer::new(out);
        writer.write(bytes);
        writer.part()?;
        Ok(writer.into_str())
    }

    #[test]
    fn nothing_is_padded_and_the_alphabet_is_that_of_urls() {
        let mut out = [0; 8];
        for (bytes, text) in [
            (&b""[..], ""),
            (b"A", "QQ"),
            (b"AB", "QUI"),
            (b"ABC", "QUJD"),
            (b"\xfb\xff\xbf", "-_-_"),
            (b"ABCD", "QUJDRA"),
        ] {
            assert_eq!(encode(bytes, &mut out), Ok(text));
        }
        assert_eq!(
            encode(&[0; 7], &mut out),
            Err(Invalid::BufferTooSmall { needed: 10 })
        );
    }

    #[test]
    fn numbers_have_their_digits() {
        let mut digits = [0; 10];
        assert_eq!(decimal(0, &mut digits), b"0");
        assert_eq!(decimal(1_795_000_000, &mut digits), b"1795000000");
        assert_eq!(decimal(u32::MAX, &mut digits), b"4294967295");
    }
}
