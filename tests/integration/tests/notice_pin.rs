//! An MCU that sleeps with a socket open: the modem is let sleep while nothing happens, and wakes the MCU by its pin.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;

use embassy_futures::join::join;
use embassy_futures::select::{Either3, select3};
use embassy_time::{Duration, Instant, Timer, with_timeout};
use embedded_io_adapters::tokio_1::FromTokio;
use embedded_io_async::{Read, Write};
use sectag::modem::{Full, Sleeps};
use sectag::{
    AtError, NoPins, NoticePin, Notices, Power, Runner, Socket, SocketError, State, TlsConfig,
};
use sectag_bg96::{Bg96, Config};
use sectag_integration_tests::Bench;
use sectag_integration_tests::nrf9160::{self, Wired};
use sectag_integration_tests::simulated::{self, HOST, PORT, store_shared, virtually};
use sectag_nrf9160::{AnyFirmware, Family, Nrf9160, SerialModem};
use sectag_simulator::{
    MemoryNetwork, NoticePin as SimulatedPin, Nrf9160Options, Nrf9160Profile, Options, Simulator,
};
use sectag_test_support::pki::Pki;
use sectag_test_support::tls_server::{TlsStream, serve_tls, server_config};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream};

const HOUR: Duration = Duration::from_secs(3600);

/// BG96, or Nordic's Serial Modem, with DTR wired.
struct Dtr(Simulator);

impl Power for Dtr {
    fn has_power_key(&self) -> bool {
        false
    }
    fn has_reset(&self) -> bool {
        false
    }
    fn power_key(&mut self, _pressed: bool) {}
    fn reset(&mut self, _asserted: bool) {}
    fn status(&mut self) -> Option<bool> {
        None
    }
    fn has_sleep(&self) -> bool {
        true
    }
    fn sleep(&mut self, asleep: bool) {
        self.0.sleep_pin(asleep);
    }
}

/// A kind of modem on a board.
struct Board<M, P> {
    modem: Simulator,
    network: MemoryNetwork,
    backend: fn() -> M,
    pins: fn(Simulator) -> P,
    tls: TlsConfig,
    /// The UART of the MCU is off: what the modem says is lost.
    deaf: Rc<Cell<bool>>,
}

/// Answers take time, so that something can happen meanwhile.
const TURNAROUND: Duration = Duration::from_millis(10);

fn bg96() -> Board<Bg96, Dtr> {
    let network = MemoryNetwork::new();
    let options = Options {
        turnaround: TURNAROUND,
        baud: Some(115_200),
        ..Options::default()
    };
    Board {
        modem: Simulator::bg96(options, Rc::new(network.clone())),
        network,
        backend: || Bg96::new(Config::new()),
        pins: Dtr,
        tls: simulated::TLS,
        deaf: Rc::default(),
    }
}

fn slm(dialect: &str) -> Board<Nrf9160, Wired> {
    let profile = Nrf9160Profile::named(dialect).unwrap();
    nordic(profile, || Nrf9160::new(nrf9160::CONFIG), Wired, |_| {})
}

fn sm_of<F: Family>(
    backend: fn() -> Nrf9160<F>,
    change: impl FnOnce(&mut Nrf9160Options),
) -> Board<Nrf9160<F>, Dtr> {
    nordic(Nrf9160Profile::SERIAL_MODEM, backend, Dtr, change)
}

fn nordic<F: Family, P>(
    profile: Nrf9160Profile,
    backend: fn() -> Nrf9160<F>,
    pins: fn(Simulator) -> P,
    change: impl FnOnce(&mut Nrf9160Options),
) -> Board<Nrf9160<F>, P> {
    let network = MemoryNetwork::new();
    let mut options = Nrf9160Options {
        turnaround: TURNAROUND,
        baud: Some(115_200),
        ..nrf9160::options(profile)
    };
    change(&mut options);
    Board {
        modem: Simulator::nrf9160(options, Rc::new(network.clone())),
        network,
        backend,
        pins,
        tls: nrf9160::TLS,
        deaf: Rc::default(),
    }
}

/// Found at run time.
fn sm() -> Board<Nrf9160, Dtr> {
    sm_of(|| Nrf9160::new(nrf9160::CONFIG), |_| {})
}

/// Known by type, on a modem whose RI pulses.
fn sm_that_pulses() -> Board<Nrf9160<SerialModem>, Dtr> {
    let backend = || Nrf9160::of_family(nrf9160::CONFIG);
    sm_of(backend, |options| options.ri_pulses = true)
}

/// From switching the UART on to the first byte that is heard.
const UART_START: Duration = Duration::from_millis(20);

type Rx = FromTokio<tokio::io::ReadHalf<DuplexStream>>;
type Tx = FromTokio<tokio::io::WriteHalf<DuplexStream>>;

impl<M, P> Board<M, P> {
    /// The board with other pins wired.
    fn wired<Q>(self, pins: fn(Simulator) -> Q) -> Board<M, Q> {
        Board {
            modem: self.modem,
            network: self.network,
            backend: self.backend,
            pins,
            tls: self.tls,
            deaf: self.deaf,
        }
    }
}

impl<M: Full + Sleeps + 'static, P: Power> Board<M, P> {
    fn pin(&self) -> NoticePin<SimulatedPin> {
        NoticePin::new(self.modem.notice_pin())
    }

    /// Runs an application beside a driver whose UART can be switched off.
    async fn run<T, N: Notices>(
        &self,
        with_pin: impl FnOnce(Runner<'static, M, Rx, Tx, P>) -> Runner<'static, M, Rx, Tx, P, N>,
        application: impl AsyncFnOnce(Bench<M>) -> T,
    ) -> T {
        let (host, near) = tokio::io::duplex(4096);
        let (far, device) = tokio::io::duplex(4096);
        let (mut from_host, mut to_host) = tokio::io::split(near);
        let (mut from_modem, mut to_modem) = tokio::io::split(far);
        let hear = async {
            let mut bytes = [0; 256];
            loop {
                let count = tokio::io::AsyncReadExt::read(&mut from_modem, &mut bytes).await;
                let count = count.unwrap();
                if !self.deaf.get() {
                    to_host.write_all(&bytes[..count]).await.unwrap();
                }
            }
        };
        let wires = join(tokio::io::copy(&mut from_host, &mut to_modem), hear);
        let (rx, tx) = tokio::io::split(host);
        // Leaked, as a firmware's static is.
        let state: &'static mut State<'static, M, 2, 2048, 1024> =
            Box::leak(Box::new(State::new()));
        let (control, runner) = sectag::new(
            state,
            (self.backend)(),
            FromTokio::new(rx),
            FromTokio::new(tx),
            (self.pins)(self.modem.clone()),
        );
        let mut runner = with_pin(runner);
        let modem = join(wires, self.modem.serve(device));
        match select3(modem, runner.run(), application(Bench { control })).await {
            Either3::First(_) => unreachable!("the wires do not end"),
            Either3::Second(error) => panic!("the runner ended: {error}"),
            Either3::Third(result) => result,
        }
    }

    /// Runs `application` with a notice pin, and a UART that is off while the modem sleeps.
    async fn run_deaf<T>(
        &self,
        habits: impl FnOnce(NoticePin<SimulatedPin>) -> NoticePin<SimulatedPin>,
        application: impl AsyncFnOnce(Bench<M>) -> T,
    ) -> T {
        let deaf = self.deaf.clone();
        let turns = Rc::new(Cell::new(0));
        let pin = habits(self.pin()).switch(move |on| {
            let turn = turns.get() + 1;
            turns.set(turn);
            if !on {
                return deaf.set(true);
            }
            // It takes a while until the first byte is heard.
            let (deaf, turns) = (deaf.clone(), turns.clone());
            tokio::task::spawn_local(async move {
                Timer::after(UART_START).await;
                if turns.get() == turn {
                    deaf.set(false);
                }
            });
        });
        self.run(|runner| runner.with_notice_pin(pin), application)
            .await
    }

    /// Serves [`echo_later`], and returns when it sent last.
    fn serve(&self) -> Rc<Cell<Instant>> {
        let sent = Rc::new(Cell::new(Instant::MIN));
        let pki = Pki::shared();
        let config = server_config(&pki.issue_server([HOST.as_str()]), Some(&pki.ca_pem()));
        let server = sent.clone();
        self.network.register(HOST.as_str(), PORT, move |stream| {
            let (config, sent) = (config.clone(), server.clone());
            let handler = move |stream| echo_later(stream, sent.clone());
            tokio::task::spawn_local(async move {
                let _ = serve_tls(stream, config, handler).await;
            });
        });
        sent
    }

    async fn connect(&self, bench: Bench<M>) -> Socket<'static> {
        bench.control.connect(HOST, PORT, &self.tls).await.unwrap()
    }

    async fn provision(&self, bench: Bench<M>) {
        store_shared(bench.control, self.tls.tag()).await;
    }
}

/// For each line `<millis> <text>` it sends the text back, so many milliseconds later, and when that was.
async fn echo_later(stream: TlsStream<DuplexStream>, sent: Rc<Cell<Instant>>) -> io::Result<()> {
    let (reader, mut writer) = tokio::io::split(stream);
    let mut lines = BufReader::new(reader).lines();
    while let Some(line) = lines.next_line().await? {
        let (millis, text) = line.split_once(' ').unwrap();
        Timer::after_millis(millis.parse().unwrap()).await;
        sent.set(Instant::now());
        writer.write_all(text.as_bytes()).await?;
        writer.flush().await?;
    }
    Ok(())
}

/// Exchanges in an idle hour with a socket.
async fn idle_hour<M: Full + Sleeps + 'static, P: Power>(
    board: &Board<M, P>,
    bench: Bench<M>,
) -> u64 {
    board.provision(bench).await;
    let _socket = board.connect(bench).await;
    // Its first minutes are in no hour that is typical.
    Timer::after_secs(600).await;
    let before = board.modem.exchanges();
    Timer::after(HOUR).await;
    board.modem.exchanges() - before
}

/// Without the pin, with it, and with it and no liveness.
fn table<M: Full + Sleeps + 'static, P: Power>(board: impl Fn() -> Board<M, P>) -> [u64; 3] {
    let counts = Rc::new(RefCell::new(Vec::new()));
    for way in 0..3 {
        virtually(async || {
            let board = board();
            board.serve();
            let idle = async |bench| idle_hour(&board, bench).await;
            let count = match way {
                0 => board.run(|runner| runner, idle).await,
                1 => board.run_deaf(|pin| pin, idle).await,
                _ => board.run_deaf(NoticePin::without_liveness, idle).await,
            };
            counts.borrow_mut().push(count);
        });
    }
    let counts = counts.borrow().clone();
    counts.try_into().unwrap()
}

#[test]
fn an_idle_hour_takes_few_exchanges_with_the_pin_or_none() {
    for (name, [without, with, never]) in [
        ("BG96", table(bg96)),
        ("nRF9160 3.1", table(|| slm("3.1"))),
        ("nRF9160 3.1 native", table(|| slm("3.1-native"))),
        ("Serial Modem", table(sm)),
    ] {
        println!(
            "{name}: {without} exchanges in an idle hour, {with} with the pin, {never} without liveness"
        );
        assert!((119..=190).contains(&without), "{name}: {without}");
        assert!((6..=60).contains(&with), "{name}: {with}");
        assert_eq!(never, 0, "{name}");
    }
}

/// The modem is not let sleep: it is asked as without the notice pin. `look` gets the time from the peer's send to the read.
fn stays_awake<M: Full + Sleeps + 'static, P: Power>(
    board: Board<M, P>,
    look: impl AsyncFnOnce(&Simulator, Bench<M>, Duration),
) {
    virtually(async || {
        let sent = board.serve();
        board
            .run_deaf(
                |pin| pin,
                async |bench| {
                    board.provision(bench).await;
                    let mut socket = board.connect(bench).await;
                    let (text, latency) = exchange(&mut socket, 60_000, &sent).await;
                    assert_eq!(text, *b"news");
                    assert!(!bench.control.is_asleep());
                    look(&board.modem, bench, latency).await;
                },
            )
            .await;
    });
}

/// A firmware that does not tell of data while it sleeps (up to 2.8) stays awake.
#[test]
fn a_firmware_without_notices_is_asked_as_without_the_pin() {
    stays_awake(slm("2.5"), async |_, _, latency| {
        assert!(latency <= Duration::from_millis(1500), "{latency}");
    });
}

/// Asks for an answer after so many milliseconds, and returns it with the time from the peer's send to the read.
async fn exchange(
    socket: &mut Socket<'_>,
    millis: u64,
    sent: &Cell<Instant>,
) -> ([u8; 4], Duration) {
    socket
        .write_all(format!("{millis} news\n").as_bytes())
        .await
        .unwrap();
    socket.flush().await.unwrap();
    let mut text = [0; 4];
    let read = socket.read_exact(&mut text);
    let limit = Duration::from_millis(millis + 30_000);
    with_timeout(limit, read)
        .await
        .unwrap_or_else(|_| panic!("the answer after {millis} ms was never told of"))
        .unwrap();
    (text, Instant::now() - sent.get())
}

/// The peer's bytes come at every moment around the begin of sleep, in it, and around what it is woken for.
fn nothing_is_lost<M: Full + Sleeps + 'static, P: Power>(
    name: &str,
    board: impl Fn() -> Board<M, P>,
) {
    virtually(async || {
        let board = board();
        let sent = board.serve();
        let habits = |pin: NoticePin<SimulatedPin>| pin.liveness(Duration::from_secs(3));
        board
            .run_deaf(habits, async |bench| {
                board.provision(bench).await;
                let mut socket = board.connect(bench).await;
                let (mut worst, mut asleep) = (Duration::MIN, Duration::MIN);
                // About 1000 sleep begins, 3 s later it is woken, and then it sleeps again.
                for millis in (0..900)
                    .step_by(50)
                    .chain(900..1300)
                    .chain((1300..4000).step_by(90))
                    .chain((4000..5600).step_by(3))
                {
                    let (text, latency) = exchange(&mut socket, millis, &sent).await;
                    assert_eq!(text, *b"news", "{name}, {millis}");
                    worst = worst.max(latency);
                    if (1500..3900).contains(&millis) {
                        asleep = asleep.max(latency);
                    }
                }
                println!(
                    "{name}: first byte after at most {} ms, in deep sleep {} ms",
                    worst.as_millis(),
                    asleep.as_millis()
                );
                assert!(worst <= Duration::from_millis(1500), "{name}: {worst}");
                assert_eq!(bench.control.counters().restarts, 0, "{name}");
            })
            .await;
    });
}

#[test]
fn no_byte_is_lost_around_a_sleep_of_a_bg96() {
    nothing_is_lost("BG96", bg96);
}

#[test]
fn no_byte_is_lost_around_a_sleep_of_an_nrf9160() {
    nothing_is_lost("nRF9160 3.1", || slm("3.1"));
    nothing_is_lost("nRF9160 3.1 native", || slm("3.1-native"));
}

#[test]
fn no_byte_is_lost_around_a_sleep_of_serial_modem() {
    nothing_is_lost("Serial Modem", sm);
    nothing_is_lost("Serial Modem, RI pulses", sm_that_pulses);
}

/// What wakes it is a use, and data comes in the moment in which the UART is not heard yet.
fn a_use_loses_nothing<M: Full + Sleeps + 'static, P: Power>(name: &str, board: Board<M, P>) {
    virtually(async || {
        board.serve();
        board
            .run_deaf(NoticePin::without_liveness, async |bench| {
                board.provision(bench).await;
                let mut socket = board.connect(bench).await;
                for moment in (2900..3200).step_by(3) {
                    socket.write_all(b"3000 news\n").await.unwrap();
                    socket.flush().await.unwrap();
                    Timer::after_millis(moment).await;
                    // It is answered with nothing.
                    socket.write_all(b"0 \n").await.unwrap();
                    let mut text = [0; 4];
                    socket.flush().await.unwrap();
                    let read = with_timeout(Duration::from_secs(3), socket.read_exact(&mut text));
                    let read = read.await;
                    assert!(matches!(read, Ok(Ok(()))), "{name}, {moment}: {read:?}");
                    assert_eq!(text, *b"news", "{name}");
                }
            })
            .await;
    });
}

#[test]
fn no_byte_is_lost_that_comes_as_a_use_wakes_the_modem() {
    a_use_loses_nothing("BG96", bg96());
    a_use_loses_nothing("nRF9160 3.1", slm("3.1"));
    a_use_loses_nothing("Serial Modem", sm());
    a_use_loses_nothing("Serial Modem, RI pulses", sm_that_pulses());
}

/// A board with the pin of the other firmware alone: it is asked as without the notice pin.
#[test]
fn serial_modem_without_dtr_stays_awake() {
    stays_awake(sm().wired(Wired), async |_, bench, _| {
        assert_eq!(bench.control.sleep().await, Err(AtError::Unsupported));
    });
}

/// A banner that nobody hears, since the UART is off, rings.
#[test]
fn a_reset_that_the_pin_tells_is_seen_within_two_seconds() {
    rings_at_a_reset(bg96());
    // Sheet 1.6: the newest.
    let backend = || Nrf9160::<AnyFirmware>::new(nrf9160::CONFIG);
    rings_at_a_reset(sm_of(backend, |options| options.dtr_at_boot = true));
}

fn rings_at_a_reset<M: Full + Sleeps + 'static, P: Power>(board: Board<M, P>) {
    virtually(async || {
        board.serve();
        board
            .run_deaf(
                |pin| pin.without_liveness(),
                async |bench| {
                    board.provision(bench).await;
                    let mut socket = board.connect(bench).await;
                    Timer::after_secs(100).await;
                    assert!(bench.control.is_asleep());
                    board.modem.reset();
                    while !board.modem.indicate_pin() {
                        Timer::after_millis(1).await;
                    }
                    let rang = Instant::now();
                    let read = socket.read(&mut [0; 8]).await;
                    assert_eq!(read, Err(SocketError::ConnectionReset));
                    let seen = rang.elapsed();
                    println!("a reset is seen {} ms after its banner", seen.as_millis());
                    assert!(seen <= Duration::from_secs(2), "{seen}");
                    drop(socket);
                    bench.control.wait_up().await.unwrap();
                    board.connect(bench).await;
                },
            )
            .await;
    });
}

/// Serial LTE Modem, and Serial Modem whose UART is on at a start, say `Ready` on the UART alone.
#[test]
fn a_reset_that_nothing_tells_is_seen_with_the_liveness_or_at_the_next_use() {
    is_seen_late(|| slm("3.1"));
    // Up to the tagged releases.
    is_seen_late(sm);
}

fn is_seen_late<P: Power>(board: impl Fn() -> Board<Nrf9160, P>) {
    for never in [false, true] {
        virtually(async || {
            let board = board();
            board.serve();
            let habits = |pin: NoticePin<SimulatedPin>| {
                if never { pin.without_liveness() } else { pin }
            };
            board
                .run_deaf(habits, async |bench| {
                    board.provision(bench).await;
                    let mut socket = board.connect(bench).await;
                    let status = bench.control.status().await;
                    let told = status.light_sleep.unwrap().to_string();
                    assert_eq!(told.contains("at the next use only"), never, "{told}");
                    Timer::after_secs(100).await;
                    assert!(bench.control.is_asleep());
                    board.modem.reset();
                    let mut bytes = [0; 8];
                    let read = with_timeout(Duration::from_secs(700), socket.read(&mut bytes));
                    let lost = Err(SocketError::ConnectionReset);
                    if never {
                        assert!(read.await.is_err());
                        socket.write_all(b"0 news\n").await.unwrap();
                        assert_eq!(socket.flush().await, Err(SocketError::ConnectionReset));
                    } else {
                        assert_eq!(read.await, Ok(lost));
                    }
                    drop(socket);
                    board.connect(bench).await;
                })
                .await;
        });
    }
}

/// Without what wakes it, the modem is not let sleep.
#[test]
fn without_a_wake_pin_everything_is_as_without_the_notice_pin() {
    stays_awake(slm("3.1").wired(|_| NoPins), async |modem, _, _| {
        let lines = modem.commands();
        assert!(!lines.iter().any(|line| line.starts_with(b"AT#XSLEEP")));
    });
}
