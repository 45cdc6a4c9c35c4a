//! A byte queue between an interrupt handler and a task.

use core::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

/// A queue of bytes with one producer and one consumer, in any contexts.
///
/// Each side alone moves its own index, so neither needs a critical section. A second
/// producer or consumer would lose bytes; it could not corrupt memory. One slot stays free to
/// tell full from empty: a ring of N slots holds N - 1 bytes.
pub struct Ring<Slots: ?Sized = [AtomicU8]> {
    /// The next slot to fill; moved by the producer.
    head: AtomicUsize,
    /// The next slot to take; moved by the consumer.
    tail: AtomicUsize,
    slots: Slots,
}

/// A [`Ring`] with its memory, for a `static`. A reference to it coerces to `&Ring`, so the
/// code that uses rings exists once, whatever their sizes.
pub type RingOf<const N: usize> = Ring<[AtomicU8; N]>;

impl<const N: usize> RingOf<N> {
    /// An empty ring.
    #[allow(clippy::new_without_default)] // A `static` needs it const.
    pub const fn new() -> Self {
        const { assert!(N >= 2, "a ring of N slots holds N - 1 bytes") };
        Self {
            head: AtomicUsize::new(0),
            tail: AtomicUsize::new(0),
            slots: [const { AtomicU8::new(0) }; N],
        }
    }
}

impl Ring {
    fn after(&self, index: usize) -> usize {
        if index + 1 == self.slots.len() {
            0
        } else {
            index + 1
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.head.load(Ordering::Acquire) == self.tail.load(Ordering::Acquire)
    }

    pub(super) fn is_full(&self) -> bool {
        self.after(self.head.load(Ordering::Acquire)) == self.tail.load(Ordering::Acquire)
    }

    /// Producer's side. Says whether there was room.
    pub(super) fn push(&self, byte: u8) -> bool {
        let head = self.head.load(Ordering::Relaxed);
        let next = self.after(head);
        // Acquire: the consumer has read the slot before it let go of it.
        if next == self.tail.load(Ordering::Acquire) {
            return false;
        }
        self.slots[head].store(byte, Ordering::Relaxed);
        self.head.store(next, Ordering::Release);
        true
    }

    /// Consumer's side.
    pub(super) fn pop(&self) -> Option<u8> {
        let tail = self.tail.load(Ordering::Relaxed);
        // Acquire: the producer has written the slot before it handed it over.
        if tail == self.head.load(Ordering::Acquire) {
            return None;
        }
        let byte = self.slots[tail].load(Ordering::Relaxed);
        self.tail.store(self.after(tail), Ordering::Release);
        Some(byte)
    }
}
