//! u-blox cellular modules in every dialect of the simulator: bring-up, credentials, connections, data.

use embassy_time::{Duration, Instant, Timer};
use sectag::{Ensured, Kind, Proof};
use sectag_integration_tests::simulated::virtually;
use sectag_integration_tests::ublox::{World, awkward, connect, provision, round_trip};
use sectag_test_support::pki::Pki;
use sectag_test_support::tls_server::echo;

/// Models of which something is known.
const MODELS: [&str; 8] = [
    "sara-r5",
    "sara-r4-02b",
    "sara-r4-01b",
    "sara-r422",
    "sara-u201",
    "lara-r6",
    "lena-r8",
    "lexi-r10",
];

#[test]
fn from_a_fresh_unit_to_data_over_tls_and_back() {
    for model in MODELS {
        virtually(async || {
            let world = World::of(model, |_| {});
            world.serve(echo);
            world
                .attach(async |bench| {
                    provision(bench).await;
                    let ca = Pki::shared().ca_pem();
                    let ensured = bench
                        .control
                        .ensure(sectag::Tag(7), Kind::Ca, ca.as_bytes());
                    let there = ensured.await.unwrap();
                    assert_eq!(there, Ensured::AlreadyThere(Proof::Md5), "{model}");
                    let mut socket = connect(bench).await.unwrap_or_else(|error| {
                        panic!("{model}: {error}: {:#?}", world.commands())
                    });
                    let bytes = awkward();
                    assert_eq!(round_trip(&mut socket, &bytes).await, bytes, "{model}");
                    let long: Vec<u8> = (0..20_000u32).map(|n| (n % 251) as u8).collect();
                    assert_eq!(round_trip(&mut socket, &long).await, long, "{model}");
                    let _ = socket.close().await;
                    assert_eq!(world.modem.open_sockets(), [0; 0], "{model}");
                })
                .await;
        });
    }
}

/// Modules count their gaps in full, and not from the last whole millisecond on.
#[test]
fn a_module_that_answers_between_two_milliseconds_is_given_its_time() {
    for model in MODELS {
        virtually(async || {
            let world = World::of(model, |options| {
                options.turnaround = Duration::from_micros(300);
            });
            world
                .attach(async |bench| {
                    provision(bench).await;
                    let began = Instant::now();
                    for _ in 0..10 {
                        // The next command is asked for when the gap runs already.
                        Timer::after(Duration::from_micros(800)).await;
                        bench.control.clock().await.unwrap();
                    }
                    // A command that is lost costs its time limit.
                    let took = began.elapsed();
                    assert!(took < Duration::from_secs(2), "{model}: {took:?}");
                })
                .await;
        });
    }
}
