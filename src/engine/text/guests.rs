//! The engine's side of a guest's exchange, see [`Mailbox`](super::super::mailbox::Mailbox).

use super::super::mailbox::{ExchangeState, Plan};
use super::super::time::{Ms, after, past};
use super::super::world::World;
use super::{Engine, GUEST_PATIENCE, Stage};
use crate::at::framing::Framing;
use crate::engine::backend::{Final, Modem, StepFlags};
use crate::error::AtError;
use zeroize::Zeroize;

/// The time limit for a guest to fetch its result, after which the next guest gets the channel.
const RESULT_PATIENCE: Ms = 5000;

// These flags use the bits that those of a step leave free, see `StepFlags`.
/// The exchange belongs to a guest.
pub(super) const GUEST: StepFlags = 256;
/// Information lines are handed to the guest one by one.
pub(super) const GUEST_LINES: StepFlags = 512;
/// Payload of the answer is collected.
pub(super) const GUEST_FETCHES: StepFlags = 1024;
/// The guest's bytes follow after `CONNECT`, or after the upload prompt.
pub(super) const GUEST_UPLOADS: StepFlags = 2048;
/// The guest's bytes follow inside the command line.
pub(super) const GUEST_QUOTES: StepFlags = 4096;
/// A user typed the line.
pub(super) const GUEST_RAW: StepFlags = 8192;
/// Long information lines come in pieces.
pub(super) const GUEST_PIECES: StepFlags = 16384;

impl<M: Modem> Engine<M> {
    pub(super) fn is_guest(&self) -> bool {
        self.flags & Self::GUEST != 0
    }

    /// Grants the channel to the guest, which may then leave its command.
    pub(super) fn grant(&mut self, w: &mut World<'_>) {
        self.guest_until = after(w.now, GUEST_PATIENCE);
        w.mailbox.set(ExchangeState::Granted);
    }

    /// Returns the buffer for the guest's command.
    pub(crate) fn out(&mut self) -> &mut [u8] {
        &mut self.out
    }

    /// Begins the exchange of a guest that has written `len` bytes of command to [`out`](Self::out).
    ///
    /// # Errors
    /// [`AtError::TooLong`] where the command does not fit, [`AtError::Unsupported`] where this modem has no such exchange.
    pub(crate) fn begin_guest(
        &mut self,
        w: &mut World<'_>,
        len: usize,
        plan: Plan,
        timeout: Ms,
    ) -> Result<(), AtError> {
        let line = self.out.get(..len).ok_or(AtError::TooLong)?;
        // Commands of `atat` end with CR, which stands for the terminator of this modem.
        let len = line.strip_suffix(b"\r").map_or(len, <[u8]>::len);
        self.fetch_limit = 0;
        let flags = match plan {
            Plan::Collect => 0,
            Plan::Lines => GUEST_LINES,
            Plan::Pieces => GUEST_LINES | GUEST_PIECES,
            Plan::Raw => GUEST_LINES | GUEST_RAW,
            Plan::Fetch(most) => {
                self.fetch_limit = most;
                GUEST_FETCHES
            }
            Plan::Upload(bytes) => {
                self.fetch_limit = bytes;
                GUEST_LINES | GUEST_UPLOADS
            }
            Plan::Quoted(bytes) => {
                self.fetch_limit = bytes;
                GUEST_LINES | GUEST_QUOTES
            }
        };
        self.begin(w, len, GUEST | flags, timeout)?;
        self.framer
            .want_pieces(self.wants_pieces() || self.awaits_echo());
        w.mailbox.post = ExchangeState::Running;
        w.wake_runner();
        Ok(())
    }

    /// Returns whether long information lines are handed to the guest in pieces.
    pub(super) fn wants_pieces(&self) -> bool {
        M::GUESTS && self.flags & GUEST_PIECES != 0
    }

    /// Returns whether the guest's upload takes bytes now. An upload of `nothing` is past its payload at once.
    pub(crate) fn takes_bytes(&self, nothing: bool) -> bool {
        self.stage == Stage::Data || (nothing && self.stage == Stage::Line)
    }

    /// Returns whether the pause between the upload prompt and the first byte is under way.
    pub(super) fn is_before_upload(&self, w: &World<'_>) -> bool {
        M::UPLOAD_PAUSE > 0
            && self.flags & GUEST_UPLOADS != 0
            && self.stage == Stage::Data
            && !past(w.now, self.data_at)
    }

    pub(crate) fn hand_over(&mut self, bytes: &[u8]) -> Result<(), AtError> {
        if self.stage != Stage::Data || self.left < bytes.len() {
            return Err(AtError::Garbled);
        }
        // The command stays in the buffer where its echo is compared with it.
        let from = usize::from(self.framing.echo().text);
        let end = from + bytes.len();
        let room = self.out.get_mut(from..end).ok_or(AtError::TooLong)?;
        room.copy_from_slice(bytes);
        self.submit(end);
        (self.out_sent, self.out_given) = (from, from);
        Ok(())
    }

    /// Ends the content of a guest's argument, which may be shorter than announced: only the closing quote and the
    /// terminator are left. Base64 has no closing quote, and keeps its announced length; bytes whose
    /// number the line has told need nothing behind them. Returns whether the guest's
    /// bytes stand inside the command line.
    pub(crate) fn close_quote(&mut self, terminator: &[u8]) -> bool {
        if self.flags & GUEST_QUOTES == 0 || Self::COUNTED {
            return false;
        }
        if self.stage == Stage::Data && !Self::BASE64 {
            self.left = 1 + terminator.len();
        }
        true
    }

    /// Returns the line that waits for the guest.
    pub(crate) fn line_for_guest(&self) -> &[u8] {
        self.framer.line()
    }

    /// Returns the collected answer; `None` where it was too long.
    pub(crate) fn answer(&self) -> Option<&[u8]> {
        self.answer
            .get(..self.answer_len)
            .filter(|_| !self.overflowed)
    }

    /// Wipes the collected answer from memory.
    pub(crate) fn wipe_answer(&mut self) {
        self.answer.zeroize();
        self.answer_len = 0;
    }

    /// Wipes the last chunk of an upload from memory.
    pub(crate) fn wipe_upload(&mut self) {
        if self.flags & (GUEST_UPLOADS | GUEST_QUOTES) != 0 && self.stage == Stage::Idle {
            self.out.zeroize();
        }
    }

    pub(super) fn guest_ended(&mut self, w: &mut World<'_>, end: Result<(), AtError>) {
        self.framer.want_pieces(false);
        self.line_waits = false;
        let end = match end {
            Ok(()) => Ok(Final::Ok),
            Err(AtError::Refused(code)) => Ok(Final::Error(code)),
            Err(error) => Err(error),
        };
        self.tell_guest(w, end);
    }

    /// Ends the guest's exchange with an error.
    pub(super) fn guest_failed(&mut self, w: &mut World<'_>, error: AtError) {
        if self.flags & Self::GUEST != 0 {
            self.guest_ended(w, Err(error));
        }
    }

    fn tell_guest(&mut self, w: &mut World<'_>, end: Result<Final, AtError>) {
        match w.mailbox.post {
            ExchangeState::Running | ExchangeState::Line => {
                self.guest_until = after(w.now, RESULT_PATIENCE);
                w.mailbox.set(ExchangeState::Done(end));
            }
            ExchangeState::Left => {
                if self.flags & (GUEST_UPLOADS | GUEST_QUOTES) != 0 {
                    self.out.zeroize();
                    w.cleanup = true;
                }
                w.free_channel();
            }
            _ => {}
        }
    }

    /// Brings the exchange of a guest to an end that was dropped in the middle. Returns whether there was something to do.
    pub(super) fn left_alone(&mut self, w: &mut World<'_>) -> bool {
        if self.stage != Stage::Data || !self.drained() {
            return false;
        }
        if self.flags & GUEST_UPLOADS != 0 || Self::COUNTED {
            // The announced number of bytes is completed with filler.
            self.filler(b'\n');
        } else {
            self.give_up(w, AtError::Garbled);
        }
        true
    }
}
