//! Pushed payload: data that a modem sends by itself, between any two lines, instead of having it fetched.
//!
//! It is staged in the socket's ring, and committed once a line end or a silence after it shows that the count was
//! right. When a ring is full, the UART is not read for a while, so that flow control holds the modem back. A reader that
//! is too slow for that loses its socket; other sockets are kept.

use super::super::slot::Phase;
use super::super::time::{Ms, after, past};
use super::super::world::World;
use super::Engine;
use super::received::PAYLOAD_PAUSE;
use super::rescue::SyncProgress;
use crate::at::framing::Framing;
use crate::engine::backend::Modem;
use crate::error::SocketError;
use crate::loss::Loss;

/// The longest time that a full ring keeps the UART from being read; all other sockets and commands wait meanwhile.
const STALL_LIMIT: Ms = 200;
/// The silence that must follow complete payload before its count is taken as right. Output that shows a wrong count
/// would come at once.
const QUIET: Ms = 20;

/// Pushed payload that is under way.
#[derive(Clone, Copy)]
pub(super) struct Push {
    /// The socket that gets it; `None` where no socket does, so that the bytes are only counted.
    pub(super) slot: Option<u8>,
    /// The time at which incomplete payload is given up, or complete payload is committed.
    deadline: Ms,
    /// The time at which the socket is given up because its ring is full; `None` while it has not been full.
    stall_limit: Option<Ms>,
}

impl<M: Modem> Engine<M> {
    /// Begins pushed payload: a header has announced `len` bytes for the connection `id`.
    pub(super) fn push_begin(&mut self, w: &mut World<'_>, id: u8, len: usize) {
        let opened = w.open.is_some_and(|open| open.result == 0);
        let wanted = |index: &usize| {
            let slot = &w.slots[*index];
            // Data before the result of the open belongs to an earlier connection with this id.
            let open = slot.phase == Phase::Open || (slot.phase == Phase::Opening && opened);
            slot.push && open
        };
        let index = w.with_id(id).filter(wanted);
        // While the channel is not synchronised, a header may be part of something else.
        let trusted = self.syncing == SyncProgress::InStep;
        if let (Some(index), false) = (index, trusted) {
            w.lose(index as u8, Loss::Grammar);
        }
        self.expect_payload(len, false);
        self.push_announced(w, index, trusted);
    }

    /// Begins pushed payload: a frame brings data for the connection `channel`.
    pub(super) fn push_frame(&mut self, w: &mut World<'_>, channel: u8) {
        w.heard_at = w.now;
        let index = w.with_id(channel).filter(|&index| {
            let slot = &w.slots[index];
            slot.push && matches!(slot.phase, Phase::Open | Phase::Opening)
        });
        self.push_announced(w, index, true);
    }

    fn push_announced(&mut self, w: &World<'_>, index: Option<usize>, trusted: bool) {
        self.push = Some(Push {
            slot: index.filter(|_| trusted).map(|index| index as u8),
            deadline: after(w.now, PAYLOAD_PAUSE),
            stall_limit: None,
        });
    }

    /// Returns whether pushed payload is under way.
    pub(super) fn is_pushing(&self) -> bool {
        M::PUSHES && self.push.is_some()
    }

    pub(super) fn push_forget(&mut self) {
        self.push = None;
    }

    /// Returns the number of bytes that may be taken in now: the room in the ring for pushed payload, otherwise no limit.
    pub(super) fn push_room(&self, w: &World<'_>) -> usize {
        match self.push.and_then(|push| push.slot).filter(|_| M::PUSHES) {
            Some(slot) if self.push_left() > 0 => w.slots[usize::from(slot)].rx.room(),
            _ => usize::MAX,
        }
    }

    /// Returns the number of bytes of the payload that are still to come.
    fn push_left(&self) -> usize {
        if M::Framing::FRAMES && self.framing.is_in_data() {
            self.framing.data_left()
        } else {
            self.framer.payload_left()
        }
    }

    /// Stages a part of the payload. It fits, since no more is taken in than [`push_room`](Self::push_room).
    pub(super) fn push_part(&mut self, w: &mut World<'_>, part: &[u8]) {
        let slot = self.push.and_then(|push| push.slot);
        if slot.is_some_and(|slot| self.stage_payload(w, slot, part).is_none()) {
            return self.push_violation(w);
        }
        if let Some(push) = &mut self.push {
            push.deadline = after(w.now, PAYLOAD_PAUSE);
            // There was room: the user reads.
            push.stall_limit = None;
        }
    }

    pub(super) fn push_end(&mut self, w: &mut World<'_>) {
        if self.push.is_some_and(|push| push.slot.is_some()) && !self.is_payload_whole() {
            return self.push_violation(w);
        }
        self.push_quiet(w);
    }

    /// Waits for the silence that shows that complete payload is what was sent.
    pub(super) fn push_quiet(&mut self, w: &World<'_>) {
        if let Some(push) = &mut self.push {
            push.deadline = after(w.now, QUIET);
        }
    }

    /// Commits payload that is complete and followed by a line end. Called after each event of the framer.
    pub(super) fn push_settle(&mut self, w: &mut World<'_>) {
        if self.is_pushing() && self.framer.payload_left() == 0 && !self.framer.is_behind_payload()
        {
            self.push_commit(w);
        }
    }

    /// Handles the deadlines of pushed payload. Returns the next one, where payload is under way.
    pub(super) fn push_tick(&mut self, w: &mut World<'_>) -> Option<Ms> {
        if !M::PUSHES {
            return None;
        }
        let full = self.push_room(w) == 0;
        let push = self.push.as_mut()?;
        if full {
            let limit = *push.stall_limit.get_or_insert(after(w.now, STALL_LIMIT));
            push.deadline = after(limit, PAYLOAD_PAUSE);
            if !past(w.now, limit) {
                return Some(limit);
            }
            w.changed = true;
            // The user does not read. The rest of the payload is only counted.
            warn!("pushed data is not read");
            self.push_lost(w, SocketError::RxOverrun);
            return self.push.map(|push| push.deadline);
        }
        if !past(w.now, push.deadline) {
            return Some(push.deadline);
        }
        w.changed = true;
        if M::Framing::FRAMES && self.framing.is_in_data() {
            // The broken frame resets all sockets, including the one of this payload.
            self.framing.give_up();
            self.feed_frames(w, &[]);
        } else if self.framer.payload_left() == 0 {
            self.push_commit(w);
        } else {
            self.framer.reset();
            self.push_violation(w);
        }
        None
    }

    /// Gives the payload and its socket up, because its count was wrong: the beginning of the next line is unknown.
    pub(super) fn push_violation(&mut self, w: &mut World<'_>) {
        warn!("pushed data does not have its announced length");
        self.push_lost(w, SocketError::ConnectionReset);
        self.push = None;
        self.lose_track(w);
    }

    pub(super) fn push_commit(&mut self, w: &mut World<'_>) {
        if let Some(slot) = self.push.take().and_then(|push| push.slot) {
            // The data shows that the connection stands, so the modem need not be asked.
            w.slots[usize::from(slot)].look_at = after(w.now, w.poll);
            w.commit(slot);
        }
    }

    fn push_lost(&mut self, w: &mut World<'_>, error: SocketError) {
        if let Some(slot) = self.push.as_mut().and_then(|push| push.slot.take()) {
            let slot = &mut w.slots[usize::from(slot)];
            slot.rx.discard();
            if error == SocketError::ConnectionReset {
                slot.lose(Loss::Grammar);
                w.loss = Some(Loss::Grammar);
            }
            slot.fail(error);
        }
    }
}
