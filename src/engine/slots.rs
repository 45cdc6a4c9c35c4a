//! The socket table: what the runner and a socket's user share.

use core::borrow::Borrow;
use core::cell::Cell;
use core::task::Waker;

use embassy_time::{Duration, Instant};

use super::ring::Ring;
use crate::error::SocketError;
use crate::modem::{Polling, Slot};

/// First poll after traffic; doubles up to [`Timing::poll`](crate::modem::Timing::poll).
const FIRST_POLL: Duration = Duration::from_secs(2);

/// Where a socket is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SocketPhase {
    /// The peer closed, and all it sent is in the ring or was read.
    Eof,
    /// Dead; the error stays.
    Failed(SocketError),
    Free,
    Open,
    Opening,
}

/// Whether the modem takes what is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sending {
    On,
    /// Not any more; why, is being found out, and the writer waits for that.
    Failed,
    /// Not any more, and the writer is told that the peer has closed.
    Refused,
}

pub(crate) struct SlotState {
    pub(crate) phase: Cell<SocketPhase>,
    /// A handle exists.
    pub(crate) user: Cell<bool>,
    /// The modem may hold `id` occupied: it must confirm a close, or reset, before the slot or the
    /// id is used again.
    pub(crate) in_modem: Cell<bool>,
    /// The supervisor is to close `id`.
    pub(crate) close: Cell<bool>,
    pub(crate) id: Cell<u8>,
    pub(crate) open_result: Cell<Option<u16>>,
    /// The command that opens it was given to the modem; what was said of its id before is about an
    /// earlier connection.
    pub(crate) asked: Cell<bool>,
    /// Its data comes by itself, see `push`.
    pub(crate) push: Cell<bool>,
    /// The modem may have data.
    pub(crate) readable: Cell<bool>,
    /// The modem said that the peer closed.
    pub(crate) peer_closed: Cell<bool>,
    /// Notices may have been missed: after the next empty fetch the modem is asked whether the
    /// connection still stands.
    pub(crate) check: Cell<bool>,
    /// A byte of the peer's came.
    pub(crate) heard: Cell<bool>,
    pub(crate) sending: Cell<Sending>,
    pub(crate) flush: Cell<bool>,
    pub(crate) send_at: Cell<Instant>,
    /// Not before, after a `Busy`.
    pub(crate) retry_at: Cell<Instant>,
    pub(crate) busy_since: Cell<Option<Instant>>,
    pub(crate) poll_at: Cell<Instant>,
    poll_every: Cell<Duration>,
    /// How the modem is looked after, see [`Modem::polling`](crate::modem::Modem::polling).
    polling: Cell<Option<Polling>>,
    // Each direction belongs to one task, so the latest waker counts and the one before is not woken: under an
    // executor whose wakers do not compare equal, that would be the same task, which would never come to rest.
    rx_waker: Cell<Option<Waker>>,
    tx_waker: Cell<Option<Waker>>,
}

impl SlotState {
    const fn new() -> Self {
        Self {
            phase: Cell::new(SocketPhase::Free),
            user: Cell::new(false),
            in_modem: Cell::new(false),
            close: Cell::new(false),
            id: Cell::new(0),
            open_result: Cell::new(None),
            asked: Cell::new(false),
            push: Cell::new(false),
            readable: Cell::new(false),
            peer_closed: Cell::new(false),
            check: Cell::new(false),
            heard: Cell::new(false),
            sending: Cell::new(Sending::On),
            flush: Cell::new(false),
            send_at: Cell::new(Instant::MIN),
            retry_at: Cell::new(Instant::MIN),
            busy_since: Cell::new(None),
            poll_at: Cell::new(Instant::MIN),
            poll_every: Cell::new(FIRST_POLL),
            polling: Cell::new(None),
            rx_waker: Cell::new(None),
            tx_waker: Cell::new(None),
        }
    }

    pub(crate) fn is_free(&self) -> bool {
        self.phase.get() == SocketPhase::Free && !self.user.get() && !self.in_modem.get()
    }

    /// Armed before the first byte of the open is sent, so that no result can be missed.
    pub(crate) fn arm(&self, id: u8) {
        self.phase.set(SocketPhase::Opening);
        self.user.set(true);
        self.in_modem.set(true);
        self.close.set(false);
        self.id.set(id);
        self.open_result.set(None);
        self.asked.set(false);
        self.readable.set(false);
        self.peer_closed.set(false);
        self.check.set(false);
        self.heard.set(false);
        self.sending.set(Sending::On);
        self.flush.set(false);
        self.retry_at.set(Instant::MIN);
        self.busy_since.set(None);
    }

    pub(crate) fn opened(&self, poll: Duration, polling: Option<Polling>) {
        self.phase.set(SocketPhase::Open);
        self.polling.set(polling);
        self.poll_at.set(Instant::now().saturating_add(poll));
        self.traffic();
    }

    /// Data went one way or the other: more may come soon.
    pub(crate) fn traffic(&self) {
        // What is pushed need not be looked for.
        if !self.push.get() {
            let first = self
                .polling
                .get()
                .map_or(FIRST_POLL, |polling| polling.first);
            self.poll_every.set(first);
            self.poll_at.set(Instant::now() + first);
        }
    }

    pub(crate) fn polled_empty(&self, limit: Duration) {
        let every = self.poll_every.get();
        if let Some(polling) = self.polling.get() {
            // The look has told all: nothing was missed.
            self.poll_at.set(Instant::now().saturating_add(every));
            return self.poll_every.set((every * 2).min(polling.longest));
        }
        self.poll_at.set(Instant::now().saturating_add(every));
        self.poll_every.set((every * 2).min(limit));
        // A long silence may as well be a missed close.
        self.check.set(every >= limit);
    }

    /// Ends the socket for its user; the modem's side is closed by the supervisor.
    pub(crate) fn fail(&self, error: SocketError) {
        if matches!(self.phase.get(), SocketPhase::Opening | SocketPhase::Open) {
            self.phase.set(SocketPhase::Failed(error));
        }
        self.close.set(true);
        self.wake();
    }

    /// Everything from the peer is in the ring.
    pub(crate) fn end(&self) {
        if self.phase.get() == SocketPhase::Open {
            self.phase.set(SocketPhase::Eof);
        }
        self.close.set(true);
        self.wake();
    }

    /// The user's handle is gone.
    pub(crate) fn abandon(&self) {
        self.user.set(false);
        self.close.set(true);
        self.settle();
    }

    /// The modem no longer holds the id.
    pub(crate) fn released(&self) {
        self.in_modem.set(false);
        self.close.set(false);
        self.settle();
    }

    fn settle(&self) {
        if !self.user.get() && !self.in_modem.get() {
            self.phase.set(SocketPhase::Free);
            self.close.set(false);
        }
    }

    pub(crate) fn register_rx(&self, waker: &Waker) {
        self.rx_waker.set(Some(waker.clone()));
    }

    pub(crate) fn register_tx(&self, waker: &Waker) {
        self.tx_waker.set(Some(waker.clone()));
    }

    pub(crate) fn wake_rx(&self) {
        wake(&self.rx_waker);
    }

    pub(crate) fn wake_tx(&self) {
        wake(&self.tx_waker);
    }

    pub(crate) fn wake(&self) {
        self.wake_rx();
        self.wake_tx();
    }
}

fn wake(waker: &Cell<Option<Waker>>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}

/// The socket table, erased from the number of sockets and the sizes of their rings, so that one
/// copy of the engine is linked.
pub(crate) trait Table {
    fn slots(&self) -> &[SlotState];
    fn rx(&self, slot: Slot) -> &Ring<[u8]>;
    fn tx(&self, slot: Slot) -> &Ring<[u8]>;
}

/// The rings of a [`State`](crate::State), where they are to have a `static` of their own: nothing but
/// zeros, which costs no flash and no stack.
///
/// `static RINGS: ConstStaticCell<Rings<1, 1024, 1024>> = ConstStaticCell::new(Rings::new());`
pub struct Rings<const SOCKETS: usize, const RX: usize, const TX: usize> {
    rx: [Ring<[u8; RX]>; SOCKETS],
    tx: [Ring<[u8; TX]>; SOCKETS],
}

impl<const SOCKETS: usize, const RX: usize, const TX: usize> Rings<SOCKETS, RX, TX> {
    /// Empty rings.
    #[inline(never)] // Inlined, it is made on the stack once more.
    pub const fn new() -> Self {
        Self {
            rx: [const { Ring::<[u8; RX]>::new() }; SOCKETS],
            tx: [const { Ring::<[u8; TX]>::new() }; SOCKETS],
        }
    }
}

impl<const SOCKETS: usize, const RX: usize, const TX: usize> Default for Rings<SOCKETS, RX, TX> {
    fn default() -> Self {
        Self::new()
    }
}

pub(crate) struct Sockets<const SOCKETS: usize, const RX: usize, const TX: usize, B> {
    slots: [SlotState; SOCKETS],
    rings: B,
}

impl<const SOCKETS: usize, const RX: usize, const TX: usize, B> Sockets<SOCKETS, RX, TX, B> {
    pub(crate) const fn new(rings: B) -> Self {
        Self {
            slots: [const { SlotState::new() }; SOCKETS],
            rings,
        }
    }
}

impl<const SOCKETS: usize, const RX: usize, const TX: usize, B> Table
    for Sockets<SOCKETS, RX, TX, B>
where
    B: Borrow<Rings<SOCKETS, RX, TX>>,
{
    fn slots(&self) -> &[SlotState] {
        &self.slots
    }

    fn rx(&self, slot: Slot) -> &Ring<[u8]> {
        &self.rings.borrow().rx[usize::from(slot.0)]
    }

    fn tx(&self, slot: Slot) -> &Ring<[u8]> {
        &self.rings.borrow().tx[usize::from(slot.0)]
    }
}
