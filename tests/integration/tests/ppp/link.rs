//! A link to slirp, with the stack above it.

use std::time::{SystemTime, UNIX_EPOCH};

use embassy_futures::select::{Either, Either3, select, select3};
use embassy_net::tcp::TcpSocket;
use embassy_net::{Ipv4Address, Stack, StackResources};
use embassy_time::{Duration, with_timeout};
use embedded_io_adapters::tokio_1::FromTokio;
use embedded_io_async::{Read, Write};
use sectag::clock::DateTime;
use sectag_host_clock::{HostClock, with_own_waker};
use sectag_ppp::net::{self, RunError};
use sectag_ppp::{Ended, Login};
use sectag_simulator::Slirp;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::module::{Noise, Tally};

/// Drives a future where tokio's reactor is, on this thread. slirp is looked for first, since a link without a far end would only be silent.
///
/// The clock runs half as fast as the computer's, so that a handshake that waits for the processor has twice as long; slirp and the
/// servers keep the computer's time.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    assert!(HostClock::slow_down(2), "the clock is in use");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        drop(Slirp::start().unwrap_or_else(|error| panic!("{error}")));
        future.await
    })
}

/// This computer's time.
pub(crate) fn host_time() -> DateTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    DateTime::from_unix(since.as_secs()).unwrap()
}

/// Runs `test` above a link to slirp; the link is closed when it is done, and why it ended is returned.
fn with_link(test: impl AsyncFnOnce(Stack<'_>)) -> RunError {
    with_noisy_link(0, &Tally::default(), test)
}

/// Runs `test` above a link on which one byte in so many is damaged; `tally` counts the frames that come.
fn with_noisy_link(one_in: u32, tally: &Tally, test: impl AsyncFnOnce(Stack<'_>)) -> RunError {
    block_on(async {
        let mut slirp = Slirp::start().unwrap_or_else(|error| panic!("{error}"));
        let (rx, tx) = tokio::io::split(slirp.port());
        let sent = Tally::default();
        let (rx, tx) = (
            Noise::new(FromTokio::new(rx), one_in, 1, tally),
            Noise::new(FromTokio::new(tx), one_in, 2, &sent),
        );
        let mut state = net::State::<4, 4>::new();
        let (device, mut runner) = net::new(&mut state);
        let mut resources = StackResources::<6>::new();
        let config = embassy_net::Config::default();
        let (stack, mut stack_runner) = embassy_net::new(device, config, &mut resources, 7);
        let done = async {
            let tested = with_timeout(Duration::from_secs(60), test(stack)).await;
            tested.expect("the test took more than a minute");
        };
        let link = runner.run(rx, tx, b"", Login::NONE, stack, with_own_waker(done));
        match select(link, stack_runner.run()).await {
            Either::First(ended) => ended,
            Either::Second(never) => never,
        }
    })
}

#[test]
fn bytes_go_both_ways_over_slirp_and_the_link_ends_in_good_order() {
    let ended = with_link(async |stack| {
        stack.wait_config_up().await;
        let config = stack.config_v4().unwrap();
        assert_eq!(config.address.address(), Ipv4Address::new(10, 0, 2, 15));
        echoed(stack, payload(20_000)).await;
    });
    assert_eq!(ended, RunError::Ended(Ended::Closed));
}

/// Sends all of it to a peer that sends it back.
async fn echoed(stack: Stack<'_>, sent: Vec<u8>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let echo = async {
        let (mut peer, _) = listener.accept().await.unwrap();
        let mut bytes = vec![0; 4096];
        loop {
            let count = peer.read(&mut bytes).await.unwrap();
            if count == 0 {
                return core::future::pending::<()>().await;
            }
            peer.write_all(&bytes[..count]).await.unwrap();
        }
    };
    let (mut buf_in, mut buf_out) = ([0; 4096], [0; 4096]);
    let mut socket = TcpSocket::new(stack, &mut buf_in, &mut buf_out);
    let peer = Ipv4Address::new(10, 0, 2, 2);
    let client = async {
        socket.connect((peer, port)).await.unwrap();
        let (mut rx, mut tx) = socket.split();
        let mut back = vec![0; sent.len()];
        let both = select3(
            async {
                tx.write_all(&sent).await.unwrap();
                tx.flush().await.unwrap();
                core::future::pending::<()>().await
            },
            async { rx.read_exact(&mut back).await.unwrap() },
            core::future::pending::<()>(),
        );
        assert!(matches!(both.await, Either3::Second(())));
        assert_eq!(back, sent);
    };
    select(echo, client).await;
}

/// slirp's packets have 552 bytes at most, whatever its option `mtu` says, so that a tenth of the full ones is damaged; TCP sends
/// them again. Packets of 1500 bytes are in `ppp_virtual/damage.rs`, whose far end is our own.
#[test]
fn on_a_line_that_damages_one_byte_in_5000_every_byte_arrives() {
    let tally = Tally::default();
    with_noisy_link(5000, &tally, async |stack| {
        stack.wait_config_up().await;
        echoed(stack, payload(30_000)).await;
    });
    let longest = tally.longest.get();
    assert!((552..600).contains(&longest), "{longest}");
}

#[test]
fn a_link_that_is_dropped_leaves_the_stack_without_an_address() {
    block_on(async {
        let mut slirp = Slirp::start().unwrap_or_else(|error| panic!("{error}"));
        let (rx, tx) = tokio::io::split(slirp.port());
        let (rx, tx) = (FromTokio::new(rx), FromTokio::new(tx));
        let mut state = net::State::<4, 4>::new();
        let (device, mut runner) = net::new(&mut state);
        let mut resources = StackResources::<6>::new();
        let config = embassy_net::Config::default();
        let (stack, mut stack_runner) = embassy_net::new(device, config, &mut resources, 7);
        let mut stack_runs = core::pin::pin!(stack_runner.run());
        let until = core::future::pending();
        let link = runner.run(rx, tx, b"", Login::NONE, stack, until);
        let up = with_own_waker(stack.wait_config_up());
        // The link is dropped with its address.
        match select3(link, stack_runs.as_mut(), up).await {
            Either3::First(ended) => panic!("{ended}"),
            Either3::Second(never) => never,
            Either3::Third(()) => {}
        }
        assert_eq!(stack.config_v4(), None);
        let down = with_timeout(
            Duration::from_secs(10),
            with_own_waker(stack.wait_link_down()),
        );
        let Either::Second(down) = select(stack_runs, down).await;
        assert!(down.is_ok(), "the stack believes that the link is up");
    });
}

/// Bytes with every value in them.
fn payload(len: usize) -> Vec<u8> {
    let mut seed = 7_u32;
    let next = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 24) as u8
    };
    core::iter::repeat_with(next).take(len).collect()
}
