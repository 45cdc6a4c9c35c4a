//! What the runner, the judges of a backend and the users' handles share: plain data with one owner.

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

/// [`Open::result`] until the modem has said whether the connection stands.
pub const NOT_YET: u16 = u16::MAX;

/// The longest report that a parked flow may wait for, in bytes.
pub(crate) const REPORT_LIMIT: usize = 64;

/// What [`World::liveness`] says without a notice pin.
#[cfg(feature = "sleep")]
pub(crate) const NO_PIN: Ms = 0;
/// What it says where a modem that sleeps is never asked for a sign of life.
#[cfg(feature = "sleep")]
pub(crate) const NEVER: Ms = Ms::MAX;

/// Whether the modem can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    Down,
    /// The last attempt to bring it up failed, with [`World::problem`].
    Failed,
    Up,
}

/// Whether the runner leaves the modem alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PowerState {
    Awake,
    /// In light sleep, with its sockets.
    #[cfg(feature = "sleep")]
    Dozing,
    /// It is being woken from light sleep.
    #[cfg(feature = "sleep")]
    Waking,
    /// In power saving mode, until it is used.
    Saving,
    /// Switched off, until it is switched on.
    Off,
}

/// What came from the modem while it gave no answer that could be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    Nothing,
    Bytes,
    /// `ERROR`, or a number of one.
    Errors,
}

/// What a user asks of the runner that is neither a socket nor an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Errand {
    None,
    PowerOff,
    #[cfg(feature = "sleep")]
    Sleep,
    /// The modem is being told.
    Runs,
    /// It has ended; its result waits to be fetched.
    Done(Result<(), AtError>),
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
    /// Times the modem went down: resets, lost network, no answer, and also where that was asked for or agreed: switched
    /// off, in power saving mode, a bring-up after a user's command.
    pub restarts: u32,
    /// Times an exchange was given up and the channel synchronised anew.
    pub resyncs: u32,
    /// Notices dropped because too many came within one answer. Every socket is then asked, so that
    /// it costs time, not data.
    pub dropped: u32,
}

/// A connection that is being opened; there is one at a time.
#[derive(Clone, Copy, Debug)]
pub struct Open {
    /// What is asked of it.
    pub config: TlsConfig,
    /// The server's TCP port.
    pub port: u16,
    /// The TLS context that is its own among the modem's.
    pub context: u8,
    /// What the modem has said; [`NOT_YET`] until then.
    pub result: u16,
    /// What is checked of this very connection, set by the flow that opens it.
    pub verified: Verification,
}

/// The board's pins: a judge says how they are to be, the runner drives them when the step is over.
#[derive(Clone, Copy, Debug, Default)]
pub struct PinState {
    /// A power key is wired.
    pub has_power_key: bool,
    /// A reset pin is wired.
    pub has_reset: bool,
    /// The power key is to be pressed.
    pub power_key: bool,
    /// Reset is to be asserted.
    pub reset: bool,
    /// What the status pin says; `None` without one.
    pub status: Option<bool>,
    /// The speed in baud at which the UART is to be, 0 for that at which it was opened.
    pub speed: u32,
    /// The UART's speed cannot be changed: so the last change of `speed` found.
    pub speed_refused: bool,
    /// A pin is wired by which the modem is let sleep.
    pub(crate) can_sleep: bool,
    /// The modem is let sleep.
    pub(crate) asleep: bool,
}

/// What all parts of the driver share. In this order, so that what is small and often used stands where
/// short instructions reach it; a figure in BENCHMARKS.md holds that.
#[repr(C)]
pub struct World<'a, S: ?Sized = [Slot<'a>]> {
    pub(crate) link: Link,
    pub(crate) power: PowerState,
    /// The modem answers commands, though there may be no SIM or network.
    pub answers: bool,
    /// What a flow that moves data or looks after a socket came to.
    pub verdict: Verdict,
    /// The modem took nothing of a send, for want of room.
    pub send_failed: bool,
    /// The modem asked for the payload of the last exchange, so that it may have taken some.
    pub prompted: bool,
    /// What ends a command line.
    pub terminator: Terminator,
    /// The modem's id of the socket that the flow is about.
    pub id: u8,
    /// Its place among the driver's sockets.
    pub(crate) slot: u8,
    /// The modem has restarted, and its start is under way.
    pub restarted: bool,
    /// The modem said that it takes commands.
    pub booted: bool,
    /// The data connection is gone. Set by a judge that found it so, it has the modem brought up anew.
    pub network_lost: bool,
    /// The modem may have restarted: a sign of life is wanted now.
    pub(crate) suspect: bool,
    /// An attempt to bring the modem up is under way.
    pub(crate) rising: bool,
    /// In the attempt to bring it up that is under way, the network has denied registration.
    pub(crate) denied: bool,
    /// What a change of credentials left behind is to be removed.
    pub cleanup: bool,
    /// The id that is given out next.
    pub(crate) next_id: u8,
    /// The flow that opens a connection is under way, or parked.
    pub(crate) opening: bool,
    /// The socket that was served last.
    pub(crate) last: u8,
    /// Closes in a row that the modem has not confirmed.
    pub(crate) failed_closes: u8,
    /// Counts the modem's lives.
    pub(crate) generation: u8,
    /// A guest wants the channel for exchanges that belong together.
    pub(crate) exclusive: bool,
    /// A guest waits until what it may have left behind is removed.
    pub(crate) cleanup_asked: bool,
    /// A user has sent something that may have changed the modem's settings: it is to be brought up anew.
    pub(crate) anew: bool,
    /// A user waits for the end of the errand; others wait until nobody does.
    pub(crate) errand_held: bool,
    /// Something has happened since it was last found that there is nothing to do.
    pub(crate) changed: bool,
    /// The power key, and not the sleep pin, ends light sleep.
    #[cfg(feature = "sleep")]
    pub(crate) wakes_by_key: bool,
    /// It was the runner that last let the modem sleep, and no user.
    #[cfg(feature = "sleep")]
    pub(crate) unasked: bool,
    /// Why a step ended; `None` for its answer or a refusal.
    pub ended: Option<AtError>,
    /// With what a step was refused.
    pub code: Code,
    /// How many bytes to move.
    pub len: u16,
    /// Where in the socket's transmit ring the payload of the next exchange begins; 0 at the start of a send.
    pub offset: u16,
    /// How many bytes the modem took, from the start of the ring: [`len`](Self::len) of the last exchange,
    /// unless a judge says otherwise.
    pub taken: u16,
    /// How many bytes came, if a header announced any.
    pub received: Option<u16>,
    /// The least room in a ring for which a fetch is made, for a modem that cannot be told how much to bring.
    pub fetch_unit: u16,
    /// Silence before and behind payload in data mode, in milliseconds.
    pub silence: (u16, u16),
    /// How long the end of data mode may take to be told before `+++` is sent again, in milliseconds.
    pub escape_pause: u16,
    /// How often `+++` was sent in the last exchange.
    pub escapes: u8,
    /// What is sent for [`Then::Fill`](crate::modem::Then::Fill): a byte, and how often.
    pub fill: (u8, u16),
    /// The time in milliseconds, wrapping.
    pub now: u32,
    /// Before the next step, in milliseconds.
    pub pause: u32,
    /// When the flow began.
    pub(crate) start: Ms,
    pub(crate) linger: Ms,
    pub(crate) poll: Ms,
    /// After how long in light sleep the modem is woken, or [`NO_PIN`], or [`NEVER`].
    #[cfg(feature = "sleep")]
    pub(crate) liveness: Ms,
    /// When something was last heard of the modem.
    pub(crate) heard_at: Ms,
    /// When the modem is brought up next.
    pub(crate) retry_at: Ms,
    pub(crate) backoff: Ms,
    pub(crate) random: u32,
    /// Attempts to bring the modem up that have failed.
    pub(crate) failures: u32,
    /// How long callers wait for a modem that does not come up.
    pub(crate) patience: Ms,
    /// Ids that the modem reported open and nobody wants, as a bit set, and when they are closed.
    pub(crate) stray: u32,
    pub(crate) stray_at: Ms,
    pub(crate) errand: Errand,
    /// Where data is looked for because the modem does not announce it.
    pub polling: Option<Polling>,
    /// Pushed data comes unasked, and needs a ring of so many bytes.
    pub push_unit: Option<u16>,
    /// The board's pins.
    pub pins: PinState,
    /// The connection that is being opened.
    pub open: Option<Open>,
    pub(crate) counters: Counters,
    /// The text of the step that was taken last, empty for one that only decides.
    pub command: &'static str,
    /// Why a flow failed.
    pub failure: ConnectError,
    /// Why the last connection was not opened.
    pub(crate) refusal: ConnectError,
    /// Why the last attempt to bring the modem up failed.
    pub(crate) problem: BringUpError,
    /// Why a connection was lost last, or the modem.
    pub(crate) loss: Option<Loss>,
    /// What came from the modem since it was last understood.
    pub(crate) heard: Heard,
    /// The last report that a parked flow may wait for, and its length.
    pub report: ([u8; REPORT_LIMIT], u8),
    pub(crate) mailbox: Mailbox,
    /// Who waits to open a connection.
    pub(crate) opens: Queue,
    /// Who waits to change credentials.
    pub(crate) stores: Queue,
    /// The runner's task.
    pub(crate) runner: Latest,
    /// Who waits for news of the link, a slot or an errand.
    pub(crate) waiting: Wakers<6>,
    #[cfg(feature = "tap")]
    pub(crate) tap: Option<&'static dyn crate::tap::Tap>,
    lifetime: core::marker::PhantomData<&'a ()>,
    pub(crate) slots: S,
}

/// The world as handles have it.
pub(crate) type Shared<'a> = RefCell<World<'a>>;

impl<S> World<'_, S> {
    /// As a part of a state, see [`Engine::cell`](super::text::Engine::cell).
    #[inline(never)]
    pub(crate) const fn cell(slots: S) -> RefCell<Self> {
        RefCell::new(Self::new(slots))
    }

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
            network_lost: false,
            suspect: false,
            rising: false,
            denied: false,
            cleanup: false,
            next_id: 0,
            opening: false,
            last: 0,
            failed_closes: 0,
            generation: 0,
            exclusive: false,
            cleanup_asked: false,
            anew: false,
            errand_held: false,
            changed: true,
            #[cfg(feature = "sleep")]
            wakes_by_key: false,
            #[cfg(feature = "sleep")]
            unasked: false,
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

    pub(crate) fn set_timing(&mut self, timing: Timing) {
        self.linger = millis(timing.linger);
        self.poll = millis(timing.poll);
        self.random = timing.seed;
        self.patience = millis(timing.patience);
    }
}

#[cfg(test)]
impl<const N: usize> World<'_, [Slot<'_>; N]> {
    /// A copy for tests, without wakers.
    pub(crate) fn snapshot(&self) -> Self {
        Self {
            mailbox: self.mailbox.snapshot(),
            opens: self.opens.snapshot(),
            stores: self.stores.snapshot(),
            runner: Latest::new(),
            waiting: Wakers::new(),
            slots: self.slots.each_ref().map(Slot::snapshot),
            ..*self
        }
    }
}

impl<'a> World<'a> {
    /// The runner starts: no time of its own lies ahead.
    pub(crate) fn begin(&mut self, now: Ms) {
        self.now = now;
        self.retry_at = now;
        self.stray_at = now;
    }

    /// Ends the flow with this failure.
    #[inline(never)] // It is used in many places.
    pub fn fail(&mut self, failure: impl Into<ConnectError>) -> Then {
        self.failure = failure.into();
        Then::Fail
    }

    /// The modem is not registered, and says this `<stat>` (27.007): a denial is told at once, and waiting goes on.
    pub fn registration_is(&mut self, stat: u8) {
        if stat == 3 && !self.denied {
            warn!("the network denies registration");
            self.denied = true;
        }
    }

    /// The socket at a place is lost so.
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

    /// What it looks like where a modem does not answer, by what came from it.
    pub(crate) fn silence_loss(&self) -> Loss {
        match self.heard {
            Heard::Nothing => Loss::NoAnswer,
            Heard::Bytes => Loss::Noise,
            Heard::Errors => Loss::Refuses,
        }
    }

    /// Repeats this step after `pause` milliseconds.
    pub fn again(&mut self, pause: u32) -> Then {
        self.pause = pause;
        Then::Same
    }

    /// For how many milliseconds the flow has run.
    pub fn elapsed(&self) -> u32 {
        self.now.wrapping_sub(self.start)
    }

    /// How often the channel was out of step so far, wrapping: a flow that waits for a notice, and finds this number
    /// changed, may have missed it.
    pub fn resyncs(&self) -> u32 {
        self.counters.resyncs
    }

    /// Whether a connection stands besides the one that is being opened.
    pub fn has_other_sockets(&self) -> bool {
        self.slots.iter().any(|slot| slot.phase == Phase::Open)
    }

    /// How many connections the driver has room for.
    pub fn socket_count(&self) -> usize {
        self.slots.len()
    }

    /// Whether a user has a connection, or one that is being opened.
    pub fn has_sockets(&self) -> bool {
        let stands = |slot: &Slot<'_>| matches!(slot.phase, Phase::Open | Phase::Opening);
        self.slots.iter().any(|slot| slot.user && stands(slot))
    }

    /// Whether the modem is let sleep because nothing is to do, and not because a user has asked for it: where it cannot
    /// tell of data while it sleeps, it is better left awake.
    pub fn sleeps_unasked(&self) -> bool {
        #[cfg(feature = "sleep")]
        return self.unasked;
        #[cfg(not(feature = "sleep"))]
        false
    }

    /// Somebody changes credentials, or has the channel for exchanges that belong together.
    pub fn changes_credentials(&self) -> bool {
        self.stores.is_held() || self.exclusive
    }

    /// The server's name, from `offset` on, as much of it as fits; returns how many bytes that was.
    pub fn name(&self, offset: usize, into: &mut [u8]) -> usize {
        self.slots[usize::from(self.slot)].tx.peek(offset, into)
    }

    /// Writes the server's name, whole.
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

    /// Payload that is to be sent, from `offset` on, as much of it as fits; returns how many bytes that was.
    pub fn payload(&self, offset: usize, into: &mut [u8]) -> usize {
        self.slots[usize::from(self.slot)].tx.peek(offset, into)
    }

    /// The modem has chosen this id for the connection that is being opened. A connection that had it before
    /// is gone, though nothing was heard of it.
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

    /// The modem has opened the connection that is being opened, and says so with an id that it chose, in the
    /// place of a result. Returns whether there is such a connection: otherwise it is of an earlier life, or
    /// nobody's any more, and [`Urc::Opened`](crate::modem::Urc::Opened) has it closed.
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

    /// Whether a connection of this id is known.
    pub fn knows(&self, id: u8) -> bool {
        self.with_id(id).is_some()
    }

    /// What the modem says of the connection from now on is about this one, and not an earlier of its id.
    pub fn expect_open(&mut self) {
        let slot = self.slot();
        slot.asked = true;
    }

    pub(crate) fn slot(&mut self) -> &mut Slot<'a> {
        let index = usize::from(self.slot);
        &mut self.slots[index]
    }

    /// The place of the socket that holds `id` in the modem.
    pub(crate) fn with_id(&self, id: u8) -> Option<usize> {
        self.slots
            .iter()
            .position(|slot| slot.in_modem && slot.id == id)
    }

    /// Notices may have been missed: every socket is asked.
    pub(crate) fn ask_all(&mut self) {
        for slot in &mut self.slots {
            slot.readable = true;
            slot.check = true;
        }
    }

    /// What was known of the modem's state is void, and who waits for something of before is told at once: it may be
    /// long until the modem answers again.
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

    /// There may be work for the runner.
    pub(crate) fn wake_runner(&mut self) {
        self.changed = true;
        self.runner.wake();
    }
}
