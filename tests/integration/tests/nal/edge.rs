//! What edge-nal asks of a socket beyond reading and writing.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::task::Poll;

use edge_nal::{Close, Readable, TcpConnect, TcpShutdown, TcpSplit};
use embassy_futures::join::join;
use embassy_futures::poll_once;
use embassy_time::{Duration, Timer, with_timeout};
use embedded_io_async::{Error, ErrorKind, Read, Write};
use sectag::Control;
use sectag::nal::{Connector, ConnectorError};
use sectag_bg96::Bg96;
use sectag_integration_tests::simulated::{HOST, PORT, TLS, World, provision, virtually};
use sectag_simulator::Options;
use sectag_test_support::tls_server::echo;
use tokio::io::AsyncWriteExt;

type Network = Connector<'static, Control<'static, Bg96>>;

const ANY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), PORT);

fn with_echo(test: impl AsyncFnOnce(&World, &Network)) {
    virtually(async || {
        let world = World::new(Options::default());
        world.serve(echo);
        world
            .attach(async |bench| {
                provision(bench).await;
                test(&world, &Connector::to(bench.control, TLS, HOST)).await;
            })
            .await;
    });
}

#[test]
fn readable_waits_for_a_byte() {
    with_echo(async |_, network| {
        let mut socket = network.connect(ANY).await.unwrap();
        let idle = with_timeout(Duration::from_secs(300), socket.readable()).await;
        assert!(idle.is_err(), "nothing was sent");
        socket.write_all(b"ping").await.unwrap();
        socket.flush().await.unwrap();
        socket.readable().await.unwrap();
        let mut buf = [0; 8];
        // At once, without a wait.
        let read = poll_once(pin!(socket.read(&mut buf)));
        assert!(matches!(read, Poll::Ready(Ok(1..=4))), "{read:?}");
    });
}

#[test]
fn readable_returns_at_the_end_and_at_an_error() {
    virtually(async || {
        let world = World::new(Options::default());
        world.serve(async |mut client| client.shutdown().await);
        world
            .attach(async |bench| {
                provision(bench).await;
                let network = Connector::to(bench.control, TLS, HOST);
                let mut ended: sectag::nal::Connection<'_, _> =
                    TcpConnect::connect(&network, ANY).await.unwrap();
                ended.readable().await.unwrap();
                assert_eq!(ended.read(&mut [0; 8]).await.unwrap(), 0);
            })
            .await;
    });
    with_echo(async |world, network| {
        let mut reset = network.connect(ANY).await.unwrap();
        world.modem.reset();
        reset.readable().await.unwrap();
        let error = reset.read(&mut [0; 8]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    });
}

#[test]
fn halves_work_side_by_side() {
    with_echo(async |_, network| {
        let mut socket = network.connect(ANY).await.unwrap();
        let sent: Vec<u8> = (0..20_000).map(|at| (at % 251) as u8).collect();
        let mut received = vec![0; sent.len()];
        {
            let (mut reader, mut writer) = socket.split();
            let write = async {
                writer.write_all(&sent).await.unwrap();
                writer.flush().await.unwrap();
            };
            let read = async {
                reader.readable().await.unwrap();
                reader.read_exact(&mut received).await.unwrap();
            };
            join(write, read).await;
        }
        assert!(received == sent);
        socket.close(Close::Both).await.unwrap();
    });
}

#[test]
fn close_sends_what_was_written_and_waits_for_the_modem() {
    with_echo(async |world, network| {
        let mut socket = network.connect(ANY).await.unwrap();
        socket.write_all(b"last words").await.unwrap();
        socket.close(Close::Both).await.unwrap();
        assert_eq!(world.count("AT+QSSLSEND"), 1);
        assert!(world.modem.open_sockets().is_empty());
        let mut buf = [0; 16];
        // What had come before may still be there; then it is the end, and nothing waits.
        while socket.read(&mut buf).await.unwrap() > 0 {}
        let error = socket.write(b"more").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        socket.flush().await.unwrap();
        socket.close(Close::Both).await.unwrap();
        socket.abort().await.unwrap();
        drop(socket);
        // Its place is free again: there are two.
        let _a = network.connect(ANY).await.unwrap();
        let _b = network.connect(ANY).await.unwrap();
    });
}

#[test]
fn one_direction_cannot_be_closed() {
    with_echo(async |_, network| {
        let mut socket = network.connect(ANY).await.unwrap();
        let refused = socket.close(Close::Write).await;
        assert_eq!(refused, Err(ConnectorError::HalfClose));
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Unsupported);
        // Nothing was done.
        socket.write_all(b"echo").await.unwrap();
        socket.flush().await.unwrap();
        let mut buf = [0; 4];
        socket.read_exact(&mut buf).await.unwrap();
        assert_eq!(&buf, b"echo");
        // Reading to the end takes until the peer ends, which an idle one does not.
        let waiting = with_timeout(Duration::from_secs(60), socket.close(Close::Read)).await;
        assert!(waiting.is_err());
        socket.write_all(b"echo").await.unwrap();
        socket.flush().await.unwrap();
    });
}

#[test]
fn close_read_discards_until_the_peer_closes() {
    virtually(async || {
        let world = World::new(Options::default());
        world.serve(async |mut client| {
            client.write_all(&[7; 5000]).await?;
            Timer::after_secs(3).await;
            client.shutdown().await
        });
        world
            .attach(async |bench| {
                provision(bench).await;
                let network = Connector::to(bench.control, TLS, HOST);
                let mut socket: sectag::nal::Connection<'_, _> =
                    TcpConnect::connect(&network, ANY).await.unwrap();
                socket.close(Close::Read).await.unwrap();
                assert_eq!(socket.read(&mut [0; 8]).await.unwrap(), 0);
            })
            .await;
    });
}

#[test]
fn abort_does_not_wait_and_sends_nothing_more() {
    with_echo(async |world, network| {
        let mut socket = network.connect(ANY).await.unwrap();
        socket.write_all(b"never sent").await.unwrap();
        assert!(poll_once(pin!(socket.abort())).is_ready());
        assert_eq!(socket.read(&mut [0; 8]).await.unwrap(), 0);
        assert!(socket.write(b"more").await.is_err());
        Timer::after_secs(5).await;
        assert_eq!(world.count("AT+QSSLSEND"), 0);
        assert!(world.modem.open_sockets().is_empty());
    });
}

#[test]
fn a_closed_socket_of_a_modem_that_restarts_is_no_trouble() {
    with_echo(async |world, network| {
        let mut socket = network.connect(ANY).await.unwrap();
        socket.write_all(b"unsent").await.unwrap();
        world.modem.reset();
        Timer::after_secs(3).await;
        let error = socket.close(Close::Both).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        drop(socket);
        network.connect(ANY).await.unwrap();
    });
}
