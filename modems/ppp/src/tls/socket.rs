//! The sockets: handles that touch only the shared state and its rings, so that each of their futures
//! may be dropped.

use core::future::poll_fn;
use core::task::Poll;

use embedded_io::{ErrorType, ReadReady, WriteReady};
use embedded_io_async::{Read, Write};
use sectag::{
    Capabilities, ConnectError, Feature, SecureConnect, SecureSocket, ServerName, SocketError,
    SuiteSet, Support, TlsConfig, TlsVersion, Verification,
};

use super::world::{Phase, Request, Shared, World};

/// The capabilities of TLS on the MCU.
pub(crate) const CAPABILITIES: Capabilities = {
    let mut has = Capabilities::UNKNOWN;
    has.verification.chain = Support::Yes;
    has.verification.dates = Support::Yes;
    has.verification.name = Support::Yes;
    has.verification.sni = Support::Yes;
    // There is one suite, with authenticated encryption.
    has.verification.suites = Support::Yes;
    has.verification.client_certificate = Support::Yes;
    has.versions = (TlsVersion::Tls13, TlsVersion::Tls13);
    has.suites = SuiteSet::of(&[0x1301]);
    has.alpn = Support::Yes;
    has.psk = Support::No;
    has.resumption = Support::No;
    has.chain_depth = Some(4);
    has.sockets = 1;
    has
};

/// The handle by which an application makes connections.
#[derive(Clone, Copy)]
pub struct Sockets<'a> {
    pub(crate) world: &'a Shared<'a>,
}

impl<'a> Sockets<'a> {
    /// Returns the capabilities of TLS on the MCU.
    pub fn capabilities(&self) -> Capabilities {
        CAPABILITIES
    }

    /// Returns the error with which [`connect`](SecureConnect::connect) would refuse this policy before
    /// anything is sent.
    pub fn admit(&self, config: &TlsConfig) -> Result<(), ConnectError> {
        let rsa = config.declared_server_key() == Some(sectag::ServerKey::Rsa);
        if rsa && cfg!(not(feature = "rsa")) {
            return Err(ConnectError::Lacks(Feature::ServerKey(
                sectag::ServerKey::Rsa,
            )));
        }
        config.suites_for(&CAPABILITIES)?;
        config.check(&CAPABILITIES.verification)
    }

    /// Connects, see [`SecureConnect::connect`]: waits for the link, looks the name up, connects, and
    /// verifies the server. There is one connection at a time: a second one is refused with
    /// [`ConnectError::TooManySockets`], or waits if the first is only being closed.
    pub async fn connect(
        &self,
        name: ServerName<'_>,
        port: u16,
        config: &TlsConfig,
    ) -> Result<Socket<'a>, ConnectError> {
        self.admit(config)?;
        poll_fn(|cx| {
            let mut w = self.world.borrow_mut();
            match w.phase {
                Phase::Free if !w.user => Poll::Ready(Ok(())),
                _ if w.user => Poll::Ready(Err(ConnectError::TooManySockets)),
                _ => {
                    w.claims.register(cx.waker());
                    Poll::Pending
                }
            }
        })
        .await?;
        self.ask(name, port, config)?;
        // From here on, dropping the socket tells the runner.
        let mut socket = Socket {
            world: self.world,
            verified: Verification::UNKNOWN,
        };
        socket.verified = poll_fn(|cx| {
            let mut w = self.world.borrow_mut();
            match w.outcome.take() {
                Some(outcome) => Poll::Ready(outcome),
                None => w.later(cx),
            }
        })
        .await?;
        Ok(socket)
    }

    /// Leaves the request for the runner, and the name in the transmit ring.
    fn ask(&self, name: ServerName<'_>, port: u16, config: &TlsConfig) -> Result<(), ConnectError> {
        let mut w = self.world.borrow_mut();
        w.rx.clear();
        w.tx.clear();
        if w.tx.push(name.as_str().as_bytes()) < name.as_str().len() {
            w.tx.clear();
            return Err(ConnectError::SendRingTooSmall {
                needed: name.as_str().len(),
            });
        }
        w.user = true;
        w.under_way = false;
        w.flush = false;
        w.end = false;
        w.received = false;
        w.outcome = None;
        w.phase = Phase::Wanted;
        w.request = Some(Request {
            port,
            config: *config,
        });
        w.wake_runner();
        Ok(())
    }
}

impl<'a> SecureConnect for Sockets<'a> {
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

/// A TLS connection from this MCU.
///
/// - `read` returns as soon as there is a byte. It returns `Ok(0)` only when the peer has closed the connection in order
///   and everything before was read; a connection that breaks is [`SocketError::ConnectionReset`]. Cancel-safe.
/// - `write` copies into the ring and returns, or waits for room. Cancel-safe. What was written goes out on `flush`, when
///   the ring is full, or 10 ms after the first write of what waits.
/// - `flush` returns when everything was handed to TCP.
/// - Dropping the socket discards what was not sent.
pub struct Socket<'a> {
    world: &'a Shared<'a>,
    verified: Verification,
}

impl<'a> Socket<'a> {
    /// Returns what was verified of the server when this connection was made, and the source of the
    /// time for its dates.
    pub fn verified(&self) -> Verification {
        self.verified
    }

    /// Splits the socket into two halves that may live in two tasks.
    pub fn split(&mut self) -> (Reader<'_, 'a>, Writer<'_, 'a>) {
        let world = self.world;
        let once = core::marker::PhantomData;
        (Reader { world, once }, Writer { world, once })
    }

    /// Sends the written bytes, closes the connection and waits until it is closed. An error means that
    /// not everything was sent; the connection is closed anyway.
    pub async fn close(mut self) -> Result<(), SocketError> {
        self.finish().await
    }
}

impl Drop for Socket<'_> {
    fn drop(&mut self) {
        let mut w = self.world.borrow_mut();
        w.user = false;
        if w.request.take().is_some() || !w.served {
            // The runner has not started on it, or was dropped.
            w.phase = Phase::Free;
        }
        w.wake_runner();
        w.wake_users();
    }
}

/// The reading half of a [`Socket`], which it borrows.
pub struct Reader<'s, 'a> {
    world: &'a Shared<'a>,
    once: core::marker::PhantomData<&'s mut ()>,
}

/// The writing half of a [`Socket`], which it borrows.
pub struct Writer<'s, 'a> {
    world: &'a Shared<'a>,
    once: core::marker::PhantomData<&'s mut ()>,
}

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
        let flushed = flush(self.world).await;
        {
            let mut w = self.world.borrow_mut();
            w.end = true;
            w.wake_runner();
        }
        poll_fn(|cx| {
            let mut w = self.world.borrow_mut();
            match w.phase {
                Phase::Open => {
                    w.writer.register(cx.waker());
                    Poll::Pending
                }
                Phase::Failed(error) => Poll::Ready(Err(error)),
                _ => Poll::Ready(Ok(())),
            }
        })
        .await
        .and(flushed)
    }

    fn abort(&mut self) {
        let mut w = self.world.borrow_mut();
        w.tx.clear();
        w.end = true;
        w.wake_runner();
    }

    async fn readable(&mut self) {
        readable(self.world).await;
    }

    async fn half_readable<'h>(half: &mut Reader<'h, 'a>)
    where
        Self: 'h,
    {
        readable(half.world).await;
    }
}

async fn read(world: &Shared<'_>, buf: &mut [u8]) -> Result<usize, SocketError> {
    poll_fn(|cx| {
        let mut w = world.borrow_mut();
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        if w.rx.len() > 0 {
            let count = w.rx.pop(buf);
            // The runner can receive again.
            w.runner.wake();
            return Poll::Ready(Ok(count));
        }
        match w.phase {
            Phase::Eof => Poll::Ready(Ok(0)),
            Phase::Failed(error) => Poll::Ready(Err(error)),
            _ => w.later(cx),
        }
    })
    .await
}

async fn readable(world: &Shared<'_>) {
    poll_fn(|cx| {
        let mut w = world.borrow_mut();
        if is_readable(&w) {
            return Poll::Ready(());
        }
        w.later(cx)
    })
    .await;
}

fn is_readable(w: &World<'_>) -> bool {
    w.rx.len() > 0 || w.phase != Phase::Open
}

/// Returns the error of a write, if the connection accepts no more bytes.
fn write_error(w: &World<'_>) -> Option<SocketError> {
    match w.phase {
        Phase::Open if !w.end => None,
        Phase::Failed(error) => Some(error),
        _ if w.received => Some(SocketError::BrokenPipe),
        _ => Some(SocketError::ClosedUnanswered),
    }
}

async fn write(world: &Shared<'_>, buf: &[u8]) -> Result<usize, SocketError> {
    poll_fn(|cx| {
        let mut w = world.borrow_mut();
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        if let Some(error) = write_error(&w) {
            return Poll::Ready(Err(error));
        }
        if w.tx.room() == 0 {
            w.writer.register(cx.waker());
            w.outgoing.wake();
            return Poll::Pending;
        }
        let count = w.tx.push(buf);
        w.outgoing.wake();
        Poll::Ready(Ok(count))
    })
    .await
}

async fn flush(world: &Shared<'_>) -> Result<(), SocketError> {
    poll_fn(|cx| {
        let mut w = world.borrow_mut();
        if w.tx.len() == 0 && !w.under_way && !w.flush {
            return Poll::Ready(match w.phase {
                Phase::Failed(error) => Err(error),
                _ => Ok(()),
            });
        }
        if let Some(error) = write_error(&w) {
            return Poll::Ready(Err(error));
        }
        w.flush = true;
        w.writer.register(cx.waker());
        w.outgoing.wake();
        Poll::Pending
    })
    .await
}

macro_rules! reads {
    ($($generics:lifetime),*; $name:ty) => {
        impl<$($generics),*> Read for $name {
            async fn read(&mut self, buf: &mut [u8]) -> Result<usize, SocketError> {
                read(self.world, buf).await
            }
        }

        impl<$($generics),*> ReadReady for $name {
            fn read_ready(&mut self) -> Result<bool, SocketError> {
                Ok(is_readable(&self.world.borrow()))
            }
        }
    };
}

macro_rules! writes {
    ($($generics:lifetime),*; $name:ty) => {
        impl<$($generics),*> Write for $name {
            async fn write(&mut self, buf: &[u8]) -> Result<usize, SocketError> {
                write(self.world, buf).await
            }

            async fn flush(&mut self) -> Result<(), SocketError> {
                flush(self.world).await
            }
        }

        impl<$($generics),*> WriteReady for $name {
            fn write_ready(&mut self) -> Result<bool, SocketError> {
                let w = self.world.borrow();
                Ok(w.tx.room() > 0 || write_error(&w).is_some())
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

reads!('a; Socket<'a>);
reads!('s, 'a; Reader<'s, 'a>);
writes!('a; Socket<'a>);
writes!('s, 'a; Writer<'s, 'a>);

#[cfg(test)]
mod tests {
    extern crate std;

    use core::cell::Cell;
    use core::pin::pin;
    use core::task::{Context, Waker};
    use std::time::{Duration, Instant};

    use embedded_tls::TlsError;

    use super::super::runner::send;
    use super::super::world::State;
    use super::*;

    /// A peer that accepts nothing until it is released.
    struct Stuck<'c>(&'c Cell<bool>);

    impl ErrorType for Stuck<'_> {
        type Error = TlsError;
    }

    impl Write for Stuck<'_> {
        async fn write(&mut self, buf: &[u8]) -> Result<usize, TlsError> {
            poll_fn(|_| {
                if self.0.get() {
                    Poll::Ready(Ok(buf.len()))
                } else {
                    Poll::Pending
                }
            })
            .await
        }

        async fn flush(&mut self) -> Result<(), TlsError> {
            Ok(())
        }
    }

    #[test]
    fn a_flush_waits_for_what_has_left_the_ring_and_is_not_with_tcp() {
        let mut state = State::<32, 256>::new();
        let world = state.connect();
        world.borrow_mut().phase = Phase::Open;
        let takes = Cell::new(false);
        let mut sending = pin!(send(world, Stuck(&takes)));
        let mut cx = Context::from_waker(Waker::noop());
        let _ = world.borrow_mut().tx.push(b"x");
        let start = Instant::now();
        // The 10 ms pass in which more bytes could be written.
        while world.borrow().tx.len() > 0 {
            assert!(sending.as_mut().poll(&mut cx).is_pending());
            assert!(start.elapsed() < Duration::from_secs(60));
            std::thread::sleep(Duration::from_millis(1));
        }
        let mut flushing = pin!(flush(world));
        assert!(flushing.as_mut().poll(&mut cx).is_pending());
        assert!(sending.as_mut().poll(&mut cx).is_pending());
        assert!(flushing.as_mut().poll(&mut cx).is_pending());
        takes.set(true);
        assert!(sending.as_mut().poll(&mut cx).is_pending());
        assert_eq!(flushing.as_mut().poll(&mut cx), Poll::Ready(Ok(())));
    }

    #[test]
    fn a_flush_of_what_breaks_off_on_its_way_is_an_error() {
        let mut state = State::<32, 256>::new();
        let world = state.connect();
        {
            let mut w = world.borrow_mut();
            w.phase = Phase::Open;
            w.under_way = true;
        }
        let mut cx = Context::from_waker(Waker::noop());
        let mut flushing = pin!(flush(world));
        assert!(flushing.as_mut().poll(&mut cx).is_pending());
        let error = SocketError::ConnectionReset;
        world.borrow_mut().phase = Phase::Failed(error);
        assert_eq!(flushing.as_mut().poll(&mut cx), Poll::Ready(Err(error)));
    }
}
