//! Sockets and the way to get one.

use core::future::poll_fn;
use core::task::Poll;

use embassy_time::{Duration, Instant};
use embedded_io::{ErrorType, ReadReady, WriteReady};
use embedded_io_async::{Read, Write};

use crate::capabilities::Verification;
use crate::engine::Engine;
use crate::engine::slots::{Sending, SlotState, SocketPhase};
use crate::error::{ConnectError, SocketError};
use crate::modem::{Modem, Open, Slot};
use crate::tls::{ServerName, TlsConfig};

/// How long a connect waits for a socket that is being closed when no other is left.
const CLOSING_PATIENCE: Duration = Duration::from_secs(15);

/// Opens verified TLS connections by name. Implemented by every backend's [`Sockets`], so that an
/// application need not know its modem.
#[allow(async_fn_in_trait)]
pub trait SecureConnect {
    /// Why a connection was not made.
    type Error: embedded_io::Error;
    /// Why a connection ended.
    type SocketError: embedded_io::Error;
    /// The connection.
    type Socket<'s>: Read<Error = Self::SocketError> + Write<Error = Self::SocketError>
    where
        Self: 's;

    /// Connects to `name` at TCP `port`, and returns when the handshake is complete and everything
    /// that `config` requires was checked.
    ///
    /// Takes as long as the modem takes; wrap it in a timeout. Dropping the future is allowed: the
    /// runner closes what was begun.
    async fn connect(
        &self,
        name: ServerName<'_>,
        port: u16,
        config: &TlsConfig,
    ) -> Result<Self::Socket<'_>, Self::Error>;
}

/// The sockets of one modem.
pub struct Sockets<'a, M> {
    pub(crate) engine: Engine<'a>,
    pub(crate) modem: &'a M,
}

impl<M> Clone for Sockets<'_, M> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M> Copy for Sockets<'_, M> {}

impl<'a, M: Modem> Sockets<'a, M> {
    /// See [`SecureConnect::connect`]. Opens are made one after another; a connect may wait for an
    /// earlier one. Waits for the modem to come up, and reports why when it does not.
    pub async fn connect(
        &self,
        name: ServerName<'_>,
        port: u16,
        config: &TlsConfig,
    ) -> Result<Socket<'a>, ConnectError> {
        let engine = self.engine;
        let _turn = engine.core.open_turn.acquire().await;
        let at = engine.up().await.map_err(ConnectError::BringUp)?;
        let push = self.modem.push_unit();
        let needed = push.unwrap_or(self.modem.fetch_unit());
        if engine.table.rx(Slot(0)).capacity() < needed {
            return Err(ConnectError::RingTooSmall { needed });
        }
        // Before there is an id that would have to be closed.
        self.modem.admit(config)?;
        let slot = self.claim().await?;
        engine.slot(slot).push.set(push.is_some());
        // Whatever ends this future early leaves the id to the supervisor.
        let mut socket = Socket {
            engine,
            slot,
            verified: Verification::UNKNOWN,
        };
        socket.verified = self
            .modem
            .open(at, self.open(slot, name, port, config))
            .await?;
        let state = engine.slot(slot);
        if state.phase.get() != SocketPhase::Opening {
            return Err(ConnectError::At(crate::error::AtError::ModemReset));
        }
        state.opened(engine.core.fixed.timing.poll, self.modem.polling());
        engine.core.work.wake();
        info!("connected, checked of the server: {}", socket.verified);
        Ok(socket)
    }

    /// What [`connect`](Self::connect) would refuse before it sends anything, of a modem that is up: by its
    /// firmware, by the driver's configuration, or by the policy. Sends nothing.
    pub fn admit(&self, config: &TlsConfig) -> Result<(), ConnectError> {
        self.modem.admit(config)
    }

    async fn claim(&self) -> Result<Slot, ConnectError> {
        let engine = self.engine;
        let limit = Instant::now() + CLOSING_PATIENCE;
        let mut claimed = Err(ConnectError::TooManySockets);
        let mut ready = || {
            claimed = engine.claim(&M::LIMITS);
            claimed.is_ok() || !engine.one_is_closing()
        };
        engine.core.work.until_or(limit, &mut ready).await;
        claimed
    }

    fn open<'o>(
        &self,
        slot: Slot,
        name: ServerName<'o>,
        port: u16,
        config: &'o TlsConfig,
    ) -> Open<'o> {
        Open {
            config,
            context: slot.0,
            id: self.engine.slot(slot).id.get(),
            name,
            port,
            slot,
        }
    }
}

impl<M: Modem> SecureConnect for Sockets<'_, M> {
    type Error = ConnectError;
    type SocketError = SocketError;
    type Socket<'s>
        = Socket<'s>
    where
        Self: 's;

    async fn connect(
        &self,
        name: ServerName<'_>,
        port: u16,
        config: &TlsConfig,
    ) -> Result<Socket<'_>, ConnectError> {
        Sockets::connect(self, name, port, config).await
    }
}

/// A TLS connection through the modem.
///
/// - `read` returns as soon as there is a byte, stays pending while the connection is idle, and
///   returns `Ok(0)` only when the peer closed and everything before was read. Cancel-safe: a dropped
///   read has taken nothing.
/// - `write` copies into the send ring and returns at once, or waits for room in it. Cancel-safe: a
///   dropped write has written nothing. The runner sends when a frame is full, on `flush`, or
///   [`Timing::linger`](crate::modem::Timing::linger) after the last write.
/// - `flush` returns when the modem has accepted everything, where it says so. Dropping it takes
///   nothing back.
/// - Dropping the socket discards what was not sent; the runner closes the connection. Use
///   [`close`](Self::close) to send it first.
///
/// What is read is always a prefix of what the peer sent, and what the peer receives is a prefix of
/// what was written.
pub struct Socket<'a> {
    engine: Engine<'a>,
    slot: Slot,
    verified: Verification,
}

impl<'a> Socket<'a> {
    /// What was checked of the server when this connection was made.
    pub fn verified(&self) -> Verification {
        self.verified
    }

    /// Two halves that may live in two tasks.
    pub fn split(&mut self) -> (Reader<'_>, Writer<'_>) {
        let half = Half {
            engine: self.engine,
            slot: self.slot,
        };
        (Reader(half), Writer(half))
    }

    /// Sends what was written, closes the connection and waits until the modem has confirmed it. An
    /// error means that not everything was sent; the connection is closed all the same.
    pub async fn close(mut self) -> Result<(), SocketError> {
        self.finish().await
    }

    /// [`close`](Self::close) for who keeps the socket. What was received can still be read.
    pub(crate) async fn finish(&mut self) -> Result<(), SocketError> {
        let flushed = self.flush().await;
        let state = self.engine.slot(self.slot);
        state.end();
        self.engine.core.work.wake();
        self.engine
            .core
            .work
            .until(|| (!state.in_modem.get()).then_some(()))
            .await;
        flushed
    }

    /// Discards what was not sent and leaves the close to the runner.
    #[cfg(feature = "edge-nal")]
    pub(crate) fn abort(&mut self) {
        self.engine.slot(self.slot).end();
        self.engine.core.work.wake();
    }

    /// Returns when a read would return at once.
    #[cfg(feature = "edge-nal")]
    pub(crate) async fn readable(&mut self) {
        self.half().readable().await;
    }

    fn half(&self) -> Half<'a> {
        Half {
            engine: self.engine,
            slot: self.slot,
        }
    }
}

impl Drop for Socket<'_> {
    fn drop(&mut self) {
        self.engine.slot(self.slot).abandon();
        self.engine.core.work.wake();
    }
}

/// The reading half of a [`Socket`].
pub struct Reader<'s>(Half<'s>);

/// The writing half of a [`Socket`].
pub struct Writer<'s>(Half<'s>);

#[cfg(feature = "edge-nal")]
impl Reader<'_> {
    /// Returns when a read would return at once.
    pub(crate) async fn readable(&mut self) {
        self.0.readable().await;
    }
}

#[derive(Clone, Copy)]
struct Half<'s> {
    engine: Engine<'s>,
    slot: Slot,
}

impl<'s> Half<'s> {
    fn state(&self) -> &'s SlotState {
        self.engine.slot(self.slot)
    }

    /// `None`: nothing to read now.
    fn try_read(&self, buf: &mut [u8]) -> Option<Result<usize, SocketError>> {
        let rx = self.engine.table.rx(self.slot);
        if buf.is_empty() {
            return Some(Ok(0));
        }
        if rx.len() > 0 {
            let count = rx.pop(buf);
            // There is room again; the supervisor may be waiting for it.
            self.engine.core.work.wake();
            return Some(Ok(count));
        }
        match self.state().phase.get() {
            SocketPhase::Eof => Some(Ok(0)),
            SocketPhase::Failed(error) => Some(Err(error)),
            _ => None,
        }
    }

    async fn read(&self, buf: &mut [u8]) -> Result<usize, SocketError> {
        poll_fn(|cx| match self.try_read(buf) {
            Some(result) => Poll::Ready(result),
            None => {
                self.state().register_rx(cx.waker());
                Poll::Pending
            }
        })
        .await
    }

    fn read_ready(&self) -> bool {
        self.engine.table.rx(self.slot).len() > 0
            || matches!(
                self.state().phase.get(),
                SocketPhase::Eof | SocketPhase::Failed(_)
            )
    }

    #[cfg(feature = "edge-nal")]
    async fn readable(&self) {
        poll_fn(|cx| {
            if self.read_ready() {
                return Poll::Ready(());
            }
            self.state().register_rx(cx.waker());
            Poll::Pending
        })
        .await;
    }

    fn write_error(&self) -> Option<SocketError> {
        match self.state().phase.get() {
            SocketPhase::Failed(error) => Some(error),
            SocketPhase::Open if self.state().sending.get() != Sending::Refused => None,
            _ if self.state().heard.get() => Some(SocketError::BrokenPipe),
            _ => Some(SocketError::ClosedUnanswered),
        }
    }

    async fn write(&self, buf: &[u8]) -> Result<usize, SocketError> {
        poll_fn(|cx| {
            if let Some(error) = self.write_error() {
                return Poll::Ready(Err(error));
            }
            let tx = self.engine.table.tx(self.slot);
            let count = tx.push(buf);
            if count == 0 && !buf.is_empty() {
                self.state().register_tx(cx.waker());
                return Poll::Pending;
            }
            self.state()
                .send_at
                .set(Instant::now() + self.engine.core.fixed.timing.linger);
            self.engine.core.work.wake();
            Poll::Ready(Ok(count))
        })
        .await
    }

    async fn flush(&self) -> Result<(), SocketError> {
        let tx = self.engine.table.tx(self.slot);
        poll_fn(|cx| {
            if let Some(error) = self.write_error() {
                // What the modem accepted before the peer closed was flushed.
                return Poll::Ready(if tx.len() == 0 && error.is_closed_by_peer() {
                    Ok(())
                } else {
                    Err(error)
                });
            }
            if tx.len() == 0 {
                return Poll::Ready(Ok(()));
            }
            self.state().register_tx(cx.waker());
            // Woken once: a wake at each poll would keep a task busy that also holds the runner.
            if !self.state().flush.replace(true) {
                self.engine.core.work.wake();
            }
            Poll::Pending
        })
        .await
    }
}

macro_rules! reads {
    ($type:ident, |$this:ident| $half:expr) => {
        impl Read for $type<'_> {
            async fn read(&mut self, buf: &mut [u8]) -> Result<usize, SocketError> {
                let $this = self;
                $half.read(buf).await
            }
        }
        impl ReadReady for $type<'_> {
            fn read_ready(&mut self) -> Result<bool, SocketError> {
                let $this = self;
                Ok($half.read_ready())
            }
        }
    };
}

macro_rules! writes {
    ($type:ident, |$this:ident| $half:expr) => {
        impl Write for $type<'_> {
            async fn write(&mut self, buf: &[u8]) -> Result<usize, SocketError> {
                let $this = self;
                $half.write(buf).await
            }
            async fn flush(&mut self) -> Result<(), SocketError> {
                let $this = self;
                $half.flush().await
            }
        }
        impl WriteReady for $type<'_> {
            fn write_ready(&mut self) -> Result<bool, SocketError> {
                let $this = self;
                let half = $half;
                Ok(half.write_error().is_some() || half.engine.table.tx(half.slot).room() > 0)
            }
        }
    };
}

impl ErrorType for Socket<'_> {
    type Error = SocketError;
}
impl ErrorType for Reader<'_> {
    type Error = SocketError;
}
impl ErrorType for Writer<'_> {
    type Error = SocketError;
}
reads!(Socket, |this| this.half());
reads!(Reader, |this| this.0);
writes!(Socket, |this| this.half());
writes!(Writer, |this| this.0);
