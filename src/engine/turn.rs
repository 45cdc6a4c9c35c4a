//! Taking turns, first come first served.

use core::cell::Cell;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

use super::notify::{Notify, look_again};

/// How many may wait at a time; what comes on top of them looks again after a while.
const WAITING_LIMIT: u8 = 32;

/// A lock whose waiters are served in the order in which they came. Ours, because embassy-sync's fair
/// semaphore loses the wake-up of a waiter that is dropped after it was woken.
pub(crate) struct Turn {
    held: Cell<bool>,
    /// The ticket that is served next, and the one that is given out next. They wrap.
    first: Cell<u8>,
    next: Cell<u8>,
    /// Tickets that were given up, as a bit set that starts at `first`.
    gone: Cell<u32>,
    changed: Notify,
}

impl Turn {
    pub(crate) const fn new() -> Self {
        Self {
            held: Cell::new(false),
            first: Cell::new(0),
            next: Cell::new(0),
            gone: Cell::new(0),
            changed: Notify::new(),
        }
    }

    /// Waits for the turn. Dropping the future gives the place up.
    pub(crate) fn acquire(&self) -> Acquire<'_> {
        Acquire {
            turn: self,
            ticket: None,
        }
    }

    /// Waits with `ticket`, which it gives out and takes back; whoever stops waiting
    /// [gives it up](Self::give_up).
    pub(crate) fn poll(&self, ticket: &mut Option<u8>, cx: &mut Context<'_>) -> Poll<()> {
        let first = self.first.get();
        let mine = match *ticket {
            Some(mine) => mine,
            None => {
                let mine = self.next.get();
                if mine.wrapping_sub(first) >= WAITING_LIMIT {
                    // It costs this one its place, not its turn.
                    look_again(cx);
                    return Poll::Pending;
                }
                self.next.set(mine.wrapping_add(1));
                *ticket = Some(mine);
                mine
            }
        };
        if self.held.get() || mine != first {
            self.changed.register(cx);
            return Poll::Pending;
        }
        self.held.set(true);
        *ticket = None;
        self.leave(mine);
        Poll::Ready(())
    }

    pub(crate) fn give_up(&self, ticket: u8) {
        self.leave(ticket);
        self.changed.wake();
    }

    /// `ticket` is not waited with any more.
    fn leave(&self, ticket: u8) {
        let mut first = self.first.get();
        // Fewer than `WAITING_LIMIT` are out.
        let mut gone = self.gone.get() | 1 << (ticket.wrapping_sub(first) % WAITING_LIMIT);
        while gone & 1 != 0 {
            gone >>= 1;
            first = first.wrapping_add(1);
        }
        self.gone.set(gone);
        self.first.set(first);
    }

    /// The turn if nobody has it or waits for it.
    pub(crate) fn try_acquire(&self) -> Option<Held<'_>> {
        if self.held.get() || self.first.get() != self.next.get() {
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

/// Waits for the turn.
pub(crate) struct Acquire<'a> {
    turn: &'a Turn,
    ticket: Option<u8>,
}

impl<'a> Future for Acquire<'a> {
    type Output = Held<'a>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Held<'a>> {
        let turn = self.turn;
        turn.poll(&mut self.ticket, cx).map(|()| Held(turn))
    }
}

impl Drop for Acquire<'_> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            self.turn.give_up(ticket);
        }
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
