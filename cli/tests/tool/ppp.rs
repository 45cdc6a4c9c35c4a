//! `--modem ublox-ppp`: a simulated module as a link over a pseudo terminal, slirp at its far end, TLS in the tool.

use sectag_test_support::mosquitto::{Mosquitto, MosquittoOptions};
use sectag_test_support::pki::Pki;
use tempfile::TempDir;

use crate::process::{Modem, Tool, credentials, run};

const SERVER: [&str; 4] = ["--host", "broker.sectag.test", "--tag", "5"];

/// Files of a client whose key TLS in the tool can use.
pub(crate) struct Client(TempDir);

impl Client {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let pki = Pki::shared();
        let client = pki.issue_client_ecdsa("sectag-client");
        for (name, text) in [
            ("ca.pem", pki.ca_pem()),
            ("client.pem", client.cert_pem),
            ("client.key", client.key_pem),
            ("psk", "correct horse battery\n".into()),
        ] {
            std::fs::write(dir.path().join(name), text).unwrap();
        }
        Self(dir)
    }

    pub(crate) fn file(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    fn psk(&self) -> String {
        format!("@{}", self.file("psk"))
    }
}

fn module(dialect: &[&str], port: u16) -> Modem {
    let map = format!("broker.sectag.test:8883=127.0.0.1:{port}");
    let time = "pool.ntp.org:123=127.0.0.1:123";
    let options = [dialect, &["--map", &map, "--map", time][..]].concat();
    Modem::start_named("ublox-ppp", &options)
}

pub(crate) fn what_one_publishes_over_its_link_the_other_prints() {
    let broker = Mosquitto::start(Pki::shared(), &MosquittoOptions::new()).unwrap();
    let (odin, sara) = (
        module(&[], broker.port()),
        module(&["--dialect", "sara-r4-02b"], broker.port()),
    );
    let client = Client::new();
    let (ca, cert, key) = (
        client.file("ca.pem"),
        client.file("client.pem"),
        client.file("client.key"),
    );
    let files = ["--ca", &ca, "--cert", &cert, "--key", &key];
    let psk = client.psk();
    let wifi = ["--ssid", "workshop", "--psk", &psk];

    let subscription = [&SERVER, &files[..], &wifi, &["-t", "a/#", "--count", "1"]].concat();
    let mut subscriber = odin.start_tool(&["subscribe"], &subscription, &[], b"");
    let connected = subscriber.wait_for("connected to broker.sectag.test:8883 with mutual TLS");
    for said in [
        "certificate dates, name",
        "SNI sent",
        "time from SNTP, which is not",
    ] {
        assert!(connected.contains(said), "{connected}");
    }
    subscriber.wait_for("subscribed to a/#");
    let message = [&SERVER, &files[..], &["-t", "a/b", "-m", "~OK\u{7f}+UUWLD"]].concat();
    let sent = sara.run(&["publish"], &message).expect(0);
    assert!(
        sent.stderr.contains("time from the cellular network"),
        "{}",
        sent.stderr
    );
    assert!(sent.stdout.contains("acknowledged"), "{}", sent.stdout);
    let printed = subscriber.end().expect(0).stdout;
    assert!(printed.contains("a/b ~OK\u{7f}+UUWLD"), "{printed}");

    // A server of somebody else, and no file at all.
    let other = credentials_of_another();
    let other_ca = other.file("ca.pem");
    let wrong = [&SERVER, &["--ca", &other_ca, "-t", "a", "-m", "b"][..]].concat();
    sara.run(&["publish"], &wrong).expect_hint("CA");
    let stored = tempfile::tempdir().unwrap();
    let store = stored.path().to_str().unwrap();
    let environment = [("SECTAG_STORE", store)];
    let message = [&SERVER, &["-t", "a", "-m", "b"][..]].concat();
    let none = sara.start_tool(&["publish"], &message, &environment, b"");
    none.end()
        .expect_hint("credentials store --modem ublox-ppp");

    // From this computer's store; a key that TLS cannot use is refused before it is kept.
    let kept = |command: &[&str], options: &[&str]| {
        let args = [
            command,
            &["--modem", "ublox-ppp", "--port", "none"],
            options,
        ]
        .concat();
        Tool::start(&args, &environment, b"").end()
    };
    let rsa = credentials();
    let (rsa_cert, rsa_key) = (rsa.file("client.pem"), rsa.file("client.key"));
    let of_rsa = ["--tag", "5", "--cert", &rsa_cert, "--key", &rsa_key];
    kept(&["credentials", "store"], &of_rsa).expect_hint("ECDSA P-256");
    let set = [&["--tag", "5"], &files[..]].concat();
    kept(&["credentials", "store"], &set).expect(0);
    kept(&["credentials", "verify"], &set).expect(0);
    kept(&["credentials", "verify"], &of_rsa).expect_hint("store it");
    let listed = kept(&["credentials", "list"], &[]).expect(0).stdout;
    assert_eq!(listed.lines().count(), 3, "{listed}");
    let sent = sara.start_tool(&["publish"], &message, &environment, b"");
    let sent = sent.end().expect(0);
    assert!(sent.stderr.contains("with mutual TLS"), "{}", sent.stderr);
    kept(&["credentials", "remove"], &["--tag", "5"]).expect(0);
    let listed = kept(&["credentials", "list"], &[]).expect(0).stdout;
    assert_eq!(listed, "");
}

fn credentials_of_another() -> Client {
    let client = Client::new();
    std::fs::write(client.file("ca.pem"), Pki::new().ca_pem()).unwrap();
    client
}

pub(crate) fn status_and_doctor_tell_of_module_and_link() {
    let broker = Mosquitto::start(Pki::shared(), &MosquittoOptions::new()).unwrap();
    let (odin, sara) = (
        module(&[], broker.port()),
        module(&["--dialect", "sara-r5"], broker.port()),
    );
    let client = Client::new();
    let psk = client.psk();
    let wifi = ["--ssid", "workshop", "--psk", &psk];
    // Asked by UDP while PPP has the line: before the join it would know no network.
    let status = odin.run(&["status"], &wifi).expect(0).stdout;
    for said in [
        "ODIN-W2",
        "7.1.0-063",
        "workshop",
        "10.0.2.15",
        "-55 dBm",
        "TLS                 1.3\n",
    ] {
        assert!(status.contains(said), "{said} in\n{status}");
    }
    let status = sara.run(&["status"], &[]).expect(0).stdout;
    for said in ["SARA-R510S", "3 DK", "10.0.2.15"] {
        assert!(status.contains(said), "{said} in\n{status}");
    }
    let (ca, cert, key) = (
        client.file("ca.pem"),
        client.file("client.pem"),
        client.file("client.key"),
    );
    let files = ["--ca", &ca, "--cert", &cert, "--key", &key];
    let checked = [&SERVER, &files[..], &wifi].concat();
    let checked = odin.run(&["doctor"], &checked).expect(0).stdout;
    for said in [
        "credentials",
        "link",
        "module",
        "clock",
        "DNS",
        "verification",
        "connection",
    ] {
        let line = format!("ok    {said}");
        assert!(checked.contains(&line), "{said} in\n{checked}");
    }
    // What stands in the way is named.
    odin.run(&["status"], &[]).expect_hint("ssid");
    sara.run(&["status"], &wifi).expect_hint("--apn");
    let no_psk = format!("@{}", client.file("ca.pem"));
    let wrong = ["--ssid", "workshop", "--psk", &no_psk];
    let refused = odin.run(&["status"], &wrong);
    assert_eq!(refused.code, Some(1), "{}", refused.stderr);
    let unknown = ["--host", "other.sectag.test", "--tag", "5", "--ca", &ca];
    sara.run(&["doctor"], &unknown)
        .expect_hint("check the name");
}

pub(crate) fn what_makes_no_sense_says_why_before_anything_is_opened() {
    let place = ["--modem", "ublox-ppp", "--port", "/nowhere"];
    let manifest = tempfile::NamedTempFile::new().unwrap();
    let path = manifest.path().to_str().unwrap();
    for (command, options, hint) in [
        (&["at"][..], &["AT"][..], "--modem ublox-cellular"),
        (&["restart"], &[], "--modem ublox-cellular"),
        (&["credentials", "csr"], &["--tag", "5"], "openssl"),
    ] {
        let args = [command, &place, options].concat();
        run(&args).expect_hint(hint);
    }
    let args = ["provision", path, "--modem", "ublox-ppp"];
    run(&args).expect_hint("--ca, --cert and --key");
    let args = [
        "record",
        "--modem",
        "ublox-ppp",
        "--port",
        "/nowhere",
        "--out",
        "/nowhere/x",
        "--",
        "status",
    ];
    run(&args).expect_hint("--modem ublox-cellular");
    let args = [
        "simulate",
        "--modem",
        "ublox-ppp",
        "--dialect",
        "2.1",
        "--tcp",
        "0",
    ];
    assert_eq!(run(&args).code, Some(1));
}
