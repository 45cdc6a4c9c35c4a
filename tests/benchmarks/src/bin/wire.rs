//! What the driver puts on the UART and how long it takes there, in virtual time against the simulator, so
//! that every run prints the same. `tests/bench` runs it.
//!
//! `wire NAME EXCHANGES SENT RECEIVED MS`, bytes as the driver sees them; then `rate NAME BYTES/S FORMULA/S`.

use std::future::Future;
use std::io;
use std::rc::Rc;

use embassy_futures::join::join;
use embassy_futures::select::{Either3, select3};
use embassy_time::{Duration, Instant, Timer};
use embedded_io_adapters::tokio_1::FromTokio;
use embedded_io_async::{Read, Write};
use minimq::{Buffers, ConfigBuilder, Publication, QoS, Session};
use sectag::clock::DateTime;
use sectag::modem::{Full, Timing};
use sectag::wifi::WifiConfig;
use sectag::{CaScope, ConnectError, Control, Kind, NoPins, Socket, State, Suites, Tag, TlsConfig};
use sectag_benchmarks::server::{HOST, MESSAGE, MQTT_PORT, be_broker, register};
use sectag_bg96::{Bg96, Config};
use sectag_cc3200::at::{self, Cc32xx};
use sectag_cc3200::nwp::spi::Link;
use sectag_cc3200::nwp::{self, G2, Nwp, Wiring};
use sectag_nrf9160::Nrf9160;
use sectag_simulator::time::block_on_virtual;
use sectag_simulator::{
    Cc32xxOptions, MemoryNetwork, Nrf9160Options, Nrf9160Profile, NwpOptions, NwpSpiOptions,
    Options, ShortRangeOptions, ShortRangeProfile, Simulator, UbloxOptions, UbloxProfile,
};
use sectag_test_support::pki::Pki;
use sectag_test_support::ti_wire::Exchange;
use sectag_test_support::tls_server::TlsStream;
use sectag_ublox::cellular::UbloxCellular;
use sectag_ublox::short_range::ShortRange;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::task::LocalSet;

sectag_simulator::virtual_clock!();

/// Answers a line with a number by that many bytes, a second later.
const BYTES_PORT: u16 = 8882;
const TLS: TlsConfig = TlsConfig::new(Tag(7))
    .client_certificate()
    .ca_scope(CaScope::Private);
/// Longer than whatever follows an operation.
const AFTERMATH: Duration = Duration::from_secs(1);
/// How much a rate is measured on.
const MUCH: usize = 300_000;
const FAST_BAUD: u32 = 460_800;
const TURNAROUND: Duration = Duration::from_millis(20);
const NO_TURNAROUND: Duration = Duration::from_millis(0);

/// A modem that is measured.
struct Measured<M> {
    /// In front of the names of its rows.
    prefix: &'static str,
    backend: fn() -> M,
    tls: TlsConfig,
    /// Bytes that are received in one go, as far as its records hold them.
    sizes: &'static [usize],
    /// How long data without a notice lies; `None` where it needs none.
    unasked: Option<Duration>,
    /// Whether the date has to be set, since the modem gets it from nowhere.
    needs_date: bool,
}

impl<M> Clone for Measured<M> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M> Copy for Measured<M> {}

const BG96: Measured<Bg96> = Measured {
    prefix: "",
    backend: || Bg96::new(Config::new()),
    tls: TLS,
    sizes: &[64, 1460, 20_000],
    unasked: Some(Timing::DEFAULT.poll),
    needs_date: false,
};

/// A dialect of each kind: a current socket, native TLS, handles.
const DIALECTS: [(&str, &str, Duration); 3] = [
    ("2.5", "nRF9160 2.5: ", SLM_POLL),
    ("3.1-native", "nRF9160 3.1 native: ", SLM_POLL),
    ("sm", "nRF9160 SM: ", Timing::DEFAULT.poll),
];
/// Which has no notices.
const SLM_POLL: Duration = Duration::from_secs(1);

const fn nrf9160(prefix: &'static str, unasked: Duration) -> Measured<Nrf9160> {
    Measured {
        prefix,
        backend: || Nrf9160::new(sectag_nrf9160::Config::new().flow_control()),
        // Its cipher suites can in most dialects neither be chosen nor told.
        tls: TLS.suites(Suites::All),
        sizes: &[64, 1460],
        unasked: Some(unasked),
        needs_date: false,
    }
}

/// Models of u-blox: a connect and a close that block no one, and suites as a list; then a read before every write.
const MODELS: [(&str, &str); 2] = [
    ("sara-r5", "SARA-R5: "),
    ("sara-r4-02b", "SARA-R410M-02B: "),
];
const ODIN: &str = "ODIN-W2: ";
/// The largest frame that the driver sends, and that this module does.
const FRAME: (usize, usize) = (2048, 2000);

const fn ublox(prefix: &'static str) -> Measured<UbloxCellular> {
    Measured {
        prefix,
        backend: || UbloxCellular::new(sectag_ublox::cellular::Config::new()),
        tls: TLS,
        sizes: &[64, 1460],
        unasked: Some(Timing::DEFAULT.poll),
        needs_date: false,
    }
}

const SHORT_RANGE: Measured<ShortRange> = Measured {
    prefix: ODIN,
    backend: || {
        let wifi = WifiConfig::wpa2("workshop", "correct horse battery").expect("the simulator's");
        ShortRange::new(sectag_ublox::short_range::Config::new(wifi).flow_control())
    },
    tls: TLS,
    sizes: &[64, 1460],
    unasked: None,
    needs_date: false,
};

const WIFI: WifiConfig = match WifiConfig::wpa2("lab", "S3cretKey") {
    Ok(wifi) => wifi,
    Err(_) => panic!("not a network"),
};
/// At which the PKI is valid. A fixed one, since the AT application writes it in digits.
const DATE: DateTime = match DateTime::new(2026, 11, 20, 12, 0, 0) {
    Some(date) => date,
    None => panic!("not a date"),
};
/// The native protocol, on a UART unless an SPI is asked for.
const CC3120: Measured<Nwp<G2>> = Measured {
    prefix: "CC3120: ",
    backend: || Nwp::new(nwp::Config::new(WIFI)),
    tls: TLS,
    sizes: &[64, 1460],
    // A request for data lies in the chip all the time.
    unasked: None,
    needs_date: true,
};
const CC3220: Measured<Cc32xx> = Measured {
    prefix: "CC3220 AT: ",
    backend: || Cc32xx::new(at::Config::new(WIFI)),
    tls: TLS,
    sizes: &[64, 1460],
    unasked: Some(Duration::from_secs(1)),
    needs_date: true,
};
const SPI_HERTZ: u32 = 20_000_000;

fn main() {
    virtually(async || everyday::<_, 1024>(&World::new(line(115_200)), BG96).await);
    virtually(async || idle::<_, 1024>(&World::new(line(115_200)), BG96).await);
    for (dialect, prefix, unasked) in DIALECTS {
        let measured = nrf9160(prefix, unasked);
        // What one fetch brings must fit.
        virtually(async || everyday::<_, 2048>(&World::nrf9160(dialect), measured).await);
        virtually(async || idle::<_, 2048>(&World::nrf9160(dialect), measured).await);
    }
    for (name, baud, direct_push, formula) in [
        ("fetched, rings of 4096", FAST_BAUD, false, fetch_rate(1500)),
        ("fetched, rings of 1024", FAST_BAUD, false, fetch_rate(1024)),
        ("pushed, rings of 4096", FAST_BAUD, true, push_rate()),
    ] {
        virtually(async || {
            let world = World::new(line(baud));
            let measured = if direct_push { pushed() } else { BG96 };
            let rate = if name.ends_with("4096") {
                world.attach::<_, _, 4096>(measured, receive_rate).await
            } else {
                world.attach::<_, _, 1024>(measured, receive_rate).await
            };
            println!("rate\t{name}\t{rate:.0}\t{formula:.0}");
        });
    }
    for (model, prefix) in MODELS {
        virtually(async || everyday::<_, 1024>(&World::ublox(model, 115_200), ublox(prefix)).await);
        virtually(async || idle::<_, 1024>(&World::ublox(model, 115_200), ublox(prefix)).await);
    }
    virtually(async || everyday::<_, 2048>(&World::short_range(115_200), SHORT_RANGE).await);
    virtually(async || idle::<_, 2048>(&World::short_range(115_200), SHORT_RANGE).await);
    for baud in [115_200, FAST_BAUD] {
        let (fetched, sent) = ublox_rates(baud);
        virtually(async || {
            let world = World::ublox("sara-r5", baud);
            let measured = ublox("SARA-R5: ");
            let rate = world.attach::<_, _, 4096>(measured, receive_rate).await;
            println!("rate\tSARA-R5: fetched at {baud}\t{rate:.0}\t{fetched:.0}");
        });
        virtually(async || {
            let world = World::ublox("sara-r5", baud);
            let rate = world.attach::<_, _, 4096>(ublox(""), send_rate).await;
            println!("rate\tSARA-R5: sent at {baud}\t{rate:.0}\t{sent:.0}");
        });
        virtually(async || {
            let world = World::short_range(baud);
            let rate = world.attach::<_, _, 4096>(SHORT_RANGE, receive_rate).await;
            let formula = edm_rate(FRAME.1, baud);
            println!("rate\t{ODIN}pushed at {baud}\t{rate:.0}\t{formula:.0}");
        });
        virtually(async || {
            let world = World::short_range(baud);
            let rate = world.attach::<_, _, 4096>(SHORT_RANGE, send_rate).await;
            let formula = edm_rate(FRAME.0, baud);
            println!("rate\t{ODIN}sent at {baud}\t{rate:.0}\t{formula:.0}");
        });
    }
    ti();
    virtually(async || {
        let world = World::new(line(FAST_BAUD));
        let rate = world.attach::<_, _, 4096>(BG96, send_rate).await;
        println!(
            "rate\tsent, rings of 4096\t{rate:.0}\t{:.0}",
            frame_rate(1460)
        );
    });
}

/// TI's chips.
fn ti() {
    virtually(async || everyday::<_, 1024>(&World::nwp_on_uart(115_200, TURNAROUND), CC3120).await);
    virtually(async || idle::<_, 1024>(&World::nwp_on_uart(115_200, TURNAROUND), CC3120).await);
    virtually(async || everyday::<_, 1024>(&World::cc32xx(), CC3220).await);
    virtually(async || idle::<_, 1024>(&World::cc32xx(), CC3220).await);
    for baud in [115_200, 3_000_000] {
        let per_second = f64::from(baud) / 10.0;
        let received = Exchange::native_receive(8, 0).rate(per_second);
        let sent = Exchange::native_send(8).rate(per_second);
        virtually(async || {
            let world = World::nwp_on_uart(baud, NO_TURNAROUND);
            let rate = world.attach::<_, _, 4096>(CC3120, receive_rate).await;
            println!("rate\tCC3120: received at {baud}\t{rate:.0}\t{received:.0}");
        });
        virtually(async || {
            let world = World::nwp_on_uart(baud, NO_TURNAROUND);
            let rate = world.attach::<_, _, 4096>(CC3120, send_rate).await;
            println!("rate\tCC3120: sent at {baud}\t{rate:.0}\t{sent:.0}");
        });
    }
    let per_second = f64::from(SPI_HERTZ) / 8.0;
    let received = Exchange::native_receive(4, 4).rate(per_second);
    let sent = Exchange::native_send(4).rate(per_second);
    virtually(async || {
        let world = World::nwp_on_spi();
        let rate = world.attach_spi(receive_rate).await;
        println!("rate\tCC3120: received on an SPI of 20 MHz\t{rate:.0}\t{received:.0}");
    });
    virtually(async || {
        let world = World::nwp_on_spi();
        let rate = world.attach_spi(send_rate).await;
        println!("rate\tCC3120: sent on an SPI of 20 MHz\t{rate:.0}\t{sent:.0}");
    });
    let received = Exchange::at_receive().rate(11_520.0);
    let sent = Exchange::at_send().rate(11_520.0);
    virtually(async || {
        let world = World::cc32xx();
        let rate = world.attach::<_, _, 4096>(CC3220, receive_rate).await;
        println!("rate\tCC3220 AT: fetched at 115200\t{rate:.0}\t{received:.0}");
    });
    virtually(async || {
        let world = World::cc32xx();
        let rate = world.attach::<_, _, 4096>(CC3220, send_rate).await;
        println!("rate\tCC3220 AT: sent at 115200\t{rate:.0}\t{sent:.0}");
    });
}

fn pushed() -> Measured<Bg96> {
    Measured {
        backend: || Bg96::new(Config::new().direct_push()),
        ..BG96
    }
}

fn virtually(run: impl AsyncFnOnce()) {
    let local = LocalSet::new();
    block_on_virtual(local.run_until(async { run().await }))
}

fn line(baud: u32) -> Options {
    Options {
        baud: Some(baud),
        turnaround: TURNAROUND,
        ..Options::default()
    }
}

/// `chunk` bytes cost the command, the turnaround, the header, themselves, and the result; ten bits a byte.
fn fetch_rate(chunk: usize) -> f64 {
    let around = format!("AT+QSSLRECV=0,{chunk}\r\r\n+QSSLRECV: {chunk}\r\n\r\n\r\nOK\r\n").len();
    rate_of(chunk, around)
}

fn frame_rate(chunk: usize) -> f64 {
    let around = format!("AT+QSSLSEND=0,{chunk}\r\r\n> \r\nSEND OK\r\n").len();
    rate_of(chunk, around)
}

/// No command and no turnaround.
fn push_rate() -> f64 {
    let around = "\r\n+QSSLURC: \"recv\",0,1500\r\n\r\n".len();
    1500.0 / (1500 + around) as f64 * f64::from(FAST_BAUD) / 10.0
}

fn rate_of(chunk: usize, around: usize) -> f64 {
    let on_the_wire = (chunk + around) as f64 * 10.0 / f64::from(FAST_BAUD);
    chunk as f64 / (on_the_wire + TURNAROUND.as_micros() as f64 / 1e6)
}

/// SARA moves 1024 bytes at once. A read and a write each cost the turnaround, and the 20 ms of silence that the sheet wants behind
/// a result (B.1.1); a write the 50 ms behind the prompt, too (B.2.3).
fn ublox_rates(baud: u32) -> (f64, f64) {
    const CHUNK: usize = 1024;
    let rate = |around: usize, waits: f64| {
        let on_the_wire = (CHUNK + around) as f64 * 10.0 / f64::from(baud);
        CHUNK as f64 / (on_the_wire + TURNAROUND.as_micros() as f64 / 1e6 + waits)
    };
    let read = "AT+USORD=6,1024\r\r\n+USORD: 6,1024,\"\"\r\n\r\nOK\r\n".len();
    let write = "AT+USOWR=6,1024\r\r\n@\r\n+USOWR: 6,1024\r\n\r\nOK\r\n".len();
    (rate(read, 0.02), rate(write, 0.02 + 0.05))
}

/// Start, length, kind, channel, end: seven bytes around each packet, and no turnaround.
fn edm_rate(packet: usize, baud: u32) -> f64 {
    packet as f64 / (packet + 7) as f64 * f64::from(baud) / 10.0
}

struct World {
    modem: Simulator,
}

impl World {
    fn new(options: Options) -> Self {
        let modem = Simulator::bg96(options, Rc::new(Self::network()));
        Self { modem }
    }

    fn nrf9160(dialect: &str) -> Self {
        let options = Nrf9160Options {
            profile: Nrf9160Profile::named(dialect).expect("a dialect"),
            baud: Some(115_200),
            turnaround: TURNAROUND,
            ..Nrf9160Options::default()
        };
        let modem = Simulator::nrf9160(options, Rc::new(Self::network()));
        Self { modem }
    }

    fn ublox(model: &str, baud: u32) -> Self {
        let options = UbloxOptions {
            profile: UbloxProfile::named(model).expect("a model"),
            baud: Some(baud),
            turnaround: TURNAROUND,
            ..UbloxOptions::default()
        };
        let modem = Simulator::ublox(options, Rc::new(Self::network()));
        Self { modem }
    }

    fn short_range(baud: u32) -> Self {
        let options = ShortRangeOptions {
            profile: ShortRangeProfile::ODIN,
            baud: Some(baud),
            turnaround: TURNAROUND,
            data_unit: FRAME.1,
            ..ShortRangeOptions::default()
        };
        let modem = Simulator::short_range(options, Rc::new(Self::network()));
        Self { modem }
    }

    fn nwp_on_uart(baud: u32, turnaround: Duration) -> Self {
        Self::nwp(NwpOptions {
            baud: Some(baud),
            turnaround,
            ..NwpOptions::default()
        })
    }

    fn nwp_on_spi() -> Self {
        let spi = NwpSpiOptions {
            hertz: Some(SPI_HERTZ),
            ..NwpSpiOptions::default()
        };
        Self::nwp(NwpOptions {
            spi,
            ..NwpOptions::default()
        })
    }

    fn nwp(options: NwpOptions) -> Self {
        let modem = Simulator::nwp(options, Rc::new(Self::network()));
        Self { modem }
    }

    fn cc32xx() -> Self {
        let options = Cc32xxOptions {
            baud: Some(115_200),
            ..Cc32xxOptions::default()
        };
        let modem = Simulator::cc32xx(options, Rc::new(Self::network()));
        Self { modem }
    }

    fn network() -> MemoryNetwork {
        let network = MemoryNetwork::new();
        register(&network, BYTES_PORT, give_bytes);
        register(&network, MQTT_PORT, be_broker);
        network
    }

    async fn attach<M: Full + 'static, T, const RX: usize>(
        &self,
        measured: Measured<M>,
        application: impl AsyncFnOnce(Bench<'_, M>) -> T,
    ) -> T {
        // As little between them as behind a UART with flow control.
        let (host, device) = tokio::io::duplex(64);
        let (rx, tx) = tokio::io::split(host);
        // Leaked, as a firmware's static is.
        let state: &'static mut State<'static, M, 1, RX, RX> = Box::leak(Box::new(State::new()));
        let (control, mut runner) = sectag::new(
            state,
            (measured.backend)(),
            FromTokio::new(rx),
            FromTokio::new(tx),
            NoPins,
        );
        let serve = async {
            let _ = self.modem.serve(device).await;
            std::future::pending::<()>().await;
        };
        let bench = Bench {
            control,
            modem: &self.modem,
            measured,
        };
        match select3(serve, runner.run(), application(bench)).await {
            Either3::First(()) => unreachable!("it is pending for ever"),
            Either3::Second(error) => panic!("the runner ended: {error}"),
            Either3::Third(result) => result,
        }
    }
}

impl World {
    /// A CC3120 on an SPI, with nHIB wired: the bus waits until that has started the chip.
    async fn attach_spi<T>(&self, application: impl AsyncFnOnce(Bench<'_, Nwp<G2>>) -> T) -> T {
        let spi = self.modem.spi();
        // Leaked, as a firmware's statics are.
        let link = Box::leak(Box::new(Link::new()));
        let hib = self.modem.reset_line();
        let (mut bus, rx, tx, hib) = link.split(spi.clone(), spi.host_intr(), hib);
        let state: &'static mut State<'static, Nwp<G2>, 1, 4096, 4096> =
            Box::leak(Box::new(State::new()));
        let backend = Nwp::new(nwp::Config::new(WIFI).wiring(Wiring::Spi));
        let (control, mut runner) = sectag::new(state, backend, rx, tx, hib);
        let bench = Bench {
            control,
            modem: &self.modem,
            measured: CC3120,
        };
        let chip = join(self.modem.serve_spi(), bus.run());
        match select3(chip, runner.run(), application(bench)).await {
            Either3::First((end, _)) => panic!("the SPI is not served: {end:?}"),
            Either3::Second(error) => panic!("the runner ended: {error}"),
            Either3::Third(result) => result,
        }
    }
}

async fn give_bytes(mut stream: TlsStream<DuplexStream>) -> io::Result<()> {
    let mut number = 0;
    loop {
        match stream.read_u8().await? {
            b'\n' => {
                Timer::after(AFTERMATH).await;
                stream.write_all(&vec![b'x'; number]).await?;
                stream.flush().await?;
                number = 0;
            }
            digit @ b'0'..=b'9' => number = number * 10 + usize::from(digit - b'0'),
            // What is sent for its own sake.
            _ => {}
        }
    }
}

struct Bench<'a, M: Full + 'static> {
    control: Control<'static, M>,
    modem: &'a Simulator,
    measured: Measured<M>,
}

impl<M: Full> Bench<'_, M> {
    async fn connect(&self, port: u16) -> Result<Socket<'static>, ConnectError> {
        self.control.connect(HOST, port, &self.measured.tls).await
    }

    /// Prints what `operation` cost, with all that follows from it.
    async fn row<T>(&self, name: &str, operation: impl Future<Output = T>) -> T {
        self.row_after(name, Duration::from_ticks(0), operation)
            .await
    }

    /// Prints the row of an operation that spends the first `waits` waiting for the peer.
    async fn row_after<T>(
        &self,
        name: &str,
        waits: Duration,
        operation: impl Future<Output = T>,
    ) -> T {
        let (before, seen, start) = (
            self.control.counters(),
            self.modem.exchanges(),
            Instant::now(),
        );
        self.modem.take_commands();
        let result = operation.await;
        let took = start.elapsed();
        Timer::after(AFTERMATH).await;
        let after = self.control.counters();
        // As the modem counts: the driver's counter leaves synchronising out.
        let exchanges = self.modem.exchanges() - seen;
        println!(
            "wire\t{}{name}\t{exchanges}\t{}\t{}\t{}",
            self.measured.prefix,
            after.sent - before.sent,
            after.received - before.received,
            (took - waits).as_millis(),
        );
        result
    }

    async fn provision(&self) {
        let pki = Pki::shared();
        let client = pki.client();
        for (kind, pem) in [
            (Kind::Ca, &pki.ca_pem()),
            (Kind::ClientCertificate, &client.cert_pem),
            (Kind::PrivateKey, &client.key_pem),
        ] {
            let pem = pem.as_bytes();
            let stored = self.control.store(TLS.tag(), kind, pem).await;
            stored.expect("it is stored");
        }
        if self.measured.needs_date {
            let set = self.control.set_clock_if_any(DATE).await;
            set.expect("it takes the date");
        }
    }
}

/// At 115 200 baud and 20 ms of turnaround, with rings of 1 KiB.
async fn everyday<M: Full + 'static, const RX: usize>(world: &World, measured: Measured<M>) {
    world
        .attach::<_, _, RX>(measured, async |bench| {
            let up = async { bench.control.wait_up().await.expect("it comes up") };
            bench.row("bring-up, network to be joined", up).await;
            let provision = bench.provision();
            bench
                .row("provisioning, three credentials", provision)
                .await;
            let connect = bench.connect(BYTES_PORT);
            let socket = bench.row("connect, mutual TLS", connect).await;
            let socket = socket.expect("it connects");
            bench.row("close", socket.close()).await.expect("it closes");
            let connect = bench.connect(BYTES_PORT);
            let socket = bench.row("reconnect", connect).await;
            let mut socket = socket.expect("it connects");
            let settings = bench.modem.take_commands();
            let is_key = |line: &&Vec<u8>| {
                let keys = [
                    &b"AT+QSSLCFG"[..],
                    b"AT#XSSOCKETOPT",
                    b"AT+USECPRF",
                    b"AT+SetSockOpt",
                    // The native protocol's.
                    b"\x08\x94",
                ];
                keys.iter().any(|key| line.starts_with(key))
            };
            println!(
                "count\t{}reconnect, of these keys of the TLS context\t{}",
                bench.measured.prefix,
                settings.iter().filter(is_key).count()
            );

            let send = async {
                for piece in MESSAGE.chunks(7) {
                    socket.write_all(piece).await.expect("it is taken");
                }
                socket.flush().await.expect("it is sent");
            };
            bench.row("send of 64 bytes", send).await;
            for &size in measured.sizes {
                let ask = format!("{size}\n");
                socket.write_all(ask.as_bytes()).await.expect("it is taken");
                socket.flush().await.expect("it is sent");
                let receive = async {
                    let mut bytes = vec![0; size];
                    socket.read_exact(&mut bytes).await.expect("it comes");
                };
                let name = format!("receive of {size} bytes");
                bench.row_after(&name, AFTERMATH, receive).await;
            }
            socket.close().await.expect("it closes");

            let (mut rx, mut tx) = ([0; 512], [0; 512]);
            let config = ConfigBuilder::new(Buffers::new(&mut rx, &mut tx));
            let config = config.client_id("bench").expect("short");
            let mut session = Session::new(config.keepalive_interval(600));
            let socket = bench.connect(MQTT_PORT).await;
            let socket = socket.expect("it connects");
            let login = session.connect(socket);
            let mqtt = bench.row("MQTT login, minimq", login).await;
            let mut mqtt = mqtt.expect("the broker takes it");
            let publication = Publication::bytes("counter", &MESSAGE);
            let publish = mqtt.publish(publication.qos(QoS::AtMostOnce));
            let sent = bench.row("MQTT publish of 64 bytes, QoS 0", publish).await;
            sent.expect("it is sent");
            let publish = async {
                let publication = Publication::bytes("counter", &MESSAGE);
                let op = mqtt.publish(publication.qos(QoS::AtLeastOnce)).await;
                let op = op.expect("it is sent").expect("it has a number");
                while mqtt.is_pending(&op) {
                    mqtt.poll().await.expect("it is acknowledged");
                }
            };
            bench.row("MQTT publish of 64 bytes, QoS 1", publish).await;
        })
        .await;
    world
        .attach::<_, _, RX>(measured, async |bench| {
            let up = async { bench.control.wait_up().await.expect("it comes up") };
            bench
                .row("bring-up after a reset of the MCU alone", up)
                .await;
        })
        .await;
}

async fn idle<M: Full + 'static, const RX: usize>(world: &World, measured: Measured<M>) {
    let prefix = measured.prefix;
    world
        .attach::<_, _, RX>(measured, async |bench| {
            bench.provision().await;
            let hour = Timer::after_secs(3600);
            bench.row("idle hour without a socket", hour).await;
            let socket = bench.connect(BYTES_PORT).await;
            let mut socket = socket.expect("it connects");
            // Its first minutes are in no hour that is typical.
            Timer::after_secs(600).await;
            let hour = Timer::after_secs(3600);
            bench.row("idle hour with a socket", hour).await;
            socket.write_all(b"64\n").await.expect("it is taken");
            socket.flush().await.expect("it is sent");
            let sent = Instant::now();
            let mut bytes = [0; 64];
            socket.read_exact(&mut bytes).await.expect("it comes");
            let latency = sent.elapsed() - AFTERMATH;
            println!(
                "count\t{prefix}ms from the peer's 64 bytes to the read, idle before\t{}",
                latency.as_millis()
            );
            // Without its notice, data lies until the socket is asked anyway.
            if let Some(unasked) = measured.unasked {
                println!(
                    "count\t{prefix}ms until data without a notice is asked for, at most\t{}",
                    unasked.as_millis()
                );
            }
        })
        .await;
}

async fn receive_rate<M: Full>(bench: Bench<'_, M>) -> f64 {
    bench.provision().await;
    let socket = bench.connect(BYTES_PORT).await;
    let mut socket = socket.expect("it connects");
    let ask = format!("{MUCH}\n");
    socket.write_all(ask.as_bytes()).await.expect("it is taken");
    socket.flush().await.expect("it is sent");
    let start = Instant::now() + AFTERMATH;
    let (mut buf, mut got) = ([0; 512], 0);
    while got < MUCH {
        got += socket.read(&mut buf).await.expect("it comes");
    }
    MUCH as f64 / (start.elapsed().as_micros() as f64 / 1e6)
}

async fn send_rate<M: Full>(bench: Bench<'_, M>) -> f64 {
    bench.provision().await;
    let socket = bench.connect(BYTES_PORT).await;
    let mut socket = socket.expect("it connects");
    let start = Instant::now();
    socket
        .write_all(&vec![b'x'; MUCH])
        .await
        .expect("it is taken");
    socket.flush().await.expect("it is sent");
    MUCH as f64 / (start.elapsed().as_micros() as f64 / 1e6)
}
