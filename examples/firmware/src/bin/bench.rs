//! Counts instructions of the driver on the Cortex-M; `tests/bench` runs it and says under which options
//! of QEMU. The modem is in here as well, so that nothing from outside decides when a byte comes: every run
//! counts the same.
//!
//! A line each: `qemu NAME CYCLES`, for one operation. Counted are the driver's task and the operation's
//! own polls, not the modem, the executor, or interrupt handlers between polls.
#![no_std]
#![no_main]

#[cfg(feature = "defmt")]
use defmt_semihosting as _;

use core::cell::Cell;
use core::future::{Future, poll_fn};
use core::pin::pin;

use critical_section::Mutex;
use embassy_executor::Spawner;
use embassy_time::Timer;
use embedded_io_async::{Read, Write};
use modem::{Line, Modem, Pace, Rx, Tx};
use sectag::{CaScope, NoPins, Runner, ServerName, State, Tag, TlsConfig};
use sectag_bg96::{Bg96, Config};
use sectag_firmware::board::{Board, exit, print_line, time};
use static_cell::{ConstStaticCell, StaticCell};

/// The modem of the benchmarks on the host.
#[allow(dead_code, unreachable_pub)] // It is a library there.
#[path = "../../../../tests/benchmarks/src/modem.rs"]
mod modem;

const NAME: ServerName<'static> = match ServerName::new("broker.sectag.test") {
    Ok(name) => name,
    Err(_) => panic!("not a host name"),
};
const TLS: TlsConfig = TlsConfig::new(Tag(7))
    .client_certificate()
    .ca_scope(CaScope::Private);
const MANY: usize = 10;

static STATE: ConstStaticCell<State<'static, Bg96, 1, 2048, 1024>> =
    ConstStaticCell::new(State::new());
static LINE: StaticCell<Line> = StaticCell::new();
static MODEM: StaticCell<Modem<'static>> = StaticCell::new();
static BUSY: Mutex<Cell<u64>> = Mutex::new(Cell::new(0));

#[embassy_executor::main(
    entry = "cortex_m_rt::entry",
    executor = "sectag_firmware::board::Executor"
)]
async fn main(spawner: Spawner) {
    if Board::take().is_none() {
        exit::failure()
    }
    let line: &'static Line = LINE.init(Line::new(64, Pace::Slow));
    let modem: &'static Modem<'static> = MODEM.init(Modem::new(line));
    let (control, runner) = sectag::new(
        STATE.take(),
        Bg96::new(Config::new()),
        Rx(line),
        Tx(line),
        NoPins,
    );
    let (Ok(modem_task), Ok(driver_task)) = (modem_task(modem), driver_task(runner)) else {
        exit::failure()
    };
    spawner.spawn(modem_task);
    spawner.spawn(driver_task);

    let up = row("bring-up", 1, async || control.wait_up().await.is_ok()).await;
    let mut socket = None;
    let open = row("connect, mutual TLS", 1, async || {
        socket = control.connect(NAME, 8883, &TLS).await.ok();
        socket.is_some()
    });
    let open = open.await;
    let Some(mut socket) = socket.filter(|_| up && open) else {
        exit::failure()
    };
    let sent = row("send of 64 bytes", MANY, async || {
        socket.write_all(&[b'm'; 64]).await.is_ok() && socket.flush().await.is_ok()
    });
    let sent = sent.await;
    let received = row("receive of 1500 bytes in chunks of 64", MANY, async || {
        modem.offer(1500, 1);
        let mut bytes = [0; 1500];
        let whole = socket.read_exact(&mut bytes).await.is_ok();
        modem.was_read(bytes.len());
        whole
    });
    let received = received.await;
    // What is logged of a refusal: the causes, each with its hint.
    #[cfg(feature = "defmt")]
    defmt::info!("{}", sectag_bg96::refusal(566));
    if sent && received {
        exit::success()
    }
    exit::failure()
}

#[embassy_executor::task]
async fn modem_task(modem: &'static Modem<'static>) {
    modem.run().await;
}

#[embassy_executor::task]
async fn driver_task(mut runner: Runner<'static, Bg96, Rx, Tx, NoPins>) {
    measured(runner.run()).await;
    exit::failure();
}

/// Does it `many` times and prints what one of them took, with all that follows from it.
async fn row(name: &str, many: usize, mut operation: impl AsyncFnMut() -> bool) -> bool {
    let before = busy();
    let mut all = true;
    for _ in 0..many {
        all &= measured(operation()).await;
        Timer::after_millis(100).await;
    }
    let cycles = (busy() - before) / many as u64;
    // Frames of defmt have the console to themselves.
    if !cfg!(feature = "defmt") {
        print_line(format_args!("qemu\t{name}\t{cycles}"));
    }
    all
}

async fn measured<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|context| {
        let start = time::cycles();
        let result = future.as_mut().poll(context);
        let took = time::cycles() - start;
        critical_section::with(|cs| BUSY.borrow(cs).set(BUSY.borrow(cs).get() + took));
        result
    })
    .await
}

fn busy() -> u64 {
    critical_section::with(|cs| BUSY.borrow(cs).get())
}
