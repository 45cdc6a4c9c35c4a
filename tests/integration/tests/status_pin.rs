//! The status pin, awaited: a modem that goes off is noticed by it, and it ends the waits of a start.

use std::cell::Cell;
use std::convert::Infallible;
use std::rc::Rc;

use embassy_futures::select::{Either3, select3};
use embassy_time::{Duration, Instant, Timer, with_timeout};
use embedded_hal::digital::{ErrorType, InputPin};
use embedded_hal_async::digital::Wait;
use embedded_io_adapters::tokio_1::FromTokio;
use embedded_io_async::{Read, Write};
use sectag::modem::{Full, Modem};
use sectag::{BringUpError, Loss, NoPin, NoticePin, Notices, Power, Runner, Shutdown};
use sectag::{SocketError, State};
use sectag_bg96::{Bg96, Config};
use sectag_integration_tests::Bench;
use sectag_integration_tests::simulated::{HOST, PORT, TLS, World, provision, virtually};
use sectag_integration_tests::ublox::World as UbloxWorld;
use sectag_integration_tests::unit::Unit;
use sectag_simulator::{Boot, Failure, Options, Profile, Simulator};
use sectag_test_support::tls_server::echo;
use sectag_ublox::cellular::UbloxCellular;
use tokio::io::{DuplexStream, ReadHalf, WriteHalf};

/// A board with power key and DTR, and with a status pin that is polled where the second field says so.
struct Board(Simulator, bool);

impl Power for Board {
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
        self.1.then(|| self.0.status_pin())
    }
    fn has_sleep(&self) -> bool {
        true
    }
    fn sleep(&mut self, asleep: bool) {
        self.0.sleep_pin(asleep);
    }
}

type Port<'a, N, M = Bg96> =
    Runner<'a, M, FromTokio<ReadHalf<DuplexStream>>, FromTokio<WriteHalf<DuplexStream>>, Board, N>;

/// Runs an application beside the driver of a BG96 with further pins.
async fn run<T, N: Notices>(
    world: &World,
    pins: impl FnOnce(Port<'static, NoPin>) -> Port<'static, N>,
    application: impl AsyncFnOnce(Bench) -> T,
) -> T {
    let board = Board(world.modem.clone(), false);
    run_on(Bg96::new(Config::new()), board, pins, application).await
}

/// Runs an application beside a driver of any modem, on a board and with further pins.
async fn run_on<M: Full + Modem + 'static, T, N: Notices>(
    backend: M,
    board: Board,
    pins: impl FnOnce(Port<'static, NoPin, M>) -> Port<'static, N, M>,
    application: impl AsyncFnOnce(Bench<M>) -> T,
) -> T {
    let modem = board.0.clone();
    let (host, device) = tokio::io::duplex(4096);
    let (rx, tx) = tokio::io::split(host);
    let state: &'static mut State<'static, M, 2, 1024, 1024> = Box::leak(Box::default());
    let (control, runner) = sectag::new(
        state,
        backend,
        FromTokio::new(rx),
        FromTokio::new(tx),
        board,
    );
    let mut runner = pins(runner);
    let modem = modem.serve(device);
    match select3(modem, runner.run(), application(Bench { control })).await {
        Either3::First(_) => unreachable!("the port stays open"),
        Either3::Second(error) => panic!("the runner ended: {error}"),
        Either3::Third(result) => result,
    }
}

fn world(options: Options) -> World {
    let world = World::new(options);
    world.serve(echo);
    world
}

async fn echoes<M: Full>(bench: Bench<M>) {
    let mut socket = bench.control.connect(HOST, PORT, &TLS).await.unwrap();
    socket.write_all(b"there").await.unwrap();
    socket.flush().await.unwrap();
    let mut back = [0; 5];
    socket.read_exact(&mut back).await.unwrap();
    assert_eq!(&back, b"there");
}

/// Somebody else switches the modem off, and it says nothing of it.
async fn goes_off(modem: &Simulator, pressed_ms: u64) {
    modem.fail(Failure::Hang);
    modem.power_key(true);
    Timer::after_millis(pressed_ms).await;
    modem.power_key(false);
    assert!(!modem.status_pin());
}

/// Waits for the end of a connection, for no longer than an hour, and returns after how many milliseconds it came.
async fn lost(mut socket: sectag::Socket<'_>) -> (u64, Option<Loss>) {
    let start = Instant::now();
    let mut byte = [0];
    let read = with_timeout(Duration::from_secs(3600), socket.read(&mut byte)).await;
    assert_eq!(read, Ok(Err(SocketError::ConnectionReset)));
    (start.elapsed().as_millis(), socket.loss())
}

#[test]
fn a_modem_that_goes_off_is_noticed_at_once() {
    virtually(async || {
        let world = world(Options::default());
        run(
            &world,
            |runner| runner.with_status_pin(world.modem.status_input()),
            async |bench| {
                provision(bench).await;
                let socket = bench.control.connect(HOST, PORT, &TLS).await.unwrap();
                goes_off(&world.modem, 700).await;
                let (millis, loss) = lost(socket).await;
                assert!(millis <= 200, "{millis} ms");
                assert_eq!(loss, Some(Loss::WentOff));
                // Not before the time in which it may start by itself.
                Timer::after_secs(7).await;
                assert!(!world.modem.status_pin());
                with_timeout(Duration::from_secs(60), bench.control.wait_up())
                    .await
                    .unwrap()
                    .unwrap();
                echoes(bench).await;
            },
        )
        .await;
        // Without the pin, only the sign of life tells.
        let world = self::world(Options::default());
        run(
            &world,
            |runner| runner,
            async |bench| {
                provision(bench).await;
                let socket = bench.control.connect(HOST, PORT, &TLS).await.unwrap();
                goes_off(&world.modem, 700).await;
                let (millis, loss) = lost(socket).await;
                assert!(millis > 2000, "{millis} ms");
                assert_eq!(loss, Some(Loss::NoAnswer));
            },
        )
        .await;
    });
}

#[test]
fn a_modem_that_goes_off_asleep_is_noticed_without_a_sign_of_life() {
    virtually(async || {
        let world = world(Options::default());
        run(
            &world,
            |runner| {
                let notices = NoticePin::new(world.modem.notice_pin()).without_liveness();
                runner
                    .with_notice_pin(notices)
                    .with_status_pin(world.modem.status_input())
            },
            async |bench| {
                provision(bench).await;
                let socket = bench.control.connect(HOST, PORT, &TLS).await.unwrap();
                Timer::after_secs(10).await;
                assert!(bench.control.is_asleep());
                let bytes = world.modem.bytes_in();
                Timer::after_secs(600).await;
                assert_eq!(world.modem.bytes_in(), bytes, "nothing is polled");
                goes_off(&world.modem, 700).await;
                let (millis, loss) = lost(socket).await;
                assert!(millis <= 200, "{millis} ms");
                assert_eq!(loss, Some(Loss::WentOff));
                bench.control.wait_up().await.unwrap();
                echoes(bench).await;
            },
        )
        .await;
    });
}

/// It goes off and comes back by itself: a key would switch it off again.
#[test]
fn a_modem_that_resets_itself_is_not_pressed() {
    virtually(async || {
        for failure in [Failure::Reset, Failure::BrownOut] {
            let world = world(Options::default());
            let input = world.modem.status_input();
            run(
                &world,
                |runner| runner.with_status_pin(input),
                async |bench| {
                    provision(bench).await;
                    let socket = bench.control.connect(HOST, PORT, &TLS).await.unwrap();
                    let ups = world.count("AT+CMEE");
                    world.modem.fail(failure);
                    let (millis, _) = lost(socket).await;
                    assert!(millis <= 5000, "{failure:?}: {millis} ms");
                    bench.control.wait_up().await.unwrap();
                    echoes(bench).await;
                    assert_eq!(world.count("AT+CMEE"), ups + 1, "{failure:?}");
                },
            )
            .await;
        }
    });
}

/// Milliseconds and commands from the start of the runner until the modem is up.
async fn start<N: Notices>(
    hangs: bool,
    polled: bool,
    pins: impl FnOnce(&Simulator, Port<'static, NoPin>) -> Port<'static, N>,
) -> (u64, u32) {
    let boot = if hangs { Boot::AlreadyOn } else { Boot::Off };
    let world = world(Options {
        boot,
        ..Options::default()
    });
    if hangs {
        world.modem.fail(Failure::Hang);
    }
    let modem = &world.modem;
    let board = Board(modem.clone(), polled);
    let start = Instant::now();
    let pins = |runner| pins(modem, runner);
    let backend = Bg96::new(Config::new());
    run_on(backend, board, pins, async |bench| up(start, bench).await).await
}

/// Milliseconds and commands until the modem is up.
async fn up<M: Full>(start: Instant, bench: Bench<M>) -> (u64, u32) {
    let up = with_timeout(Duration::from_secs(120), bench.control.wait_up()).await;
    up.unwrap().unwrap();
    (
        start.elapsed().as_millis(),
        bench.control.counters().exchanges,
    )
}

#[test]
fn a_start_waits_for_the_pin_instead_of_asking_in_vain() {
    virtually(async || {
        for (name, hangs) in [("off", false), ("hangs", true)] {
            let none = start(hangs, false, |_, runner| runner).await;
            let polled = start(hangs, true, |_, runner| runner).await;
            let awaited = start(hangs, false, |modem, runner| {
                runner.with_status_pin(modem.status_input())
            })
            .await;
            println!(
                "{name}: ms and commands without {none:?}, polled {polled:?}, awaited {awaited:?}"
            );
            assert!(
                awaited.1 + 10 <= polled.1,
                "{name}: {awaited:?} of {polled:?}"
            );
            assert!(awaited.0 <= polled.0, "{name}: {awaited:?} of {polled:?}");
            assert!(awaited.0 < none.0, "{name}: {awaited:?} of {none:?}");
        }
    });
}

#[test]
fn the_pin_confirms_a_power_off_that_the_firmware_does_not() {
    virtually(async || {
        let world = world(Options {
            profile: Profile {
                announces_power_down: false,
                ..Profile::BG96_LATER
            },
            ..Options::default()
        });
        let input = world.modem.status_input();
        run(
            &world,
            |runner| runner.with_status_pin(input),
            async |bench| {
                bench.control.wait_up().await.unwrap();
                let start = Instant::now();
                assert_eq!(bench.control.power_off().await, Ok(Shutdown::Confirmed));
                assert!(start.elapsed() < Duration::from_secs(60));
                let bytes = world.modem.bytes_in();
                Timer::after_secs(600).await;
                let off = BringUpError::PoweredOff;
                assert_eq!(bench.control.wait_up().await, Err(off));
                assert!(world.modem.bytes_in() == bytes && !world.modem.status_pin());
                bench.control.power_on();
                bench.control.wait_up().await.unwrap();
            },
        )
        .await;
    });
}

#[test]
fn power_saving_mode_is_no_loss_of_power() {
    virtually(async || {
        let world = world(Options::default());
        let input = world.modem.status_input();
        run(
            &world,
            |runner| runner.with_status_pin(input),
            async |bench| {
                provision(bench).await;
                let socket = bench.control.connect(HOST, PORT, &TLS).await.unwrap();
                world.modem.save_power();
                assert_eq!(lost(socket).await.1, Some(Loss::PowerSaving));
                let bytes = world.modem.bytes_in();
                Timer::after_secs(3600).await;
                assert!(bench.control.is_asleep());
                assert!(world.modem.bytes_in() == bytes && !world.modem.status_pin());
                echoes(bench).await;
            },
        )
        .await;
    });
}

/// The STATUS pin, as noise on its wire shows it.
#[derive(Clone)]
struct Noisy(sectag_simulator::StatusPin, Rc<Cell<bool>>);

impl ErrorType for Noisy {
    type Error = Infallible;
}

impl InputPin for Noisy {
    fn is_high(&mut self) -> Result<bool, Infallible> {
        Ok(self.0.is_high()? && !self.1.get())
    }
    fn is_low(&mut self) -> Result<bool, Infallible> {
        Ok(!self.is_high()?)
    }
}

impl Wait for Noisy {
    async fn wait_for_high(&mut self) -> Result<(), Infallible> {
        while self.is_low()? {
            Timer::after_millis(1).await;
        }
        Ok(())
    }
    async fn wait_for_low(&mut self) -> Result<(), Infallible> {
        while self.is_high()? {
            Timer::after_millis(1).await;
        }
        Ok(())
    }
    async fn wait_for_rising_edge(&mut self) -> Result<(), Infallible> {
        self.wait_for_low().await?;
        self.wait_for_high().await
    }
    async fn wait_for_falling_edge(&mut self) -> Result<(), Infallible> {
        self.wait_for_high().await?;
        self.wait_for_low().await
    }
    async fn wait_for_any_edge(&mut self) -> Result<(), Infallible> {
        let high = self.is_high()?;
        if high {
            self.wait_for_low().await
        } else {
            self.wait_for_high().await
        }
    }
}

#[test]
fn a_dip_of_the_level_is_no_loss_of_power() {
    virtually(async || {
        let world = world(Options::default());
        let dip = Rc::new(Cell::new(false));
        let input = Noisy(world.modem.status_input(), dip.clone());
        run(
            &world,
            |runner| runner.with_status_pin(input),
            async |bench| {
                provision(bench).await;
                let mut socket = bench.control.connect(HOST, PORT, &TLS).await.unwrap();
                for _ in 0..20 {
                    dip.set(true);
                    Timer::after_millis(90).await;
                    dip.set(false);
                    Timer::after_millis(30).await;
                }
                socket.write_all(b"still").await.unwrap();
                socket.flush().await.unwrap();
                let mut back = [0; 5];
                socket.read_exact(&mut back).await.unwrap();
                // As long as it takes, it counts.
                dip.set(true);
                assert_eq!(lost(socket).await.1, Some(Loss::WentOff));
            },
        )
        .await;
    });
}

/// Cellular modules of u-blox, whose status pin is V_INT: without LTE, with it, and with the longest press that switches on.
const UBLOX: [&str; 3] = ["sara-u201", "sara-r5", "lena-r8"];

fn ublox(name: &str, boot: Boot) -> UbloxWorld {
    let world = UbloxWorld::of(name, |options| options.boot = boot);
    world.serve(echo);
    world.install();
    world
}

/// What the firmware does with V_INT.
#[derive(Clone, Copy, PartialEq, Eq)]
enum VInt {
    Unwired,
    Polled,
    Awaited,
}

/// Runs an application beside the driver of a u-blox module.
async fn run_ublox<T>(
    world: &UbloxWorld,
    v_int: VInt,
    application: impl AsyncFnOnce(Bench<UbloxCellular>) -> T,
) -> T {
    let modem = &world.modem;
    let (backend, board) = (
        world.unit.backend(),
        Board(modem.clone(), v_int == VInt::Polled),
    );
    if v_int == VInt::Awaited {
        let pins = |runner: Port<'static, _, _>| runner.with_status_pin(modem.status_input());
        run_on(backend, board, pins, application).await
    } else {
        run_on(backend, board, |runner| runner, application).await
    }
}

#[test]
fn a_ublox_module_that_goes_off_is_noticed_at_once() {
    virtually(async || {
        for name in UBLOX {
            for v_int in [VInt::Awaited, VInt::Unwired] {
                let world = ublox(name, Boot::AlreadyOn);
                let modem = &world.modem;
                run_ublox(&world, v_int, async |bench| {
                    let socket = bench.control.connect(HOST, PORT, &TLS).await.unwrap();
                    // Idle: nothing is asked while the key is held.
                    Timer::after_secs(1).await;
                    goes_off(modem, 3300).await;
                    let (millis, loss) = lost(socket).await;
                    if v_int == VInt::Unwired {
                        // Only the sign of life tells.
                        assert!(millis > 1000, "{name}: {millis} ms");
                        assert_eq!(loss, Some(Loss::NoAnswer), "{name}");
                        return;
                    }
                    assert!(millis <= 200, "{name}: {millis} ms");
                    assert_eq!(loss, Some(Loss::WentOff), "{name}");
                    // Not before the time in which it may start by itself.
                    Timer::after_secs(7).await;
                    assert!(!modem.status_pin(), "{name}");
                    let up = with_timeout(Duration::from_secs(60), bench.control.wait_up());
                    up.await.unwrap().unwrap();
                    echoes(bench).await;
                })
                .await;
            }
        }
    });
}

/// It goes off and comes back by itself.
#[test]
fn a_ublox_module_that_resets_itself_is_brought_up_once() {
    virtually(async || {
        for name in UBLOX {
            let world = ublox(name, Boot::AlreadyOn);
            let modem = &world.modem;
            run_ublox(&world, VInt::Awaited, async |bench| {
                let socket = bench.control.connect(HOST, PORT, &TLS).await.unwrap();
                let ups = world.count("AT+CMEE=1");
                modem.fail(Failure::Reset);
                let (millis, loss) = lost(socket).await;
                assert!(millis <= 200, "{name}: {millis} ms");
                assert_eq!(loss, Some(Loss::WentOff), "{name}");
                echoes(bench).await;
                assert_eq!(world.count("AT+CMEE=1"), ups + 1, "{name}");
            })
            .await;
        }
    });
}

#[test]
fn a_start_of_a_ublox_module_waits_for_the_pin_instead_of_asking_in_vain() {
    virtually(async || {
        for name in UBLOX {
            let start = async |v_int| {
                let world = ublox(name, Boot::Off);
                let start = Instant::now();
                run_ublox(&world, v_int, async |bench| up(start, bench).await).await
            };
            let none = start(VInt::Unwired).await;
            let polled = start(VInt::Polled).await;
            let awaited = start(VInt::Awaited).await;
            println!(
                "{name}: ms and commands without {none:?}, polled {polled:?}, awaited {awaited:?}"
            );
            assert!(
                awaited.1 + 4 <= polled.1,
                "{name}: {awaited:?} of {polled:?}"
            );
            // A level counts once it has stood for 100 ms.
            assert!(
                awaited.0 <= polled.0 + 100,
                "{name}: {awaited:?} of {polled:?}"
            );
            assert!(awaited.0 < none.0, "{name}: {awaited:?} of {none:?}");
        }
    });
}

#[test]
fn a_ublox_module_that_is_switched_off_stays_off() {
    virtually(async || {
        for name in UBLOX {
            let world = ublox(name, Boot::AlreadyOn);
            let modem = &world.modem;
            run_ublox(&world, VInt::Awaited, async |bench| {
                bench.control.wait_up().await.unwrap();
                assert_eq!(bench.control.power_off().await, Ok(Shutdown::Confirmed));
                let bytes = modem.bytes_in();
                Timer::after_secs(600).await;
                let off = BringUpError::PoweredOff;
                assert_eq!(bench.control.wait_up().await, Err(off), "{name}");
                assert!(modem.bytes_in() == bytes && !modem.status_pin(), "{name}");
                bench.control.power_on();
                echoes(bench).await;
            })
            .await;
        }
    });
}
