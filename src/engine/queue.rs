//! A fair queue of tasks: first come, first served.

/// The number of tasks that can hold a ticket at a time. Further ones wait for a ticket first.
const WAITING_LIMIT: u8 = 32;

/// A lock whose waiters are served in the order in which they came. Ours, because embassy-sync's fair
/// semaphore loses the wake-up of a waiter that is dropped after it was woken. Its waiters register with
/// [`World::waiting`](super::world::World::waiting), whose tasks are to be woken after each change of the queue.
#[cfg_attr(test, derive(Clone, Copy))]
pub(crate) struct Queue {
    held: bool,
    /// The ticket that is served next, wrapping.
    first: u8,
    /// The ticket that is given out next, wrapping.
    next: u8,
    /// Tickets that were given up, as a bit set that starts at `first`.
    gone: u32,
}

impl Queue {
    pub(crate) const fn new() -> Self {
        Self {
            held: false,
            first: 0,
            next: 0,
            gone: 0,
        }
    }

    /// Returns whether it is the caller's turn. The first call sets `ticket`, and the caller passes it again until its
    /// turn comes, which clears it.
    ///
    /// A caller that stops waiting [gives the ticket up](Self::give_up); one whose turn has come ends it with
    /// [`release`](Self::release).
    pub(crate) fn is_turn(&mut self, ticket: &mut Option<u8>) -> bool {
        let mine = match *ticket {
            Some(mine) => mine,
            None => {
                let mine = self.next;
                if mine.wrapping_sub(self.first) >= WAITING_LIMIT {
                    // This task loses its place in the order, but is served once a ticket is free.
                    return false;
                }
                self.next = mine.wrapping_add(1);
                *ticket = Some(mine);
                mine
            }
        };
        if self.held || mine != self.first {
            return false;
        }
        self.held = true;
        *ticket = None;
        self.give_up(mine);
        true
    }

    /// Gives up a ticket whose owner does not wait any more.
    pub(crate) fn give_up(&mut self, ticket: u8) {
        // Fewer tickets than `WAITING_LIMIT` are held at a time, so each has a bit of its own.
        self.gone |= 1 << (ticket.wrapping_sub(self.first) % WAITING_LIMIT);
        while self.gone & 1 != 0 {
            self.gone >>= 1;
            self.first = self.first.wrapping_add(1);
        }
    }

    /// Ends the turn of the task that was served.
    pub(crate) fn release(&mut self) {
        self.held = false;
    }

    /// Returns whether a task has its turn.
    pub(crate) fn is_held(&self) -> bool {
        self.held
    }
}
