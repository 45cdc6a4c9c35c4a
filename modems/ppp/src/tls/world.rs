//! What sockets and runner share: the rings of the one connection, and where it stands.

use core::cell::RefCell;
use core::task::{Context, Poll, Waker};

use embassy_sync::waitqueue::MultiWakerRegistration;
use sectag::{ConnectError, SocketError, TlsConfig, Verification};

use super::ring::Ring;

/// The memory of one connection: `RX` bytes that came, `TX` that are to go.
pub struct State<'a, const RX: usize, const TX: usize> {
    rx: [u8; RX],
    tx: [u8; TX],
    shared: Option<Shared<'a>>,
}

pub(crate) type Shared<'a> = RefCell<World<'a>>;

impl<'a, const RX: usize, const TX: usize> State<'a, RX, TX> {
    /// Empty, and all zero.
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

/// Where the connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Free,
    /// Asked for, or being made.
    Wanted,
    Open,
    /// The peer has ended it, or it was closed from here.
    Eof,
    Failed(SocketError),
}

/// What is to be connected to; the name waits in the ring for what is sent.
#[derive(Clone, Copy)]
pub(crate) struct Request {
    pub(crate) port: u16,
    pub(crate) config: TlsConfig,
}

/// The waker of what belongs to one task: the latest, without a comparison, for a waker need not equal its own clone.
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
    /// A handle exists.
    pub(crate) user: bool,
    pub(crate) request: Option<Request>,
    pub(crate) outcome: Option<Result<Verification, ConnectError>>,
    /// Bytes have left the ring and are not yet handed to TCP.
    pub(crate) under_way: bool,
    /// What was written is wanted out now.
    pub(crate) flush: bool,
    /// The connection is to be closed once everything is out.
    pub(crate) end: bool,
    /// A byte has come on this connection.
    pub(crate) received: bool,
    /// Who waits for a connection that is being closed.
    pub(crate) claims: MultiWakerRegistration<3>,
    pub(crate) reader: Latest,
    pub(crate) writer: Latest,
    /// The runner between connections, or when the handle may have gone.
    pub(crate) runner: Latest,
    /// The half of the runner that sends.
    pub(crate) outgoing: Latest,
}

impl World<'_> {
    pub(crate) fn wake_users(&mut self) {
        self.claims.wake();
        self.reader.wake();
        self.writer.wake();
    }

    pub(crate) fn wake_runner(&mut self) {
        self.runner.wake();
        self.outgoing.wake();
    }

    /// Pending, with this task woken when anything changes for the one that reads.
    pub(crate) fn later<T>(&mut self, cx: &mut Context<'_>) -> Poll<T> {
        self.reader.register(cx.waker());
        Poll::Pending
    }
}
