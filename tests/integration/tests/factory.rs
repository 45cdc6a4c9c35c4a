//! Credentials in a modem that has neither SIM nor network, as in a factory.

use embassy_time::{Duration, Instant};
use sectag::modem::Credentials;
use sectag::{Comparison, Control, Tag};
use sectag_integration_tests::nrf9160::{self, CONFIG};
use sectag_integration_tests::simulated::{self, credentials, virtually};
use sectag_simulator::{Boot, Nrf9160Options, Nrf9160Profile, Options, Sim};
use sectag_test_support::pki::Pki;

const TAG: Tag = Tag(7);
/// From the start of the driver; the modem answers within the first two of them.
const LIMIT: Duration = Duration::from_secs(12);
/// Longer than any of this takes.
const NEVER: Duration = Duration::from_secs(1_000_000);

/// What is missing.
const LACKS: [(&str, Sim, Duration); 4] = [
    ("SIM", Sim::Missing, Duration::from_ticks(0)),
    ("PUK", Sim::PukRequired, Duration::from_ticks(0)),
    ("network", Sim::Ready, NEVER),
    ("operator", Sim::Foreign, NEVER),
];

fn pin() -> Sim {
    Sim::PinRequired("1234".into())
}

/// Stores a set, lists and compares it, and removes it.
async fn whole_life<M: Credentials>(control: Control<'_, M>, lacks: &str) {
    let began = Instant::now();
    let set = credentials(Pki::shared());
    for (kind, pem) in &set {
        let stored = control.store(TAG, *kind, pem.as_bytes()).await;
        assert_eq!(stored, Ok(()), "no {lacks}: {kind}");
    }
    let mut found = Vec::new();
    let listed = control
        .list(&mut |stored| found.push((stored.tag, stored.kind)))
        .await;
    assert_eq!(listed, Ok(()), "no {lacks}");
    assert_eq!(found.len(), set.len(), "no {lacks}: {found:?}");
    for (kind, pem) in &set {
        let compared = control.compare(TAG, *kind, pem.as_bytes()).await.unwrap();
        // Native TLS of 3.1 tells no digest.
        let there = matches!(compared, Comparison::Same | Comparison::Unreadable);
        assert!(there, "no {lacks}: {kind} is {compared:?}");
        control.remove(TAG, *kind).await.unwrap();
    }
    let took = began.elapsed();
    assert!(took < LIMIT, "no {lacks}: {} ms", took.as_millis());
}

#[test]
fn bg96_without_sim_and_network() {
    for (lacks, sim, delay) in LACKS.into_iter().chain([("PIN", pin(), NEVER)]) {
        for boot in [Boot::AlreadyOn, Boot::Booting] {
            let sim = sim.clone();
            virtually(async || {
                let world = simulated::World::new(Options {
                    sim,
                    boot,
                    boot_time: Duration::from_millis(500),
                    registration_delay: delay,
                    ..Options::default()
                });
                world
                    .attach(async |bench| whole_life(bench.control, lacks).await)
                    .await;
            });
        }
    }
}

#[test]
fn nrf9160_without_sim_and_network() {
    for name in ["2.0", "2.1", "2.1-native", "3.1", "3.1-native", "sm"] {
        let profile = Nrf9160Profile::named(name).unwrap();
        for (lacks, sim, delay) in LACKS.into_iter().chain([("PIN", pin(), NEVER)]) {
            // Switched off as after power-on, and on as after a reset of the MCU alone.
            for functionality in [0, 1] {
                let sim = sim.clone();
                virtually(async || {
                    let world = nrf9160::World::new(Nrf9160Options {
                        sim,
                        functionality,
                        registration_delay: delay,
                        ..nrf9160::options(profile)
                    });
                    world
                        .attach_with(CONFIG, async |bench| {
                            whole_life(bench.control, lacks).await;
                        })
                        .await;
                });
            }
        }
    }
}
