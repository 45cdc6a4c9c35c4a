//! A link to slirp, with the stack above it.

use std::time::{SystemTime, UNIX_EPOCH};

use embassy_futures::select::{Either, Either3, select, select3};
use embassy_net::tcp::TcpSocket;
use embassy_net::{Ipv4Address, Stack, StackResources};
use embassy_time::{Duration, with_timeout};
use embedded_io_adapters::tokio_1::FromTokio;
use embedded_io_async::{ErrorType, Read, Write};
use sectag::clock::DateTime;
use sectag_host_clock::apart;
use sectag_ppp::net::{self, RunError};
use sectag_ppp::{Ended, Login};
use sectag_simulator::Slirp;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Damages one byte in so many, both ways; none with 0. The same bytes each time.
struct Noise<T> {
    inner: T,
    one_in: u32,
    seed: u32,
}

impl<T> Noise<T> {
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

/// Runs a future where tokio's reactor is, on this thread.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(future)
}

/// This computer's time.
pub(crate) fn host_time() -> DateTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    DateTime::from_unix(since.as_secs()).unwrap()
}

/// Runs `test` above a link to slirp; the link is closed when it is done, and why it ended is returned.
pub(crate) fn with_link(test: impl AsyncFnOnce(Stack<'_>)) -> RunError {
    with_noisy_link(0, test)
}

/// Likewise, with one byte in so many damaged.
pub(crate) fn with_noisy_link(one_in: u32, test: impl AsyncFnOnce(Stack<'_>)) -> RunError {
    block_on(async {
        let mut slirp = Slirp::start().unwrap_or_else(|error| panic!("{error}"));
        let (rx, tx) = tokio::io::split(slirp.port());
        let mut state = net::State::<4, 4>::new();
        let (device, mut runner) = net::new(&mut state);
        let mut resources = StackResources::<6>::new();
        let config = embassy_net::Config::default();
        let (stack, mut stack_runner) = embassy_net::new(device, config, &mut resources, 7);
        let done = async {
            let tested = with_timeout(Duration::from_secs(60), test(stack)).await;
            tested.expect("the test took more than a minute");
        };
        let rx = Noise {
            inner: FromTokio::new(rx),
            one_in,
            seed: 1,
        };
        let tx = Noise {
            inner: FromTokio::new(tx),
            one_in,
            seed: 2,
        };
        let link = runner.run(rx, tx, b"", Login::NONE, stack, apart(done));
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
        let (peer, sent) = (Ipv4Address::new(10, 0, 2, 2), payload(20_000));
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
    });
    assert_eq!(ended, RunError::Ended(Ended::Closed));
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
