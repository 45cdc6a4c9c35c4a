//! What the harnesses must know of a kind of modem: its backend, its simulator, and where that keeps what.

use std::rc::Rc;

use embassy_time::Duration;
use embedded_io_adapters::tokio_1::FromTokio;
use sectag::modem::{Full, Modem};
use sectag::{Kind, NoPins, Runner, State, Tag};
use sectag_bg96::{Bg96, Config};
use sectag_cc3200::at::{Cc32xx, Config as Cc32xxConfig};
use sectag_nrf9160::{Config as NrfConfig, Nrf9160};
use sectag_simulator::{
    AtVersion, Cc32xxOptions, Chunk, NativeStore, Network, Nrf9160Options, Nrf9160Profile, Options,
    ShortRangeOptions, ShortRangeProfile, Simulator, UbloxOptions, UbloxProfile,
};
use sectag_test_support::pki::Pki;
use sectag_ublox::cellular::{Config as UbloxConfig, UbloxCellular};
use sectag_ublox::short_range::{Config as ShortRangeConfig, ShortRange};
use tokio::io::{DuplexStream, ReadHalf, WriteHalf};

use crate::bench::Bench;
use crate::short_range::CONFIG;
use crate::simulated::{TLS, credentials};

/// A driver's end of the UART.
type Rx = FromTokio<ReadHalf<DuplexStream>>;
type Tx = FromTokio<WriteHalf<DuplexStream>>;

/// A driver that runs for ever.
pub type Driver<M> = (Bench<M>, Runner<'static, M, Rx, Tx, NoPins>);

/// A kind of modem, a firmware of it, and how it is configured.
pub trait Unit: Clone + 'static {
    /// Its backend.
    type Backend: Full + Modem + 'static;

    /// A command that is answered by several lines.
    const LISTING: &'static str;
    /// A command that is answered by one line.
    const QUERY: &'static str = "+CEREG?";

    /// As reports call it.
    fn name(&self) -> String;

    /// A new driver's.
    fn backend(&self) -> Self::Backend;

    /// A new driver with as many sockets as a harness may want, and receive rings that take all that an
    /// operation may leave unread while data is pushed.
    fn start(&self, uart: DuplexStream) -> Driver<Self::Backend>;

    /// A new unit.
    fn simulator(&self, network: Rc<dyn Network>) -> Simulator;

    /// What [`Simulator::files`] calls this credential.
    fn file(&self, tag: Tag, kind: Kind) -> String;

    /// Whether this one of [`Simulator::files`] is of the tag, or a trace of storing it.
    fn is_of(&self, file: &str, tag: Tag) -> bool;

    /// Most connections at a time.
    fn sockets(&self) -> usize {
        3
    }

    /// Largest TLS record that it takes.
    fn record_limit(&self) -> usize {
        usize::MAX
    }

    /// Credentials can be changed while there are connections.
    fn stores_connected(&self) -> bool {
        true
    }

    /// What is sent while it is not known what the modem waits for.
    fn filler(&self) -> &'static [u8] {
        b"+ATQ0V1\x1b\r\n"
    }

    /// Bytes that a peer may get beyond those written, when the MCU dies while it ends data mode.
    fn leaks(&self) -> usize {
        0
    }

    /// Returns this unit with a modem that starts at once, so that a test can wait for it in real time.
    fn quick(&self) -> Self;

    /// Returns this unit with a UART that cuts everything, and with notices inside answers where its modem has them.
    fn in_pieces(&self) -> Self;

    /// Puts what [`TLS`] needs into the modem behind the driver's back.
    fn install(&self, modem: &Simulator, pki: &Pki) {
        for (kind, pem) in credentials(pki) {
            modem.put_file(&self.file(TLS.tag(), kind), pem.as_bytes());
        }
    }
}

fn start<M: Full, const SOCKETS: usize>(backend: M, uart: DuplexStream) -> Driver<M> {
    let (rx, tx) = tokio::io::split(uart);
    // Leaked, as a firmware's static is.
    let state: &'static mut State<'static, M, SOCKETS, 4096, 1024> =
        Box::leak(Box::new(State::new()));
    let (control, runner) = sectag::new(
        state,
        backend,
        FromTokio::new(rx),
        FromTokio::new(tx),
        NoPins,
    );
    (Bench { control }, runner)
}

/// A Quectel BG96.
#[derive(Clone)]
pub struct Bg96Unit {
    /// How its driver is configured.
    pub config: Config,
    /// How it behaves.
    pub options: Options,
}

impl Unit for Bg96Unit {
    type Backend = Bg96;
    const LISTING: &'static str = "+QFLST";

    fn name(&self) -> String {
        "BG96".into()
    }

    fn backend(&self) -> Bg96 {
        Bg96::new(self.config)
    }

    fn start(&self, uart: DuplexStream) -> Driver<Bg96> {
        start::<_, 4>(self.backend(), uart)
    }

    fn quick(&self) -> Self {
        let mut quick = self.clone();
        quick.options.activation_delay = Duration::from_millis(50);
        quick.options.reset_time = Duration::from_millis(300);
        quick.options.sim_init = Duration::from_millis(50);
        quick
    }

    fn in_pieces(&self) -> Self {
        let mut cut = self.clone();
        cut.options.turnaround = Duration::from_millis(2);
        cut.options.chunk = Chunk::Random { max: 50 };
        cut.options.urc_inside_responses = true;
        cut
    }

    fn simulator(&self, network: Rc<dyn Network>) -> Simulator {
        Simulator::bg96(self.options.clone(), network)
    }

    fn file(&self, tag: Tag, kind: Kind) -> String {
        let extension = match kind {
            Kind::ClientCertificate => "crt",
            Kind::PrivateKey => "key",
            _ => "ca",
        };
        format!("st{tag}.{extension}")
    }

    fn is_of(&self, file: &str, tag: Tag) -> bool {
        file.starts_with(&format!("st{tag}."))
    }
}

/// An nRF9160 with one of its firmwares.
#[derive(Clone)]
pub struct Nrf9160Unit {
    /// How its driver is configured.
    pub config: NrfConfig,
    /// How it behaves.
    pub options: Nrf9160Options,
}

impl Nrf9160Unit {
    /// A firmware by the name of its profile.
    ///
    /// # Panics
    /// When there is none of that name.
    pub fn new(name: &str) -> Self {
        let profile = Nrf9160Profile::named(name).expect("a dialect");
        Self {
            config: NrfConfig::new().flow_control(),
            options: Nrf9160Options {
                profile,
                ..Nrf9160Options::default()
            },
        }
    }

    /// Returns this unit with changed options of its modem.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Nrf9160Options)) -> Self {
        change(&mut self.options);
        self
    }

    fn native(&self) -> Option<NativeStore> {
        self.options.profile.native.map(|native| native.store)
    }
}

impl Unit for Nrf9160Unit {
    type Backend = Nrf9160;
    const LISTING: &'static str = "#XCLAC";

    fn name(&self) -> String {
        let native = if self.native().is_some() {
            "-native"
        } else {
            ""
        };
        format!("nRF9160 {}{native}", self.options.profile.name)
    }

    fn backend(&self) -> Nrf9160 {
        Nrf9160::new(self.config)
    }

    fn start(&self, uart: DuplexStream) -> Driver<Nrf9160> {
        if self.sockets() < 3 {
            start::<_, 2>(self.backend(), uart)
        } else {
            start::<_, 3>(self.backend(), uart)
        }
    }

    fn quick(&self) -> Self {
        self.clone()
            .with(|options| options.boot_time = Duration::from_millis(300))
    }

    fn in_pieces(&self) -> Self {
        self.clone().with(|options| {
            options.turnaround = Duration::from_millis(2);
            options.chunk = Chunk::Random { max: 50 };
        })
    }

    fn simulator(&self, network: Rc<dyn Network>) -> Simulator {
        Simulator::nrf9160(self.options.clone(), network)
    }

    fn file(&self, tag: Tag, kind: Kind) -> String {
        let number = Kind::ALL.iter().position(|known| *known == kind);
        let number = number.expect("it is one of them");
        match self.native() {
            None => format!("modem/{tag}/{number}"),
            Some(NativeStore::Mapped) => format!("modem/{tag}{number}/0"),
            Some(NativeStore::Settings) => format!("settings/{tag}/{number}"),
        }
    }

    fn is_of(&self, file: &str, tag: Tag) -> bool {
        Kind::ALL
            .into_iter()
            .any(|kind| file == self.file(tag, kind))
    }

    fn sockets(&self) -> usize {
        match self.native() {
            None => 3,
            Some(NativeStore::Mapped) => 1,
            Some(NativeStore::Settings) => 2,
        }
    }

    fn record_limit(&self) -> usize {
        let native = self.options.profile.native;
        native.map_or(self.options.modem_record_limit, |native| {
            native.record_limit
        })
    }

    fn stores_connected(&self) -> bool {
        self.native() == Some(NativeStore::Settings)
    }

    fn filler(&self) -> &'static [u8] {
        b"+ATCME?\x08\"\r\n"
    }

    fn leaks(&self) -> usize {
        // Serial Modem was told how many bytes to take.
        if self.options.profile.serial_modem {
            0
        } else {
            2
        }
    }
}

/// A u-blox cellular module of some model.
#[derive(Clone)]
pub struct UbloxUnit {
    /// How its driver is configured.
    pub config: UbloxConfig,
    /// How it behaves.
    pub options: UbloxOptions,
}

impl UbloxUnit {
    /// A model by the name of its profile.
    ///
    /// # Panics
    /// When there is none of that name.
    pub fn new(name: &str) -> Self {
        let profile = UbloxProfile::named(name).expect("a dialect");
        Self {
            config: UbloxConfig::new(),
            options: UbloxOptions {
                profile,
                ..UbloxOptions::default()
            },
        }
    }

    /// Returns this unit with changed options of its modem.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut UbloxOptions)) -> Self {
        change(&mut self.options);
        self
    }
}

impl Unit for UbloxUnit {
    type Backend = UbloxCellular;
    const LISTING: &'static str = "+USECMNG=3";

    fn name(&self) -> String {
        format!("u-blox {}", self.options.profile.name)
    }

    fn backend(&self) -> UbloxCellular {
        UbloxCellular::new(self.config)
    }

    fn start(&self, uart: DuplexStream) -> Driver<UbloxCellular> {
        start::<_, 4>(self.backend(), uart)
    }

    fn quick(&self) -> Self {
        self.clone().with(|options| {
            options.boot_time = Duration::from_millis(300);
            options.activation_delay = Duration::from_millis(50);
        })
    }

    fn in_pieces(&self) -> Self {
        self.clone().with(|options| {
            options.turnaround = Duration::from_millis(2);
            options.chunk = Chunk::Random { max: 50 };
        })
    }

    fn simulator(&self, network: Rc<dyn Network>) -> Simulator {
        Simulator::ublox(self.options.clone(), network)
    }

    fn file(&self, tag: Tag, kind: Kind) -> String {
        let (of, end) = match kind {
            Kind::Ca => (0, "ca"),
            Kind::ClientCertificate => (1, "cert"),
            _ => (2, "key"),
        };
        format!("{of}/st{tag}_{end}")
    }

    fn is_of(&self, file: &str, tag: Tag) -> bool {
        Kind::ALL
            .into_iter()
            .any(|kind| file == self.file(tag, kind))
    }

    fn filler(&self) -> &'static [u8] {
        b"+ATCME?\r\n"
    }
}

/// A u-blox Wi-Fi module of some model.
#[derive(Clone)]
pub struct ShortRangeUnit {
    /// How its driver is configured.
    pub config: ShortRangeConfig,
    /// How it behaves.
    pub options: ShortRangeOptions,
}

impl ShortRangeUnit {
    /// A model by the name of its profile, near its access point.
    ///
    /// # Panics
    /// When there is none of that name.
    pub fn new(name: &str) -> Self {
        let profile = ShortRangeProfile::named(name).expect("a dialect");
        Self {
            config: CONFIG,
            options: ShortRangeOptions {
                profile,
                ..ShortRangeOptions::default()
            },
        }
    }

    /// Returns this unit with changed options of its modem.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut ShortRangeOptions)) -> Self {
        change(&mut self.options);
        self
    }
}

impl Unit for ShortRangeUnit {
    type Backend = ShortRange;
    const LISTING: &'static str = "+UWSSTAT";
    const QUERY: &'static str = "+UMRS?";

    fn name(&self) -> String {
        format!("u-blox {}", self.options.profile.name)
    }

    fn backend(&self) -> ShortRange {
        ShortRange::new(self.config)
    }

    fn start(&self, uart: DuplexStream) -> Driver<ShortRange> {
        start::<_, 4>(self.backend(), uart)
    }

    fn quick(&self) -> Self {
        self.clone().with(|options| {
            options.boot_time = Duration::from_millis(300);
            options.link_delay = Duration::from_millis(50);
            options.address_delay = Duration::from_millis(50);
        })
    }

    fn in_pieces(&self) -> Self {
        self.clone().with(|options| {
            options.turnaround = Duration::from_millis(2);
            options.chunk = Chunk::Random { max: 50 };
            options.answer_cut = 7;
            options.data_unit = 100;
        })
    }

    fn simulator(&self, network: Rc<dyn Network>) -> Simulator {
        Simulator::short_range(self.options.clone(), network)
    }

    fn file(&self, tag: Tag, kind: Kind) -> String {
        let (of, end) = match kind {
            Kind::Ca => (0, "ca"),
            Kind::ClientCertificate => (1, "cc"),
            _ => (2, "pk"),
        };
        format!("{of}/st{tag}{end}")
    }

    fn is_of(&self, file: &str, tag: Tag) -> bool {
        Kind::ALL
            .into_iter()
            .any(|kind| file == self.file(tag, kind))
    }

    /// What an MCU that finds the module so sends first completes a frame that was never ended.
    fn filler(&self) -> &'static [u8] {
        b"+\xaa\0\x07\x0aDATE0UMS?\r\n"
    }
}

/// A CC3220 or CC3235 with TI's AT application.
#[derive(Clone)]
pub struct Cc32xxUnit {
    /// How its driver is configured.
    pub config: Cc32xxConfig,
    /// How it behaves.
    pub options: Cc32xxOptions,
}

impl Cc32xxUnit {
    /// One with this version of the application, near its access point, with its date set.
    pub fn new(version: AtVersion) -> Self {
        Self {
            config: crate::cc32xx::CONFIG,
            options: Cc32xxOptions {
                version,
                clock: Some(std::time::SystemTime::now().into()),
                ..Cc32xxOptions::default()
            },
        }
    }

    /// Returns this unit with changed options of its modem.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Cc32xxOptions)) -> Self {
        change(&mut self.options);
        self
    }
}

impl Unit for Cc32xxUnit {
    type Backend = Cc32xx;
    const LISTING: &'static str = "+FileGetFileList";
    const QUERY: &'static str = "+NetCfgGet=ipv4_sta_addr";

    fn name(&self) -> String {
        format!("CC32xx {:?}", self.options.version)
    }

    fn backend(&self) -> Cc32xx {
        Cc32xx::new(self.config)
    }

    fn start(&self, uart: DuplexStream) -> Driver<Cc32xx> {
        start::<_, 4>(self.backend(), uart)
    }

    fn quick(&self) -> Self {
        self.clone().with(|options| {
            options.boot_time = Duration::from_millis(300);
            options.join_time = Duration::from_millis(50);
            options.address_time = Duration::from_millis(50);
        })
    }

    fn in_pieces(&self) -> Self {
        self.clone()
            .with(|options| options.chunk = Chunk::Random { max: 50 })
    }

    fn simulator(&self, network: Rc<dyn Network>) -> Simulator {
        Simulator::cc32xx(self.options.clone(), network)
    }

    fn file(&self, tag: Tag, kind: Kind) -> String {
        let word = match kind {
            Kind::Ca => "ca",
            Kind::ClientCertificate => "cert",
            _ => "key",
        };
        format!("/cert/{tag}_{word}.der")
    }

    fn is_of(&self, file: &str, tag: Tag) -> bool {
        file.starts_with(&format!("/cert/{tag}_"))
    }

    /// What completes a line that an earlier life has begun.
    fn filler(&self) -> &'static [u8] {
        b",\n"
    }

    /// The chip takes DER.
    fn install(&self, modem: &Simulator, pki: &Pki) {
        for (kind, pem) in credentials(pki) {
            modem.put_file(&self.file(TLS.tag(), kind), &der(&pem));
        }
    }
}

/// The first block of a PEM.
fn der(pem: &str) -> Vec<u8> {
    let mut decoder = sectag::inspect::Base64::new();
    let mut der = Vec::new();
    let lines = pem.lines().skip_while(|line| !line.starts_with("-----"));
    for line in lines.skip(1).take_while(|line| !line.starts_with("-----")) {
        for character in line.trim().bytes() {
            der.extend(decoder.push(character).expect("it is base64"));
        }
    }
    der
}
