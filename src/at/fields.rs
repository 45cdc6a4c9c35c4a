//! The reader of answers: information text and its comma-separated fields.

/// Returns the text after `prefix` on the first line of `text` that starts with it, blanks trimmed.
///
/// `text` is one line or several separated by CR LF, as the engine hands them to
/// [`AtatCmd::parse`](atat::AtatCmd::parse).
pub fn answer<'a>(text: &'a [u8], prefix: &str) -> Option<&'a [u8]> {
    text.split(|&byte| byte == b'\n')
        .find_map(|line| line.strip_prefix(prefix.as_bytes()))
        .map(<[u8]>::trim_ascii)
}

/// An iterator over the fields of an information text, split at commas outside quotes, blanks trimmed.
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    rest: Option<&'a [u8]>,
}

impl<'a> Fields<'a> {
    /// Makes an iterator over `text`, the part of a line after `+NAME:`.
    pub fn new(text: &'a [u8]) -> Self {
        Self { rest: Some(text) }
    }

    /// Returns the next field as an unsigned decimal number.
    pub fn int(&mut self) -> Option<u32> {
        decimal(self.next()?)
    }

    /// Returns the next field as a number; `None` above 255.
    pub fn byte(&mut self) -> Option<u8> {
        self.int()?.try_into().ok()
    }

    /// Returns the next field as bytes, without its quotes if it has any.
    pub fn unquoted(&mut self) -> Option<&'a [u8]> {
        match self.next()? {
            [b'"', inner @ .., b'"'] => Some(inner),
            field => Some(field),
        }
    }

    /// Returns the next field as text, without its quotes if it has any; `None` where it is not UTF-8.
    pub fn text(&mut self) -> Option<&'a str> {
        let field = self.next()?;
        let inner = field
            .strip_prefix(b"\"")
            .and_then(|open| open.strip_suffix(b"\""));
        core::str::from_utf8(inner.unwrap_or(field)).ok()
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest?;
        let mut quoted = false;
        let end = rest.iter().position(|&byte| {
            quoted ^= byte == b'"';
            byte == b',' && !quoted
        });
        let field = match end {
            Some(at) => {
                self.rest = Some(&rest[at + 1..]);
                &rest[..at]
            }
            None => {
                self.rest = None;
                rest
            }
        };
        Some(field.trim_ascii())
    }
}

/// Parses an unsigned decimal number strictly: digits only, no sign, no overflow.
pub fn decimal(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u32, |value, &digit| {
        let digit = digit.checked_sub(b'0').filter(|&digit| digit < 10)?;
        value.checked_mul(10)?.checked_add(digit.into())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_respect_quotes() {
        let mut fields = Fields::new(b" 4,\"a,b\", 7 ,,\"\"");
        assert_eq!(fields.int(), Some(4));
        assert_eq!(fields.text(), Some("a,b"));
        assert_eq!(fields.byte(), Some(7));
        assert_eq!(fields.int(), None);
        assert_eq!(fields.text(), Some(""));
        assert_eq!(fields.next(), None);
    }

    #[test]
    fn numbers_are_strict() {
        for bad in ["", "-1", "+1", "1x", "4294967296", " "] {
            assert_eq!(Fields::new(bad.as_bytes()).int(), None, "{bad:?}");
        }
        assert_eq!(Fields::new(b"256").byte(), None);
    }

    #[test]
    fn answer_is_found_among_other_lines() {
        assert_eq!(
            answer(b"noise\r\n+X: 1,2\r\n+Y: 3", "+X:"),
            Some(&b"1,2"[..])
        );
        assert_eq!(answer(b"+XY: 1", "+X:"), None);
    }
}
