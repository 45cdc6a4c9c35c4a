//! Resets of the MCU or the modem at any moment: nothing is stored that should not be, no peer gets
//! what was not announced to it, and reconnecting is all that the application has to do.

use std::collections::BTreeMap;

use embassy_time::{Duration, Instant};
use sectag::{CredentialStore, Kind, Tag};
use sectag_integration_tests::Bench;
use sectag_integration_tests::recovery::{Received, connect, round_trip, world};
use sectag_integration_tests::simulated::{World, virtually};
use sectag_simulator::Options;

/// What the driver sends while it does not know what the modem waits for.
const FILLER: &[u8] = b"+AT\r\n";
const MESSAGE: &[u8] = b"\r\nOK\r\n> forty bytes and traps RDY\r\n\r\n+++ end";
const STORED: &[u8] = b"a small file, as credentials go; sixty-four bytes that are kept.";

fn quick() -> Options {
    Options {
        turnaround: Duration::from_millis(20),
        ..Options::default()
    }
}

/// A whole life of an application.
async fn session(bench: Bench) {
    bench.control.wait_up().await.unwrap();
    bench.control.store(Tag(9), Kind::Ca, STORED).await.unwrap();
    let mut socket = connect(bench).await.unwrap();
    round_trip(&mut socket, MESSAGE).await.unwrap();
    socket.close().await.unwrap();
}

/// What was written, and then filler up to what was announced.
fn check_peers(received: &Received, context: &str) {
    for bytes in received.borrow().iter() {
        let same = bytes
            .iter()
            .zip(MESSAGE)
            .take_while(|(a, b)| a == b)
            .count();
        assert!(
            bytes.len() <= MESSAGE.len(),
            "{context}: the peer got {bytes:?}"
        );
        assert!(
            bytes[same..].iter().all(|byte| FILLER.contains(byte)),
            "{context}: the peer got {:?}",
            String::from_utf8_lossy(bytes)
        );
    }
}

/// All files but the one that the session stores.
fn others(world: &World) -> BTreeMap<String, Vec<u8>> {
    let mut files = world.modem.files();
    files.remove("st9.ca");
    files
}

#[test]
fn mcu_may_reset_at_any_byte_of_a_session() {
    let total = virtually(async || {
        let (world, _) = world(quick());
        world.attach(session).await;
        world.modem.bytes_in()
    });
    let mut worst = (Duration::MIN, 0);
    for bytes in 1..=total {
        let took = virtually(async || {
            let (world, received) = world(quick());
            let before = others(&world);
            world.attach_for(bytes, session).await;
            check_peers(&received, &format!("died after {bytes}"));
            let start = Instant::now();
            world
                .attach(async |bench| {
                    let mut socket = connect(bench).await.unwrap();
                    round_trip(&mut socket, MESSAGE).await.unwrap();
                    socket.close().await.unwrap();
                    let took = start.elapsed();
                    check_peers(&received, &format!("recovered after {bytes}"));
                    assert_eq!(others(&world), before, "files after {bytes}");
                    assert!(world.modem.open_sockets().is_empty());
                    bench.control.store(Tag(9), Kind::Ca, STORED).await.unwrap();
                    assert_eq!(world.modem.files()["st9.ca"], STORED);
                    took
                })
                .await
        });
        worst = worst.max((took, bytes));
    }
    println!(
        "MCU reset at every byte: {total} cases, worst recovery {:?} after byte {}",
        worst.0, worst.1
    );
    assert!(worst.0 < Duration::from_secs(20), "{worst:?}");
}
