//! Waiting in line, first come first served.

use core::task::{Context, Poll};

use super::wakers::{Wakers, look_again};

/// How many may wait at a time; what comes on top of them looks again after a while.
const WAITING_LIMIT: u8 = 32;

/// A lock whose waiters are served in the order in which they came. Ours, because embassy-sync's fair
/// semaphore loses the wake-up of a waiter that is dropped after it was woken.
pub(crate) struct Queue {
    held: bool,
    /// The ticket that is served next, and the one that is given out next. They wrap.
    first: u8,
    next: u8,
    /// Tickets that were given up, as a bit set that starts at `first`.
    gone: u32,
    changed: Wakers<3>,
}

impl Queue {
    pub(crate) const fn new() -> Self {
        Self {
            held: false,
            first: 0,
            next: 0,
            gone: 0,
            changed: Wakers::new(),
        }
    }

    /// Waits with `ticket`, which it gives out and takes back. A caller that stops waiting
    /// [gives it up](Self::give_up); one that was served [releases](Self::release) it.
    pub(crate) fn poll(&mut self, ticket: &mut Option<u8>, cx: &mut Context<'_>) -> Poll<()> {
        let mine = match *ticket {
            Some(mine) => mine,
            None => {
                let mine = self.next;
                if mine.wrapping_sub(self.first) >= WAITING_LIMIT {
                    // It costs this one its place, not its turn.
                    look_again(cx);
                    return Poll::Pending;
                }
                self.next = mine.wrapping_add(1);
                *ticket = Some(mine);
                mine
            }
        };
        if self.held || mine != self.first {
            self.changed.register(cx);
            return Poll::Pending;
        }
        self.held = true;
        *ticket = None;
        self.leave(mine);
        Poll::Ready(())
    }

    /// `ticket` is not waited with any more.
    pub(crate) fn give_up(&mut self, ticket: u8) {
        self.leave(ticket);
        self.changed.wake();
    }

    /// The one that was served has ended.
    pub(crate) fn release(&mut self) {
        self.held = false;
        self.changed.wake();
    }

    /// Whether somebody is served.
    pub(crate) fn is_held(&self) -> bool {
        self.held
    }

    /// A copy for tests, without wakers.
    #[cfg(test)]
    pub(crate) fn snapshot(&self) -> Self {
        Self {
            changed: Wakers::new(),
            ..*self
        }
    }

    fn leave(&mut self, ticket: u8) {
        // Fewer than `WAITING_LIMIT` are out.
        self.gone |= 1 << (ticket.wrapping_sub(self.first) % WAITING_LIMIT);
        while self.gone & 1 != 0 {
            self.gone >>= 1;
            self.first = self.first.wrapping_add(1);
        }
    }
}
