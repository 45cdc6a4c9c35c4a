//! `--modem ublox-cellular` and `--modem ublox-shortrange`: a user's story on each model that differs, over a pseudo terminal, with
//! mosquitto behind it.

use std::sync::OnceLock;

use sectag_test_support::mosquitto::{Mosquitto, MosquittoOptions};
use sectag_test_support::pki::Pki;

use crate::process::{Ended, Modem, Tool};
use crate::station::{SERVER, WIFI, kept};

/// The broker's common name is the one that is connected to, as the modules may look at nothing else. Its keys take seconds to make.
static PKI: OnceLock<Pki> = OnceLock::new();

pub(crate) fn a_sara_u201_publishes_and_prints() {
    let sent = cellular("sara-u201");
    assert!(sent.stderr.contains("SNI not sent"), "{}", sent.stderr);
}

pub(crate) fn a_sara_r4_publishes_and_prints() {
    let sent = cellular("sara-r4-02b");
    assert!(sent.stderr.contains("SNI not sent"), "{}", sent.stderr);
}

pub(crate) fn a_sara_r5_publishes_and_prints() {
    let sent = cellular("sara-r5");
    assert!(sent.stderr.contains("SNI sent"), "{}", sent.stderr);
}

pub(crate) fn a_lara_r6_publishes_and_prints() {
    cellular("lara-r6");
}

pub(crate) fn a_lena_r8_publishes_and_prints() {
    cellular("lena-r8");
}

pub(crate) fn a_lexi_r10_publishes_and_prints() {
    cellular("lexi-r10");
}

pub(crate) fn an_odin_publishes_and_prints() {
    short_range("odin", &[]);
}

/// Its software has no switch for old versions of TLS.
pub(crate) fn a_nina_publishes_and_prints() {
    short_range("nina", &["--accept-missing", "version"]);
}

/// The name is checked, so that nothing else need be said.
fn cellular(dialect: &str) -> Ended {
    let sent = story("ublox-cellular", dialect, &[]);
    let checked = "checked: certificate chain, certificate dates, name";
    assert!(sent.stderr.contains(checked), "{}", sent.stderr);
    sent
}

/// Nobody knows whether the name is checked, so that the CA must be private; and frames need RTS and CTS.
fn short_range(dialect: &str, missing: &[&str]) {
    let policy = [&["--private-ca"], missing].concat();
    let sent = story("ublox-shortrange", dialect, &policy);
    let said = "not known to be checked: certificate dates, name";
    assert!(sent.stderr.contains(said), "{}", sent.stderr);
}

/// The module restarts in place of a publish: the connection is told as lost, the module comes back by itself with its
/// credentials, and a new connection does all that the lost one did not.
pub(crate) fn a_restart_in_a_session_is_followed_by_a_new_one_on_every_model() {
    const MODELS: [(&str, &str); 8] = [
        ("ublox-cellular", "sara-u201"),
        ("ublox-cellular", "sara-r4-02b"),
        ("ublox-cellular", "sara-r5"),
        ("ublox-cellular", "lara-r6"),
        ("ublox-cellular", "lena-r8"),
        ("ublox-cellular", "lexi-r10"),
        ("ublox-shortrange", "odin"),
        ("ublox-shortrange", "nina"),
    ];
    // Most of the time they wait.
    let running = MODELS.map(|(name, dialect)| {
        let demo = ["demo", "--modem", name, "--dialect", dialect];
        Tool::start(&[&demo[..], &["--scenario", "reset"]].concat(), &[], b"")
    });
    for (tool, (_, dialect)) in running.into_iter().zip(MODELS) {
        let ended = tool.end().expect(0);
        let lost = "the connection was lost: connecting again";
        assert!(ended.stderr.contains(lost), "{dialect}:\n{}", ended.stderr);
        let (before, after) = ended.stdout.split_once("recover").unwrap_or_default();
        assert!(
            before.contains("store the private key"),
            "{dialect}:\n{before}"
        );
        assert!(
            !after.contains("store the private key"),
            "{dialect}:\n{after}"
        );
        for step in [
            "connect with mutual TLS",
            "publish",
            "receive the own message",
            "close",
        ] {
            assert!(after.contains(step), "{dialect}, {step}:\n{after}");
        }
    }
}

/// A SARA has one number for them, and what can be seen from the computer tells them apart; a Wi-Fi module has none, and
/// without that look it says all that it may be.
pub(crate) fn three_mistakes_have_three_words_on_cellular_and_one_list_on_short_range() {
    let mistakes = [
        ("wrong-ca", "the CA under the tag is not the one"),
        (
            "wrong-host",
            "the server's certificate is not for this name",
        ),
        ("clock-unset", "the modem's clock is not set"),
    ];
    let running = mistakes.map(|(scenario, _)| {
        let demo = ["demo", "--modem", "ublox-cellular", "--scenario", scenario];
        Tool::start(&demo, &[], b"")
    });
    for (tool, (_, hint)) in running.into_iter().zip(mistakes) {
        tool.end().expect_hint(hint);
    }
    // Nobody listens there.
    let map = "broker.sectag.test:8883=127.0.0.1:1";
    let modem = Modem::start_named("ublox-shortrange", &["--map", map]);
    let passphrase = [("SECTAG_PSK", "correct horse battery")];
    let tool = |command: &[&str], more: &[&str]| {
        let options = [&WIFI[..], &["--flow-control"], more].concat();
        modem.start_tool(command, &options, &passphrase, b"").end()
    };
    let dir = tempfile::tempdir().unwrap();
    Pki::shared().write_to(dir.path()).unwrap();
    let ca = dir.path().join("ca.pem").to_str().unwrap().to_owned();
    tool(&["credentials", "store"], &["--tag", "7", "--ca", &ca]).expect(0);
    let server = ["--private-ca", "--tag", "7", "broker.sectag.test:8883"];
    let failed = tool(&["connect"], &server).expect(1).stderr;
    let found: Vec<_> = ["1. the name", "2. ", "3. "]
        .map(|number| failed.find(number))
        .into();
    assert!(
        found.iter().all(Option::is_some) && found.is_sorted(),
        "{failed}"
    );
}

/// Credentials are stored, a connection stands, a message is published and kept by the broker, and printed by a subscriber.
fn story(name: &'static str, dialect: &str, policy: &[&str]) -> Ended {
    let names = ["broker.sectag.test", "localhost"];
    let pki = PKI.get_or_init(|| Pki::builder().server_names(names).build());
    let broker = Mosquitto::start(pki, &MosquittoOptions::new()).unwrap();
    let map = format!("broker.sectag.test:8883=127.0.0.1:{}", broker.port());
    let modem = Modem::start_named(name, &["--dialect", dialect, "--map", &map]);
    let passphrase = [("SECTAG_PSK", "correct horse battery")];
    let tool = |command: &[&str], more: &[&str]| -> Tool {
        let wifi: &[&str] = if name == "ublox-shortrange" {
            &WIFI
        } else {
            &[]
        };
        let options = [wifi, &["--flow-control"], more].concat();
        modem.start_tool(command, &options, &passphrase, b"")
    };
    let dir = tempfile::tempdir().unwrap();
    pki.write_to(dir.path()).unwrap();
    let file = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (ca, cert, key) = (file("ca.pem"), file("client.pem"), file("client.key"));
    let files = ["--tag", "7", "--ca", &ca, "--cert", &cert, "--key", &key];
    tool(&["credentials", "store"], &files).end().expect(0);
    let server = ["--tag", "7", "broker.sectag.test:8883"];
    let connect = [policy, &server].concat();
    tool(&["connect"], &connect).end().expect(0);
    let message = [&kept()[..], policy].concat();
    let sent = tool(&["publish"], &message).end().expect(0);
    let one = [&SERVER[..], policy, &["-t", "a/#", "--count", "1"]].concat();
    let printed = tool(&["subscribe"], &one).end().expect(0).stdout;
    assert!(printed.contains("a/b ~\u{7f}OK"), "{printed}");
    sent
}
