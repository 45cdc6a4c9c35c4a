//! A driver and a simulated network processor of TI's in virtual time, nHIB wired.

use std::future::Future;
use std::rc::Rc;

use sectag::modem::{Credentials, Full, HasClock};
use sectag::wifi::WifiConfig;
use sectag::{ConnectError, Power, Socket};
use sectag_cc3200::nwp::{Config, G2, Nwp};
use sectag_simulator::{MemoryNetwork, NwpOptions, Simulator};

use crate::bench::Bench;
use crate::recovery::Line;
use crate::simulated::{HOST, PORT, TLS, World, store_shared};

/// The network that the simulator has.
pub const WIFI: WifiConfig = match WifiConfig::wpa2("lab", "S3cretKey") {
    Ok(wifi) => wifi,
    Err(_) => panic!("it is a network"),
};

/// A driver for it.
pub const CONFIG: Config = Config::new(WIFI);

/// A date at which the test PKI is valid.
pub fn now() -> sectag::clock::DateTime {
    let seconds = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("it is after 1970")
        .as_secs();
    sectag::clock::DateTime::from_unix(seconds).expect("it is this century")
}

/// A network processor in a network without servers.
pub fn world(options: NwpOptions) -> World {
    let network = MemoryNetwork::new();
    World {
        modem: Simulator::nwp(options, Rc::new(network.clone())),
        network,
    }
}

/// nHIB of a simulated chip.
pub struct Hib(pub Simulator);

impl Power for Hib {
    fn has_power_key(&self) -> bool {
        false
    }

    fn has_reset(&self) -> bool {
        true
    }

    fn power_key(&mut self, _: bool) {}

    fn reset(&mut self, asserted: bool) {
        self.0.reset_pin(asserted);
    }

    fn status(&mut self) -> Option<bool> {
        None
    }
}

/// Runs an application on a driver of the chip.
pub async fn attach<T, A: Future<Output = T>>(
    world: &World,
    config: Config,
    application: impl FnOnce(Bench<Nwp<G2>>) -> A,
) -> T {
    attach_over(world, Line::default(), config, application).await
}

/// The same over a UART that does not always move bytes.
pub async fn attach_over<T, A: Future<Output = T>>(
    world: &World,
    line: Line,
    config: Config,
    application: impl FnOnce(Bench<Nwp<G2>>) -> A,
) -> T {
    let power = Hib(world.modem.clone());
    world
        .attach_driver(line, Nwp::<G2>::new(config), power, application)
        .await
        .expect("the MCU lives")
}

/// Stores what [`TLS`] needs, and sets the clock.
pub async fn provision<M: Full + Credentials + HasClock>(bench: Bench<M>) {
    store_all(bench).await;
    bench.control.set_clock(now()).await.expect("it is set");
}

/// Stores what [`TLS`] needs.
pub async fn store_all<M: Full + Credentials>(bench: Bench<M>) {
    store_shared(bench.control, TLS.tag()).await;
}

/// Connects to the peer.
pub async fn connect<M: Full>(bench: Bench<M>) -> Result<Socket<'static>, ConnectError> {
    bench.sockets.connect(HOST, PORT, &TLS).await
}
