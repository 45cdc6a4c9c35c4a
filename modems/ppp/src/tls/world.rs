//! The state that sockets and runner share: the rings and the phase of the one connection.

use core::cell::RefCell;
use core::task::{Context, Poll, Waker};

use embassy_sync::waitqueue::MultiWakerRegistration;
use sectag::{ConnectError, SocketError, TlsConfig, Verification};

use super::ring::Ring;

/// The memory of one connection: a receive ring of `RX` bytes and a transmit ring of `TX` bytes.
pub struct State<'a, const RX: usize, const TX: usize> {
    rx: [u8; RX],
    tx: [u8; TX],
    shared: Option<Shared<'a>>,
}

pub(crate) type Shared<'a> = RefCell<World<'a>>;

impl<'a, const RX: usize, const TX: usize> State<'a, RX, TX> {
    /// Returns empty memory, all zero.
    pub const fn new() -> Self {
        Self {
            rx: [0; RX],
            tx: [0; TX],
            shared: None,
        }
    }

    pub(crate) fn connect(&'a mut self) -> &'a Shared<'a> {
        self.shared.insert(RefCell::new(World {
            rx: Ring::new(&mut self.rx),
            tx: Ring::new(&mut self.tx),
            phase: Phase::Free,
            user: false,
            served: false,
            request: None,
            outcome: None,
            under_way: false,
            flush: false,
            end: false,
            received: false,
            claims: MultiWakerRegistration::new(),
            reader: Latest::NONE,
            writer: Latest::NONE,
            runner: Latest::NONE,
            outgoing: Latest::NONE,
        }))
    }
}

impl<const RX: usize, const TX: usize> Default for State<'_, RX, TX> {
    fn default() -> Self {
        Self::new()
    }
}

/// The phase of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Free,
    /// The connection was requested, or is being made.
    Wanted,
    Open,
    /// The peer has closed the connection, or it was closed from here.
    Eof,
    Failed(SocketError),
}

/// A request for a connection; the name is in the transmit ring.
#[derive(Clone, Copy)]
pub(crate) struct Request {
    pub(crate) port: u16,
    pub(crate) config: TlsConfig,
}

/// The waker of one task. The latest one is kept without a comparison, since a waker need not equal its
/// own clone.
pub(crate) struct Latest(Option<Waker>);

impl Latest {
    const NONE: Self = Self(None);

    pub(crate) fn register(&mut self, waker: &Waker) {
        self.0 = Some(waker.clone());
    }

    pub(crate) fn wake(&mut self) {
        if let Some(waker) = self.0.take() {
            waker.wake();
        }
    }
}

pub(crate) struct World<'a> {
    pub(crate) rx: Ring<'a>,
    pub(crate) tx: Ring<'a>,
    pub(crate) phase: Phase,
    /// A socket handle exists.
    pub(crate) user: bool,
    /// The runner has taken the request, and frees the connection once the handle is dropped.
    pub(crate) served: bool,
    pub(crate) request: Option<Request>,
    pub(crate) outcome: Option<Result<Verification, ConnectError>>,
    /// Bytes have left the transmit ring and are not handed to TCP yet.
    pub(crate) under_way: bool,
    /// A flush is waiting: written bytes have to go out now.
    pub(crate) flush: bool,
    /// The connection has to be closed once everything is sent.
    pub(crate) end: bool,
    /// At least one byte was received on this connection.
    pub(crate) received: bool,
    /// Tasks that wait for a connection that is being closed.
    pub(crate) claims: MultiWakerRegistration<3>,
    pub(crate) reader: Latest,
    pub(crate) writer: Latest,
    /// The runner, between connections or while it waits for the handle's drop.
    pub(crate) runner: Latest,
    /// The sending half of the runner.
    pub(crate) outgoing: Latest,
}

impl World<'_> {
    /// Ends the connection for its user.
    pub(crate) fn ended(&mut self, phase: Phase) {
        self.phase = phase;
        self.flush = false;
        self.wake_users();
    }

    pub(crate) fn wake_users(&mut self) {
        self.claims.wake();
        self.reader.wake();
        self.writer.wake();
    }

    pub(crate) fn wake_runner(&mut self) {
        self.runner.wake();
        self.outgoing.wake();
    }

    /// Returns `Pending`, and wakes this task when anything changes for the reader.
    pub(crate) fn later<T>(&mut self, cx: &mut Context<'_>) -> Poll<T> {
        self.reader.register(cx.waker());
        Poll::Pending
    }
}
