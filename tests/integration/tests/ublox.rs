//! u-blox cellular modules in every dialect of the simulator: bring-up, credentials, connections, data.

use embassy_time::{Duration, Instant, Timer};
use sectag::{BringUpError, Cause, Ensured, Kind, Proof};
use sectag_integration_tests::simulated::virtually;
use sectag_integration_tests::ublox::{World, awkward, connect, provision, round_trip};
use sectag_simulator::Reaction;
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

/// A firmware whose answers about the registration nobody can read may well be registered: the error shows them.
#[test]
fn what_cannot_be_read_of_the_registration_is_told() {
    for (lte, gprs, told) in [
        ("+CEREG: 0,400", "+CGREG: 0,4", "\"+CEREG: 0,400\""),
        ("+CEREG: 2", "+CGREG: 0,2", "\"+CEREG: 2\""),
        ("+CEREG: 0,0", "+CGREG: home", "\"+CGREG: home\""),
        ("+CEREG: 0,7", "+CGREG: 0,0", "status 7: unknown"),
    ] {
        virtually(async || {
            let world = World::of("sara-r5", |_| {});
            let answers = [("AT+CEREG?", lte), ("AT+CGREG?", gprs)];
            world.modem.set_script(Box::new(move |line| {
                let answer = answers
                    .into_iter()
                    .find(|(query, _)| line.starts_with(query.as_bytes()));
                answer.map_or(Reaction::Normal, |(_, answer)| {
                    Reaction::Reply(format!("\r\n{answer}\r\n\r\nOK\r\n").into_bytes())
                })
            }));
            let up = world.attach(async |bench| bench.control.wait_up().await);
            let error = up.await.unwrap_err();
            assert!(
                matches!(error, BringUpError::NotRegistered { .. }),
                "{error:?}"
            );
            let text = error.to_string();
            assert!(text.contains(told), "{text}");
            // Of no modem that is not read it is said that it hears no cell.
            let is_unread = told.starts_with('"');
            let is_noise = error.causes().eq([Cause::LineFault]);
            assert_eq!(is_noise, is_unread, "{text}");
        });
    }
}
