//! Frames below the lines, for modems that have them: nothing here is linked for one that has none.
//!
//! Text of frames goes to the line framer as if it had come by itself. Data of a channel goes into the ring of
//! the socket whose id the channel is: staged, and committed when its frame has ended as it should. A frame
//! that is broken may have been anybody's, so that no socket whose data comes in frames outlives it.

use super::super::mailbox::ExchangeState;
use super::super::slot::Phase;
use super::super::time::{Ms, after, past, sooner};
use super::super::world::{PowerState, World};
use super::{Engine, Stage};
use crate::at::framing::{Framing, Unit};
use crate::engine::backend::{DECIDES, Modem, Step, Urc};
use crate::loss::Loss;

/// A frame comes without pauses, but for those of flow control.
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
                    let taken = self.feed_text(w, part);
                    self.framing.consume(&mut input, taken);
                    if taken < part.len() {
                        break;
                    }
                }
                Unit::Begin { channel } => self.push_frame(w, channel),
                Unit::Data(part) => {
                    let count = part.len().min(self.push_room(w));
                    if count == 0 {
                        break;
                    }
                    self.push_part(w, &part[..count]);
                    self.framing.consume(&mut input, count);
                }
                Unit::End => self.push_commit(w),
                Unit::Event => {
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

    /// Looks at the time; returns when to look again, if a frame is under way.
    pub(super) fn tick_frames(&mut self, w: &mut World<'_>) -> Option<Ms> {
        if self.line_waits || self.push_room(w) == 0 {
            // It is the UART that is not read.
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
        // Also what waited for room, or for a guest, and is not the UART's any more.
        self.feed_frames(w, &[]);
        let until = self.framing.until().copied();
        until.filter(|_| self.framing.is_inside())
    }

    fn note_frame_time(&mut self, w: &World<'_>) {
        if let Some(until) = self.framing.until() {
            *until = after(w.now, FRAME_PAUSE);
        }
    }

    /// Bytes are missing, nobody knows whose.
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
        // A line that lacks its middle is none.
        self.framer.reset();
        self.lose_track(w);
    }

    /// Begins a step that sends in frames: there is no command, and no answer.
    pub(super) fn begin_frames(&mut self, w: &mut World<'_>, step: &Step<M>) {
        self.way = step.way;
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

    /// What is going out goes to a channel: no line has to do with it.
    pub(super) fn sends_frames(&self) -> bool {
        M::Framing::FRAMES && self.stage == Stage::Data && self.way & DECIDES != 0
    }

    /// How much may go out now.
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
        if self.way & Self::HEXES == 0 {
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
        // What is in `out` is text, whatever went before.
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

/// The sooner of two times that there may be.
pub(super) fn soonest(now: Ms, a: Option<Ms>, b: Option<Ms>) -> Option<Ms> {
    match (a, b) {
        (Some(a), Some(b)) => Some(sooner(now, a, b)),
        (a, b) => a.or(b),
    }
}
