//! The engine of modems that speak AT: bytes and the time go in, bytes and a deadline come out. It has no I/O and no
//! futures.
//!
//! The engine conducts one exchange at a time, and no caller can leave one half done. An exchange is a step of a
//! backend's *flow*, or a command of a guest. When an exchange does not end as the grammar says, the engine first
//! brings the channel back to where the modem takes a command line and no answer is outstanding (`rescue`), so that a
//! late answer never reaches another command.

mod echo;
mod exchange;
mod flow;
mod framing;
mod guests;
mod jobs;
mod push;
mod received;
mod rescue;
#[cfg(test)]
mod seams;
mod sent;
#[cfg(feature = "sleep")]
mod status_pin;
#[cfg(feature = "tap")]
mod tap;
#[cfg(test)]
mod tests;
mod trace;

use self::flow::Flow;
use self::guests::{GUEST, GUEST_FETCHES, GUEST_LINES, GUEST_QUOTES, GUEST_RAW, GUEST_UPLOADS};
use self::push::Push;
use self::rescue::{Rescue, SyncProgress};
pub(crate) use self::trace::is_secret;
use super::mailbox::{ANSWER_LIMIT, COMMAND_LIMIT, ExchangeState};
use super::protocol::{Backend, Protocol};
use super::raw::{self, RawError};
use super::scheduler::{Job, next_job};
use super::time::{Ms, after, past, sooner};
use super::world::{Heard, World};
use crate::at::framer::{Event, Framer};
use crate::at::framing::Framing;
use crate::capabilities::{Capabilities, Verification};
use crate::engine::backend::{COUNTS, HEXES, Limits, Modem, PIPES, QUOTES, StepFlags, Urc};
use crate::error::{AtError, ConnectError};
use crate::numbers::Number;
use crate::tls::TlsConfig;
use embassy_time::Duration;

/// The number of characters of a command name, such as `+QSSLRECV`, that are kept for comparison with answers.
const NAME_LIMIT: usize = 16;
/// The time limit for a guest to use a granted channel, or to take an information line. A guest that misses it has an
/// executor that is stuck.
const GUEST_PATIENCE: Ms = 1000;
const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// The stage of the running exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The modem counts our bytes, or takes them in data mode: `left` of them.
    Data,
    /// No exchange is under way.
    Idle,
    /// Lines and a final result are expected.
    Line,
    /// The modem's prompt for payload is expected.
    Prompt,
    /// Payload is coming in.
    Receiving,
    /// All payload was sent, and the silence before `+++` has begun.
    Silence,
    /// Fetched payload is complete. Only URCs and the final result are legal; the URCs take effect with that result.
    Tail,
}

/// The engine of one modem that speaks AT. Small fields that are used often stand first, where short instructions reach
/// them.
#[repr(C)]
#[cfg_attr(test, derive(Clone))]
pub struct Engine<M: Modem> {
    stage: Stage,
    rescue: Rescue,
    syncing: SyncProgress,
    flags: StepFlags,
    /// The number of synchronising queries that were sent in this rescue.
    marks: u8,
    /// The number of answers to them that are outstanding.
    due: u8,
    /// The number of times that this rescue has got out of a quoted argument.
    quotes_left: u8,
    /// The error of the exchange that is being given up; `None` where a flow asked for the rescue.
    given_up: Option<AtError>,
    /// The synchronising query follows this part of the rescue.
    mark_after: bool,
    /// The exchange that is being given up belongs to a step, which waits for its end.
    step_waits: bool,
    /// Nothing that may belong to its answer has come since the running fetch was begun.
    unanswered: bool,
    /// The fetch that is being given up is asked again, unless its answer comes meanwhile.
    repeats: bool,
    /// How often in a row a fetch was asked again.
    repeated: u8,
    /// An answer to no known command came while the channel was synchronised.
    answered_late: bool,
    /// The socket whose payload the modem accepted last.
    last_sent: Option<u8>,
    /// The socket whose payload the last exchange fetched. Its data is complete, unless more comes after its end.
    last_fetched: Option<u8>,
    /// The modem is known to be in line mode. Otherwise it may take what is sent as data.
    line_mode: bool,
    /// URCs were dropped during this exchange.
    missed: bool,
    /// The number of line end bytes that belong between this payload and its result; 0 where it is not checked.
    tail_ends: u8,
    /// The number of fetches in a row that ended with one line end in the place of two.
    lone_ends: u8,
    /// The number of the content of `out`, wrapping. The end of a write of an earlier content does not count for this.
    pub(crate) out_turn: u8,
    /// The bytes that were given to the UART are payload, which the modem counts.
    counted: bool,
    /// The closing quote is in `out`.
    closed: bool,
    /// A line that comes in pieces began as information text.
    pieces_are_text: bool,
    /// The arguments of the running command are secret, and its answer may repeat them.
    secret: bool,
    /// The modem may send a credential. Its lines are not traced.
    private: bool,
    /// A guest was served last, so that a flow is next.
    guest_was_last: bool,
    /// An information line waits for a guest.
    line_waits: bool,
    /// The peer had closed before the fetch that is under way.
    closed_before: bool,
    /// The answer is longer than the answer buffer.
    overflowed: bool,
    /// The first of two `OK` has come, see [`Modem::TWICE`].
    accepted: bool,
    name_len: u8,
    /// The number of bytes that the modem still expects of this exchange.
    left: usize,
    /// The number of bytes of the transmit ring that were sent in this exchange.
    ring_sent: usize,
    out_len: usize,
    out_sent: usize,
    /// The number of bytes of `out` that were given to the UART, whether or not it has reported them as sent.
    out_given: usize,
    /// The number of counted bytes that the UART has and has not reported as sent.
    in_flight: usize,
    answer_len: usize,
    /// The most bytes of payload that an exchange which was given up may still bring.
    late_payload: usize,
    /// The number of bytes of a guest's exchange: the most that a fetch may bring, or the length of an upload.
    fetch_limit: usize,
    deadline: Ms,
    timeout: Ms,
    /// The earliest time at which payload is sent. After payload in data mode: the time of the next `+++`.
    data_at: Ms,
    /// The earliest time of the next command, after the modem's [gap](Modem::gap).
    gap_until: Ms,
    /// The deadline of a guest for its grant, its line or its result.
    guest_until: Ms,
    /// The time until which there is nothing to do, unless [something changes](World::changed).
    idle_until: Ms,
    flow: Option<Flow<M>>,
    parked: Option<Flow<M>>,
    push: Option<Push>,
    #[cfg(feature = "tap")]
    out_class: crate::tap::Sent,
    deferred: heapless::Vec<Urc, 4>,
    name: [u8; NAME_LIMIT],
    pub(crate) modem: M,
    framer: Framer,
    framing: M::Framing,
    out: [u8; COMMAND_LIMIT],
    answer: [u8; ANSWER_LIMIT],
}

impl<M: Modem> Engine<M> {
    // The flags of the forms in which this modem takes payload. The others are 0, so that their code is not linked.
    const QUOTES: StepFlags = Self::other(QUOTES);
    const COUNTS: StepFlags = Self::other(COUNTS);
    const PIPES: StepFlags = Self::other(PIPES);
    const HEXES: StepFlags = Self::other(HEXES);
    const GUEST_QUOTES: StepFlags = Self::guest(Self::other(GUEST_QUOTES));
    const GUEST: StepFlags = Self::guest(GUEST);
    const GUEST_LINES: StepFlags = Self::guest(GUEST_LINES);
    const GUEST_FETCHES: StepFlags = Self::guest(GUEST_FETCHES);
    const GUEST_UPLOADS: StepFlags = Self::guest(GUEST_UPLOADS);
    const GUEST_RAW: StepFlags = Self::guest(GUEST_RAW);

    const fn other(flags: StepFlags) -> StepFlags {
        if M::SENDS_WITHOUT_PROMPT { flags } else { 0 }
    }

    const fn guest(flags: StepFlags) -> StepFlags {
        if M::GUESTS { flags } else { 0 }
    }

    /// Returns the state of the guest's exchange; free for a modem without guests.
    fn post(w: &World<'_>) -> ExchangeState {
        if M::GUESTS {
            w.mailbox.post
        } else {
            ExchangeState::Free
        }
    }

    pub(crate) const fn new(modem: M) -> Self {
        Self {
            stage: Stage::Idle,
            rescue: Rescue::Off,
            syncing: SyncProgress::InStep,
            flags: 0,
            marks: 0,
            due: 0,
            quotes_left: 0,
            given_up: None,
            mark_after: false,
            step_waits: false,
            unanswered: false,
            repeats: false,
            repeated: 0,
            answered_late: false,
            last_sent: None,
            last_fetched: None,
            line_mode: false,
            missed: false,
            tail_ends: 0,
            lone_ends: 0,
            out_turn: 0,
            counted: false,
            closed: false,
            pieces_are_text: false,
            secret: false,
            private: false,
            guest_was_last: false,
            line_waits: false,
            closed_before: false,
            overflowed: false,
            accepted: false,
            name_len: 0,
            left: 0,
            ring_sent: 0,
            out_len: 0,
            out_sent: 0,
            out_given: 0,
            in_flight: 0,
            answer_len: 0,
            late_payload: 0,
            fetch_limit: 0,
            deadline: 0,
            timeout: 0,
            data_at: 0,
            gap_until: 0,
            guest_until: 0,
            idle_until: 0,
            flow: None,
            parked: None,
            push: None,
            #[cfg(feature = "tap")]
            out_class: crate::tap::Sent::Filler,
            deferred: heapless::Vec::new(),
            name: [0; NAME_LIMIT],
            modem,
            framer: Framer::new(),
            framing: M::Framing::NEW,
            out: [0; COMMAND_LIMIT],
            answer: [0; ANSWER_LIMIT],
        }
    }
}

impl<M: Modem> Backend for M {
    const NAME: &'static str = <M as Modem>::NAME;
    const LIMITS: Limits = <M as Modem>::LIMITS;
    const POWER_OFF_LIMIT: Duration = <M as Modem>::POWER_OFF_LIMIT;
    const WAKE_BY_KEY: bool = <M as Modem>::WAKE_BY_KEY;
    const CODES: &'static [Number] = <M as Modem>::CODES;
    type Engine = Engine<M>;

    fn engine(self) -> Engine<M> {
        Engine::new(self)
    }

    fn admit(&self, config: &TlsConfig) -> Result<(), ConnectError> {
        Modem::admit(self, config)
    }

    fn capabilities(&self) -> Capabilities {
        Modem::capabilities(self)
    }

    fn may_change_settings(command: &[u8]) -> Result<bool, AtError> {
        let line = command
            .strip_suffix(b"\r")
            .and_then(|line| core::str::from_utf8(line).ok());
        match line.map(|line| raw::judge(line, M::FORBIDDEN, M::HARMLESS)) {
            Some(Err(RawError::Forbidden { .. })) => Err(AtError::Unsupported),
            Some(Ok(keeps)) => Ok(!keeps),
            // A command that is no line of text may change settings too.
            _ => Ok(true),
        }
    }

    fn verification(&self) -> Verification {
        Modem::verification(self)
    }
}

impl<M: Modem> Protocol for Engine<M> {
    type Backend = M;

    fn backend(&self) -> &M {
        &self.modem
    }

    fn backend_mut(&mut self) -> &mut M {
        &mut self.modem
    }

    fn feed(&mut self, w: &mut World<'_>, input: &[u8]) -> usize {
        if w.heard == Heard::Nothing && !input.is_empty() {
            w.heard = Heard::Bytes;
        }
        if M::Framing::FRAMES {
            self.feed_frames(w, input)
        } else {
            self.feed_text(w, input)
        }
    }

    fn tick(&mut self, w: &mut World<'_>) -> Ms {
        loop {
            let mut watch = self.push_tick(w);
            if M::Framing::FRAMES {
                watch = framing::soonest(w.now, watch, self.tick_frames(w));
            }
            let Some(at) = self.tick_once(w) else {
                w.changed = true;
                continue;
            };
            let at = watch.map_or(at, |watch| sooner(w.now, watch, at));
            if !self.drained() && self.is_in_gap(w.now) {
                return sooner(w.now, self.gap_until, at);
            }
            return at;
        }
    }

    fn next_out(&mut self, w: &mut World<'_>, into: &mut [u8]) -> usize {
        // The gap holds also for a guest that was granted the channel before the modem said something.
        if self.stage != Stage::Data && self.out_given == 0 && self.is_in_gap(w.now) {
            return 0;
        }
        if M::Framing::FRAMES && self.modem.is_framed() {
            self.next_framed(w, into)
        } else {
            self.content(w, into)
        }
    }

    fn out_done(&mut self, w: &mut World<'_>, mut count: usize) {
        w.counters.sent = w.counters.sent.wrapping_add(count as u32);
        if M::Framing::FRAMES && self.modem.is_framed() {
            count = self.framing.sent(count);
        }
        self.in_flight = 0;
        if self.out_sent < self.out_len {
            self.out_sent = (self.out_sent + count).min(self.out_len);
        } else {
            self.ring_sent += if self.is_in_line_step() {
                (count / 4 * 3).min(usize::from(w.len) - self.ring_sent)
            } else if self.flags & Self::HEXES == 0 {
                count
            } else {
                count / 2
            };
        }
        if self.counted && self.stage == Stage::Data {
            self.progress(w);
            self.left = self.left.saturating_sub(count);
            if self.left == 0 && !self.is_in_frame() {
                self.data_is_out(w);
            }
        }
        if self.is_guest() {
            w.mailbox.waker.wake();
        }
    }

    fn out_turn(&self) -> u8 {
        self.out_turn
    }

    fn is_drained(&self) -> bool {
        self.drained()
    }

    #[cfg(feature = "tap")]
    fn tap_next(&self, w: &World<'_>) -> crate::tap::Sent {
        self.next_class(w)
    }

    fn wants_input(&self, w: &World<'_>) -> bool {
        !(self.line_waits && matches!(Self::post(w), ExchangeState::Line)) && self.push_room(w) > 0
    }

    #[cfg(feature = "sleep")]
    fn status_changed(&mut self, w: &mut World<'_>) {
        self.status_pin_changed(w);
    }

    fn stopped(&mut self, w: &mut World<'_>) {
        self.down(w, super::world::PowerState::Awake);
        self.framer.reset();
        if M::Framing::FRAMES {
            self.framing.reset();
        }
        // The exchange under way was cut off, so the modem may be in data mode.
        self.line_mode = false;
        w.restarted = false;
    }

    fn guest_is_gone(&mut self) {
        // The buffer may hold the end of a private key.
        self.wipe_upload();
    }
}

impl<M: Modem> Engine<M> {
    /// Takes in bytes of the AT channel, and returns their number.
    pub(super) fn feed_text(&mut self, w: &mut World<'_>, mut input: &[u8]) -> usize {
        let all = input.len();
        self.line_waits &= matches!(Self::post(w), ExchangeState::Line);
        while !self.line_waits {
            let room = self.push_room(w);
            if room == 0 {
                break;
            }
            let (mut now, later) = input.split_at(input.len().min(room));
            let event = match M::PAYLOAD_CUE {
                Some(cue) if self.minds_cues() => self.framer.next_with_cue(&mut now, cue),
                _ => self.framer.next(&mut now),
            };
            let (_run, rest) = input.split_at(input.len() - later.len() - now.len());
            input = rest;
            #[cfg(feature = "tap")]
            self.tap_received(w, event, _run);
            let Some(event) = event else {
                self.push_settle(w);
                if later.is_empty() {
                    break;
                }
                continue;
            };
            w.changed = true;
            if !matches!(event, Event::PayloadOverrun) {
                self.push_settle(w);
            }
            match event {
                Event::Line | Event::CutLine | Event::Piece => self.line(w),
                Event::Cue => self.cue(w),
                Event::Prompt => self.prompt(w),
                Event::Payload(part) => self.payload(w, part),
                Event::PayloadEnd => self.payload_end(w),
                Event::PayloadOverrun => self.payload_overrun(w),
            }
        }
        if M::SENDS_WITHOUT_PROMPT && self.hears_hang_up() {
            self.hung_up(w);
            w.changed = true;
        }
        all - input.len()
    }

    /// Copies the next bytes for the modem, without their framing, and returns their number.
    fn content(&mut self, w: &mut World<'_>, into: &mut [u8]) -> usize {
        let pending = self.out.get(self.out_sent..self.out_len).unwrap_or(&[]);
        self.counted = self.stage == Stage::Data;
        // A guest may hand over bytes before the pause after the prompt is over.
        if self.is_before_upload(w) {
            return 0;
        }
        if !pending.is_empty() {
            let count = pending.len().min(into.len());
            into[..count].copy_from_slice(&pending[..count]);
            self.out_given = self.out_sent + count;
            self.in_flight = if self.counted { count } else { 0 };
            return count;
        }
        if !self.counted || !self.sends_from_ring() || !past(w.now, self.data_at) {
            return 0;
        }
        let left = usize::from(w.len) - self.ring_sent;
        let offset = usize::from(w.offset) + self.ring_sent;
        self.in_flight = if self.is_in_line_step() {
            let mut group = [0; 3];
            let mut count = 0;
            // Base64 is sent in whole groups; only the last group of the payload is padded.
            for (index, room) in into.chunks_exact_mut(4).enumerate() {
                let wanted = left.saturating_sub(3 * index).min(3);
                let got = w.slot().tx.peek(offset + 3 * index, &mut group[..wanted]);
                count += crate::inspect::encode(&group[..got], room);
            }
            count
        } else if self.flags & Self::HEXES == 0 {
            let count = left.min(into.len());
            w.slot().tx.peek(offset, &mut into[..count])
        } else {
            let count = left.min(into.len() / 2);
            let (bytes, _) = into.split_at_mut(count);
            let count = w.slot().tx.peek(offset, bytes);
            // The digits are written from the end, so that no byte is overwritten before it is read.
            for index in (0..count).rev() {
                let byte = into[index];
                into[2 * index + 1] = HEX[usize::from(byte & 15)];
                into[2 * index] = HEX[usize::from(byte >> 4)];
            }
            2 * count
        };
        self.in_flight
    }

    /// Does one piece of work, and returns `None`; or the deadline for the next call where there is nothing to do.
    fn tick_once(&mut self, w: &mut World<'_>) -> Option<Ms> {
        let now = w.now;
        if self.rescue != Rescue::Off {
            return if self.rescue(w) {
                None
            } else {
                Some(self.deadline)
            };
        }
        if self.stage != Stage::Idle {
            return self.tick_exchange(w);
        }
        if self.is_in_gap(now) {
            return Some(self.gap_until);
        }
        // A guest has the channel, or has not fetched its result yet.
        if let ExchangeState::Granted | ExchangeState::Done(_) = Self::post(w) {
            if !past(now, self.guest_until) {
                return Some(self.guest_until);
            }
            if matches!(w.mailbox.post, ExchangeState::Granted) {
                w.mailbox.post = ExchangeState::Free;
            } else {
                w.free_channel();
            }
            return None;
        }
        if let Some(flow) = &self.flow {
            let (at, step) = (flow.resume_at, flow.steps.first());
            if !past(now, at) {
                if w.answers && matches!(Self::post(w), ExchangeState::Wanted) {
                    self.grant(w);
                    return None;
                }
                // A guest that changes credentials waits for the clean-up, which may go before a bring-up that waits
                // for a SIM or a network.
                if w.answers && w.cleanup_asked && self.parked.is_none() {
                    self.parked = self.flow.take();
                    self.perform(w, Job::CleanUp);
                    return None;
                }
                return Some(at);
            }
            match step {
                Some(step) => self.step(w, step),
                None => self.flow_ended(w, true),
            }
            return None;
        }
        if self.resume_parked(w) {
            return None;
        }
        if !w.changed && !past(now, self.idle_until) {
            return Some(self.idle_until);
        }
        w.changed = false;
        let (mut at, mut job) = next_job(w, &M::LIMITS, self.parked.is_some());
        if self.bring_up_is_parked() {
            (at, job) = (after(now, Ms::MAX), None);
        }
        if let Some(parked) = &self.parked {
            at = sooner(now, at, parked.resume_at);
        }
        let guest = matches!(Self::post(w), ExchangeState::Wanted) && w.serves_guests();
        self.idle_until = at;
        match job {
            Some(job)
                if (!guest || self.guest_was_last || job.is_close())
                    && !(w.exclusive && job.is_for_users()) =>
            {
                self.guest_was_last = false;
                self.perform(w, job);
                None
            }
            _ if guest => {
                self.guest_was_last = true;
                self.grant(w);
                None
            }
            Some(_) => {
                self.idle_until = after(now, GUEST_PATIENCE);
                Some(self.idle_until)
            }
            None => Some(at),
        }
    }

    /// Does the work of the exchange that is under way, as [`tick_once`](Self::tick_once).
    fn tick_exchange(&mut self, w: &mut World<'_>) -> Option<Ms> {
        let now = w.now;
        if self.line_waits && matches!(Self::post(w), ExchangeState::Line) {
            if !past(now, self.guest_until) {
                return Some(self.guest_until);
            }
            // The guest misses this line, so its listing must not end as complete.
            self.violation(w);
            return None;
        }
        if matches!(Self::post(w), ExchangeState::Left) && self.is_guest() && self.left_alone(w) {
            return None;
        }
        match self.stage {
            Stage::Silence if past(now, self.data_at) => {
                self.leave_data_mode(w);
                return None;
            }
            Stage::Silence => return Some(self.data_at),
            Stage::Data if !past(now, self.data_at) => return Some(self.data_at),
            Stage::Line
                if self.flags & (Self::COUNTS | Self::PIPES) != 0 && !past(now, self.deadline) =>
            {
                if past(now, self.data_at) {
                    self.insist(w);
                    return None;
                }
                return Some(sooner(now, self.data_at, self.deadline));
            }
            _ => {}
        }
        if !past(now, self.deadline) {
            return Some(self.deadline);
        }
        self.give_up(w, AtError::Timeout);
        None
    }

    /// Returns whether the modem still needs its gap before the next command. A `gap_until` farther ahead than a gap is
    /// a time long past: the clock has gone half round since.
    fn is_in_gap(&self, now: Ms) -> bool {
        let left = self.gap_until.wrapping_sub(now);
        M::GAP > 0 && left != 0 && left <= M::GAP.into()
    }

    /// Returns whether the UART has sent all of `out`, and the frame around it has ended.
    pub(crate) fn drained(&self) -> bool {
        self.out_sent >= self.out_len && !self.is_in_frame()
    }

    /// Returns whether the end of a frame is still to be sent.
    fn is_in_frame(&self) -> bool {
        M::Framing::FRAMES && self.framing.is_open()
    }

    /// Has the first `len` bytes of `out` sent.
    fn submit(&mut self, len: usize) {
        self.out_turn = self.out_turn.wrapping_add(1);
        (self.out_sent, self.out_given, self.out_len) = (0, 0, len);
        if M::Framing::FRAMES {
            self.framing.restart_out();
        }
        #[cfg(feature = "tap")]
        {
            self.out_class = self.filler_class();
        }
    }

    /// Restarts the time limit of the exchange, because it has made progress.
    fn progress(&mut self, w: &World<'_>) {
        self.deadline = after(w.now, self.timeout);
    }

    fn perform(&mut self, w: &mut World<'_>, job: Job) {
        if !job.begin(w, &M::LIMITS) {
            return self.job_ended(w, job, false);
        }
        self.before(w, job);
        if self.ends_without_look(w, job) {
            return;
        }
        match job.script() {
            Some(number) => self.start(w, job, M::script(number)),
            None => self.without_script(w, job),
        }
    }
}
