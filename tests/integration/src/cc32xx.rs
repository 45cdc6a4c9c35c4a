//! A driver and a simulated CC3220 or CC3235 with TI's AT application, in virtual time, reset wired.

use std::future::Future;
use std::rc::Rc;

use sectag_cc3200::at::{Cc32xx, Config};
use sectag_simulator::{Cc32xxOptions, MemoryNetwork, Simulator};

use crate::bench::Bench;
use crate::cc31xx::{WIFI, pins};
pub use crate::cc31xx::{connect, provision, store_all};
use crate::recovery::Line;
use crate::simulated::World;

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

/// A driver over a UART that does not always move bytes, while `application` runs.
pub async fn attach_over<T, A: Future<Output = T>>(
    world: &World,
    line: Line,
    config: Config,
    application: impl FnOnce(Bench<Cc32xx>) -> A,
) -> T {
    let power = pins(&world.modem);
    world
        .attach_driver(line, Cc32xx::new(config), power, application)
        .await
        .expect("the MCU lives")
}
