//! The writer of DER, which gets the length of each value before its content.

pub(super) struct Writer<'o> {
    out: &'o mut [u8],
    /// The number of bytes so far, with those that did not fit.
    len: usize,
}

impl<'o> Writer<'o> {
    pub(super) fn new(out: &'o mut [u8]) -> Self {
        Self { out, len: 0 }
    }

    pub(super) fn put(&mut self, bytes: &[u8]) {
        let end = self.len + bytes.len();
        if let Some(room) = self.out.get_mut(self.len..end) {
            room.copy_from_slice(bytes);
        }
        self.len = end;
    }

    /// Writes the header of a value whose content has `len` bytes, at most 65535.
    pub(super) fn header(&mut self, tag: u8, len: usize) {
        let [.., high, low] = len.to_be_bytes();
        match len {
            0..=0x7f => self.put(&[tag, low]),
            0x80..=0xff => self.put(&[tag, 0x81, low]),
            _ => self.put(&[tag, 0x82, high, low]),
        }
    }

    /// Returns all bytes so far; `None` where they did not fit.
    pub(super) fn written(&self) -> Option<&[u8]> {
        self.out.get(..self.len)
    }
}

/// Splits the first value off: returns its content, and the bytes after it. `None` for a length of more than two bytes,
/// or one that is above the rest.
pub(super) fn value(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = match der.get(1..)? {
        [len @ 0..=0x7f, rest @ ..] => (usize::from(*len), rest),
        [0x81, len, rest @ ..] => (usize::from(*len), rest),
        [0x82, high, low, rest @ ..] => (usize::from(u16::from_be_bytes([*high, *low])), rest),
        _ => return None,
    };
    rest.split_at_checked(len)
}

/// Returns the length of a value with its header.
pub(super) const fn framed(len: usize) -> usize {
    len + match len {
        0..=0x7f => 2,
        0x80..=0xff => 3,
        _ => 4,
    }
}
