//! A module that is dialled, and the stack above the link: what firmware has, with the module simulated.

use std::convert::Infallible;

use embassy_futures::select::{Either, Either3, select, select3};
use embassy_net::{Stack, StackResources};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::signal::Signal;
use embedded_io_adapters::tokio_1::FromTokio;
use embedded_io_async::{ErrorType, Read, Write};
use sectag::BringUpError;
use sectag_host_clock::with_own_waker;
use sectag_ppp::Login;
use sectag_ppp::dial::Dialogue;
use sectag_ppp::net::{self, RunError};
use sectag_simulator::Simulator;
use tokio::io::{DuplexStream, ReadHalf, WriteHalf};

pub(crate) type Rx<'l> = &'l mut FromTokio<ReadHalf<DuplexStream>>;
pub(crate) type Tx<'l> = &'l mut FromTokio<WriteHalf<DuplexStream>>;

/// Dials by `dial`, then runs `test` above the link, which is closed when it is done; why it ended is returned.
pub(crate) async fn above(
    modem: &Simulator,
    login: Login,
    dial: impl AsyncFnOnce(&mut Dialogue<Rx<'_>, Tx<'_>>) -> Result<(), BringUpError>,
    test: impl AsyncFnOnce(Stack<'_>),
) -> Result<RunError, BringUpError> {
    above_noise(modem, 0, login, dial, test).await
}

/// Likewise, with one byte in so many damaged once PPP has begun.
pub(crate) async fn above_noise(
    modem: &Simulator,
    one_in: u32,
    login: Login,
    dial: impl AsyncFnOnce(&mut Dialogue<Rx<'_>, Tx<'_>>) -> Result<(), BringUpError>,
    test: impl AsyncFnOnce(Stack<'_>),
) -> Result<RunError, BringUpError> {
    let (host, port) = tokio::io::duplex(2048);
    let (rx, tx) = tokio::io::split(host);
    let (mut rx, mut tx) = (FromTokio::new(rx), FromTokio::new(tx));
    let mut state = net::State::<4, 4>::new();
    let (device, mut runner) = net::new(&mut state);
    let mut resources = StackResources::<6>::new();
    let config = embassy_net::Config::default();
    let (stack, mut stack_runner) = embassy_net::new(device, config, &mut resources, 7);
    let linked = async {
        let mut line = Dialogue::new(&mut rx, &mut tx);
        dial(&mut line).await?;
        let behind = line.behind().to_vec();
        let done = Signal::<NoopRawMutex, ()>::new();
        let application = async {
            test(stack).await;
            done.signal(());
            core::future::pending::<Infallible>().await
        };
        let (rx, tx) = (
            Noise::new(&mut rx, one_in, 1),
            Noise::new(&mut tx, one_in, 2),
        );
        let link = runner.run(rx, tx, &behind, login, stack, done.wait());
        match select3(link, stack_runner.run(), with_own_waker(application)).await {
            Either3::First(ended) => Ok(ended),
            Either3::Second(never) => never,
            Either3::Third(never) => match never {},
        }
    };
    match select(modem.serve(port), linked).await {
        Either::First(end) => panic!("the module ended: {end:?}"),
        Either::Second(ended) => ended,
    }
}

/// Damages one byte in so many, both ways; none with 0. The same bytes each time.
pub(crate) struct Noise<T> {
    inner: T,
    one_in: u32,
    seed: u32,
}

impl<T> Noise<T> {
    pub(crate) fn new(inner: T, one_in: u32, seed: u32) -> Self {
        Self {
            inner,
            one_in,
            seed,
        }
    }

    fn damage(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            self.seed = self
                .seed
                .wrapping_mul(1_664_525)
                .wrapping_add(1_013_904_223);
            if self.one_in > 0 && (self.seed >> 8).is_multiple_of(self.one_in) {
                *byte ^= 0x10;
            }
        }
    }
}

impl<T: ErrorType> ErrorType for Noise<T> {
    type Error = T::Error;
}

impl<T: Read> Read for Noise<T> {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, T::Error> {
        let count = self.inner.read(buf).await?;
        self.damage(&mut buf[..count]);
        Ok(count)
    }
}

impl<T: Write> Write for Noise<T> {
    async fn write(&mut self, buf: &[u8]) -> Result<usize, T::Error> {
        let mut bytes = buf.to_vec();
        self.damage(&mut bytes);
        self.inner.write_all(&bytes).await?;
        Ok(buf.len())
    }

    async fn flush(&mut self) -> Result<(), T::Error> {
        self.inner.flush().await
    }
}
