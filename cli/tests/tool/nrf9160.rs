//! The nRF9160 through the host tool, on a pseudo terminal: the user's story.

use sectag_test_support::mosquitto::{Mosquitto, MosquittoOptions};
use sectag_test_support::pki::Pki;

use crate::process::Modem;

fn modem(dialect: &str, port: u16) -> Modem {
    let map = format!("broker.sectag.test:8883=127.0.0.1:{port}");
    Modem::start_named(
        "nrf9160",
        &["--dialect", dialect, "--map", &map, "--turnaround-ms", "20"],
    )
}

#[test]
fn a_native_build_with_the_defect_shows_its_numbers_and_refuses_to_connect() {
    let modem = modem("2.1-native", 1);
    modem.provision("321");
    let listed = modem.run(&["credentials", "list"], &["--json"]).expect(0);
    for place in ["\"place\":3210", "\"place\":3211", "\"place\":3212"] {
        assert!(listed.stdout.contains(place), "{}", listed.stdout);
    }
    assert!(listed.stdout.contains("\"tag\":321") && listed.stdout.contains("sha256"));
    let refused = modem
        .run(
            &["connect"],
            &[
                "--tag",
                "321",
                "--accept-missing",
                "suites",
                "broker.sectag.test:8883",
            ],
        )
        .expect(1);
    assert!(
        refused.stderr.contains("corrupts its heap") && refused.stderr.contains("update to 2.6"),
        "{}",
        refused.stderr
    );
}

#[test]
fn what_is_published_through_one_dialect_comes_through_another() {
    let broker = Mosquitto::start(Pki::shared(), &MosquittoOptions::new()).unwrap();
    let server = [
        "--host",
        "broker.sectag.test",
        "--tag",
        "321",
        "--accept-missing",
        "suites",
    ];
    for (from, to) in [("2.1", "sm"), ("3.1-native", "2.5")] {
        let (from, to) = (modem(from, broker.port()), modem(to, broker.port()));
        from.provision("321");
        to.provision("321");
        let topic = [&server[..], &["--topic", "sectag/nrf", "--count", "1"]].concat();
        let mut subscriber = to.start_tool(&["subscribe"], &topic, &[], b"");
        subscriber.wait_for("subscribed to sectag/nrf");
        let message = ["--topic", "sectag/nrf", "--message", "+++ \"OK\" +++"];
        let sent = from
            .run(&["publish"], &[&server[..], &message].concat())
            .expect(0);
        assert!(sent.stderr.contains("certificate chain"), "{}", sent.stderr);
        let received = subscriber.end().expect(0);
        assert!(
            received.stdout.contains("+++ \"OK\" +++"),
            "{}",
            received.stdout
        );
        // Nothing is uploaded twice: the modem tells digests, or not.
        let status = from.run(&["status"], &[]).expect(0);
        assert!(status.stdout.contains("nRF9160"), "{}", status.stdout);
    }
}
