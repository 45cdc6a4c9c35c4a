//! Byte rings between a socket and the runner.

use core::cell::{Cell, RefCell};

/// A byte ring. Used as `Ring<[u8]>`, so that one copy of the code serves every size.
pub(crate) struct Ring<B: ?Sized> {
    head: Cell<usize>,
    len: Cell<usize>,
    /// Bytes behind `len` that are not yet known to be good.
    staged: Cell<usize>,
    buf: RefCell<B>,
}

impl<const N: usize> Ring<[u8; N]> {
    pub(crate) const fn new() -> Self {
        Self {
            head: Cell::new(0),
            len: Cell::new(0),
            staged: Cell::new(0),
            buf: RefCell::new([0; N]),
        }
    }
}

impl Ring<[u8]> {
    pub(crate) fn len(&self) -> usize {
        self.len.get()
    }

    pub(crate) fn capacity(&self) -> usize {
        self.buf.borrow().len()
    }

    pub(crate) fn room(&self) -> usize {
        self.capacity() - self.len() - self.staged.get()
    }

    pub(crate) fn clear(&self) {
        self.head.set(0);
        self.len.set(0);
        self.staged.set(0);
    }

    /// Appends as much of `bytes` as fits and returns how much that was.
    pub(crate) fn push(&self, bytes: &[u8]) -> usize {
        let count = self.stage(bytes);
        self.commit();
        count
    }

    /// Appends as much of `bytes` as fits, out of the reader's sight until
    /// [`commit`](Self::commit), and returns how much that was.
    pub(crate) fn stage(&self, bytes: &[u8]) -> usize {
        let count = bytes.len().min(self.room());
        let mut buf = self.buf.borrow_mut();
        if count == 0 {
            return 0;
        }
        let at = wrap(self.head.get() + self.len() + self.staged.get(), buf.len());
        let first = count.min(buf.len() - at);
        buf[at..at + first].copy_from_slice(&bytes[..first]);
        buf[..count - first].copy_from_slice(&bytes[first..count]);
        self.staged.set(self.staged.get() + count);
        count
    }

    /// What was staged may be read.
    pub(crate) fn commit(&self) {
        self.len.set(self.len() + self.staged.take());
    }

    /// What was staged never was.
    pub(crate) fn discard(&self) {
        self.staged.set(0);
    }

    /// Copies bytes from `offset` behind the oldest one, without removing them.
    pub(crate) fn peek(&self, offset: usize, into: &mut [u8]) -> usize {
        let buf = self.buf.borrow();
        let count = into.len().min(self.len().saturating_sub(offset));
        if count == 0 {
            return 0;
        }
        let at = wrap(self.head.get() + offset, buf.len());
        let first = count.min(buf.len() - at);
        into[..first].copy_from_slice(&buf[at..at + first]);
        into[first..count].copy_from_slice(&buf[..count - first]);
        count
    }

    /// Removes the oldest `count` bytes, or all.
    pub(crate) fn consume(&self, count: usize) {
        let count = count.min(self.len());
        self.head
            .set(wrap(self.head.get() + count, self.capacity()));
        self.len.set(self.len() - count);
    }

    /// Moves the oldest bytes out.
    pub(crate) fn pop(&self, into: &mut [u8]) -> usize {
        let count = self.peek(0, into);
        self.consume(count);
        count
    }
}

/// `at` is below twice the capacity, so no division is needed; a Cortex-M0 has none.
fn wrap(at: usize, capacity: usize) -> usize {
    if at >= capacity { at - capacity } else { at }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::collections::VecDeque;
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn staged_bytes_are_seen_only_once_committed() {
        let ring = Ring::<[u8; 4]>::new();
        let ring: &Ring<[u8]> = &ring;
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

    proptest! {
        #[test]
        fn ring_is_a_bounded_queue(steps in prop::collection::vec((any::<bool>(), 0usize..12), 0..200)) {
            let ring = Ring::<[u8; 7]>::new();
            let ring: &Ring<[u8]> = &ring;
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
