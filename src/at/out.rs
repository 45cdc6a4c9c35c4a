//! The writer of the command lines of steps.

/// A writer of a command line into a buffer. Characters that do not fit are counted, so that the engine refuses the line
/// before a byte is sent.
#[derive(Debug)]
pub struct Out<'b> {
    pub(crate) buf: &'b mut [u8],
    pub(crate) len: usize,
}

impl<'b> Out<'b> {
    /// Makes a writer into `buf`.
    pub fn new(buf: &'b mut [u8]) -> Self {
        Self { buf, len: 0 }
    }

    /// Returns the number of bytes written, with those that did not fit.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Returns whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Appends a byte.
    #[inline(never)]
    pub fn byte(&mut self, byte: u8) {
        if let Some(room) = self.buf.get_mut(self.len) {
            *room = byte;
        }
        self.len += 1;
    }

    /// Appends bytes as they are.
    #[inline(never)]
    pub fn bytes(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.byte(byte);
        }
    }

    /// Appends text in quotes. It must be a literal or come out of a checked type ([`Text`](super::Text),
    /// [`ServerName`](crate::ServerName)).
    pub fn quoted(&mut self, text: &[u8]) {
        self.byte(b'"');
        self.bytes(text);
        self.byte(b'"');
    }

    /// Appends a decimal number.
    #[inline(never)]
    pub fn int(&mut self, value: u32) {
        let mut unit = 1;
        while value / unit >= 10 {
            unit *= 10;
        }
        while unit > 0 {
            self.byte(b'0' + (value / unit % 10) as u8);
            unit /= 10;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_is_written_piece_by_piece() {
        let mut buf = [0; 32];
        let mut out = Out {
            buf: &mut buf,
            len: 0,
        };
        out.bytes(b"AT+X=");
        for number in [0, 9, 10, u32::MAX] {
            out.int(number);
            out.byte(b',');
        }
        out.quoted(b"a");
        let len = out.len;
        assert_eq!(&buf[..len], b"AT+X=0,9,10,4294967295,\"a\"");
    }

    #[test]
    fn what_does_not_fit_is_counted() {
        let mut buf = [0; 4];
        let mut out = Out {
            buf: &mut buf,
            len: 0,
        };
        out.bytes(b"AT+QSSLOPEN");
        assert_eq!(out.len, 11);
        assert_eq!(&buf, b"AT+Q");
    }
}
