//! Payload that comes by itself, between any two lines: where a modem pushes data instead of having it
//! fetched.
//!
//! It goes into the socket's ring as fetched payload does: staged, and committed once what stands behind
//! it shows that the count was right. When a ring is full, the UART is not read for a while, so that
//! flow control holds the modem back; a reader that is too slow for that loses its socket, and only its
//! own.

use super::super::slot::Phase;
use super::super::time::{Ms, after, past};
use super::super::world::World;
use super::Engine;
use super::exchange::PAYLOAD_PAUSE;
use super::rescue::SyncProgress;
use crate::at::framing::Framing;
use crate::engine::backend::Modem;
use crate::error::SocketError;
use crate::loss::Loss;

/// The other sockets, and every command, wait as long as the UART is not read.
const STALL_LIMIT: Ms = 200;
/// What comes behind payload comes at once. Some firmware may have nothing to say for a while.
const QUIET: Ms = 20;

/// Pushed payload under way.
#[derive(Clone, Copy)]
pub(super) struct Push {
    /// Whose it is; `None` when nobody wants it, so that it is only counted.
    pub(super) slot: Option<u8>,
    /// When it is given up, or once it is complete, believed.
    deadline: Ms,
    /// Of its share in keeping the UART waiting.
    stall_limit: Option<Ms>,
}

impl<M: Modem> Engine<M> {
    /// A header announced `len` bytes for socket `id`.
    pub(super) fn push_begin(&mut self, w: &mut World<'_>, id: u8, len: usize) {
        let opened = w.open.is_some_and(|open| open.result == 0);
        let wanted = |index: &usize| {
            let slot = &w.slots[*index];
            // Before the modem said that it is open, it is data of an earlier connection of this id.
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

    /// A frame brings data for the socket whose id `channel` is.
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

    /// Whether pushed payload is under way.
    pub(super) fn is_pushing(&self) -> bool {
        M::PUSHES && self.push.is_some()
    }

    pub(super) fn push_forget(&mut self) {
        self.push = None;
    }

    /// How many bytes may be taken in now; no limit unless they are pushed payload.
    pub(super) fn push_room(&self, w: &World<'_>) -> usize {
        match self.push.and_then(|push| push.slot).filter(|_| M::PUSHES) {
            Some(slot) if self.push_left() > 0 => w.slots[usize::from(slot)].rx.room(),
            _ => usize::MAX,
        }
    }

    /// How many bytes are still to come.
    fn push_left(&self) -> usize {
        if M::Framing::FRAMES && self.framing.is_in_data() {
            self.framing.data_left()
        } else {
            self.framer.payload_left()
        }
    }

    /// Some of it. What does not fit was not taken in, see [`push_room`](Self::push_room).
    pub(super) fn push_part(&mut self, w: &mut World<'_>, part: &[u8]) {
        let slot = self.push.and_then(|push| push.slot);
        if slot.is_some_and(|slot| self.stage_payload(w, slot, part).is_none()) {
            return self.push_violation(w);
        }
        if let Some(push) = &mut self.push {
            push.deadline = after(w.now, PAYLOAD_PAUSE);
        }
    }

    pub(super) fn push_end(&mut self, w: &mut World<'_>) {
        if self.push.is_some_and(|push| push.slot.is_some()) && !self.is_payload_whole() {
            return self.push_violation(w);
        }
        if let Some(push) = &mut self.push {
            push.deadline = after(w.now, QUIET);
        }
    }

    /// To be called after each event: commits what is complete and followed by a line end.
    pub(super) fn push_settle(&mut self, w: &mut World<'_>) {
        if self.is_pushing() && self.framer.payload_left() == 0 && !self.framer.is_behind_payload()
        {
            self.push_commit(w);
        }
    }

    /// Looks at the time; returns when to look again, if payload is under way.
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
            // Nobody reads: the rest is only counted.
            warn!("pushed data is not read");
            self.push_lost(w, SocketError::RxOverrun);
            return self.push.map(|push| push.deadline);
        }
        if !past(w.now, push.deadline) {
            return Some(push.deadline);
        }
        w.changed = true;
        if M::Framing::FRAMES && self.framing.is_in_data() {
            // Its socket is told with the others.
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

    /// The count was wrong: where the next line begins is not known.
    pub(super) fn push_violation(&mut self, w: &mut World<'_>) {
        warn!("pushed data does not have its announced length");
        self.push_lost(w, SocketError::ConnectionReset);
        self.push = None;
        self.lose_track(w);
    }

    pub(super) fn push_commit(&mut self, w: &mut World<'_>) {
        if let Some(slot) = self.push.take().and_then(|push| push.slot) {
            // It is alive; no need to ask.
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
