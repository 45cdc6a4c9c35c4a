//! The shared state of one modem's engine and the synchronous part of it: what a line, a prompt or
//! payload does to the running exchange and to the sockets.
//!
//! Single-threaded: everything is a `Cell`, no borrow is held across an await point.

use core::cell::{Cell, RefCell};

use embassy_time::{Duration, Instant};
use zeroize::Zeroize;

use super::notify::Notify;
use super::push::Push;
use super::slots::{SocketPhase, Table};
use super::turn::Turn;
use crate::at::framer::{Event, Framer};
use crate::error::{BringUpError, SocketError};
use crate::fmt::Ascii;
use crate::modem::{Final, Line, Modem, Phase, Slot, Sync, Terminator, Timing, Urc};

/// Longest command line, and largest chunk of an upload, in bytes.
pub const COMMAND_LIMIT: usize = 384;
/// Longest answer of a typed command, its information lines together; and the most that
/// [`At::fetch`](crate::At::fetch) brings.
pub const ANSWER_LIMIT: usize = 256;
/// Longest watched URC.
const WATCH_LIMIT: usize = 64;
/// Other drivers give a prompt 5 s (bg96 sheet, 4.3). As long as it is awaited, a late one gets the
/// payload it is for; afterwards it would get the next command.
const PROMPT_LIMIT: Duration = Duration::from_secs(20);
/// Payload comes without pauses. A modem that restarts in the middle of it is noticed by this one:
/// its banner is counted as payload, and so is what it says of its SIM half a second later. Within 2 s
/// of the banner the sockets must know.
pub(crate) const PAYLOAD_PAUSE: Duration = Duration::from_secs(1);
/// So many fetches in a row whose payload is followed by one line end only are the firmware's way to do it,
/// and not noise.
const LONE_ENDS: u8 = 2;
/// What a modem that has just started owes an answer to, it answers within this time.
const BOOTED_PATIENCE: Duration = Duration::from_secs(1);
/// `+QSSLRECV` and the like; longer names are compared by their first part.
const NAME_LIMIT: usize = 16;

/// Where the running exchange is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The modem counts our bytes.
    Data {
        left: usize,
    },
    /// It ended; whoever runs it has not seen that yet.
    Done(Outcome),
    Idle,
    /// An information line waits for the caller; the framer is paused on it.
    Info,
    /// Lines and a final result are expected.
    Line,
    /// A prompt or `CONNECT` is expected.
    Prompt,
    /// Payload is coming in.
    Receiving,
    /// Behind payload: only the final result is legal, and URCs, which take effect with it.
    Tail,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Final(Final),
    /// The grammar was violated.
    Garbled,
    Reset,
}

/// What an exchange carries besides lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    /// Information lines are collected for a typed response.
    Collect,
    /// Information lines are handed to the caller one by one.
    Lines,
    /// The same, and long ones in pieces.
    Pieces,
    /// After `OK`, the caller hands over bytes of a socket's: exactly `len`, where the modem was told how
    /// many, or else until data mode is left.
    Pipe { slot: Slot, len: Option<usize> },
    /// The line ends inside quotes, and `len` bytes follow, the last of which close and end it.
    Quoted { len: usize },
    /// At most `max` bytes of payload are collected in the place of an answer.
    Fetch { max: usize },
    /// The same for a line that somebody typed: the modem may do something else than answer.
    Raw,
    /// At most `max` bytes of payload are staged in a ring; the supervisor commits them.
    Receive { slot: Slot, max: usize },
    /// After `> `, `len` bytes go out of a ring.
    Send { slot: Slot, len: usize },
    /// After `CONNECT`, `len` bytes follow through the command buffer.
    Upload { len: usize },
}

/// Whether the modem can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    Down,
    Failed(BringUpError),
    Up,
}

/// Whether the runner leaves the modem alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rest {
    /// It does not.
    No,
    /// In light sleep, with its sockets.
    #[cfg(feature = "sleep")]
    Dozing,
    /// In power saving mode, until it is used.
    Saving,
    /// Switched off, until it is switched on.
    Off,
    /// It is being woken from light sleep.
    #[cfg(feature = "sleep")]
    Waking,
}

/// Finding the way back into a known state, see `custodian`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resync {
    /// The marker's answer was seen.
    Answered,
    /// Everything is skipped until the marker's answer.
    Deaf,
    Off,
    Synchronised,
}

#[derive(Clone)]
pub(crate) struct Text<const N: usize> {
    bytes: [u8; N],
    len: usize,
    overflow: bool,
}

impl<const N: usize> Text<N> {
    const fn new() -> Self {
        Self {
            bytes: [0; N],
            len: 0,
            overflow: false,
        }
    }

    pub(crate) fn clear(&mut self) {
        self.len = 0;
        self.overflow = false;
    }

    /// Leaves nothing of what it held.
    pub(crate) fn wipe(&mut self) {
        self.bytes.zeroize();
        self.clear();
    }

    fn push(&mut self, bytes: &[u8]) {
        let fits = bytes.len().min(N - self.len);
        self.bytes[self.len..self.len + fits].copy_from_slice(&bytes[..fits]);
        self.len += fits;
        self.overflow |= fits < bytes.len();
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    pub(crate) fn overflowed(&self) -> bool {
        self.overflow
    }
}

pub(crate) struct Watch {
    prefix: &'static str,
    text: Text<WATCH_LIMIT>,
}

impl Watch {
    pub(crate) fn arm(&mut self, prefix: &'static str) {
        self.prefix = prefix;
        self.text.clear();
    }

    pub(crate) fn copy(&self) -> Text<WATCH_LIMIT> {
        self.text.clone()
    }

    pub(crate) fn seen(&self) -> Option<&[u8]> {
        Some(self.text.as_bytes()).filter(|text| !text.is_empty())
    }
}

/// Figures since the start, wrapping.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Counters {
    /// Commands sent.
    pub exchanges: u32,
    /// Bytes from the modem.
    pub received: u32,
    /// Bytes to the modem.
    pub sent: u32,
    /// Times the modem went down: resets, lost network, no answer.
    pub restarts: u32,
    /// Times an exchange was given up and the channel synchronised anew.
    pub resyncs: u32,
    /// Notices dropped because too many came within one answer. Every socket is then asked, so that
    /// it costs time, not data.
    pub dropped: u32,
}

/// What does not change while the driver runs.
pub(crate) struct Fixed {
    pub(crate) secret: &'static [&'static str],
    pub(crate) sync: Sync,
    pub(crate) timing: Timing,
    #[cfg(feature = "tap")]
    pub(crate) tap: Option<&'static dyn crate::tap::Tap>,
}

pub(crate) struct Core {
    pub(crate) fixed: Fixed,
    pub(crate) framer: RefCell<Framer>,
    pub(crate) out: RefCell<[u8; COMMAND_LIMIT]>,
    pub(crate) out_len: Cell<usize>,
    pub(crate) out_sent: Cell<usize>,
    /// Counted bytes that the UART has and has not yet said that they are out.
    in_flight: Cell<usize>,
    /// How much of `out` the UART was given, whether or not it has said that it is done.
    out_given: Cell<usize>,
    /// Counts what was put into `out`: a write of an earlier content must not count for this one.
    pub(crate) out_turn: Cell<u32>,
    pub(crate) terminator: Cell<Terminator>,
    pub(crate) answer: RefCell<Text<ANSWER_LIMIT>>,
    pub(crate) watch: RefCell<Watch>,
    pub(crate) name: RefCell<Text<NAME_LIMIT>>,
    /// The running command's arguments are secret, and its answer may repeat them.
    pub(crate) secret: Cell<bool>,
    #[cfg(feature = "tap")]
    pub(crate) out_class: Cell<crate::tap::Sent>,
    deferred: RefCell<heapless::Vec<Urc, 4>>,
    pub(crate) stage: Cell<Stage>,
    pub(crate) plan: Cell<Plan>,
    pub(crate) deadline: Cell<Instant>,
    pub(crate) timeout: Cell<Duration>,
    pub(crate) received: Cell<Option<usize>>,
    /// How many bytes of line ends belong between this payload and its result, 0 if any will do.
    tail_ends: Cell<u8>,
    /// How often one line end stood there where two belong, without a fetch in between that ended well.
    lone_ends: Cell<u8>,
    pub(crate) push: Cell<Option<Push>>,
    /// Where a line begins got lost while an exchange was just ending.
    pub(crate) lost_track: Cell<bool>,
    pub(crate) resync: Cell<Resync>,
    /// The exchange has lost its caller; the custodian ends it.
    pub(crate) orphan: Cell<bool>,
    pub(crate) turn: Turn,
    pub(crate) open_turn: Turn,
    /// Held by whoever changes credentials.
    pub(crate) store_turn: Turn,
    /// Held by flows whose exchanges belong together, see [`At::together`](crate::At::together).
    pub(crate) flow_turn: Turn,
    /// Counts exchanges: one that lost its turn must not end another.
    pub(crate) exchange: Cell<u32>,
    /// Whose payload the modem accepted last.
    last_sent: Cell<Option<Slot>>,
    /// While the channel was synchronised, something was answered that was not asked.
    pub(crate) answered_late: Cell<bool>,
    /// Most bytes of payload that an exchange which was given up may still bring.
    pub(crate) late_payload: Cell<usize>,
    /// Closes in a row that the modem has not confirmed.
    pub(crate) failed_closes: Cell<u8>,
    /// What the modem waited for when it broke the grammar.
    violated: Cell<Phase>,
    missed_notices: Cell<bool>,
    /// A line that comes in pieces began as information text.
    pieces_are_text: Cell<bool>,
    /// What the modem sends may be a credential: an upload that it echoes, a file that is read back
    /// and whose header was garbled. Such lines are not traced.
    pub(crate) private: Cell<bool>,
    pub(crate) link: Cell<Link>,
    pub(crate) generation: Cell<u32>,
    pub(crate) failures: Cell<u32>,
    pub(crate) rest: Cell<Rest>,
    /// The board has a pin for light sleep.
    #[cfg(feature = "sleep")]
    pub(crate) has_sleep: Cell<bool>,
    /// The supervisor is at a job.
    #[cfg(feature = "sleep")]
    pub(crate) at_work: Cell<bool>,
    /// The modem is being sent to sleep: the supervisor begins nothing, for only it can wake the modem, and
    /// an exchange of its own that came behind would wait for that for ever.
    #[cfg(feature = "sleep")]
    pub(crate) dozing_off: Cell<bool>,
    pub(crate) restarted: Cell<bool>,
    pub(crate) booted: Cell<bool>,
    /// It may have restarted: a sign of life is wanted now.
    pub(crate) suspect: Cell<bool>,
    /// The modem is known to be in line mode; otherwise what is sent may be data to it.
    pub(crate) line_mode: Cell<bool>,
    pub(crate) network_lost: Cell<bool>,
    /// A dropped upload has ended; its remains are to be removed.
    pub(crate) tidy: Cell<bool>,
    /// Ids that the modem reported open and nobody wants, as a bit set.
    pub(crate) stray: Cell<u32>,
    pub(crate) next_id: Cell<u8>,
    pub(crate) heard_at: Cell<Instant>,
    pub(crate) counters: Cell<Counters>,
    /// The exchange changed.
    pub(crate) changed: Notify,
    /// There are bytes for the UART.
    pub(crate) outgoing: Notify,
    /// There may be work for the supervisor, or news of the link.
    pub(crate) work: Notify,
}

impl Core {
    pub(crate) const fn new(fixed: Fixed) -> Self {
        Self {
            fixed,
            framer: RefCell::new(Framer::new()),
            out: RefCell::new([0; COMMAND_LIMIT]),
            out_len: Cell::new(0),
            out_sent: Cell::new(0),
            in_flight: Cell::new(0),
            out_given: Cell::new(0),
            out_turn: Cell::new(0),
            terminator: Cell::new(Terminator::Cr),
            answer: RefCell::new(Text::new()),
            watch: RefCell::new(Watch {
                prefix: "",
                text: Text::new(),
            }),
            name: RefCell::new(Text::new()),
            secret: Cell::new(false),
            #[cfg(feature = "tap")]
            out_class: Cell::new(crate::tap::Sent::Filler),
            deferred: RefCell::new(heapless::Vec::new()),
            stage: Cell::new(Stage::Idle),
            plan: Cell::new(Plan::Collect),
            deadline: Cell::new(Instant::MIN),
            timeout: Cell::new(Duration::MIN),
            received: Cell::new(None),
            tail_ends: Cell::new(0),
            lone_ends: Cell::new(0),
            push: Cell::new(None),
            lost_track: Cell::new(false),
            resync: Cell::new(Resync::Off),
            orphan: Cell::new(false),
            turn: Turn::new(),
            open_turn: Turn::new(),
            store_turn: Turn::new(),
            flow_turn: Turn::new(),
            exchange: Cell::new(0),
            last_sent: Cell::new(None),
            answered_late: Cell::new(false),
            late_payload: Cell::new(0),
            failed_closes: Cell::new(0),
            violated: Cell::new(Phase::Line),
            missed_notices: Cell::new(false),
            pieces_are_text: Cell::new(false),
            private: Cell::new(false),
            link: Cell::new(Link::Down),
            generation: Cell::new(0),
            failures: Cell::new(0),
            rest: Cell::new(Rest::No),
            #[cfg(feature = "sleep")]
            has_sleep: Cell::new(false),
            #[cfg(feature = "sleep")]
            at_work: Cell::new(false),
            #[cfg(feature = "sleep")]
            dozing_off: Cell::new(false),
            restarted: Cell::new(false),
            booted: Cell::new(false),
            suspect: Cell::new(false),
            line_mode: Cell::new(false),
            network_lost: Cell::new(false),
            tidy: Cell::new(false),
            stray: Cell::new(0),
            next_id: Cell::new(0),
            heard_at: Cell::new(Instant::MIN),
            counters: Cell::new(Counters {
                exchanges: 0,
                received: 0,
                sent: 0,
                restarts: 0,
                resyncs: 0,
                dropped: 0,
            }),
            changed: Notify::new(),
            outgoing: Notify::new(),
            work: Notify::new(),
        }
    }

    pub(crate) fn count(&self, with: impl FnOnce(&mut Counters)) {
        let mut counters = self.counters.get();
        with(&mut counters);
        self.counters.set(counters);
    }

    /// Starts an exchange whose command line is in `out`. The caller holds the turn.
    pub(crate) fn begin(&self, len: usize, plan: Plan, timeout: Duration) {
        let len = self.terminate(len);
        let out = self.out.borrow();
        let line = out[..len].strip_prefix(b"AT").unwrap_or(&out[..len]);
        let end = line
            .iter()
            .position(|byte| matches!(byte, b'=' | b'?' | b'\r' | b'\n' | b';'))
            .unwrap_or(line.len());
        let mut name = self.name.borrow_mut();
        name.clear();
        name.push(&line[..end]);
        if cfg!(any(feature = "defmt", feature = "log", feature = "tap")) {
            self.secret.set(is_secret(line, self.fixed.secret));
        }
        self.answer.borrow_mut().clear();
        self.deferred.borrow_mut().clear();
        self.received.set(None);
        self.in_flight.set(0);
        self.plan.set(plan);
        // Also what comes late of one that was given up.
        let late = self.private.get() && self.resync.get() != Resync::Off;
        self.private.set(
            late || matches!(
                plan,
                Plan::Fetch { .. } | Plan::Upload { .. } | Plan::Quoted { .. }
            ),
        );
        self.stage.set(match plan {
            Plan::Send { .. } | Plan::Upload { .. } | Plan::Pipe { .. } => Stage::Prompt,
            // The line itself is a part of what is counted.
            Plan::Quoted { len: behind } => Stage::Data { left: len + behind },
            _ => Stage::Line,
        });
        {
            let mut framer = self.framer.borrow_mut();
            framer.arm_prompt(matches!(plan, Plan::Send { .. } | Plan::Raw));
            framer.want_pieces(plan == Plan::Pieces);
        }
        self.timeout.set(timeout);
        self.progress();
        if let Plan::Send { .. } = plan {
            self.deadline
                .set(Instant::now() + timeout.min(PROMPT_LIMIT));
        }
        self.count(|counters| counters.exchanges = counters.exchanges.wrapping_add(1));
        self.exchange.set(self.exchange.get().wrapping_add(1));
        self.submit(len);
        #[cfg(feature = "tap")]
        self.out_class.set(if self.secret.get() {
            crate::tap::Sent::SecretCommand
        } else {
            crate::tap::Sent::Command
        });
        // The custodian keeps an eye on it.
        self.changed.wake();
    }

    /// Ends the line in `out`, which ends with CR, as this modem wants it; returns its length. One that is
    /// not complete has none.
    fn terminate(&self, len: usize) -> usize {
        let mut out = self.out.borrow_mut();
        let Some(line) = out[..len].strip_suffix(b"\r") else {
            return len;
        };
        let (at, end) = (line.len(), self.terminator.get().bytes());
        // Whoever wrote the line has left room.
        let Some(room) = out.get_mut(at..at + end.len()) else {
            return len;
        };
        room.copy_from_slice(end);
        at + end.len()
    }

    /// Has the first `len` bytes of `out` put on the UART.
    pub(crate) fn submit(&self, len: usize) {
        #[cfg(feature = "tap")]
        self.out_class.set(match self.plan.get() {
            Plan::Upload { .. } | Plan::Quoted { .. } => crate::tap::Sent::Upload,
            Plan::Pipe { slot, .. } => crate::tap::Sent::Payload(slot.0),
            _ => crate::tap::Sent::Filler,
        });
        self.out_turn.set(self.out_turn.get().wrapping_add(1));
        self.out_sent.set(0);
        self.out_given.set(0);
        self.out_len.set(len);
        self.outgoing.wake();
    }

    /// The exchange moves: its time limit starts anew.
    fn progress(&self) {
        self.deadline
            .set(Instant::now().saturating_add(self.timeout.get()));
    }

    fn payload_progress(&self) {
        self.deadline.set(Instant::now() + PAYLOAD_PAUSE);
        // Whoever waits looks at the deadline anew.
        self.changed.wake();
    }

    pub(crate) fn set_stage(&self, stage: Stage) {
        self.stage.set(stage);
        self.changed.wake();
    }

    /// What the modem waits for, should the exchange be given up now.
    pub(crate) fn phase(&self) -> Phase {
        match self.stage.get() {
            Stage::Done(Outcome::Garbled) => self.violated.get(),
            Stage::Data { .. } if matches!(self.plan.get(), Plan::Quoted { .. }) => Phase::Quoted,
            // Also when all is sent: it is left, or has left it, with a word of its own.
            Stage::Data { .. } | Stage::Line
                if matches!(self.plan.get(), Plan::Pipe { len: None, .. }) =>
            {
                Phase::Data
            }
            Stage::Data { left } => Phase::Counted { left },
            Stage::Prompt => Phase::Prompt,
            _ => Phase::Line,
        }
    }

    /// Copies the next bytes for the UART, and says how many, and whether the modem counts them.
    pub(crate) fn next_out(&self, table: &dyn Table, into: &mut [u8]) -> Option<(usize, bool)> {
        let pending = self.out_len.get() - self.out_sent.get();
        if pending > 0 {
            let count = pending.min(into.len());
            let from = self.out_sent.get();
            into[..count].copy_from_slice(&self.out.borrow()[from..from + count]);
            let counted = matches!(self.stage.get(), Stage::Data { .. });
            self.out_given.set(from + count);
            self.in_flight.set(if counted { count } else { 0 });
            return Some((count, counted));
        }
        if let (Stage::Data { left }, Plan::Send { slot, len }) =
            (self.stage.get(), self.plan.get())
        {
            let count = left.min(into.len());
            let count = table.tx(slot).peek(len - left, &mut into[..count]);
            self.in_flight.set(count);
            return Some((count, true)).filter(|_| count > 0);
        }
        None
    }

    /// `count` of the bytes of [`next_out`](Self::next_out) are on the UART. A prompt may be quicker
    /// than the UART's word that the command before it is out, so what they were is the caller's to
    /// remember.
    pub(crate) fn out_done(&self, (count, counted): (usize, bool)) {
        self.count(|counters| counters.sent = counters.sent.wrapping_add(count as u32));
        self.in_flight.set(0);
        if self.out_sent.get() < self.out_len.get() {
            self.out_sent
                .set((self.out_sent.get() + count).min(self.out_len.get()));
        }
        if let (Stage::Data { left }, true) = (self.stage.get(), counted) {
            self.progress();
            let left = left.saturating_sub(count);
            self.stage.set(if left == 0 {
                Stage::Line
            } else {
                Stage::Data { left }
            });
        }
        self.changed.wake();
    }

    /// Whether bytes are left for the UART.
    pub(crate) fn out_is_empty(&self) -> bool {
        let data = matches!(
            (self.stage.get(), self.plan.get()),
            (Stage::Data { .. }, Plan::Send { .. })
        );
        self.out_sent.get() >= self.out_len.get() && !data
    }

    /// Takes in bytes from the modem, up to the first information line that the caller must see:
    /// then it returns with the stage at [`Stage::Info`], and goes on when called again. So it does
    /// when a ring has no room for what is pushed.
    pub(crate) fn feed<M: Modem>(&self, table: &dyn Table, modem: &M, input: &mut &[u8]) {
        loop {
            let room = self.push_room(table);
            if room == 0 {
                return;
            }
            let mut framer = self.framer.borrow_mut();
            let (mut now, later) = input.split_at(input.len().min(room));
            let event = framer.next(&mut now);
            let (_run, rest) = input.split_at(input.len() - later.len() - now.len());
            *input = rest;
            #[cfg(feature = "tap")]
            {
                drop(framer);
                self.tap_received(modem, event, _run);
                framer = self.framer.borrow_mut();
            }
            let Some(event) = event else {
                drop(framer);
                self.push_settle(table);
                if later.is_empty() {
                    return;
                }
                continue;
            };
            if event != Event::PayloadOverrun && self.push.get().is_some() {
                drop(framer);
                self.push_settle(table);
                framer = self.framer.borrow_mut();
            }
            match event {
                Event::Line | Event::CutLine | Event::Piece => {
                    drop(framer);
                    if self.line(table, modem) {
                        return;
                    }
                }
                Event::Prompt => {
                    drop(framer);
                    self.prompt();
                }
                Event::Payload(part) => {
                    drop(framer);
                    if let Some(push) = self.push.get() {
                        self.push_part(table, push, part);
                        continue;
                    }
                    // What does not fit was not asked for: the header was checked against `max`.
                    let kept = match (self.stage.get(), self.plan.get()) {
                        (Stage::Receiving, Plan::Receive { slot, .. }) => {
                            table.rx(slot).stage(part)
                        }
                        (Stage::Receiving, Plan::Fetch { .. }) => {
                            self.answer.borrow_mut().push(part);
                            part.len()
                        }
                        _ => continue,
                    };
                    self.received
                        .set(Some(self.received.get().unwrap_or(0) + kept));
                    self.payload_progress();
                }
                Event::PayloadEnd => {
                    drop(framer);
                    if let Some(push) = self.push.get() {
                        self.push_end(push);
                    } else if self.stage.get() == Stage::Receiving {
                        self.stage.set(Stage::Tail);
                    }
                }
                Event::PayloadOverrun => {
                    drop(framer);
                    if self.push.get().is_some() {
                        self.push_violation(table);
                    } else {
                        self.violation();
                    }
                }
            }
        }
    }

    /// One that is switched off is not woken by what it says.
    pub(crate) fn set_rest(&self, rest: Rest) {
        if self.rest.get() != Rest::Off || rest == Rest::No {
            self.rest.set(rest);
            self.changed.wake();
            self.work.wake();
        }
    }

    /// The link is gone in whatever way; the supervisor brings it up anew.
    pub(crate) fn link_down(&self, table: &dyn Table) {
        self.generation.set(self.generation.get().wrapping_add(1));
        self.link.set(Link::Down);
        self.count(|counters| counters.restarts = counters.restarts.wrapping_add(1));
        for slot in table.slots() {
            slot.fail(SocketError::ConnectionReset);
            // Bring-up closes every id before anything is opened.
            slot.released();
        }
        self.push.set(None);
        self.last_sent.set(None);
        self.lost_track.set(false);
        self.stray.set(0);
        self.failed_closes.set(0);
        self.network_lost.set(false);
        self.framer.borrow_mut().arm_prompt(false);
        self.out_sent.set(self.out_len.get());
        if !matches!(self.stage.get(), Stage::Idle | Stage::Done(_)) {
            self.stage.set(Stage::Done(Outcome::Reset));
        }
        self.changed.wake();
        self.outgoing.wake();
        self.work.wake();
    }

    /// Returns whether the caller must look at the line before anything else is taken in.
    fn line<M: Modem>(&self, table: &dyn Table, modem: &M) -> bool {
        self.heard_at.set(Instant::now());
        let framer = self.framer.borrow();
        let line = framer.line();
        let name = self.name.borrow();
        let running = !matches!(self.stage.get(), Stage::Idle | Stage::Done(_));
        let asked = if running { name.as_bytes() } else { b"" };
        let kind = if !framer.is_continued() {
            let kind = modem.line(line, asked);
            self.pieces_are_text.set(kind == Line::Info);
            kind
        } else if self.pieces_are_text.get() {
            Line::Info
        } else {
            Line::Urc(Urc::Other)
        };
        // An echo repeats a command, which may be a secret one.
        let shown = if line.starts_with(b"AT") {
            &line[..2]
        } else {
            line
        };
        if (self.private.get() || self.secret.get()) && kind == Line::Info {
            trace!("< ({} bytes)", line.len());
        } else {
            trace!("< {}", Ascii(shown));
        }
        if let Line::Urc(Urc::Restarted | Urc::Saving) = kind {
            drop(framer);
            drop(name);
            if kind == Line::Urc(Urc::Restarted) {
                warn!("the modem restarted");
                self.restarted.set(true);
            } else {
                info!("the modem saves power");
                self.set_rest(Rest::Saving);
            }
            // Its next life begins in line mode.
            self.line_mode.set(true);
            self.resync.set(Resync::Off);
            self.link_down(table);
            return false;
        }
        // Echo is switched off at bring-up, so a modem that echoes has restarted, though its banner was
        // not seen.
        let echo = M::ECHOES
            && running
            && line
                .strip_prefix(b"AT")
                .is_some_and(|rest| rest.starts_with(asked));
        if echo && self.link.get() == Link::Up {
            drop(framer);
            drop(name);
            warn!("the modem echoes: it has restarted");
            self.line_mode.set(true);
            self.resync.set(Resync::Off);
            self.link_down(table);
            return false;
        }
        if let Line::Push { id, len } = kind {
            drop(framer);
            drop(name);
            self.push_begin(table, id, len);
            return false;
        }
        if self.resync.get() != Resync::Off {
            let payload = self.resync_line(line, kind);
            drop(framer);
            if payload > 0 {
                self.framer.borrow_mut().expect_payload(payload);
            }
            return false;
        }
        // The answer to payload may be quicker than the UART's word that the last of it is out.
        if let (
            Stage::Data { left },
            Line::Info | Line::Final(Final::Ok | Final::SendOk | Final::SendFail | Final::Error(_)),
        ) = (self.stage.get(), kind)
            && left <= self.in_flight.get()
            && (!matches!(kind, Line::Final(Final::Error(_)))
                || matches!(self.plan.get(), Plan::Quoted { .. }))
        {
            self.stage.set(Stage::Line);
        }
        if let (Line::Urc(_), true) = (kind, self.tail_ends.get() > 0) {
            // It has a line end in front and one of its own.
            self.tail_ends.set(self.tail_ends.get().saturating_add(4));
        }
        match kind {
            Line::Urc(urc) if self.stage.get() == Stage::Tail && urc != Urc::Other => {
                if self.deferred.borrow_mut().push(urc).is_err() {
                    self.missed_notices.set(true);
                    self.count(|counters| counters.dropped = counters.dropped.wrapping_add(1));
                }
            }
            Line::Urc(urc) => {
                let mut watch = self.watch.borrow_mut();
                if !watch.prefix.is_empty() && line.starts_with(watch.prefix.as_bytes()) {
                    watch.text.clear();
                    watch.text.push(line);
                    self.changed.wake();
                }
                drop(watch);
                drop(framer);
                self.urc(table, urc);
            }
            _ if self.stage.get() == Stage::Tail && kind != Line::Final(Final::Ok) => {
                drop(framer);
                self.violation();
            }
            Line::Final(end) => {
                let ends = framer.ends_before_line();
                drop(framer);
                if self.stage.get() == Stage::Tail && !self.is_framed(ends) {
                    self.violation();
                } else {
                    self.finish(table, end);
                }
            }
            Line::Payload(count) => {
                if let (Stage::Line, Plan::Receive { max, .. } | Plan::Fetch { max }, None) =
                    (self.stage.get(), self.plan.get(), self.received.get())
                {
                    drop(framer);
                    if count > max {
                        self.violation();
                    } else {
                        self.framer.borrow_mut().expect_payload(count);
                        self.tail_ends.set(match self.plan.get() {
                            Plan::Receive { .. } => self.payload_ends::<M>(count),
                            _ => 0,
                        });
                        self.received.set(Some(0));
                        self.stage.set(Stage::Receiving);
                        self.payload_progress();
                    }
                }
            }
            // Until ATE0 has taken effect.
            Line::Info if echo => {}
            Line::Info if self.stage.get() == Stage::Line => match self.plan.get() {
                Plan::Lines
                | Plan::Pieces
                | Plan::Raw
                | Plan::Upload { .. }
                | Plan::Quoted { .. } => {
                    self.set_stage(Stage::Info);
                    return true;
                }
                _ => {
                    let mut answer = self.answer.borrow_mut();
                    if !answer.as_bytes().is_empty() {
                        answer.push(b"\r\n");
                    }
                    answer.push(line);
                }
            },
            Line::Info | Line::Push { .. } => {}
        }
        false
    }

    /// How many bytes of line ends belong behind `count` bytes that were fetched for a socket, see
    /// [`Modem::PAYLOAD_ENDS`].
    fn payload_ends<M: Modem>(&self, count: usize) -> u8 {
        let ends = if self.lone_ends.get() < LONE_ENDS {
            M::PAYLOAD_ENDS
        } else {
            M::PAYLOAD_ENDS.min(1)
        };
        // No payload has no line end of its own.
        2 * ends.saturating_sub((count == 0).into())
    }

    /// Whether what stands between payload and its result is what belongs there. Not every firmware needs to
    /// end payload as the manual says: one that puts one line end there is understood from the third fetch
    /// on. Noise does not do that twice without a fetch in between that ends well.
    fn is_framed(&self, ends: u8) -> bool {
        let wanted = self.tail_ends.get();
        let framed = wanted == 0 || ends == wanted;
        let lone = self.lone_ends.get();
        if !framed {
            let more = ends == 2 && lone < LONE_ENDS;
            self.lone_ends.set(if more { lone + 1 } else { 0 });
        } else if lone < LONE_ENDS {
            self.lone_ends.set(0);
        }
        framed
    }

    fn prompt(&self) {
        if let (Stage::Prompt, Plan::Send { len, .. }) = (self.stage.get(), self.plan.get()) {
            self.data(len);
        } else if let (Stage::Line, Plan::Raw) = (self.stage.get(), self.plan.get()) {
            self.violation_in(Phase::Prompt);
        }
    }

    /// The modem takes `left` raw bytes from now on.
    fn data(&self, left: usize) {
        self.progress();
        self.set_stage(if left == 0 {
            Stage::Line
        } else {
            Stage::Data { left }
        });
        self.outgoing.wake();
    }

    fn finish(&self, table: &dyn Table, end: Final) {
        let legal = match (self.stage.get(), self.plan.get(), end) {
            (Stage::Idle | Stage::Done(_), ..) => return self.stray_result(table),
            // Nor can it be the answer to a command that is not out. Were it taken for that, the
            // command would never be sent: a setting that verification depends on, for instance.
            (Stage::Line | Stage::Prompt, ..) if self.out_given.get() < self.out_len.get() => {
                return self.stray_result(table);
            }
            (Stage::Prompt, Plan::Upload { len }, Final::Connect) => return self.data(len),
            (Stage::Prompt, Plan::Pipe { len, .. }, Final::Ok) => {
                return self.data(len.unwrap_or(usize::MAX));
            }
            // A result while it still counts our bytes: it has stopped counting, nobody knows when.
            (Stage::Data { .. }, ..) => false,
            (_, _, Final::Error(_)) => true,
            (Stage::Prompt, ..) => false,
            (_, Plan::Send { .. } | Plan::Pipe { .. }, end) => {
                matches!(end, Final::SendOk | Final::SendFail)
            }
            (_, _, end) => end == Final::Ok,
        };
        // Not asked for: what is sent now goes to a peer.
        if !legal && end == Final::Connect {
            return self.violation_in(Phase::Data);
        }
        if !legal {
            return self.violation();
        }
        self.framer.borrow_mut().arm_prompt(false);
        if let (Plan::Send { slot, .. }, Final::SendOk) = (self.plan.get(), end) {
            self.last_sent.set(Some(slot));
        }
        self.set_stage(Stage::Done(Outcome::Final(end)));
        for index in 0.. {
            let Some(&urc) = self.deferred.borrow().get(index) else {
                break;
            };
            self.urc(table, urc);
        }
        if self.missed_notices.take() {
            ask_all(table);
            self.work.wake();
        }
    }

    fn stray_result(&self, table: &dyn Table) {
        trace!("stray result");
        self.doubt_sent(table);
    }

    /// Something was answered that was not asked: perhaps it was payload, the rest of a frame of whose length
    /// noise had made less, and of which the modem has accepted the beginning. Its socket is given up,
    /// so that its peer gets no more.
    pub(crate) fn doubt_sent(&self, table: &dyn Table) {
        if let Some(slot) = self.last_sent.take() {
            table.slots()[usize::from(slot.0)].fail(SocketError::ConnectionReset);
            self.work.wake();
        }
    }

    /// What was sent on `slot` was on an earlier connection.
    pub(crate) fn forget_sent(&self, slot: Slot) {
        if self.last_sent.get() == Some(slot) {
            self.last_sent.set(None);
        }
    }

    /// The modem did not keep to the grammar: nothing it says counts until the channel is
    /// synchronised.
    pub(crate) fn violation(&self) {
        self.violation_in(self.phase());
    }

    /// The same, where the modem is known to wait for something else than the stage says.
    fn violation_in(&self, phase: Phase) {
        let deaf = self.resync.get() != Resync::Off;
        if deaf || matches!(self.stage.get(), Stage::Idle | Stage::Done(_)) {
            return;
        }
        warn!("the answer does not follow the grammar");
        self.violated.set(phase);
        self.resync.set(Resync::Deaf);
        self.set_stage(Stage::Done(Outcome::Garbled));
    }

    /// Outside an answer, the modem did not keep to the grammar.
    pub(crate) fn lose_track(&self) {
        match self.stage.get() {
            Stage::Idle if self.link.get() == Link::Up && self.turn.seize() => self.forsake(),
            // A bring-up synchronises by itself.
            Stage::Idle => {}
            // Its caller releases the turn in a moment.
            Stage::Done(_) => self.lost_track.set(true),
            _ => self.violation(),
        }
    }

    /// With the turn held: leaves to the custodian what looks like an exchange that broke the grammar.
    pub(crate) fn forsake(&self) {
        self.exchange.set(self.exchange.get().wrapping_add(1));
        self.plan.set(Plan::Collect);
        self.violated.set(Phase::Line);
        self.resync.set(Resync::Deaf);
        self.deadline.set(Instant::now());
        self.orphan.set(true);
        self.set_stage(Stage::Done(Outcome::Garbled));
    }

    /// Returns how many bytes of late payload follow, which are counted and not searched.
    fn resync_line(&self, line: &[u8], kind: Line) -> usize {
        match (self.resync.get(), kind) {
            (Resync::Deaf, Line::Info) if line.starts_with(self.fixed.sync.answer.as_bytes()) => {
                self.resync.set(Resync::Answered);
            }
            (Resync::Answered, Line::Final(Final::Ok)) => {
                self.resync.set(Resync::Synchronised);
                self.changed.wake();
            }
            (_, Line::Payload(count)) if count <= self.late_payload.get() => {
                self.answered_late.set(true);
                self.late_payload.set(0);
                return count;
            }
            (Resync::Deaf, Line::Payload(_) | Line::Final(_)) => self.answered_late.set(true),
            _ => {}
        }
        0
    }

    fn urc(&self, table: &dyn Table, urc: Urc) {
        match urc {
            Urc::Booted => {
                self.booted.set(true);
                self.changed.wake();
                if self.link.get() == Link::Up {
                    // Late, or of a restart whose banner was lost: a query finds out, by its echo. What
                    // was asked before a restart is not answered any more.
                    self.suspect.set(true);
                    let soon = Instant::now() + BOOTED_PATIENCE;
                    self.deadline.set(self.deadline.get().min(soon));
                }
            }
            Urc::Closed { id } => {
                if let Some(slot) = open_state(table, id) {
                    slot.peer_closed.set(true);
                    slot.readable.set(true);
                }
            }
            Urc::NetworkLost => self.network_lost.set(true),
            Urc::Opened { id, result } => {
                let known = table
                    .slots()
                    .iter()
                    .find(|slot| slot.in_modem.get() && slot.id.get() == id);
                match known {
                    Some(slot)
                        if slot.phase.get() == SocketPhase::Opening
                            && slot.user.get()
                            && slot.asked.get() =>
                    {
                        slot.open_result.set(Some(result));
                        self.changed.wake();
                    }
                    // Said twice, or its connect was dropped and the close is on its way.
                    Some(_) => {}
                    None if id < 32 => self.stray.set(self.stray.get() | 1 << id),
                    None => {}
                }
            }
            Urc::Readable { id } => {
                if let Some(slot) = open_state(table, id) {
                    slot.readable.set(true);
                }
            }
            Urc::Other | Urc::Restarted | Urc::Saving => {}
        }
        self.work.wake();
    }
}

/// Whether a command line has a secret command in it, wherever it stands; without arguments there is
/// nothing to hide.
pub(crate) fn is_secret(line: &[u8], secret: &[&str]) -> bool {
    let has = |name: &[u8]| {
        line.windows(name.len())
            .any(|part| part.eq_ignore_ascii_case(name))
    };
    line.contains(&b'=') && secret.iter().any(|name| has(name.as_bytes()))
}

/// Notices may have been missed: every socket is asked.
pub(crate) fn ask_all(table: &dyn Table) {
    for slot in table.slots() {
        slot.readable.set(true);
        slot.check.set(true);
    }
}

fn open_state(table: &dyn Table, id: u8) -> Option<&super::slots::SlotState> {
    open_slot(table, id).map(|slot| &table.slots()[usize::from(slot.0)])
}

pub(crate) fn open_slot(table: &dyn Table, id: u8) -> Option<Slot> {
    let open = table.slots().iter().position(|slot| {
        slot.in_modem.get()
            && slot.id.get() == id
            && matches!(slot.phase.get(), SocketPhase::Open | SocketPhase::Opening)
    });
    open.map(|index| Slot(index as u8))
}
