//! Counts what TLS on the MCU takes on the Cortex-M, over PPP. `tests/firmware/ppp` builds it with credentials, and runs it in QEMU
//! before a simulated cellular module, slirp and a TLS server of OpenSSL.
//!
//! For one operation: `tls NAME CYCLES CYCLES SENT RECEIVED`, separated by tabs. The first cycles are those of TLS's own task and
//! of the application, the second those of all tasks, PPP and TCP included; not those of the executor, or of interrupt handlers
//! between polls. Bytes are those of the UART. The last line is `stack BYTES`.
//!
//! The board has no source of noise, so the random numbers here are none. A product needs one.
#![no_std]
#![no_main]

use core::cell::Cell;
use core::future::{Future, pending, poll_fn};
use core::pin::pin;

use critical_section::Mutex;
use embassy_executor::Spawner;
use embassy_net::{Stack, StackResources};
use embassy_time::Timer;
use embedded_io_async::{ErrorType, Read, Write};
use heapless::Vec;
use sectag::clock::DateTime;
use sectag::signer::P256Key;
use sectag::{ServerName, Tag, TlsConfig};
use sectag_firmware::board::uart::{UartRx, UartTx};
use sectag_firmware::board::{Board, exit, print_line, stack, time};
use sectag_firmware::noise::NoNoise;
use sectag_ppp::Login;
use sectag_ppp::dial::{Cellular, Dialogue, cellular};
use sectag_ppp::net::{self, Device};
use sectag_ppp::tls::{self, Buffers, Credentials, Sockets, State, Time, TimeSource};
use static_cell::ConstStaticCell;

const NAME: ServerName<'static> = ServerName::from_static("broker.sectag.test");
const TLS: TlsConfig = TlsConfig::new(Tag(7)).client_certificate();
static CREDENTIALS: [Credentials; 1] = [Credentials {
    tag: Tag(7),
    roots: &[include_bytes!(concat!(
        env!("SECTAG_CREDENTIALS"),
        "/ca.der"
    ))],
    certificate: Some(include_bytes!(concat!(
        env!("SECTAG_CREDENTIALS"),
        "/client.der"
    ))),
}];
static KEY: &[u8] = include_bytes!(concat!(env!("SECTAG_CREDENTIALS"), "/client.key"));
/// The date at which the image was built, in seconds since 1970: the certificates are of that day.
const NOW: &str = env!("SECTAG_NOW");
/// The longest record of a server: any, or 4 KiB where the server keeps to what it is asked for (RFC 6066).
const RECORD: usize = if cfg!(feature = "ppp-small-records") {
    4_352
} else {
    16_640
};

type Runner = tls::Runner<'static, RECORD, 1024, fn() -> Option<Time>, P256Key, NoNoise<24>>;

static LINK: ConstStaticCell<net::State<2, 2>> = ConstStaticCell::new(net::State::new());
static RESOURCES: ConstStaticCell<StackResources<3>> = ConstStaticCell::new(StackResources::new());
static STATE: ConstStaticCell<State<'static, 1024, 1024>> = ConstStaticCell::new(State::new());
static BUFFERS: ConstStaticCell<Buffers<RECORD, 1024>> = ConstStaticCell::new(Buffers::new());
static COUNTED: Mutex<Cell<Counts>> = Mutex::new(Cell::new(Counts {
    own: 0,
    all: 0,
    sent: 0,
    received: 0,
}));

#[embassy_executor::main(
    entry = "cortex_m_rt::entry",
    executor = "sectag_firmware::board::Executor"
)]
async fn main(spawner: Spawner) {
    let Some(board) = Board::take() else {
        exit::failure()
    };
    let (rx, tx) = board.uart.start(115_200);
    let (device, link) = net::new(LINK.take());
    let config = embassy_net::Config::default();
    let (stack, stack_runner) = embassy_net::new(device, config, RESOURCES.take(), 7);
    let Ok(key) = P256Key::parse(KEY) else {
        exit::failure()
    };
    let (sockets, runner) = tls::new(
        STATE.take(),
        BUFFERS.take(),
        stack,
        &CREDENTIALS,
        now as fn() -> Option<Time>,
        key,
        NoNoise::new(1),
    );
    let tasks = (
        stack_task(stack_runner),
        link_task(stack, link, rx, tx),
        tls_task(runner),
    );
    let (Ok(stack_task), Ok(link_task), Ok(tls_task)) = tasks else {
        exit::failure()
    };
    spawner.spawn(stack_task);
    spawner.spawn(link_task);
    spawner.spawn(tls_task);
    stack.wait_config_up().await;
    if all(sockets).await.is_none() {
        exit::failure()
    }
    // All of the room in use means more than that.
    if stack::peak_bytes() >= stack::size_bytes() {
        exit::failure()
    }
    print_line(format_args!("stack\t{}", stack::peak_bytes()));
    exit::success()
}

/// Does everything that is counted; `None` where something went wrong.
async fn all(sockets: Sockets<'static>) -> Option<()> {
    let mut open = None;
    row("connect, mutual TLS", 1, async || {
        open = Some(sockets.connect(NAME, 8883, &TLS).await.ok()?);
        Some(())
    })
    .await?;
    let mut socket = open?;
    row("send of 64 bytes", 10, async || {
        socket.write_all(&[b'm'; 64]).await.ok()?;
        socket.flush().await.ok()
    })
    .await?;
    for (name, many, ask, len) in [
        ("receive of 1500 bytes", 5, b"g", 1_500),
        // More than a record of 4 KiB holds, so that the server has to keep to it.
        ("receive of 10 000 bytes", 2, b"l", 10_000),
    ] {
        row(name, many, async || {
            socket.write_all(ask).await.ok()?;
            socket.flush().await.ok()?;
            let (mut bytes, mut left) = ([0; 512], len);
            while left > 0 {
                let most = left.min(bytes.len());
                match socket.read(&mut bytes[..most]).await {
                    Ok(count @ 1..) => left -= count,
                    _ => return None,
                }
            }
            Some(())
        })
        .await?;
    }
    Some(())
}

#[embassy_executor::task]
async fn stack_task(mut runner: embassy_net::Runner<'static, Device<'static>>) -> ! {
    measured(false, runner.run()).await
}

/// Owns the UART, dials and runs the link. A product dials anew when it has ended.
#[embassy_executor::task]
async fn link_task(
    stack: Stack<'static>,
    mut runner: net::Runner<'static>,
    rx: UartRx,
    tx: UartTx,
) {
    let (mut rx, mut tx) = (Counted(rx), Counted(tx));
    let linked = async {
        let mut line = Dialogue::new(&mut rx, &mut tx);
        if cellular(&mut line, &mut Cellular::new()).await.is_err() {
            return;
        }
        let Ok(behind) = Vec::<u8, 256>::from_slice(line.behind()) else {
            return;
        };
        let _ = runner
            .run(&mut rx, &mut tx, &behind, Login::NONE, stack, pending())
            .await;
    };
    measured(false, linked).await;
    exit::failure()
}

#[embassy_executor::task]
async fn tls_task(mut runner: Runner) -> ! {
    measured(true, runner.run()).await
}

#[derive(Clone, Copy)]
struct Counts {
    /// Cycles of TLS and the application.
    own: u64,
    /// Cycles of all tasks.
    all: u64,
    /// Bytes on the UART.
    sent: u64,
    received: u64,
}

fn count(change: impl FnOnce(&mut Counts)) {
    critical_section::with(|cs| {
        let cell = COUNTED.borrow(cs);
        let mut counts = cell.get();
        change(&mut counts);
        cell.set(counts);
    });
}

fn counts() -> Counts {
    critical_section::with(|cs| COUNTED.borrow(cs).get())
}

/// Does it `many` times and prints what one of them took, with all that follows from it within a while.
async fn row(name: &str, many: u64, mut operation: impl AsyncFnMut() -> Option<()>) -> Option<()> {
    let before = counts();
    for _ in 0..many {
        measured(true, operation()).await?;
        Timer::after_millis(300).await;
    }
    let after = counts();
    print_line(format_args!(
        "tls\t{name}\t{}\t{}\t{}\t{}",
        (after.own - before.own) / many,
        (after.all - before.all) / many,
        (after.sent - before.sent) / many,
        (after.received - before.received) / many,
    ));
    Some(())
}

/// Counts a future's polls, as TLS's own or not.
async fn measured<F: Future>(own: bool, future: F) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|context| {
        let start = time::cycles();
        let result = future.as_mut().poll(context);
        let took = time::cycles() - start;
        count(|counts| {
            counts.all += took;
            if own {
                counts.own += took;
            }
        });
        result
    })
    .await
}

/// A half of the UART whose bytes are counted.
struct Counted<T>(T);

impl<T: ErrorType> ErrorType for Counted<T> {
    type Error = T::Error;
}

impl<T: Read> Read for Counted<T> {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, T::Error> {
        let read = self.0.read(buf).await?;
        count(|counts| counts.received += read as u64);
        Ok(read)
    }
}

impl<T: Write> Write for Counted<T> {
    async fn write(&mut self, buf: &[u8]) -> Result<usize, T::Error> {
        let written = self.0.write(buf).await?;
        count(|counts| counts.sent += written as u64);
        Ok(written)
    }

    async fn flush(&mut self) -> Result<(), T::Error> {
        self.0.flush().await
    }
}

fn now() -> Option<Time> {
    Some(Time {
        now: DateTime::from_unix(NOW.parse().ok()?)?,
        source: TimeSource::Host,
    })
}
