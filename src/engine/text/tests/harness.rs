//! An invented modem, a world with two sockets, and the words that traces are written in.

extern crate std;

use core::cell::RefCell;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::boxed::Box;
use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use super::super::super::Open;
use super::super::super::guest::At;
use super::super::super::protocol::Protocol;
use super::super::super::scheduler::Job;
use super::super::super::slot::{Phase, Slot};
use super::super::super::time::test_clock;
use super::super::super::time::{Ms, after, past};
use super::super::super::world::{Link, World};
use super::super::rescue::Rescue;
use super::super::{Engine, Stage};
use crate::Tag;
use crate::at::{AtatCmd, AtatResp, Out};
use crate::capabilities::{Capabilities, Verification};
use crate::error::{AtError, Code, ConnectError, SocketError};
use crate::modem::{
    Abort, BRING_UP, CLEANUP, CLOSE, FETCH, Final, LIVENESS, LOOK, Limits, Line, Modem, NOT_YET,
    OPEN, POWER_OFF, SEND, SLEEP, Step, Sync, Then, Urc, Verdict, Waits, ask, decide, either_way,
};
use crate::tls::TlsConfig;

/// The modem needs 50 ms of silence behind each line.
pub(super) const GAPPY: u8 = 1;
/// It needs 50 ms between prompt and payload.
pub(super) const PAUSES: u8 = 2;
/// Its manual says that two line ends follow fetched payload.
pub(super) const FRAMED: u8 = 4;
/// It chooses the ids of its sockets.
pub(super) const CHOOSES: u8 = 8;
/// Its bring-up gets out of everything that an earlier life may have begun.
pub(super) const THOROUGH: u8 = 16;
/// Seeded defect: its bring-up waits for something that never comes.
pub(super) const DEAD_END: u8 = 32;
/// The answer to a fetch begins within 1.5 s, or the fetch was lost.
pub(super) const LOSES: u8 = 64;

pub(super) const SYNCED: &str = "\r\n+SYNC: 1\r\n\r\nOK\r\n";
pub(super) const OK: &str = "\r\nOK\r\n";

/// The clock at the start, and a second before it wraps.
pub(super) const STARTS: [Ms; 2] = [0, 0u32.wrapping_sub(1000)];

/// An invented modem, in as many variants as its bits say.
#[derive(Clone, Default)]
pub(super) struct Toy<const V: u8 = 0> {
    /// What judges saw.
    pub(super) seen: Vec<String>,
    /// How long the argument `z` is.
    pub(super) length: usize,
}

fn number(text: &[u8]) -> u16 {
    core::str::from_utf8(text)
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(0)
}

fn pair(text: &[u8]) -> (u8, u16) {
    let mut parts = text.splitn(2, |&byte| byte == b',');
    let first = number(parts.next().unwrap_or(b""));
    (first as u8, number(parts.next().unwrap_or(b"")))
}

impl<const V: u8> Toy<V> {
    const BRING_UP: &'static [Step<Self>] = &[
        decide(|_, w, _| {
            (w.restarted, w.booted) = (false, false);
            Then::Synchronise
        }),
        ask("AT+UP"),
    ];
    /// The order is that of the real ones: data mode, announced bytes, quotes.
    const BRING_UP_THOROUGHLY: &'static [Step<Self>] = &[
        decide(|_, w, _| {
            (w.restarted, w.booted) = (false, false);
            Then::Escape
        }),
        decide(|_, w, _| {
            w.fill = (b'\n', 8);
            Then::Fill
        }),
        decide(|_, _, _| Then::Synchronise),
        ask("AT+UP"),
    ];
    /// Behind a restart, waits for ever for a flag that only it would take back.
    const BRING_UP_IN_VAIN: &'static [Step<Self>] = &[
        decide(|_, w, _| match w.restarted {
            true => w.again(1000),
            false => Then::Next,
        }),
        decide(|_, _, _| Then::Synchronise),
        ask("AT+UP"),
    ];
    const OPEN: &'static [Step<Self>] = &[
        decide(|_, w, _| {
            w.expect_open();
            Then::Next
        }),
        ask("AT+OPEN={i}").then(|_, w, answer| {
            if answer.is_none() {
                return w.fail(AtError::Refused(w.code));
            }
            w.pause = 10_000;
            Then::Park
        }),
        decide(|_, w, _| match w.open {
            Some(open) if open.result == 0 => Then::Next,
            Some(open) if open.result != NOT_YET => {
                w.fail(AtError::Refused(Code::Cme(open.result)))
            }
            _ => w.fail(AtError::Timeout),
        }),
    ];
    const OPEN_CHOSEN: &'static [Step<Self>] = &[ask("AT+OPEN").each(|_, w, line| {
        if let Some(id) = line.strip_prefix(b"+OPEN:") {
            w.take_id(number(id) as u8);
        }
    })];
    const SEND: &'static [Step<Self>] =
        &[ask("AT+SEND={i},{l}").sends().limit(100).then(Self::sent)];
    const FETCH: &'static [Step<Self>] =
        &[ask("AT+RECV={i},{l}").fetches().then(|_, w, answer| {
            w.verdict = match (answer, w.received) {
                (Some(_), Some(0)) => Verdict::Empty,
                (Some(_), Some(_)) => Verdict::Done,
                (Some(_), None) => Verdict::Gone,
                (None, _) => Verdict::NotConnected,
            };
            Then::End
        })];
    const LOOK: &'static [Step<Self>] = &[ask("AT+LOOK={i}").then(|_, w, answer| {
        let stands = answer.is_some_and(|answer| answer.ends_with(b"UP"));
        w.verdict = if stands {
            Verdict::Standing
        } else {
            Verdict::Gone
        };
        Then::End
    })];
    const CLOSE: &'static [Step<Self>] = &[ask("AT+CLOSE={i}")];
    const LIVENESS: &'static [Step<Self>] = &[ask("AT").limit(10).then(either_way)];
    const CLEANUP: &'static [Step<Self>] = &[ask("AT+CLEAN")];
    const POWER_OFF: &'static [Step<Self>] = &[ask("AT+OFF")];
    const SLEEP: &'static [Step<Self>] = &[ask("AT+NAP")];

    /// The judge of every send.
    pub(super) fn sent(&mut self, w: &mut World<'_>, answer: Option<&[u8]>) -> Then {
        w.verdict = match answer {
            Some(_) if w.send_failed => Verdict::Busy,
            Some(_) => Verdict::Done,
            None => Verdict::NotConnected,
        };
        Then::End
    }

    /// A judge that notes what it is noted, and goes on.
    pub(super) fn tell(&mut self, w: &mut World<'_>, answer: Option<&[u8]>) -> Then {
        self.seen.push(match (answer, w.ended) {
            (Some(answer), _) => format!("ok {}", answer.escape_ascii()),
            (None, Some(error)) => format!("{error:?}"),
            (None, None) => format!("refused {:?}", w.code),
        });
        Then::Next
    }
}

/// A command whose judge notes what it is told.
pub(super) const fn noted<const V: u8>(text: &'static str) -> Step<Toy<V>> {
    ask(text).then(Toy::tell)
}

impl<const V: u8> Modem for Toy<V> {
    type Framing = crate::at::framing::Plain;
    const NAME: &'static str = "toy";
    const LIMITS: Limits = Limits {
        ids: if V & CHOOSES == 0 { 4 } else { 0 },
        max_receive: 16,
        max_send: 8,
        sockets: 2,
    };
    const SYNC: Sync = Sync {
        answer: "+SYNC:",
        command: "AT+SYNC?",
    };
    const FETCH_PATIENCE: u16 = if V & LOSES == 0 { 0 } else { 1500 };
    const PAYLOAD_ENDS: u8 = if V & FRAMED == 0 { 0 } else { 2 };
    const GAP: u16 = if V & GAPPY == 0 { 0 } else { 50 };
    const PROMPT_PAUSE: u16 = if V & PAUSES == 0 { 0 } else { 50 };
    const SECRET: &'static [&'static str] = &["+KEY"];

    fn line(&mut self, line: &[u8], _: &[u8]) -> Line {
        let urc = |urc| Line::Urc(urc);
        match line {
            b"OK" => return Line::Final(Final::Ok),
            b"ERROR" => return Line::Final(Final::Error(Code::Plain)),
            b"SEND OK" => return Line::Final(Final::SendOk),
            b"SEND FAIL" => return Line::Final(Final::SendFail),
            b"CONNECT" => return Line::Final(Final::Connect),
            b"BOOT" => return urc(Urc::Restarted),
            b"READY" => return urc(Urc::Booted),
            b"NO NET" => return urc(Urc::NetworkLost),
            b"SLEEPING" => return urc(Urc::Saving),
            _ => {}
        }
        let Some(colon) = line.iter().position(|&byte| byte == b':') else {
            return Line::Info;
        };
        let (name, text) = (&line[..colon], &line[colon + 1..]);
        let (id, value) = pair(text);
        match name {
            b"+CME ERROR" => Line::Final(Final::Error(Code::Cme(number(text)))),
            b"+RECV" => Line::Payload(number(text)),
            b"+PUSH" => Line::Push { id, len: value },
            b"+READY" => urc(Urc::Readable { id }),
            b"+CLOSED" => urc(Urc::Closed { id }),
            b"+OPENED" => urc(Urc::Opened { id, result: value }),
            b"+REPORT" => urc(Urc::Report),
            b"+NOTE" => urc(Urc::Other),
            _ => Line::Info,
        }
    }

    fn script(number: u8) -> &'static [Step<Self>] {
        match number {
            BRING_UP if V & DEAD_END != 0 => Self::BRING_UP_IN_VAIN,
            BRING_UP if V & THOROUGH != 0 => Self::BRING_UP_THOROUGHLY,
            BRING_UP => Self::BRING_UP,
            OPEN if V & CHOOSES != 0 => Self::OPEN_CHOSEN,
            OPEN => Self::OPEN,
            SEND => Self::SEND,
            FETCH => Self::FETCH,
            LOOK => Self::LOOK,
            CLOSE => Self::CLOSE,
            LIVENESS => Self::LIVENESS,
            CLEANUP => Self::CLEANUP,
            POWER_OFF => Self::POWER_OFF,
            SLEEP => Self::SLEEP,
            _ => &[],
        }
    }

    fn admit(&self, _: &TlsConfig) -> Result<(), ConnectError> {
        Ok(())
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::UNKNOWN
    }

    fn argument(&self, name: u8, w: &World<'_>, out: &mut Out<'_>) {
        match name {
            b'i' => out.int(w.id.into()),
            b'l' => out.int(w.len.into()),
            b'z' => (0..self.length).for_each(|_| out.byte(b'z')),
            _ => {}
        }
    }

    fn abort(waits: Waits) -> Abort {
        match waits {
            Waits::Line => Abort::Synchronise,
            Waits::Counted => Abort::Filler,
            Waits::Data => Abort::Escape,
            Waits::Quoted => Abort::Quote,
            Waits::Prompt => Abort::Restart,
        }
    }
}

/// A future of a handle's.
pub(super) type Guest<T> = Pin<Box<dyn Future<Output = T>>>;

/// A typed command.
pub(super) struct Typed(pub(super) &'static str);

/// Its response: the information text as it came.
#[derive(Debug, PartialEq)]
pub(super) struct Said(pub(super) String);

impl AtatResp for Said {}

impl AtatCmd for Typed {
    type Response = Said;
    const MAX_TIMEOUT_MS: u32 = 3000;

    fn write(&self, buf: &mut [u8]) -> usize {
        let line = [self.0.as_bytes(), b"\r"].concat();
        if let Some(room) = buf.get_mut(..line.len()) {
            room.copy_from_slice(&line);
        }
        line.len()
    }

    fn parse(&self, answer: Result<&[u8], atat::InternalError<'_>>) -> Result<Said, atat::Error> {
        Ok(Said(String::from_utf8_lossy(answer?).into_owned()))
    }
}

/// The rings of a world with two sockets.
const RX: usize = 32;
const TX: usize = 128;
pub(super) const SLOTS: usize = 2;

pub(super) type Worlds = World<'static, [Slot<'static>; SLOTS]>;

/// An engine and all that is around it.
pub(super) struct Trace<const V: u8 = 0> {
    pub(super) engine: &'static RefCell<Engine<Toy<V>>>,
    pub(super) world: &'static RefCell<Worlds>,
    pub(super) now: Ms,
    /// When the engine wants to be called again.
    pub(super) due: Ms,
    /// What the UART was given and the trace has not yet looked at.
    pub(super) sent: Vec<u8>,
    /// What the engine did not take in yet.
    pub(super) unread: Vec<u8>,
    /// What comes in comes byte by byte.
    bytewise: bool,
    /// The UART does not say that what it was given is out.
    held: bool,
    in_flight: Option<(usize, u8, u8)>,
}

/// Runs a trace from each start, whole and byte by byte, with the link up.
pub(super) fn trace<const V: u8>(play: impl Fn(&mut Trace<V>)) {
    cold(|t| {
        t.comes_up();
        play(t);
    });
}

/// As [`trace`], with a modem of which nothing is known.
pub(super) fn cold<const V: u8>(play: impl Fn(&mut Trace<V>)) {
    for start in STARTS {
        for bytewise in [false, true] {
            std::println!("clock at {start}, byte by byte: {bytewise}");
            play(&mut Trace::new(start, bytewise));
        }
    }
}

impl<const V: u8> Trace<V> {
    pub(super) fn new(start: Ms, bytewise: bool) -> Self {
        let mut world: Worlds = World::new([const { Slot::new() }; SLOTS]);
        for slot in &mut world.slots {
            slot.rx.set_memory(Box::leak(Box::new([0; RX])));
            slot.tx.set_memory(Box::leak(Box::new([0; TX])));
            // As the runner does with its own.
            slot.retry_at = start;
        }
        let w: &mut World<'static> = &mut world;
        w.begin(start);
        Self {
            engine: Box::leak(Box::new(RefCell::new(Engine::new(Toy::default())))),
            world: Box::leak(Box::new(RefCell::new(world))),
            now: start,
            due: start,
            sent: Vec::new(),
            unread: Vec::new(),
            bytewise,
            held: false,
            in_flight: None,
        }
    }

    /// Looks at engine and world, or changes them as a handle does, which wakes the runner.
    pub(super) fn with<T>(
        &mut self,
        act: impl FnOnce(&mut Engine<Toy<V>>, &mut World<'static>) -> T,
    ) -> T {
        self.run(|engine, w| {
            w.wake_runner();
            act(engine, w)
        })
    }

    /// What the runner does.
    fn run<T>(&mut self, act: impl FnOnce(&mut Engine<Toy<V>>, &mut World<'static>) -> T) -> T {
        let mut world = self.world.borrow_mut();
        world.now = self.now;
        act(&mut self.engine.borrow_mut(), &mut *world)
    }

    /// Does what the runner would do at this time.
    pub(super) fn pump(&mut self) {
        for _ in 0..1000 {
            let mut moved = false;
            while !self.unread.is_empty() {
                let count = if self.bytewise { 1 } else { self.unread.len() };
                let input: Vec<u8> = self.unread[..count].into();
                let taken = self.run(|engine, w| match engine.wants_input(w) {
                    true => engine.feed(w, &input),
                    false => 0,
                });
                self.unread.drain(..taken);
                moved |= taken > 0;
                if taken == 0 {
                    break;
                }
                if self.bytewise {
                    self.due = self.run(|engine, w| engine.tick(w));
                    self.transmit();
                }
            }
            self.due = self.run(|engine, w| engine.tick(w));
            moved |= self.transmit();
            if !moved && !past(self.now, self.due) {
                return;
            }
        }
        let stage = self.engine.borrow().stage;
        panic!(
            "the engine never rests: {stage:?} at {}, due {}",
            self.now, self.due
        );
    }

    fn transmit(&mut self) -> bool {
        if self.in_flight.is_some() {
            return false;
        }
        let mut buf = [0; 64];
        let (count, generation, turn) = self.run(|engine, w| {
            (
                engine.next_out(w, &mut buf),
                w.generation,
                engine.out_turn(),
            )
        });
        if count == 0 {
            return false;
        }
        self.sent.extend(&buf[..count]);
        self.in_flight = Some((count, generation, turn));
        if !self.held {
            self.is_out();
        }
        true
    }

    /// The UART says that what it was given is out.
    fn is_out(&mut self) {
        if let Some((count, generation, turn)) = self.in_flight.take() {
            self.with(|engine, w| {
                if w.generation == generation && engine.out_turn() == turn {
                    engine.out_done(w, count);
                }
            });
        }
    }

    /// From now on the UART says nothing of what it was given.
    pub(super) fn hold(&mut self) {
        self.held = true;
    }

    /// It says it, and goes on as usual.
    pub(super) fn release(&mut self) {
        self.held = false;
        self.is_out();
        self.pump();
    }

    /// The modem says this.
    #[track_caller]
    pub(super) fn hear(&mut self, bytes: impl AsRef<[u8]>) {
        self.unread.extend(bytes.as_ref());
        self.pump();
    }

    /// The modem was told exactly this since the last look.
    #[track_caller]
    pub(super) fn sends(&mut self, bytes: impl AsRef<[u8]>) {
        self.pump();
        let (sent, wanted) = (core::mem::take(&mut self.sent), bytes.as_ref());
        assert!(
            sent == wanted,
            "sent \"{}\" and not \"{}\"",
            sent.escape_ascii(),
            wanted.escape_ascii()
        );
    }

    #[track_caller]
    pub(super) fn silent(&mut self) {
        self.sends("");
    }

    /// One exchange.
    #[track_caller]
    pub(super) fn plays(&mut self, command: &str, answer: &str) {
        self.sends(command);
        self.hear(answer);
    }

    /// Time goes by; whatever becomes due meanwhile is done in time.
    #[track_caller]
    pub(super) fn after(&mut self, span: Ms) {
        let end = self.now.wrapping_add(span);
        self.pump();
        loop {
            let (to_due, to_end) = (self.due.wrapping_sub(self.now), end.wrapping_sub(self.now));
            if to_due >= to_end {
                break;
            }
            self.now = self.due;
            self.pump();
        }
        self.now = end;
        self.pump();
    }

    /// Time goes by with a modem that answers at once.
    #[track_caller]
    pub(super) fn after_answering(&mut self, span: Ms, answer: impl Fn(&[u8]) -> &'static str) {
        let end = self.now.wrapping_add(span);
        loop {
            self.pump();
            let asked = core::mem::take(&mut self.sent);
            if !asked.is_empty() {
                self.hear(answer(&asked));
                continue;
            }
            if self.now == end {
                return;
            }
            let (to_due, to_end) = (self.due.wrapping_sub(self.now), end.wrapping_sub(self.now));
            self.now = if to_due < to_end { self.due } else { end };
        }
    }

    /// Nothing goes on, and the modem was told nothing more.
    #[track_caller]
    pub(super) fn idle(&mut self) {
        self.silent();
        let engine = self.engine.borrow();
        assert_eq!((engine.stage, engine.rescue), (Stage::Idle, Rescue::Off));
        assert!(engine.flow.is_none(), "a flow is under way");
    }

    /// The modem is brought up.
    #[track_caller]
    pub(super) fn comes_up(&mut self) {
        self.plays("AT+SYNC?\r", SYNCED);
        self.plays("AT+UP\r", OK);
        assert_eq!(self.link(), Link::Up);
    }

    pub(super) fn link(&self) -> Link {
        self.world.borrow().link
    }

    /// A flow of these steps, whose end concerns nobody.
    pub(super) fn flow(&mut self, steps: &'static [Step<Toy<V>>]) {
        self.flow_of(Job::Liveness, steps);
    }

    pub(super) fn flow_of(&mut self, job: Job, steps: &'static [Step<Toy<V>>]) {
        self.with(|engine, w| {
            assert!(job.begin(w, &Toy::<V>::LIMITS));
            engine.start(w, job, steps);
        });
        self.pump();
    }

    /// A send of `bytes` on socket 0, by these steps.
    pub(super) fn sends_by(&mut self, steps: &'static [Step<Toy<V>>], bytes: &[u8]) {
        self.with(|_, w| assert_eq!(w.slots[0].tx.push(bytes), bytes.len()));
        self.flow_of(Job::Send(0, bytes.len() as u16), steps);
    }

    /// What judges were told since the last look.
    #[track_caller]
    pub(super) fn saw(&mut self, wanted: &[&str]) {
        let seen = core::mem::take(&mut self.engine.borrow_mut().modem.seen);
        assert_eq!(seen, wanted);
    }

    /// A user asks for a connection.
    pub(super) fn want(&mut self) -> usize {
        let index = self.with(|_, w| {
            let index = w.slots.iter().position(Slot::is_free).unwrap();
            let now = w.now;
            w.slots[index].arm(now);
            w.slots[index].tx.push(b"host");
            w.open = Some(Open {
                config: TlsConfig::new(Tag(1)),
                port: 8883,
                context: index as u8,
                result: NOT_YET,
                verified: Verification::UNKNOWN,
            });
            index
        });
        self.pump();
        index
    }

    /// The modem's id of a socket.
    pub(super) fn id(&self, slot: usize) -> u8 {
        self.world.borrow().slots[slot].id
    }

    /// A user gets a connection.
    #[track_caller]
    pub(super) fn open(&mut self) -> usize {
        let slot = self.want();
        let id = self.id(slot);
        self.plays(&format!("AT+OPEN={id}\r"), OK);
        self.hear(format!("\r\n+OPENED: {id},0\r\n"));
        self.is(slot, Phase::Open);
        slot
    }

    #[track_caller]
    pub(super) fn is(&self, slot: usize, phase: Phase) {
        assert_eq!(self.world.borrow().slots[slot].phase, phase);
    }

    #[track_caller]
    pub(super) fn is_reset(&self, slot: usize) {
        self.is(slot, Phase::Failed(SocketError::ConnectionReset));
    }

    /// A user writes.
    pub(super) fn write(&mut self, slot: usize, bytes: &str) {
        self.with(|_, w| {
            let at = after(w.now, w.linger);
            assert_eq!(w.slots[slot].tx.push(bytes.as_bytes()), bytes.len());
            w.slots[slot].send_at = at;
        });
        self.pump();
    }

    /// A user waits until everything is sent.
    pub(super) fn flush(&mut self, slot: usize) {
        self.with(|_, w| w.slots[slot].flush = true);
        self.pump();
    }

    /// What there is to read.
    pub(super) fn read(&mut self, slot: usize) -> String {
        let mut buf = [0; RX];
        let count = self.with(|_, w| w.slots[slot].rx.pop(&mut buf));
        self.pump();
        buf[..count].escape_ascii().to_string()
    }

    /// A user drops the socket.
    pub(super) fn leave(&mut self, slot: usize) {
        self.with(|_, w| {
            let opens = matches!(w.slots[slot].phase, Phase::Wanted | Phase::Opening);
            w.slots[slot].abandon();
            if opens && w.open.is_some_and(|open| usize::from(open.context) == slot) {
                w.open = None;
            }
        });
        self.pump();
    }

    /// A handle of a user's for exchanges of its own.
    pub(super) fn at(&self) -> At<'static, Toy<V>> {
        At::new(self.world, self.engine)
    }

    /// Sends `command`; the result are its information lines.
    pub(super) fn lines(&self, command: &'static str) -> Guest<Result<Vec<String>, AtError>> {
        let at = self.at();
        Box::pin(async move {
            let mut lines = Vec::new();
            let mut sink = |line: &[u8]| lines.push(line.escape_ascii().to_string());
            at.lines(&Typed(command), &mut sink).await?;
            Ok(lines)
        })
    }

    /// Sends `command`; the result is its information text.
    pub(super) fn typed(&self, command: &'static str) -> Guest<Result<Said, AtError>> {
        let at = self.at();
        Box::pin(async move { at.send(&Typed(command)).await })
    }

    /// Sends a line that somebody typed; the result are its information lines.
    pub(super) fn raw(&self, line: &'static str) -> Guest<Result<Vec<String>, AtError>> {
        let at = self.at();
        Box::pin(async move {
            let mut lines = Vec::new();
            let mut sink = |line: &[u8]| lines.push(line.escape_ascii().to_string());
            at.raw(line, embassy_time::Duration::from_secs(3), &mut sink)
                .await?;
            Ok(lines)
        })
    }

    /// Polls a user's future until it waits for the modem.
    pub(super) fn poll<T>(&mut self, guest: &mut Guest<T>) -> Option<T> {
        for _ in 0..50 {
            test_clock::set(self.now);
            let mut cx = Context::from_waker(Waker::noop());
            if let Poll::Ready(end) = guest.as_mut().poll(&mut cx) {
                self.pump();
                return Some(end);
            }
            self.pump();
        }
        None
    }

    /// It waits for the modem, or for its turn.
    #[track_caller]
    pub(super) fn waits<T>(&mut self, guest: &mut Guest<T>) {
        assert!(self.poll(guest).is_none(), "it has ended");
    }

    /// It has ended.
    #[track_caller]
    pub(super) fn ends<T>(&mut self, guest: &mut Guest<T>) -> T {
        self.poll(guest).expect("it has not ended")
    }
}
