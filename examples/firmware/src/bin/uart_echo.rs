//! Proves the board: sends back what UART1 receives until an end-of-transmission byte, while
//! timers are checked against the clock. Ends with status 0 if all of that worked.
//! `tests/firmware/platform-check` is the other side.
#![no_std]
#![no_main]

use core::cell::Cell;

use embassy_executor::Spawner;
use embassy_futures::select::{Either, select};
use embassy_time::{Duration, Instant, Timer};
use embedded_io_async::{Read, Write};
use sectag_firmware::board::uart::{UartRx, UartTx};
use sectag_firmware::board::{Board, RingOf, exit, stack, time, uart};
use sectag_firmware::println;

// Bytes with a meaning, ASCII's EOT, CAN and SUB. What is to be echoed must not contain them.
const END: u8 = 0x04;
const PANIC: u8 = 0x18;
const FAULT: u8 = 0x1A;

static RX: RingOf<2048> = RingOf::new();
static TX: RingOf<256> = RingOf::new();

#[embassy_executor::main(
    entry = "cortex_m_rt::entry",
    executor = "sectag_firmware::board::Executor"
)]
async fn main(_spawner: Spawner) {
    let Some(board) = Board::take() else {
        exit::failure()
    };
    let (rx, tx) = board.uart.start_with(115_200, &RX, &TX);
    let rounds = Cell::new(0);
    let echoed = match select(echo(rx, tx), keep_time(&rounds)).await {
        Either::First(echoed) => echoed,
        Either::Second(reason) => {
            println!("clock: {reason}");
            exit::failure()
        }
    };
    println!("echoed {echoed} bytes, overruns {}", uart::overruns());
    println!(
        "uptime {} ms, {} cycles, {} rounds of timers",
        Instant::now().as_millis(),
        time::cycles(),
        rounds.get(),
    );
    println!(
        "stack {} of {} bytes",
        stack::peak_bytes(),
        stack::size_bytes()
    );
    if rounds.get() == 0 {
        exit::failure()
    }
    exit::success()
}

/// Returns how many bytes went back, once the last one has left.
async fn echo(mut rx: UartRx, mut tx: UartTx) -> usize {
    let mut buffer = [0; 100];
    let mut total = 0;
    loop {
        let Ok(count) = rx.read(&mut buffer).await;
        let order = |byte: &u8| matches!(*byte, END | PANIC | FAULT);
        let length = buffer[..count].iter().position(order).unwrap_or(count);
        let Ok(()) = tx.write_all(&buffer[..length]).await;
        total += length;
        match buffer[..count].get(length) {
            None => continue,
            Some(&PANIC) => panic!("asked to panic"),
            Some(&FAULT) => cortex_m::asm::udf(),
            Some(_) => {
                let Ok(()) = tx.flush().await;
                return total;
            }
        }
    }
}

/// Sleeps for spans short and long, past a round of SysTick too, and returns what was wrong.
async fn keep_time(rounds: &Cell<u32>) -> &'static str {
    // An emulator on a busy host may be late, never early.
    const LATE: Duration = Duration::from_secs(2);
    loop {
        for span in [1, 2, 7, 50, 700].map(Duration::from_millis) {
            let (before, cycles) = (Instant::now(), time::cycles());
            Timer::after(span).await;
            let (passed, cycles) = (before.elapsed(), time::cycles() - cycles);
            if passed < span {
                return "a timer ended early";
            }
            if passed > span + LATE {
                return "a timer ended late";
            }
            // A tick may be nearly over when the sleep begins.
            if cycles < (span.as_millis() - 1) * u64::from(time::CYCLES_PER_TICK) {
                return "cycles and ticks disagree";
            }
        }
        rounds.set(rounds.get() + 1);
    }
}
