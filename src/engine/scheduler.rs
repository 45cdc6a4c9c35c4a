//! What is to be done next, and what follows from it: the same for every protocol.

use super::slot::{Phase, Sending, Slot};
use super::time::{Ms, after, past, sooner};
use super::world::{Errand, Heard, Link, PowerState, World};
use crate::engine::backend::{
    BRING_UP, CLEANUP, CLOSE, FETCH, LIVENESS, LOOK, Limits, OPEN, POWER_OFF, SEND, SLEEP, Verdict,
};
use crate::error::{AtError, BringUpError, ConnectError, SocketError};
use crate::loss::Loss;

/// Pauses between attempts to bring the modem up, which themselves take tens of seconds.
const BACKOFF: (Ms, Ms) = (1000, 30_000);
/// The modem says it has no room: ask again soon, and not for ever.
const BUSY_PAUSE: Ms = 100;
const BUSY_LIMIT: Ms = 60_000;
const CLOSE_TRIES: u8 = 3;
const CLOSE_PAUSE: Ms = 1000;
/// A close that the modem has taken may wait for the peer.
const CLOSING_LIMIT: Ms = 10_000;
/// A notice follows what it is about.
const NOTICE_PATIENCE: Ms = 1000;
/// How long a reader may take to make room for the rest before a writer is told what is known.
const READER_PATIENCE: Ms = 1000;
/// From the sleep pin to a modem that listens. No manual says how long it takes.
#[cfg(feature = "sleep")]
const WAKE_DELAY: Ms = 100;

/// Something for the engine to do. Sockets are meant by their place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Job {
    /// The modem was woken from light sleep.
    Awake,
    /// From any state to one where sockets can be opened.
    BringUp,
    /// Closes a connection.
    Close(u8),
    /// Closes an id that nobody wants.
    CloseStray(u8),
    /// Asks the modem for a sign of life.
    Liveness,
    /// Asks whether the socket still stands.
    Look(u8),
    /// The data connection is gone.
    NetworkLost,
    /// Opens the connection of [`World::open`], and sets its `verified`.
    Open(u8),
    /// Switches the modem off.
    PowerOff,
    /// Fetches up to so many bytes.
    Receive(u8, u16),
    /// Sends so many bytes.
    Send(u8, u16),
    /// Lets the modem sleep.
    Sleep,
    /// Removes what a change of credentials left behind.
    CleanUp,
}

impl Job {
    /// The backend's script for it.
    pub(crate) const fn script(self) -> Option<u8> {
        Some(match self {
            Self::BringUp => BRING_UP,
            Self::Close(_) | Self::CloseStray(_) => CLOSE,
            Self::Liveness => LIVENESS,
            Self::Look(_) => LOOK,
            Self::Open(_) => OPEN,
            Self::PowerOff => POWER_OFF,
            Self::Receive(..) => FETCH,
            Self::Send(..) => SEND,
            Self::Sleep => SLEEP,
            Self::CleanUp => CLEANUP,
            Self::NetworkLost | Self::Awake => return None,
        })
    }

    /// Whether it waits while a guest has the channel for itself.
    pub const fn is_for_users(self) -> bool {
        !matches!(
            self,
            Self::BringUp | Self::NetworkLost | Self::Awake | Self::CleanUp
        )
    }

    /// Whether it goes before a guest that waits: what is closed makes room for others.
    pub const fn is_close(self) -> bool {
        matches!(self, Self::Close(_) | Self::CloseStray(_))
    }

    const fn slot(self) -> Option<u8> {
        match self {
            Self::Open(slot) | Self::Close(slot) | Self::Look(slot) => Some(slot),
            Self::Send(slot, _) | Self::Receive(slot, _) => Some(slot),
            _ => None,
        }
    }

    /// Makes the world ready for it; returns whether it can be.
    pub(crate) fn begin(self, w: &mut World<'_>, limits: &Limits) -> bool {
        if let Some(slot) = self.slot() {
            w.last = slot;
            w.slot = slot;
            w.id = w.slot().id;
        }
        match self {
            Self::Open(_) => return w.claim(limits),
            Self::BringUp => (w.rising, w.denied, w.heard) = (true, false, Heard::Nothing),
            Self::Close(_) => w.verdict = Verdict::Done,
            Self::CloseStray(id) => (w.id, w.verdict) = (id, Verdict::Done),
            Self::Liveness => w.suspect = false,
            Self::Look(_) => w.slot().readable &= !w.slots[usize::from(w.slot)].push,
            Self::Receive(_, len) => {
                w.len = len;
                w.verdict = Verdict::Empty;
                let slot = w.slot();
                // A notice that comes during the fetch sets it again.
                slot.readable = false;
                slot.rx.discard();
            }
            Self::Send(_, len) => {
                w.len = len;
                w.offset = 0;
                w.verdict = Verdict::Done;
            }
            Self::CleanUp => (w.cleanup, w.cleanup_asked) = (false, false),
            Self::PowerOff | Self::Sleep => w.errand = Errand::Runs,
            _ => {}
        }
        true
    }

    /// Its flow ends with the modem's life.
    pub(crate) fn dropped(self, w: &mut World<'_>) {
        match self {
            Self::Open(_) => {
                w.refusal = ConnectError::At(AtError::ModemReset);
                w.open_is_over();
            }
            Self::CleanUp => {
                w.fail(AtError::ModemReset);
                w.cleaned_up(false);
            }
            _ => {}
        }
    }
}

/// The next thing to do, or when to look again. Sockets take turns.
pub(crate) fn next_job(w: &mut World<'_>, limits: &Limits, opening: bool) -> (Ms, Option<Job>) {
    let now = w.now;
    w.forget_old_times();
    if let (Errand::PowerOff, true) = (w.errand, w.answers) {
        return (now, Some(Job::PowerOff));
    }
    if w.cleanup_asked && w.answers && w.power == PowerState::Awake {
        return (now, Some(Job::CleanUp));
    }
    let wanted = w.slots.iter().any(|slot| slot.phase == Phase::Wanted);
    if w.power == PowerState::Saving && wanted {
        w.power = PowerState::Awake;
    }
    #[cfg(feature = "sleep")]
    if let Some(next) = w.doze() {
        return next;
    }
    if w.power != PowerState::Awake {
        return (after(now, Ms::MAX), None);
    }
    if w.link == Link::Failed && core::mem::take(&mut w.anew) {
        w.retry_at = now;
    }
    if w.link != Link::Up {
        return (
            w.retry_at,
            Some(Job::BringUp).filter(|_| past(now, w.retry_at)),
        );
    }
    if w.network_lost || w.anew {
        return (now, Some(Job::NetworkLost));
    }
    #[cfg(feature = "sleep")]
    if w.errand == Errand::Sleep {
        return (now, Some(Job::Sleep));
    }
    if w.cleanup && !w.stores.is_held() {
        return (now, Some(Job::CleanUp));
    }
    let mut wake_at = after(w.heard_at, w.poll);
    if w.stray != 0 {
        if past(now, w.stray_at) {
            return (now, Some(Job::CloseStray(w.stray.trailing_zeros() as u8)));
        }
        wake_at = sooner(now, wake_at, w.stray_at);
    }
    // Sockets of which nothing more can be read, or whose users have gone.
    for (index, slot) in w.slots.iter().enumerate() {
        if slot.close && slot.in_modem {
            if past(now, slot.retry_at) {
                return (now, Some(Job::Close(index as u8)));
            }
            wake_at = sooner(now, wake_at, slot.retry_at);
        }
    }
    let count = w.slots.len();
    for step in 1..=count {
        let mut index = usize::from(w.last) + step;
        if index >= count {
            index -= count;
        }
        let Some(slot) = w.slots.get(index) else {
            continue;
        };
        match slot.next_job(index as u8, now, limits, w.fetch_unit, opening) {
            (_, Some(job)) => return (now, Some(job)),
            (at, None) => wake_at = sooner(now, wake_at, at.unwrap_or(wake_at)),
        }
    }
    if w.suspect || past(now, after(w.heard_at, w.poll)) {
        return (now, Some(Job::Liveness));
    }
    (wake_at, None)
}

impl Slot<'_> {
    /// What there is to do for it, or when.
    fn next_job(
        &self,
        number: u8,
        now: Ms,
        limits: &Limits,
        fetch_unit: u16,
        opening: bool,
    ) -> (Option<Ms>, Option<Job>) {
        // A socket of which nothing more can be read, or whose user has gone.
        if self.close && self.in_modem {
            let due = past(now, self.retry_at);
            return (
                Some(self.retry_at),
                Some(Job::Close(number)).filter(|_| due),
            );
        }
        if self.phase == Phase::Wanted && !opening {
            return (None, Some(Job::Open(number)));
        }
        if self.phase != Phase::Open {
            return (None, None);
        }
        let mut wake_at = None;
        let mut wake = |at| wake_at = Some(wake_at.map_or(at, |known| sooner(now, known, at)));
        let waiting = self.tx.len();
        // What has no room for a send may have none until something was fetched (ublox sheet, B.2.3).
        let fetch_first = self.busy
            && self.readable
            && !self.push
            && self.rx.room() >= usize::from(fetch_unit).max(1);
        if waiting > 0 && !fetch_first && self.sending == Sending::On {
            let frame = usize::from(limits.max_send).min(self.tx.capacity());
            let mut due = self.retry_at;
            if !self.flush && waiting < frame && past(self.send_at, due) {
                due = self.send_at;
            }
            if past(now, due) {
                let len = waiting.min(limits.max_send.into()) as u16;
                return (None, Some(Job::Send(number, len)));
            }
            wake(due);
        }
        if self.push {
            if self.readable || past(now, self.look_at) {
                return (None, Some(Job::Look(number)));
            }
            wake(self.look_at);
            return (wake_at, None);
        }
        // Small fetches cost as many exchanges as large ones: wait until half the ring is free. Not where a
        // writer waits to be told why, and there not for ever: nobody may be reading.
        let most = usize::from(limits.max_receive);
        let room = self.rx.room().min(most);
        let failed = self.sending == Sending::Failed;
        let least = if failed || fetch_first {
            1
        } else {
            self.rx.capacity().min(most).div_ceil(2)
        };
        let fits = room >= least.max(fetch_unit.into());
        if fits || failed {
            let mut due = if self.readable { now } else { self.look_at };
            if !fits && !past(due, self.retry_at) {
                due = self.retry_at;
            }
            if past(now, due) {
                let len = if fits { room as u16 } else { 0 };
                return (None, Some(Job::Receive(number, len)));
            }
            wake(due);
        }
        (wake_at, None)
    }

    /// Times that have come are now, so that they have not become future once the clock has gone half round.
    fn forget_old_times(&mut self, now: Ms) {
        for time in [&mut self.retry_at, &mut self.send_at, &mut self.look_at] {
            if past(now, *time) {
                *time = now;
            }
        }
    }
}

#[cfg(feature = "sleep")]
impl Slot<'_> {
    /// Whether there is something to do for it that does not wait for its time.
    pub(crate) fn works(&self) -> bool {
        (self.readable && self.phase == Phase::Open)
            || self.tx.len() > 0
            || self.phase == Phase::Wanted
            || (self.close && self.in_modem)
    }
}

#[cfg(feature = "sleep")]
impl World<'_> {
    /// What there is to do about a modem in light sleep: nothing, or waking it.
    fn doze(&mut self) -> Option<(Ms, Option<Job>)> {
        let now = self.now;
        let rests = Some((after(now, Ms::MAX), None));
        match self.power {
            PowerState::Dozing => {
                let needed = self.network_lost
                    || self.suspect
                    || self.errand == Errand::Sleep
                    || self.cleanup
                    || self.cleanup_asked
                    || self.mailbox.post == super::mailbox::ExchangeState::Wanted
                    || self.slots.iter().any(Slot::works);
                if !needed {
                    return rests;
                }
                self.power = PowerState::Waking;
                self.pins.asleep = false;
                // Also where it was released before.
                self.pins.power_key = self.wakes_by_key;
                self.retry_at = after(now, WAKE_DELAY);
                Some((self.retry_at, None))
            }
            PowerState::Waking if !past(now, self.retry_at) => Some((self.retry_at, None)),
            PowerState::Waking if self.pins.power_key => {
                self.pins.power_key = false;
                self.retry_at = after(now, WAKE_DELAY);
                Some((self.retry_at, None))
            }
            // The first characters may be lost all the same: it is asked until it answers.
            PowerState::Waking => Some((now, Some(Job::Awake))),
            _ => None,
        }
    }

    /// The modem was let sleep.
    pub(crate) fn dozes(&mut self, by_key: bool) {
        self.power = PowerState::Dozing;
        self.wakes_by_key = by_key;
        self.pins.asleep = !by_key;
    }

    /// It answers again, or not.
    pub(crate) fn awake(&mut self) {
        if matches!(self.power, PowerState::Dozing | PowerState::Waking) {
            self.power = PowerState::Awake;
        }
        if self.wakes_by_key {
            // It says that it has started, and not everything that was to be said meanwhile.
            self.suspect = false;
            self.ask_all();
        }
        self.waiting.wake();
    }
}

impl World<'_> {
    fn forget_old_times(&mut self) {
        let now = self.now;
        for time in [&mut self.retry_at, &mut self.stray_at] {
            if past(now, *time) {
                *time = now;
            }
        }
        for slot in &mut self.slots {
            slot.forget_old_times(now);
        }
    }

    /// Gives the socket an id, unless the modem chooses it. They go round, so that a late result of one
    /// connection finds none of its number.
    fn claim(&mut self, limits: &Limits) -> bool {
        let number = self.slot;
        self.opening = true;
        if let Some(open) = &mut self.open {
            open.context = number;
        }
        let push = self.push_unit.is_some();
        let slot = self.slot();
        slot.phase = Phase::Opening;
        // Already now: what is pushed may come before the flow has ended.
        slot.push = push;
        if limits.ids == 0 {
            return true;
        }
        let mut id = self.next_id;
        let mut tries = limits.ids;
        while self.stray & 1 << id != 0 || self.with_id(id).is_some() {
            id = if id + 1 < limits.ids { id + 1 } else { 0 };
            tries -= 1;
            if tries == 0 {
                self.failure = ConnectError::TooManySockets;
                return false;
            }
        }
        self.next_id = if id + 1 < limits.ids { id + 1 } else { 0 };
        self.id = id;
        let slot = self.slot();
        slot.id = id;
        slot.in_modem = true;
        true
    }

    /// Brings the modem up anew, or leaves it alone. What it had is gone.
    pub(crate) fn link_is_down(&mut self, power: PowerState) {
        self.changed = true;
        self.link = Link::Down;
        self.answers = false;
        // A modem that sleeps, or is being woken, is not left so.
        self.pins.power_key = false;
        self.pins.asleep = false;
        // One that is switched off is not woken by what it says.
        if self.power != PowerState::Off {
            self.power = power;
        }
        let loss = self.loss.unwrap_or(Loss::NoAnswer);
        for slot in &mut self.slots {
            if slot.phase == Phase::Wanted {
                continue;
            }
            // Bring-up closes every id before anything is opened.
            slot.is_lost_with_the_modem(loss);
            slot.released();
        }
        self.failed_closes = 0;
        self.stray = 0;
        self.network_lost = false;
        self.anew = false;
        self.suspect = false;
        self.retry_at = self.now;
        self.waiting.wake();
    }

    /// An attempt to bring the modem up has ended.
    pub(crate) fn brought_up(&mut self, done: bool) {
        (self.rising, self.denied) = (false, false);
        if done {
            info!("the modem is up");
            self.link = Link::Up;
            self.answers = true;
            self.heard_at = self.now;
            self.backoff = 0;
        } else {
            self.problem = match self.failure {
                ConnectError::BringUp(error) => error,
                ConnectError::At(error) => BringUpError::At {
                    command: name_of(self.command),
                    error,
                },
                _ => BringUpError::NoAnswer,
            };
            if self.problem == BringUpError::NoAnswer {
                self.problem = match self.heard {
                    Heard::Nothing => BringUpError::NoAnswer,
                    Heard::Bytes => BringUpError::Unintelligible,
                    Heard::Errors => BringUpError::RefusesAll,
                };
            }
            warn!("bring-up: {}", self.problem);
            self.link = Link::Failed;
            self.failures = self.failures.wrapping_add(1);
            self.retry_at = after(self.now, self.next_pause());
        }
        self.waiting.wake();
        for slot in &mut self.slots {
            slot.wake();
        }
    }

    /// Doubles, and is shorter by a random part of up to half of that.
    fn next_pause(&mut self) -> Ms {
        self.backoff = (self.backoff * 2).clamp(BACKOFF.0, BACKOFF.1);
        // Xorshift; it needs something to begin with.
        let mut x = self.random | 1;
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        self.random = x;
        self.backoff - (self.backoff >> 9) * (x >> 24)
    }

    /// The flow that opens a connection has ended.
    pub(crate) fn opened(&mut self, done: bool) {
        let (now, poll, polling) = (self.now, self.poll, self.polling);
        let slot = self.slot();
        if !done {
            slot.fail(SocketError::ConnectionReset);
            if !slot.in_modem {
                slot.released();
            }
            self.refusal = self.failure;
        } else if slot.phase == Phase::Opening && slot.user {
            slot.opened(now, poll, polling);
            if let Some(open) = &mut self.open {
                open.verified = open.config.verified_as(open.verified);
                info!("connected, checked of the server: {}", open.verified);
            }
        } else {
            // Its user went away meanwhile.
            slot.close = true;
            slot.phase = Phase::Failed(SocketError::ConnectionReset);
            slot.free_if_unused();
        }
        self.slot().wake();
        self.open_is_over();
    }

    /// Another connection may be opened.
    fn open_is_over(&mut self) {
        self.opening = false;
        self.waiting.wake();
    }

    pub(crate) fn sent(&mut self) {
        let (now, verdict, taken) = (self.now, self.verdict, self.taken);
        let slot = self.slot();
        match verdict {
            Verdict::Done => {
                slot.tx.consume(taken.into());
                slot.busy = false;
                slot.traffic(now);
                slot.flush &= slot.tx.len() > 0;
            }
            Verdict::Busy => {
                if !slot.busy {
                    slot.busy_since = now;
                }
                slot.busy = true;
                slot.retry_at = after(now, BUSY_PAUSE);
                if past(now, after(slot.busy_since, BUSY_LIMIT)) {
                    return self.lose(self.slot, Loss::Connection);
                }
            }
            Verdict::Failed => {
                slot.sending = Sending::Failed;
                slot.readable = true;
                slot.check = false;
                slot.retry_at = after(now, READER_PATIENCE);
                return;
            }
            // What came before the end may still be fetched.
            _ => {
                slot.sending = Sending::Refused;
                slot.readable = true;
            }
        }
        slot.tx_waker.wake();
    }

    /// A fetch has ended. Returns whether the modem is to be asked if the connection still stands.
    pub(crate) fn fetched(&mut self, closed_before: bool) -> bool {
        let (now, verdict, poll, len) = (self.now, self.verdict, self.poll, self.len);
        let mut lost = None;
        let slot = self.slot();
        match verdict {
            // Nothing is wrong but that the peer has closed; there was no room for what it sent.
            Verdict::Done if len == 0 => {
                slot.sending = Sending::Refused;
                slot.readable = true;
                slot.tx_waker.wake();
            }
            Verdict::Done => {
                // Only now is it certain that these bytes, all of them, were the peer's.
                if slot.phase == Phase::Open {
                    slot.rx.commit();
                    slot.heard = true;
                    slot.readable = true;
                    slot.traffic(now);
                    slot.rx_waker.wake();
                }
            }
            Verdict::End => slot.end(),
            Verdict::TooLarge => slot.fail(SocketError::RecordTooLarge),
            Verdict::Empty if closed_before => slot.end(),
            // What tells why may be on its way.
            Verdict::Empty if slot.sending == Sending::Failed && !slot.check => {
                slot.check = true;
                slot.look_at = after(now, NOTICE_PATIENCE);
            }
            Verdict::Empty if slot.sending != Sending::On && !slot.peer_closed => {
                lost = Some(Loss::Connection);
            }
            Verdict::Empty if core::mem::take(&mut slot.check) => return true,
            Verdict::Empty => slot.looked_in_vain(now, poll),
            // Some firmware refuses to read once the peer has closed (bg96 sheet, 4.5).
            Verdict::NotConnected if slot.peer_closed => slot.end(),
            Verdict::Broken => lost = Some(Loss::ResetOrRecord),
            _ => lost = Some(Loss::Connection),
        }
        if let Some(loss) = lost {
            self.lose(self.slot, loss);
        }
        false
    }

    /// The modem was asked whether a connection stands.
    pub(crate) fn looked(&mut self) {
        let (now, poll, gone) = (self.now, self.poll, self.verdict != Verdict::Standing);
        let slot = self.slot();
        if !slot.push {
            if gone {
                slot.peer_closed = true;
                slot.readable = true;
            } else {
                slot.looked_in_vain(now, poll);
            }
        } else if !gone && slot.sending == Sending::On {
            slot.look_at = after(now, poll);
        } else if gone && slot.peer_closed {
            slot.end();
        } else if gone && !slot.check {
            // Its notice was missed, and what was pushed before it perhaps as well; or it is on its way.
            slot.check = true;
            slot.look_at = after(now, NOTICE_PATIENCE);
        } else {
            self.lose(self.slot, Loss::Connection);
        }
    }

    /// The modem has confirmed a close, or not; returns whether it is to be brought up anew.
    pub(crate) fn closed(&mut self, job: Job, confirmed: bool) -> bool {
        if confirmed && self.verdict == Verdict::Closing {
            self.close_later(job, CLOSING_LIMIT);
            return false;
        }
        if confirmed {
            self.failed_closes = 0;
            match job {
                Job::CloseStray(id) => self.stray &= !(1 << id),
                _ => self.slot().released(),
            }
            self.waiting.wake();
            return false;
        }
        self.failed_closes += 1;
        if self.failed_closes >= CLOSE_TRIES {
            warn!("the modem does not confirm a close");
            return true;
        }
        self.close_later(job, CLOSE_PAUSE);
        false
    }

    fn close_later(&mut self, job: Job, pause: Ms) {
        let at = after(self.now, pause);
        match job {
            Job::CloseStray(_) => self.stray_at = at,
            _ => self.slot().retry_at = at,
        }
    }

    /// What a close of this id may wait for has come.
    pub(crate) fn close_again(&mut self, id: u8) {
        let now = self.now;
        if id < 32 && self.stray & 1 << id != 0 {
            self.stray_at = now;
        }
        if let Some(index) = self.with_id(id) {
            let slot = &mut self.slots[index];
            if slot.close {
                slot.retry_at = now;
            }
        }
    }

    /// What a change of credentials left behind is removed, or cannot be.
    pub(crate) fn cleaned_up(&mut self, done: bool) {
        self.mailbox.cleaned_up = Some(self.end(done));
        self.waiting.wake();
    }

    pub(crate) fn errand_ended(&mut self, done: bool) {
        self.errand = Errand::Done(self.end(done));
        self.waiting.wake();
    }

    /// The end of a flow that has no failures of its own.
    fn end(&self, done: bool) -> Result<(), AtError> {
        match self.failure {
            _ if done => Ok(()),
            ConnectError::At(error) => Err(error),
            _ => Err(AtError::Garbled),
        }
    }
}

/// The name of the command in the text of a step; what is not about one was about whether the modem answers.
fn name_of(text: &'static str) -> &'static str {
    let end = text.bytes().position(|byte| matches!(byte, b'=' | b'{'));
    match text.get(..end.unwrap_or(text.len())) {
        Some("") | None => "AT",
        Some(name) => name,
    }
}
