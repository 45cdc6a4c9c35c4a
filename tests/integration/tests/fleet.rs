//! The example of fleet provisioning on simulated modems: it ends with a set of the device's own, and whatever goes wrong on
//! the way, the tag in flash connects and doing it again ends well.

use std::cell::Cell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use embassy_futures::select::{Either, select};
use embassy_time::{Duration, Instant, Timer};
use sectag::csr::Subject;
use sectag::modem::Full;
use sectag::{CaScope, NoPins, Tag, TlsConfig};
use sectag_bg96::Config;
use sectag_fleet_example::device::{DeviceKey, Door, FleetError, provision};
use sectag_fleet_example::keys::{InModem, Rsa};
use sectag_fleet_example::server::{Mishap, serve};
use sectag_integration_tests::Bench;
use sectag_integration_tests::recovery::Line;
use sectag_integration_tests::simulated::{HOST, PORT, TLS, World, virtually};
use sectag_integration_tests::unit::{Bg96Unit, Nrf9160Unit, Unit};
use sectag_nrf9160::{ModemKey, Nrf9160};
use sectag_simulator::Options;
use sectag_test_support::pki::Pki;

/// The claim is what the harness installs.
const CLAIM: Tag = TLS.tag();
const OWN: Tag = Tag(8);
const PATIENCE: Duration = Duration::from_secs(900);

fn tls(tag: Tag) -> TlsConfig {
    TlsConfig::new(tag)
        .client_certificate()
        .ca_scope(CaScope::Private)
}

/// A modem with the claim, and a door at which the first connection with a question meets a mishap.
fn world(unit: &impl Unit, mishap: Mishap) -> World {
    let world = World::of(unit);
    unit.install(&world.modem, Pki::shared());
    let next = Rc::new(Cell::new(mishap));
    world.serve(move |stream| {
        let mishap = next.replace(Mishap::None);
        serve(stream, Pki::shared(), mishap)
    });
    world
}

/// A whole try, as after a start of the MCU.
async fn try_once<M: Full, K: DeviceKey>(
    bench: Bench<M>,
    key: &mut K,
    flash: &Cell<Tag>,
) -> Result<(), FleetError> {
    let ca = Pki::shared().ca_pem();
    let door = Door {
        name: HOST,
        port: PORT,
        ca: &ca,
        tls,
    };
    let subject = Subject::new("pump-17").organization("Example");
    let control = bench.control;
    let remember = |tag| flash.set(tag);
    provision(control, &door, (CLAIM, OWN), &subject, key, remember).await
}

/// What the tag in flash is worth, and, when that is the claim still, that the rest goes well.
async fn go_on<M: Full, K: DeviceKey>(
    bench: Bench<M>,
    key: &mut K,
    flash: &Cell<Tag>,
    context: &str,
) {
    let start = Instant::now();
    let socket = loop {
        match bench.control.connect(HOST, PORT, &tls(flash.get())).await {
            Ok(socket) => break socket,
            Err(error) => assert!(
                start.elapsed() < PATIENCE,
                "{context}: tag {} does not connect: {error}",
                flash.get()
            ),
        }
        Timer::after_secs(1).await;
    };
    let _ = socket.close().await;
    if flash.get() == CLAIM {
        let done = try_once(bench, key, flash).await;
        done.unwrap_or_else(|error| panic!("{context}: again: {error}"));
    } else {
        for kind in sectag::Kind::ALL {
            bench.control.remove(CLAIM, kind).await.unwrap();
        }
    }
    assert_eq!(flash.get(), OWN, "{context}");
    let socket = bench.control.connect(HOST, PORT, &tls(OWN)).await;
    let socket = socket.unwrap_or_else(|error| panic!("{context}: {error}"));
    let _ = socket.close().await;
    let mut left = 0;
    let counted = bench.control.list_tag(CLAIM, &mut |_| left += 1).await;
    counted.unwrap();
    assert_eq!(left, 0, "{context}");
}

/// Both kinds of test for a unit and its key, which two types have and no trait could name: it borrows the driver.
macro_rules! both {
    ($unit:expr, |$bench:ident| $key:expr) => {{
        let unit = $unit;
        let name = unit.name();
        mishaps!(unit, name, |$bench| $key);
        cuts!(unit, name, |$bench| $key);
    }};
}

macro_rules! mishaps {
    ($unit:ident, $name:ident, |$bench:ident| $key:expr) => {
        for mishap in [
            Mishap::None,
            Mishap::JsonCut,
            Mishap::OtherKey,
            Mishap::ClosesHalfWay,
            Mishap::Refuses,
        ] {
            let context = format!("{}, {mishap:?}", $name);
            virtually(async || {
                let world = world(&$unit, mishap);
                let flash = Cell::new(CLAIM);
                let line = Line::default();
                let lives = world.attach_driver(line, $unit.backend(), NoPins, async |$bench| {
                    let mut key = $key;
                    let tried = try_once($bench, &mut key, &flash).await;
                    let named = match (mishap, &tried) {
                        (Mishap::None, Ok(())) => true,
                        (Mishap::JsonCut, Err(FleetError::NotJson)) => true,
                        (Mishap::OtherKey, Err(FleetError::OtherKey)) => true,
                        (Mishap::ClosesHalfWay, Err(FleetError::Cut)) => true,
                        (Mishap::Refuses, Err(FleetError::Refused(403))) => true,
                        _ => false,
                    };
                    assert!(named, "{context}: {tried:?}");
                    let expected = if tried.is_ok() { OWN } else { CLAIM };
                    assert_eq!(flash.get(), expected, "{context}");
                    go_on($bench, &mut key, &flash, &context).await;
                });
                lives.await.expect("it lives");
            });
        }
    };
}

macro_rules! cuts {
    ($unit:ident, $name:ident, |$bench:ident| $key:expr) => {{
        let (first, total) = virtually(async || {
            let world = world(&$unit, Mishap::None);
            let flash = Cell::new(CLAIM);
            let line = Line::default();
            let first = world.attach_driver(line, $unit.backend(), NoPins, async |$bench| {
                $bench.control.wait_up().await.unwrap();
                let first = world.modem.exchanges();
                try_once($bench, &mut $key, &flash).await.unwrap();
                first
            });
            let first = first.await.expect("it lives");
            (first + 1, world.modem.exchanges())
        });
        let mut kept = [0, 0];
        for count in first..=total {
            let context = format!("{}, power cut after exchange {count} of {total}", $name);
            virtually(async || {
                let world = world(&$unit, Mishap::None);
                let flash = Cell::new(CLAIM);
                let line = Line::default();
                let cut = world.attach_driver(line, $unit.backend(), NoPins, async |$bench| {
                    $bench.control.wait_up().await.unwrap();
                    let reached = poll_fn(|_| match world.modem.exchanges() >= count {
                        true => Poll::Ready(()),
                        false => Poll::Pending,
                    });
                    let mut key = $key;
                    if let Either::Second(done) =
                        select(reached, try_once($bench, &mut key, &flash)).await
                    {
                        done.unwrap();
                    }
                });
                cut.await.expect("it lives");
                world.modem.reset();
                kept[usize::from(flash.get() == OWN)] += 1;
                let line = Line::default();
                let again = world.attach_driver(line, $unit.backend(), NoPins, async |$bench| {
                    go_on($bench, &mut $key, &flash, &context).await;
                });
                again.await.expect("it lives");
            });
        }
        println!(
            "{}: {} power cuts, all connect: {} with the claim, {} with the device's own",
            $name,
            total + 1 - first,
            kept[0],
            kept[1]
        );
        assert!(kept.iter().all(|count| *count > 0), "{kept:?}");
    }};
}

#[test]
fn bg96_with_a_key_made_outside() {
    // Made once: it takes longer than all the rest.
    let rsa = Rsa::generate();
    let (config, options) = (Config::new(), Options::default());
    both!(Bg96Unit { config, options }, |bench| rsa.clone());
}

#[test]
fn nrf9160_with_a_key_made_in_the_modem() {
    let mut unit = Nrf9160Unit::new("2.1");
    unit.config = unit.config.generated_key();
    both!(unit, |bench| key_of(bench));
}

fn key_of(bench: Bench<Nrf9160>) -> InModem<'static, sectag_nrf9160::AnyFirmware> {
    InModem(ModemKey(bench.control, OWN))
}
