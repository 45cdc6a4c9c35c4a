//! Wakers in the order of their deadlines.

use core::task::Waker;

/// One deadline per waker, earliest first; wakers of equal deadline keep the order of their registration.
///
/// As in embassy's own queues, a waker that registers twice keeps its earliest deadline: once woken, its task polls
/// its other timers, and these register again. Other than there, a waker is recognised also where its clones compare
/// equal to each other only, and not to itself.
#[derive(Debug, Default)]
pub struct Queue {
    entries: Vec<(u64, Waker)>,
}

impl Queue {
    /// An empty one.
    pub const fn new() -> Self {
        Self {
            entries: Vec::new(),
        }
    }

    /// Has `waker` woken at `at`. Returns true when the earliest deadline of the whole queue changed.
    pub fn schedule(&mut self, at: u64, waker: &Waker) -> bool {
        // `Timer::at(Instant::MAX)` means never.
        if at == u64::MAX {
            return false;
        }
        // Compared as what it is kept as: see the crate's documentation.
        let waker = waker.clone();
        let known = self
            .entries
            .iter()
            .position(|(_, other)| other.will_wake(&waker));
        if let Some(index) = known {
            if self.entries[index].0 <= at {
                return false;
            }
            self.entries.remove(index);
        }
        let index = self
            .entries
            .partition_point(|(deadline, _)| *deadline <= at);
        self.entries.insert(index, (at, waker));
        index == 0
    }

    /// The earliest deadline.
    pub fn earliest(&self) -> Option<u64> {
        self.entries.first().map(|(at, _)| *at)
    }

    /// Moves the due wakers to `due`. They are woken by the caller once it holds no lock: a waker may schedule.
    pub fn take_due(&mut self, now: u64, due: &mut Vec<Waker>) {
        let count = self.entries.partition_point(|(at, _)| *at <= now);
        due.extend(self.entries.drain(..count).map(|(_, waker)| waker));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::task::Wake;

    use super::*;

    struct Nothing;

    impl Wake for Nothing {
        fn wake(self: Arc<Self>) {}
    }

    fn waker() -> Waker {
        Waker::from(Arc::new(Nothing))
    }

    #[test]
    fn keeps_the_earliest_deadline_of_a_waker() {
        let (one, two) = (waker(), waker());
        let mut queue = Queue::new();
        assert!(queue.schedule(20, &one));
        assert!(!queue.schedule(30, &one));
        assert!(queue.schedule(10, &one));
        assert!(!queue.schedule(10, &two));
        let mut due = Vec::new();
        queue.take_due(9, &mut due);
        assert!(due.is_empty());
        queue.take_due(10, &mut due);
        assert!(due.len() == 2 && due[0].will_wake(&one) && due[1].will_wake(&two));
        assert_eq!(queue.earliest(), None);
    }

    #[test]
    fn never_is_not_a_deadline() {
        let mut queue = Queue::new();
        assert!(!queue.schedule(u64::MAX, &waker()));
        assert_eq!(queue.earliest(), None);
    }
}
