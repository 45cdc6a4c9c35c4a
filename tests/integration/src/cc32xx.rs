//! A driver and a simulated CC3220 or CC3235 with TI's AT application, in virtual time, reset wired.

use std::future::Future;
use std::rc::Rc;

use sectag::{ConnectError, Kind, Socket};
use sectag_cc3200::at::{Cc32xx, Config};
use sectag_simulator::{Cc32xxOptions, MemoryNetwork, Simulator};
use sectag_test_support::pki::Pki;

use crate::bench::Bench;
use crate::cc31xx::{Hib, WIFI, now};
use crate::recovery::Line;
use crate::simulated::{HOST, PORT, TLS, World};

/// A driver for it.
pub const CONFIG: Config = Config::new(WIFI);

/// A module in a network without servers.
pub fn world(options: Cc32xxOptions) -> World {
    let network = MemoryNetwork::new();
    World {
        modem: Simulator::cc32xx(options, Rc::new(network.clone())),
        network,
    }
}

/// Runs an application on a driver of the module.
pub async fn attach<T, A: Future<Output = T>>(
    world: &World,
    config: Config,
    application: impl FnOnce(Bench<Cc32xx>) -> A,
) -> T {
    attach_over(world, Line::default(), config, application).await
}

/// The same over a UART that does not always move bytes.
pub async fn attach_over<T, A: Future<Output = T>>(
    world: &World,
    line: Line,
    config: Config,
    application: impl FnOnce(Bench<Cc32xx>) -> A,
) -> T {
    let power = Hib(world.modem.clone());
    world
        .attach_driver(line, Cc32xx::new(config), power, application)
        .await
        .expect("the MCU lives")
}

/// Stores what [`TLS`] needs, and sets the clock.
pub async fn provision(bench: Bench<Cc32xx>) {
    store_all(bench).await;
    bench.control.set_clock(now()).await.expect("it is set");
}

/// Stores what [`TLS`] needs.
pub async fn store_all(bench: Bench<Cc32xx>) {
    let pki = Pki::shared();
    let client = pki.client();
    for (kind, pem) in [
        (Kind::Ca, &pki.ca_pem()),
        (Kind::ClientCertificate, &client.cert_pem),
        (Kind::PrivateKey, &client.key_pem),
    ] {
        let stored = bench.control.store(TLS.tag(), kind, pem.as_bytes());
        stored.await.expect("it is stored");
    }
}

/// Connects to the peer.
pub async fn connect(bench: Bench<Cc32xx>) -> Result<Socket<'static>, ConnectError> {
    bench.sockets.connect(HOST, PORT, &TLS).await
}
