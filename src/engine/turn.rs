//! Taking turns, first come first served.

use core::cell::{Cell, RefCell};

use embassy_time::Timer;
use heapless::Deque;

use super::notify::Notify;

/// A lock whose waiters are served in the order in which they came. Ours, because embassy-sync's fair
/// semaphore loses the wake-up of a waiter that is dropped after it was woken.
pub(crate) struct Turn {
    held: Cell<bool>,
    next: Cell<u32>,
    queue: RefCell<Deque<u32, 8>>,
    changed: Notify,
}

impl Turn {
    pub(crate) const fn new() -> Self {
        Self {
            held: Cell::new(false),
            next: Cell::new(0),
            queue: RefCell::new(Deque::new()),
            changed: Notify::new(),
        }
    }

    /// Waits for the turn. Dropping the future gives the place up.
    pub(crate) async fn acquire(&self) -> Held<'_> {
        let ticket = self.next.get();
        self.next.set(ticket.wrapping_add(1));
        while self.queue.borrow_mut().push_back(ticket).is_err() {
            // Eight are waiting already. It costs this one its place, not its turn.
            Timer::after_millis(5).await;
        }
        let _place = Place { turn: self, ticket };
        self.changed
            .until(|| {
                let mine = !self.held.get() && self.queue.borrow().front() == Some(&ticket);
                mine.then(|| self.held.set(true))
            })
            .await;
        Held(self)
    }

    /// The turn if nobody has it or waits for it.
    pub(crate) fn try_acquire(&self) -> Option<Held<'_>> {
        if self.held.get() || !self.queue.borrow().is_empty() {
            return None;
        }
        self.held.set(true);
        Some(Held(self))
    }

    /// Takes the turn before all who wait for it, to be [released](Self::release); returns whether nobody
    /// has it.
    pub(crate) fn seize(&self) -> bool {
        !self.held.replace(true)
    }

    /// Gives up a turn that was [kept](Held::keep).
    pub(crate) fn release(&self) {
        self.held.set(false);
        self.changed.wake();
    }
}

/// The turn, until it is dropped.
pub(crate) struct Held<'a>(&'a Turn);

impl Held<'_> {
    /// Keeps it beyond this value's life.
    pub(crate) fn keep(self) {
        core::mem::forget(self);
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.release();
    }
}

/// A place in the queue.
struct Place<'a> {
    turn: &'a Turn,
    ticket: u32,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut queue = self.turn.queue.borrow_mut();
        for _ in 0..queue.len() {
            if let Some(ticket) = queue.pop_front().filter(|ticket| *ticket != self.ticket) {
                // It was popped right now, so there is room.
                let _ = queue.push_back(ticket);
            }
        }
        drop(queue);
        self.turn.changed.wake();
    }
}
