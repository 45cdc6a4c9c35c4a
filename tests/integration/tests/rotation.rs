//! Credentials are replaced, and everything is cut off in between: after each exchange of the whole, by a reset of the
//! MCU, of the modem, or of both. Whatever tag the application has in its flash then connects, and doing it again
//! ends well.

use std::cell::Cell;
use std::future::poll_fn;
use std::task::Poll;

use embassy_futures::select::{Either, select};
use embassy_time::{Duration, Instant, Timer};
use sectag::modem::{Full, Modem};
use sectag::{CaScope, ConnectError, CredentialSet, NoPins, Socket, Suites, Tag, TlsConfig};
use sectag_bg96::Config;
use sectag_cc3200::nwp::{G2, Nwp, Wiring};
use sectag_integration_tests::Bench;
use sectag_integration_tests::cc31xx;
use sectag_integration_tests::recovery::{Line, round_trip, world_of};
use sectag_integration_tests::simulated::{HOST, PORT, TLS, World, store_shared, virtually};
use sectag_integration_tests::unit::{
    Bg96Unit, Cc32xxUnit, Nrf9160Unit, ShortRangeUnit, UbloxUnit, Unit,
};
use sectag_nrf9160::Nrf9160;
use sectag_simulator::{AtVersion, Failure, NwpOptions, Options};
use sectag_test_support::pki::{Identity, Pki};
use sectag_test_support::tls_server::echo;

const OLD: Tag = TLS.tag();
const NEW: Tag = Tag(8);

/// Longer than any modem takes to come back and for a dead connection to be noticed.
const PATIENCE: Duration = Duration::from_secs(900);

/// Who loses power.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    Mcu,
    Modem,
    Both,
}

/// A kind of modem in a world with the old set in it, and a driver for it.
trait Rotates {
    type Modem: Full + 'static;

    fn name(&self) -> String;
    /// Whether this one of the modem's files is of the tag, or a trace of storing it.
    fn is_of(&self, file: &str, tag: Tag) -> bool;
    async fn world(&self) -> World;
    async fn attach<T>(
        &self,
        world: &World,
        application: impl AsyncFnOnce(Bench<Self::Modem>) -> T,
    ) -> T;
}

impl<U: Unit> Rotates for U {
    type Modem = U::Backend;

    fn name(&self) -> String {
        Unit::name(self)
    }

    fn is_of(&self, file: &str, tag: Tag) -> bool {
        Unit::is_of(self, file, tag)
    }

    async fn world(&self) -> World {
        world_of(self).0
    }

    async fn attach<T>(
        &self,
        world: &World,
        application: impl AsyncFnOnce(Bench<U::Backend>) -> T,
    ) -> T {
        let run = async |bench| application(bench).await;
        let ended = world.attach_driver(Line::default(), self.backend(), NoPins, run);
        ended.await.expect("it lives")
    }
}

/// A network processor of TI's over its native protocol. It has no network's time: the application sets the clock at
/// each start.
struct Cc31xx(Wiring);

impl Rotates for Cc31xx {
    type Modem = Nwp<G2>;

    fn name(&self) -> String {
        format!("CC31xx {:?}", self.0)
    }

    fn is_of(&self, file: &str, tag: Tag) -> bool {
        file.starts_with(&format!("/cert/{tag}_"))
    }

    async fn world(&self) -> World {
        let world = cc31xx::world(NwpOptions::default());
        world.serve(echo);
        self.attach(&world, async |bench| store_shared(bench.control, OLD).await)
            .await;
        world
    }

    async fn attach<T>(
        &self,
        world: &World,
        application: impl AsyncFnOnce(Bench<Nwp<G2>>) -> T,
    ) -> T {
        cc31xx::attach(self.0, world, cc31xx::CONFIG, async |bench| {
            while bench.control.set_clock(cc31xx::now()).await.is_err() {
                Timer::after_secs(1).await;
            }
            application(bench).await
        })
        .await
    }
}

/// What survives in the MCU's flash: the tag to use.
type Flash = Cell<Tag>;

fn tls<M: Full>(tag: Tag) -> TlsConfig {
    let tls = TlsConfig::new(tag)
        .client_certificate()
        .ca_scope(CaScope::Private);
    // Its cipher suites can in most dialects neither be chosen nor told.
    if M::NAME == <Nrf9160>::NAME {
        tls.suites(Suites::All)
    } else {
        tls
    }
}

async fn connect<M: Full>(bench: Bench<M>, tag: Tag) -> Result<Socket<'static>, ConnectError> {
    bench.control.connect(HOST, PORT, &tls::<M>(tag)).await
}

/// As an application does it; its flash is written when the new set has proved itself.
async fn rotate<M: Full>(bench: Bench<M>, new: &Identity, flash: &Flash) -> bool {
    let ca = Pki::shared().ca_pem();
    let set = CredentialSet::new()
        .ca(ca.as_bytes())
        .client_certificate(new.cert_pem.as_bytes())
        .private_key(new.key_pem.as_bytes());
    let probe = async || {
        let socket = connect(bench, NEW).await.map_err(|_| ())?;
        flash.set(NEW);
        let _ = socket.close().await;
        Ok::<_, ()>(())
    };
    bench.control.rotate(OLD, NEW, set, probe).await.is_ok()
}

/// Becomes ready with the `count`th exchange of the modem: everything here is one task, so it is polled before another
/// begins.
async fn exchanges(world: &World, count: u64) {
    poll_fn(|_| {
        if world.modem.exchanges() >= count {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}

/// What the tag in flash is worth: it connects, at the latest when the modem is back, and the rotation can be ended.
async fn recover<M: Full>(bench: Bench<M>, new: &Identity, flash: &Flash, context: &str) {
    let start = Instant::now();
    let mut socket = loop {
        match connect(bench, flash.get()).await {
            Ok(socket) => break socket,
            Err(error) => assert!(
                start.elapsed() < PATIENCE,
                "{context}: tag {} does not connect: {error}",
                flash.get()
            ),
        }
        Timer::after_secs(1).await;
        // TI's chips lose the date with their power, and no network tells it. A modem without a clock, or with the
        // network's time, needs none.
        let _ = bench.control.set_clock_if_any(cc31xx::now()).await;
    };
    round_trip(&mut socket, b"still here").await.unwrap();
    // Some modems leave the network for a change, which ends connections.
    socket.close().await.unwrap();
    assert!(rotate(bench, new, flash).await, "{context}: again");
    assert_eq!(flash.get(), NEW, "{context}");
    let socket = connect(bench, NEW).await.unwrap();
    socket.close().await.unwrap();
}

fn cut_everywhere<R: Rotates>(unit: &R) {
    let name = unit.name();
    let pki = Pki::shared();
    let new = pki.issue_client_with_new_key("pump-17");
    let whole = async |world: &World| {
        let flash = Flash::new(OLD);
        unit.attach(world, async |bench| {
            bench.control.wait_up().await.unwrap();
            let first = world.modem.exchanges();
            assert!(rotate(bench, &new, &flash).await);
            first
        })
        .await
    };
    // Counted from the begin of the application, since a world may have been made with exchanges.
    let (first, total) = virtually(async || {
        let world = unit.world().await;
        let before = world.modem.exchanges();
        let first = whole(&world).await;
        (first + 1 - before, world.modem.exchanges() - before)
    });
    let mut kept = [0, 0];
    let mut cases = 0;
    for cut in [Cut::Mcu, Cut::Modem, Cut::Both] {
        for count in first..=total {
            let context = format!("{name}, {cut:?} after exchange {count} of {total}");
            let flash = Flash::new(OLD);
            virtually(async || {
                let world = unit.world().await;
                let count = world.modem.exchanges() + count;
                let cut_off = async |bench: Bench<R::Modem>| {
                    let failing = async {
                        exchanges(&world, count).await;
                        if cut == Cut::Modem {
                            world.modem.fail(Failure::BrownOut);
                            std::future::pending::<()>().await;
                        }
                    };
                    bench.control.wait_up().await.unwrap();
                    match select(failing, rotate(bench, &new, &flash)).await {
                        Either::First(()) => {}
                        Either::Second(_) if cut == Cut::Modem => {
                            kept[usize::from(flash.get() == NEW)] += 1;
                            recover(bench, &new, &flash, &context).await;
                        }
                        Either::Second(done) => assert!(done, "{context}"),
                    }
                };
                unit.attach(&world, cut_off).await;
                if cut != Cut::Modem {
                    if cut == Cut::Both {
                        world.modem.reset();
                    }
                    kept[usize::from(flash.get() == NEW)] += 1;
                    unit.attach(&world, async |bench| {
                        recover(bench, &new, &flash, &context).await;
                    })
                    .await;
                }
                // A key that the modem cannot remove is written over with zeros.
                let files = world.modem.files();
                let mut old = files.iter().filter(|(file, content)| {
                    unit.is_of(file, OLD) && content.iter().any(|byte| *byte != 0)
                });
                assert_eq!(old.next(), None, "{context}: of the old set");
                cases += 1;
            });
        }
    }
    println!(
        "{name}: {cases} cuts after {} exchanges, all connect: {} with the old set, {} with the new",
        total + 1 - first,
        kept[0],
        kept[1]
    );
    // Both sides of the moment were met.
    assert!(kept.iter().all(|count| *count > 0), "{kept:?}");
}

#[test]
fn bg96() {
    let (config, options) = (Config::new(), Options::default());
    cut_everywhere(&Bg96Unit { config, options });
}

#[test]
fn nrf9160_with_the_modems_tls() {
    cut_everywhere(&Nrf9160Unit::new("2.1"));
}

#[test]
fn nrf9160_with_native_tls() {
    cut_everywhere(&Nrf9160Unit::new("3.1-native"));
}

#[test]
fn serial_modem() {
    cut_everywhere(&Nrf9160Unit::new("sm"));
}

#[test]
fn ublox_cellular() {
    cut_everywhere(&UbloxUnit::new("sara-r5"));
}

#[test]
fn ublox_short_range() {
    cut_everywhere(&ShortRangeUnit::new("odin"));
}

#[test]
fn cc32xx() {
    cut_everywhere(&Cc32xxUnit::new(AtVersion::Second));
}

#[test]
fn cc31xx_on_a_uart() {
    cut_everywhere(&Cc31xx(Wiring::Uart));
}

#[test]
fn cc31xx_on_an_spi() {
    cut_everywhere(&Cc31xx(Wiring::Spi));
}
