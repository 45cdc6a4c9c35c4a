//! A ring buffer of bytes.

/// A ring buffer over a slice: first in, first out.
pub(crate) struct Ring<'b> {
    buf: &'b mut [u8],
    start: usize,
    len: usize,
}

impl<'b> Ring<'b> {
    pub(crate) fn new(buf: &'b mut [u8]) -> Self {
        Self {
            buf,
            start: 0,
            len: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn room(&self) -> usize {
        self.buf.len() - self.len
    }

    pub(crate) fn clear(&mut self) {
        self.len = 0;
    }

    /// Appends as many bytes as there is room for, and returns how many.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> usize {
        let count = bytes.len().min(self.room());
        for &byte in &bytes[..count] {
            let at = (self.start + self.len) % self.buf.len();
            self.buf[at] = byte;
            self.len += 1;
        }
        count
    }

    /// Takes as many bytes as there are and `out` holds, and returns how many.
    pub(crate) fn pop(&mut self, out: &mut [u8]) -> usize {
        let count = out.len().min(self.len);
        for place in &mut out[..count] {
            *place = self.buf[self.start];
            self.start = (self.start + 1) % self.buf.len();
        }
        self.len -= count;
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_out_in_order_over_the_edge() {
        let mut buf = [0; 5];
        let mut ring = Ring::new(&mut buf);
        let (mut next_in, mut next_out) = (0_u8, 0_u8);
        for count in [3, 5, 1, 4, 2, 5, 5] {
            for _ in 0..count {
                next_in += ring.push(&[next_in]) as u8;
            }
            assert!(ring.len() <= 5 && ring.room() == 5 - ring.len());
            let mut out = [0; 4];
            let taken = ring.pop(&mut out);
            for byte in &out[..taken] {
                assert_eq!(*byte, next_out);
                next_out += 1;
            }
        }
        assert_eq!(ring.len(), usize::from(next_in - next_out));
    }
}
