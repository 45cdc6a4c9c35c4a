//! A driver and a modem side by side, in virtual time.

use std::future::Future;

use embassy_futures::select::{Either3, select3};
use embedded_io_adapters::tokio_1::FromTokio;
use sectag::modem::Full;
use sectag::{Control, NoPins, State};
use sectag_bg96::{Bg96, Config};
use sectag_simulator::time::VirtualClock;
use tokio::io::DuplexStream;

/// What a test's application gets.
pub struct Bench<M: Full + 'static = Bg96> {
    /// Control of the modem.
    pub control: Control<'static, M>,
}

impl<M: Full> Clone for Bench<M> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M: Full> Copy for Bench<M> {}

/// The state that the tests use: two sockets with rings of 1 KiB.
pub type Rings = State<'static, Bg96, 2, 1024, 1024>;

/// Runs a driver, a modem at the other end of its UART, and an application, until the application is
/// done. The modem may end early only by panicking, that is by a failed expectation.
pub fn bench<T, M: Future<Output = ()>, A: Future<Output = T>>(
    modem: impl FnOnce(DuplexStream) -> M,
    application: impl FnOnce(Bench) -> A,
) -> T {
    bench_with(Config::new(), modem, application)
}

/// A driver with this configuration beside a scripted modem while `application` runs.
pub fn bench_with<T, M: Future<Output = ()>, A: Future<Output = T>>(
    config: Config,
    modem: impl FnOnce(DuplexStream) -> M,
    application: impl FnOnce(Bench) -> A,
) -> T {
    let (host, device) = tokio::io::duplex(64 * 1024);
    let (rx, tx) = tokio::io::split(host);
    // Leaked, as a firmware's static is.
    let state: &'static mut Rings = Box::leak(Box::new(State::new()));
    let (control, mut runner) = sectag::new(
        state,
        Bg96::new(config),
        FromTokio::new(rx),
        FromTokio::new(tx),
        NoPins,
    );
    // Script and driver may keep each other busy for ever: that is to be a failure, and soon.
    VirtualClock::new().poll_limit(200_000).run(async {
        let modem = async {
            modem(device).await;
            std::future::pending::<()>().await;
        };
        match select3(modem, runner.run(), application(Bench { control })).await {
            Either3::First(()) => unreachable!("it is pending for ever"),
            Either3::Second(error) => panic!("the runner ended: {error}"),
            Either3::Third(result) => result,
        }
    })
}
