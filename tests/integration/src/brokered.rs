//! A driver and a simulated modem whose network leads to a mosquitto that asks for client certificates.
//! In real time, because the broker is real.

use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::sync::OnceLock;
use std::time::Duration;

use embassy_futures::select::{Either3, select3};
use sectag::modem::Full;
use sectag_bg96::{Bg96, Config};
use sectag_simulator::{LoopbackNetwork, Options, Simulator};
use sectag_test_support::mosquitto::{Mosquitto, MosquittoOptions};
use sectag_test_support::pki::Pki;
use tokio::task::LocalSet;

use crate::bench::Bench;
use crate::simulated::{HOST, PORT};
use crate::unit::{Bg96Unit, Unit};

/// Not the shared one, whose server certificate is for other names. Its keys take seconds to make.
static PKI: OnceLock<Pki> = OnceLock::new();

/// What a test has.
pub struct Site<M: Full + 'static = Bg96> {
    /// The driver.
    pub bench: Bench<M>,
    /// The broker; its PKI is not the shared one.
    pub broker: Mosquitto,
    /// The modem. The credentials of [`TLS`](crate::simulated::TLS) are in it.
    pub modem: Simulator,
}

impl<M: Full> Site<M> {
    /// How many frames the modem was given to send so far.
    pub fn sends(&self) -> usize {
        sends(&self.modem)
    }
}

/// How many frames a modem was given to send so far.
pub fn sends(modem: &Simulator) -> usize {
    modem
        .commands()
        .iter()
        .filter(|line| line.starts_with(b"AT+QSSLSEND") || line.starts_with(b"AT#XSEND"))
        .count()
}

/// Runs an application; everything but the broker is on this thread.
pub fn with_broker<T>(options: Options, application: impl AsyncFnOnce(&Site) -> T) -> T {
    let config = Config::new();
    with_broker_of(&Bg96Unit { config, options }, application)
}

/// Runs `application` beside a broker, with a modem of any kind.
pub fn with_broker_of<U: Unit, T>(
    unit: &U,
    application: impl AsyncFnOnce(&Site<U::Backend>) -> T,
) -> T {
    let pki = PKI.get_or_init(|| {
        Pki::builder()
            .server_names([HOST.as_str(), "localhost"])
            .build()
    });
    let broker =
        Mosquitto::start(pki, &MosquittoOptions::new()).expect("mosquitto is installed and starts");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");

    runtime.block_on(LocalSet::new().run_until(async {
        let mut network = LoopbackNetwork::new();
        let target = SocketAddr::from((Ipv4Addr::LOCALHOST, broker.port()));
        network
            .map(HOST.as_str(), PORT, target)
            .expect("it is a loopback address");
        let modem = unit.simulator(Rc::new(network));
        unit.install(&modem, pki);
        let (host, device) = tokio::io::duplex(4096);
        let (bench, mut runner) = unit.start(host);
        let site = Site {
            bench,
            broker,
            modem: modem.clone(),
        };
        let work = tokio::time::timeout(Duration::from_secs(120), application(&site));
        match select3(modem.serve(device), runner.run(), work).await {
            Either3::First(_) | Either3::Second(_) => panic!("modem or driver ended"),
            Either3::Third(result) => result.expect("two minutes are enough"),
        }
    }))
}
