//! A driver and a simulated network processor of TI's in virtual time, on a UART or an SPI, nHIB wired.

use std::future::Future;
use std::rc::Rc;

use embassy_futures::select::{Either4, select4};
use embassy_time::Timer;
use sectag::modem::{Credentials, Full, HasClock};
use sectag::wifi::WifiConfig;
use sectag::{ConnectError, NoPin, Pins, Socket, State};
use sectag_cc3200::nwp::spi::Link;
use sectag_cc3200::nwp::{Config, G2, Generation, Nwp, Wiring};
use sectag_simulator::{MemoryNetwork, NwpOptions, ResetLine, Simulator};

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

/// The pins of a driver on a UART: nHIB alone.
pub fn pins(modem: &Simulator) -> Pins<NoPin, ResetLine> {
    Pins::new().with_reset(modem.reset_line()).active_low()
}

/// Runs an application on a driver of the chip, of the second generation.
pub async fn attach<T, A: Future<Output = T>>(
    wiring: Wiring,
    world: &World,
    config: Config,
    application: impl FnOnce(Bench<Nwp<G2>>) -> A,
) -> T {
    attach_as(wiring, world, config, application).await
}

/// A driver of any generation beside the chip while `application` runs.
pub async fn attach_as<G: Generation, T, A: Future<Output = T>>(
    wiring: Wiring,
    world: &World,
    config: Config,
    application: impl FnOnce(Bench<Nwp<G>>) -> A,
) -> T {
    let nwp = Nwp::<G>::new(config.wiring(wiring));
    match wiring {
        Wiring::Uart => world
            .attach_driver(Line::default(), nwp, pins(&world.modem), application)
            .await
            .expect("the MCU lives"),
        Wiring::Spi => attach_spi(world, nwp, application).await,
    }
}

async fn attach_spi<G: Generation, T, A: Future<Output = T>>(
    world: &World,
    nwp: Nwp<G>,
    application: impl FnOnce(Bench<Nwp<G>>) -> A,
) -> T {
    let spi = world.modem.spi();
    // Leaked, as a firmware's statics are.
    let link = Box::leak(Box::new(Link::new()));
    let hib = world.modem.reset_line();
    let (mut bus, rx, tx, hib) = link.split(spi.clone(), spi.host_intr(), hib);
    let state: &'static mut State<'static, Nwp<G>, 2, 2048, 1024> =
        Box::leak(Box::new(State::new()));
    let (control, mut runner) = sectag::new(state, nwp, rx, tx, hib);
    let application = async {
        let result = application(Bench { control }).await;
        // The chip takes in what was sent before the end.
        Timer::after_millis(1).await;
        result
    };
    let serve = world.modem.serve_spi();
    let ended = select4(serve, bus.run(), runner.run(), application).await;
    assert_eq!(spi.faults(), [""; 0]);
    match ended {
        Either4::First(end) => panic!("the SPI is not served: {end:?}"),
        Either4::Second(never) => match never {},
        Either4::Third(error) => panic!("the runner ended: {error}"),
        Either4::Fourth(result) => result,
    }
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
    bench.control.connect(HOST, PORT, &TLS).await
}
