//! `--modem ublox-ppp`: a simulated module as a link over a pseudo terminal, slirp at its far end, TLS in the tool.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rustls::pki_types::CertificateSigningRequestDer;
use rustls::pki_types::pem::PemObject;
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

/// A key is made here, the CA signs its request, and the set takes the place of the old one once it has connected. One link
/// takes 2.5 s of the clocks, which are slow here, so what is the same without one is tested without: a rotation that was
/// cut off is, in `ppp/rotate.rs`.
pub(crate) fn a_key_is_made_here_and_its_set_replaces_another() {
    let broker = Mosquitto::start(Pki::shared(), &MosquittoOptions::new()).unwrap();
    let sara = module(&["--dialect", "sara-r5"], broker.port());
    let client = Client::new();
    let stored = tempfile::tempdir().unwrap();
    let store = stored.path().join("store");
    let environment = [("SECTAG_STORE", store.to_str().unwrap())];
    let here = |command: &str, options: &[&str]| {
        let place = ["--modem", "ublox-ppp", "--port", "/nowhere"];
        let args = [&["credentials", command], &place[..], options].concat();
        Tool::start(&args, &environment, b"").end()
    };
    let tags = || {
        let list = here("list", &[]).expect(0).stdout;
        let tag = |line: &str| line.split('\t').next().unwrap().to_owned();
        list.lines().map(tag).collect::<Vec<_>>()
    };
    let (ca, cert, key) = (
        client.file("ca.pem"),
        client.file("client.pem"),
        client.file("client.key"),
    );
    let old = ["--tag", "5", "--ca", &ca, "--cert", &cert, "--key", &key];
    here("store", &old).expect(0);

    // No file can be written, so no key is kept.
    let copy = client.file("new.key");
    let named = |tag, file| ["--tag", tag, "--subject", "CN=pump-17", "--key-out", file];
    let unwritten = here("csr", &named("7", "/nowhere/new.key"));
    assert_eq!(unwritten.code, Some(1), "{}", unwritten.stderr);
    assert_eq!(tags(), ["5", "5", "5"]);
    let made = here("csr", &named("7", &copy)).expect(0);
    let kept = store.join("7/key.pem");
    for said in ["P-256", kept.to_str().unwrap(), &copy, "--modem ublox-ppp"] {
        assert!(made.stderr.contains(said), "{said} in\n{}", made.stderr);
    }
    assert!(!made.stdout.contains("PRIVATE") && !made.stderr.contains("PRIVATE"));
    for file in [&kept, Path::new(&copy)] {
        let mode = std::fs::metadata(file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", file.display());
    }
    // It is never replaced.
    let again = here("csr", &["--tag", "7", "--subject", "CN=pump-17"]);
    again.expect_hint("sectag credentials remove --modem ublox-ppp");
    assert_eq!(
        std::fs::read(&kept).unwrap(),
        std::fs::read(&copy).unwrap(),
        "the same key in both"
    );
    let request = CertificateSigningRequestDer::from_pem_slice(made.stdout.as_bytes()).unwrap();
    let new_cert = client.file("new.pem");
    std::fs::write(
        &new_cert,
        Pki::shared().issue_for_request(&request).unwrap(),
    )
    .unwrap();

    let rotate = |files: &[&str], server: &str, new: &str| {
        let tags = ["--tag", "5", "--new-tag", new, "--host", server];
        let options = [&tags[..], files].concat();
        sara.start_tool(&["credentials", "rotate"], &options, &environment, b"")
            .end()
    };
    let set = ["--ca", &ca, "--cert", &new_cert, "--key", &copy];
    let server = "broker.sectag.test";
    // Refused before anything is written.
    rotate(&set, server, "5").expect_hint("a tag of their own");
    rotate(&set[..2], server, "8").expect_hint("--drop-client-cert");
    rotate(&set[..4], server, "8").expect_hint("--cert and --key or neither");
    rotate(&["--ca", &ca, "--cert", &cert, "--key", &key], server, "7")
        .expect_hint("credentials remove --modem ublox-ppp");
    assert_eq!(tags(), ["5", "5", "5", "7"]);
    // No connection: the old set is as it was, and what was there before stays.
    let unreachable = ["--tag", "5", "--new-tag", "7", "--host", server];
    let failed = here("rotate", &[&unreachable[..], &set].concat()).expect(1);
    assert!(
        failed.stderr.contains("tag 5 is as it was"),
        "{}",
        failed.stderr
    );
    assert_eq!(tags(), ["5", "5", "5", "7"]);
    let done = rotate(&set, server, "7").expect(0);
    assert!(done.stdout.contains("tag 7 is the one"), "{}", done.stdout);
    assert!(done.stderr.contains("with mutual TLS"), "{}", done.stderr);
    assert_eq!(tags(), ["7", "7", "7"]);
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
        (&["credentials", "csr"], &["--tag", "5"], "--subject"),
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
