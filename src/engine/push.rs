//! Payload that comes by itself, between any two lines: where a modem pushes data instead of having it
//! fetched.
//!
//! It goes into the socket's ring as fetched payload does: staged, and committed once what stands behind
//! it shows that the count was right. When a ring is full, the UART is not read for a while, so that
//! flow control holds the modem back; a reader that is too slow for that loses its socket, and only its
//! own.

use embassy_time::{Duration, Instant};

use super::core::{Core, PAYLOAD_PAUSE, Resync, open_slot};
use super::slots::{SocketPhase, Table};
use crate::error::SocketError;
use crate::modem::Slot;

/// The other sockets, and every command, wait as long as the UART is not read.
const STALL_LIMIT: Duration = Duration::from_millis(200);
/// What comes behind payload comes at once. Some firmware may have nothing to say for a while.
const QUIET: Duration = Duration::from_millis(20);

/// Pushed payload under way.
#[derive(Clone, Copy)]
pub(crate) struct Push {
    /// Whose it is; `None` when nobody wants it, so that it is only counted.
    slot: Option<Slot>,
    /// When it is given up, or once it is complete, believed.
    deadline: Instant,
    /// Of its share in keeping the UART waiting.
    stall_limit: Option<Instant>,
}

impl Core {
    /// A header announced `len` bytes for socket `id`.
    pub(crate) fn push_begin(&self, table: &dyn Table, id: u8, len: usize) {
        let wanted = |slot: &Slot| {
            let state = &table.slots()[usize::from(slot.0)];
            // Before the modem said that it is open, it is data of an earlier connection of this id.
            let open = state.phase.get() == SocketPhase::Open || state.open_result.get() == Some(0);
            state.push.get() && open
        };
        let slot = open_slot(table, id).filter(wanted);
        // While the channel is not synchronised, a header may be part of something else.
        let trusted = self.resync.get() == Resync::Off;
        if let Some(slot) = slot.filter(|_| !trusted) {
            table.slots()[usize::from(slot.0)].fail(SocketError::ConnectionReset);
        }
        self.framer.borrow_mut().expect_payload(len);
        self.push.set(Some(Push {
            slot: slot.filter(|_| trusted),
            deadline: Instant::now() + PAYLOAD_PAUSE,
            stall_limit: None,
        }));
    }

    /// Whose pushed payload is under way.
    #[cfg(feature = "tap")]
    pub(crate) fn push_slot(&self) -> Option<Slot> {
        self.push.get().and_then(|push| push.slot)
    }

    /// How many bytes may be taken in now; no limit unless they are pushed payload.
    pub(crate) fn push_room(&self, table: &dyn Table) -> usize {
        let slot = self.push.get().and_then(|push| push.slot);
        match slot {
            Some(slot) if self.framer.borrow().payload_left() > 0 => table.rx(slot).room(),
            _ => usize::MAX,
        }
    }

    /// Until when the UART may be left unread for want of room.
    pub(crate) fn push_stall_limit(&self) -> Instant {
        let Some(mut push) = self.push.get() else {
            return Instant::MIN;
        };
        let limit = *push.stall_limit.get_or_insert(Instant::now() + STALL_LIMIT);
        push.deadline = limit + PAYLOAD_PAUSE;
        self.push.set(Some(push));
        limit
    }

    /// Nobody reads: the rest is only counted.
    pub(crate) fn push_overrun(&self, table: &dyn Table) {
        warn!("pushed data is not read");
        self.push_lost(table, SocketError::RxOverrun);
    }

    /// Some of it. What does not fit was not taken in, see [`push_room`](Self::push_room).
    pub(crate) fn push_part(&self, table: &dyn Table, mut push: Push, part: &[u8]) {
        if let Some(slot) = push.slot {
            table.rx(slot).stage(part);
        }
        push.deadline = Instant::now() + PAYLOAD_PAUSE;
        self.push.set(Some(push));
    }

    pub(crate) fn push_end(&self, mut push: Push) {
        push.deadline = Instant::now() + QUIET;
        self.push.set(Some(push));
    }

    /// To be called after each event: commits what is complete and followed by a line end.
    pub(crate) fn push_settle(&self, table: &dyn Table) {
        let framer = self.framer.borrow();
        if self.push.get().is_some() && framer.payload_left() == 0 && !framer.is_behind_payload() {
            self.push_commit(table);
        }
    }

    /// When [`push_pause`](Self::push_pause) is to be called if no byte comes.
    pub(crate) fn push_deadline(&self) -> Option<Instant> {
        self.push.get().map(|push| push.deadline)
    }

    /// Nothing came for as long as it may take.
    pub(crate) fn push_pause(&self, table: &dyn Table) {
        if self.framer.borrow().payload_left() == 0 {
            self.push_commit(table);
        } else {
            self.framer.borrow_mut().reset();
            self.push_violation(table);
        }
    }

    /// The count was wrong: where the next line begins is not known.
    pub(crate) fn push_violation(&self, table: &dyn Table) {
        warn!("pushed data does not have its announced length");
        self.push_lost(table, SocketError::ConnectionReset);
        self.push.set(None);
        self.lose_track();
    }

    fn push_commit(&self, table: &dyn Table) {
        if let Some(slot) = self.push.take().and_then(|push| push.slot) {
            let state = &table.slots()[usize::from(slot.0)];
            table.rx(slot).commit();
            // It is alive; no need to ask.
            state
                .poll_at
                .set(Instant::now().saturating_add(self.fixed.timing.poll));
            state.wake_rx();
            self.work.wake();
        }
    }

    fn push_lost(&self, table: &dyn Table, error: SocketError) {
        let Some(mut push) = self.push.get() else {
            return;
        };
        if let Some(slot) = push.slot.take() {
            table.rx(slot).discard();
            table.slots()[usize::from(slot.0)].fail(error);
            self.work.wake();
        }
        self.push.set(Some(push));
    }
}
