//! The runner: it makes the connections, and moves bytes between the rings and TLS.

use core::future::poll_fn;
use core::task::Poll;

use embassy_futures::select::{Either, select};
use embassy_net::dns::DnsQueryType;
use embassy_net::tcp::{ConnectError as TcpError, TcpSocket};
use embassy_net::{IpAddress, Stack};
use embassy_time::{Duration, Timer, with_timeout};
use embedded_io_async::{Read, Write};
use embedded_tls::TlsError;
use rand_core::CryptoRngCore;
use sectag::clock::DateTime;
use sectag::inspect::Kind;
use sectag::signer::Signer;
use sectag::{Cause, ConnectError, SocketError, Support};

use super::CAPABILITIES;
use super::credentials::{Clock, Credentials, Time};
use super::gate::Foul;
use super::refusal::refused;
use super::session::{self, Connection, Order, Transport};
use super::world::{Phase, Request, Shared};

/// The time limit for the link to come up, a redial included.
const LINK: Duration = Duration::from_secs(60);
const LOOK_UP: Duration = Duration::from_secs(15);
const CONNECT: Duration = Duration::from_secs(30);
/// The time limit of a handshake. Two signatures take seconds on a small MCU.
const HANDSHAKE: Duration = Duration::from_secs(60);
const PARTING: Duration = Duration::from_secs(5);
/// How long written bytes wait for more, so that they go out together.
const LINGER: Duration = Duration::from_millis(10);
/// The most bytes that are moved at a time.
const PIECE: usize = 128;
/// The longest name of a server, in bytes.
const NAME: usize = 253;

/// The buffers of one connection: `RECORD` bytes for a received record (16 640 for any server), `SEND`
/// for an outgoing one. TCP has two of 2 KiB.
pub struct Buffers<const RECORD: usize, const SEND: usize> {
    record: [u8; RECORD],
    send: [u8; SEND],
    tcp_in: [u8; 2048],
    tcp_out: [u8; 2048],
}

impl<const RECORD: usize, const SEND: usize> Buffers<RECORD, SEND> {
    /// Returns buffers that are all zero.
    pub const fn new() -> Self {
        Self {
            record: [0; RECORD],
            send: [0; SEND],
            tcp_in: [0; 2048],
            tcp_out: [0; 2048],
        }
    }
}

impl<const RECORD: usize, const SEND: usize> Default for Buffers<RECORD, SEND> {
    fn default() -> Self {
        Self::new()
    }
}

/// The task that makes the connections.
pub struct Runner<'a, const RECORD: usize, const SEND: usize, C, S, G> {
    pub(crate) world: &'a Shared<'a>,
    pub(crate) buffers: &'a mut Buffers<RECORD, SEND>,
    pub(crate) stack: Stack<'a>,
    pub(crate) credentials: &'a [Credentials],
    pub(crate) clock: C,
    pub(crate) key: S,
    pub(crate) rng: G,
}

impl<const RECORD: usize, const SEND: usize, C, S, G> Runner<'_, RECORD, SEND, C, S, G>
where
    C: Clock,
    S: Signer<Signature = [u8; 64]>,
    G: CryptoRngCore,
{
    /// Makes one connection after the other. Dropping the future breaks the current connection, and ends a `connect` that waits
    /// with an error; call it again to go on.
    pub async fn run(&mut self) -> ! {
        loop {
            let world = self.world;
            let (request, name) = poll_fn(|cx| {
                let mut w = world.borrow_mut();
                match w.request.take() {
                    Some(request) => {
                        w.served = true;
                        let mut name = [0; NAME];
                        let len = w.tx.pop(&mut name);
                        Poll::Ready((request, (name, len)))
                    }
                    None => {
                        w.runner.register(cx.waker());
                        Poll::Pending
                    }
                }
            })
            .await;
            let service = Service { world };
            // The bytes in the ring are a name, so they are text.
            let name = core::str::from_utf8(&name.0[..name.1]).unwrap_or_default();
            let served = select(self.serve(request, name), gone(world)).await;
            if let Either::First(Err(error)) = served {
                let mut w = world.borrow_mut();
                w.outcome = Some(Err(error));
                w.wake_users();
            }
            // Received bytes stay readable until the handle is dropped. Only then can the next
            // connection begin.
            gone(world).await;
            drop(service);
        }
    }

    async fn serve(&mut self, request: Request, name: &str) -> Result<(), ConnectError> {
        let config = &request.config;
        let set = self.credentials.iter().find(|set| set.tag == config.tag());
        let set = set.ok_or(ConnectError::CredentialMissing(Kind::Ca))?;
        if set.roots.is_empty() {
            return Err(ConnectError::CredentialMissing(Kind::Ca));
        }
        let client = if config.has_client_certificate() {
            let der = set
                .certificate
                .ok_or(ConnectError::CredentialMissing(Kind::ClientCertificate))?;
            Some((der, &mut self.key))
        } else {
            None
        };
        reach(self.stack).await?;
        let time = plausible_time(&self.clock, config.earliest_date())?;
        let address = look_up(self.stack, name).await?;

        let mut tcp = TcpSocket::new(
            self.stack,
            &mut self.buffers.tcp_in,
            &mut self.buffers.tcp_out,
        );
        let connected = with_timeout(CONNECT, tcp.connect((address, request.port))).await;
        connected
            .unwrap_or(Err(TcpError::TimedOut))
            .map_err(of_tcp)?;
        tcp.set_keep_alive(Some(Duration::from_secs(60)));
        tcp.set_timeout(Some(Duration::from_secs(150)));
        let end;
        {
            let (rx, tx) = tcp.split();
            let transport = Transport::new(rx, tx, RECORD);
            let mut verified = CAPABILITIES.verification;
            verified.time = Some(time.source);
            if client.is_none() {
                verified.client_certificate = Support::No;
            }
            let order = Order {
                name,
                now: time.now.to_unix(),
                roots: set.roots,
                client,
                alpn: config.alpn_protocol(),
            };
            let opening = session::open(
                &transport,
                &mut self.buffers.record,
                &mut self.buffers.send,
                order,
                &mut self.rng,
            );
            let connection = with_timeout(HANDSHAKE, opening).await;
            let connection = connection.unwrap_or(Err(ConnectError::TimedOut))?;
            {
                let mut w = self.world.borrow_mut();
                w.phase = Phase::Open;
                w.outcome = Some(Ok(verified));
                w.wake_users();
            }
            end = pump(self.world, &transport, connection).await;
        }
        // The peer's end is told at once. The user's is not told before the other side has acknowledged everything, since a
        // handle that is dropped takes the connection with it.
        if let Ending::Told(phase) = end {
            self.world.borrow_mut().ended(phase);
        }
        tcp.close();
        let parted = with_timeout(PARTING, tcp.flush()).await;
        if end == Ending::Ours {
            let phase = match parted {
                // A server that has read everything may reset what comes behind it.
                Ok(_) => Phase::Eof,
                Err(_) => Phase::Failed(SocketError::ConnectionReset),
            };
            self.world.borrow_mut().ended(phase);
        }
        Ok(())
    }
}

/// The end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// The user has closed it, and the peer was told so.
    Ours,
    /// The peer has closed it, or it has failed: this is the phase that follows.
    Told(Phase),
}

/// A guard that frees the connection when the runner has finished with it, or is dropped in the middle.
struct Service<'a> {
    world: &'a Shared<'a>,
}

impl Drop for Service<'_> {
    fn drop(&mut self) {
        let mut w = self.world.borrow_mut();
        w.served = false;
        if w.user && w.phase == Phase::Wanted && w.outcome.is_none() {
            w.outcome = Some(Err(refused("the task of the connections was dropped", &[])));
        }
        w.phase = if w.user {
            Phase::Failed(SocketError::ConnectionReset)
        } else {
            Phase::Free
        };
        w.wake_users();
    }
}

/// Returns when no handle exists.
async fn gone(world: &Shared<'_>) {
    poll_fn(|cx| {
        let mut w = world.borrow_mut();
        if !w.user {
            return Poll::Ready(());
        }
        w.runner.register(cx.waker());
        Poll::Pending
    })
    .await;
}

async fn reach(stack: Stack<'_>) -> Result<(), ConnectError> {
    with_timeout(LINK, stack.wait_config_up())
        .await
        .map_err(|_| refused("the link has no address", &[Cause::DataConnectionDown]))
}

fn plausible_time(clock: &impl Clock, earliest: DateTime) -> Result<Time, ConnectError> {
    let time = clock.time();
    match time {
        Some(time) if time.now.is_plausible(earliest) => Ok(time),
        _ => {
            // A clock that was never set counts as the first possible time.
            let never = DateTime::new(2000, 1, 1, 0, 0, 0);
            match time.map(|time| time.now).or(never) {
                Some(now) => Err(ConnectError::ClockNotSet { now }),
                None => Err(refused("the clock is not set", &[Cause::ClockNotSet])),
            }
        }
    }
}

async fn look_up(stack: Stack<'_>, name: &str) -> Result<IpAddress, ConnectError> {
    let unknown = || {
        refused(
            "no name server knows an address of this name",
            &[Cause::NameUnknown, Cause::NameUnknownHere],
        )
    };
    match with_timeout(LOOK_UP, stack.dns_query(name, DnsQueryType::A)).await {
        Ok(Ok(addresses)) => addresses.first().copied().ok_or_else(unknown),
        Ok(Err(_)) => Err(unknown()),
        Err(_) => Err(refused(
            "no name server answered",
            &[Cause::NetworkSlow, Cause::DataConnectionDown],
        )),
    }
}

fn of_tcp(error: TcpError) -> ConnectError {
    match error {
        TcpError::ConnectionReset => {
            refused("the server refused the connection", &[Cause::Unreachable])
        }
        TcpError::TimedOut => refused(
            "the server did not answer",
            &[Cause::Unreachable, Cause::NetworkSlow],
        ),
        _ => refused("the link went down", &[Cause::DataConnectionDown]),
    }
}

/// Moves bytes until the connection ends.
async fn pump<R, W>(
    world: &Shared<'_>,
    transport: &Transport<R, W>,
    mut connection: Connection<'_, R, W>,
) -> Ending
where
    R: Read<Error = W::Error>,
    W: Write,
{
    let end = {
        let (reader, writer) = connection.split();
        match select(receive(world, reader), send(world, writer)).await {
            // The peer has closed the connection in order. Any other end is a failure, or an attack.
            Either::First(TlsError::ConnectionClosed) => Ending::Told(Phase::Eof),
            Either::Second(Ok(())) => Ending::Ours,
            // embedded-tls reports any other alert as this error.
            Either::First(TlsError::InternalError) => {
                Ending::Told(Phase::Failed(SocketError::Alert))
            }
            Either::First(_) | Either::Second(Err(_)) => {
                Ending::Told(Phase::Failed(SocketError::ConnectionReset))
            }
        }
    };
    if let Ending::Told(Phase::Failed(_)) = end {
        return match transport.rx.lock().await.foul() {
            Some(Foul::TooLarge) => Ending::Told(Phase::Failed(SocketError::RecordTooLarge)),
            _ => end,
        };
    }
    match (end, with_timeout(PARTING, connection.close()).await) {
        (Ending::Ours, Err(_)) => Ending::Told(Phase::Failed(SocketError::ConnectionReset)),
        _ => end,
    }
}

async fn receive(world: &Shared<'_>, mut tls: impl Read<Error = TlsError>) -> TlsError {
    let mut piece = [0; PIECE];
    loop {
        let room = poll_fn(|cx| {
            let mut w = world.borrow_mut();
            match w.rx.room() {
                0 => {
                    w.runner.register(cx.waker());
                    Poll::Pending
                }
                room => Poll::Ready(room.min(PIECE)),
            }
        })
        .await;
        match tls.read(&mut piece[..room]).await {
            Ok(count) => {
                let mut w = world.borrow_mut();
                w.rx.push(&piece[..count]);
                w.received = true;
                w.reader.wake();
            }
            Err(error) => return error,
        }
    }
}

/// Sends the bytes of the ring. Returns when all were sent and the connection has to be closed.
pub(super) async fn send(
    world: &Shared<'_>,
    mut tls: impl Write<Error = TlsError>,
) -> Result<(), TlsError> {
    let mut piece = [0; PIECE];
    loop {
        let urgent = poll_fn(|cx| {
            let mut w = world.borrow_mut();
            if w.tx.len() == 0 && !w.end && !w.flush {
                w.outgoing.register(cx.waker());
                return Poll::Pending;
            }
            Poll::Ready(w.flush || w.end || w.tx.room() == 0)
        })
        .await;
        if !urgent {
            let hurried = poll_fn(|cx| {
                let mut w = world.borrow_mut();
                if w.flush || w.end || w.tx.room() == 0 {
                    return Poll::Ready(());
                }
                w.outgoing.register(cx.waker());
                Poll::Pending
            });
            select(hurried, Timer::after(LINGER)).await;
        }
        loop {
            let count = {
                let mut w = world.borrow_mut();
                let count = w.tx.pop(&mut piece);
                w.under_way |= count > 0;
                w.writer.wake();
                count
            };
            if count == 0 {
                break;
            }
            tls.write_all(&piece[..count]).await?;
        }
        tls.flush().await?;
        let mut w = world.borrow_mut();
        if w.tx.len() == 0 {
            w.under_way = false;
            w.flush = false;
            w.writer.wake();
            if w.end {
                return Ok(());
            }
        }
    }
}
