//! A driver and a simulated nRF9160 in virtual time, in every dialect, with TLS servers in memory.

use std::cell::Cell;
use std::future::Future;
use std::io;
use std::rc::Rc;

use embassy_futures::join::join;
use embassy_futures::select::{Either, select};
use embedded_io_adapters::tokio_1::FromTokio;
use sectag::{ConnectError, Control, NoPins, Power, Socket, State, Suites, Tag, TlsConfig};
use sectag_nrf9160::{Config, Nrf9160};
use sectag_simulator::{MemoryNetwork, Nrf9160Options, Nrf9160Profile, Simulator};
use sectag_test_support::pki::Pki;
use sectag_test_support::tls_server::TlsStream;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

pub use crate::harness::round_trip;
use crate::harness::{beside, commands, serve_at};
use crate::simulated::{HOST, PORT, store_shared};
use crate::wire::Wire;

/// Where [`provision`] stores, and [`connect`] looks.
pub const TAG: Tag = Tag(321);
/// The name is checked by this modem, so that the CA need not be private; its cipher suites can in most
/// dialects neither be chosen nor told.
pub const TLS: TlsConfig = TlsConfig::new(TAG).client_certificate().suites(Suites::All);
/// What all boards have.
pub const CONFIG: Config = Config::new().flow_control();

/// What an application has.
#[derive(Clone, Copy)]
pub struct Bench {
    /// The handle of the modem.
    pub control: Control<'static, Nrf9160>,
}

type Rings = State<'static, Nrf9160, 2, 2048, 1024>;

/// A simulated modem and the network it sees.
pub struct World {
    /// The modem.
    pub modem: Simulator,
    /// Where servers are.
    pub network: MemoryNetwork,
}

impl World {
    /// A modem with these options, in a network without servers.
    pub fn new(options: Nrf9160Options) -> Self {
        let network = MemoryNetwork::new();
        Self {
            modem: Simulator::nrf9160(options, Rc::new(network.clone())),
            network,
        }
    }

    /// Serves every connection to [`HOST`], and to a host of another name, with TLS, client certificate required.
    pub fn serve<H, F, T>(&self, handler: H)
    where
        H: Fn(TlsStream<DuplexStream>) -> F + Clone + 'static,
        F: Future<Output = io::Result<T>> + 'static,
    {
        for name in [HOST.as_str(), "other.sectag.test"] {
            self.serve_named(name, HOST.as_str(), handler.clone());
        }
    }

    /// Serves every connection to `host`, whose certificate has this name, as [`serve`](Self::serve) does.
    pub fn serve_as<H, F, T>(&self, host: &'static str, handler: H)
    where
        H: Fn(TlsStream<DuplexStream>) -> F + Clone + 'static,
        F: Future<Output = io::Result<T>> + 'static,
    {
        self.serve_named(host, host, handler);
    }

    fn serve_named<H, F, T>(&self, host: &'static str, name: &'static str, handler: H)
    where
        H: Fn(TlsStream<DuplexStream>) -> F + Clone + 'static,
        F: Future<Output = io::Result<T>> + 'static,
    {
        let pki = Pki::shared();
        serve_at(
            &self.network,
            host,
            &pki.issue_server([name]),
            &pki.ca_pem(),
            handler,
        );
    }

    /// A driver beside the modem, wired with RTS and CTS, while `application` runs.
    pub async fn attach<T, A: Future<Output = T>>(
        &self,
        application: impl FnOnce(Bench) -> A,
    ) -> T {
        self.attach_with(CONFIG, application).await
    }

    /// A driver with this configuration beside the modem while `application` runs. May be called again, as after a reset of the
    /// MCU alone.
    pub async fn attach_with<T, A: Future<Output = T>>(
        &self,
        config: Config,
        application: impl FnOnce(Bench) -> A,
    ) -> T {
        self.attach_by(config, NoPins, application).await
    }

    /// A driver with this configuration and these pins beside the modem while `application` runs.
    pub async fn attach_by<T, A: Future<Output = T>>(
        &self,
        config: Config,
        power: impl Power,
        application: impl FnOnce(Bench) -> A,
    ) -> T {
        let (host, device) = tokio::io::duplex(4096);
        self.attach_over(host, device, config, power, application)
            .await
    }

    /// A driver that hears nothing of the modem while `deaf` is set: what it says then is lost.
    pub async fn attach_deaf<T, A: Future<Output = T>>(
        &self,
        deaf: Rc<Cell<bool>>,
        application: impl FnOnce(Bench) -> A,
    ) -> T {
        let (host, near) = tokio::io::duplex(4096);
        let (far, device) = tokio::io::duplex(4096);
        let (mut from_host, mut to_host) = tokio::io::split(near);
        let (mut from_modem, mut to_modem) = tokio::io::split(far);
        let hear = async {
            let mut bytes = [0; 256];
            while let Ok(count) = from_modem.read(&mut bytes).await {
                if !deaf.get() && to_host.write_all(&bytes[..count]).await.is_err() {
                    break;
                }
            }
        };
        let wire = async {
            let _ = join(tokio::io::copy(&mut from_host, &mut to_modem), hear).await;
            std::future::pending::<()>().await;
        };
        match select(
            wire,
            self.attach_over(host, device, CONFIG, NoPins, application),
        )
        .await
        {
            Either::First(()) => unreachable!("it is pending for ever"),
            Either::Second(result) => result,
        }
    }

    /// A driver at the end of a wire that does not keep time.
    pub async fn attach_wired<T, A: Future<Output = T>>(
        &self,
        wire: Wire,
        seed: u64,
        application: impl FnOnce(Bench) -> A,
    ) -> T {
        let (host, device, carry) = wire.lay(seed);
        let attached = self.attach_over(host, device, CONFIG, NoPins, application);
        match select(carry, attached).await {
            Either::First(()) => unreachable!("it is pending for ever"),
            Either::Second(result) => result,
        }
    }

    async fn attach_over<T, A: Future<Output = T>>(
        &self,
        host: DuplexStream,
        device: DuplexStream,
        config: Config,
        power: impl Power,
        application: impl FnOnce(Bench) -> A,
    ) -> T {
        let (rx, tx) = tokio::io::split(host);
        // Leaked, as a firmware's static is.
        let state: &'static mut Rings = Box::leak(Box::new(State::new()));
        let (control, mut runner) = sectag::new(
            state,
            Nrf9160::new(config),
            FromTokio::new(rx),
            FromTokio::new(tx),
            power,
        );
        beside(
            &self.modem,
            device,
            runner.run(),
            application(Bench { control }),
        )
        .await
    }

    /// Every command line so far.
    pub fn commands(&self) -> Vec<String> {
        commands(&self.modem)
    }
}

/// A unit of this dialect.
pub fn options(profile: Nrf9160Profile) -> Nrf9160Options {
    Nrf9160Options {
        profile,
        ..Nrf9160Options::default()
    }
}

/// Those in which TLS sockets are used: all without native TLS, and native ones from 2.6 on.
pub fn usable() -> Vec<Nrf9160Profile> {
    let native = ["2.6-native", "2.7-native", "3.1-native"];
    let native = native.map(|name| Nrf9160Profile::named(name).unwrap());
    Nrf9160Profile::ALL.into_iter().chain(native).collect()
}

/// The name of a dialect, as the tests say which one failed.
pub fn label(profile: &Nrf9160Profile) -> String {
    let native = if profile.native.is_some() {
        "-native"
    } else {
        ""
    };
    format!("{}{native}", profile.name)
}

/// Stores a set of credentials under [`TAG`].
pub async fn provision(bench: Bench) {
    store_shared(bench.control, TAG).await;
}

/// Connects to [`HOST`] with [`TLS`].
pub async fn connect(bench: Bench) -> Result<Socket<'static>, ConnectError> {
    bench.control.connect(HOST, PORT, &TLS).await
}

/// Every byte value, runs of `+` of many lengths and at many places, and what looks like answers.
pub fn awkward() -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..=255).collect();
    for run in 1..12 {
        bytes.extend(vec![b'+'; run]);
        bytes.extend([run as u8, b'"', b'\r', b'\n']);
    }
    for trap in [
        &b"\r\nOK\r\n"[..],
        b"\r\nERROR\r\n",
        b"Ready\r\n",
        b"\r\n#XDATAMODE: 0\r\n",
        b"AT+CFUN=0\r\n",
        b"#XMODEM: FAULT,0x1,0x2\r\n\x08\x7f\x1a\x00+++",
    ] {
        bytes.extend(trap);
    }
    bytes
}

/// A board that wires the modem's wake and reset pins.
pub struct Wired(pub Simulator);

impl Power for Wired {
    fn has_power_key(&self) -> bool {
        true
    }

    fn has_reset(&self) -> bool {
        true
    }

    fn power_key(&mut self, pressed: bool) {
        self.0.power_key(pressed);
    }

    fn reset(&mut self, asserted: bool) {
        self.0.reset_pin(asserted);
    }

    fn status(&mut self) -> Option<bool> {
        None
    }
}
