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
use sectag_integration_tests::Bench;
use sectag_integration_tests::recovery::{Line, round_trip, world_of};
use sectag_integration_tests::simulated::{HOST, PORT, TLS, World, virtually};
use sectag_integration_tests::unit::{Bg96Unit, Nrf9160Unit, Unit};
use sectag_nrf9160::Nrf9160;
use sectag_simulator::{Failure, Options};
use sectag_test_support::pki::{Identity, Pki};

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
    };
    round_trip(&mut socket, b"still here").await.unwrap();
    // Some modems leave the network for a change, which ends connections.
    socket.close().await.unwrap();
    assert!(rotate(bench, new, flash).await, "{context}: again");
    assert_eq!(flash.get(), NEW, "{context}");
    let socket = connect(bench, NEW).await.unwrap();
    socket.close().await.unwrap();
}

fn cut_everywhere<U: Unit>(unit: &U) {
    let name = unit.name();
    let pki = Pki::shared();
    let new = pki.issue_client_with_new_key("pump-17");
    let (first, total) = virtually(async || {
        let (world, _) = world_of(unit);
        let flash = Flash::new(OLD);
        let line = Line::default();
        let whole = world.attach_driver(line, unit.backend(), NoPins, async |bench| {
            bench.control.wait_up().await.unwrap();
            let first = world.modem.exchanges();
            assert!(rotate(bench, &new, &flash).await);
            first
        });
        let first = whole.await.expect("it lives");
        (first + 1, world.modem.exchanges())
    });
    let mut kept = [0, 0];
    let mut cases = 0;
    for cut in [Cut::Mcu, Cut::Modem, Cut::Both] {
        for count in first..=total {
            let context = format!("{name}, {cut:?} after exchange {count} of {total}");
            let flash = Flash::new(OLD);
            virtually(async || {
                let (world, _) = world_of(unit);
                let line = Line::default();
                let cut_off = async |bench: Bench<U::Backend>| {
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
                let ended = world.attach_driver(line, unit.backend(), NoPins, cut_off);
                ended.await.expect("it lives");
                if cut != Cut::Modem {
                    if cut == Cut::Both {
                        world.modem.reset();
                    }
                    kept[usize::from(flash.get() == NEW)] += 1;
                    let line = Line::default();
                    let again = world.attach_driver(line, unit.backend(), NoPins, async |bench| {
                        recover(bench, &new, &flash, &context).await;
                    });
                    again.await.expect("it lives");
                }
                let files = world.modem.files();
                let old = files.keys().filter(|file| unit.is_of(file, OLD)).count();
                assert_eq!(old, 0, "{context}: of the old set");
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
