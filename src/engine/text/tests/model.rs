//! A model check of recovery: whatever happens in whatever order, a modem that answers is brought back.
//!
//! Breadth first from a link that is up: every event in every state, until no new state appears or after
//! [`DEPTH`] events. States are told apart without times and without ids. From each of them a fair modem, which
//! does from then on what its manual says, must bring the link up within a bound of virtual time, and serve.

extern crate std;

use core::fmt::Write as _;
use core::hash::Hasher as _;
use std::collections::{BTreeMap, HashSet, VecDeque};
use std::hash::DefaultHasher;
use std::string::String;
use std::vec::Vec;
use std::{format, println};

use super::super::super::mailbox::{ExchangeState, Plan};
use super::super::super::slot::{Phase, Slot};
use super::super::super::time::{Ms, after};
use super::super::super::world::Link;
use super::super::flow::Flow;
use super::super::rescue::Rescue;
use super::super::{Engine, Stage};
use super::harness::*;

const DEPTH: usize = 10;
/// The longest way back: an attempt that had just failed with the longest pause ahead, and one that succeeds.
const BOUND: Ms = 60_000;
/// How long the fair modem takes for an answer.
const TURNAROUND: Ms = 20;
/// What was found when this was last looked at. More states are welcome.
const STATES: usize = 165_000;
const TRANSITIONS: usize = 805_000;
/// The slowest way back begins in front of an open whose result does not come.
const SLOWEST: Ms = 10_100;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    GoodAnswer,
    Refusal,
    Garbage,
    Silence,
    Boot,
    NetworkLost,
    Prompt,
    StrayOk,
    GuestPosted,
    GuestDropped,
    Opens,
    Writes,
    Data,
    PeerCloses,
    UserDrops,
}

const EVENTS: [Event; 15] = [
    Event::GoodAnswer,
    Event::Refusal,
    Event::Garbage,
    Event::Silence,
    Event::Boot,
    Event::NetworkLost,
    Event::Prompt,
    Event::StrayOk,
    Event::GuestPosted,
    Event::GuestDropped,
    Event::Opens,
    Event::Writes,
    Event::Data,
    Event::PeerCloses,
    Event::UserDrops,
];

/// What the modem really waits for, and holds.
#[derive(Clone, Default)]
struct Truth {
    line: Vec<u8>,
    /// Bytes of payload that it counts.
    counted: usize,
    /// What it has not answered.
    asked: Option<String>,
    open: u8,
    data: bool,
}

impl Truth {
    /// It takes in what it was sent.
    fn takes(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            match byte {
                _ if self.counted > 0 => {
                    self.counted -= 1;
                    if self.counted == 0 {
                        self.asked = Some("payload".into());
                    }
                }
                b'\r' => {
                    let line = core::mem::take(&mut self.line);
                    let text = String::from_utf8_lossy(&line).into_owned();
                    let text = text.trim_start_matches(['+', '\n']);
                    if !text.is_empty() {
                        self.asked = Some(text.into());
                    }
                }
                _ => self.line.push(byte),
            }
        }
    }

    /// What its manual says that it answers.
    fn answers(&mut self) -> Option<String> {
        let asked = self.asked.take()?;
        let (name, arguments) = asked.split_once('=').unwrap_or((&asked, ""));
        let mut numbers = arguments.split(',').map(|part| part.parse().unwrap_or(0));
        let (id, len) = (
            numbers.next().unwrap_or(0usize),
            numbers.next().unwrap_or(0usize),
        );
        let stands = self.open & 1 << id != 0;
        Some(match name {
            "AT" | "AT+X?" | "AT+CLEAN" => OK.into(),
            "AT+SYNC?" => SYNCED.into(),
            "AT+UP" => {
                self.open = 0;
                OK.into()
            }
            "AT+OPEN" => {
                self.open |= 1 << id;
                format!("{OK}\r\n+OPENED: {id},0\r\n")
            }
            "AT+SEND" if stands => {
                self.counted = len;
                "\r\n> ".into()
            }
            "payload" => "\r\nSEND OK\r\n".into(),
            "AT+RECV" if stands && core::mem::take(&mut self.data) => {
                "\r\n+RECV: 3\r\nabc\r\n\r\nOK\r\n".into()
            }
            "AT+RECV" => "\r\n+RECV: 0\r\n\r\nOK\r\n".into(),
            "AT+LOOK" => format!("\r\n+LOOK: {}\r\n{OK}", if stands { "UP" } else { "DOWN" }),
            "AT+CLOSE" => {
                self.open &= !(1 << id);
                OK.into()
            }
            _ => "\r\nERROR\r\n".into(),
        })
    }

    fn restarts(&mut self) {
        *self = Self::default();
    }
}

/// A state, and how it came about.
struct Node<const V: u8> {
    engine: Engine<Toy<V>>,
    world: Worlds,
    truth: Truth,
    unread: Vec<u8>,
    guest: bool,
    now: Ms,
    path: Vec<Event>,
}

/// The trace that states are played in.
struct Check<const V: u8> {
    t: Trace<V>,
    truth: Truth,
    guest: bool,
}

/// Hashes what is written.
struct Digest(DefaultHasher);

impl core::fmt::Write for Digest {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        self.0.write(text.as_bytes());
        Ok(())
    }
}

impl<const V: u8> Check<V> {
    fn save(&self, path: Vec<Event>) -> Node<V> {
        Node {
            engine: self.t.engine.borrow().clone(),
            world: self.t.world.borrow().snapshot(),
            truth: self.truth.clone(),
            unread: self.t.unread.clone(),
            guest: self.guest,
            now: self.t.now,
            path,
        }
    }

    fn load(&mut self, node: &Node<V>) {
        self.t.engine.replace(node.engine.clone());
        self.t.world.replace(node.world.snapshot());
        self.t.unread = node.unread.clone();
        self.t.now = node.now;
        self.t.sent.clear();
        self.truth = node.truth.clone();
        self.guest = node.guest;
        self.settle();
    }

    /// Everybody does what there is to do at this time.
    fn settle(&mut self) {
        loop {
            self.t.pump();
            let sent = core::mem::take(&mut self.t.sent);
            self.truth.takes(&sent);
            let guest = &mut self.guest;
            let moved = self.t.with(|engine, w| {
                let mut buf = [0; 32];
                for slot in &mut w.slots {
                    slot.rx.pop(&mut buf);
                }
                match w.mailbox.post {
                    ExchangeState::Granted => {
                        engine.out()[..6].copy_from_slice(b"AT+X?\r");
                        engine.begin_guest(w, 6, Plan::Lines, 3000).is_ok()
                    }
                    ExchangeState::Line => {
                        w.mailbox.post = ExchangeState::Running;
                        true
                    }
                    ExchangeState::Done(_) => {
                        w.mailbox.take_away();
                        *guest = false;
                        true
                    }
                    _ => false,
                }
            });
            if !moved && sent.is_empty() {
                return;
            }
        }
    }

    /// The socket that a user holds.
    fn held(&mut self) -> Option<usize> {
        self.t
            .with(|_, w| w.slots.iter().position(|slot| slot.user))
    }

    /// Makes `event` happen, if it can.
    fn happens(&mut self, event: Event) -> bool {
        let held = self.held();
        let id = held.map_or(0, |slot| self.t.id(slot));
        match event {
            Event::GoodAnswer => match self.truth.answers() {
                Some(answer) => self.t.hear(answer),
                None => return false,
            },
            Event::Refusal => {
                self.truth.asked = None;
                self.t.hear("\r\nERROR\r\n");
            }
            Event::Garbage => self.t.hear("\r\n%&#\r\n"),
            Event::Silence => {
                let left = self.t.due.wrapping_sub(self.t.now);
                self.t.after(left);
            }
            Event::Boot => {
                self.truth.restarts();
                self.t.hear("\r\nBOOT\r\n");
            }
            Event::NetworkLost => self.t.hear("\r\nNO NET\r\n"),
            Event::Prompt => {
                match self.truth.asked.as_deref() {
                    // It asks for what it was told of.
                    Some(asked) if asked.starts_with("AT+SEND") => {
                        self.truth.open = u8::MAX;
                        let _ = self.truth.answers();
                    }
                    _ => {}
                }
                self.t.hear("\r\n> ");
            }
            Event::StrayOk => self.t.hear(OK),
            // One that was dropped in the middle holds the line until its exchange has ended.
            Event::GuestPosted if self.line_is_held() => return false,
            Event::GuestPosted => self.posts(),
            Event::GuestDropped if !self.guest => return false,
            Event::GuestDropped => {
                self.guest = false;
                self.t.with(|engine, w| match w.mailbox.post {
                    ExchangeState::Running | ExchangeState::Line => {
                        w.mailbox.post = ExchangeState::Left
                    }
                    _ => {
                        engine.wipe_upload();
                        w.mailbox.take_away();
                    }
                });
            }
            Event::Opens => {
                let free = self
                    .t
                    .with(|_, w| w.slots.iter().any(Slot::is_free) && !w.opening);
                if held.is_some() || !free {
                    return false;
                }
                self.t.want();
            }
            Event::Writes => {
                let Some(slot) = held else { return false };
                let opens = self.t.with(|_, w| {
                    let slot = &mut w.slots[slot];
                    slot.write_error().is_none() && slot.phase == Phase::Open && slot.tx.len() == 0
                });
                if !opens {
                    return false;
                }
                self.t.write(slot, "abc");
                self.t.flush(slot);
            }
            Event::Data | Event::PeerCloses if held.is_none() => return false,
            Event::Data => {
                self.truth.data = true;
                self.t.hear(format!("\r\n+READY: {id}\r\n"));
            }
            Event::PeerCloses => {
                self.truth.open &= !(1 << id);
                self.t.hear(format!("\r\n+CLOSED: {id}\r\n"));
            }
            Event::UserDrops => match held {
                Some(slot) => self.t.leave(slot),
                None => return false,
            },
        }
        self.settle();
        true
    }

    fn line_is_held(&self) -> bool {
        self.t.world.borrow().mailbox.line.is_held()
    }

    fn posts(&mut self) {
        self.guest = true;
        self.t.with(|_, w| {
            let mut ticket = None;
            assert!(w.mailbox.line.is_turn(&mut ticket));
            w.mailbox.post = ExchangeState::Wanted;
        });
    }

    /// The state without times, counters and ids.
    fn key(&mut self) -> u64 {
        let mut digest = Digest(DefaultHasher::new());
        let truth = &self.truth;
        let asked = truth
            .asked
            .as_deref()
            .and_then(|asked| asked.split('=').next());
        let _ = write!(
            digest,
            "{:?}",
            (
                asked,
                truth.counted > 0,
                !truth.line.is_empty(),
                truth.data,
                self.guest
            )
        );
        let open = truth.open;
        let unread = self.t.unread.len();
        self.t.with(|e, w| {
            let flow = |flow: &Option<Flow<Toy<V>>>| {
                let flow = flow.as_ref()?;
                Some((
                    core::mem::discriminant(&flow.job),
                    flow.steps.as_ptr(),
                    flow.steps.len(),
                ))
            };
            let _ = write!(
                digest,
                "{:?}",
                (
                    e.stage, e.rescue, e.syncing, e.flags, e.marks, e.due, unread
                )
            );
            let _ = write!(
                digest,
                "{:?}",
                (
                    e.given_up,
                    e.mark_after,
                    e.answered_late,
                    e.last_sent.is_some(),
                    e.line_mode
                )
            );
            let _ = write!(
                digest,
                "{:?}",
                (
                    e.missed,
                    e.closed,
                    e.line_waits,
                    e.closed_before,
                    e.left > 0
                )
            );
            let _ = write!(
                digest,
                "{:?}",
                (
                    flow(&e.flow),
                    flow(&e.parked),
                    e.drained(),
                    e.guest_was_last
                )
            );
            let _ = write!(
                digest,
                "{:?}",
                (&e.deferred, e.framer.payload_left(), e.late_payload > 0)
            );
            let _ = write!(
                digest,
                "{:?}",
                (
                    w.link,
                    w.power,
                    w.answers,
                    w.restarted,
                    w.booted,
                    w.network_lost
                )
            );
            let _ = write!(
                digest,
                "{:?}",
                (
                    w.suspect,
                    w.cleanup,
                    w.opening,
                    w.failed_closes,
                    w.stray != 0,
                    w.errand
                )
            );
            let _ = write!(
                digest,
                "{:?}",
                (w.mailbox.post, w.exclusive, w.open.map(|open| open.result))
            );
            // Which of them is which does not matter.
            let mut slots: Vec<u64> = w
                .slots
                .iter()
                .map(|s| {
                    let stands = open & 1 << s.id != 0;
                    let first = (s.phase, s.user, s.in_modem, s.close, s.readable, stands);
                    let second = (s.peer_closed, s.check, s.flush, s.busy, s.asked, s.sending);
                    let mut digest = Digest(DefaultHasher::new());
                    let _ = write!(digest, "{:?}", (first, second, s.tx.len() > 0));
                    digest.0.finish()
                })
                .collect();
            slots.sort_unstable();
            let _ = write!(digest, "{slots:?}");
        });
        digest.0.finish()
    }

    fn is_at_rest(&self) -> bool {
        let engine = self.t.engine.borrow();
        let calm =
            engine.stage == Stage::Idle && engine.rescue == Rescue::Off && engine.flow.is_none();
        calm && engine.parked.is_none() && self.t.link() == Link::Up && !self.line_is_held()
    }

    /// From here on the modem is fair. How long it takes until the link is up, or why it is not.
    fn recovers(&mut self) -> Result<Ms, String> {
        let begun = self.t.now;
        self.fairly(BOUND, |check| check.is_at_rest())?;
        let took = self.t.now.wrapping_sub(begun);
        // It also serves: the user lets go of what it has and connects anew, and a guest is answered.
        if let Some(slot) = self.held() {
            self.t.leave(slot);
        }
        self.fairly(BOUND, |check| {
            check.t.with(|_, w| w.slots.iter().any(Slot::is_free)) && check.is_at_rest()
        })?;
        let slot = self.t.want();
        self.posts();
        self.fairly(BOUND, |check| {
            let open = check.t.with(|_, w| w.slots[slot].phase == Phase::Open);
            open && check.is_at_rest()
        })?;
        Ok(took)
    }

    /// A fair modem answers until something is so.
    fn fairly(&mut self, limit: Ms, so: impl Fn(&mut Self) -> bool) -> Result<(), String> {
        let end = after(self.t.now, limit);
        self.settle();
        while !so(self) {
            let left = end.wrapping_sub(self.t.now) as i32;
            if left <= 0 {
                let engine = self.t.engine.borrow();
                let what = (
                    engine.stage,
                    engine.rescue,
                    self.t.link(),
                    &self.truth.asked,
                );
                return Err(format!("still {what:?}"));
            }
            match self.truth.answers() {
                Some(answer) => {
                    self.t.after(TURNAROUND);
                    self.t.hear(answer);
                }
                None => {
                    let due = self.t.due.wrapping_sub(self.t.now).min(left as Ms);
                    self.t.after(due.max(1));
                }
            }
            self.settle();
        }
        Ok(())
    }
}

/// What was found.
struct Found {
    states: usize,
    transitions: usize,
    /// New states by the number of events that lead there.
    depths: Vec<usize>,
    /// How often each event happened.
    events: BTreeMap<Event, usize>,
    slowest: Ms,
}

fn check<const V: u8>(start: Ms, depth: usize) -> Result<Found, String> {
    let mut check = Check::<V> {
        t: Trace::new(start, false),
        truth: Truth::default(),
        guest: false,
    };
    check.fairly(BOUND, |check| check.is_at_rest())?;
    let mut known = HashSet::from([check.key()]);
    let mut frontier = VecDeque::from([check.save(Vec::new())]);
    let mut found = Found {
        states: 1,
        transitions: 0,
        depths: std::vec![1],
        events: BTreeMap::new(),
        slowest: 0,
    };
    while let Some(node) = frontier.pop_front() {
        for event in EVENTS {
            check.load(&node);
            if !check.happens(event) {
                continue;
            }
            found.transitions += 1;
            *found.events.entry(event).or_default() += 1;
            if !known.insert(check.key()) {
                continue;
            }
            let mut path = node.path.clone();
            path.push(event);
            found.states += 1;
            found.depths.resize(path.len() + 1, 0);
            found.depths[path.len()] += 1;
            let state = check.save(path);
            let took = check
                .recovers()
                .map_err(|why| format!("{:?}: {why}", state.path))?;
            found.slowest = found.slowest.max(took);
            if state.path.len() < depth {
                frontier.push_back(state);
            }
        }
    }
    Ok(found)
}

#[test]
fn from_every_state_a_fair_modem_is_brought_back() {
    let found = check::<THOROUGH>(STARTS[0], DEPTH).unwrap_or_else(|why| panic!("dead end: {why}"));
    println!("states {} transitions {}", found.states, found.transitions);
    println!("new states by depth: {:?}", found.depths);
    println!("events: {:?}", found.events);
    println!("slowest way back: {} ms", found.slowest);
    assert!(
        found.states >= STATES,
        "{} states, {STATES} before",
        found.states
    );
    assert!(
        found.transitions >= TRANSITIONS,
        "{} transitions",
        found.transitions
    );
    assert_eq!(found.events.len(), EVENTS.len(), "an event never happened");
    assert!(found.slowest <= SLOWEST, "{} ms", found.slowest);
    // The clock makes no difference.
    let wrapping = check::<THOROUGH>(STARTS[1], 6).unwrap_or_else(|why| panic!("dead end: {why}"));
    assert_eq!(wrapping.depths, found.depths[..7]);
}

#[test]
fn a_seeded_dead_end_is_found() {
    let why = check::<{ THOROUGH | DEAD_END }>(STARTS[0], DEPTH)
        .err()
        .expect("nothing was found");
    assert!(why.starts_with("[Boot]"), "{why}");
}
