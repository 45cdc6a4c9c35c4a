//! TLS on the MCU over PPP, by name, as an application sees it.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use embassy_futures::select::{Either, select};
use embassy_net::{ConfigV4, Ipv4Address};
use embedded_io_async::{Read, Write};
use rand_core::OsRng;
use rcgen::KeyPair;
use sectag::clock::DateTime;
use sectag::{
    Cause, ConnectError, SecureConnect, SecureSocket, ServerName, SocketError, Support, Tag,
    TlsConfig,
};
use sectag_ppp::tls::{self, Buffers, Clock, Credentials, NoKey, Sockets, State, Time, TimeSource};

use crate::link::with_noisy_link;
use crate::name_server;
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

/// Runs `test` with sockets over a link to slirp and a name server behind it.
pub(crate) fn with_sockets(
    roots: &[&'static [u8]],
    clock: impl Clock,
    test: impl AsyncFnOnce(Sockets<'_>),
) {
    with_noisy_sockets(0, roots, clock, test);
}

/// Likewise, with one byte in so many damaged on the line.
pub(crate) fn with_noisy_sockets(
    one_in: u32,
    roots: &[&'static [u8]],
    clock: impl Clock,
    test: impl AsyncFnOnce(Sockets<'_>),
) {
    with_noisy_link(one_in, async |stack| {
        stack.wait_config_up().await;
        let ConfigV4::Static(mut config) = stack_config(stack) else {
            panic!("PPP gave no address");
        };
        config.dns_servers.clear();
        let _ = config.dns_servers.push(Ipv4Address::new(10, 0, 2, 2));
        stack.set_config_v4(ConfigV4::Static(config));
        let names = name_server::bind().await;
        let roots: &'static [&'static [u8]] = roots.to_vec().leak();
        let credentials = [Credentials {
            tag: Tag(7),
            roots,
            certificate: None,
        }];
        let mut state = State::<512, 512>::new();
        let mut buffers = Box::new(Buffers::<16_640, 2048>::new());
        let (sockets, mut runner) = tls::new(
            &mut state,
            &mut buffers,
            stack,
            &credentials,
            clock,
            NoKey,
            OsRng,
        );
        let services = select(runner.run(), name_server::serve(names));
        match select(services, test(sockets)).await {
            Either::First(_) => panic!("a service ended"),
            Either::Second(()) => {}
        }
    });
}

fn stack_config(stack: embassy_net::Stack<'_>) -> ConfigV4 {
    stack.config_v4().map_or(ConfigV4::None, ConfigV4::Static)
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
