//! The sockets behind the commands of sheet 4 and 5.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use embassy_futures::select::{Either, select};
use embassy_time::{Duration, Timer, with_timeout};
use tokio::io::{AsyncBufRead, AsyncWrite, BufReader};

use super::credentials::Material;
use super::options::{OversizedRecord, SendFailure};
use super::state::{Automatic, SharedSocket};
use super::{Mode, Nrf9160};
use crate::channel::{Channel, Inbox, poll_outgoing};
use crate::network::Stream;
use crate::tls::{self, ServerCheck, TlsSettings};

pub(super) const IN: u8 = 1;
pub(super) const OUT: u8 = 4;
pub(super) const ERR: u8 = 8;
pub(super) const HUP: u8 = 16;
pub(super) const NVAL: u8 = 32;

/// `SLM_MAX_SOCKET_COUNT`.
pub(super) const SOCKET_LIMIT: usize = 8;
/// `NET_SOCKETS_TLS_MAX_CONTEXTS`, sheet 7.5.
const NATIVE_LIMIT: usize = 2;
/// The longest time that a send waits for the peer (sheet 4.4).
const SEND_LIMIT: Duration = Duration::from_secs(30);
/// The time limit of a connect with the modem's TLS; the sheet only says what a driver should allow.
const CONNECT_LIMIT: Duration = Duration::from_secs(60);
/// The time limit of a connect in native builds.
const NATIVE_CONNECT_LIMIT: Duration = Duration::from_secs(30);
/// How long a close waits for unsent bytes.
const CLOSE_LIMIT: Duration = Duration::from_secs(5);

/// TLS 1.2 only (sheet 7.5, and 258 in the answer to `#XSSOCKET`).
const VERSIONS: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS12];
/// The suites of the modem's TLS. UNCONFIRMED (sheet 13: the list per modem firmware is missing). Here
/// they are those of rustls that any TLS 1.2 modem has: ECDHE with AES-128-GCM, for ECDSA and RSA
/// certificates.
const MODEM_SUITES: &[u16] = &[0xc02b, 0xc02f];
/// Mbed TLS has AES-256-GCM as well.
const NATIVE_SUITES: &[u16] = &[0xc02b, 0xc02c, 0xc02f, 0xc030];

/// Values of errno (sheet 9).
pub(super) const ECONNRESET: u16 = 104;
pub(super) const ENETDOWN: u16 = 115;
const EMSGSIZE: u16 = 122;

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
    outgoing: VecDeque<u8>,
    closing: bool,
    pub(super) cancelled: bool,
    finished: bool,
    /// The events that `#XAPOLL` asks for.
    pub(super) events: Option<u8>,
    pub(super) told: u8,
    pub(super) automatic: Automatic,
    /// Whether IN has to be reported once without data.
    early_in: bool,
    /// Whether a failure of TLS alone looks like a hang-up.
    hangs_up: bool,
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
            told: 0,
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
        self.told &= if forgets { 0 } else { ERR | HUP | NVAL };
    }

    /// Returns true once after the handshake, on a modem that reports IN early.
    pub(super) fn take_early_in(&mut self) -> bool {
        std::mem::take(&mut self.early_in)
    }
}

/// A connection, and its cipher suite.
type Secured = (Box<dyn Channel>, Option<u16>);

/// A result whose error says why a connection failed. It is for the log; the modem answers `ERROR`
/// (sheet 1.3).
type ConnectResult<T> = Result<T, String>;

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

    /// Connects; the whole TLS handshake is part of it (sheet 4.3).
    pub(super) async fn connect(
        self: &Rc<Self>,
        socket: &SharedSocket,
        host: &str,
        port: u16,
    ) -> ConnectResult<()> {
        if socket.borrow().phase != Phase::Created {
            return Err("the socket is or was connected".into());
        }
        if !self.state.borrow().modem.registered {
            return Err("not registered".into());
        }
        let limit = if socket.borrow().is_native() {
            NATIVE_CONNECT_LIMIT
        } else {
            CONNECT_LIMIT
        };
        let outcome = with_timeout(limit, self.establish(socket, host, port))
            .await
            .unwrap_or_else(|_| Err("timed out".into()));
        let (channel, suite) = match outcome {
            Ok(channel) => channel,
            Err(reason) => {
                socket.borrow_mut().phase = Phase::Broken(ECONNRESET);
                if reason.contains(tls::LONG_CHAIN) {
                    self.crash_modem("0x4");
                }
                return Err(reason);
            }
        };
        {
            let mut socket = socket.borrow_mut();
            socket.phase = Phase::Connected;
            socket.suite = suite;
            socket.early_in = self.options.early_in && socket.is_tls();
            socket.hangs_up = self.options.tls_failure_hangs_up;
        }
        self.pump(socket.clone(), channel);
        Ok(())
    }

    async fn establish(
        &self,
        socket: &SharedSocket,
        host: &str,
        port: u16,
    ) -> ConnectResult<Secured> {
        let stream = self
            .network
            .connect(host, port)
            .await
            .map_err(|error| error.to_string())?;
        let (kind, name) = {
            let socket = socket.borrow();
            (socket.kind.clone(), socket.name.clone())
        };
        match kind {
            Kind::Tcp => Ok((Box::new(BufReader::new(stream)), None)),
            Kind::Tls {
                tag,
                verify,
                engine,
            } => self.secure(tag, verify, engine, name, host, stream).await,
        }
    }

    async fn secure(
        &self,
        tag: u32,
        verify: u8,
        engine: Engine,
        name: Option<String>,
        host: &str,
        stream: Box<dyn Stream>,
    ) -> ConnectResult<Secured> {
        let native = matches!(engine, Engine::Native { .. });
        let material = match engine {
            Engine::Native {
                loaded: Some(loaded),
            } => loaded,
            Engine::Native { loaded: None } => self.settings_material(tag),
            Engine::Modem => self.modem_material(tag)?,
        };
        if material.is_empty() && native {
            return Err(format!("nothing is stored for tag {tag}"));
        }
        // The handshake does not show whether verification is optional.
        let server = if verify < 2 {
            ServerCheck::None
        } else {
            if native && name.is_none() {
                // TRAP, sheet 7.5: Zephyr expects an empty name.
                return Err("no host name was set, and an empty one is expected".into());
            }
            ServerCheck::Chain {
                ca: material
                    .ca
                    .ok_or_else(|| format!("tag {tag} has no CA certificate"))?,
                dates: self.options.checks_dates,
                name: name.is_some(),
            }
        };
        let options = &self.options;
        let settings = TlsSettings {
            host: name.as_deref().unwrap_or(host),
            sni: match name {
                Some(_) => !options.no_sni,
                None => options.sni_without_name,
            },
            versions: VERSIONS,
            alpn: "",
            suites: if native { NATIVE_SUITES } else { MODEM_SUITES },
            server,
            client: material.cert.zip(material.key),
            accepts_der: false,
            chain_limit: if native {
                usize::MAX
            } else {
                options.modem_chain_limit
            },
            // A modem without the time uses its epoch.
            now: self.now().unwrap_or(time::OffsetDateTime::UNIX_EPOCH),
        };
        let stream = tls::connect(settings, stream).await?;
        let suite = stream.get_ref().1.negotiated_cipher_suite();
        let suite = suite.map(|suite| u16::from(suite.suite()));
        Ok((Box::new(stream), suite))
    }

    /// Returns the credentials of types 0, 1 and 2 at this very tag (sheet 7.4).
    fn modem_material(&self, tag: u32) -> ConnectResult<Material> {
        let state = self.state.borrow();
        let store = &state.nv.store;
        // Required by sheet 7.5 [NRFSOCK], whatever peer_verify is.
        if !store.iter().any(|(_, kind, _)| kind == 0) {
            return Err("there is no root CA in the whole store".into());
        }
        Ok(Material::load(|kind| store.get(tag, kind).cloned()))
    }

    fn settings_material(&self, tag: u32) -> Material {
        let state = self.state.borrow();
        Material::load(|kind| state.nv.settings.get(tag, kind).cloned())
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
        if let Err(error) = sent {
            return self.ended(socket, Err(error));
        }
        {
            let socket = socket.borrow();
            if socket.closing && socket.outgoing.is_empty() {
                // An error of the shutdown has no effect any more.
                return channel.poll_shutdown(cx).map(drop);
            }
        }
        loop {
            if socket.borrow().inbox.unread() >= self.options.receive_buffer {
                // The peer waits until the host has read some of it.
                return Poll::Pending;
            }
            let record = match ready!(channel.as_mut().poll_fill_buf(cx)) {
                Ok([]) => return self.ended(socket, Ok(())),
                Ok(bytes) => bytes.to_vec(),
                Err(error) => return self.ended(socket, Err(error)),
            };
            channel.as_mut().consume(record.len());
            let fate = self.record_fate(&socket.borrow(), record.len());
            match fate {
                None => self.arrived(socket, record),
                Some(OversizedRecord::Lost) => {}
                Some(_) => {
                    self.broken(socket, EMSGSIZE);
                    return Poll::Ready(());
                }
            }
        }
    }

    /// Returns the effect of a record that is too large (sheet 7.5).
    fn record_fate(&self, socket: &Socket, length: usize) -> Option<OversizedRecord> {
        let (limit, effect) = match &socket.kind {
            Kind::Tcp => return None,
            Kind::Tls {
                engine: Engine::Native { .. },
                ..
            } => (
                self.options.profile.native?.record_limit,
                OversizedRecord::Breaks,
            ),
            Kind::Tls { .. } => (self.options.modem_record_limit, self.options.oversized),
        };
        (length > limit && effect != OversizedRecord::Split).then_some(effect)
    }

    fn arrived(&self, socket: &SharedSocket, record: Vec<u8>) {
        {
            let mut socket = socket.borrow_mut();
            socket.early_in = false;
            socket.inbox.push(record);
        }
        self.notice(socket);
    }

    fn ended(&self, socket: &SharedSocket, end: io::Result<()>) -> Poll<()> {
        if socket.borrow().closing {
            return Poll::Ready(());
        }
        match end {
            Err(error)
                if error.kind() != io::ErrorKind::UnexpectedEof
                    || self.options.abrupt_end_breaks =>
            {
                self.broken(socket, ECONNRESET);
            }
            _ => {
                socket.borrow_mut().phase = Phase::Closed;
                self.notice(socket);
            }
        }
        Poll::Ready(())
    }

    /// Breaks a connection; unread data is lost as well.
    pub(super) fn broken(&self, socket: &SharedSocket, errno: u16) {
        {
            let mut socket = socket.borrow_mut();
            log::info!("nrf9160: socket {} broke: errno {errno}", socket.handle);
            socket.phase = Phase::Broken(errno);
            socket.inbox.clear();
            socket.outgoing.clear();
            socket.cancelled = true;
        }
        self.notice(socket);
    }

    /// Handles a change of a socket's state.
    fn notice(&self, socket: &SharedSocket) {
        if self.may_speak() {
            self.deliver(socket);
            self.tell_events(socket);
        } else if self.mode.get() == Mode::Idle || self.uart_off.get() {
            self.tell_events(socket);
        }
        self.core.touch();
    }

    /// Sends received data to the host by automatic reception (SM), in the current mode of the channel.
    pub(super) fn deliver(&self, socket: &SharedSocket) {
        let data_mode = self.in_data_mode();
        let wanted = if data_mode { 2 } else { 1 };
        loop {
            let (handle, bytes, hex) = {
                let mut socket = socket.borrow_mut();
                if socket.automatic.flags & wanted == 0 || socket.inbox.unread() == 0 {
                    return;
                }
                let bytes = socket.inbox.take(2048, self.options.record_at_a_time);
                (socket.handle, bytes, socket.automatic.hex)
            };
            if data_mode {
                self.core.send(&bytes);
                continue;
            }
            let mut urc =
                format!("\r\n#XRECV: {handle},{},{}\r\n", u8::from(hex), bytes.len()).into_bytes();
            urc.extend(shown(&bytes, hex));
            urc.extend(b"\r\n");
            self.core.send(&urc);
        }
    }

    /// Sends the new events of `#XAPOLL`.
    pub(super) fn tell_events(&self, socket: &SharedSocket) {
        if self.in_data_mode() {
            return;
        }
        let (handle, bits) = {
            let mut socket = socket.borrow_mut();
            let Some(events) = socket.events else { return };
            let asked = events | ERR | HUP | NVAL;
            let now = socket.readiness(self.options.send_buffer) & asked;
            let news = now & !socket.told;
            if news == 0 {
                return;
            }
            // Sheet 5: HUP comes together with IN, if IN is polled.
            let bits = news | if news & HUP != 0 { now & IN } else { 0 };
            socket.told |= bits;
            (socket.handle, bits)
        };
        let urc = format!("\r\n#XAPOLL: {handle},{bits}\r\n");
        if self.mode.get() == Mode::Idle || self.uart_off.get() {
            return self.urc_bytes(urc.as_bytes());
        }
        self.core.send(urc.as_bytes());
    }

    /// Sends all notices that could not be sent before.
    pub(super) fn tell_all(&self) {
        let sockets: Vec<SharedSocket> = self.state.borrow().sockets.values().cloned().collect();
        for socket in &sockets {
            self.deliver(socket);
            self.tell_events(socket);
        }
    }

    /// Queues bytes on a socket, and waits for room. Returns how many were queued: fewer than all if
    /// the peer takes none for 30 s, or is gone.
    pub(super) async fn send_all(&self, socket: &SharedSocket, bytes: &[u8]) -> usize {
        let nth = self.sends.replace(self.sends.get() + 1);
        match self.options.failing_send {
            Some(fault) if fault.nth == nth => {
                let some = fault.after.min(bytes.len().saturating_sub(1));
                let sent = self.send_some(socket, &bytes[..some]).await;
                match fault.how {
                    SendFailure::TimesOut => Timer::after(SEND_LIMIT).await,
                    SendFailure::Refused => {}
                    SendFailure::Breaks => self.broken(socket, ECONNRESET),
                }
                sent
            }
            _ => self.send_some(socket, bytes).await,
        }
    }

    async fn send_some(&self, socket: &SharedSocket, bytes: &[u8]) -> usize {
        let mut sent = 0;
        let limit = match socket.borrow().send_timeout {
            0 => SEND_LIMIT,
            seconds => Duration::from_secs(seconds),
        };
        while sent < bytes.len() {
            let room = || {
                let socket = socket.borrow();
                socket.phase != Phase::Connected || socket.outgoing.len() < self.options.send_buffer
            };
            let waited = select(self.core.until(room), Timer::after(limit)).await;
            let mut socket = socket.borrow_mut();
            if matches!(waited, Either::Second(())) || socket.phase != Phase::Connected {
                break;
            }
            let n = (self.options.send_buffer - socket.outgoing.len()).min(bytes.len() - sent);
            socket.outgoing.extend(&bytes[sent..sent + n]);
            sent += n;
            // A send arms OUT again (sheet 4.4).
            socket.told &= !OUT;
            self.core.touch();
        }
        sent
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

/// Returns payload as it is, or as hex digits.
pub(super) fn shown(bytes: &[u8], hex: bool) -> Vec<u8> {
    if !hex {
        return bytes.to_vec();
    }
    let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
    digits.concat().into_bytes()
}
