//! Brings the modem up and keeps it up; moves socket data; closes what was dropped.

use core::future::poll_fn;
use core::pin::pin;
use core::task::Poll;

use embassy_time::{Duration, Instant, Timer};

#[cfg(feature = "sleep")]
use super::core::ask_all;
use super::core::{Link, Rest};
#[cfg(feature = "sleep")]
use super::slots::SlotState;
use super::slots::{Sending, SocketPhase};
use super::{Engine, apart};
use crate::at::at_command;
use crate::backoff::Backoff;
use crate::error::SocketError;
use crate::modem::{Modem, Received, Sent, Slot, Transfer};
use crate::power::Power;

/// Pauses between attempts to bring the modem up, which themselves take tens of seconds.
const BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// The modem says it has no room: ask again soon, and not for ever.
const BUSY_PAUSE: Duration = Duration::from_millis(100);
const BUSY_LIMIT: Duration = Duration::from_secs(60);
const CLOSE_TRIES: u8 = 3;
/// From the sleep pin to a modem that listens. No manual says how long it takes.
#[cfg(feature = "sleep")]
const WAKE_DELAY: Duration = Duration::from_millis(100);
/// A notice follows what it is about.
const NOTICE_PATIENCE: Duration = Duration::from_secs(1);
/// How long a reader may take to make room for the rest before a writer is told what is known.
const READER_PATIENCE: Duration = Duration::from_secs(1);
const CLOSE_PAUSE: Duration = Duration::from_secs(1);

/// `AT`: a sign of life. Sent only while no exchange is open, that is in line mode.
struct Attention;
at_command!(Attention, 1000, "", |self, line| line);

pub(crate) async fn run<M: Modem>(engine: Engine<'_>, modem: &M, power: &mut dyn Power) -> ! {
    let core = engine.core;
    let mut backoff = Backoff::new(BACKOFF.0, BACKOFF.1, core.fixed.timing.seed);
    let mut last = 0;
    #[cfg(feature = "sleep")]
    core.has_sleep.set(if M::WAKE_BY_KEY {
        power.has_power_key()
    } else {
        power.has_sleep()
    });
    loop {
        if core.rest.get() != Rest::No {
            rest(engine, power, M::WAKE_BY_KEY).await;
            #[cfg(feature = "sleep")]
            modem.woken();
            continue;
        }
        if core.link.get() != Link::Up {
            apart(pin!(bring_up(engine, modem, power, &mut backoff))).await;
            continue;
        }
        let (wake_at, _) = next_job(engine, modem, last);
        let mut job = None;
        // Also when the time to look again has come nearer, as by a write that lingers.
        let mut ready = || {
            if core.link.get() != Link::Up || core.rest.get() != Rest::No {
                job = Some(Job::LinkChanged);
                return true;
            }
            let (sooner, next) = next_job(engine, modem, last);
            job = next;
            job.is_some() || sooner < wake_at
        };
        core.work.until_or(wake_at, &mut ready).await;
        let Some(job) = job else { continue };
        if let Job::Send(slot, _) | Job::Receive(slot, _) | Job::Close(slot) | Job::Check(slot) =
            job
        {
            last = slot.0;
        }
        #[cfg(feature = "sleep")]
        core.at_work.set(true);
        apart(pin!(perform(engine, modem, job))).await;
        #[cfg(feature = "sleep")]
        {
            core.at_work.set(false);
            core.work.wake();
        }
    }
}

async fn bring_up<M: Modem>(
    engine: Engine<'_>,
    modem: &M,
    power: &mut dyn Power,
    backoff: &mut Backoff,
) {
    let core = engine.core;
    let mut at = engine.at();
    let result = {
        let mut bring_up = pin!(modem.bring_up(&mut at, power));
        poll_fn(|cx| {
            if core.rest.get() != Rest::No {
                return Poll::Ready(None);
            }
            // The runner's task waits for such changes anyway, so that this takes no other's place.
            core.changed.register(cx);
            bring_up.as_mut().poll(cx).map(Some)
        })
        .await
    };
    let Some(result) = result else {
        // It may have been at the pins.
        power.power_key(false);
        power.reset(false);
        return;
    };
    match result {
        Ok(()) if !at.is_stale() => {
            info!("the modem is up");
            core.link.set(Link::Up);
            core.heard_at.set(Instant::now());
            core.work.wake();
            return backoff.reset();
        }
        // It went down again in the last moment.
        Ok(()) => {}
        Err(error) => {
            warn!("bring-up: {}", error);
            core.link.set(Link::Failed(error));
            core.failures.set(core.failures.get().wrapping_add(1));
            core.work.wake();
        }
    }
    let limit = Instant::now() + backoff.next();
    let mut resting = || core.rest.get() != Rest::No;
    core.changed.until_or(limit, &mut resting).await;
}

/// Leaves the modem alone as long as it rests.
#[cfg(not(feature = "sleep"))]
async fn rest(engine: Engine<'_>, _power: &mut dyn Power, _by_key: bool) {
    let core = engine.core;
    core.work
        .until(|| (core.rest.get() == Rest::No).then_some(()))
        .await;
}

/// Leaves the modem alone as long as it rests, and wakes it from light sleep when a socket or a command
/// needs it.
#[cfg(feature = "sleep")]
async fn rest(engine: Engine<'_>, power: &mut dyn Power, by_key: bool) {
    let core = engine.core;
    // It may be wanted before it was noticed.
    let dozes = matches!(core.rest.get(), Rest::Dozing | Rest::Waking);
    if dozes {
        // Not in the middle of an exchange.
        let _turn = core.turn.acquire().await;
        if !by_key {
            power.sleep(core.rest.get() == Rest::Dozing);
        }
    }
    let needed = || {
        let work = |slot: &SlotState, tx: usize| {
            slot.readable.get() || tx > 0 || (slot.close.get() && slot.in_modem.get())
        };
        let slots = engine.table.slots();
        core.network_lost.get()
            || core.suspect.get()
            || core.link.get() != Link::Up
            || (0..slots.len())
                .any(|index| work(&slots[index], engine.table.tx(Slot(index as u8)).len()))
    };
    core.work
        .until(|| match core.rest.get() {
            Rest::No | Rest::Waking => Some(()),
            Rest::Dozing => needed().then_some(()),
            // Switched off meanwhile.
            _ if dozes => Some(()),
            _ => None,
        })
        .await;
    if !dozes {
        return;
    }
    if !by_key {
        power.sleep(false);
    }
    if matches!(core.rest.get(), Rest::Saving | Rest::Off) {
        return;
    }
    core.rest.set(Rest::Waking);
    if by_key {
        // Also where it was released before.
        power.power_key(true);
    }
    Timer::after(WAKE_DELAY).await;
    if by_key {
        power.power_key(false);
        Timer::after(WAKE_DELAY).await;
    }
    // The first characters may be lost all the same: it asks until it is answered.
    if core.link.get() == Link::Up && !engine.at().synchronise().await {
        core.link_down(engine.table);
    } else if by_key {
        // It says that it has started, and not everything that was to be said meanwhile.
        core.suspect.set(false);
        ask_all(engine.table);
    }
    if core.rest.get() == Rest::Waking {
        core.set_rest(Rest::No);
    }
}

#[derive(Clone, Copy)]
enum Job {
    /// Asks whether a socket whose data is pushed still stands.
    Check(Slot),
    Close(Slot),
    CloseStray(u8),
    LinkChanged,
    Liveness,
    NetworkLost,
    Receive(Slot, usize),
    Send(Slot, usize),
    Tidy,
}

/// The next thing to do, or when to look again. Sockets take turns, starting behind `last`.
fn next_job<M: Modem>(engine: Engine<'_>, modem: &M, last: u8) -> (Instant, Option<Job>) {
    let core = engine.core;
    let now = Instant::now();
    let mut wake_at = core.heard_at.get().saturating_add(core.fixed.timing.poll);
    #[cfg(feature = "sleep")]
    if core.dozing_off.get() {
        return (Instant::MAX, None);
    }
    if core.network_lost.get() {
        return (now, Some(Job::NetworkLost));
    }
    if core.tidy.get() {
        return (now, Some(Job::Tidy));
    }
    if core.stray.get() != 0 {
        return (
            now,
            Some(Job::CloseStray(core.stray.get().trailing_zeros() as u8)),
        );
    }
    let slots = engine.table.slots();
    for step in 1..=slots.len() {
        let index = (usize::from(last) + step) % slots.len();
        let (slot, state) = (Slot(index as u8), &slots[index]);
        // A socket of which nothing more can be read, or whose user has gone.
        if state.close.get() && state.in_modem.get() {
            return (now, Some(Job::Close(slot)));
        }
        if state.phase.get() != SocketPhase::Open {
            continue;
        }
        let (rx, tx) = (engine.table.rx(slot), engine.table.tx(slot));
        let sending = state.sending.get();
        if tx.len() > 0 && sending == Sending::On {
            let frame = M::LIMITS.max_send.min(tx.capacity());
            let due = if state.flush.get() || tx.len() >= frame {
                Instant::MIN
            } else {
                state.send_at.get()
            };
            let due = due.max(state.retry_at.get());
            if due <= now {
                return (now, Some(Job::Send(slot, tx.len().min(M::LIMITS.max_send))));
            }
            wake_at = wake_at.min(due);
        }
        if state.push.get() {
            if state.readable.get() || state.poll_at.get() <= now {
                return (now, Some(Job::Check(slot)));
            }
            wake_at = wake_at.min(state.poll_at.get());
            continue;
        }
        // Small fetches cost as many exchanges as large ones: wait until half the ring is free. Not where a
        // writer waits to be told why, and there not for ever: nobody may be reading.
        let room = rx.room().min(M::LIMITS.max_receive);
        let least = if sending == Sending::Failed {
            1
        } else {
            rx.capacity().min(M::LIMITS.max_receive).div_ceil(2)
        };
        let fits = room >= least.max(modem.fetch_unit());
        if fits || sending == Sending::Failed {
            let mut due = state.poll_at.get();
            if state.readable.get() {
                due = Instant::MIN;
            }
            if !fits {
                due = due.max(state.retry_at.get());
            }
            if due <= now {
                return (now, Some(Job::Receive(slot, if fits { room } else { 0 })));
            }
            wake_at = wake_at.min(due);
        }
    }
    if core.suspect.get() || core.heard_at.get().saturating_add(core.fixed.timing.poll) <= now {
        return (now, Some(Job::Liveness));
    }
    (wake_at, None)
}

async fn perform<M: Modem>(engine: Engine<'_>, modem: &M, job: Job) {
    let core = engine.core;
    let at = engine.at();
    match job {
        Job::LinkChanged => {}
        Job::NetworkLost => {
            warn!("the data connection is gone");
            // Not in the middle of an exchange: commands of a bring-up must not become its data.
            let _turn = core.turn.acquire().await;
            core.link_down(engine.table);
        }
        Job::Tidy => {
            // Whoever stores next tidies first; what cannot be removed now is tried again then, and
            // at bring-up.
            if let Some(_turn) = core.store_turn.try_acquire() {
                let _ = modem.tidy(at).await;
            }
            core.tidy.set(false);
        }
        Job::CloseStray(id) => {
            if close(engine, modem, id).await {
                core.stray.set(core.stray.get() & !(1 << id));
            }
        }
        Job::Close(slot) => {
            let state = engine.slot(slot);
            if close(engine, modem, state.id.get()).await {
                state.released();
            }
            core.work.wake();
        }
        // No answer: the custodian finds out what it is.
        Job::Liveness => {
            core.suspect.set(false);
            let _ = at.send(&Attention).await;
        }
        Job::Send(slot, len) => apart(pin!(send(engine, modem, slot, len))).await,
        Job::Receive(slot, len) => apart(pin!(receive(engine, modem, slot, len))).await,
        Job::Check(slot) => apart(pin!(check(engine, modem, slot))).await,
    }
}

/// All that a peer sent before its close was pushed before the notice of it.
async fn check<M: Modem>(engine: Engine<'_>, modem: &M, slot: Slot) {
    let state = engine.slot(slot);
    state.readable.set(false);
    if state.peer_closed.get() {
        return state.end();
    }
    match modem.is_open(engine.at(), state.id.get()).await {
        Ok(true) if state.sending.get() == Sending::On => {
            let poll = engine.core.fixed.timing.poll;
            state.poll_at.set(Instant::now().saturating_add(poll));
        }
        // Its notice was missed, and what was pushed before it perhaps as well; or it is on its way.
        Ok(false) if !state.peer_closed.get() && !state.check.replace(true) => {
            state.poll_at.set(Instant::now() + NOTICE_PATIENCE);
        }
        Ok(false) if state.peer_closed.get() => state.end(),
        Ok(_) | Err(_) => state.fail(SocketError::ConnectionReset),
    }
    engine.core.work.wake();
}

/// Returns whether the modem has confirmed it. One that never does is brought up anew.
async fn close<M: Modem>(engine: Engine<'_>, modem: &M, id: u8) -> bool {
    let core = engine.core;
    let generation = core.generation.get();
    if modem.close(engine.at(), id).await.is_ok() {
        core.failed_closes.set(0);
        return core.generation.get() == generation;
    }
    core.failed_closes.set(core.failed_closes.get() + 1);
    if core.failed_closes.get() < CLOSE_TRIES {
        Timer::after(CLOSE_PAUSE).await;
    } else if core.link.get() == Link::Up {
        warn!("the modem does not confirm a close");
        core.link_down(engine.table);
    }
    false
}

async fn send<M: Modem>(engine: Engine<'_>, modem: &M, slot: Slot, len: usize) {
    let state = engine.slot(slot);
    let tx = engine.table.tx(slot);
    let result = modem
        .send(
            engine.at(),
            Transfer {
                id: state.id.get(),
                len,
                slot,
            },
        )
        .await;
    match result {
        Ok(Sent::Accepted) => {
            tx.consume(len);
            state.busy_since.set(None);
            state.traffic();
            if tx.len() == 0 {
                state.flush.set(false);
            }
            state.wake_tx();
        }
        Ok(Sent::Busy) => {
            let now = Instant::now();
            let since = state.busy_since.get().unwrap_or(now);
            state.busy_since.set(Some(since));
            state.retry_at.set(now + BUSY_PAUSE);
            if now > since + BUSY_LIMIT {
                state.fail(SocketError::ConnectionReset);
            }
        }
        Ok(Sent::NotConnected) => {
            // What came before the end may still be fetched.
            state.sending.set(Sending::Refused);
            state.readable.set(true);
            state.wake_tx();
        }
        Ok(Sent::Failed) => {
            state.sending.set(Sending::Failed);
            state.readable.set(true);
            state.check.set(false);
            state.retry_at.set(Instant::now() + READER_PATIENCE);
        }
        // The modem may or may not have the frame: nothing is resent on this socket.
        Err(_) => state.fail(SocketError::ConnectionReset),
    }
}

async fn receive<M: Modem>(engine: Engine<'_>, modem: &M, slot: Slot, len: usize) {
    let state = engine.slot(slot);
    // A notice that comes during the fetch sets it again.
    state.readable.set(false);
    let closed_before = state.peer_closed.get();
    let rx = engine.table.rx(slot);
    rx.discard();
    let result = modem
        .receive(
            engine.at(),
            Transfer {
                id: state.id.get(),
                len,
                slot,
            },
        )
        .await;
    match result {
        // Nothing is wrong but that the peer has closed; there was no room for what it sent.
        Ok(Received::Data(0)) if len == 0 => {
            state.sending.set(Sending::Refused);
            state.readable.set(true);
            state.wake_tx();
        }
        Ok(Received::Data(_)) if state.phase.get() == SocketPhase::Open => {
            // Only now is it certain that these bytes, all of them, were the peer's.
            rx.commit();
            state.heard.set(true);
            state.readable.set(true);
            state.traffic();
            state.wake_rx();
        }
        // It was reset meanwhile.
        Ok(Received::Data(_)) => {}
        Ok(Received::End) => state.end(),
        Ok(Received::TooLarge) => state.fail(SocketError::RecordTooLarge),
        Ok(Received::Empty) if closed_before => state.end(),
        // What tells why may be on its way.
        Ok(Received::Empty)
            if state.sending.get() == Sending::Failed && !state.check.replace(true) =>
        {
            state.poll_at.set(Instant::now() + NOTICE_PATIENCE);
        }
        Ok(Received::Empty) if state.sending.get() != Sending::On && !state.peer_closed.get() => {
            state.fail(SocketError::ConnectionReset);
        }
        Ok(Received::Empty) if state.check.take() => {
            match modem.is_open(engine.at(), state.id.get()).await {
                Ok(true) => state.polled_empty(engine.core.fixed.timing.poll),
                Ok(false) => {
                    state.peer_closed.set(true);
                    state.readable.set(true);
                }
                Err(_) => state.fail(SocketError::ConnectionReset),
            }
        }
        Ok(Received::Empty) => state.polled_empty(engine.core.fixed.timing.poll),
        // Some firmware refuses to read once the peer has closed (bg96 sheet, 4.5).
        Ok(Received::NotConnected) if state.peer_closed.get() => state.end(),
        Ok(Received::NotConnected) | Err(_) => state.fail(SocketError::ConnectionReset),
    }
    engine.core.work.wake();
}
