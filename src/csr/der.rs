//! DER, written forward by one who knows the lengths.

pub(super) struct Writer<'o> {
    out: &'o mut [u8],
    /// Bytes so far, also those that did not fit.
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

    /// The beginning of a value whose content has `len` bytes, at most 65535.
    pub(super) fn header(&mut self, tag: u8, len: usize) {
        let [.., high, low] = len.to_be_bytes();
        match len {
            0..0x80 => self.put(&[tag, low]),
            0x80..0x100 => self.put(&[tag, 0x81, low]),
            _ => self.put(&[tag, 0x82, high, low]),
        }
    }

    /// All so far; `None` when it did not fit.
    pub(super) fn written(&self) -> Option<&[u8]> {
        self.out.get(..self.len)
    }
}

/// The length of a value with its header.
pub(super) const fn framed(len: usize) -> usize {
    len + match len {
        0..0x80 => 2,
        0x80..0x100 => 3,
        _ => 4,
    }
}
