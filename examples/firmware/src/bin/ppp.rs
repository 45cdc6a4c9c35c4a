//! PPP on the MCU: a link, TCP/IP, and with the feature `tls` TLS with a client certificate. What is built to be measured; it
//! echoes what a server sends.
//!
//! The board has no source of noise, so the random numbers here are none. A product needs one.
#![no_std]
#![no_main]

use embassy_executor::Spawner;
use embassy_net::{Stack, StackResources};
use sectag_firmware::board::uart::{UartRx, UartTx};
use sectag_firmware::board::{Board, exit};
use sectag_ppp::Login;
use sectag_ppp::net::{Device, Runner, State};
use static_cell::StaticCell;

static LINK: StaticCell<State<2, 2>> = StaticCell::new();
static RESOURCES: StaticCell<StackResources<3>> = StaticCell::new();

#[embassy_executor::task]
async fn stack_task(mut runner: embassy_net::Runner<'static, Device<'static>>) -> ! {
    runner.run().await
}

/// Owns the UART. A product dials anew when the link has ended.
#[embassy_executor::task]
async fn link_task(stack: Stack<'static>, mut runner: Runner<'static>, rx: UartRx, tx: UartTx) {
    let never = core::future::pending();
    let _ = runner.run(rx, tx, b"", Login::NONE, stack, never).await;
    exit::failure()
}

#[embassy_executor::main(
    entry = "cortex_m_rt::entry",
    executor = "sectag_firmware::board::Executor"
)]
async fn main(spawner: Spawner) {
    let Some(board) = Board::take() else {
        exit::failure()
    };
    let (rx, tx) = board.uart.start(115_200);
    let (device, link) = sectag_ppp::net::new(LINK.init(State::new()));
    let config = embassy_net::Config::default();
    let resources = RESOURCES.init(StackResources::new());
    let (stack, runner) = embassy_net::new(device, config, resources, 7);
    match (stack_task(runner), link_task(stack, link, rx, tx)) {
        (Ok(stack), Ok(link)) => {
            spawner.spawn(stack);
            spawner.spawn(link);
        }
        _ => exit::failure(),
    }
    carried::run(spawner, stack).await
}

#[cfg(not(feature = "ppp-tls"))]
mod carried {
    use core::net::Ipv4Addr;

    use embassy_executor::Spawner;
    use embassy_net::Stack;
    use embassy_net::tcp::TcpSocket;
    use embedded_io_async::Write;
    use sectag_firmware::board::exit;
    use static_cell::ConstStaticCell;

    static TCP_RX: ConstStaticCell<[u8; 1024]> = ConstStaticCell::new([0; 1024]);
    static TCP_TX: ConstStaticCell<[u8; 1024]> = ConstStaticCell::new([0; 1024]);

    pub(crate) async fn run(_: Spawner, stack: Stack<'static>) {
        stack.wait_config_up().await;
        let mut socket = TcpSocket::new(stack, TCP_RX.take(), TCP_TX.take());
        let server = (Ipv4Addr::new(10, 0, 2, 2), 7);
        if socket.connect(server).await.is_err() {
            exit::failure()
        }
        let mut bytes = [0; 64];
        loop {
            let Ok(count @ 1..) = socket.read(&mut bytes).await else {
                exit::failure()
            };
            if socket.write_all(&bytes[..count]).await.is_err() {
                exit::failure()
            }
        }
    }
}

#[cfg(feature = "ppp-tls")]
mod carried {
    use embassy_executor::Spawner;
    use embassy_net::Stack;
    use embedded_io_async::{Read, Write};
    use sectag::clock::DateTime;
    use sectag::signer::P256Key;
    use sectag::{ServerName, Tag, TlsConfig};
    use sectag_firmware::board::exit;
    use sectag_firmware::noise::NoNoise;
    use sectag_ppp::tls::{self, Buffers, Credentials, Runner, State, Time, TimeSource};
    use static_cell::{ConstStaticCell, StaticCell};

    const NAME: ServerName<'static> = match ServerName::new("broker.sectag.test") {
        Ok(name) => name,
        Err(_) => panic!("not a host name"),
    };
    const TLS: TlsConfig = TlsConfig::new(Tag(7)).client_certificate();
    /// Stand-ins of about the right size; a product has its own.
    static CREDENTIALS: [Credentials; 1] = [Credentials {
        tag: Tag(7),
        roots: &[&[0x30; 512]],
        certificate: Some(&[0x30; 512]),
    }];
    /// The longest record of a server: any, or 4 KiB where the server keeps to what it is asked for (RFC 6066).
    const RECORD: usize = if cfg!(feature = "ppp-small-records") {
        4_352
    } else {
        16_640
    };
    static STATE: StaticCell<State<'static, 1024, 1024>> = StaticCell::new();
    static BUFFERS: ConstStaticCell<Buffers<RECORD, 1024>> = ConstStaticCell::new(Buffers::new());

    fn now() -> Option<Time> {
        Some(Time {
            now: DateTime::new(2026, 12, 1, 0, 0, 0)?,
            source: TimeSource::Host,
        })
    }

    type TlsRunner = Runner<'static, RECORD, 1024, fn() -> Option<Time>, P256Key, NoNoise<0>>;

    #[embassy_executor::task]
    async fn tls_task(mut runner: TlsRunner) -> ! {
        runner.run().await
    }

    pub(crate) async fn run(spawner: Spawner, stack: Stack<'static>) {
        let Ok(key) = P256Key::from_scalar(&[7; 32]) else {
            exit::failure()
        };
        let clock: fn() -> Option<Time> = now;
        let (sockets, runner) = tls::new(
            STATE.init(State::new()),
            BUFFERS.take(),
            stack,
            &CREDENTIALS,
            clock,
            key,
            NoNoise::new(1),
        );
        match tls_task(runner) {
            Ok(task) => spawner.spawn(task),
            Err(_) => exit::failure(),
        }
        let Ok(mut socket) = sockets.connect(NAME, 8883, &TLS).await else {
            exit::failure()
        };
        let mut bytes = [0; 64];
        loop {
            let Ok(count @ 1..) = socket.read(&mut bytes).await else {
                exit::failure()
            };
            if socket.write_all(&bytes[..count]).await.is_err() || socket.flush().await.is_err() {
                exit::failure()
            }
        }
    }
}
