//! A module that is dialled, and the stack above the link: what firmware has, with the module simulated.

use std::convert::Infallible;

use embassy_futures::select::{Either, Either3, select, select3};
use embassy_net::{Stack, StackResources};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::signal::Signal;
use embedded_io_adapters::tokio_1::FromTokio;
use sectag::BringUpError;
use sectag_host_clock::apart;
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
        let link = runner.run(&mut rx, &mut tx, &behind, login, stack, done.wait());
        match select3(link, stack_runner.run(), apart(application)).await {
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
