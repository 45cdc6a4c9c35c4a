//! The sockets behind the commands of sheet 4 and 5: their state, and how they are opened and closed.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use embassy_futures::select::select;
use embassy_time::{Duration, Timer};

use super::Nrf9160;
use super::credentials::Material;
use super::state::{Automatic, SharedSocket};
use crate::channel::Inbox;

/// The bits of `#XPOLL` and `#XAPOLL`, as of poll().
pub(super) const IN: u8 = 1;
pub(super) const OUT: u8 = 4;
pub(super) const ERR: u8 = 8;
pub(super) const HUP: u8 = 16;
pub(super) const NVAL: u8 = 32;

/// `SLM_MAX_SOCKET_COUNT`.
pub(super) const SOCKET_LIMIT: usize = 8;
/// `NET_SOCKETS_TLS_MAX_CONTEXTS`, sheet 7.5.
const NATIVE_LIMIT: usize = 2;
/// How long a close waits for unsent bytes.
const CLOSE_LIMIT: Duration = Duration::from_secs(5);

/// Values of errno (sheet 9).
pub(super) const ECONNRESET: u16 = 104;
pub(super) const ENETDOWN: u16 = 115;
pub(super) const EMSGSIZE: u16 = 122;

#[derive(Clone, Debug)]
pub(super) enum Kind {
    Tcp,
    Tls {
        tag: u32,
        /// The value of peer_verify: 0 none, 1 optional, 2 required.
        verify: u8,
        engine: Engine,
    },
}

#[derive(Clone, Debug)]
pub(super) enum Engine {
    Modem,
    Native {
        /// The credentials, loaded at the open (2.0 to 2.5) or at the connect.
        loaded: Option<Material>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Created,
    Connected,
    /// The peer has closed; bytes that it sent before can be read.
    Closed,
    /// The connection is broken, with this errno.
    Broken(u16),
}

pub(super) struct Socket {
    pub(super) handle: u8,
    /// The address family: 1 is IPv4, 2 is IPv6.
    pub(super) family: u8,
    pub(super) cid: u8,
    pub(super) kind: Kind,
    pub(super) phase: Phase,
    /// The host name (TLS_HOSTNAME).
    pub(super) name: Option<String>,
    /// SO_RCVTIMEO in seconds; 0 is without limit.
    pub(super) receive_timeout: u64,
    /// SO_SNDTIMEO in seconds; 0 is without limit.
    pub(super) send_timeout: u64,
    pub(super) session_cache: bool,
    /// The cipher suite of the connection.
    pub(super) suite: Option<u16>,
    pub(super) inbox: Inbox,
    pub(super) outgoing: VecDeque<u8>,
    pub(super) closing: bool,
    pub(super) cancelled: bool,
    pub(super) finished: bool,
    /// The events that `#XAPOLL` asks for.
    pub(super) events: Option<u8>,
    /// The events that were reported already.
    pub(super) reported: u8,
    pub(super) automatic: Automatic,
    /// Whether IN has to be reported once without data.
    pub(super) early_in: bool,
    /// Whether a failure of TLS alone looks like a hang-up.
    pub(super) hangs_up: bool,
}

impl Socket {
    pub(super) fn new(handle: u8, family: u8, cid: u8, kind: Kind) -> Self {
        Self {
            handle,
            family,
            cid,
            kind,
            phase: Phase::Created,
            name: None,
            receive_timeout: 0,
            send_timeout: 0,
            session_cache: false,
            suite: None,
            inbox: Inbox::default(),
            outgoing: VecDeque::new(),
            closing: false,
            cancelled: false,
            finished: false,
            events: None,
            reported: 0,
            automatic: Automatic::default(),
            early_in: false,
            hangs_up: false,
        }
    }

    pub(super) fn is_tls(&self) -> bool {
        matches!(self.kind, Kind::Tls { .. })
    }

    pub(super) fn is_native(&self) -> bool {
        matches!(
            self.kind,
            Kind::Tls {
                engine: Engine::Native { .. },
                ..
            }
        )
    }

    pub(super) fn tag(&self) -> i64 {
        match self.kind {
            Kind::Tcp => -1,
            Kind::Tls { tag, .. } => tag.into(),
        }
    }

    /// Returns the events that poll() reports.
    pub(super) fn readiness(&self, send_buffer: usize) -> u8 {
        let mut bits = if self.inbox.unread() > 0 { IN } else { 0 };
        match self.phase {
            Phase::Created => {}
            Phase::Connected if self.outgoing.len() < send_buffer => bits |= OUT,
            Phase::Connected => {}
            // Sheet 5: the value is 17 if IN is polled.
            Phase::Closed => bits |= HUP | IN,
            // Sheet 4.5: HUP is a peer that is gone, or LTE; ERR is EIO.
            Phase::Broken(EMSGSIZE) if !self.hangs_up => bits |= ERR,
            Phase::Broken(_) => bits |= ERR | HUP,
        }
        bits
    }

    /// Begins or ends `#XAPOLL`. `forgets`: what hung up is reported again; SLM does that behind data mode
    /// only (sheet 4.4).
    pub(super) fn poll(&mut self, events: Option<u8>, forgets: bool) {
        self.events = events;
        self.reported &= if forgets { 0 } else { ERR | HUP | NVAL };
    }

    /// Returns true once after the handshake, on a modem that reports IN early.
    pub(super) fn take_early_in(&mut self) -> bool {
        std::mem::take(&mut self.early_in)
    }
}

impl Nrf9160 {
    /// Adds a new socket, which becomes the current one.
    pub(super) fn add_socket(&self, family: u8, cid: u8, kind: Kind) -> Option<u8> {
        let mut state = self.state.borrow_mut();
        // After a failed open there is no current socket (sheet 4).
        state.current = None;
        let count = |wanted: &dyn Fn(&Socket) -> bool| {
            let sockets = state.sockets.values();
            sockets.filter(|socket| wanted(&socket.borrow())).count()
        };
        let socket = Socket::new(0, family, cid, kind);
        let full = state.sockets.len() >= SOCKET_LIMIT
            || socket.is_native() && count(&Socket::is_native) >= NATIVE_LIMIT
            || socket.is_tls()
                && !socket.is_native()
                && count(&|other| other.is_tls() && !other.is_native()) >= self.options.tls_limit;
        if full {
            return None;
        }
        let handle = (0..=u8::MAX).find(|handle| !state.sockets.contains_key(handle))?;
        let events = state.poll_all;
        let automatic = state.automatic;
        let socket = Socket {
            handle,
            events,
            automatic,
            ..socket
        };
        state.sockets.insert(handle, Rc::new(RefCell::new(socket)));
        state.opened.push(handle);
        state.current = Some(handle);
        Some(handle)
    }

    /// Closes and removes a socket.
    pub(super) async fn close(&self, handle: u8) {
        let Some(socket) = self.state.borrow_mut().sockets.remove(&handle) else {
            return;
        };
        {
            let mut socket = socket.borrow_mut();
            socket.closing = true;
            socket.finished |= socket.phase != Phase::Connected;
            socket.cancelled |= socket.phase != Phase::Connected;
        }
        self.core.touch();
        let goodbye = self.core.until(|| socket.borrow().finished);
        select(goodbye, Timer::after(CLOSE_LIMIT)).await;
        socket.borrow_mut().cancelled = true;
        let mut state = self.state.borrow_mut();
        state.opened.retain(|other| *other != handle);
        if state.current == Some(handle) {
            state.current = state.opened.last().copied();
        }
        drop(state);
        self.core.touch();
    }

    /// Breaks every connection.
    pub(super) fn break_sockets(&self, errno: u16) {
        let sockets: Vec<SharedSocket> = self.state.borrow().sockets.values().cloned().collect();
        for socket in sockets {
            let phase = socket.borrow().phase;
            if matches!(phase, Phase::Connected | Phase::Closed) {
                self.broken(&socket, errno);
            }
        }
    }
}
