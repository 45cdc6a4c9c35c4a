//! Frames below the lines. Nothing here is linked for a modem without frames.
//!
//! The text of frames goes to the line framer as if it had come without frames. The data of a channel is staged in the
//! ring of the socket that has the channel as its id, and committed once another frame or a silence stands behind it: where
//! something has got into a frame, its end is a byte of its payload, and what follows is no frame. A broken frame may have
//! been that of any socket, so it resets every socket whose data comes in frames.

use super::super::mailbox::ExchangeState;
use super::super::slot::Phase;
use super::super::time::{Ms, after, past, sooner};
use super::super::world::{PowerState, World};
use super::{Engine, Stage};
use crate::at::framing::{Framing, Unit};
use crate::engine::backend::{DECIDES, Modem, Step, Urc};
use crate::loss::Loss;

/// The longest gap inside a frame, apart from pauses by flow control.
const FRAME_PAUSE: Ms = 300;

impl<M: Modem> Engine<M> {
    pub(super) fn feed_frames(&mut self, w: &mut World<'_>, mut input: &[u8]) -> usize {
        let all = input.len();
        if all > 0 {
            self.note_frame_time(w);
        }
        self.line_waits &= matches!(w.mailbox.post, ExchangeState::Line);
        while !self.line_waits {
            let framed = self.modem.is_framed();
            let Some(unit) = self.framing.next(framed, &mut input) else {
                break;
            };
            w.changed = true;
            match unit {
                Unit::Text(part) => {
                    self.push_commit(w);
                    let taken = self.feed_text(w, part);
                    self.framing.consume(&mut input, taken);
                    if taken < part.len() {
                        break;
                    }
                }
                Unit::Begin { channel } => {
                    self.push_commit(w);
                    self.push_frame(w, channel);
                }
                Unit::Data(part) => {
                    let count = part.len().min(self.push_room(w));
                    if count == 0 {
                        break;
                    }
                    self.push_part(w, &part[..count]);
                    self.framing.consume(&mut input, count);
                }
                Unit::End => self.push_quiet(w),
                Unit::Event => {
                    self.push_commit(w);
                    w.heard_at = w.now;
                    let urc = self.modem.frame(w, self.framing.event());
                    match urc {
                        Urc::Restarted => self.restarted(w, PowerState::Awake),
                        Urc::Saving => self.restarted(w, PowerState::Saving),
                        urc => self.urc(w, urc),
                    }
                }
                Unit::Broken => self.frame_broken(w),
                Unit::Restarted => {
                    warn!("the modem restarted");
                    self.restarted(w, PowerState::Awake);
                }
            }
        }
        all - input.len()
    }

    /// Handles the deadline of a frame. Returns the next one, where a frame is under way.
    pub(super) fn tick_frames(&mut self, w: &mut World<'_>) -> Option<Ms> {
        if self.line_waits || self.push_room(w) == 0 {
            // The gap is the driver's own: the UART is not read.
            self.note_frame_time(w);
        }
        let until = self
            .framing
            .until()
            .copied()
            .filter(|_| self.framing.is_inside());
        if until.is_some_and(|until| past(w.now, until)) {
            self.framing.give_up();
        }
        // Handles input that the framing holds, and that waited for room or for a guest.
        self.feed_frames(w, &[]);
        let until = self.framing.until().copied();
        until.filter(|_| self.framing.is_inside())
    }

    fn note_frame_time(&mut self, w: &World<'_>) {
        if let Some(until) = self.framing.until() {
            *until = after(w.now, FRAME_PAUSE);
        }
    }

    /// Handles a broken frame: bytes are missing, and their socket is unknown.
    fn frame_broken(&mut self, w: &mut World<'_>) {
        warn!("a frame is broken");
        self.push_forget();
        for slot in &mut w.slots {
            if slot.push && slot.in_modem && matches!(slot.phase, Phase::Open | Phase::Opening) {
                slot.rx.discard();
                slot.lose(Loss::Grammar);
            }
        }
        w.loss = Some(Loss::Grammar);
        // The line under way may lack a part, so it is dropped.
        self.framer.reset();
        self.lose_track(w);
    }

    /// Begins a step that sends payload in frames, without a command and an answer.
    pub(super) fn begin_frames(&mut self, w: &mut World<'_>, step: &Step<M>) {
        self.flags = step.flags;
        self.answer_len = 0;
        self.overflowed = false;
        self.ring_sent = 0;
        self.in_flight = 0;
        self.closed = false;
        self.data_at = w.now;
        self.timeout = Ms::from(step.limit) * 100;
        self.left = w.len.into();
        w.ended = None;
        w.counters.exchanges = w.counters.exchanges.wrapping_add(1);
        self.submit(0);
        self.progress(w);
        self.stage = Stage::Data;
        if self.left == 0 {
            self.data_is_out(w);
        }
    }

    /// Returns whether the running step sends payload in frames, independent of any line.
    pub(super) fn sends_frames(&self) -> bool {
        M::Framing::FRAMES && self.stage == Stage::Data && self.flags & DECIDES != 0
    }

    /// Returns the number of bytes that may be sent now.
    fn content_left(&self, w: &World<'_>) -> usize {
        if self.is_before_upload(w) {
            return 0;
        }
        if self.out_sent < self.out_len {
            return self.out_len - self.out_sent;
        }
        if self.stage != Stage::Data || !self.sends_from_ring() || !past(w.now, self.data_at) {
            return 0;
        }
        let left = usize::from(w.len) - self.ring_sent;
        if self.flags & Self::HEXES == 0 {
            left
        } else {
            2 * left
        }
    }

    pub(super) fn next_framed(&mut self, w: &mut World<'_>, into: &mut [u8]) -> usize {
        let left = self.content_left(w);
        if left == 0 && !self.framing.is_open() {
            return 0;
        }
        // Bytes in `out` are always text.
        let channel = (self.sends_frames() && self.out_sent >= self.out_len).then_some(w.id);
        let (head, room) = self.framing.head(channel, left, into);
        let end = into.len().min(head + room);
        self.counted = self.stage == Stage::Data;
        self.in_flight = 0;
        let content = into.get_mut(head..end).unwrap_or(&mut []);
        let count = if content.is_empty() {
            0
        } else {
            self.content(w, content)
        };
        let behind = into.get_mut(head + count..).unwrap_or(&mut []);
        head + count + self.framing.tail(count, behind)
    }
}

/// Returns the earlier of two optional times.
pub(super) fn soonest(now: Ms, a: Option<Ms>, b: Option<Ms>) -> Option<Ms> {
    match (a, b) {
        (Some(a), Some(b)) => Some(sooner(now, a, b)),
        (a, b) => a.or(b),
    }
}
