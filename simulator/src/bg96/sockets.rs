//! The sockets: each has a task that owns its connection, and a record that commands read.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use embassy_futures::select::{Either, select};
use embassy_time::{Duration, Instant, Timer, with_timeout};
use tokio::io::{AsyncBufRead, AsyncWrite, BufReader};

use super::Bg96;
use super::parser::Fail;
use super::state::SslContext;
use crate::channel::{Channel, Inbox, poll_outgoing};
use crate::network::Stream;
use crate::options::OpenResultTiming;
use crate::profile::Rearm;
use crate::tls::{self, ServerCheck, TlsSettings};

/// The most payload of one direct push line, in bytes.
const PUSH_LIMIT: usize = 1500;
/// The time limit of a TCP connect (sheet 4.2).
const CONNECT_LIMIT: Duration = Duration::from_secs(150);

const TLS12_ONLY: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS12];

/// Plain and TLS sockets share the ids 0 to 11. UNCONFIRMED (sheet 4.8); sharing is the stricter reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Tls { context: u8 },
    Tcp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Buffer,
    Push,
    Transparent,
}

/// The phase of a socket, with the numbers that `AT+QSSLSTATE` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The open has failed; the id stays occupied until it is closed (sheet 4.2).
    Failed = 0,
    Opening = 1,
    Connected = 2,
    /// The peer has closed, or the connection broke.
    Closing = 4,
}

pub(super) struct Socket {
    pub(super) id: u8,
    pub(super) kind: Kind,
    pub(super) pdp: u8,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) local_port: u16,
    pub(super) mode: Mode,
    pub(super) phase: Phase,
    /// The result of the open, once there is one.
    pub(super) open_code: u16,
    inbox: Inbox,
    /// Whether `recv` was announced and the buffer was not read empty since: the announcement is
    /// edge-triggered (sheet 4.5).
    announced: bool,
    outgoing: VecDeque<u8>,
    /// The host is closing the socket: waiting bytes are sent first.
    pub(super) closing: bool,
    /// The task has to end at once.
    pub(super) cancelled: bool,
    /// The task has ended.
    pub(super) finished: bool,
    pub(super) total_received: u64,
    pub(super) total_sent: u64,
}

pub(super) type Shared = Rc<RefCell<Socket>>;

impl Socket {
    pub(super) fn new(id: u8, kind: Kind, pdp: u8, host: &str, port: u16, mode: Mode) -> Self {
        Self {
            id,
            kind,
            pdp,
            host: host.to_owned(),
            port,
            local_port: 0,
            mode,
            phase: Phase::Opening,
            open_code: 0,
            inbox: Inbox::default(),
            announced: false,
            outgoing: VecDeque::new(),
            closing: false,
            cancelled: false,
            finished: false,
            total_received: 0,
            total_sent: 0,
        }
    }

    pub(super) fn family(&self) -> &'static str {
        match self.kind {
            Kind::Tls { .. } => "QSSL",
            Kind::Tcp => "QI",
        }
    }

    pub(super) fn unread(&self) -> usize {
        self.inbox.unread()
    }

    pub(super) fn unsent(&self) -> usize {
        self.outgoing.len()
    }

    pub(super) fn queue(&mut self, bytes: &[u8]) {
        self.outgoing.extend(bytes);
        self.total_sent += bytes.len() as u64;
    }

    /// Takes all unread records.
    pub(super) fn take_all(&mut self) -> VecDeque<Vec<u8>> {
        self.inbox.take_all()
    }

    /// Takes the bytes that one read command returns.
    pub(super) fn take(&mut self, limit: usize, record_at_a_time: bool, rearm: Rearm) -> Vec<u8> {
        let bytes = self.inbox.take(limit, record_at_a_time);
        let rearmed = match rearm {
            Rearm::ZeroRead => bytes.is_empty(),
            Rearm::Emptied => self.unread() == 0,
        };
        if rearmed {
            self.announced = false;
        }
        bytes
    }
}

impl Bg96 {
    /// Starts the task of a new socket. With `silent` the command prints the result, otherwise the task
    /// does.
    pub(super) fn start(self: &Rc<Self>, socket: Socket, silent: bool) -> Shared {
        let id = socket.id;
        let shared = Rc::new(RefCell::new(socket));
        self.state.borrow_mut().sockets.insert(id, shared.clone());
        let (modem, socket) = (self.clone(), shared.clone());
        self.core.spawn(async move {
            let cancelled = || socket.borrow().cancelled;
            select(modem.core.until(cancelled), modem.live(&socket, silent)).await;
            socket.borrow_mut().finished = true;
            modem.core.touch();
        });
        shared
    }

    /// Runs a socket from connect to close.
    async fn live(&self, socket: &Shared, silent: bool) {
        let started = Instant::now();
        let outcome = self.establish(socket).await;
        if let (false, OpenResultTiming::Delayed(delay)) = (silent, self.options.open_result_timing)
        {
            Timer::at(started + delay).await;
        }
        let code = outcome.as_ref().err().copied().unwrap_or(0);
        let result = {
            let mut socket = socket.borrow_mut();
            socket.open_code = code;
            socket.phase = if code == 0 {
                Phase::Connected
            } else {
                Phase::Failed
            };
            format!("+{}OPEN: {},{code}", socket.family(), socket.id)
        };
        if !silent {
            self.open_result(&result);
        }
        self.core.touch();
        let Ok(mut channel) = outcome else { return };
        poll_fn(|cx| self.poll_socket(socket, &mut channel, cx)).await;
        // The channel is dropped here; the socket's record keeps the unread bytes.
    }

    /// Sends the result line of an open. On some firmware it is a URC, and lost while URCs go to
    /// another port.
    pub(super) fn open_result(&self, line: &str) {
        if self.options.profile.open_result_is_urc {
            self.urc(line);
        } else {
            self.system_urc(line);
        }
    }

    async fn establish(&self, socket: &Shared) -> Result<Box<dyn Channel>, u16> {
        let (id, kind, host, port) = {
            let socket = socket.borrow();
            (socket.id, socket.kind, socket.host.clone(), socket.port)
        };
        // Settings are copied at open time (sheet section 4).
        let context = match kind {
            Kind::Tls { context } => Some(self.state.borrow().ssl[usize::from(context)].clone()),
            Kind::Tcp => None,
        };
        let stream = match with_timeout(CONNECT_LIMIT, self.network.connect(&host, port)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                log::info!("bg96: socket {id} to {host}:{port}: {error}");
                return Err(if error.kind() == io::ErrorKind::NotFound {
                    565
                } else {
                    566
                });
            }
            Err(_) => return Err(569),
        };
        let Some(context) = context else {
            return Ok(Box::new(BufReader::new(stream)));
        };
        match with_timeout(
            Duration::from_secs(context.negotiate_time),
            self.secure(&context, &host, stream),
        )
        .await
        {
            Ok(Ok(channel)) => Ok(channel),
            Ok(Err(reason)) => {
                // The modem has one code for every certificate failure (sheet 4.6, T10); the log has
                // the reason.
                log::info!("bg96: TLS open of socket {id} to {host}:{port} failed: {reason}");
                Err(566)
            }
            Err(_) => Err(569),
        }
    }

    async fn secure(
        &self,
        context: &SslContext,
        host: &str,
        stream: Box<dyn Stream>,
    ) -> tls::TlsResult<Box<dyn Channel>> {
        let profile = &self.options.profile;
        let settings = {
            let state = self.state.borrow();
            let file = |name: &str| {
                state
                    .files
                    .get(name)
                    .cloned()
                    .map_err(|_| format!("credential file {name:?} does not exist"))
            };
            // The modem ignores all failures of a certificate that is not trusted (sheet 4.11, the
            // bits).
            let ignored = context.ignored[0];
            let other_ca = state.other_cas.iter().find(|file| !file.is_empty());
            let server = if context.level == 0 || ignored & 8 != 0 {
                ServerCheck::None
            } else {
                ServerCheck::Chain {
                    ca: file(other_ca.unwrap_or(&context.ca))?,
                    dates: !context.ignore_time && ignored & 0x201 == 0,
                    name: profile.checks_name && ignored & 4 == 0,
                }
            };
            let client = if context.level == 2 {
                Some((file(&context.cert)?, file(&context.key)?))
            } else {
                None
            };
            TlsSettings {
                host,
                sni: context.sni,
                alpn: &context.alpn,
                // SSL 3 to TLS 1.1 are not in rustls; 4 ("all") leaves 1.2. There is no 1.3 on this modem (sheet 4.1).
                versions: if context.version >= 3 {
                    TLS12_ONLY
                } else {
                    &[]
                },
                suites: if context.suite == 0xffff {
                    profile.cipher_suites
                } else {
                    std::slice::from_ref(&context.suite)
                },
                server,
                client,
                accepts_der: profile.accepts_der,
                chain_limit: usize::MAX,
                now: state.clock.now(),
            }
        };
        Ok(Box::new(tls::connect(settings, stream).await?))
    }

    /// Moves bytes both ways until the connection ends.
    fn poll_socket(
        &self,
        socket: &Shared,
        channel: &mut Box<dyn Channel>,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        let mut channel = Pin::new(channel);
        let sent = {
            let outgoing = &mut socket.borrow_mut().outgoing;
            poll_outgoing(&self.core, outgoing, channel.as_mut(), cx)
        };
        if sent.is_err() {
            return self.connection_ended(socket);
        }
        {
            let socket = socket.borrow();
            if socket.closing && socket.outgoing.is_empty() {
                // An error of the shutdown has no effect any more.
                return channel.poll_shutdown(cx).map(drop);
            }
        }
        loop {
            let waiting = match socket.borrow().mode {
                Mode::Buffer => socket.borrow().unread(),
                // Pushed data waits for the UART, under flow control.
                Mode::Push => self.waiting_output(),
                Mode::Transparent => socket.borrow().unread() + self.waiting_output(),
            };
            if waiting >= self.options.receive_buffer {
                // The peer waits until the host has read some of it.
                return Poll::Pending;
            }
            let record = match ready!(channel.as_mut().poll_fill_buf(cx)) {
                Ok(bytes) if !bytes.is_empty() => bytes.to_vec(),
                _ => return self.connection_ended(socket),
            };
            channel.as_mut().consume(record.len());
            self.arrived(&mut socket.borrow_mut(), record);
        }
    }

    pub(super) fn arrived(&self, socket: &mut Socket, record: Vec<u8>) {
        socket.total_received += record.len() as u64;
        let header = format!("+{}URC: \"recv\",{}", socket.family(), socket.id);
        match socket.mode {
            Mode::Push => {
                for part in record.chunks(PUSH_LIMIT) {
                    let mut body = format!("{header},{}\r\n", part.len()).into_bytes();
                    body.extend(part);
                    self.urc_bytes(&body);
                }
            }
            // Data mode sends it to the host.
            Mode::Transparent => {
                socket.inbox.push(record);
            }
            Mode::Buffer => {
                socket.inbox.push(record);
                if !std::mem::replace(&mut socket.announced, true) {
                    self.urc(&header);
                }
            }
        }
        self.core.touch();
    }

    fn connection_ended(&self, socket: &Shared) -> Poll<()> {
        self.core.touch();
        let mut socket = socket.borrow_mut();
        if !socket.closing {
            socket.phase = Phase::Closing;
            socket.outgoing.clear();
            if self.state.borrow().online == Some(socket.id) {
                // In data mode the line is `NO CARRIER` (sheet 4.7).
                return Poll::Ready(());
            }
            self.urc(&format!(
                "+{}URC: \"closed\",{}",
                socket.family(),
                socket.id
            ));
        }
        Poll::Ready(())
    }

    /// Closes a socket and frees its id; blocks as long as the command does.
    pub(super) async fn close(&self, socket: &Shared, timeout: Duration) {
        let deadline = Instant::now() + timeout;
        {
            let mut socket = socket.borrow_mut();
            if socket.phase != Phase::Connected || timeout.as_ticks() == 0 {
                socket.cancelled = true;
            }
            socket.closing = true;
        }
        self.core.touch();
        let goodbye = self.core.until(|| socket.borrow().finished);
        if let Either::Second(()) = select(goodbye, Timer::at(deadline)).await {
            socket.borrow_mut().cancelled = true;
        }
        if self.options.silent_close && socket.borrow().phase == Phase::Connected {
            // Sheet T5: exactly the timeout if the peer does not answer the FIN.
            Timer::at(deadline).await;
        }
        let id = socket.borrow().id;
        self.state.borrow_mut().sockets.remove(&id);
        self.core.touch();
    }

    /// Returns the socket of an id, if it is of this family.
    pub(super) fn socket(&self, id: u8, tls: bool) -> Option<Shared> {
        let state = self.state.borrow();
        let socket = state.sockets.get(&id)?;
        (matches!(socket.borrow().kind, Kind::Tls { .. }) == tls).then(|| socket.clone())
    }

    /// Returns the socket of an id, if it can take payload.
    pub(super) fn connected(&self, id: u8, tls: bool) -> Result<Shared, Fail> {
        match self.socket(id, tls) {
            Some(socket) if socket.borrow().phase == Phase::Connected => Ok(socket),
            Some(_) => Err(Fail::Tcp(567)),
            None => Err(Fail::Tcp(559)),
        }
    }
}
