//! `--modem cc32xx`: a simulated CC3235 with TI's AT application over a pseudo terminal, byte by byte, with mosquitto behind it.

use sectag_test_support::mosquitto::{Mosquitto, MosquittoOptions};
use sectag_test_support::pki::Pki;

use crate::process::{Modem, credentials};

const WIFI: [&str; 2] = ["--ssid", "workshop"];
const PSK: [(&str, &str); 1] = [("SECTAG_PSK", "correct horse battery")];

pub(crate) fn what_one_publishes_over_the_at_application_comes_back() {
    let broker = Mosquitto::start(Pki::shared(), &MosquittoOptions::new()).unwrap();
    let map = format!("broker.sectag.test:8883=127.0.0.1:{}", broker.port());
    let modem = Modem::start_named("cc32xx", &["--map", &map, "--chunk", "1"]);
    let tool = |command: &[&str], options: &[&str]| {
        let options = [&WIFI, options].concat();
        modem.start_tool(command, &options, &PSK, b"")
    };
    let pki = credentials();
    let (ca, cert, key) = (
        pki.file("ca.pem"),
        pki.file("client.pem"),
        pki.file("client.key"),
    );
    let files = ["--tag", "7", "--ca", &ca, "--cert", &cert, "--key", &key];

    // The trace has neither passphrase nor key in it.
    let stored = tool(&["-v", "credentials", "store"], &files)
        .end()
        .expect(0);
    assert!(stored.stderr.contains("AT+FileOpen"), "{}", stored.stderr);
    assert!(!stored.stderr.contains("battery"), "{}", stored.stderr);
    let again = tool(&["credentials", "store"], &files).end().expect(0);
    // The key is a secure file, and stored once more.
    assert_eq!(
        again.stdout.matches("already").count(),
        2,
        "{}",
        again.stdout
    );
    let listed = tool(&["credentials", "list"], &[]).end().expect(0).stdout;
    assert_eq!(listed.lines().count(), 3, "{listed}");
    let status = tool(&["status"], &[]).end().expect(0).stdout;
    for said in ["Texas Instruments", "4.13.0.2"] {
        assert!(status.contains(said), "{said} in\n{status}");
    }

    let server = ["--host", "broker.sectag.test", "--tag", "7"];
    let kept = [
        &server[..],
        &["-t", "a/b", "-m", "~\u{7f}OK", "-q", "1", "-r"],
    ]
    .concat();
    let sent = tool(&["publish"], &kept).end().expect(0);
    for said in [
        "checked: certificate chain, certificate dates, name",
        "SNI sent",
    ] {
        assert!(sent.stderr.contains(said), "{said} in\n{}", sent.stderr);
    }
    let one = [&server[..], &["-t", "a/#", "--count", "1"]].concat();
    let printed = tool(&["subscribe"], &one).end().expect(0).stdout;
    assert!(printed.contains("a/b ~\u{7f}OK"), "{printed}");
}
