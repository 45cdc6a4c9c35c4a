//! TLS on the MCU over PPP, by name, as an application sees it.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::pin::pin;
use std::rc::Rc;

use embassy_futures::poll_once;
use embassy_futures::select::{Either, select};
use embedded_io_async::{Read, Write};
use rand_core::OsRng;
use rcgen::KeyPair;
use sectag::clock::DateTime;
use sectag::{
    Cause, ConnectError, SecureConnect, SecureSocket, ServerName, SocketError, Support, Tag,
    TlsConfig,
};
use sectag_host_clock::with_own_waker;
use sectag_ppp::dial::{Cellular, Dialogue, cellular};
use sectag_ppp::net::RunError;
use sectag_ppp::tls::{self, Buffers, Clock, Credentials, NoKey, Sockets, State, Time, TimeSource};
use sectag_ppp::{Ended, Login};
use sectag_simulator::{LocalBoxFuture, Network, PppFarEnd, Simulator, Stream, UbloxOptions};

use crate::link::block_on;
use crate::module::{Rx, Tx, above_noise};
use crate::server::{NAME, Server};

pub(crate) const TLS: TlsConfig = TlsConfig::new(Tag(7));

pub(crate) fn now() -> Option<Time> {
    Some(Time {
        now: DateTime::new(2026, 12, 1, 0, 0, 0)?,
        source: TimeSource::Host,
    })
}

/// Echoes; ends in good order, or without a word of TLS, when it is told to.
fn server() -> Server {
    Server::start(KeyPair::generate().unwrap(), |tls| {
        let mut bytes = [0; 4096];
        while let Ok(count @ 1..) = tls.read(&mut bytes) {
            if bytes[..count].ends_with(b"break\n") {
                return;
            }
            let _ = tls.write_all(&bytes[..count]);
            if bytes[..count].ends_with(b"end\n") {
                tls.conn.send_close_notify();
                let _ = tls.flush();
                return;
            }
        }
    })
}

/// Runs `test` with sockets over the link of a simulated module, whose far end is slirp.
pub(crate) fn with_sockets(
    roots: &[&'static [u8]],
    clock: impl Clock,
    test: impl AsyncFnOnce(Sockets<'_>),
) {
    with_noisy_sockets(0, roots, clock, test);
}

/// Runs `test` with sockets over a link on which one byte in so many is damaged.
pub(crate) fn with_noisy_sockets(
    one_in: u32,
    roots: &[&'static [u8]],
    clock: impl Clock,
    test: impl AsyncFnOnce(Sockets<'_>),
) {
    with_buffer_of::<16_640>(one_in, roots, clock, test);
}

/// Runs `test` with sockets that have room for a record of so many bytes, over a link on which one byte in so many is damaged.
fn with_buffer_of<const RECORD: usize>(
    one_in: u32,
    roots: &[&'static [u8]],
    clock: impl Clock,
    test: impl AsyncFnOnce(Sockets<'_>),
) {
    with_runner::<RECORD, _>(one_in, roots, clock, async |sockets, runner| match select(
        with_own_waker(runner.run()),
        test(sockets),
    )
    .await
    {
        Either::First(never) => never,
        Either::Second(()) => {}
    });
}

/// Runs `test` with sockets and the runner that `test` is to run.
fn with_runner<const RECORD: usize, C: Clock>(
    one_in: u32,
    roots: &[&'static [u8]],
    clock: C,
    test: impl AsyncFnOnce(Sockets<'_>, &mut tls::Runner<'_, RECORD, 2048, C, NoKey, OsRng>),
) {
    let options = UbloxOptions {
        ppp: PppFarEnd::Slirp,
        ..UbloxOptions::default()
    };
    let dial =
        async |line: &mut Dialogue<Rx<'_>, Tx<'_>>| cellular(line, &mut Cellular::new()).await;
    let ended = block_on(async {
        let modem = Simulator::ublox(options, Rc::new(Everything));
        above_noise(&modem, one_in, Login::NONE, dial, async |stack| {
            stack.wait_config_up().await;
            let roots: &'static [&'static [u8]] = roots.to_vec().leak();
            let credentials = [Credentials {
                tag: Tag(7),
                roots,
                certificate: None,
            }];
            let mut state = State::<512, 512>::new();
            let mut buffers = Box::new(Buffers::<RECORD, 2048>::new());
            let (sockets, mut runner) = tls::new(
                &mut state,
                &mut buffers,
                stack,
                &credentials,
                clock,
                NoKey,
                OsRng,
            );
            test(sockets, &mut runner).await;
        })
        .await
    });
    // The end may be damaged too.
    assert!(one_in > 0 || ended == Ok(RunError::Ended(Ended::Closed)));
}

/// A network in which every name that ends in `.test` is this computer.
struct Everything;

impl Network for Everything {
    fn resolves(&self, host: &str) -> bool {
        host.ends_with(".test")
    }

    fn address(&self, host: &str, port: u16) -> Option<SocketAddr> {
        self.resolves(host).then(|| ([127, 0, 0, 1], port).into())
    }

    /// The module's own TLS is not used.
    fn connect<'a>(
        &'a self,
        _: &'a str,
        _: u16,
    ) -> LocalBoxFuture<'a, std::io::Result<Box<dyn Stream>>> {
        Box::pin(async { Err(std::io::ErrorKind::Unsupported.into()) })
    }
}

async fn echo<S: SecureSocket<Error = SocketError>>(socket: &mut S, text: &[u8]) {
    socket.write_all(text).await.unwrap();
    socket.flush().await.unwrap();
    let mut back = vec![0; text.len()];
    let mut at = 0;
    while at < back.len() {
        let count = socket.read(&mut back[at..]).await.unwrap();
        assert!(count > 0, "the connection ended early");
        at += count;
    }
    assert_eq!(back, text);
}

#[test]
fn a_connection_by_name_is_verified_and_carries_bytes() {
    let server = server();
    let port = server.address.port();
    with_sockets(&[server.root], now, async |sockets| {
        let mut socket = sockets.connect(NAME, port, &TLS).await.unwrap();
        let verified = socket.verified();
        let all = [verified.chain, verified.name, verified.dates, verified.sni];
        assert_eq!(all, [Support::Yes; 4]);
        assert_eq!(verified.client_certificate, Support::No);
        assert_eq!(verified.time, Some(TimeSource::Host));
        echo(&mut socket, b"hello\n").await;
        echo(&mut socket, &[0x7E; 6000]).await;
        // A second one has to wait for the first to be gone.
        let second = sockets.connect(NAME, port, &TLS).await;
        assert_eq!(second.err(), Some(ConnectError::TooManySockets));
        socket.close().await.unwrap();

        // The server's end is an end, and a break is a break.
        let mut socket = sockets.connect(NAME, port, &TLS).await.unwrap();
        echo(&mut socket, b"end\n").await;
        assert_eq!(socket.read(&mut [0; 8]).await, Ok(0));
        drop(socket);
        let mut socket = sockets.connect(NAME, port, &TLS).await.unwrap();
        socket.write_all(b"break\n").await.unwrap();
        let broken = socket.read(&mut [0; 8]).await;
        assert_eq!(broken, Err(SocketError::ConnectionReset));
        drop(socket);

        // Halves, and a connect that is dropped half way.
        let dropped = select(sockets.connect(NAME, port, &TLS), core::future::ready(())).await;
        assert!(matches!(dropped, Either::Second(())));
        let mut socket = SecureConnect::connect(&sockets, NAME, port, &TLS)
            .await
            .unwrap();
        let (mut rx, mut tx) = socket.split();
        tx.write_all(b"halves\n").await.unwrap();
        let mut back = [0; 7];
        rx.read_exact(&mut back).await.unwrap();
        assert_eq!(&back, b"halves\n");
    });
}

#[test]
fn what_stands_in_the_way_is_named() {
    let (server, other) = (server(), server());
    let port = server.address.port();
    let first = |outcome: Result<_, ConnectError>| outcome.err().map(|error| error.causes().next());
    with_sockets(&[other.root], now, async |sockets| {
        let wrong = sockets.connect(NAME, port, &TLS).await.map(drop);
        assert_eq!(first(wrong), Some(Some(Cause::CaMismatch)));
        let unknown = ServerName::new("broker.sectag.example").unwrap();
        let unknown = sockets.connect(unknown, port, &TLS).await.map(drop);
        assert_eq!(first(unknown), Some(Some(Cause::NameUnknown)));
        let closed = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let nobody = sockets.connect(NAME, closed.port(), &TLS).await.map(drop);
        assert_eq!(first(nobody), Some(Some(Cause::Unreachable)));
        let nothing = sockets.connect(NAME, port, &TlsConfig::new(Tag(8))).await;
        assert!(matches!(nothing, Err(ConnectError::CredentialMissing(_))));
        let resumed = TLS.session_resumption();
        assert!(matches!(
            sockets.connect(NAME, port, &resumed).await,
            Err(ConnectError::Lacks(_))
        ));
    });
    with_sockets(
        &[server.root],
        || None,
        async |sockets| {
            let unset = sockets.connect(NAME, port, &TLS).await.map(drop);
            assert!(matches!(unset, Err(ConnectError::ClockNotSet { .. })));
        },
    );
}

#[test]
fn a_record_larger_than_the_buffer_is_named_also_on_a_connection_that_stands() {
    let server = server();
    let port = server.address.port();
    with_buffer_of::<2_432>(0, &[server.root], now, async |sockets| {
        let mut socket = sockets.connect(NAME, port, &TLS).await.unwrap();
        echo(&mut socket, b"short\n").await;
        // It comes back in records of what the server has read at once, which soon is more than 2 KiB.
        let (mut rx, mut tx) = socket.split();
        let writing = async {
            loop {
                if tx.write_all(&[7; 512]).await.is_err() {
                    core::future::pending::<()>().await;
                }
            }
        };
        let reading = async {
            let mut bytes = [0; 512];
            loop {
                if let Err(error) = rx.read(&mut bytes).await {
                    return error;
                }
            }
        };
        match select(writing, reading).await {
            Either::First(()) => panic!("it writes for ever"),
            Either::Second(error) => assert_eq!(error, SocketError::RecordTooLarge),
        }
    });
}

/// Dropped, the runner ends what waits for it, and goes on with the next connection when it runs again.
#[test]
fn a_runner_that_is_dropped_goes_on_when_it_runs_again() {
    let server = server();
    let port = server.address.port();
    with_runner::<16_640, _>(0, &[server.root], now, async |sockets, runner| {
        let mut waiting = pin!(sockets.connect(NAME, port, &TLS));
        assert!(poll_once(waiting.as_mut()).is_pending());
        // It takes the request, and is dropped before anything can have been answered.
        assert!(poll_once(pin!(runner.run())).is_pending());
        let ended = waiting.await.err().expect("nobody connects");
        assert!(matches!(ended, ConnectError::Refused(_)), "{ended}");

        let connect = sockets.connect(NAME, port, &TLS);
        let mut socket = match select(with_own_waker(runner.run()), connect).await {
            Either::First(never) => never,
            Either::Second(connected) => connected.unwrap(),
        };
        let read = socket.read(&mut [0; 8]).await;
        assert_eq!(read, Err(SocketError::ConnectionReset));
        drop(socket);

        let again = async {
            let mut socket = sockets.connect(NAME, port, &TLS).await.unwrap();
            socket.write_all(b"line\n").await.unwrap();
            socket.flush().await.unwrap();
            let mut line = [0; 5];
            socket.read_exact(&mut line).await.unwrap();
            assert_eq!(&line, b"line\n");
            socket.close().await.unwrap();
        };
        match select(with_own_waker(runner.run()), again).await {
            Either::First(never) => never,
            Either::Second(()) => {}
        }
    });
}
