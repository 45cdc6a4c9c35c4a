//! How long it takes from the power key to the first acknowledged publish, in virtual time against the simulator, so
//! that runs differ by no more than some ms. `docs/pictures/charts` draws it.
//!
//! `start NAME UP CLOCK CONNECT LOGIN PUBLISH`, each in milliseconds. The credentials were stored before.

use std::rc::Rc;

use embassy_futures::select::{Either3, select3};
use embassy_time::{Duration, Instant};
use embedded_io_adapters::tokio_1::FromTokio;
use minimq::{Buffers, ConfigBuilder, Publication, QoS, Session};
use sectag::clock::DateTime;
use sectag::modem::{ClockPart, Full};
use sectag::wifi::WifiConfig;
use sectag::{
    CaScope, ConnectError, Control, Feature, Kind, Power, State, Tag, TlsConfig, TlsVersion,
};
use sectag_benchmarks::server::{HOST, MESSAGE, MQTT_PORT, be_broker, register};
use sectag_bg96::Bg96;
use sectag_cc3200::at::Cc32xx;
use sectag_cc3200::nwp::{G2, Nwp};
use sectag_nrf9160::{AnyFirmware, Nrf9160};
use sectag_simulator::time::block_on_virtual;
use sectag_simulator::{
    Boot, Cc32xxOptions, MemoryNetwork, Nrf9160Options, Nrf9160Profile, NwpOptions, Options,
    ShortRangeOptions, ShortRangeProfile, Simulator, UbloxOptions, UbloxProfile,
};
use sectag_test_support::pki::Pki;
use sectag_ublox::cellular::UbloxCellular;
use sectag_ublox::short_range::ShortRange;
use tokio::task::LocalSet;

sectag_simulator::virtual_clock!();

const BAUD: Option<u32> = Some(115_200);
const TURNAROUND: Duration = Duration::from_millis(20);
const TAG: Tag = Tag(7);
/// The network of the simulated access point.
const SSID: &str = "workshop";
const PASSPHRASE: &str = "correct horse battery";
const WIFI: WifiConfig = match WifiConfig::wpa2(SSID, PASSPHRASE) {
    Ok(wifi) => wifi,
    Err(_) => panic!("no name or passphrase of a network"),
};

/// Each modem is switched off at first or, where it has no switch, just supplied.
fn main() {
    row(
        "BG96",
        Key::Power,
        || Bg96::new(sectag_bg96::Config::new()),
        |network| {
            let options = Options {
                baud: BAUD,
                turnaround: TURNAROUND,
                boot: Boot::Off,
                ..Options::default()
            };
            Simulator::bg96(options, network)
        },
    );
    for (name, dialect) in [
        ("nRF9160, SLM 2.5", "2.5"),
        ("nRF9160, SLM 3.1, native TLS", "3.1-native"),
        ("nRF9160, Serial Modem", "sm"),
    ] {
        row(
            name,
            Key::Power,
            || Nrf9160::<AnyFirmware>::new(sectag_nrf9160::Config::new().flow_control()),
            |network| {
                let options = Nrf9160Options {
                    profile: Nrf9160Profile::named(dialect).expect("a dialect"),
                    baud: BAUD,
                    turnaround: TURNAROUND,
                    boot: Boot::Booting,
                    ..Nrf9160Options::default()
                };
                Simulator::nrf9160(options, network)
            },
        );
    }
    let models = UbloxProfile::ALL.into_iter();
    for profile in models.filter(|profile| profile.name != "unknown") {
        row(
            profile.model,
            Key::Power,
            || UbloxCellular::new(sectag_ublox::cellular::Config::new()),
            |network| {
                let options = UbloxOptions {
                    profile,
                    baud: BAUD,
                    turnaround: TURNAROUND,
                    boot: Boot::Booting,
                    ..UbloxOptions::default()
                };
                Simulator::ublox(options, network)
            },
        );
    }
    for profile in [ShortRangeProfile::ODIN, ShortRangeProfile::NINA] {
        row(
            profile.model,
            Key::Power,
            || ShortRange::new(sectag_ublox::short_range::Config::new(WIFI).flow_control()),
            |network| {
                let options = ShortRangeOptions {
                    profile,
                    baud: BAUD,
                    turnaround: TURNAROUND,
                    boot: Boot::Booting,
                    ..ShortRangeOptions::default()
                };
                Simulator::short_range(options, network)
            },
        );
    }
    row(
        "CC3120, native protocol",
        Key::Reset,
        || Nwp::<G2>::new(sectag_cc3200::nwp::Config::new(WIFI)),
        |network| {
            let options = NwpOptions {
                ssid: SSID.into(),
                key: PASSPHRASE.into(),
                baud: BAUD,
                turnaround: TURNAROUND,
                ..NwpOptions::default()
            };
            Simulator::nwp(options, network)
        },
    );
    row(
        "CC3220, AT application",
        Key::Reset,
        || Cc32xx::new(sectag_cc3200::at::Config::new(WIFI)),
        |network| {
            let options = Cc32xxOptions {
                ssid: SSID.into(),
                key: PASSPHRASE.into(),
                baud: BAUD,
                command_time: TURNAROUND,
                ..Cc32xxOptions::default()
            };
            Simulator::cc32xx(options, network)
        },
    );
}

/// What is wired to start the modem.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Key {
    /// Power key and status pin.
    Power,
    /// A pin that holds it in reset.
    Reset,
}

struct Pins {
    modem: Simulator,
    key: Key,
}

impl Power for Pins {
    fn has_power_key(&self) -> bool {
        self.key == Key::Power
    }
    fn has_reset(&self) -> bool {
        self.key == Key::Reset
    }
    fn power_key(&mut self, pressed: bool) {
        self.modem.power_key(pressed);
    }
    fn reset(&mut self, asserted: bool) {
        self.modem.reset_pin(asserted);
    }
    fn status(&mut self) -> Option<bool> {
        (self.key == Key::Power).then(|| self.modem.status_pin())
    }
}

/// Stores the credentials in one life of the modem, and prints what another one takes.
fn row<M: Full + 'static>(
    name: &str,
    key: Key,
    backend: impl Fn() -> M,
    modem: impl Fn(Rc<MemoryNetwork>) -> Simulator,
) {
    let network = MemoryNetwork::new();
    register(&network, MQTT_PORT, be_broker);
    let network = Rc::new(network);
    let local = LocalSet::new();
    block_on_virtual(local.run_until(async {
        let first = modem(network.clone());
        attach(&first, key, backend(), async |control| {
            control.wait_up().await.expect("it comes up");
            provision(control).await;
        })
        .await;
        let second = modem(network);
        for (name, content) in first.files() {
            second.put_file(&name, &content);
        }
        let took = attach(&second, key, backend(), cold_start).await;
        let took: Vec<String> = took
            .iter()
            .map(|took| took.as_millis().to_string())
            .collect();
        println!("start\t{name}\t{}", took.join("\t"));
    }));
}

async fn attach<M: Full + 'static, T>(
    modem: &Simulator,
    key: Key,
    backend: M,
    application: impl AsyncFnOnce(Control<'static, M>) -> T,
) -> T {
    // As little between them as behind a UART with flow control.
    let (host, device) = tokio::io::duplex(64);
    let (rx, tx) = tokio::io::split(host);
    // Leaked, as a firmware's static is.
    let state: &'static mut State<'static, M, 1, 2048, 1024> = Box::leak(Box::new(State::new()));
    let pins = Pins {
        modem: modem.clone(),
        key,
    };
    let (control, mut runner) =
        sectag::new(state, backend, FromTokio::new(rx), FromTokio::new(tx), pins);
    let serve = async {
        let _ = modem.serve(device).await;
        std::future::pending::<()>().await;
    };
    match select3(serve, runner.run(), application(control)).await {
        Either3::First(()) => unreachable!("it is pending for ever"),
        Either3::Second(error) => panic!("the runner ended: {error}"),
        Either3::Third(result) => result,
    }
}

async fn provision<M: Full>(control: Control<'static, M>) {
    let pki = Pki::shared();
    let client = pki.client();
    for (kind, pem) in [
        (Kind::Ca, &pki.ca_pem()),
        (Kind::ClientCertificate, &client.cert_pem),
        (Kind::PrivateKey, &client.key_pem),
    ] {
        let stored = control.store(TAG, kind, pem.as_bytes()).await;
        stored.expect("it is stored");
    }
}

/// What each stage took: bring-up, clock, connect, login and publish.
async fn cold_start<M: Full + 'static>(control: Control<'static, M>) -> [Duration; 5] {
    let mut begin = Instant::now();
    let mut lap = || {
        let took = begin.elapsed();
        begin += took;
        took
    };
    control.wait_up().await.expect("it comes up");
    let up = lap();
    if M::Clock::THERE {
        let known = control.clock_if_any().await.expect("it has a clock");
        // The network told it, or the application has to.
        if known.is_none_or(|known| known < sectag::clock::MIN_DATE) {
            let now = time_of_the_pki();
            control.set_clock_if_any(now).await.expect("it takes it");
        }
    }
    let clock = lap();
    let config = TlsConfig::new(TAG)
        .client_certificate()
        .ca_scope(CaScope::Private);
    let config = match control.admit(&config) {
        Err(ConnectError::Lacks(Feature::VersionFloor)) => config.min_version(TlsVersion::Tls10),
        _ => config,
    };
    let socket = control.connect(HOST, MQTT_PORT, &config).await;
    let socket = socket.expect("it connects");
    let connect = lap();
    let (mut rx, mut tx) = ([0; 512], [0; 512]);
    let settings = ConfigBuilder::new(Buffers::new(&mut rx, &mut tx));
    let settings = settings.client_id("bench").expect("short");
    let mut session = Session::new(settings.keepalive_interval(600));
    let mqtt = session.connect(socket).await;
    let mut mqtt = mqtt.expect("the broker takes it");
    let login = lap();
    let publication = Publication::bytes("counter", &MESSAGE).qos(QoS::AtLeastOnce);
    let op = mqtt.publish(publication).await;
    let op = op.expect("it is sent").expect("it has a number");
    while mqtt.is_pending(&op) {
        mqtt.poll().await.expect("it is acknowledged");
    }
    [up, clock, connect, login, lap()]
}

/// A date at which its certificates are valid.
fn time_of_the_pki() -> DateTime {
    let now = std::time::SystemTime::now();
    let since = now.duration_since(std::time::UNIX_EPOCH);
    let seconds = since.expect("it is after 1970").as_secs();
    DateTime::from_unix(seconds).expect("it is this century")
}
