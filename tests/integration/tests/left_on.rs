//! Modes that another host has left on in a BG96 (sheet 1.8): start-up ends, or names the mode, within 15 s.

use embassy_time::{Duration, Instant, Timer};
use embedded_io_async::{Read, Write};
use sectag::{AnySpeed, BringUpError, Cause, NoPins, Power};
use sectag_bg96::Config;
use sectag_integration_tests::Bench;
use sectag_integration_tests::simulated::{HOST, PORT, TLS, World, provision, virtually};
use sectag_integration_tests::{nrf9160, ublox};
use sectag_simulator::{Boot, LeftOn, Nrf9160Profile, Options, Reaction, SLEEPS_AFTER, Simulator};
use sectag_test_support::tls_server::echo;

/// The limit of a start, whatever was left on.
const LIMIT: Duration = Duration::from_secs(15);

/// A board with the power key alone.
struct KeyAlone(Simulator);

impl Power for KeyAlone {
    fn has_power_key(&self) -> bool {
        true
    }
    fn has_reset(&self) -> bool {
        false
    }
    fn power_key(&mut self, pressed: bool) {
        self.0.power_key(pressed);
    }
    fn reset(&mut self, _asserted: bool) {}
    fn status(&mut self) -> Option<bool> {
        None
    }
}

fn world(left_on: LeftOn, boot: Boot) -> World {
    let world = World::new(Options {
        left_on,
        boot,
        ..Options::default()
    });
    world.serve(echo);
    world
}

/// A start on this board, its result, and the time that it took.
async fn start(
    world: &World,
    power: impl Power,
    then: impl AsyncFnOnce(Bench),
) -> (Result<(), BringUpError>, Duration) {
    world
        .attach_with(Config::new(), power, async |bench| {
            let began = Instant::now();
            let up = bench.control.wait_up().await;
            let took = began.elapsed();
            if up.is_ok() {
                then(bench).await;
            }
            (up, took)
        })
        .await
}

async fn connects(bench: Bench) {
    provision(bench).await;
    let mut socket = bench.control.connect(HOST, PORT, &TLS).await.unwrap();
    socket.write_all(b"back").await.unwrap();
    socket.flush().await.unwrap();
    let mut back = [0; 4];
    socket.read_exact(&mut back).await.unwrap();
    assert_eq!(&back, b"back");
}

/// The start ends in time, and the modem is of use.
fn survives(left_on: LeftOn) {
    virtually(async || {
        let world = world(left_on, Boot::AlreadyOn);
        let (up, took) = start(&world, NoPins, connects).await;
        assert_eq!(up, Ok(()), "{left_on:?}");
        assert!(took < LIMIT, "{left_on:?}: {took:?}");
    });
}

/// The start ends in time with this error, which names this cause: for a caller without patience, and for one that has as
/// much of it as the limit allows.
fn is_named(left_on: LeftOn, boot: Boot, error: BringUpError, cause: Cause) {
    for patience in [Duration::from_secs(1), LIMIT] {
        for any_speed in [false, true] {
            virtually(async || {
                let world = world(left_on, boot);
                let began = Instant::now();
                let wait = async |bench: Bench| bench.control.patience(patience).wait_up().await;
                let up = if any_speed {
                    let power = AnySpeed::new(NoPins, |_| ());
                    world.attach_with(Config::new(), power, wait).await
                } else {
                    world.attach_with(Config::new(), NoPins, wait).await
                };
                assert_eq!(up, Err(error), "{left_on:?}");
                assert!(error.causes().any(|known| known == cause), "{left_on:?}");
                let took = began.elapsed();
                assert!(took <= LIMIT, "{left_on:?} {any_speed}: {took:?}");
            });
        }
    }
}

#[test]
fn a_slow_clock_is_switched_off() {
    survives(LeftOn::SlowClock);
    virtually(async || {
        let world = world(LeftOn::SlowClock, Boot::AlreadyOn);
        let (up, _) = start(&world, NoPins, async |bench| {
            assert_eq!(world.count("AT+QSCLK=0"), 1);
            provision(bench).await;
            let mut socket = bench.control.connect(HOST, PORT, &TLS).await.unwrap();
            Timer::after(SLEEPS_AFTER * 4).await;
            // The first characters of the send are not lost.
            socket.write_all(b"x").await.unwrap();
            socket.flush().await.unwrap();
        })
        .await;
        assert_eq!(up, Ok(()));
    });
}

#[test]
fn results_as_numbers_or_none_become_words() {
    survives(LeftOn::NumericResults);
    survives(LeftOn::NoResults);
}

/// The profile is stored, so that each restart brings the mode back.
#[test]
fn a_stored_profile_is_met_again_behind_a_restart() {
    for left_on in [LeftOn::NumericResults, LeftOn::NoResults, LeftOn::SlowClock] {
        virtually(async || {
            let world = world(left_on, Boot::AlreadyOn);
            let (up, _) = start(&world, NoPins, async |bench| {
                let began = Instant::now();
                world.modem.reset();
                while bench.control.counters().restarts == 0 {
                    Timer::after_millis(100).await;
                }
                bench.control.wait_up().await.unwrap();
                assert!(began.elapsed() < LIMIT, "{left_on:?}");
                connects(bench).await;
            })
            .await;
            assert_eq!(up, Ok(()), "{left_on:?}");
        });
    }
}

#[test]
fn a_multiplexer_is_closed_down() {
    survives(LeftOn::Multiplexer {
        closes: true,
        restarts: false,
    });
}

#[test]
fn a_multiplexer_that_does_not_close_is_left_by_a_restart() {
    survives(LeftOn::Multiplexer {
        closes: false,
        restarts: true,
    });
}

#[test]
fn a_multiplexer_that_takes_no_frame_is_named() {
    let deaf = LeftOn::Multiplexer {
        closes: false,
        restarts: false,
    };
    is_named(
        deaf,
        Boot::AlreadyOn,
        BringUpError::NoAnswer,
        Cause::OtherMode,
    );
}

/// The other families know no way out of a multiplexer. To a host that speaks lines it is a modem that takes none, and the
/// first search for it, which is made to its end, may be longer than the limit of a BG96.
#[test]
fn a_multiplexer_of_another_family_is_named() {
    let told = |name: &str, up: Result<(), BringUpError>, began: Instant| {
        let error = up.unwrap_err();
        assert_eq!(error, BringUpError::NoAnswer, "{name}");
        let mut causes = error.causes();
        assert!(causes.any(|cause| cause == Cause::OtherMode), "{name}");
        let took = began.elapsed();
        assert!(took < LIMIT * 3, "{name}: {} ms", took.as_millis());
    };
    for model in [
        "sara-r5",
        "sara-r4-02b",
        "sara-u201",
        "lara-r6",
        "lena-r8",
        "lexi-r10",
    ] {
        virtually(async || {
            let world = ublox::World::of(model, |_| {});
            world.modem.set_script(Box::new(|_| Reaction::Silent));
            let began = Instant::now();
            let wait = async |bench: ublox::Bench| bench.control.patience(LIMIT).wait_up().await;
            told(model, world.attach(wait).await, began);
        });
    }
    for profile in [
        Nrf9160Profile::V2_1,
        Nrf9160Profile::V3_1,
        Nrf9160Profile::SERIAL_MODEM,
    ] {
        virtually(async || {
            let world = nrf9160::World::new(nrf9160::options(profile));
            world.modem.set_script(Box::new(|_| Reaction::Silent));
            let began = Instant::now();
            let up = world
                .attach(async |bench| bench.control.patience(LIMIT).wait_up().await)
                .await;
            told(&nrf9160::label(&profile), up, began);
        });
    }
}

#[test]
fn a_modem_in_power_saving_mode_is_named_where_no_key_wakes_it() {
    is_named(
        LeftOn::PowerSaving,
        Boot::Off,
        BringUpError::NoAnswer,
        Cause::PowerSaving,
    );
}

#[test]
fn a_modem_in_power_saving_mode_is_woken_by_its_key() {
    virtually(async || {
        // Where no pin tells that it is off, other speeds come first.
        for any_speed in [false, true] {
            let world = world(LeftOn::PowerSaving, Boot::Off);
            let key = KeyAlone(world.modem.clone());
            let (up, took) = if any_speed {
                start(&world, AnySpeed::new(key, |_| ()), connects).await
            } else {
                start(&world, key, connects).await
            };
            assert_eq!(up, Ok(()));
            assert!(took < LIMIT, "any speed {any_speed}: {took:?}");
            assert_eq!(world.count("AT+CPSMS=0"), 0, "a key can wake it");
        }
    });
}

/// Otherwise this network sends it to sleep 10 s behind the last command, and nothing wakes it.
#[test]
fn power_saving_is_switched_off_where_no_key_is_wired() {
    virtually(async || {
        let world = world(LeftOn::PowerSaving, Boot::AlreadyOn);
        let (up, _) = start(&world, NoPins, async |bench| {
            connects(bench).await;
            Timer::after_secs(60).await;
            assert!(world.modem.status_pin());
            assert_eq!(bench.control.counters().restarts, 0);
        })
        .await;
        assert_eq!(up, Ok(()));
    });
}

#[test]
fn a_modem_is_found_at_each_of_its_speeds() {
    for rate in [
        9_600, 19_200, 38_400, 57_600, 115_200, 230_400, 460_800, 921_600,
    ] {
        virtually(async || {
            let world = world(LeftOn::Speed(rate), Boot::AlreadyOn);
            world.modem.set_host_rate(115_200);
            let uart = world.modem.clone();
            let power = AnySpeed::new(NoPins, move |baud| {
                // 0 is the speed at which the UART was opened.
                uart.set_host_rate(if baud == 0 { 115_200 } else { baud });
            });
            let (up, took) = start(&world, power, connects).await;
            assert_eq!(up, Ok(()), "{rate}");
            assert!(took < LIMIT, "{rate}: {took:?}");
        });
    }
}

#[test]
fn another_speed_is_named_where_the_uart_has_one_alone() {
    virtually(async || {
        let world = world(LeftOn::Speed(9_600), Boot::AlreadyOn);
        world.modem.set_host_rate(115_200);
        let began = Instant::now();
        let up = world
            .attach_with(Config::new(), NoPins, async |bench| {
                bench.control.patience(LIMIT).wait_up().await
            })
            .await;
        let error = up.unwrap_err();
        assert!(error.causes().any(|cause| cause == Cause::WrongSpeed));
        assert!(began.elapsed() <= LIMIT, "{:?}", began.elapsed());
    });
}

/// The notice comes, and the read that follows it is lost, as in sleep.
#[test]
fn a_lost_read_is_repeated_within_two_seconds_of_the_notice() {
    for lost in 1..=2 {
        virtually(async || {
            let world = world(LeftOn::Nothing, Boot::AlreadyOn);
            let (up, _) = start(&world, NoPins, async |bench| {
                provision(bench).await;
                let mut socket = bench.control.connect(HOST, PORT, &TLS).await.unwrap();
                let mut left = lost;
                world.modem.set_script(Box::new(move |line| {
                    if line.starts_with(b"AT+QSSLRECV") && left > 0 {
                        left -= 1;
                        return Reaction::Silent;
                    }
                    Reaction::Normal
                }));
                socket.write_all(b"answer me").await.unwrap();
                socket.flush().await.unwrap();
                let noticed = Instant::now();
                let mut back = [0; 9];
                socket.read_exact(&mut back).await.unwrap();
                assert_eq!(&back, b"answer me");
                assert!(noticed.elapsed() < Duration::from_secs(2 * lost));
                // The stream goes on.
                socket.write_all(b"and again").await.unwrap();
                socket.flush().await.unwrap();
                socket.read_exact(&mut back).await.unwrap();
                assert_eq!(&back, b"and again");
            })
            .await;
            assert_eq!(up, Ok(()));
        });
    }
}
