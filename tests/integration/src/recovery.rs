//! What the recovery and cancel tests share: an MCU that dies at a chosen byte, a peer that keeps
//! account, credentials that are there from the start.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::io;
use std::rc::Rc;
use std::task::{Poll, Waker};

use embassy_futures::select::{Either, Either3, select, select3};
use embassy_time::{Duration, Instant, Timer};
use embedded_io_adapters::tokio_1::FromTokio;
use embedded_io_async::{ErrorType, Read, Write};
use sectag::modem::{Full, Modem};
use sectag::{ConnectError, NoPins, Power, Socket, SocketError, State, Suites, TlsConfig};
use sectag_bg96::{Bg96, Config};
use sectag_nrf9160::Nrf9160;
use sectag_simulator::{Options, Simulator};
use sectag_test_support::pki::Pki;
use sectag_test_support::tls_server::TlsStream;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use crate::bench::Bench;
use crate::simulated::{HOST, PORT, TLS, World};
use crate::unit::{Bg96Unit, Unit};

/// The receive rings take a unit of pushed data, and what one fetch of an SLM brings.
type Rings<M> = State<'static, M, 2, 2048, 1024>;

/// Everything that each connection's peer received, in the order of the connections.
pub type Received = Rc<RefCell<Vec<Vec<u8>>>>;

/// The content of a small credential, to be stored.
pub const STORED: &[u8] = b"a small file, as credentials go; sixty-four bytes that are kept.";

/// A world with the credentials of [`TLS`] in the modem, and a peer that echoes and keeps account.
pub fn world(options: Options) -> (World, Received) {
    let config = Config::new();
    world_of(&Bg96Unit { config, options })
}

/// A world with a modem of any kind, and what its server receives.
pub fn world_of(unit: &impl Unit) -> (World, Received) {
    let world = World::of(unit);
    unit.install(&world.modem, Pki::shared());
    let received = Received::default();
    let log = received.clone();
    world.serve(move |stream| echo_into(log.clone(), stream));
    (world, received)
}

/// Every so many cases of an exhaustive test; all of them when `SECTAG_EXHAUSTIVE` is set.
pub fn every(step: usize) -> usize {
    match std::env::var_os("SECTAG_EXHAUSTIVE") {
        Some(_) => 1,
        None => step,
    }
}

/// Puts what [`TLS`] needs into the modem behind the driver's back.
pub fn install_credentials(modem: &Simulator) {
    let (config, options) = (Config::new(), Options::default());
    Bg96Unit { config, options }.install(modem, Pki::shared());
}

async fn echo_into(log: Received, mut stream: TlsStream<DuplexStream>) -> io::Result<()> {
    let connection = {
        let mut log = log.borrow_mut();
        log.push(Vec::new());
        log.len() - 1
    };
    let mut buffer = [0; 1024];
    loop {
        let count = stream.read(&mut buffer).await?;
        if count == 0 {
            return Ok(());
        }
        log.borrow_mut()[connection].extend(&buffer[..count]);
        stream.write_all(&buffer[..count]).await?;
    }
}

/// Connects to the peer.
pub async fn connect<M: Full>(bench: Bench<M>) -> Result<Socket<'static>, ConnectError> {
    bench.control.connect(HOST, PORT, &tls::<M>()).await
}

/// [`TLS`] as this modem can do it.
pub fn tls<M: Full>() -> TlsConfig {
    if M::NAME == <Nrf9160 as Modem>::NAME {
        // Its cipher suites can in most dialects neither be chosen nor told.
        TLS.suites(Suites::All)
    } else {
        TLS
    }
}

/// Writes all of `bytes`, flushes, and reads as many back; they must be the same.
pub async fn round_trip(socket: &mut Socket<'_>, bytes: &[u8]) -> Result<(), SocketError> {
    socket.write_all(bytes).await?;
    socket.flush().await?;
    let mut back = vec![0; bytes.len()];
    let mut filled = 0;
    while filled < back.len() {
        match socket.read(&mut back[filled..]).await? {
            0 => return Err(SocketError::BrokenPipe),
            count => filled += count,
        }
        // Also what comes before an error is a prefix of what the peer sent.
        assert_eq!(back[..filled], bytes[..filled], "read");
    }
    Ok(())
}

impl World {
    /// Runs an application on a driver whose MCU dies once it has sent `bytes` bytes: nothing of the
    /// driver lives on, and nothing more reaches the modem. `None` when it died before the
    /// application was done.
    pub async fn attach_for<T, A: Future<Output = T>>(
        &self,
        bytes: u64,
        application: impl FnOnce(Bench) -> A,
    ) -> Option<T> {
        self.attach_for_with(bytes, Config::new(), NoPins, application)
            .await
    }

    /// Runs an application on a driver with this configuration and these pins, whose MCU dies once it has sent `bytes` bytes.
    pub async fn attach_for_with<T, P: Power, A: Future<Output = T>>(
        &self,
        bytes: u64,
        config: Config,
        power: P,
        application: impl FnOnce(Bench) -> A,
    ) -> Option<T> {
        let line = Line {
            dies_after: bytes,
            ..Line::default()
        };
        self.attach_over(line, config, power, application).await
    }

    /// A driver over a UART that does not always move bytes.
    pub async fn attach_over<T, P: Power, A: Future<Output = T>>(
        &self,
        line: Line,
        config: Config,
        power: P,
        application: impl FnOnce(Bench) -> A,
    ) -> Option<T> {
        self.attach_driver(line, Bg96::new(config), power, application)
            .await
    }

    /// A driver with the backend of any modem, over a UART that does not always move bytes.
    pub async fn attach_driver<M: Full + 'static, T, P: Power, A: Future<Output = T>>(
        &self,
        line: Line,
        backend: M,
        power: P,
        application: impl FnOnce(Bench<M>) -> A,
    ) -> Option<T> {
        let (host, device) = tokio::io::duplex(4096);
        let (rx, tx) = tokio::io::split(host);
        let fuse = Fuse::new(line.dies_after);
        let tx = Fused {
            uart: FromTokio::new(tx),
            fuse: fuse.clone(),
            stall: Stall::new(line.send_stalls),
        };
        let rx = Stalled {
            uart: FromTokio::new(rx),
            stall: Stall::new(line.receive_stalls),
        };
        // Leaked, as a firmware's static is.
        let state: &'static mut Rings<M> = Box::leak(Box::new(State::new()));
        let (control, mut runner) = sectag::new(state, backend, rx, tx, power);
        let mut serve = core::pin::pin!(self.modem.serve(device));
        let result = {
            let driver = async move {
                let application = application(Bench { control });
                match select3(fuse.blown(), runner.run(), application).await {
                    Either3::First(()) => None,
                    Either3::Second(error) => panic!("the runner ended: {error}"),
                    Either3::Third(result) => Some(result),
                }
            };
            match select(&mut serve, driver).await {
                Either::First(end) => panic!("the port ended: {end:?}"),
                Either::Second(result) => result,
            }
        };
        // The modem takes in what was sent before the end.
        serve.await.expect("a clean end");
        result
    }
}

/// What becomes of bytes between MCU and modem.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    /// The MCU dies once it has sent so many bytes.
    pub dies_after: u64,
    /// After so many bytes the modem's flow control holds the MCU back for this long, once.
    pub send_stalls: Option<(u64, Duration)>,
    /// After so many bytes the modem pauses for this long, once.
    pub receive_stalls: Option<(u64, Duration)>,
}

impl Default for Line {
    fn default() -> Self {
        Self {
            dies_after: u64::MAX,
            send_stalls: None,
            receive_stalls: None,
        }
    }
}

/// Bytes that pass before a pause, and the pause. It goes on also while nobody waits for it.
struct Stall {
    left: u64,
    pause: Option<Duration>,
    until: Option<Instant>,
}

impl Stall {
    fn new(stall: Option<(u64, Duration)>) -> Self {
        Self {
            left: stall.map_or(u64::MAX, |(bytes, _)| bytes),
            pause: stall.map(|(_, pause)| pause),
            until: None,
        }
    }

    /// How many bytes may pass at once.
    async fn limit(&mut self) -> usize {
        if self.left == 0 {
            if let Some(pause) = self.pause.take() {
                self.until = Some(Instant::now() + pause);
            }
            if let Some(until) = self.until {
                Timer::at(until).await;
            }
            self.left = u64::MAX;
        }
        self.left.min(4096) as usize
    }

    fn passed(&mut self, count: usize) {
        self.left -= count as u64;
    }
}

struct Stalled<R> {
    uart: R,
    stall: Stall,
}

impl<R: ErrorType> ErrorType for Stalled<R> {
    type Error = R::Error;
}

impl<R: Read> Read for Stalled<R> {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, R::Error> {
        let limit = self.stall.limit().await.min(buf.len());
        let count = self.uart.read(&mut buf[..limit]).await?;
        self.stall.passed(count);
        Ok(count)
    }
}

/// Blows once so many bytes have passed.
struct Fuse {
    left: Cell<u64>,
    waker: RefCell<Option<Waker>>,
}

impl Fuse {
    fn new(bytes: u64) -> Rc<Self> {
        Rc::new(Self {
            left: Cell::new(bytes),
            waker: RefCell::default(),
        })
    }

    async fn blown(&self) {
        poll_fn(|cx| {
            if self.left.get() == 0 {
                return Poll::Ready(());
            }
            *self.waker.borrow_mut() = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

struct Fused<W> {
    uart: W,
    fuse: Rc<Fuse>,
    stall: Stall,
}

impl<W: ErrorType> ErrorType for Fused<W> {
    type Error = W::Error;
}

impl<W: Write> Write for Fused<W> {
    async fn write(&mut self, buf: &[u8]) -> Result<usize, W::Error> {
        let left = self.fuse.left.get();
        if left == 0 {
            return std::future::pending().await;
        }
        let limit = self.stall.limit().await;
        let count = (buf.len().min(limit) as u64).min(left) as usize;
        let count = self.uart.write(&buf[..count]).await?;
        self.stall.passed(count);
        self.fuse.left.set(left - count as u64);
        if left == count as u64
            && let Some(waker) = self.fuse.waker.take()
        {
            waker.wake();
        }
        Ok(count)
    }

    async fn flush(&mut self) -> Result<(), W::Error> {
        self.uart.flush().await
    }
}
