//! Sockets, and the traits by which other crates use them.

use core::future::poll_fn;
use core::marker::PhantomData;
use core::task::{Context, Poll};

use embassy_time::{Duration, Instant};
use embedded_io::{ErrorType, ReadReady, WriteReady};
use embedded_io_async::{Read, Write};

use crate::capabilities::Verification;
use core::cell::RefMut;

use crate::engine::time::{Ms, after, now};
use crate::engine::wakers::wake_at;
use crate::engine::{Link, NOT_YET, Open, Phase, PowerState, Shared, Slot, World};
use crate::error::{BringUpError, ConnectError, SocketError};
use crate::loss::Loss;
use crate::tls::{ServerName, TlsConfig};

/// A connector that opens verified TLS connections by server name. [`Control`](crate::Control) implements it for every backend, so that
/// an application, an MQTT client or the adapters of [`nal`](crate) do not depend on what carries the connection.
#[allow(async_fn_in_trait)]
pub trait SecureConnect {
    /// The error of a connect.
    type Error: embedded_io::Error;
    /// The error of a read or a write.
    type SocketError: embedded_io::Error;
    /// The connection.
    type Socket<'s>: SecureSocket<Error = Self::SocketError>
    where
        Self: 's;

    /// Connects to `name` at TCP `port`, and returns when the handshake is complete and every check that `config`
    /// requires was done.
    ///
    /// It has no time limit of its own beyond the modem's; wrap it in a timeout. The future may be dropped: the runner
    /// then closes a connection that was begun.
    ///
    /// # Errors
    /// The reason why there is no connection. No socket stays open then.
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

/// A connection of a [`SecureConnect`]: reads and writes, and what a TLS socket does beyond them.
#[allow(async_fn_in_trait)]
pub trait SecureSocket: Read + Write + ReadReady + WriteReady {
    /// The reading half.
    type Reader<'h>: Read<Error = Self::Error> + ReadReady
    where
        Self: 'h;
    /// The writing half.
    type Writer<'h>: Write<Error = Self::Error> + WriteReady
    where
        Self: 'h;

    /// Two halves that may live in two tasks.
    fn split(&mut self) -> (Self::Reader<'_>, Self::Writer<'_>);

    /// Flushes, closes the connection and waits until the close is confirmed. Received data can still be read. An error
    /// means that not everything was sent; the connection is closed all the same.
    async fn finish(&mut self) -> Result<(), Self::Error>;

    /// Discards data that was not sent, and has the runner close the connection. Returns at once.
    fn abort(&mut self);

    /// Waits until a read would return at once: with data, with the end, or with an error. Cancel-safe.
    async fn readable(&mut self);

    /// Waits as [`readable`](Self::readable) does, on the reading half. Cancel-safe.
    async fn half_readable<'h>(half: &mut Self::Reader<'h>)
    where
        Self: 'h;
}

/// The wait of a user for a modem that is brought up: its time limit, and the failures that count.
pub(crate) struct Waiting {
    /// The number of failed bring-ups before the wait, which do not count.
    failures: u32,
    limit: Instant,
}

impl Waiting {
    /// Begins a wait of `patience`, or of that of `Timing` where it is `None`.
    pub(crate) fn begin(world: &Shared<'_>, patience: Option<Ms>) -> Self {
        let w = world.borrow();
        let patience = patience.unwrap_or(w.patience);
        Self {
            failures: w.failures,
            limit: Instant::now() + Duration::from_millis(patience.into()),
        }
    }

    /// Polls until the modem is up.
    pub(crate) fn poll_up(
        &self,
        world: &Shared<'_>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), BringUpError>> {
        self.poll(world, false, cx)
    }

    /// Polls until the modem takes commands; SIM and network may be missing.
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
            // After a user's command the modem is about to be brought up anew.
            Link::Up if !w.settings_changed => Some(Ok(())),
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

    /// Returns the error with which the wait ends: the modem was switched off, or does not come up.
    fn error(&self, w: &World<'_>) -> Option<BringUpError> {
        if w.power == PowerState::Off {
            return Some(BringUpError::PoweredOff);
        }
        self.is_over(w).then_some(w.problem)
    }

    /// Returns whether the wait ends with the failure of a bring-up, [`World::problem`].
    fn is_over(&self, w: &World<'_>) -> bool {
        w.link != Link::Up
            && w.failures != self.failures
            && (w.problem.is_lasting() || self.limit <= Instant::now() && !w.may_come_up())
    }

    /// Has the task polled when the time limit is over.
    fn wake_in_time(&self, cx: &mut Context<'_>) {
        if Instant::now() < self.limit {
            wake_at(self.limit, cx);
        }
    }
}

/// The turn of a user to open a connection; only one is opened at a time. Dropped, it gives the turn to the next.
pub(crate) struct OpenTurn<'a> {
    world: &'a Shared<'a>,
    ticket: Option<u8>,
    held: bool,
}

impl<'a> OpenTurn<'a> {
    pub(crate) const fn new(world: &'a Shared<'a>) -> Self {
        Self {
            world,
            ticket: None,
            held: false,
        }
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut w = self.world.borrow_mut();
        if !self.held {
            self.held = w.opens.is_turn(&mut self.ticket);
        }
        // An open whose user has dropped it ends first.
        if self.held && !w.opening {
            return Poll::Ready(());
        }
        w.waiting.register(cx);
        Poll::Pending
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
        w.waiting.wake();
    }
}

/// Polls for a free slot, up to `limit` for one that is being closed: the runner frees it, or brings the modem up anew.
pub(crate) fn poll_claim(
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

/// Posts the request for a connection to the runner.
pub(crate) fn post_open<'a>(
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
    // The transmit ring is unused until the connection stands, and holds the name until then.
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
/// - Dropping the socket discards unsent data; the runner closes the connection. Use
///   [`close`](Self::close) to send it first.
///
/// What is read is always a prefix of what the peer sent, and what the peer receives is a prefix of
/// what was written. The exception is binary payload with SLM 2.5 to 3.1 (see the README): the firmware may
/// drop a piece of it, and later ones follow.
pub struct Socket<'a> {
    world: &'a Shared<'a>,
    slot: u8,
    pub(crate) verified: Verification,
}

impl<'a> Socket<'a> {
    /// Returns what the modem verified of the server when this connection was opened.
    pub fn verified(&self) -> Verification {
        self.verified
    }

    /// Returns the reason of the loss of this connection, where it ended with [`SocketError::ConnectionReset`]; `None`
    /// otherwise. If the modem stopped answering, the reason may become more exact some seconds later.
    pub fn loss(&self) -> Option<Loss> {
        let lost = |slot: &mut Slot<'_>| {
            (slot.write_error() == Some(SocketError::ConnectionReset)).then_some(slot.loss)
        };
        self.half().with(lost)
    }

    /// Returns the index of the socket's slot.
    pub(crate) fn slot(&self) -> u8 {
        self.slot
    }

    /// Two halves that may live in two tasks.
    pub fn split(&mut self) -> (Reader<'_, 'a>, Writer<'_, 'a>) {
        let half = self.half();
        (Reader(half, PhantomData), Writer(half, PhantomData))
    }

    /// Flushes, closes the connection and waits until the modem has confirmed the close.
    ///
    /// If the future is dropped, unsent data is discarded, and the runner closes the connection.
    ///
    /// # Errors
    /// The error of the flush: not everything was sent. The connection is closed all the same.
    pub async fn close(mut self) -> Result<(), SocketError> {
        SecureSocket::finish(&mut self).await
    }

    fn half(&self) -> Half<'a> {
        Half {
            world: self.world,
            slot: self.slot,
        }
    }

    /// Polls for the result of the open, and notes what was verified.
    pub(crate) fn poll_opened(
        &mut self,
        waiting: &Waiting,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), ConnectError>> {
        let mut world = self.world.borrow_mut();
        let w = &mut *world;
        let slot = &mut w.slots[usize::from(self.slot)];
        match slot.phase {
            // It may have been closed or lost before the user was polled; the socket's first use tells so.
            _ if slot.stood => {
                if let Some(open) = &w.open {
                    self.verified = open.verified;
                }
                return Poll::Ready(Ok(()));
            }
            Phase::Wanted | Phase::Opening => slot.tx_waker.register(cx.waker()),
            _ => return Poll::Ready(Err(w.refusal)),
        }
        if slot.phase == Phase::Wanted
            && let Some(error) = waiting.error(w)
        {
            return Poll::Ready(Err(ConnectError::BringUp(error)));
        }
        w.waiting.register(cx);
        drop(world);
        waiting.wake_in_time(cx);
        Poll::Pending
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

    /// Changes the slot, and wakes the runner.
    fn act<T>(&self, change: impl FnOnce(&mut Slot<'_>) -> T) -> T {
        let w = &mut *self.world.borrow_mut();
        World::wake_runner(w);
        change(&mut w.slots[usize::from(self.slot)])
    }

    fn poll_read(&self, buf: &mut [u8], cx: &mut Context<'_>) -> Poll<Result<usize, SocketError>> {
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        if self.with(|slot| slot.rx.len() > 0) {
            // The runner is woken, since it may be waiting for room in the ring.
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

    fn poll_write(&self, buf: &[u8], cx: &mut Context<'_>) -> Poll<Result<usize, SocketError>> {
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
    }

    fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<Result<(), SocketError>> {
        let mut wake = false;
        let flushed = self.with(|slot| {
            let sent = slot.tx.len() == 0;
            if let Some(error) = slot.write_error() {
                // Data that the modem accepted before the peer closed counts as flushed.
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
            // The runner is woken once: a wake at each poll would keep a task busy that also runs the runner.
            wake = !core::mem::replace(&mut slot.flush, true);
            Poll::Pending
        });
        if wake {
            self.world.borrow_mut().wake_runner();
        }
        flushed
    }
}

// The methods of these traits are no `async fn`: each would be a future around the one of `poll_fn`, which costs flash
// and RAM in every future that holds it.
macro_rules! reads {
    ($type:ty, |$this:ident| $half:expr) => {
        impl Read for $type {
            fn read(&mut self, buf: &mut [u8]) -> impl Future<Output = Result<usize, SocketError>> {
                let $this = self;
                let half = $half;
                poll_fn(move |cx| half.poll_read(buf, cx))
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
            fn write(&mut self, buf: &[u8]) -> impl Future<Output = Result<usize, SocketError>> {
                let $this = self;
                let half = $half;
                poll_fn(move |cx| half.poll_write(buf, cx))
            }
            fn flush(&mut self) -> impl Future<Output = Result<(), SocketError>> {
                let $this = self;
                let half = $half;
                poll_fn(move |cx| half.poll_flush(cx))
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
