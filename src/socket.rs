//! Sockets and the way to get one.

use core::future::poll_fn;
use core::marker::PhantomData;
use core::task::{Context, Poll};

use embassy_time::{Duration, Instant};
use embedded_io::{ErrorType, ReadReady, WriteReady};
use embedded_io_async::{Read, Write};

use crate::capabilities::Verification;
use core::cell::{RefCell, RefMut};

use crate::engine::time::{Ms, after, millis, now};
use crate::engine::{Link, NOT_YET, Open, Phase, PowerState, Protocol as _, Shared, Slot, World};
use crate::error::{BringUpError, ConnectError, SocketError};
use crate::loss::Loss;
use crate::modem::Backend;
use crate::tls::{ServerName, TlsConfig};

/// How long a connect waits for a socket that is being closed when no other is left.
const CLOSING_PATIENCE: Duration = Duration::from_secs(15);

/// Opens verified TLS connections by name: the outermost seam. Implemented by every backend's [`Sockets`], so
/// that an application, an MQTT client or the adapters of [`nal`](crate) need not know what carries the
/// connection.
#[allow(async_fn_in_trait)]
pub trait SecureConnect {
    /// Why a connection was not made.
    type Error: embedded_io::Error;
    /// Why a connection ended.
    type SocketError: embedded_io::Error;
    /// The connection.
    type Socket<'s>: SecureSocket<Error = Self::SocketError>
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

impl<C: SecureConnect> SecureConnect for &C {
    type Error = C::Error;
    type SocketError = C::SocketError;
    type Socket<'s>
        = C::Socket<'s>
    where
        Self: 's;

    async fn connect(
        &self,
        name: ServerName<'_>,
        port: u16,
        config: &TlsConfig,
    ) -> Result<Self::Socket<'_>, Self::Error> {
        C::connect(self, name, port, config).await
    }
}

/// What a connection of a [`SecureConnect`] can do beyond reading and writing.
#[allow(async_fn_in_trait)]
pub trait SecureSocket: Read + Write + ReadReady + WriteReady {
    /// The half that reads.
    type Reader<'h>: Read<Error = Self::Error> + ReadReady
    where
        Self: 'h;
    /// The half that writes.
    type Writer<'h>: Write<Error = Self::Error> + WriteReady
    where
        Self: 'h;

    /// Two halves that may live in two tasks.
    fn split(&mut self) -> (Self::Reader<'_>, Self::Writer<'_>);

    /// Sends what was written, closes the connection and waits until that is confirmed; what was received can
    /// still be read. An error means that not everything was sent; the connection is closed all the same.
    async fn finish(&mut self) -> Result<(), Self::Error>;

    /// Discards what was not sent, and leaves it to the runner to close the connection.
    fn abort(&mut self);

    /// Returns when a read would return at once: with a byte, with the end, or with an error. Cancel-safe.
    async fn readable(&mut self);

    /// As [`readable`](Self::readable), for the half that reads.
    async fn half_readable<'h>(half: &mut Self::Reader<'h>)
    where
        Self: 'h;
}

/// The sockets of one modem.
pub struct Sockets<'a, M: Backend> {
    pub(crate) world: &'a Shared<'a>,
    pub(crate) engine: &'a RefCell<M::Engine>,
    /// How long a modem that does not come up is waited for.
    pub(crate) patience: Ms,
}

impl<M: Backend> Clone for Sockets<'_, M> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M: Backend> Copy for Sockets<'_, M> {}

impl<'a, M: Backend> Sockets<'a, M> {
    /// For a caller who waits so long for a modem that does not come up, in place of
    /// [`Timing::patience`](crate::modem::Timing::patience). With none at all, the first attempt that fails is told.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = millis(patience);
        self
    }

    /// See [`SecureConnect::connect`]. Opens are made one after another; a connect may wait for an
    /// earlier one. Waits for the modem to come up, and reports why when it does not within its
    /// [patience](Self::patience), or at once where only a change of SIM, configuration or firmware helps.
    pub async fn connect(
        &self,
        name: ServerName<'_>,
        port: u16,
        config: &TlsConfig,
    ) -> Result<Socket<'a>, ConnectError> {
        let world = self.world;
        let mut turn = OpenTurn {
            world,
            ticket: None,
            held: false,
        };
        poll_fn(|cx| turn.poll(cx)).await;
        let waiting = Waiting::begin(world, self.patience);
        poll_fn(|cx| waiting.poll_up(world, cx))
            .await
            .map_err(ConnectError::BringUp)?;
        self.engine.borrow().backend().admit(config)?;
        let limit = Instant::now() + CLOSING_PATIENCE;
        let slot = poll_fn(|cx| poll_claim(world, limit, cx)).await?;
        let mut socket = arm(world, slot, name.as_str(), port, config)?;
        socket.verified = poll_fn(|cx| socket.poll_opened(&waiting, cx)).await?;
        Ok(socket)
    }

    /// What [`connect`](Self::connect) would refuse for this policy before a byte is sent, as far as the
    /// firmware is known by now.
    pub fn admit(&self, config: &TlsConfig) -> Result<(), ConnectError> {
        self.engine.borrow().backend().admit(config)
    }
}

impl<'a, M: Backend> SecureConnect for Sockets<'a, M> {
    type Error = ConnectError;
    type SocketError = SocketError;
    type Socket<'s>
        = Socket<'a>
    where
        Self: 's;

    async fn connect(
        &self,
        name: ServerName<'_>,
        port: u16,
        config: &TlsConfig,
    ) -> Result<Socket<'a>, ConnectError> {
        Sockets::connect(self, name, port, config).await
    }
}

/// The waiting for a modem that is brought up: how long it lasts, and which failures count.
pub(crate) struct Waiting {
    /// Those that there were before, which do not.
    failures: u32,
    limit: Instant,
}

impl Waiting {
    pub(crate) fn begin(world: &Shared<'_>, patience: Ms) -> Self {
        Self {
            failures: world.borrow().failures,
            limit: Instant::now() + Duration::from_millis(patience.into()),
        }
    }

    /// Waits until the modem can be used.
    pub(crate) fn poll_up(
        &self,
        world: &Shared<'_>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), BringUpError>> {
        self.poll(world, false, cx)
    }

    /// Waits until the modem takes commands: SIM and network may be missing.
    pub(crate) fn poll_answering(
        &self,
        world: &Shared<'_>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), BringUpError>> {
        self.poll(world, true, cx)
    }

    fn poll(
        &self,
        world: &Shared<'_>,
        answers: bool,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), BringUpError>> {
        let mut w = world.borrow_mut();
        let end = match w.link {
            _ if w.power == PowerState::Off => Some(Err(BringUpError::PoweredOff)),
            // After a user's command it is about to be brought up anew.
            Link::Up if !w.anew => Some(Ok(())),
            _ if answers && w.answers && w.power == PowerState::Awake => Some(Ok(())),
            Link::Down | Link::Failed if w.power == PowerState::Saving => {
                w.power = PowerState::Awake;
                w.wake_runner();
                None
            }
            _ if self.is_over(&w) => Some(Err(w.problem)),
            _ => None,
        };
        if let Some(end) = end {
            return Poll::Ready(end);
        }
        w.waiting.register(cx);
        drop(w);
        self.wake_in_time(cx);
        Poll::Pending
    }

    /// Whether the failure of an attempt is told, which then is [`World::problem`].
    fn is_over(&self, w: &World<'_>) -> bool {
        w.link != Link::Up
            && w.failures != self.failures
            && (w.problem.is_lasting() || self.limit <= Instant::now() && !w.rising)
    }

    /// Has the task woken when the patience ends.
    fn wake_in_time(&self, cx: &mut Context<'_>) {
        if Instant::now() < self.limit {
            wake_at(self.limit, cx);
        }
    }
}

/// Has the task woken at a time. A timer that was polled wakes its task also after it was dropped.
fn wake_at(time: Instant, cx: &mut Context<'_>) {
    let mut timer = embassy_time::Timer::at(time);
    let _ = core::future::Future::poll(core::pin::Pin::new(&mut timer), cx);
}

/// The turn to open a connection, of which there is one.
struct OpenTurn<'a> {
    world: &'a Shared<'a>,
    ticket: Option<u8>,
    held: bool,
}

impl OpenTurn<'_> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut w = self.world.borrow_mut();
        if !self.held {
            if w.opens.poll(&mut self.ticket, cx).is_pending() {
                return Poll::Pending;
            }
            self.held = true;
        }
        // The open of one that has gone away ends first.
        if w.opening {
            w.waiting.register(cx);
            return Poll::Pending;
        }
        Poll::Ready(())
    }
}

impl Drop for OpenTurn<'_> {
    fn drop(&mut self) {
        let mut w = self.world.borrow_mut();
        if self.held {
            w.opens.release();
        } else if let Some(ticket) = self.ticket {
            w.opens.give_up(ticket);
        }
    }
}

/// Finds a free slot, or waits for one that is being closed: the runner frees it, or brings the modem up
/// anew.
fn poll_claim(
    world: &Shared<'_>,
    limit: Instant,
    cx: &mut Context<'_>,
) -> Poll<Result<u8, ConnectError>> {
    let mut w = world.borrow_mut();
    if let Some(index) = w.slots.iter().position(Slot::is_free) {
        return Poll::Ready(Ok(index as u8));
    }
    let closing = w.slots.iter().any(|slot| !slot.user);
    if !closing || limit <= Instant::now() {
        return Poll::Ready(Err(ConnectError::TooManySockets));
    }
    w.waiting.register(cx);
    drop(w);
    wake_at(limit, cx);
    Poll::Pending
}

/// Asks the runner for the connection.
fn arm<'a>(
    world: &'a Shared<'a>,
    index: u8,
    name: &str,
    port: u16,
    config: &TlsConfig,
) -> Result<Socket<'a>, ConnectError> {
    let mut w = world.borrow_mut();
    let needed = usize::from(w.push_unit.unwrap_or(w.fetch_unit));
    let time = now();
    let slot = &mut w.slots[usize::from(index)];
    if slot.rx.capacity() < needed {
        return Err(ConnectError::RingTooSmall { needed });
    }
    slot.arm(time);
    // The name waits in the ring, which is empty until the connection stands.
    if slot.tx.push(name.as_bytes()) < name.len() {
        slot.tx.clear();
        slot.phase = Phase::Free;
        slot.user = false;
        return Err(ConnectError::SendRingTooSmall { needed: name.len() });
    }
    #[cfg(feature = "tap")]
    if let Some(tap) = w.tap {
        tap.opening(index);
    }
    w.open = Some(Open {
        config: *config,
        port,
        context: index,
        result: NOT_YET,
        verified: Verification::UNKNOWN,
    });
    w.wake_runner();
    drop(w);
    Ok(Socket {
        world,
        slot: index,
        verified: Verification::UNKNOWN,
    })
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
    world: &'a Shared<'a>,
    slot: u8,
    verified: Verification,
}

impl<'a> Socket<'a> {
    /// What was checked of the server when this connection was made.
    pub fn verified(&self) -> Verification {
        self.verified
    }

    /// Why it was lost, where it ended with [`SocketError::ConnectionReset`]; `None` otherwise. Where the modem stopped
    /// answering, more of it may be known some seconds later.
    pub fn loss(&self) -> Option<Loss> {
        let lost = |slot: &mut Slot<'_>| {
            (slot.phase == Phase::Failed(SocketError::ConnectionReset)).then_some(slot.loss)
        };
        self.half().with(lost)
    }

    /// Its place among the driver's sockets.
    pub(crate) fn slot(&self) -> u8 {
        self.slot
    }

    /// Two halves that may live in two tasks.
    pub fn split(&mut self) -> (Reader<'_, 'a>, Writer<'_, 'a>) {
        let half = self.half();
        (Reader(half, PhantomData), Writer(half, PhantomData))
    }

    /// Sends what was written, closes the connection and waits until the modem has confirmed it. An
    /// error means that not everything was sent; the connection is closed all the same.
    pub async fn close(mut self) -> Result<(), SocketError> {
        SecureSocket::finish(&mut self).await
    }

    fn half(&self) -> Half<'a> {
        Half {
            world: self.world,
            slot: self.slot,
        }
    }

    /// Waits for what becomes of the open.
    fn poll_opened(
        &mut self,
        waiting: &Waiting,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Verification, ConnectError>> {
        let mut w = self.world.borrow_mut();
        let phase = w.slots[usize::from(self.slot)].phase;
        Poll::Ready(match phase {
            // The peer may have closed before its user looked.
            Phase::Open | Phase::Eof => {
                Ok(w.open.map_or(Verification::UNKNOWN, |open| open.verified))
            }
            Phase::Wanted if w.power == PowerState::Off => {
                Err(ConnectError::BringUp(BringUpError::PoweredOff))
            }
            Phase::Wanted if waiting.is_over(&w) => Err(ConnectError::BringUp(w.problem)),
            Phase::Wanted | Phase::Opening => {
                w.slots[usize::from(self.slot)]
                    .tx_waker
                    .register(cx.waker());
                w.waiting.register(cx);
                drop(w);
                waiting.wake_in_time(cx);
                return Poll::Pending;
            }
            _ => Err(w.refusal),
        })
    }
}

impl Drop for Socket<'_> {
    fn drop(&mut self) {
        let mut w = self.world.borrow_mut();
        let index = self.slot;
        let slot = &mut w.slots[usize::from(index)];
        let opens = matches!(slot.phase, Phase::Wanted | Phase::Opening);
        slot.abandon();
        let free = slot.is_free();
        if opens && w.open.is_some_and(|open| open.context == index) {
            w.open = None;
        }
        if free {
            // A connect may wait for room.
            w.waiting.wake();
        }
        w.wake_runner();
    }
}

/// The reading half of a [`Socket`], which it borrows.
pub struct Reader<'s, 'a>(Half<'a>, PhantomData<&'s mut ()>);

/// The writing half of a [`Socket`], which it borrows.
pub struct Writer<'s, 'a>(Half<'a>, PhantomData<&'s mut ()>);

impl<'a> SecureSocket for Socket<'a> {
    type Reader<'h>
        = Reader<'h, 'a>
    where
        Self: 'h;
    type Writer<'h>
        = Writer<'h, 'a>
    where
        Self: 'h;

    fn split(&mut self) -> (Reader<'_, 'a>, Writer<'_, 'a>) {
        Socket::split(self)
    }

    async fn finish(&mut self) -> Result<(), SocketError> {
        let flushed = self.flush().await;
        self.half().act(|slot| slot.end());
        poll_fn(|cx| {
            let mut w = self.world.borrow_mut();
            if !w.slots[usize::from(self.slot)].in_modem {
                return Poll::Ready(());
            }
            w.waiting.register(cx);
            Poll::Pending
        })
        .await;
        flushed
    }

    fn abort(&mut self) {
        self.half().act(|slot| slot.end());
    }

    async fn readable(&mut self) {
        self.half().readable().await;
    }

    async fn half_readable<'h>(half: &mut Reader<'h, 'a>)
    where
        Self: 'h,
    {
        half.0.readable().await;
    }
}

#[derive(Clone, Copy)]
struct Half<'s> {
    world: &'s Shared<'s>,
    slot: u8,
}

impl<'s> Half<'s> {
    fn with<T>(&self, look: impl FnOnce(&mut Slot<'s>) -> T) -> T {
        look(&mut self.slot())
    }

    #[inline(never)] // It is used in many places.
    fn slot(&self) -> RefMut<'s, Slot<'s>> {
        RefMut::map(self.world.borrow_mut(), |w| {
            &mut w.slots[usize::from(self.slot)]
        })
    }

    /// Changes something that the runner must know.
    fn act<T>(&self, change: impl FnOnce(&mut Slot<'_>) -> T) -> T {
        let w = &mut *self.world.borrow_mut();
        World::wake_runner(w);
        change(&mut w.slots[usize::from(self.slot)])
    }

    async fn read(&self, buf: &mut [u8]) -> Result<usize, SocketError> {
        poll_fn(|cx| {
            if buf.is_empty() {
                return Poll::Ready(Ok(0));
            }
            if self.with(|slot| slot.rx.len() > 0) {
                // There is room again; the runner may be waiting for it.
                return Poll::Ready(Ok(self.act(|slot| slot.rx.pop(buf))));
            }
            self.with(|slot| match slot.phase {
                Phase::Eof => Poll::Ready(Ok(0)),
                Phase::Failed(error) => Poll::Ready(Err(error)),
                _ => {
                    slot.rx_waker.register(cx.waker());
                    Poll::Pending
                }
            })
        })
        .await
    }

    fn read_ready(&self) -> bool {
        self.with(|slot| slot.rx.len() > 0 || matches!(slot.phase, Phase::Eof | Phase::Failed(_)))
    }

    async fn readable(&self) {
        poll_fn(|cx| {
            if self.read_ready() {
                return Poll::Ready(());
            }
            self.with(|slot| slot.rx_waker.register(cx.waker()));
            Poll::Pending
        })
        .await;
    }

    async fn write(&self, buf: &[u8]) -> Result<usize, SocketError> {
        poll_fn(|cx| {
            let linger = self.world.borrow().linger;
            let written = self.with(|slot| {
                if let Some(error) = slot.write_error() {
                    return Poll::Ready(Err(error));
                }
                let count = slot.tx.push(buf);
                if count == 0 && !buf.is_empty() {
                    slot.tx_waker.register(cx.waker());
                    return Poll::Pending;
                }
                slot.send_at = after(now(), linger);
                Poll::Ready(Ok(count))
            });
            if let Poll::Ready(Ok(_)) = written {
                self.world.borrow_mut().wake_runner();
            }
            written
        })
        .await
    }

    async fn flush(&self) -> Result<(), SocketError> {
        poll_fn(|cx| {
            let mut wake = false;
            let flushed = self.with(|slot| {
                let sent = slot.tx.len() == 0;
                if let Some(error) = slot.write_error() {
                    // What the modem accepted before the peer closed was flushed.
                    return Poll::Ready(if sent && error.is_closed_by_peer() {
                        Ok(())
                    } else {
                        Err(error)
                    });
                }
                if sent {
                    return Poll::Ready(Ok(()));
                }
                slot.tx_waker.register(cx.waker());
                // Woken once: a wake at each poll would keep a task busy that also holds the runner.
                wake = !core::mem::replace(&mut slot.flush, true);
                Poll::Pending
            });
            if wake {
                self.world.borrow_mut().wake_runner();
            }
            flushed
        })
        .await
    }
}

macro_rules! reads {
    ($type:ty, |$this:ident| $half:expr) => {
        impl Read for $type {
            async fn read(&mut self, buf: &mut [u8]) -> Result<usize, SocketError> {
                let $this = self;
                $half.read(buf).await
            }
        }
        impl ReadReady for $type {
            fn read_ready(&mut self) -> Result<bool, SocketError> {
                let $this = self;
                Ok($half.read_ready())
            }
        }
    };
}

macro_rules! writes {
    ($type:ty, |$this:ident| $half:expr) => {
        impl Write for $type {
            async fn write(&mut self, buf: &[u8]) -> Result<usize, SocketError> {
                let $this = self;
                $half.write(buf).await
            }
            async fn flush(&mut self) -> Result<(), SocketError> {
                let $this = self;
                $half.flush().await
            }
        }
        impl WriteReady for $type {
            fn write_ready(&mut self) -> Result<bool, SocketError> {
                let $this = self;
                let half = $half;
                Ok(half.with(|slot| slot.write_error().is_some() || slot.tx.room() > 0))
            }
        }
    };
}

impl ErrorType for Socket<'_> {
    type Error = SocketError;
}
impl ErrorType for Reader<'_, '_> {
    type Error = SocketError;
}
impl ErrorType for Writer<'_, '_> {
    type Error = SocketError;
}
reads!(Socket<'_>, |this| this.half());
reads!(Reader<'_, '_>, |this| this.0);
writes!(Socket<'_>, |this| this.half());
writes!(Writer<'_, '_>, |this| this.0);
