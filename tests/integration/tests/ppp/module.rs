//! A module that is dialled, and the stack above the link: what firmware has, with the module simulated.

use std::cell::Cell;
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

/// The byte between two frames (RFC 1662).
const FLAG: u8 = 0x7E;

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

/// Dials by `dial`, then runs `test` above a link on which one byte in so many is damaged.
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
        let tally = Tally::default();
        let (rx, tx) = (
            Noise::new(&mut rx, one_in, 1, &tally),
            Noise::new(&mut tx, one_in, 2, &tally),
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

/// Counts the frames that pass, by their flags.
#[derive(Default)]
pub(crate) struct Tally {
    /// The length that a frame must have to be counted, in bytes on the line.
    pub(crate) least: usize,
    /// The longest frame.
    pub(crate) longest: Cell<usize>,
    /// The frames that are counted.
    pub(crate) frames: Cell<u32>,
    /// Those of them that were damaged.
    pub(crate) damaged: Cell<u32>,
}

impl Tally {
    fn count(&self, len: usize, is_damaged: bool) {
        self.longest.set(self.longest.get().max(len));
        if len >= self.least {
            self.frames.set(self.frames.get() + 1);
            self.damaged.set(self.damaged.get() + u32::from(is_damaged));
        }
    }
}

/// One direction of a line that damages one byte in so many; none with 0. The same bytes each time.
pub(crate) struct Noise<'t, T> {
    inner: T,
    one_in: u32,
    seed: u32,
    tally: &'t Tally,
    /// The bytes since the last flag, and whether one of them was damaged.
    frame: (usize, bool),
}

impl<'t, T> Noise<'t, T> {
    pub(crate) fn new(inner: T, one_in: u32, seed: u32, tally: &'t Tally) -> Self {
        Self {
            inner,
            one_in,
            seed,
            tally,
            frame: (0, false),
        }
    }

    fn damage(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            let was = *byte;
            self.seed = self
                .seed
                .wrapping_mul(1_664_525)
                .wrapping_add(1_013_904_223);
            self.frame.0 += 1;
            if self.one_in > 0 && (self.seed >> 8).is_multiple_of(self.one_in) {
                *byte ^= 0x10;
                self.frame.1 = true;
            }
            if was == FLAG {
                let (len, is_damaged) = core::mem::take(&mut self.frame);
                self.tally.count(len, is_damaged);
            }
        }
    }
}

impl<T: ErrorType> ErrorType for Noise<'_, T> {
    type Error = T::Error;
}

impl<T: Read> Read for Noise<'_, T> {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, T::Error> {
        let count = self.inner.read(buf).await?;
        self.damage(&mut buf[..count]);
        Ok(count)
    }
}

impl<T: Write> Write for Noise<'_, T> {
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
