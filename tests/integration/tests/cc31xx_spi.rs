//! What TI's network processors have on an SPI alone: the interrupt line, bytes in front of messages, transfers that fail. The simulated
//! bus notes what TI's driver would not do, and each test ends with a look at that.

#[path = "../../../modems/cc3200/src/nwp/vectors.rs"]
mod vectors;

use embassy_futures::poll_once;
use embassy_futures::select::{Either, Either3, select, select3};
use embassy_time::{Duration, Instant, Timer, with_timeout};
use embedded_io_async::{Read, Write};
use sectag::{Counters, Power, RunError, Socket, State};
use sectag_cc3200::nwp::spi::{Link, Reader, Writer};
use sectag_cc3200::nwp::{G2, Nwp, Wiring};
use sectag_integration_tests::Bench;
use sectag_integration_tests::cc31xx::{CONFIG, attach, connect, now, provision, world};
use sectag_integration_tests::recovery::round_trip;
use sectag_integration_tests::simulated::{TLS, World, credentials, virtually};
use sectag_simulator::{NwpOptions, NwpSpi, NwpSpiOptions, Simulator};
use sectag_test_support::pki::Pki;
use sectag_test_support::tls_server::echo;

fn serving(spi: NwpSpiOptions) -> World {
    let world = world(NwpOptions {
        spi,
        ..NwpOptions::default()
    });
    world.serve(echo);
    world
}

/// Runs a test on a driver of a chip with such an SPI, in a network with an echo.
fn over_spi(options: NwpSpiOptions, test: impl AsyncFnOnce(Bench<Nwp<G2>>, &Simulator, &NwpSpi)) {
    virtually(async || {
        let world = serving(options);
        let spi = world.modem.spi();
        attach(Wiring::Spi, &world, CONFIG, async |bench| {
            test(bench, &world.modem, &spi).await;
        })
        .await;
    });
}

/// Runs a test on a driver that has stored all credentials and holds a connection.
fn connected(test: impl AsyncFnOnce(Bench<Nwp<G2>>, Socket<'static>, &Simulator, &NwpSpi)) {
    over_spi(NwpSpiOptions::default(), async |bench, modem, spi| {
        provision(bench).await;
        let socket = connect(bench).await.unwrap();
        test(bench, socket, modem, spi).await;
    });
}

/// Runs a host on the bus of a chip that starts, without a driver. The chip's message of its start was read.
fn on_the_bus(options: NwpSpiOptions, host: impl AsyncFnOnce(&Simulator, Reader<'_>, Writer<'_>)) {
    virtually(async || {
        let world = serving(options);
        let spi = world.modem.spi();
        let mut link = Link::new();
        let hib = world.modem.reset_line();
        let (mut bus, mut rx, tx, mut hib) = link.split(spi.clone(), spi.host_intr(), hib);
        let host = async {
            hib.reset(true);
            Timer::after_millis(20).await;
            hib.reset(false);
            let started = collect(&mut rx, 28).await;
            assert_eq!(started[..6], [0xbc, 0xdc, 0xcd, 0xab, 8, 0]);
            host(&world.modem, rx, tx).await;
        };
        match select3(world.modem.serve_spi(), bus.run(), host).await {
            Either3::First(end) => panic!("{end:?}"),
            Either3::Second(never) => match never {},
            Either3::Third(()) => assert_eq!(spi.faults(), [""; 0]),
        }
    });
}

/// Credentials, a connection, 3 KB both ways, and the close of it. The chip is not restarted, and nothing is lost.
async fn talk(bench: Bench<Nwp<G2>>) -> Counters {
    provision(bench).await;
    let mut socket = connect(bench).await.unwrap();
    exchange(&mut socket).await;
    socket.close().await.unwrap();
    bench.control.counters()
}

async fn exchange(socket: &mut Socket<'static>) {
    let bytes: Vec<u8> = (0..3000u32).map(|at| ((at * 7) >> 3) as u8).collect();
    for part in bytes.chunks(999) {
        round_trip(socket, part).await.unwrap();
    }
}

#[test]
fn messages_are_read_behind_any_lead() {
    for lead in (0..=5).chain([8, 40, 67]) {
        for doubles_sync in [false, true] {
            for numbers in [false, true] {
                let options = NwpSpiOptions {
                    lead,
                    doubles_sync,
                    numbers,
                    ..NwpSpiOptions::default()
                };
                over_spi(options, async |bench, _, _| {
                    let counters = talk(bench).await;
                    assert_eq!(counters.restarts, 0, "{lead} {doubles_sync} {numbers}");
                });
            }
        }
    }
}

/// All of sheet 3.7 (CC31xx), with any lead: what the runner reads are the vectors alone, one behind the other.
#[test]
fn the_messages_of_the_sheet_are_read_with_any_lead() {
    use vectors::{FIRST, SECOND, hex};
    for lead in 0..=4 {
        for doubles_sync in [false, true] {
            let options = NwpSpiOptions {
                lead,
                doubles_sync,
                ..NwpSpiOptions::default()
            };
            on_the_bus(options, async |modem, mut rx, _| {
                // The bus numbers them itself, and does not know generations: the chip's own message was the first.
                for (number, vector) in (1..).zip(FIRST.iter().chain(SECOND)) {
                    let mut expected = hex(vector.bytes);
                    expected[0] = 0xba;
                    modem.inject_bytes(&expected);
                    expected[0] = 0xbc + (number & 3);
                    let read = collect(&mut rx, expected.len()).await;
                    assert_eq!(read, expected, "{lead} {:04x}", vector.opcode);
                }
            });
        }
    }
}

/// An edge that the pin has not seen costs half a second and no restart: the level is looked at again.
#[test]
fn a_lost_interrupt_costs_half_a_second() {
    connected(async |bench, mut socket, _, spi| {
        let usual = Instant::now();
        round_trip(&mut socket, &[1; 100]).await.unwrap();
        let usual = usual.elapsed();
        for lost in 1..=3 {
            spi.lose_interrupts(lost);
            let began = Instant::now();
            round_trip(&mut socket, &[2; 100]).await.unwrap();
            let late = began.elapsed() - usual;
            assert!(late <= Duration::from_millis(510) * lost, "{lost}: {late}");
            Timer::after_secs(3).await;
        }
        assert_eq!(bench.control.counters().restarts, 0);
    });
}

/// Each message of a whole session, its edge lost.
#[test]
fn interrupts_may_be_lost_at_any_message() {
    over_spi(NwpSpiOptions::default(), async |bench, _, spi| {
        spi.lose_interrupts(u32::MAX);
        assert_eq!(talk(bench).await.restarts, 0);
    });
}

/// The line rises though there is no message, at many times of a session.
#[test]
fn an_interrupt_for_nothing_is_passed_over() {
    for length in [1, 40, 90] {
        let options = NwpSpiOptions {
            hertz: Some(20_000_000),
            ..NwpSpiOptions::default()
        };
        over_spi(options, async |bench, _, spi| {
            let noise = async {
                loop {
                    Timer::after_millis(217).await;
                    spi.interrupt_for_nothing(Duration::from_millis(length));
                }
            };
            let work = async {
                let mut counters = talk(bench).await;
                let mut socket = connect(bench).await.unwrap();
                for _ in 0..20 {
                    Timer::after_millis(100).await;
                    exchange(&mut socket).await;
                    counters = bench.control.counters();
                }
                counters
            };
            let Either::Second(counters) = select(noise, work).await;
            assert_eq!(counters.restarts, 0, "{length}");
        });
    }
}

/// A line that stays high and a chip that says nothing: it is started anew, as TI's driver has it.
#[test]
fn a_chip_that_asks_and_says_nothing_is_started_anew() {
    connected(async |bench, mut socket, _, spi| {
        let began = Instant::now();
        spi.interrupt_for_nothing(Duration::from_millis(300));
        let mut buf = [0; 1];
        let read = with_timeout(Duration::from_secs(5), socket.read(&mut buf)).await;
        assert!(read.unwrap().is_err());
        assert!(began.elapsed() < Duration::from_secs(1));
        drop(socket);
        let mut socket = connect(bench).await.unwrap();
        exchange(&mut socket).await;
        assert_eq!(bench.control.counters().restarts, 1);
    });
}

/// While nothing is to be said, nothing passes, and the level of the line is looked at twice a second.
#[test]
fn an_idle_bus_rests() {
    connected(async |_, _socket, modem, spi| {
        Timer::after_secs(5).await;
        let (transfers, exchanges) = (spi.transfers(), modem.exchanges());
        Timer::after_secs(3600).await;
        let exchanges = modem.exchanges() - exchanges;
        // A sign of life now and then: a command of three transfers, a message of some four.
        assert!(spi.transfers() - transfers <= 8 * exchanges);
        assert!(exchanges <= 60, "{exchanges}");
    });
}

/// Reads and writes that are dropped at each of their polls lose nothing and double nothing: what is on the bus is the bus task's.
#[test]
fn reads_and_writes_that_are_dropped_lose_nothing() {
    let options = NwpSpiOptions {
        lead: 3,
        hertz: Some(1_000_000),
        ..NwpSpiOptions::default()
    };
    on_the_bus(options, async |_, mut rx, mut tx| {
        for number in 1..50u8 {
            let command = [
                0x21, 0x43, 0x34, 0x12, 0x66, 0x84, 8, 0, 0, 0, 1, 0, 12, 0, 20, 0,
            ];
            let mut out = 0;
            while out < command.len() {
                // In pieces that are no words.
                let end = command.len().min(out + 3);
                let piece = &command[out..end];
                match poll_once(tx.write(piece)) {
                    std::task::Poll::Ready(count) => out += count.unwrap(),
                    std::task::Poll::Pending => Timer::after_micros(10).await,
                }
            }
            let answer = collect(&mut rx, 44).await;
            let sync = 0xbc + (number & 3);
            assert_eq!(
                answer[..6],
                [sync, 0xdc, 0xcd, 0xab, 0x66, 0x04],
                "{number}"
            );
            assert_eq!(answer[16..28], [0, 0, 1, 0, 12, 0, 20, 0, 0x19, 0, 0, 0x30]);
        }
    });
}

/// So many bytes, by reads each of which is dropped if it has none at once.
async fn collect(rx: &mut impl Read, count: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut buf = [0; 5];
    let began = Instant::now();
    while bytes.len() < count {
        assert!(began.elapsed() < Duration::from_secs(2), "{bytes:02x?}");
        match poll_once(rx.read(&mut buf)) {
            std::task::Poll::Ready(count) => bytes.extend(&buf[..count.unwrap()]),
            std::task::Poll::Pending => Timer::after_micros(50).await,
        }
    }
    assert_eq!(bytes.len(), count);
    bytes
}

/// At each transfer of a session: it is found out, and the chip works again, started anew where a message was torn.
#[test]
fn a_transfer_that_fails_is_got_over() {
    for at in (0..400).step_by(7) {
        over_spi(NwpSpiOptions::default(), async |bench, modem, spi| {
            spi.fail_transfers(at..at + 1);
            let began = Instant::now();
            while try_to_talk(bench).await.is_none() || spi.transfers() <= at {
                // The longest: the first message is lost, and a start is awaited to its limit.
                assert!(began.elapsed() < Duration::from_secs(100), "{at}");
            }
            assert_eq!(modem.security_alerts(), 0);
        });
    }
}

async fn try_to_talk(bench: Bench<Nwp<G2>>) -> Option<()> {
    for (kind, pem) in credentials(Pki::shared()) {
        let stored = bench.control.ensure(TLS.tag(), kind, pem.as_bytes()).await;
        stored.ok()?;
    }
    bench.control.set_clock(now()).await.ok()?;
    let mut socket = connect(bench).await.ok()?;
    round_trip(&mut socket, &[9; 500]).await.ok()
}

/// The runner ends, as with a UART that fails: it is for the firmware to see to that.
#[test]
fn a_bus_that_is_broken_ends_the_runner() {
    virtually(async || {
        let world = serving(NwpSpiOptions::default());
        let spi = world.modem.spi();
        let link = Box::leak(Box::new(Link::new()));
        let hib = world.modem.reset_line();
        let (mut bus, rx, tx, hib) = link.split(spi.clone(), spi.host_intr(), hib);
        let nwp = Nwp::<G2>::new(CONFIG.wiring(Wiring::Spi));
        let state: &'static mut State<'static, Nwp<G2>, 1, 1024, 1024> =
            Box::leak(Box::new(State::new()));
        let (control, mut runner) = sectag::new(state, nwp, rx, tx, hib);
        let bench = Bench { control };
        let work = async {
            bench.control.wait_up().await.unwrap();
            spi.fail_transfers(0..u64::MAX);
            std::future::pending::<()>().await;
        };
        let driver = select3(bus.run(), runner.run(), work);
        match select(world.modem.serve_spi(), driver).await {
            Either::Second(Either3::Second(error)) => {
                assert!(matches!(error, RunError::Read(_)), "{error}");
            }
            _ => panic!("something else ended"),
        }
    });
}
