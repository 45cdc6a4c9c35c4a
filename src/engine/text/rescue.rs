//! The way back to a channel where the next line is a command and no answer is outstanding.

use super::super::time::{Ms, after};
use super::super::world::{Heard, Link, PowerState, World};
use super::{Engine, Stage};
use crate::at::Out;
use crate::engine::backend::{Abort, FETCHES, Final, InLine, Line, Modem, Then, Waits};
use crate::error::AtError;
use crate::loss::Loss;

/// The modem answers a query within 300 ms; three tries in case the first ones met a late answer.
const SYNC_PATIENCE: Ms = 1000;
const SYNC_TRIES: u8 = 3;
/// Silence before and behind `+++`: at least 1 s (bg96 sheet, 4.7), and a UART may be slow.
const ESCAPE_GUARD: Ms = 1100;
/// The longest line that a modem keeps, and more (nrf9160 sheet, 1.4: 4095).
const LINE_BUFFER: usize = 4096;
const BACKSPACE: u8 = 8;
const QUOTE_PAUSE: Ms = 100;
/// A line that is refused is answered at once.
const SPOIL_PAUSE: Ms = 100;
/// A parser that counts deleted quotes is where another one was after the first time.
const QUOTE_TRIES: u8 = 2;

/// What is being done about a channel that is out of step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rescue {
    Off,
    /// Line ends until what was announced is complete.
    Fill,
    /// The silence before `+++`,
    Before,
    /// and behind it.
    Behind,
    /// Backspaces, until the modem's line is empty,
    Erase,
    /// the quote that closes, deleted as well, and the end of the line,
    CloseQuote,
    /// an `ERROR`, or nothing.
    QuotePause,
    /// What ends a line that may have been begun, and its answer,
    Spoil,
    /// The synchronising query was sent.
    Mark,
}

/// What has been heard of the synchronising query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SyncProgress {
    /// Answers are taken as they come.
    InStep,
    /// The marker command is out: everything is skipped until its answer.
    Waiting,
    /// Its answer has come, its result not yet.
    Answered,
    /// Its result has come as well.
    Done,
}

impl<M: Modem> Engine<M> {
    /// The exchange is not to be continued.
    pub(super) fn give_up(&mut self, w: &mut World<'_>, error: AtError) {
        self.give_up_in(w, error, self.waits());
    }

    pub(super) fn give_up_in(&mut self, w: &mut World<'_>, error: AtError, waits: Waits) {
        if w.link != Link::Up && !w.answers {
            // Bring-up asks as long as it takes, and synchronises once it is answered.
            self.framer.reset();
            self.out_sent = self.out_len;
            self.line_mode = false;
            return self.ended(w, Err(error));
        }
        warn!("giving up an exchange");
        // What has come so far was no way back either.
        w.heard = Heard::Nothing;
        if self.way & FETCHES != 0 {
            self.late_payload = self.encoded(w.len.into());
        } else if self.way & Self::GUEST_FETCHES != 0 {
            self.late_payload = self.fetch_limit;
        }
        w.counters.resyncs = w.counters.resyncs.wrapping_add(1);
        self.syncing = SyncProgress::Waiting;
        self.given_up = Some(error);
        self.step_waits = self.stage != Stage::Idle && !self.is_guest();
        self.mark_after = true;
        // Who is concerned need not wait for the rescue.
        self.guest_failed(w, error);
        self.socket_failed(w, error);
        match M::abort(waits) {
            Abort::Restart => self.no_way_back(w),
            Abort::Filler => {
                if waits == Waits::Prompt {
                    // What asks for it may have been lost.
                    self.left = if self.is_guest() {
                        self.fetch_limit
                    } else {
                        w.len.into()
                    };
                }
                self.fill(w, b'\n');
            }
            Abort::Escape => self.quiet(w, Rescue::Before),
            Abort::Quote if M::SENDS_WITHOUT_PROMPT => {
                self.quotes_left = 0;
                self.erase(w);
            }
            Abort::Quote | Abort::Synchronise => self.mark(w),
        }
    }

    /// A flow wants it.
    pub(super) fn rescue_for_flow(&mut self, w: &mut World<'_>, then: Then) {
        self.given_up = None;
        self.mark_after = false;
        match then {
            Then::Escape if !self.line_mode => self.quiet(w, Rescue::Before),
            Then::Fill => {
                self.left = w.fill.1.into();
                self.fill(w, w.fill.0);
            }
            Then::Unquote if M::SENDS_WITHOUT_PROMPT => {
                self.quotes_left = 0;
                self.mark_after = true;
                self.syncing = SyncProgress::Waiting;
                self.erase(w);
            }
            Then::Synchronise | Then::Unquote => {
                self.answered_late = false;
                self.mark(w);
            }
            _ => self.rescue_over(w, Ok(())),
        }
    }

    fn fill(&mut self, w: &World<'_>, byte: u8) {
        self.rescue = Rescue::Fill;
        self.stage = Stage::Line;
        self.filler(byte);
        self.left -= self.out_len;
        self.deadline = after(w.now, SYNC_PATIENCE);
    }

    fn quiet(&mut self, w: &World<'_>, rescue: Rescue) {
        self.rescue = rescue;
        self.deadline = after(w.now, ESCAPE_GUARD);
    }

    /// Gets out of a quoted argument without completing the line that it is in, which would store what came
    /// of it so far: deletes the line, backspace by backspace, and closes the quote with one that is deleted
    /// too. A parser that counts deleted quotes is then where the other one was, so that it is done twice
    /// (nrf9160 sheet, 1.4).
    fn erase(&mut self, w: &World<'_>) {
        self.left = LINE_BUFFER;
        self.quotes_left += 1;
        self.erase_more(w);
    }

    fn erase_more(&mut self, w: &World<'_>) {
        self.rescue = Rescue::Erase;
        self.stage = Stage::Line;
        self.filler(BACKSPACE);
        self.left -= self.out_len;
        self.deadline = after(w.now, SYNC_PATIENCE);
    }

    fn close_deleted_quote(&mut self, w: &World<'_>) {
        self.rescue = Rescue::CloseQuote;
        let end = w.terminator.bytes();
        self.out[..2].copy_from_slice(&[b'"', BACKSPACE]);
        self.out[2..2 + end.len()].copy_from_slice(end);
        self.submit(2 + end.len());
        self.deadline = after(w.now, SYNC_PATIENCE);
    }

    /// Sends the synchronising query; everything up to its answer is skipped.
    fn mark(&mut self, w: &mut World<'_>) {
        if !matches!(self.rescue, Rescue::Mark | Rescue::Spoil) {
            (self.marks, self.due) = (0, 0);
        }
        let InLine::Base64 { spoils } = M::IN_LINE else {
            return self.query(w);
        };
        // What was said before may be a part of a line, and the query would be the rest of its payload. Such a modem
        // does not listen while it answers.
        self.rescue = Rescue::Spoil;
        self.stage = Stage::Line;
        self.syncing = SyncProgress::Waiting;
        let mut out = Out {
            buf: &mut self.out,
            len: 0,
        };
        out.bytes(spoils.as_bytes());
        out.bytes(w.terminator.bytes());
        let len = out.len;
        self.submit(len);
        self.deadline = after(w.now, SPOIL_PAUSE);
    }

    fn query(&mut self, w: &mut World<'_>) {
        self.rescue = Rescue::Mark;
        if self.framer.payload_left() == 0 || self.marks > 0 {
            self.framer.reset();
        }
        self.marks += 1;
        self.due += 1;
        self.syncing = SyncProgress::Waiting;
        let command = M::SYNC.command.as_bytes();
        self.out[..command.len()].copy_from_slice(command);
        // It fits: backends' queries are some ten bytes long.
        let _ = self.begin(w, command.len(), 0, SYNC_PATIENCE);
    }

    /// Goes on with the rescue; returns whether there was something to do.
    pub(super) fn rescue(&mut self, w: &mut World<'_>) -> bool {
        let over = self.is_over(w);
        let stuck = over && !self.drained();
        match self.rescue {
            Rescue::Off => return false,
            Rescue::Fill if self.drained() && self.left > 0 => {
                let byte = self.out[0];
                self.fill(w, byte);
            }
            Rescue::Fill if self.drained() || over => self.done(w),
            Rescue::Before if over => {
                self.out[..3].copy_from_slice(b"+++");
                self.submit(3);
                self.quiet(w, Rescue::Behind);
            }
            Rescue::Behind if over => self.done(w),
            // Without quotes, the ways out of them are not linked.
            Rescue::Erase | Rescue::CloseQuote | Rescue::QuotePause if !M::SENDS_WITHOUT_PROMPT => {
                self.mark(w)
            }
            Rescue::Erase if stuck => self.no_way_back(w),
            Rescue::Erase if self.drained() && self.left > 0 => self.erase_more(w),
            Rescue::Erase if self.drained() => self.close_deleted_quote(w),
            Rescue::CloseQuote if stuck => self.no_way_back(w),
            Rescue::CloseQuote if self.drained() => {
                self.rescue = Rescue::QuotePause;
                self.deadline = after(w.now, QUOTE_PAUSE);
            }
            Rescue::QuotePause if over => self.mark(w),
            Rescue::Spoil if Self::BASE64 && over => self.query(w),
            Rescue::Mark if self.syncing == SyncProgress::Done => {
                self.due -= 1;
                self.syncing = SyncProgress::Waiting;
                self.deadline = after(w.now, SYNC_PATIENCE);
                // It may answer the earlier ones as well, and those answers are nobody's.
                if self.due == 0 {
                    self.synchronised(w);
                }
            }
            Rescue::Mark if over && self.due < self.marks => self.synchronised(w),
            Rescue::Mark if over && self.marks < SYNC_TRIES => self.mark(w),
            // It has answered nothing, so that it may be in the quotes still.
            Rescue::Mark
                if over
                    && M::SENDS_WITHOUT_PROMPT
                    && (1..QUOTE_TRIES).contains(&self.quotes_left) =>
            {
                self.erase(w)
            }
            Rescue::Mark if over => self.no_way_back(w),
            _ => return false,
        }
        true
    }

    /// What a rescue sends is out.
    fn done(&mut self, w: &mut World<'_>) {
        self.out_sent = self.out_len;
        self.rescue = Rescue::Off;
        self.stage = Stage::Idle;
        if self.mark_after {
            self.mark(w);
        } else {
            self.rescue_over(w, Ok(()));
        }
    }

    fn synchronised(&mut self, w: &mut World<'_>) {
        self.rescue_off();
        self.line_mode = true;
        self.quotes_left = 0;
        if core::mem::take(&mut self.answered_late) && self.given_up.is_none() {
            self.doubt_sent(w);
        }
        match self.given_up.take() {
            Some(error) => {
                w.ask_all();
                self.parked_missed();
                self.step_given_up(w, error);
            }
            None => self.rescue_over(w, Ok(())),
        }
    }

    /// The modem does not answer.
    fn no_way_back(&mut self, w: &mut World<'_>) {
        self.rescue_off();
        self.line_mode = false;
        self.quotes_left = 0;
        let given_up = self.given_up.take();
        if w.link == Link::Up {
            warn!("the modem does not answer");
            w.loss = Some(w.silence_loss());
            self.down(w, PowerState::Awake);
            return;
        }
        w.answers = false;
        w.next_generation();
        if let Some(error) = given_up {
            self.step_given_up(w, error);
        } else {
            self.rescue_over(w, Err(AtError::Timeout));
        }
    }

    /// The step that the exchange was of, if it was one's, is told.
    fn step_given_up(&mut self, w: &mut World<'_>, error: AtError) {
        self.way &= !Self::GUEST;
        if core::mem::take(&mut self.step_waits) {
            self.ended(w, Err(error));
        }
    }

    fn rescue_off(&mut self) {
        self.rescue = Rescue::Off;
        self.syncing = SyncProgress::InStep;
        self.stage = Stage::Idle;
        self.out_sent = self.out_len;
        self.private = false;
    }

    /// A line while everything is skipped.
    pub(super) fn line_while_syncing(&mut self, kind: Line) {
        match (self.syncing, kind) {
            (SyncProgress::Waiting, Line::Info)
                if self.framer.line().starts_with(M::SYNC.answer.as_bytes()) =>
            {
                self.syncing = SyncProgress::Answered;
            }
            (SyncProgress::Answered, Line::Final(Final::Ok)) => self.syncing = SyncProgress::Done,
            (_, Line::Payload(count)) => self.late_header(count, false),
            (SyncProgress::Waiting, Line::Final(_)) => self.answered_late = true,
            _ => {}
        }
    }

    /// The header of an answer that nobody waits for any more.
    pub(super) fn late_header(&mut self, count: u16, in_line: bool) {
        if usize::from(count) <= self.late_payload {
            // Late payload is counted, never searched.
            self.answered_late = true;
            self.late_payload = 0;
            self.expect_payload(count.into(), in_line);
        } else if self.syncing == SyncProgress::Waiting {
            self.answered_late = true;
        }
    }

    /// The modem has said that it restarted, or goes to sleep.
    pub(super) fn restarted(&mut self, w: &mut World<'_>, power: PowerState) {
        w.restarted = power == PowerState::Awake;
        w.loss = Some(if power == PowerState::Awake {
            Loss::Restart
        } else {
            Loss::PowerSaving
        });
        // Its next life begins in line mode.
        self.line_mode = true;
        if w.link == Link::Up {
            return self.down(w, power);
        }
        w.answers = false;
        w.next_generation();
        self.rescue_aborted(w);
        if power == PowerState::Saving && w.power == PowerState::Awake {
            w.power = power;
        }
    }

    /// What a bring-up was about ends with the life of the modem that it was about.
    fn rescue_aborted(&mut self, w: &mut World<'_>) {
        let (busy, rescue) = (self.stage != Stage::Idle, self.rescue);
        let given_up = self.given_up.take();
        self.rescue_off();
        self.quotes_left = 0;
        self.framer.arm_prompt(None);
        self.push_forget();
        self.guest_failed(w, AtError::ModemReset);
        if rescue != Rescue::Off && given_up.is_none() {
            self.rescue_over(w, Err(AtError::ModemReset));
        } else if given_up.is_some() {
            self.step_given_up(w, AtError::ModemReset);
        } else if busy && !self.is_guest() {
            self.ended(w, Err(AtError::ModemReset));
        }
    }

    /// Whatever was known of the modem is void: it is brought up anew, or left alone.
    pub(crate) fn down(&mut self, w: &mut World<'_>, power: PowerState) {
        w.next_generation();
        w.counters.restarts = w.counters.restarts.wrapping_add(1);
        self.rescue_off();
        self.quotes_left = 0;
        self.given_up = None;
        self.step_waits = false;
        self.answered_late = false;
        self.framer.arm_prompt(None);
        self.tail_ends = 0;
        self.line_waits = false;
        self.last_sent = None;
        self.last_fetched = None;
        self.push_forget();
        self.guest_failed(w, AtError::ModemReset);
        self.way = 0;
        self.drop_flows(w);
        w.link_is_down(power);
    }
}
