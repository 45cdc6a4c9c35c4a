//! Payload that an exchange sends: after a prompt, in the line, by announced length, and in data mode, with its end.

use super::super::time::{Ms, after};
use super::super::world::World;
use super::{Engine, Stage};
use crate::at::framing::Framing;
use crate::engine::backend::{Modem, SENDS, Waits};

/// The time limit for the final result of a counted send, after which the engine sends `+++`. It leaves a slow network
/// time for the send, since the result after `+++` cannot be trusted, and ends the connection.
const COUNTED_PATIENCE: Ms = 10_000;
/// The characters that a modem prints when it ends data mode by itself. No line end follows, and the modem waits for a
/// `+++` of the host (nrf9160 sheet, 3.1).
pub(super) const HANG_UP: &[u8] = b"+++";
/// The time, after a modem has ended data mode by itself, for each attempt to get it to line mode: the announced number
/// of bytes is completed with filler, then `+++` is sent again.
const HANG_UP_PATIENCE: Ms = 1000;
/// The time limit of all these attempts, after which the channel is synchronised.
const HANG_UP_LIMIT: Ms = 8000;

impl<M: Modem> Engine<M> {
    pub(super) fn prompt(&mut self, w: &mut World<'_>) {
        match self.stage {
            Stage::Prompt if self.flags & SENDS != 0 => {
                self.data(w, w.len.into(), M::PROMPT_PAUSE);
            }
            Stage::Prompt
                if M::UPLOAD_PROMPT.is_some() && self.flags & Self::GUEST_UPLOADS != 0 =>
            {
                self.data(w, self.fetch_limit, M::UPLOAD_PAUSE);
            }
            Stage::Line if self.flags & Self::GUEST_RAW != 0 => self.violation_in(w, Waits::Prompt),
            _ => {}
        }
    }

    /// Begins the payload of an exchange: the modem takes `left` raw bytes, after a pause in milliseconds.
    pub(super) fn data(&mut self, w: &mut World<'_>, left: usize, pause: u16) {
        w.prompted = true;
        self.progress(w);
        self.left = left;
        self.data_at = after(w.now, pause.into());
        self.stage = Stage::Data;
        if left == 0 {
            self.data_is_out(w);
        }
        if M::GUESTS {
            w.mailbox.waker.wake();
        }
    }

    /// Goes on after payload, all of which was sent.
    pub(super) fn data_is_out(&mut self, w: &mut World<'_>) {
        if self.sends_frames() {
            self.ended(w, Ok(()));
        } else if self.is_in_line_step() && !self.closed {
            self.closed = true;
            self.end_line(w.terminator.bytes());
        } else if self.flags & Self::QUOTES != 0 && !self.closed && !Self::COUNTED {
            self.closed = true;
            let end = w.terminator.bytes();
            self.out[0] = b'"';
            self.out[1..1 + end.len()].copy_from_slice(end);
            self.left = 1 + end.len();
            self.submit(self.left);
        } else if self.flags & Self::PIPES != 0 {
            self.stage = Stage::Silence;
            self.data_at = after(w.now, w.silence.1.into());
        } else {
            self.stage = Stage::Line;
            self.data_at = after(w.now, COUNTED_PATIENCE);
        }
    }

    /// Ends a line whose rest was payload. The command stays in the buffer, because its echo is compared with it.
    fn end_line(&mut self, end: &[u8]) {
        let text = usize::from(self.framing.echo().text);
        let behind = text + end.len();
        if let Some(room) = self.out.get_mut(text..behind) {
            room.copy_from_slice(end);
            self.left = end.len();
            self.submit(behind);
            (self.out_sent, self.out_given) = (text, text);
        }
    }

    /// Sends `+++` to end data mode. The next final result confirms it.
    pub(super) fn leave_data_mode(&mut self, w: &mut World<'_>) {
        self.stage = Stage::Line;
        self.escape(w);
        self.progress(w);
    }

    pub(super) fn escape(&mut self, w: &mut World<'_>) {
        self.out[..3].copy_from_slice(HANG_UP);
        self.submit(3);
        #[cfg(feature = "tap")]
        {
            self.out_class = crate::tap::Sent::Filler;
        }
        w.escapes = w.escapes.saturating_add(1);
        self.data_at = after(w.now, w.escape_pause.into());
    }

    /// Returns whether the running exchange is in data mode, or has asked to leave it.
    pub(super) fn is_in_data_mode(&self) -> bool {
        self.flags & (Self::COUNTS | Self::PIPES) != 0
            && matches!(self.stage, Stage::Data | Stage::Line | Stage::Silence)
    }

    /// Returns whether the unfinished line is [`HANG_UP`]: the modem ends data mode by itself. In data mode it says
    /// nothing else.
    pub(super) fn hears_hang_up(&self) -> bool {
        self.is_in_data_mode() && self.framer.unfinished() == HANG_UP
    }

    /// Handles a modem that has ended data mode by itself: it drops payload, and waits for `+++`.
    ///
    /// Some firmware has forgotten the announced number of bytes then. Other firmware goes on counting, and takes the
    /// `+++` as three bytes of payload.
    pub(super) fn hung_up(&mut self, w: &mut World<'_>) {
        if w.escapes > 0 {
            return;
        }
        warn!("the modem ends data mode by itself");
        let counts = self.flags & Self::COUNTS != 0 && self.stage == Stage::Data;
        self.left = if counts {
            self.left.saturating_sub(HANG_UP.len())
        } else {
            0
        };
        self.stage = Stage::Line;
        self.escape(w);
        self.data_at = after(w.now, HANG_UP_PATIENCE);
        self.deadline = after(w.now, HANG_UP_LIMIT);
    }

    /// Repeats the attempt to end data mode where the modem has not confirmed it: completes the announced number of bytes,
    /// or sends `+++` again, since a byte of it may have been lost. A modem that has left data mode ignores both (nrf9160
    /// sheet, 3.1, 3.2).
    pub(super) fn insist(&mut self, w: &mut World<'_>) {
        if !self.drained() {
            self.data_at = after(w.now, HANG_UP_PATIENCE);
        } else if w.escapes > 0 && self.left > 0 {
            self.filler(b' ');
            self.left -= self.out_len;
            self.data_at = after(w.now, HANG_UP_PATIENCE);
        } else if w.escapes == 0 {
            self.leave_data_mode(w);
        } else {
            self.escape(w);
        }
    }
}
