//! Sockets: each is a task that owns its connection, and a record that commands look at (ublox sheet, B.2.3, B.2.4).

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use embassy_futures::select::{Either, select};
use embassy_time::{Duration, Instant, Timer, with_timeout};
use tokio::io::{AsyncBufRead, AsyncWrite, BufReader};

use super::Ublox;
use super::profile::UbloxSuites;
use super::state::{Profile, SharedSocket};
use crate::channel::{Channel, Inbox, poll_outgoing};
use crate::network::Stream;
use crate::tls::{self, ServerCheck, TlsSettings};

/// The number of sockets; they are numbered from 0.
pub(super) const SOCKETS: u8 = 7;
/// The time limit of a connect, by the manual.
const CONNECT_LIMIT: Duration = Duration::from_secs(120);
/// How long a close waits for unsent bytes.
const CLOSE_LIMIT: Duration = Duration::from_secs(10);
/// The time after a socket was made secure in which a connect fails.
const SECURE_DELAY: Duration = Duration::from_millis(250);

pub(super) const EWOULDBLOCK: u16 = 11;
const EIO: u16 = 5;
const ENETDOWN: u16 = 100;
const ECONNABORTED: u16 = 103;
const ECONNREFUSED: u16 = 111;
const ETIMEDOUT: u16 = 110;
const EHOSTUNREACH: u16 = 113;

/// The legacy numbers, which count from 1, of the suites that rustls has.
const NUMBERS: [(u8, u16); 4] = [(30, 0xc02b), (31, 0xc02c), (32, 0xc02f), (33, 0xc030)];
const ALL_SUITES: [u16; 4] = [0xc02b, 0xc02c, 0xc02f, 0xc030];
const TLS12: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS12];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Created,
    Connecting,
    Connected,
    /// The peer has closed; unread data may be left.
    Closed,
    /// The connect has failed; the number stays occupied until it is closed (sheet D 5).
    Failed,
}

pub(super) struct Socket {
    pub(super) phase: Phase,
    /// The security profile, and the time since which it applies.
    pub(super) secure: Option<(u8, Instant)>,
    inbox: Inbox,
    outgoing: VecDeque<u8>,
    closing: bool,
    pub(super) cancelled: bool,
    finished: bool,
    pub(super) error: u16,
    pub(super) sent: u64,
    pub(super) received: u64,
}

impl Socket {
    fn new() -> Self {
        Self {
            phase: Phase::Created,
            secure: None,
            inbox: Inbox::default(),
            outgoing: VecDeque::new(),
            closing: false,
            cancelled: false,
            finished: false,
            error: 0,
            sent: 0,
            received: 0,
        }
    }

    pub(super) fn unread(&self) -> usize {
        self.inbox.unread()
    }

    pub(super) fn unsent(&self) -> usize {
        self.outgoing.len()
    }

    pub(super) fn take(&mut self, limit: usize) -> Vec<u8> {
        self.inbox.take(limit, false)
    }

    /// Returns the state that `+USOCTL=<s>,10` shows.
    pub(super) fn state(&self) -> u8 {
        match self.phase {
            Phase::Created | Phase::Failed => 0,
            Phase::Connecting => 2,
            Phase::Connected => 4,
            Phase::Closed => 7,
        }
    }
}

impl Ublox {
    /// Creates a socket with the lowest free number.
    pub(super) fn create(&self) -> Option<u8> {
        let mut state = self.state.borrow_mut();
        let id = (0..SOCKETS)
            .find(|id| !state.sockets.contains_key(id) && !state.closing.contains(id))?;
        state
            .sockets
            .insert(id, Rc::new(RefCell::new(Socket::new())));
        Some(id)
    }

    /// Connects, including the TLS handshake; returns the socket error.
    pub(super) async fn connect(
        self: &Rc<Self>,
        socket: &SharedSocket,
        host: &str,
        port: u16,
    ) -> Result<(), u16> {
        socket.borrow_mut().phase = Phase::Connecting;
        let outcome = match with_timeout(CONNECT_LIMIT, self.establish(socket, host, port)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(ETIMEDOUT),
        };
        if socket.borrow().cancelled {
            return Err(ECONNABORTED);
        }
        match outcome {
            Ok(channel) => {
                socket.borrow_mut().phase = Phase::Connected;
                self.pump(socket.clone(), channel);
                Ok(())
            }
            Err(error) => {
                let mut socket = socket.borrow_mut();
                socket.phase = Phase::Failed;
                socket.error = error;
                self.state.borrow_mut().now.error = error;
                Err(error)
            }
        }
    }

    async fn establish(
        &self,
        socket: &SharedSocket,
        host: &str,
        port: u16,
    ) -> Result<Box<dyn Channel>, u16> {
        if !self.has_data() {
            return Err(ENETDOWN);
        }
        let secure = socket.borrow().secure;
        if secure.is_some_and(|(_, since)| Instant::now() < since + SECURE_DELAY) {
            return Err(EIO);
        }
        let profile = secure
            .map(|(profile, _)| self.state.borrow().now.profiles[usize::from(profile)].clone());
        let stream =
            self.network
                .connect(host, port)
                .await
                .map_err(|error| match error.kind() {
                    std::io::ErrorKind::ConnectionRefused => ECONNREFUSED,
                    _ => EHOSTUNREACH,
                })?;
        let Some(profile) = profile else {
            return Ok(Box::new(BufReader::new(stream)));
        };
        // A failed handshake has no number of its own (sheet B.2.5).
        self.secure(&profile, host, stream).await.map_err(|reason| {
            log::info!("ublox: TLS to {host}:{port}: {reason}");
            EWOULDBLOCK
        })
    }

    async fn secure(
        &self,
        profile: &Profile,
        host: &str,
        stream: Box<dyn Stream>,
    ) -> tls::TlsResult<Box<dyn Channel>> {
        let numbers;
        let settings = {
            let state = self.state.borrow();
            let get = |of: u8, name: &str| {
                let found = state.nv.store.get(&(of, name.to_owned())).cloned();
                found.ok_or_else(|| format!("{name:?} does not exist"))
            };
            let server = if profile.level == 0 {
                ServerCheck::None
            } else {
                // Without a name all stored CAs are trusted.
                let ca = if profile.ca.is_empty() {
                    let roots = state.nv.store.iter().filter(|((of, _), _)| *of == 0);
                    roots.flat_map(|(_, pem)| pem.clone()).collect()
                } else {
                    get(0, &profile.ca)?
                };
                let checked = profile.level >= 2 && !profile.host.is_empty();
                ServerCheck::Common {
                    ca,
                    dates: profile.level == 3,
                    name: checked.then(|| profile.host.clone()),
                    alternatives: self.options.looks_at_alternatives,
                }
            };
            let client = if profile.cert.is_empty() {
                None
            } else {
                Some((get(1, &profile.cert)?, get(2, &profile.key)?))
            };
            numbers = match (self.options.profile.suites, profile.number) {
                (UbloxSuites::Numbers, 0) => ALL_SUITES.to_vec(),
                (UbloxSuites::Numbers, number) => NUMBERS
                    .iter()
                    .filter(|known| known.0 == number)
                    .map(|known| known.1)
                    .collect(),
                _ if profile.suites.is_empty() => ALL_SUITES.to_vec(),
                _ => profile.suites.clone(),
            };
            TlsSettings {
                host: if profile.sni.is_empty() {
                    host
                } else {
                    &profile.sni
                },
                sni: !profile.sni.is_empty(),
                alpn: "",
                // "Exactly this version" is the stricter reading; rustls has no older versions.
                versions: match profile.version {
                    0 | 3 => TLS12,
                    _ => &[],
                },
                suites: &numbers,
                server,
                client,
                accepts_der: false,
                chain_limit: usize::MAX,
                now: self.now(),
            }
        };
        Ok(Box::new(tls::connect(settings, stream).await?))
    }

    /// Moves bytes in the background until the connection ends.
    fn pump(self: &Rc<Self>, socket: SharedSocket, mut channel: Box<dyn Channel>) {
        let modem = self.clone();
        self.core.spawn(async move {
            let cancelled = || socket.borrow().cancelled;
            let work = poll_fn(|cx| modem.poll_socket(&socket, &mut channel, cx));
            select(modem.core.until(cancelled), work).await;
            socket.borrow_mut().finished = true;
            modem.core.touch();
        });
    }

    fn poll_socket(
        &self,
        socket: &SharedSocket,
        channel: &mut Box<dyn Channel>,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        let mut channel = Pin::new(channel);
        let sent = {
            let outgoing = &mut socket.borrow_mut().outgoing;
            poll_outgoing(&self.core, outgoing, channel.as_mut(), cx)
        };
        if sent.is_err() {
            return self.ended(socket);
        }
        {
            let socket = socket.borrow();
            if socket.closing && socket.outgoing.is_empty() {
                // Errors do not matter any more.
                return channel.poll_shutdown(cx).map(drop);
            }
        }
        loop {
            if socket.borrow().unread() >= self.options.receive_buffer {
                return Poll::Pending;
            }
            let record = match ready!(channel.as_mut().poll_fill_buf(cx)) {
                Ok(bytes) if !bytes.is_empty() => bytes.to_vec(),
                _ => return self.ended(socket),
            };
            channel.as_mut().consume(record.len());
            self.arrived(socket, record);
        }
    }

    /// Announces data once, if the buffer was empty before (sheet B.2.4).
    fn arrived(&self, socket: &SharedSocket, record: Vec<u8>) {
        let first = {
            let mut socket = socket.borrow_mut();
            socket.received += record.len() as u64;
            let first = socket.unread() == 0;
            socket.inbox.push(record);
            first.then(|| socket.unread())
        };
        if let (Some(count), Some(id)) = (first, self.id_of(socket)) {
            self.urc(&format!("+UUSORD: {id},{count}"));
        }
        self.core.touch();
    }

    fn ended(&self, socket: &SharedSocket) -> Poll<()> {
        if !socket.borrow().closing {
            {
                let mut socket = socket.borrow_mut();
                socket.phase = Phase::Closed;
                socket.outgoing.clear();
            }
            self.tell_closed(socket);
        }
        self.core.touch();
        Poll::Ready(())
    }

    /// Reports the close once all is read, and frees the number.
    pub(super) fn tell_closed(&self, socket: &SharedSocket) {
        let over = {
            let socket = socket.borrow();
            socket.phase == Phase::Closed && socket.unread() == 0
        };
        if let (true, Some(id)) = (over, self.id_of(socket)) {
            self.state.borrow_mut().sockets.remove(&id);
            self.urc(&format!("+UUSOCL: {id}"));
        }
    }

    fn id_of(&self, socket: &SharedSocket) -> Option<u8> {
        let state = self.state.borrow();
        let mut sockets = state.sockets.iter();
        sockets
            .find(|(_, known)| Rc::ptr_eq(known, socket))
            .map(|(id, _)| *id)
    }

    /// Queues as many of these bytes as the socket takes; returns how many.
    pub(super) fn queue(&self, socket: &SharedSocket, bytes: &[u8]) -> usize {
        let mut socket = socket.borrow_mut();
        let room = self.options.send_buffer.saturating_sub(socket.unsent());
        let count = room.min(bytes.len());
        socket.outgoing.extend(&bytes[..count]);
        socket.sent += count as u64;
        self.core.touch();
        count
    }

    /// Closes the connection in order, and frees the number.
    pub(super) async fn close(&self, socket: SharedSocket, id: u8) {
        self.state.borrow_mut().sockets.remove(&id);
        self.state.borrow_mut().closing.insert(id);
        let connected = {
            let mut socket = socket.borrow_mut();
            let connected = socket.phase == Phase::Connected;
            socket.closing = true;
            socket.cancelled |= !connected;
            connected
        };
        self.core.touch();
        if connected {
            let goodbye = self.core.until(|| socket.borrow().finished);
            if let Either::Second(()) = select(goodbye, Timer::after(CLOSE_LIMIT)).await {
                socket.borrow_mut().cancelled = true;
            }
        }
        self.state.borrow_mut().closing.remove(&id);
        self.core.touch();
    }

    /// Breaks every connection.
    pub(super) fn break_sockets(&self) {
        let ids: Vec<u8> = self.state.borrow().sockets.keys().copied().collect();
        self.state.borrow_mut().forget_sockets();
        for id in ids {
            self.urc(&format!("+UUSOCL: {id}"));
        }
        self.core.touch();
    }
}
