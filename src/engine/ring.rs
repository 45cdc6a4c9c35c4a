//! Ring buffers between a socket's user and the runner.

/// A ring buffer of bytes in borrowed memory. Staged bytes lie after the readable ones, and the reader does not see
/// them until they are [committed](Ring::commit).
pub(crate) struct Ring<'a> {
    head: u16,
    len: u16,
    staged: u16,
    buf: &'a mut [u8],
}

impl<'a> Ring<'a> {
    /// Makes a ring without memory, with a capacity of 0.
    pub(crate) const fn new() -> Self {
        Self {
            head: 0,
            len: 0,
            staged: 0,
            buf: &mut [],
        }
    }

    /// Gives the ring its memory, of which it uses at most 32 767 bytes, and empties it.
    pub(crate) fn set_memory(&mut self, buf: &'a mut [u8]) {
        self.clear();
        let usable = buf.len().min(usize::from(u16::MAX / 2));
        self.buf = &mut buf[..usable];
    }

    pub(crate) fn len(&self) -> usize {
        self.len.into()
    }

    pub(crate) fn capacity(&self) -> usize {
        self.buf.len()
    }

    pub(crate) fn room(&self) -> usize {
        self.buf.len() - usize::from(self.len + self.staged)
    }

    pub(crate) fn clear(&mut self) {
        (self.head, self.len, self.staged) = (0, 0, 0);
    }

    /// Appends as much of `bytes` as fits, and returns the number of bytes appended. Commits what was staged before.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> usize {
        let count = self.stage(bytes);
        self.commit();
        count
    }

    /// Stages as much of `bytes` as fits, and returns the number of bytes staged. The reader does not see them yet.
    pub(crate) fn stage(&mut self, bytes: &[u8]) -> usize {
        let count = bytes.len().min(self.room());
        let at: usize = self.wrap(self.head + self.len + self.staged).into();
        let first = count.min(self.buf.len() - at);
        let (early, late) = bytes[..count].split_at(first);
        self.buf[at..at + first].copy_from_slice(early);
        self.buf[..late.len()].copy_from_slice(late);
        self.staged += count as u16;
        count
    }

    /// Makes the staged bytes readable.
    pub(crate) fn commit(&mut self) {
        self.len += self.staged;
        self.staged = 0;
    }

    /// Drops the staged bytes.
    pub(crate) fn discard(&mut self) {
        self.staged = 0;
    }

    /// Copies bytes from `offset` after the oldest one on, without removing them, and returns how many.
    pub(crate) fn peek(&self, offset: usize, into: &mut [u8]) -> usize {
        let count = into.len().min(self.len().saturating_sub(offset));
        if count == 0 {
            return 0;
        }
        let at: usize = self.wrap(self.head + offset as u16).into();
        let first = count.min(self.buf.len() - at);
        let (early, late) = into[..count].split_at_mut(first);
        early.copy_from_slice(&self.buf[at..at + first]);
        late.copy_from_slice(&self.buf[..late.len()]);
        count
    }

    /// Removes the oldest `count` bytes, or all where there are fewer.
    pub(crate) fn consume(&mut self, count: usize) {
        let count = count.min(self.len()) as u16;
        self.head = self.wrap(self.head + count);
        self.len -= count;
    }

    /// Moves the oldest bytes into `into`, as many as fit, and returns how many.
    pub(crate) fn pop(&mut self, into: &mut [u8]) -> usize {
        let count = self.peek(0, into);
        self.consume(count);
        count
    }

    /// A copy for tests, in leaked memory.
    #[cfg(test)]
    pub(crate) fn snapshot(&self) -> Self {
        extern crate std;
        let memory = std::vec::Vec::from(&*self.buf).leak();
        Self {
            buf: memory,
            ..*self
        }
    }

    /// Maps a position below twice the capacity into the ring. A Cortex-M0 has no division, so this subtracts.
    fn wrap(&self, at: u16) -> u16 {
        let capacity = self.buf.len() as u16;
        if at >= capacity { at - capacity } else { at }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::collections::VecDeque;
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    fn ring(memory: &mut [u8]) -> Ring<'_> {
        let mut ring = Ring::new();
        ring.set_memory(memory);
        ring
    }

    #[test]
    fn staged_bytes_are_seen_only_once_committed() {
        let mut memory = [0; 4];
        let mut ring = ring(&mut memory);
        let mut out = [0; 4];
        assert_eq!(
            (ring.push(b"a"), ring.stage(b"bcde"), ring.room()),
            (1, 3, 0)
        );
        assert_eq!(ring.pop(&mut out), 1);
        ring.discard();
        assert_eq!((ring.stage(b"xy"), ring.len()), (2, 0));
        ring.commit();
        assert_eq!(ring.pop(&mut out), 2);
        assert_eq!(&out[..2], b"xy");
    }

    #[test]
    fn ring_without_memory_takes_nothing() {
        let mut ring = Ring::new();
        assert_eq!((ring.push(b"a"), ring.room(), ring.len()), (0, 0, 0));
        assert_eq!(ring.pop(&mut [0; 4]), 0);
    }

    proptest! {
        #[test]
        fn ring_is_a_bounded_queue(steps in prop::collection::vec((any::<bool>(), 0usize..12), 0..200)) {
            let mut memory = [0; 7];
            let mut ring = ring(&mut memory);
            let mut model = VecDeque::new();
            let mut next = 0u8;
            for (push, count) in steps {
                if push {
                    let bytes: Vec<u8> = (0..count).map(|i| next.wrapping_add(i as u8)).collect();
                    let taken = ring.push(&bytes);
                    prop_assert_eq!(taken, count.min(7 - model.len()));
                    model.extend(&bytes[..taken]);
                    next = next.wrapping_add(taken as u8);
                } else {
                    let mut out = std::vec![0; count];
                    let offset = usize::from(count > 6);
                    let seen = ring.peek(offset, &mut out);
                    let expected: Vec<u8> = model.iter().skip(offset).take(count).copied().collect();
                    prop_assert_eq!(&out[..seen], &expected[..]);
                    let taken = ring.pop(&mut out);
                    let expected: Vec<u8> = model.drain(..count.min(model.len())).collect();
                    prop_assert_eq!(&out[..taken], &expected[..]);
                }
                prop_assert_eq!(ring.len(), model.len());
            }
        }
    }
}
