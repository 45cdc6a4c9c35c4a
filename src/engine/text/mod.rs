//! The engine of modems that speak AT: bytes and the time go in, bytes come out. No I/O, no futures.
//!
//! One exchange at a time, and always the engine's own: nobody outside can leave one half done. An exchange
//! is a step of a *flow* of the backend's, or of a guest's (a user's own command). When it does not end as
//! its grammar says, the engine first finds the way back to a channel where the next line is a command and
//! no answer is outstanding (`rescue`), so that a late answer never reaches another command.

mod echo;
mod exchange;
mod flow;
mod framing;
mod guests;
mod jobs;
mod push;
mod rescue;
#[cfg(test)]
mod seams;
#[cfg(feature = "tap")]
mod tap;
#[cfg(test)]
mod tests;

use core::cell::RefCell;

pub(crate) use self::exchange::is_secret;
use self::flow::Flow;
use self::guests::{GUEST, GUEST_FETCHES, GUEST_LINES, GUEST_QUOTES, GUEST_RAW, GUEST_UPLOADS};
use self::push::Push;
use self::rescue::{Rescue, SyncProgress};
use super::mailbox::{ANSWER_LIMIT, ExchangeState};
use super::protocol::{Backend, Protocol};
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

/// Longest command line, and largest chunk of an upload, in bytes.
pub const COMMAND_LIMIT: usize = 384;
/// `+QSSLRECV` and the like; longer names are compared by their first part.
const NAME_LIMIT: usize = 16;
/// How long a guest may leave the channel, or an information line, lying: it is its executor that would have
/// to be stuck.
const GUEST_PATIENCE: Ms = 1000;
const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// Where the running exchange is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The modem counts our bytes, or takes them in data mode: `left` of them.
    Data,
    /// None is under way.
    Idle,
    /// Lines and a final result are expected.
    Line,
    /// What asks for payload is expected.
    Prompt,
    /// Payload is coming in.
    Receiving,
    /// All payload is out; a silence must be kept until `+++`.
    Silence,
    /// Behind payload: only the final result is legal, and URCs, which take effect with it.
    Tail,
}

/// The engine of one modem. In this order, so that what is small and often used is near its start, where
/// short instructions reach it.
#[repr(C)]
#[cfg_attr(test, derive(Clone))]
pub struct Engine<M: Modem> {
    stage: Stage,
    rescue: Rescue,
    syncing: SyncProgress,
    way: StepFlags,
    /// Synchronising queries that were sent, and answers that are due.
    marks: u8,
    due: u8,
    /// How often quotes were left.
    quotes_left: u8,
    /// Why the exchange is being given up; `None` where a flow asked for the rescue.
    given_up: Option<AtError>,
    mark_after: bool,
    /// The exchange that is being given up is a step's.
    step_waits: bool,
    /// While the channel was synchronised, something was answered that was not asked.
    answered_late: bool,
    /// Whose payload the modem accepted last.
    last_sent: Option<u8>,
    /// The socket whose payload the last exchange has brought: whole, unless more of it comes behind its end.
    last_fetched: Option<u8>,
    /// The modem is known to be in line mode; otherwise what is sent may be data to it.
    line_mode: bool,
    /// Notices were dropped.
    missed: bool,
    /// How many bytes of line ends belong between this payload and its result, 0 if any will do.
    tail_ends: u8,
    /// How often one line end stood there where two belong, without a fetch in between that ended well.
    lone_ends: u8,
    /// Counts what was put into `out`: a write of an earlier content must not count for this one.
    pub(crate) out_turn: u8,
    /// The bytes that the UART has are counted by the modem.
    counted: bool,
    /// The closing quote is in `out`.
    closed: bool,
    /// A line that comes in pieces began as information text.
    pieces_are_text: bool,
    /// The running command's arguments are secret, and its answer may repeat them.
    secret: bool,
    /// What the modem sends may be a credential. Such lines are not traced.
    private: bool,
    /// A guest was served last, so that a flow is next.
    guest_was_last: bool,
    /// An information line waits for a guest.
    line_waits: bool,
    /// The peer had closed before the fetch that is under way.
    closed_before: bool,
    /// The answer did not fit.
    overflowed: bool,
    /// The command was accepted, and another result is to come.
    accepted: bool,
    name_len: u8,
    left: usize,
    /// Bytes of the ring that are out.
    ring_sent: usize,
    out_len: usize,
    out_sent: usize,
    /// How much of `out` the UART was given, whether or not it has said that it is done.
    out_given: usize,
    /// Counted bytes that the UART has and has not yet said that they are out.
    in_flight: usize,
    answer_len: usize,
    /// Most bytes of payload that an exchange which was given up may still bring.
    late_payload: usize,
    /// Most bytes of payload that a guest asked for.
    fetch_limit: usize,
    deadline: Ms,
    timeout: Ms,
    /// Payload does not go out before.
    data_at: Ms,
    /// No command before: the modem needs a pause.
    gap_until: Ms,
    /// Until when a guest has time.
    guest_until: Ms,
    /// Until when there is nothing to do, unless [something happens](World::changed).
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
    // The ways in which this modem's payload can go; what it does not have folds to nothing.
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

    const fn other(way: StepFlags) -> StepFlags {
        if M::SENDS_WITHOUT_PROMPT { way } else { 0 }
    }

    const fn guest(way: StepFlags) -> StepFlags {
        if M::GUESTS { way } else { 0 }
    }

    /// Where the exchange of a guest is, if there are any.
    fn post(w: &World<'_>) -> ExchangeState {
        if M::GUESTS {
            w.mailbox.post
        } else {
            ExchangeState::Free
        }
    }

    /// As a part of a state: made in a call of its own, so that not all of them are on the stack at once.
    #[inline(never)]
    pub(crate) const fn cell(modem: M) -> RefCell<Self> {
        RefCell::new(Self::new(modem))
    }

    pub(crate) const fn new(modem: M) -> Self {
        Self {
            stage: Stage::Idle,
            rescue: Rescue::Off,
            syncing: SyncProgress::InStep,
            way: 0,
            marks: 0,
            due: 0,
            quotes_left: 0,
            given_up: None,
            mark_after: false,
            step_waits: false,
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
        // The pause is also that of a guest, to whom the channel was granted before the modem said something.
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
            } else if self.way & Self::HEXES == 0 {
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

    fn stopped(&mut self, w: &mut World<'_>) {
        self.down(w, super::world::PowerState::Awake);
        self.framer.reset();
        if M::Framing::FRAMES {
            self.framing.reset();
        }
        // Whatever was under way ends in the middle.
        self.line_mode = false;
        w.restarted = false;
    }

    fn guest_is_gone(&mut self) {
        // It may hold the end of a private key.
        self.wipe_upload();
    }
}

impl<M: Modem> Engine<M> {
    /// Takes in bytes of the AT channel.
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

    /// The next bytes for the modem, whatever they are framed in.
    fn content(&mut self, w: &mut World<'_>, into: &mut [u8]) -> usize {
        let pending = self.out.get(self.out_sent..self.out_len).unwrap_or(&[]);
        self.counted = self.stage == Stage::Data;
        // A guest may be quicker than the pause behind the prompt.
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
            // Whole groups; only the last one of all is padded.
            for (index, room) in into.chunks_exact_mut(4).enumerate() {
                let wanted = left.saturating_sub(3 * index).min(3);
                let got = w.slot().tx.peek(offset + 3 * index, &mut group[..wanted]);
                count += crate::inspect::encode(&group[..got], room);
            }
            count
        } else if self.way & Self::HEXES == 0 {
            let count = left.min(into.len());
            w.slot().tx.peek(offset, &mut into[..count])
        } else {
            let count = left.min(into.len() / 2);
            let (bytes, _) = into.split_at_mut(count);
            let count = w.slot().tx.peek(offset, bytes);
            // From the end, so that nothing is overwritten before it is read.
            for index in (0..count).rev() {
                let byte = into[index];
                into[2 * index + 1] = HEX[usize::from(byte & 15)];
                into[2 * index] = HEX[usize::from(byte >> 4)];
            }
            2 * count
        };
        self.in_flight
    }

    /// Does one thing; returns when to look again if there is nothing to do.
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
        // A guest has the channel, or has not yet fetched its result.
        if let ExchangeState::Granted | ExchangeState::Done(_) = Self::post(w) {
            if !past(now, self.guest_until) {
                return Some(self.guest_until);
            }
            if matches!(w.mailbox.post, ExchangeState::Granted) {
                w.mailbox.post = ExchangeState::Free;
            } else {
                w.mailbox.take_away();
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
                // A guest that changes credentials waits for it, and the bring-up for a SIM or a network.
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

    /// Looks after the exchange that is under way.
    fn tick_exchange(&mut self, w: &mut World<'_>) -> Option<Ms> {
        let now = w.now;
        if self.line_waits && matches!(Self::post(w), ExchangeState::Line) {
            if !past(now, self.guest_until) {
                return Some(self.guest_until);
            }
            // A listing without this line must not pass for complete.
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
                if self.way & (Self::COUNTS | Self::PIPES) != 0 && !past(now, self.deadline) =>
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

    /// Whether the modem needs a pause before the next command. What lies farther ahead than a gap is long ago:
    /// the clock has gone half round since.
    fn is_in_gap(&self, now: Ms) -> bool {
        let left = self.gap_until.wrapping_sub(now);
        M::GAP > 0 && left != 0 && left <= M::GAP.into()
    }

    pub(crate) fn drained(&self) -> bool {
        self.out_sent >= self.out_len && !self.is_in_frame()
    }

    /// What ends a frame is not out.
    fn is_in_frame(&self) -> bool {
        M::Framing::FRAMES && self.framing.is_open()
    }

    /// Has the first `len` bytes of `out` put on the UART.
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

    /// The exchange moves: its time limit starts anew.
    fn progress(&mut self, w: &World<'_>) {
        self.deadline = after(w.now, self.timeout);
    }

    fn perform(&mut self, w: &mut World<'_>, job: Job) {
        if !job.begin(w, &M::LIMITS) {
            return self.job_ended(w, job, false);
        }
        self.before_fetch(w, job);
        if self.ends_without_look(w, job) {
            return;
        }
        match job.script() {
            Some(number) => self.start(w, job, M::script(number)),
            None => self.without_script(w, job),
        }
    }
}
