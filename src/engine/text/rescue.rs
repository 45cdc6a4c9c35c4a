//! The rescue of a channel that is out of step: it brings the modem back to where it takes a command line and no answer
//! is outstanding.

use super::super::time::{Ms, after};
use super::super::world::{Heard, Link, PowerState, World};
use super::{Engine, Stage};
use crate::at::Out;
use crate::engine::backend::{Abort, FETCHES, Final, InLine, Line, Modem, Then, Waits};
use crate::error::AtError;
use crate::loss::Loss;

/// The time limit of the synchronising query; modems answer a query within 300 ms.
const SYNC_PATIENCE: Ms = 1000;
/// The number of synchronising queries, in case the first ones meet a late answer.
const SYNC_TRIES: u8 = 3;
/// The number of times in a row that a lost fetch is asked again.
const FETCHES_AGAIN: u8 = 2;
/// The silence before and after `+++`: at least 1 s (bg96 sheet, 4.7), and more for a slow UART.
const ESCAPE_GUARD: Ms = 1100;
/// The number of backspaces that empties any modem's line buffer (nrf9160 sheet, 1.4: 4095 characters).
const LINE_BUFFER: usize = 4096;
const BACKSPACE: u8 = 8;
const QUOTE_PAUSE: Ms = 100;
/// The time for the modem to refuse a spoilt line, which it does at once.
const SPOIL_PAUSE: Ms = 100;
/// The number of times to get out of a quoted argument: two, for parsers that count deleted quotes.
const QUOTE_TRIES: u8 = 2;

/// The stage of a rescue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rescue {
    /// No rescue is under way.
    Off,
    /// Filler is being sent until the announced number of bytes is complete.
    Fill,
    /// The silence before `+++`.
    Before,
    /// The silence after `+++`.
    Behind,
    /// Backspaces are being sent until the modem's line buffer is empty.
    Erase,
    /// A closing quote, a backspace that deletes it, and the end of the line are being sent.
    CloseQuote,
    /// The pause after the closing quote, in which the modem may answer `ERROR`.
    QuotePause,
    /// The characters that spoil a line which may have been begun were sent, and the modem may refuse it.
    Spoil,
    /// The synchronising query was sent.
    Mark,
}

/// The progress of the synchronising query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SyncProgress {
    /// The channel is in step: answers belong to the running command.
    InStep,
    /// The channel is out of step, and everything is skipped until the answer to the query.
    Waiting,
    /// The answer to the query has come, and its final result has not.
    Answered,
    /// The final result of the query has come.
    Done,
}

impl<M: Modem> Engine<M> {
    /// Gives the running exchange up, and begins the rescue.
    pub(super) fn give_up(&mut self, w: &mut World<'_>, error: AtError) {
        self.give_up_in(w, error, self.waits());
    }

    /// Gives the running exchange up, where the modem waits for this input, and begins the rescue.
    pub(super) fn give_up_in(&mut self, w: &mut World<'_>, error: AtError, waits: Waits) {
        if w.link != Link::Up && !w.answers {
            // Bring-up repeats its query until the modem answers, and then synchronises.
            self.framer.reset();
            self.out_sent = self.out_len;
            self.line_mode = false;
            return self.ended(w, Err(error));
        }
        warn!("giving up an exchange");
        let abort = M::abort(waits);
        if abort != Abort::Restart {
            // Only input from now on shows why the rescue may fail.
            w.heard = Heard::Nothing;
        }
        if self.flags & FETCHES != 0 {
            self.late_payload = self.encoded(w.len.into());
        } else if self.flags & Self::GUEST_FETCHES != 0 {
            self.late_payload = self.fetch_limit;
        }
        w.counters.resyncs = w.counters.resyncs.wrapping_add(1);
        self.syncing = SyncProgress::Waiting;
        self.given_up = Some(error);
        self.step_waits = self.stage != Stage::Idle && !self.is_guest();
        self.mark_after = true;
        self.repeats = M::FETCH_PATIENCE > 0
            && error == AtError::Timeout
            && self.unanswered
            && !self.framer.is_amid_line()
            && self.repeated < FETCHES_AGAIN;
        // Guest and socket get their error at once, and need not wait for the rescue.
        self.guest_failed(w, error);
        if self.repeats {
            self.answered_late = false;
        } else {
            self.socket_failed(w, error);
        }
        match abort {
            Abort::Restart => self.no_way_back(w),
            Abort::Filler => {
                if waits == Waits::Prompt {
                    // The modem's prompt may have been lost, so it may wait for all of the payload.
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

    /// Begins the part of a rescue that a judge has asked for.
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

    /// Gets the modem out of a quoted argument without completing its line, which would store what has come so far:
    /// deletes the line by backspaces, then closes the quote with a quote that is deleted too.
    ///
    /// A parser that counts deleted quotes is inside quotes again after that; the whole is done twice to cover both kinds
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
        // The modem may have taken a part of a line, and would take the query as the rest of its payload. It also drops
        // input while it answers, so the query waits for the answer to the spoilt line.
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
        // The command fits: the queries of backends are some ten bytes long.
        let _ = self.begin(w, command.len(), 0, SYNC_PATIENCE);
    }

    /// Goes on with the rescue. Returns whether there was something to do.
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
            // For a modem without payload in quotes, the code that leaves them is not linked.
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
                // The modem may answer the earlier queries too; those answers are skipped.
                if self.due == 0 {
                    self.synchronised(w);
                }
            }
            Rescue::Mark if over && self.due < self.marks => self.synchronised(w),
            Rescue::Mark if over && self.marks < SYNC_TRIES => self.mark(w),
            // The modem has answered nothing, so it may still be inside quotes.
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

    /// Ends a part of the rescue: its bytes were sent.
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
        let late = core::mem::take(&mut self.answered_late);
        if late && self.given_up.is_none() {
            self.doubt_sent(w);
        }
        match self.given_up.take() {
            Some(error) => {
                w.ask_all();
                self.parked_missed();
                if M::FETCH_PATIENCE > 0 && self.repeats && !late {
                    // The modem has carried out the query, and so has not seen the command before it.
                    self.repeated += 1;
                    self.late_payload = 0;
                    self.step_waits = false;
                    return self.advance(w, Then::Same);
                }
                self.step_given_up(w, error);
            }
            None => self.rescue_over(w, Ok(())),
        }
    }

    /// Ends a rescue that has failed: the modem does not answer.
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

    /// Ends the step whose exchange was given up, where it was a step's.
    fn step_given_up(&mut self, w: &mut World<'_>, error: AtError) {
        self.flags &= !Self::GUEST;
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

    /// Handles a line while the channel is out of step: only the answer to the synchronising query counts.
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

    /// Handles the header of a late answer, to a fetch that was given up.
    pub(super) fn late_header(&mut self, count: u16, in_line: bool) {
        if usize::from(count) <= self.late_payload {
            // Late payload is skipped by its count, and not searched for the answer to the query.
            self.answered_late = true;
            self.late_payload = 0;
            self.expect_payload(count.into(), in_line);
        } else if self.syncing == SyncProgress::Waiting {
            self.answered_late = true;
        }
    }

    /// Handles the URC of a modem that has restarted, or enters power saving mode.
    pub(super) fn restarted(&mut self, w: &mut World<'_>, power: PowerState) {
        w.restarted = power == PowerState::Awake;
        // What a start before this one has said does not count for it.
        w.booted = false;
        w.loss = Some(if power == PowerState::Awake {
            Loss::Restart
        } else {
            Loss::PowerSaving
        });
        // The modem starts in line mode.
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

    /// Ends rescue, exchange and guest of a bring-up during which the modem restarted.
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

    /// Takes the modem down: drops all flows, guests and sockets. The modem is then brought up anew, or left in the state
    /// `power`.
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
        self.flags = 0;
        self.drop_flows(w);
        w.link_is_down(power);
    }
}
