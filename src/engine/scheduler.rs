//! The scheduler: chooses the next job for an engine, and updates the sockets when a job has ended. It is
//! synchronous, and independent of the protocol that the modem speaks.

use super::slot::{Phase, Sending, Slot};
use super::time::{Ms, after, past, sooner};
use super::world::{Errand, Heard, Link, PowerState, World};
use crate::engine::backend::{
    BRING_UP, CLEANUP, CLOSE, FETCH, LIVENESS, LOOK, Limits, OPEN, POWER_OFF, SEND, SLEEP, Verdict,
};
use crate::error::{AtError, BringUpError, ConnectError, SocketError};
use crate::loss::Loss;

/// The shortest and the longest pause between bring-ups, which themselves take tens of seconds.
const BACKOFF: (Ms, Ms) = (1000, 30_000);
/// The pause before a send that the modem had no room for is repeated, and the time after which the socket is given
/// up.
const BUSY_PAUSE: Ms = 100;
const BUSY_LIMIT: Ms = 60_000;
const CLOSE_TRIES: u8 = 3;
const CLOSE_PAUSE: Ms = 1000;
/// The time to wait for the URC of a close that the modem has accepted; it may wait for the peer.
const CLOSING_LIMIT: Ms = 10_000;
/// The time to wait for a URC that explains a failure.
const NOTICE_PATIENCE: Ms = 1000;
/// The time that a reader gets, after a failed send, to make room in the ring for what the peer sent before. After it
/// the writer gets its error.
const READER_PATIENCE: Ms = 1000;
/// The time from the edge of the sleep pin to the first command. No manual says how long the modem needs.
#[cfg(feature = "sleep")]
const WAKE_DELAY: Ms = 100;

/// A piece of work for the engine, which the scheduler gives out. A socket is named by its index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Job {
    /// The modem was woken from light sleep.
    Awake,
    /// Brings the modem from any state to one where sockets can be opened.
    BringUp,
    /// Closes a connection.
    Close(u8),
    /// Closes a socket id that the modem has open and no user wants.
    CloseStray(u8),
    /// Asks the modem for a sign of life.
    Liveness,
    /// Asks whether the socket still stands.
    Look(u8),
    /// The data connection is gone, or a user's command may have changed settings: the modem is brought up anew.
    NetworkLost,
    /// Opens the connection of [`World::open`], and sets its `verified`.
    Open(u8),
    /// Switches the modem off.
    PowerOff,
    /// Fetches up to this many bytes for the socket.
    Receive(u8, u16),
    /// Sends this many bytes of the socket.
    Send(u8, u16),
    /// Lets the modem sleep.
    Sleep,
    /// Removes leftovers of a change of credentials from the modem.
    CleanUp,
}

impl Job {
    /// Returns the number of the backend's script for the job; `None` where the engine does it without one.
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

    /// Returns whether the job waits while a guest holds the channel for a series of exchanges.
    pub const fn is_for_users(self) -> bool {
        !matches!(
            self,
            Self::BringUp | Self::NetworkLost | Self::Awake | Self::CleanUp
        )
    }

    /// Returns whether the job closes a socket. A close goes before a waiting guest, since it makes room for others.
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

    /// Prepares the world for the job. Returns `false` where the job cannot be done.
    pub(crate) fn begin(self, w: &mut World<'_>, limits: &Limits) -> bool {
        if let Some(slot) = self.slot() {
            w.last = slot;
            w.slot = slot;
            w.id = w.slot().id;
        }
        match self {
            Self::Open(_) => return w.claim(limits),
            Self::BringUp => (w.bringing_up, w.denied, w.heard) = (true, false, Heard::Nothing),
            Self::Close(_) => w.verdict = Verdict::Done,
            Self::CloseStray(id) => (w.id, w.verdict) = (id, Verdict::Done),
            Self::Liveness => w.suspect = false,
            Self::Look(_) => {
                // Without a script nothing is known.
                w.verdict = Verdict::Standing;
                let slot = w.slot();
                slot.readable &= !slot.push;
            }
            Self::Receive(_, len) => {
                w.len = len;
                w.verdict = Verdict::Empty;
                let slot = w.slot();
                // A URC that comes during the fetch sets it again.
                slot.readable = false;
                slot.rx.discard();
            }
            Self::Send(_, len) => {
                w.len = len;
                w.offset = 0;
                w.verdict = Verdict::Done;
            }
            Self::CleanUp => (w.cleanup, w.cleanup_asked) = (false, false),
            Self::PowerOff | Self::Sleep => {
                w.errand = Errand::Runs;
                w.restarted = false;
            }
            _ => {}
        }
        true
    }

    /// Ends the job without a result, because the modem restarts.
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

/// Returns the next job, or the time to ask again. Sockets take turns, beginning after the one that was served last.
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
    if w.link == Link::Failed && core::mem::take(&mut w.settings_changed) {
        w.retry_at = now;
    }
    if w.link != Link::Up {
        return (
            w.retry_at,
            Some(Job::BringUp).filter(|_| past(now, w.retry_at)),
        );
    }
    if w.network_lost || w.settings_changed {
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
    // Closes of all sockets go before other work: these can be read no more, or their users have dropped them.
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
        let job = slot.next_job(
            index as u8,
            now,
            limits,
            w.fetch_unit,
            opening,
            &mut wake_at,
        );
        if job.is_some() {
            return (now, job);
        }
    }
    if w.suspect || past(now, after(w.heard_at, w.poll)) {
        return (now, Some(Job::Liveness));
    }
    (wake_at, None)
}

impl Slot<'_> {
    /// Returns the next job of this socket; or brings `wake_at` forward to the time at which there will be one.
    fn next_job(
        &self,
        number: u8,
        now: Ms,
        limits: &Limits,
        fetch_unit: u16,
        opening: bool,
        wake_at: &mut Ms,
    ) -> Option<Job> {
        // The socket can be read no more, or its user has dropped it. Closes are given out before other work.
        if self.close && self.in_modem {
            return None;
        }
        if self.phase == Phase::Wanted && !opening {
            return Some(Job::Open(number));
        }
        if self.phase != Phase::Open {
            return None;
        }
        if self.sending == Sending::Asked {
            return Some(Job::Look(number));
        }
        let mut wake = |at| *wake_at = sooner(now, *wake_at, at);
        let waiting = self.tx.len();
        // A modem without room for a send may have none until data was fetched from it (ublox sheet, B.2.3).
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
                return Some(Job::Send(number, len));
            }
            wake(due);
        }
        if self.push {
            if self.readable || past(now, self.look_at) {
                return Some(Job::Look(number));
            }
            wake(self.look_at);
            return None;
        }
        // A small fetch costs as many exchanges as a large one, so a fetch waits until half the ring is free. After a
        // failed send the fetch does not wait for that, because the writer waits for the reason; where the ring is
        // full, it waits only until `retry_at`, since the socket may have no reader.
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
                return Some(Job::Receive(number, len));
            }
            wake(due);
        }
        None
    }

    /// Sets times that have come to now. Left alone, they would lie in the future once the clock has gone half round.
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
    /// Returns whether the socket has work now, apart from what waits for a time.
    pub(crate) fn works(&self) -> bool {
        (self.readable && self.phase == Phase::Open)
            || self.tx.len() > 0
            || self.phase == Phase::Wanted
            || (self.close && self.in_modem)
    }
}

#[cfg(feature = "sleep")]
impl World<'_> {
    /// Returns the next job for a modem in light sleep: none, or waking it. `None` where it does not sleep.
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
                // A pulse of the power key, where that wakes the modem; otherwise the sleep pin does.
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
            // The modem may still lose the first characters, so the engine asks it until it answers.
            PowerState::Waking => Some((now, Some(Job::Awake))),
            _ => None,
        }
    }

    /// Records that the modem sleeps. `by_key`: its power key wakes it, instead of the sleep pin.
    pub(crate) fn dozes(&mut self, by_key: bool) {
        self.power = PowerState::Dozing;
        self.wakes_by_key = by_key;
        self.pins.asleep = !by_key;
    }

    /// Returns whether the modem is not in light sleep. Otherwise has it woken, and the task polled once it is.
    pub(crate) fn poll_awake(&mut self, cx: &mut core::task::Context<'_>) -> bool {
        match self.power {
            PowerState::Dozing => {
                self.suspect = true;
                self.wake_runner();
            }
            PowerState::Waking => {}
            _ => return true,
        }
        self.waiting.register(cx);
        false
    }

    /// Ends light sleep, whether or not the modem answers again.
    pub(crate) fn awake(&mut self) {
        if matches!(self.power, PowerState::Dozing | PowerState::Waking) {
            self.power = PowerState::Awake;
        }
        if self.wakes_by_key {
            // A modem that is woken by its key prints a boot banner, and loses URCs of the time of sleep.
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

    /// Gives the socket an id, unless the modem chooses it. Ids are given out in turn, so that a late result of one
    /// connection is not taken for that of the next. Returns `false` where all ids are in use.
    fn claim(&mut self, limits: &Limits) -> bool {
        let number = self.slot;
        self.opening = true;
        if let Some(open) = &mut self.open {
            open.context = number;
        }
        let push = self.push_unit.is_some();
        let slot = self.slot();
        slot.phase = Phase::Opening;
        // Set before the open: data may be pushed before the flow has ended.
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

    /// Takes the link down and resets every socket. Then the modem is brought up anew, or left in the state `power`.
    pub(crate) fn link_is_down(&mut self, power: PowerState) {
        self.changed = true;
        self.link = Link::Down;
        self.answers = false;
        // The pins of a modem that sleeps, or is being woken, are released.
        self.pins.power_key = false;
        self.pins.asleep = false;
        // Output of a modem that was switched off does not switch it on.
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
        self.settings_changed = false;
        self.suspect = false;
        self.retry_at = self.now;
        self.waiting.wake();
    }

    /// Ends a bring-up: the link is up, or the next attempt is scheduled.
    pub(crate) fn brought_up(&mut self, done: bool) {
        (self.bringing_up, self.denied) = (false, false);
        if done {
            info!("the modem is up");
            self.searched = false;
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

    /// Returns whether a bring-up is under way that is worth waiting for. One that only repeats the search for a silent modem
    /// would double the time until the modem is called silent.
    pub(crate) const fn may_come_up(&self) -> bool {
        self.bringing_up && (self.answers || !self.searched)
    }

    /// Returns the pause before the next bring-up: twice the last one within [`BACKOFF`], less a random part of up to
    /// half of that.
    fn next_pause(&mut self) -> Ms {
        self.backoff = (self.backoff * 2).clamp(BACKOFF.0, BACKOFF.1);
        // Xorshift, whose state must not be 0.
        let mut x = self.random | 1;
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        self.random = x;
        self.backoff - ((self.backoff * (x >> 24)) >> 9)
    }

    /// Ends the flow that opens a connection, and gives the socket or the error to its user.
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
            // The user has dropped the socket meanwhile.
            slot.close = true;
            slot.phase = Phase::Failed(SocketError::ConnectionReset);
            slot.free_if_unused();
        }
        self.slot().wake();
        self.open_is_over();
    }

    /// Lets the next connection be opened.
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
            // Whether the connection stands shows at whom it lies.
            _ if !slot.peer_closed => {
                slot.sending = Sending::Asked;
                return;
            }
            // Data that came before the end of the connection may still be fetched.
            _ => {
                slot.sending = Sending::Refused;
                slot.readable = true;
            }
        }
        slot.tx_waker.wake();
    }

    /// Ends a fetch, and delivers its bytes or the end of the connection. Returns whether the modem is to be asked if the
    /// connection still stands.
    pub(crate) fn fetched(&mut self, closed_before: bool) -> bool {
        let (now, verdict, poll, len) = (self.now, self.verdict, self.poll, self.len);
        let mut lost = None;
        let slot = self.slot();
        match verdict {
            // A fetch of length 0 found only that the peer has closed; the ring had no room for what it sent.
            Verdict::Done if len == 0 => {
                slot.sending = Sending::Refused;
                slot.readable = true;
                slot.tx_waker.wake();
            }
            Verdict::Done => {
                // Only the end of the exchange proves that all of these bytes came from the peer.
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
            // The URC that gives the reason may be on its way.
            Verdict::Empty if slot.sending == Sending::Failed && !slot.check => {
                slot.check = true;
                slot.look_at = after(now, NOTICE_PATIENCE);
            }
            Verdict::Empty if slot.sending != Sending::On && !slot.peer_closed => {
                lost = Some(slot.loss);
            }
            Verdict::Empty if core::mem::take(&mut slot.check) => return true,
            Verdict::Empty => slot.looked_in_vain(now, poll),
            // Some firmware refuses to read once the peer has closed (bg96 sheet, 4.5).
            Verdict::NotConnected if slot.peer_closed => slot.end(),
            Verdict::Broken => lost = Some(Loss::ResetOrRecord),
            _ => lost = Some(slot.loss),
        }
        if let Some(loss) = lost {
            self.lose(self.slot, loss);
        }
        false
    }

    /// Ends a look: the modem has said whether the connection stands.
    pub(crate) fn looked(&mut self) {
        let (now, poll, gone) = (self.now, self.poll, self.verdict != Verdict::Standing);
        let slot = self.slot();
        if slot.sending == Sending::Asked {
            // Data that came before the end of the connection may still be fetched.
            slot.readable = true;
            slot.tx_waker.wake();
            if gone || slot.peer_closed {
                slot.sending = Sending::Refused;
            } else {
                slot.sending = Sending::Unwilling;
                // Of this connection's end, too, where nothing comes of a fetch or a look.
                slot.loss = Loss::SendRefused;
                self.loss = Some(Loss::SendRefused);
            }
            return;
        }
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
            // The URC of the close was missed, perhaps with data pushed before it; or it is still on its way.
            slot.check = true;
            slot.look_at = after(now, NOTICE_PATIENCE);
        } else {
            let loss = slot.loss;
            self.lose(self.slot, loss);
        }
    }

    /// Ends a close. If the modem has not confirmed it, the close is repeated; returns `true` where it has failed so
    /// often that the modem is to be brought up anew.
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

    /// Has a close of this id repeated now, because the URC came that it may wait for.
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

    /// Ends a clean-up of credentials, and gives its result to the guest that waits for it.
    pub(crate) fn cleaned_up(&mut self, done: bool) {
        self.mailbox.cleaned_up = Some(self.end(done));
        self.waiting.wake();
    }

    pub(crate) fn errand_ended(&mut self, done: bool) {
        self.errand = Errand::Done(self.end(done));
        self.waiting.wake();
    }

    /// Returns the result of a flow that has no error type of its own.
    fn end(&self, done: bool) -> Result<(), AtError> {
        match self.failure {
            _ if done => Ok(()),
            ConnectError::At(error) => Err(error),
            _ => Err(AtError::Garbled),
        }
    }
}

/// Returns the name of the command in the text of a step; `AT` for a step without a command, which checked that the
/// modem answers.
fn name_of(text: &'static str) -> &'static str {
    let end = text.bytes().position(|byte| matches!(byte, b'=' | b'{'));
    match text.get(..end.unwrap_or(text.len())) {
        Some("") | None => "AT",
        Some(name) => name,
    }
}
