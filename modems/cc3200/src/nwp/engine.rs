//! The engine of the native protocol: one synchronous command at a time, messages whenever they come.

use sectag::modem::{After, Backend, Guest, Job, Protocol, World};
use sectag::{AtError, BringUpError, Loss, SocketError};
use zeroize::Zeroize;

use crate::causes;

use super::Nwp;
use super::command::{self, COMMAND_LIMIT, FILE_CHUNK, Writer};
use super::events::Events;
use super::flow::{Flow, Script, Step, Then};
use super::generation::{Facts, Generation};
use super::messages::{Header, Messages, Part};
use super::opcode::*;
use super::trace;

/// A point in time, or a span, in milliseconds; it wraps.
type Ms = u32;

/// The time without a sync word, though bytes came, after which the chip counts as out of step (sheet 2).
const SYNC_LIMIT: Ms = 50;
/// The silence in the middle of a message after which it is given up.
const SILENCE_LIMIT: Ms = 200;
/// The time for which flow control may hold up the UART or SPI.
const OUT_LIMIT: Ms = 10_000;
/// The time after which a guest that does not take up its grant, or its result, loses it.
const GUEST_LIMIT: Ms = 5000;
/// The longest answer that is kept, in bytes: that to a read of a file, with its head and one chunk.
const ANSWER_LIMIT: usize = 8 + FILE_CHUNK;
/// The number of bytes of an event that are kept; no flow looks at later ones.
const EVENT_LIMIT: usize = 76;
/// The reason of a disconnect that the host asked for (sheet 5.3).
const LEFT_BY_HOST: u8 = 200;
/// The bit of the status in headers that says "on a Wi-Fi network" (sheet 3.2).
const CONNECTED_BIT: u8 = 0x01;
/// The length of the head in front of the data of a recv, in bytes.
const RECEIVED_HEAD: usize = 4;

/// The command that is going out: its head in the engine's buffer, bytes of a ring, padding.
#[derive(Clone, Copy, Debug, Default)]
struct Out {
    /// The number of bytes of `Engine::out` that are sent first.
    head: usize,
    /// The number of bytes of the socket's transmit ring that follow.
    ring: usize,
    /// The number of zeros at the end, up to a multiple of four.
    padding: usize,
    sent: usize,
}

impl Out {
    fn all(&self) -> usize {
        self.head + self.ring + self.padding
    }

    fn is_done(&self) -> bool {
        self.sent >= self.all()
    }
}

/// The engine of one network processor; see the module's documentation. Made by [`Backend::engine`].
pub struct Engine<G: Generation> {
    pub(super) modem: Nwp<G>,
    messages: Messages<G>,
    /// The header of the message that is coming in.
    header: Header,
    event: [u8; EVENT_LIMIT],
    event_len: usize,
    /// The place of the socket whose data the current message brings.
    receiver: Option<u8>,
    /// The number of bytes of that data that are staged so far.
    staged: usize,
    answer: [u8; ANSWER_LIMIT],
    answer_len: usize,
    pub(super) out: [u8; COMMAND_LIMIT],
    progress: Out,
    out_limit: Ms,
    turn: u8,
    /// The opcode of the awaited answer, and its deadline.
    awaited: Option<(u16, Ms)>,
    /// Whether the awaited answer is for a guest.
    is_guest: bool,
    /// The deadline of a guest that has a grant or a result.
    guest_until: Option<Ms>,
    flow: Option<Flow<G>>,
    parked: Option<Flow<G>>,
    /// The job whose send is going out.
    sending: Option<Job>,
    /// The number of free buffers in the chip, as its last header said.
    pool: u8,
    /// The number of bytes that one of these buffers takes; 0 where each send takes one.
    buffer: u16,
    /// The places with a recv request outstanding, as a bit set.
    pub(super) receiving: u32,
    pub(super) events: Events,
    /// The time at which the last byte came.
    byte_at: Ms,
    /// The time at which the messages were found to be out of step.
    lost_at: Option<Ms>,
    next_place: u8,
    /// The next socket to close that may be left from before a restart of the host.
    pub(super) stray: u8,
}

impl<G: Generation> Engine<G> {
    const FACTS: Facts = G::FACTS;

    /// Makes an engine to which nothing is known of the chip.
    pub const fn new(modem: Nwp<G>) -> Self {
        Self {
            modem,
            messages: Messages::new(),
            header: Header {
                opcode: 0,
                payload: 0,
                pool: None,
                status: 0,
                buffer: 0,
                failed: 0,
                non_blocking: 0,
            },
            event: [0; EVENT_LIMIT],
            event_len: 0,
            receiver: None,
            staged: 0,
            answer: [0; ANSWER_LIMIT],
            answer_len: 0,
            out: [0; COMMAND_LIMIT],
            progress: Out {
                head: 0,
                ring: 0,
                padding: 0,
                sent: 0,
            },
            out_limit: 0,
            turn: 0,
            awaited: None,
            is_guest: false,
            guest_until: None,
            flow: None,
            parked: None,
            sending: None,
            pool: G::FACTS.pool_minimum,
            buffer: G::FACTS.buffer,
            receiving: 0,
            events: Events::NONE,
            byte_at: 0,
            lost_at: None,
            next_place: 0,
            stray: 0,
        }
    }

    /// Returns the answer to the exchange that has ended.
    pub(super) fn answer(&self) -> &[u8] {
        &self.answer[..self.answer_len]
    }

    /// Forgets all that was known of the chip, because it starts anew: messages are numbered from 0 again.
    pub(super) fn forget(&mut self) {
        self.messages = Messages::new();
        self.pool = Self::FACTS.pool_minimum;
        self.buffer = Self::FACTS.buffer;
        self.events = Events::NONE;
        self.lost_at = None;
        self.receiver = None;
    }

    /// Begins the command of a guest.
    pub(super) fn begin_guest(
        &mut self,
        w: &mut World<'_>,
        opcode: u16,
        limit: Ms,
        write: &mut dyn FnMut(&mut Writer<'_>),
    ) -> Result<(), AtError> {
        let mut writer = Writer::new(&mut self.out, self.modem.config.wiring, opcode);
        write(&mut writer);
        let head = writer.finish(0).ok_or(AtError::TooLong)?;
        self.submit(w, opcode, head, 0);
        self.await_answer(w, opcode, limit);
        self.is_guest = true;
        w.guest_begins();
        Ok(())
    }

    /// Returns whether the chip is on a Wi-Fi network, as its last header said.
    pub(super) fn is_joined(&self) -> bool {
        self.events.status & CONNECTED_BIT != 0
    }

    fn submit(&mut self, w: &World<'_>, opcode: u16, head: usize, ring: u16) {
        let sync = command::sync_len(self.modem.config.wiring);
        trace::sent(opcode, head.saturating_sub(sync + 4) + usize::from(ring));
        self.turn = self.turn.wrapping_add(1);
        self.out_limit = after(w.now, OUT_LIMIT);
        self.progress = Out {
            head,
            ring: ring.into(),
            padding: usize::from(ring.wrapping_neg() & 3),
            sent: 0,
        };
    }

    /// Drops the rest of the command that is going out. Bytes that the UART has taken already do not count for the next one.
    fn give_up_output(&mut self) {
        self.turn = self.turn.wrapping_add(1);
        self.progress = Out::default();
    }

    fn await_answer(&mut self, w: &mut World<'_>, opcode: u16, limit: Ms) {
        let limit = if limit == 0 {
            Self::FACTS.answer_limit
        } else {
            limit
        };
        w.count_command();
        self.answer_len = 0;
        self.awaited = Some((opcode & !FROM_HOST, after(w.now, limit)));
        self.is_guest = false;
    }

    // Flows.

    fn start(&mut self, w: &mut World<'_>, job: Job, script: Script<G>) {
        self.flow = Some(Flow::new(job, script, w.now));
    }

    fn step(&mut self, w: &mut World<'_>, step: &'static Step<G>) {
        w.command = step.name;
        if step.opcode == 0 {
            let then = (step.judge)(self, w, &[]);
            return self.advance(w, then);
        }
        // A buffer of its own, since the writer of a step gets the engine, whose buffer it would borrow.
        let mut out = [0; COMMAND_LIMIT];
        let mut writer = Writer::new(&mut out, self.modem.config.wiring, step.opcode);
        (step.write)(self, w, &mut writer);
        match writer.finish(0) {
            Some(head) => {
                self.out = out;
                self.submit(w, step.opcode, head, 0);
                self.await_answer(w, step.opcode, step.limit);
            }
            None => {
                w.fail(AtError::TooLong);
                self.advance(w, Then::Fail);
            }
        }
        out.zeroize();
    }

    fn advance(&mut self, w: &mut World<'_>, then: Then<G>) {
        let Some(flow) = &mut self.flow else { return };
        let behind = flow.steps.get(1..).unwrap_or(&[]);
        flow.resume_at = w.now;
        flow.until = None;
        match then {
            Then::Next => flow.steps = behind,
            Then::Skip => flow.steps = behind.get(1..).unwrap_or(&[]),
            Then::To(script) => flow.steps = script,
            Then::Pause(pause) => {
                flow.steps = behind;
                flow.resume_at = after(w.now, pause);
            }
            Then::Hold(until, limit) => {
                flow.steps = behind;
                flow.hold(until, after(w.now, limit));
                return;
            }
            Then::Park(until, limit) => {
                flow.steps = behind;
                flow.hold(until, after(w.now, limit));
                self.parked = self.flow.take();
                return;
            }
            Then::End => flow.steps = &[],
            Then::Fail => return self.flow_ended(w, false),
            Then::Restart => return self.out_of_step(w, AtError::Garbled),
        }
        if flow.steps.is_empty() {
            self.flow_ended(w, true);
        }
    }

    fn flow_ended(&mut self, w: &mut World<'_>, done: bool) {
        if let Some(flow) = self.flow.take() {
            self.job_ended(w, flow.job, done);
        }
    }

    fn job_ended(&mut self, w: &mut World<'_>, job: Job, done: bool) {
        match w.job_ended(job, done, false) {
            After::Nothing | After::Look(_) => {
                if !done && job == Job::BringUp {
                    // The bring-up begins anew, with the pins.
                    self.forget();
                }
            }
            After::Restart => self.down(w, false, None),
            After::Off => self.down(w, true, None),
        }
    }

    /// Drops the flows and the connections: the chip is started anew, or it is off. Without a reason, the one counts that the job
    /// which ended has left.
    pub(super) fn down(&mut self, w: &mut World<'_>, off: bool, reason: Option<Loss>) {
        let flows = [self.flow.take(), self.parked.take()];
        for flow in flows.into_iter().flatten() {
            if flow.job == Job::BringUp {
                w.pins.reset = false;
            } else {
                w.fail(AtError::ModemReset);
                w.job_dropped(flow.job);
            }
        }
        self.awaited = None;
        self.sending = None;
        self.receiving = 0;
        self.give_up_output();
        self.forget();
        if core::mem::take(&mut self.is_guest) {
            w.guest_ended(Err(AtError::ModemReset));
        }
        w.goes_down(off, reason);
        w.pins.reset = w.is_off();
    }

    /// Restarts the chip, because a command was not answered in time or its bytes make no sense: nothing less helps (sheet 2).
    fn out_of_step(&mut self, w: &mut World<'_>, error: AtError) {
        let brings_up =
            |flow: &Option<Flow<G>>| flow.as_ref().is_some_and(|flow| flow.job == Job::BringUp);
        if brings_up(&self.flow) || brings_up(&self.parked) {
            self.awaited = None;
            self.give_up_output();
            if core::mem::take(&mut self.is_guest) {
                w.guest_ended(Err(AtError::ModemReset));
            }
            if let Some(flow) = self.parked.take() {
                self.flow = Some(flow);
            }
            w.failure = if error == AtError::Timeout && !w.answers {
                BringUpError::NoAnswer.into()
            } else {
                error.into()
            };
            // Guests wait for the next bring-up, too.
            w.answers = false;
            w.pins.reset = false;
            return self.flow_ended(w, false);
        }
        let reason = match error {
            AtError::ModemReset => Loss::Restart,
            AtError::Timeout => Loss::NoAnswer,
            _ => Loss::Grammar,
        };
        self.down(w, false, Some(reason));
    }

    // Messages.

    fn message(&mut self, w: &mut World<'_>, header: Header) {
        self.header = header;
        self.event_len = 0;
        self.receiver = None;
        self.staged = 0;
        w.is_heard();
        trace::received(header.opcode, header.payload, header.pool);
        if let Some(pool) = header.pool {
            if pool > self.pool {
                w.has_room();
            }
            self.pool = pool;
            self.events.status = header.status;
        }
        if header.buffer > 0 && Self::FACTS.buffer > 0 {
            self.buffer = header.buffer;
        }
        if self.is_awaited() {
            self.answer_len = 0;
        }
        if header.failed != 0 {
            for place in 0..w.places() {
                let id = w.id_in(place).unwrap_or(u8::MAX);
                let index = u32::from(id & Self::FACTS.index_mask);
                if id != u8::MAX
                    && u32::from(header.failed).checked_shr(index).unwrap_or(0) & 1 != 0
                {
                    self.gone(w, place, SocketError::ConnectionReset);
                }
            }
        }
        if header.opcode == ABORT {
            self.out_of_step(w, AtError::ModemReset);
        }
    }

    fn is_awaited(&self) -> bool {
        self.awaited
            .is_some_and(|(opcode, _)| opcode == self.header.opcode)
    }

    fn gone(&mut self, w: &mut World<'_>, place: u8, error: SocketError) {
        if w.room_in(place).is_some() {
            w.reset(place, error);
        }
    }

    fn payload(&mut self, w: &mut World<'_>, mut part: &[u8]) {
        if self.is_awaited() {
            let room = &mut self.answer[self.answer_len..];
            let count = room.len().min(part.len());
            room[..count].copy_from_slice(&part[..count]);
            self.answer_len += count;
            return;
        }
        let limit = if self.header.opcode == RECEIVED {
            RECEIVED_HEAD
        } else {
            EVENT_LIMIT
        };
        let count = (limit - self.event_len).min(part.len());
        let (head, rest) = part.split_at(count);
        self.event[self.event_len..self.event_len + count].copy_from_slice(head);
        self.event_len += count;
        part = rest;
        if self.header.opcode == RECEIVED && self.event_len == RECEIVED_HEAD {
            if self.receiver.is_none() {
                let place = w.place_of(self.event[2]);
                self.receiver = place.filter(|place| self.receiving & 1 << place != 0);
            }
            let wanted = usize::try_from(self.value()).unwrap_or(0);
            let count = wanted.saturating_sub(self.staged).min(part.len());
            if let Some(place) = self.receiver {
                self.staged += w.stage(place, &part[..count]);
            }
        }
    }

    /// Returns the first two bytes of the event as a number.
    fn value(&self) -> i16 {
        i16::from_le_bytes([self.event[0], self.event[1]])
    }

    fn message_ends(&mut self, w: &mut World<'_>) {
        if self.is_awaited() {
            self.awaited = None;
            return self.answered(w);
        }
        // The bytes behind a shorter event are those of an earlier one.
        if self.event_len < least_len(self.header.opcode, Self::FACTS.reason_at) {
            return self.out_of_step(w, AtError::Garbled);
        }
        let event = self.event;
        let value = self.value();
        match self.header.opcode {
            RECEIVED => self.received(w, value),
            INIT_COMPLETE => {
                self.events.started = Some(event[0]);
                if self.events.starting {
                    return;
                }
                match &mut self.flow {
                    // Without nHIB the time at which a chip starts is not known, so nothing may have answered yet. A command that
                    // is going out is sent whole: the chip would take the next one for the rest of it.
                    Some(flow) if flow.job == Job::BringUp && !w.answers => {
                        self.awaited = None;
                        flow.steps = Self::STARTED;
                    }
                    _ => self.out_of_step(w, AtError::ModemReset),
                }
            }
            RESET_REQUEST => self.out_of_step(w, AtError::ModemReset),
            // Where each send takes one buffer, no size counts.
            PAYLOAD_SIZE if value > 0 && Self::FACTS.buffer > 0 => self.buffer = value as u16,
            CONNECT_RESULT => {
                if self.events.opening == Some(event[2]) {
                    self.events.connected = Some(value);
                }
            }
            CLOSED => self.events.closed |= self.events.closing == Some(event[2]),
            TX_FAILED => {
                if let Some(place) = w.place_of(event[2]) {
                    self.gone(w, place, SocketError::ConnectionReset);
                }
            }
            SOCKET_EVENT => {
                if let (Some(place), 1) = (w.place_of(event[0]), event[1]) {
                    self.gone(w, place, SocketError::RecordTooLarge);
                }
            }
            DNS_RESULT => {
                let address = u32::from_le_bytes([event[4], event[5], event[6], event[7]]);
                self.events.looked_up = Some((value, address));
            }
            CONNECTED => self.events.joined = true,
            IPV4_ACQUIRED => {
                self.events.address = u32::from_le_bytes([event[0], event[1], event[2], event[3]]);
            }
            DISCONNECTED | JOIN_FAILED => {
                // The first generation reports a failed join by an event of its own, with a status.
                let reason = match self.header.opcode {
                    DISCONNECTED => event[usize::from(Self::FACTS.reason_at)],
                    _ => event[0],
                };
                // The report that the host left an earlier network may come after the next join was asked for.
                if reason != LEFT_BY_HOST {
                    self.events.left = Some(reason);
                }
                self.events.joined = false;
                self.events.address = 0;
                w.network_lost |= w.is_up();
            }
            IPV4_LOST | DHCP_TIMEOUT => {
                self.events.address = 0;
                w.network_lost |= w.is_up();
            }
            STOPPED => self.events.stopped = true,
            COUNT_ONLY | GENERAL_ERROR => {}
            _ => self.events.unknown = self.events.unknown.wrapping_add(1),
        }
    }

    fn received(&mut self, w: &mut World<'_>, value: i16) {
        let id = self.event[2];
        self.events.closed |= self.events.closing == Some(id);
        let Some(place) = self.receiver else { return };
        self.receiving &= !(1 << place);
        match value {
            1.. if self.staged == value as usize => w.commit(place),
            // The data is longer than the request, or than the message.
            1.. => {
                w.discard(place);
                self.gone(w, place, SocketError::RxOverrun);
            }
            // These codes are the orderly ends of TCP and of TLS (sheet 5.1, 5.2).
            0 | -300 | -452 | -243 | -743 => w.peer_closed(place),
            -11 => {}
            _ => self.gone(w, place, SocketError::ConnectionReset),
        }
    }

    fn answered(&mut self, w: &mut World<'_>) {
        if self.answer_len < 4 {
            // No answer is that short.
            return self.out_of_step(w, AtError::Garbled);
        }
        if self.is_guest {
            if self.leaves_a_file_open(w) {
                return self.out_of_step(w, AtError::Garbled);
            }
            self.is_guest = false;
            self.guest_until = Some(after(w.now, GUEST_LIMIT));
            w.guest_ended(Ok(()));
            return;
        }
        let Some(step) = self.flow.as_ref().and_then(|flow| flow.steps.first()) else {
            return;
        };
        let mut answer = [0; 64];
        let len = self.answer_len.min(answer.len());
        answer[..len].copy_from_slice(&self.answer[..len]);
        let then = (step.judge)(self, w, &answer[..len]);
        self.advance(w, then);
    }

    /// Takes in what an answer says about the open file, which is closed even if the call that opened it is dropped. Returns whether
    /// only a restart closes a file: one is open under a handle that is not known, and nHIB is there to restart the chip.
    pub(super) fn leaves_a_file_open(&mut self, w: &World<'_>) -> bool {
        const OPENED: u16 = FILE_OPEN & !FROM_HOST;
        const READ_FILE: u16 = FILE_READ & !FROM_HOST;
        const WRITTEN: u16 = FILE_WRITE & !FROM_HOST;
        const CLOSED_FILE: u16 = FILE_CLOSE & !FROM_HOST;
        let [a, b, c, d, ..] = self.answer;
        let code = i16::from_le_bytes([a, b]);
        let file = &mut self.modem.file;
        let needs_restart = match self.header.opcode {
            OPENED => {
                let code = i32::from_le_bytes([a, b, c, d]);
                file.opened(code, causes::is_explained(code))
            }
            READ_FILE | WRITTEN => {
                file.moved(code, self.header.opcode == WRITTEN);
                false
            }
            CLOSED_FILE => file.closed(code),
            _ => false,
        };
        needs_restart && w.pins.has_reset
    }

    // What is due.

    /// Returns `Err` once the bytes that came have made no sense for too long, otherwise the time to look again.
    fn watch(&mut self, now: Ms) -> Result<Option<Ms>, ()> {
        if self.events.starting {
            // While a chip starts, everything in front of its first message is noise.
            return Ok(None);
        }
        let mut due = None;
        if self.messages.is_lost() {
            due = Some(after(*self.lost_at.get_or_insert(now), SYNC_LIMIT));
        } else {
            self.lost_at = None;
        }
        if self.messages.is_inside() {
            let at = after(self.byte_at, SILENCE_LIMIT);
            due = Some(due.map_or(at, |due| sooner(now, due, at)));
        }
        match due {
            Some(at) if past(now, at) => Err(()),
            due => Ok(due),
        }
    }

    fn tick_once(&mut self, w: &mut World<'_>) -> Option<Ms> {
        let now = w.now;
        let Ok(watched) = self.watch(now) else {
            self.forget();
            self.out_of_step(w, AtError::Garbled);
            return None;
        };
        let at = self.act(w)?;
        Some(watched.map_or(at, |watched| sooner(now, watched, at)))
    }

    fn act(&mut self, w: &mut World<'_>) -> Option<Ms> {
        let now = w.now;
        if !self.progress.is_done() {
            if past(now, self.out_limit) {
                self.out_of_step(w, AtError::Timeout);
                return None;
            }
            return Some(self.out_limit);
        }
        if let Some(job) = self.sending.take() {
            w.verdict = sectag::modem::Verdict::Done;
            self.job_ended(w, job, true);
            return None;
        }
        if let Some((_, deadline)) = self.awaited {
            if past(now, deadline) {
                self.out_of_step(w, AtError::Timeout);
                return None;
            }
            return Some(deadline);
        }
        if let Guest::Granted | Guest::Done = w.guest() {
            let until = *self.guest_until.get_or_insert(after(now, GUEST_LIMIT));
            if !past(now, until) {
                return Some(until);
            }
            w.guest_is_late();
        }
        self.guest_until = None;
        if let Some(flow) = &self.flow {
            match flow.ready(self, now) {
                Ok(()) => {}
                Err(at) => return Some(at),
            }
            match flow.steps.first() {
                Some(step) => self.step(w, step),
                None => self.flow_ended(w, true),
            }
            return None;
        }
        if self
            .parked
            .as_ref()
            .is_some_and(|flow| flow.ready(self, now).is_ok())
        {
            self.flow = self.parked.take();
            if let Some(Job::Open(place)) = self.flow.as_ref().map(|flow| flow.job) {
                w.be_at(place);
            }
            return None;
        }
        if self.ask_for_data(w) {
            return None;
        }
        self.next(w)
    }

    /// Begins the next job, and returns the time to look again.
    fn next(&mut self, w: &mut World<'_>) -> Option<Ms> {
        let now = w.now;
        if self.modem.file.handle().is_some() && w.guest() == Guest::None && !w.is_exclusive() {
            w.cleanup = true;
        }
        let brings_up = self
            .parked
            .as_ref()
            .is_some_and(|flow| flow.job == Job::BringUp);
        let (mut at, job) = if brings_up {
            (after(now, Ms::MAX), None)
        } else {
            w.next_job(&<Nwp<G> as Backend>::LIMITS, self.parked.is_some())
        };
        if let Some(Err(due)) = self.parked.as_ref().map(|flow| flow.ready(self, now)) {
            at = sooner(now, at, due);
        }
        let guest = w.guest() == Guest::Wants && w.serves_guests();
        match job {
            Some(job) if !(guest || w.is_exclusive()) || !job.is_for_users() || job.is_close() => {
                self.perform(w, job);
                None
            }
            _ if guest => {
                w.grant();
                None
            }
            Some(_) => Some(after(now, 1000)),
            None => Some(at),
        }
    }

    fn perform(&mut self, w: &mut World<'_>, job: Job) {
        if !w.begin_job(job, &<Nwp<G> as Backend>::LIMITS) {
            return self.job_ended(w, job, false);
        }
        let script = match job {
            Job::BringUp => Self::BRING_UP,
            Job::Open(_) => Self::OPEN,
            Job::Close(_) | Job::CloseStray(_) => Self::CLOSE,
            Job::Look(_) => Self::LOOK,
            Job::Liveness => Self::LIVENESS,
            Job::CleanUp => Self::CLEANUP,
            Job::PowerOff => Self::POWER_OFF,
            Job::Send(_, len) => return self.send(w, job, len),
            Job::NetworkLost => return self.down(w, false, Some(Loss::Network)),
            _ => return self.job_ended(w, job, false),
        };
        self.start(w, job, script);
    }

    // Data.

    fn send(&mut self, w: &mut World<'_>, job: Job, len: u16) {
        let takes = buffers(self.buffer, len);
        let needed = match Self::FACTS.buffer {
            // Each send takes one buffer, and one stays free.
            0 => 2,
            _ => Self::FACTS.pool_minimum.saturating_add(takes),
        };
        // A socket whose ring is full has no request at the chip. Without a buffer for the next one it would wait for as long as the peer of
        // this send takes nothing.
        if self.pool <= needed.saturating_add(self.unasked(w)) {
            w.verdict = sectag::modem::Verdict::Busy;
            return self.job_ended(w, job, true);
        }
        self.pool -= takes;
        let id = w.id;
        let mut writer = Writer::new(&mut self.out, self.modem.config.wiring, SEND);
        command::data(&mut writer, id, len);
        let Some(head) = writer.finish(len) else {
            return self.job_ended(w, job, false);
        };
        w.taken = len;
        self.submit(w, SEND, head, len);
        w.count_command();
        self.sending = Some(job);
    }

    /// Returns the number of connections without a recv request at the chip.
    fn unasked(&self, w: &World<'_>) -> u8 {
        let is_unasked =
            |place: &u8| w.room_in(*place).is_some() && self.receiving & 1 << place == 0;
        (0..w.places()).filter(is_unasked).count() as u8
    }

    /// Sends a recv request for a connection that has room and none outstanding; its answer is notice and data in one.
    fn ask_for_data(&mut self, w: &mut World<'_>) -> bool {
        let places = w.places();
        for step in 0..places {
            let place = (self.next_place + step) % places;
            let Some(room) = w.room_in(place) else {
                // Another connection may have the place by then.
                self.receiving &= !(1 << place);
                continue;
            };
            let least = w.capacity_in(place).div_ceil(2).min(1024);
            if self.receiving & 1 << place != 0 || room < least {
                continue;
            }
            if self.pool <= Self::FACTS.recv_minimum {
                return false;
            }
            let Some(id) = w.id_in(place) else { continue };
            let mut writer = Writer::new(&mut self.out, self.modem.config.wiring, RECV);
            // The chip takes requests up to 16000 bytes (sheet 3.5).
            command::data(&mut writer, id, room.min(16_000) as u16);
            let Some(head) = writer.finish(0) else {
                continue;
            };
            self.pool -= 1;
            self.receiving |= 1 << place;
            self.next_place = (place + 1) % places;
            self.submit(w, RECV, head, 0);
            return true;
        }
        false
    }
}

impl<G: Generation> Protocol for Engine<G> {
    type Backend = Nwp<G>;

    fn backend(&self) -> &Nwp<G> {
        &self.modem
    }

    fn backend_mut(&mut self) -> &mut Nwp<G> {
        &mut self.modem
    }

    fn feed(&mut self, w: &mut World<'_>, input: &[u8]) -> usize {
        self.byte_at = w.now;
        let mut rest = input;
        loop {
            // The parser's parts borrow from the input, not from the engine.
            match self.messages.next(&mut rest) {
                None => return input.len(),
                Some(Part::Header(header)) => self.message(w, header),
                Some(Part::Payload(part)) => self.payload(w, part),
                Some(Part::End) => self.message_ends(w),
            }
        }
    }

    fn tick(&mut self, w: &mut World<'_>) -> Ms {
        loop {
            if let Some(at) = self.tick_once(w) {
                return at;
            }
        }
    }

    fn next_out(&mut self, w: &mut World<'_>, into: &mut [u8]) -> usize {
        let Out {
            head, ring, sent, ..
        } = self.progress;
        if let Some(rest) = self.out[..head].get(sent..).filter(|rest| !rest.is_empty()) {
            let count = rest.len().min(into.len());
            into[..count].copy_from_slice(&rest[..count]);
            return count;
        }
        let left = (head + ring).saturating_sub(sent).min(into.len());
        if left > 0 {
            let count = w.payload(sent - head, &mut into[..left]);
            if count > 0 {
                return count;
            }
            // The user has dropped the socket, but the chip waits for the announced number of bytes: zeros complete it.
            into[..left].fill(0);
            return left;
        }
        let count = (self.progress.all() - sent).min(into.len());
        into[..count].fill(0);
        count
    }

    fn out_done(&mut self, w: &mut World<'_>, count: usize) {
        w.count_sent(count);
        self.progress.sent += count;
        self.out_limit = after(w.now, OUT_LIMIT);
    }

    fn out_turn(&self) -> u8 {
        self.turn
    }

    fn is_drained(&self) -> bool {
        self.progress.is_done()
    }

    fn wants_input(&self, _: &World<'_>) -> bool {
        true
    }

    fn stopped(&mut self, w: &mut World<'_>) {
        self.down(w, false, Some(Loss::BroughtUpAnew));
    }

    fn guest_is_gone(&mut self) {
        self.out.zeroize();
        self.answer.zeroize();
    }
}

/// Returns the number of the chip's buffers that a send of `len` bytes takes, where one holds `buffer` bytes (sheet 3.4). A number that
/// no chip has counts as the largest: such a send is never begun.
fn buffers(buffer: u16, len: u16) -> u8 {
    match len.saturating_sub(1).checked_div(buffer) {
        Some(more) => u8::try_from(more + 1).unwrap_or(u8::MAX),
        None => 1,
    }
}

/// Returns the number of bytes that an event has at least (sheet 3.6).
fn least_len(opcode: u16, reason_at: u8) -> usize {
    match opcode {
        INIT_COMPLETE | JOIN_FAILED => 1,
        PAYLOAD_SIZE | SOCKET_EVENT => 2,
        CONNECT_RESULT | CLOSED | TX_FAILED | RECEIVED => 3,
        IPV4_ACQUIRED => 4,
        DNS_RESULT => 8,
        DISCONNECTED => usize::from(reason_at) + 1,
        _ => 0,
    }
}

pub(super) const fn after(now: Ms, span: Ms) -> Ms {
    const LONGEST: Ms = 1 << 30;
    now.wrapping_add(if span < LONGEST { span } else { LONGEST })
}

pub(super) const fn past(now: Ms, at: Ms) -> bool {
    now.wrapping_sub(at) as i32 >= 0
}

const fn sooner(now: Ms, a: Ms, b: Ms) -> Ms {
    if (a.wrapping_sub(now) as i32) < (b.wrapping_sub(now) as i32) {
        a
    } else {
        b
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_send_takes_the_buffers_of_its_bytes_whatever_size_the_chip_announces() {
        assert_eq!(buffers(0, 1460), 1);
        assert_eq!((buffers(1460, 0), buffers(1460, 1)), (1, 1));
        assert_eq!((buffers(1460, 1460), buffers(1460, 1461)), (1, 2));
        // No chip has them; a count that wrapped would begin a send without any.
        assert_eq!((buffers(1, 255), buffers(1, 256)), (255, 255));
        assert_eq!(buffers(1, u16::MAX), 255);
    }
}
