//! The world: the driver's shared state, plain data with one owner. The runner, the judges of a backend and the
//! users' handles all read and write it.

use core::cell::RefCell;

use super::mailbox::Mailbox;
use super::queue::Queue;
use super::slot::{Phase, Slot};
use super::time::{Ms, millis};
use super::wakers::{Latest, Wakers};
use crate::at::Out;
use crate::capabilities::Verification;
use crate::engine::backend::{Polling, Terminator, Then, Timing, Verdict};
use crate::error::{AtError, BringUpError, Code, ConnectError};
use crate::loss::Loss;
use crate::tls::TlsConfig;

/// The value of [`Open::result`] until the modem has reported the result of the open.
pub const NOT_YET: u16 = u16::MAX;

/// The longest report that a parked flow may wait for, in bytes.
pub(crate) const REPORT_LIMIT: usize = 64;

/// The value of [`World::liveness`] without a notice pin.
#[cfg(feature = "sleep")]
pub(crate) const NO_PIN: Ms = 0;
/// The value of [`World::liveness`] where a sleeping modem is never woken for a sign of life.
#[cfg(feature = "sleep")]
pub(crate) const NEVER: Ms = Ms::MAX;

/// The state of the link to the modem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    Down,
    /// The last bring-up failed, with [`World::problem`].
    Failed,
    Up,
}

/// The power state of the modem. The scheduler gives out ordinary jobs only while it is [`Awake`](Self::Awake).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PowerState {
    Awake,
    /// In light sleep: its sockets stay open.
    #[cfg(feature = "sleep")]
    Dozing,
    /// Being woken from light sleep.
    #[cfg(feature = "sleep")]
    Waking,
    /// In power saving mode, without sockets, until the next use.
    Saving,
    /// Switched off by the user, until the user switches it on.
    Off,
}

/// The kind of input that came from a modem which gave no intelligible answer; it selects the error that is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    Nothing,
    Bytes,
    /// `ERROR`, with or without a number.
    Errors,
}

/// A user's request to the runner that is neither a socket nor an exchange: power off, or light sleep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Errand {
    None,
    PowerOff,
    #[cfg(feature = "sleep")]
    Sleep,
    /// The script of the request is under way.
    Runs,
    /// The request has ended, and the user has not fetched its result yet.
    Done(Result<(), AtError>),
}

/// Counters of the traffic with the modem since the start. All of them wrap.
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
    /// Times the modem went down: resets, lost network, no answer. Intended ones count too: power off, power saving
    /// mode, a bring-up after a user's command.
    pub restarts: u32,
    /// Times an exchange was given up and the channel synchronised anew.
    pub resyncs: u32,
    /// URCs dropped because too many came within one answer. The engine then asks the modem about every socket, so a
    /// dropped URC costs time and no data.
    pub dropped: u32,
}

/// A connection that is being opened; there is one at a time.
#[derive(Clone, Copy, Debug)]
pub struct Open {
    /// The TLS policy of the connection.
    pub config: TlsConfig,
    /// The server's TCP port.
    pub port: u16,
    /// The number of the modem's TLS context that is used for this connection alone.
    pub context: u8,
    /// The result that the modem has reported: 0, or the vendor's number; [`NOT_YET`] until then.
    pub result: u16,
    /// What the modem verifies of the server on this connection; set by the flow that opens it.
    pub verified: Verification,
}

/// The states of the board's pins and the UART's speed. A judge sets them; the runner drives the pins after the step.
#[derive(Clone, Copy, Debug, Default)]
pub struct PinState {
    /// A power key is wired.
    pub has_power_key: bool,
    /// A reset pin is wired.
    pub has_reset: bool,
    /// Set to press the power key, cleared to release it.
    pub power_key: bool,
    /// Set to assert reset, cleared to release it.
    pub reset: bool,
    /// The level of the status pin: whether the modem is on; `None` without such a pin.
    pub status: Option<bool>,
    /// The wanted speed of the UART in baud; 0 for the speed at which it was opened.
    pub speed: u32,
    /// Whether the last change of `speed` failed, because the UART's speed cannot be changed.
    pub speed_refused: bool,
    /// A sleep pin is wired.
    pub can_sleep: bool,
    /// Set to let the modem sleep by the sleep pin, cleared to wake it.
    pub(crate) asleep: bool,
    /// The runner waits for the edges of the status pin.
    #[cfg(feature = "sleep")]
    pub(crate) status_awaited: bool,
}

/// The shared state of all parts of the driver: plain data with one owner, which the runner, the judges of a backend and
/// the users' handles read and write.
///
/// Small fields that are used often stand first, where short instructions reach them; a figure in BENCHMARKS.md holds
/// that order.
#[repr(C)]
pub struct World<'a, S: ?Sized = [Slot<'a>]> {
    pub(crate) link: Link,
    pub(crate) power: PowerState,
    /// The modem answers commands, though there may be no SIM or network.
    pub answers: bool,
    /// The outcome of the last flow that moved data, closed a socket, or looked whether it stands.
    pub verdict: Verdict,
    /// The modem refused the whole payload of a send for want of room ([`Final::SendFail`](crate::modem::Final)).
    pub send_failed: bool,
    /// The modem prompted for the payload of the last exchange, so it may have taken some of it.
    pub prompted: bool,
    /// The characters that end a command line on this modem.
    pub terminator: Terminator,
    /// The modem's id of the socket that the flow is about.
    pub id: u8,
    /// The index in [`slots`](Self::slots) of the socket that the flow is about.
    pub(crate) slot: u8,
    /// The modem has restarted, and has not finished starting. After a power-off: the modem has said that it is off.
    pub restarted: bool,
    /// The modem's URC came by which it says that it takes commands.
    pub booted: bool,
    /// Every means to get an answer has been tried in vain: the next bring-up, which only repeats them, is not waited for.
    pub searched: bool,
    /// The PDP context, or the Wi-Fi link, is gone. A judge may set this; the engine then brings the modem up anew.
    pub network_lost: bool,
    /// The modem may have restarted: the next job is a liveness check.
    pub(crate) suspect: bool,
    /// A bring-up is under way.
    pub(crate) bringing_up: bool,
    /// The network has denied registration in the bring-up that is under way.
    pub(crate) denied: bool,
    /// Leftovers of a change of credentials are to be removed from the modem.
    pub cleanup: bool,
    /// The id that is given out next.
    pub(crate) next_id: u8,
    /// The flow that opens a connection is under way, or parked.
    pub(crate) opening: bool,
    /// The socket that was served last.
    pub(crate) last: u8,
    /// Closes in a row that the modem has not confirmed.
    pub(crate) failed_closes: u8,
    /// The number of restarts of the modem so far, wrapping. What was posted in one generation is void in the next.
    pub(crate) generation: u8,
    /// A guest holds the channel for a series of exchanges, see [`At::exclusive`](super::At::exclusive).
    pub(crate) exclusive: bool,
    /// A guest waits until leftovers of a change of credentials are removed.
    pub(crate) cleanup_asked: bool,
    /// A user's command may have changed the modem's settings: the modem is to be brought up anew.
    pub(crate) settings_changed: bool,
    /// A user waits for the end of the errand. Other users wait before they post one.
    pub(crate) errand_held: bool,
    /// Something has happened since the scheduler last found nothing to do.
    pub(crate) changed: bool,
    /// Light sleep is ended by the power key instead of the sleep pin.
    #[cfg(feature = "sleep")]
    pub(crate) wakes_by_key: bool,
    /// The last light sleep was begun by the runner, and not asked for by a user.
    #[cfg(feature = "sleep")]
    pub(crate) automatic_sleep: bool,
    /// The error that ended the last step without a final result; `None` where the modem answered or refused.
    pub ended: Option<AtError>,
    /// The error code with which the modem refused the last step.
    pub code: Code,
    /// The number of bytes to send or fetch.
    pub len: u16,
    /// The offset in the socket's transmit ring at which the payload of the next exchange begins; 0 at the start of
    /// a send.
    pub offset: u16,
    /// The number of bytes that the modem took, from the start of the transmit ring: [`len`](Self::len) of the last
    /// exchange, unless a judge sets another.
    pub taken: u16,
    /// The number of payload bytes that came in the last exchange; `None` where no header announced any.
    pub received: Option<u16>,
    /// The least room in a receive ring for which a fetch is made, in bytes: more than 1 for a modem that cannot be
    /// told how much to bring.
    pub fetch_unit: u16,
    /// The silences before and after payload in data mode, in milliseconds.
    pub silence: (u16, u16),
    /// The time to wait for the modem's word that data mode has ended before `+++` is sent again, in milliseconds.
    pub escape_pause: u16,
    /// The number of times that `+++` was sent in the last exchange.
    pub escapes: u8,
    /// The filler for [`Then::Fill`](crate::modem::Then::Fill): a byte, and how often it is sent.
    pub fill: (u8, u16),
    /// The current time in milliseconds, wrapping.
    pub now: u32,
    /// The pause before the next step, in milliseconds.
    pub pause: u32,
    /// The time at which the flow began.
    pub(crate) start: Ms,
    pub(crate) linger: Ms,
    pub(crate) poll: Ms,
    /// The time after which a modem in light sleep is woken for a sign of life, or [`NO_PIN`], or [`NEVER`].
    #[cfg(feature = "sleep")]
    pub(crate) liveness: Ms,
    /// The time at which the modem last said something.
    pub(crate) heard_at: Ms,
    /// The time of the next bring-up; in light sleep, of the next step of waking the modem.
    pub(crate) retry_at: Ms,
    pub(crate) backoff: Ms,
    pub(crate) random: u32,
    /// The number of bring-ups that have failed, wrapping.
    pub(crate) failures: u32,
    /// The time that callers wait for a modem that does not come up, see [`Timing::patience`].
    pub(crate) patience: Ms,
    /// Socket ids that the modem reported open and that belong to no user, as a bit set.
    pub(crate) stray: u32,
    /// The time at which the next stray id is closed.
    pub(crate) stray_at: Ms,
    pub(crate) errand: Errand,
    /// The polling intervals of a modem that does not announce data; `None` where it does.
    pub polling: Option<Polling>,
    /// The least receive ring, in bytes, for a modem that pushes data; `None` where data is fetched.
    pub push_unit: Option<u16>,
    /// The board's pins.
    pub pins: PinState,
    /// The connection that is being opened.
    pub open: Option<Open>,
    pub(crate) counters: Counters,
    /// The text of the last step; empty for a step that sends nothing.
    pub command: &'static str,
    /// The error of the flow that failed last.
    pub failure: ConnectError,
    /// The error of the last connection that could not be opened.
    pub(crate) refusal: ConnectError,
    /// The error of the last bring-up that failed.
    pub(crate) problem: BringUpError,
    /// The reason of the last loss of a connection or of the modem.
    pub(crate) loss: Option<Loss>,
    /// The input that came since the modem's last intelligible answer.
    pub(crate) heard: Heard,
    /// The last report ([`Urc::Report`](crate::modem::Urc::Report)) for a parked flow, and its length in bytes.
    pub report: ([u8; REPORT_LIMIT], u8),
    pub(crate) mailbox: Mailbox,
    /// The queue of users that wait to open a connection.
    pub(crate) opens: Queue,
    /// The queue of users that wait to change credentials.
    pub(crate) stores: Queue,
    /// The waker of the runner's task.
    pub(crate) runner: Latest,
    /// The wakers of tasks that wait for a change of the link, a slot, an errand or a queue.
    pub(crate) waiting: Wakers<8>,
    #[cfg(feature = "tap")]
    pub(crate) tap: Option<&'static dyn crate::tap::Tap>,
    lifetime: core::marker::PhantomData<&'a ()>,
    pub(crate) slots: S,
}

/// The world behind the `RefCell` through which runner and handles share it.
pub(crate) type Shared<'a> = RefCell<World<'a>>;

impl<S> World<'_, S> {
    pub(crate) const fn new(slots: S) -> Self {
        Self {
            link: Link::Down,
            power: PowerState::Awake,
            answers: false,
            verdict: Verdict::Done,
            send_failed: false,
            prompted: false,
            terminator: Terminator::Cr,
            id: 0,
            slot: 0,
            restarted: false,
            booted: false,
            searched: false,
            network_lost: false,
            suspect: false,
            bringing_up: false,
            denied: false,
            cleanup: false,
            next_id: 0,
            opening: false,
            last: 0,
            failed_closes: 0,
            generation: 0,
            exclusive: false,
            cleanup_asked: false,
            settings_changed: false,
            errand_held: false,
            changed: true,
            #[cfg(feature = "sleep")]
            wakes_by_key: false,
            #[cfg(feature = "sleep")]
            automatic_sleep: false,
            ended: None,
            code: Code::Plain,
            len: 0,
            offset: 0,
            taken: 0,
            received: None,
            fetch_unit: 1,
            silence: (0, 0),
            escape_pause: 2000,
            escapes: 0,
            fill: (0, 0),
            now: 0,
            pause: 0,
            start: 0,
            linger: 10,
            poll: 60_000,
            #[cfg(feature = "sleep")]
            liveness: NO_PIN,
            heard_at: 0,
            retry_at: 0,
            backoff: 0,
            random: 0,
            failures: 0,
            patience: 30_000,
            stray: 0,
            stray_at: 0,
            errand: Errand::None,
            polling: None,
            push_unit: None,
            pins: PinState {
                has_power_key: false,
                has_reset: false,
                power_key: false,
                reset: false,
                status: None,
                speed: 0,
                speed_refused: false,
                can_sleep: false,
                asleep: false,
                #[cfg(feature = "sleep")]
                status_awaited: false,
            },
            open: None,
            counters: Counters {
                exchanges: 0,
                received: 0,
                sent: 0,
                restarts: 0,
                resyncs: 0,
                dropped: 0,
            },
            command: "",
            failure: ConnectError::At(AtError::ModemReset),
            refusal: ConnectError::At(AtError::ModemReset),
            problem: BringUpError::NoAnswer,
            loss: None,
            heard: Heard::Nothing,
            report: ([0; REPORT_LIMIT], 0),
            mailbox: Mailbox::new(),
            opens: Queue::new(),
            stores: Queue::new(),
            runner: Latest::new(),
            waiting: Wakers::new(),
            #[cfg(feature = "tap")]
            tap: None,
            lifetime: core::marker::PhantomData,
            slots,
        }
    }
}

#[cfg(test)]
impl<const N: usize> World<'_, [Slot<'_>; N]> {
    /// A copy for tests, without wakers.
    pub(crate) fn snapshot(&self) -> Self {
        Self {
            mailbox: self.mailbox.snapshot(),
            runner: Latest::new(),
            waiting: Wakers::new(),
            slots: self.slots.each_ref().map(Slot::snapshot),
            ..*self
        }
    }
}

impl<'a> World<'a> {
    pub(crate) fn set_timing(&mut self, timing: Timing) {
        self.linger = millis(timing.linger);
        // With a time of 0 the modem would be asked for signs of life without a pause.
        self.poll = millis(timing.poll).max(1);
        self.random = timing.seed;
        self.patience = millis(timing.patience);
    }

    /// Called when the runner starts. Sets its times to now, so that none lies ahead.
    pub(crate) fn begin(&mut self, now: Ms) {
        self.now = now;
        self.retry_at = now;
        self.stray_at = now;
    }

    /// Makes the flow fail with this error.
    #[inline(never)] // It is used in many places.
    pub fn fail(&mut self, failure: impl Into<ConnectError>) -> Then {
        self.failure = failure.into();
        Then::Fail
    }

    /// Records the `<stat>` (27.007) of a modem that is not registered. A denial is reported at once, and the wait for
    /// registration goes on.
    pub fn registration_is(&mut self, stat: u8) {
        if stat == 3 && !self.denied {
            warn!("the network denies registration");
            self.denied = true;
        }
    }

    /// Ends the socket at this index for its user, with the reason `loss`, or [`Loss::Network`] while the network is
    /// lost.
    #[inline(never)] // It is used in many places.
    pub(crate) fn lose(&mut self, index: u8, loss: Loss) {
        let loss = if self.network_lost {
            Loss::Network
        } else {
            loss
        };
        self.loss = Some(loss);
        self.slots[usize::from(index)].lose(loss);
    }

    /// Returns the reason of the loss of a modem that does not answer, by the kind of input that came from it.
    pub(crate) fn silence_loss(&self) -> Loss {
        match self.heard {
            Heard::Nothing => Loss::NoAnswer,
            Heard::Bytes => Loss::Noise,
            Heard::Errors => Loss::Refuses,
        }
    }

    /// Returns whether the modem is off, by a status pin whose next edge ends a pause of the bring-up early. Without such a
    /// pin, `false`.
    pub fn is_off_by_its_pin(&self) -> bool {
        #[cfg(feature = "sleep")]
        let awaited = self.pins.status_awaited;
        #[cfg(not(feature = "sleep"))]
        let awaited = false;
        awaited && self.pins.status == Some(false)
    }

    pub(super) fn awaits_status(&mut self) {
        #[cfg(feature = "sleep")]
        {
            self.pins.status_awaited = true;
        }
    }

    /// Repeats this step after `pause` milliseconds.
    pub fn again(&mut self, pause: u32) -> Then {
        self.pause = pause;
        Then::Same
    }

    /// Returns the milliseconds since the flow began.
    pub fn elapsed(&self) -> u32 {
        self.now.wrapping_sub(self.start)
    }

    /// Returns how many times the channel was synchronised anew, wrapping. A flow that waits for a URC and finds this
    /// number changed may have missed the URC.
    pub fn resyncs(&self) -> u32 {
        self.counters.resyncs
    }

    /// Returns whether another connection is open besides the one that is being opened.
    pub fn has_other_sockets(&self) -> bool {
        self.slots.iter().any(|slot| slot.phase == Phase::Open)
    }

    /// Returns the number of connections that the driver has room for.
    pub fn socket_count(&self) -> usize {
        self.slots.len()
    }

    /// Returns whether a user has a connection, or one that is being opened.
    pub fn has_sockets(&self) -> bool {
        let stands = |slot: &Slot<'_>| matches!(slot.phase, Phase::Open | Phase::Opening);
        self.slots.iter().any(|slot| slot.user && stands(slot))
    }

    /// Returns whether the light sleep that begins was decided by the runner for want of work, and not asked for by a
    /// user. A modem that cannot announce data while it sleeps is then better left awake.
    pub fn sleeps_automatically(&self) -> bool {
        #[cfg(feature = "sleep")]
        return self.automatic_sleep;
        #[cfg(not(feature = "sleep"))]
        false
    }

    /// Returns whether a user changes credentials, or a guest holds the channel for a series of exchanges.
    pub fn changes_credentials(&self) -> bool {
        self.stores.is_held() || self.exclusive
    }

    /// Copies the server's name from `offset` on, as much as fits, and returns the number of bytes copied.
    pub fn name(&self, offset: usize, into: &mut [u8]) -> usize {
        self.slots[usize::from(self.slot)].tx.peek(offset, into)
    }

    /// Writes the whole name of the server to `out`.
    pub fn write_name(&self, out: &mut Out<'_>) {
        let mut piece = [0; 32];
        let mut offset = 0;
        loop {
            let count = self.name(offset, &mut piece);
            if count == 0 {
                return;
            }
            out.bytes(&piece[..count]);
            offset += count;
        }
    }

    /// Copies payload that is to be sent from `offset` on, as much as fits, and returns the number of bytes copied.
    pub fn payload(&self, offset: usize, into: &mut [u8]) -> usize {
        self.slots[usize::from(self.slot)].tx.peek(offset, into)
    }

    /// Ends the polls of connections, because a modem with [`polling`](Self::polling) announces data from now on. Each
    /// connection is still checked after the time of [`Timing::poll`](crate::modem::Timing::poll), since a notice can get
    /// lost.
    pub fn await_notices(&mut self) {
        let (now, poll, own) = (self.now, self.poll, usize::from(self.slot));
        for (index, slot) in self.slots.iter_mut().enumerate() {
            slot.awaits_notices(now, poll, index == own);
        }
    }

    /// Resumes the polls that [`await_notices`](Self::await_notices) has ended, because the modem announces nothing more.
    pub fn poll_sockets(&mut self) {
        let (now, polling) = (self.now, self.polling);
        for slot in &mut self.slots {
            slot.is_polled(now, polling);
        }
    }

    /// Assigns the id that the modem has chosen to the connection that is being opened. Another connection that still
    /// has this id is lost: its close was missed.
    pub fn take_id(&mut self, id: u8) {
        let own = usize::from(self.slot);
        for (index, slot) in self.slots.iter_mut().enumerate() {
            if index != own && slot.in_modem && slot.id == id {
                slot.lose(Loss::Connection);
                slot.released();
            }
        }
        self.id = id;
        let slot = &mut self.slots[own];
        slot.id = id;
        slot.in_modem = true;
    }

    /// Assigns an id to the connection that is being opened, for a modem that reports success by an id of its choice
    /// instead of a result.
    ///
    /// Returns `false` where no user waits for a connection: it was opened before a restart, or its user has dropped
    /// it. [`Urc::Opened`](crate::modem::Urc::Opened) then has the engine close it.
    pub fn adopt(&mut self, id: u8) -> bool {
        let waits = |slot: &Slot<'_>| {
            slot.phase == Phase::Opening && slot.user && slot.asked && !slot.in_modem
        };
        let Some(index) = self.slots.iter().position(waits) else {
            return false;
        };
        let (slot, flow) = (self.slot, self.id);
        self.slot = index as u8;
        self.take_id(id);
        // Another socket's flow may be under way.
        (self.slot, self.id) = if slot == self.slot {
            (slot, id)
        } else {
            (slot, flow)
        };
        true
    }

    /// Returns whether a socket has this id in the modem.
    pub fn knows(&self, id: u8) -> bool {
        self.with_id(id).is_some()
    }

    /// Marks that the open command was sent: URCs of this id are about this connection from now on, and not about an
    /// earlier one with the id.
    pub fn expect_open(&mut self) {
        let slot = self.slot();
        slot.asked = true;
    }

    pub(crate) fn slot(&mut self) -> &mut Slot<'a> {
        let index = usize::from(self.slot);
        &mut self.slots[index]
    }

    /// Returns the index of the socket that has `id` in the modem.
    pub(crate) fn with_id(&self, id: u8) -> Option<usize> {
        self.slots
            .iter()
            .position(|slot| slot.in_modem && slot.id == id)
    }

    /// Has the modem asked about every socket, because URCs may have been missed.
    pub(crate) fn ask_all(&mut self) {
        for slot in &mut self.slots {
            slot.readable = true;
            slot.check = true;
        }
    }

    /// Begins a new generation after a restart of the modem. What was posted before is void, and tasks that wait for it
    /// get an error at once, since it may be long until the modem answers again.
    pub(crate) fn next_generation(&mut self) {
        self.generation = self.generation.wrapping_add(1);
        if !matches!(self.errand, Errand::None | Errand::Done(_)) {
            self.errand = if self.errand_held {
                Errand::Done(Err(AtError::ModemReset))
            } else {
                Errand::None
            };
        }
        self.waiting.wake();
        self.mailbox.waker.wake();
    }

    /// Ends the turn of a guest, whose exchange belongs to nobody any more, and has the next guest served.
    pub(crate) fn free_channel(&mut self) {
        self.mailbox.take_away();
        self.waiting.wake();
    }

    /// Wakes the runner, because there may be work for it.
    pub(crate) fn wake_runner(&mut self) {
        self.changed = true;
        self.runner.wake();
    }
}
