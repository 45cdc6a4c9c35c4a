use std::path::Path;

use sectag::Digest;
use sectag_test_support::pki::Pki;

use crate::connect::Server;
use crate::process::{Modem, credentials};

/// The last of throw-away certificates.
const DAY: &str = "2049-12-31T00:00:00Z";

fn sha256(path: &str) -> String {
    Digest::of(&std::fs::read(path).unwrap()).to_string()
}

pub(crate) fn stored_listed_and_removed_over_a_terminal() {
    let modem = Modem::start(&["--turnaround-ms", "5", "--chunk", "7", "--seed", "3"]);
    let pki = credentials();
    let (ca, cert, key) = (
        pki.file("ca.pem"),
        pki.file("client.pem"),
        pki.file("client.key"),
    );
    let size = |path: &str| std::fs::metadata(path).unwrap().len();

    let files = ["--tag", "42", "--ca", &ca, "--cert", &cert, "--key", &key];
    let stored = modem.run(&["credentials", "store"], &files).expect(0);
    assert_eq!(stored.stdout.lines().count(), 3, "{}", stored.stdout);
    // Again: it is there already, unless that does not matter.
    let again = modem.run(&["credentials", "store"], &files).expect(0);
    assert_eq!(
        again.stdout.matches("already").count(),
        3,
        "{}",
        again.stdout
    );
    let forced = ["--tag", "42", "--ca", &ca, "--force", "--json"];
    let forced = modem.run(&["credentials", "store"], &forced).expect(0);
    assert!(
        forced.stdout.contains("\"uploaded\":true"),
        "{}",
        forced.stdout
    );
    modem
        .run(&["credentials", "store"], &["--tag", "7", "--ca", &ca])
        .expect(0);

    let mut listed: Vec<String> = modem
        .run(&["credentials", "list"], &[])
        .expect(0)
        .stdout
        .lines()
        .map(str::to_owned)
        .collect();
    listed.sort();
    let mut expected = vec![
        format!(
            "42\tCA certificate\t{} bytes\t{}\tuntil {DAY}",
            size(&ca),
            sha256(&ca)
        ),
        format!(
            "42\tclient certificate\t{} bytes\t{}\tuntil {DAY}",
            size(&cert),
            sha256(&cert)
        ),
        format!("42\tprivate key\t{} bytes\t{}", size(&key), sha256(&key)),
        format!(
            "7\tCA certificate\t{} bytes\t{}\tuntil {DAY}",
            size(&ca),
            sha256(&ca)
        ),
    ];
    expected.sort();
    assert_eq!(listed, expected);

    let removed = modem
        .run(&["credentials", "remove"], &["--tag", "42"])
        .expect(0);
    assert_eq!(removed.stdout.lines().count(), 3, "{}", removed.stdout);
    let json = modem
        .run(&["credentials", "list"], &["--json"])
        .expect(0)
        .stdout;
    assert_eq!(
        json,
        format!(
            "{{\"tag\":7,\"kind\":\"ca\",\"bytes\":{},\"sha256\":\"{}\",\"until\":\"{DAY}\"}}\n",
            size(&ca),
            sha256(&ca)
        )
    );
    modem
        .run(&["credentials", "remove"], &["--tag", "42"])
        .expect(0);
}

pub(crate) fn the_trace_shows_commands_and_no_contents() {
    let modem = Modem::start(&[]);
    let pki = credentials();
    let key = pki.file("client.key");
    let options = ["--tag", "1", "--key", &key, "--sim-pin", "4321", "-v"];
    let ended = modem.run(&["credentials", "store"], &options).expect(0);
    assert!(ended.stderr.contains("AT+QFUPL"), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("warning: --sim-pin"),
        "{}",
        ended.stderr
    );
    assert!(!ended.stderr.contains("4321"), "{}", ended.stderr);
    let key = std::fs::read_to_string(&key).unwrap();
    let line = key.lines().nth(1).unwrap();
    assert!(!ended.stderr.contains(&line[..16]), "{}", ended.stderr);
}

pub(crate) fn a_tag_that_the_modem_cannot_name_is_refused() {
    let modem = Modem::start(&[]);
    let pki = credentials();
    let options = ["--tag", "1000000", "--ca", &pki.file("ca.pem")];
    let ended = modem.run(&["credentials", "store"], &options).expect(1);
    assert!(ended.stderr.contains("999999"), "{}", ended.stderr);
}

pub(crate) fn verified_by_content_and_not_by_size() {
    let modem = Modem::start(&[]);
    let pki = credentials();
    let (ca, cert, key) = (
        pki.file("ca.pem"),
        pki.file("client.pem"),
        pki.file("client.key"),
    );
    modem
        .run(
            &["credentials", "store"],
            &["--tag", "5", "--ca", &ca, "--key", &key],
        )
        .expect(0);
    let same = ["--tag", "5", "--ca", &ca, "--key", &key];
    let same = modem.run(&["credentials", "verify"], &same).expect(0);
    assert_eq!(
        same.stdout,
        "5\tCA certificate\tsame\n5\tprivate key\tsame\n"
    );

    // Another signature: as long, and not the same bytes.
    let text = std::fs::read_to_string(&ca).unwrap();
    let end = text.find("-----END").unwrap();
    let at = text[..end - 1].rfind('\n').unwrap() + 1;
    let other = if text[at..].starts_with('A') {
        "B"
    } else {
        "A"
    };
    let moved = pki.file("moved.pem");
    std::fs::write(&moved, format!("{}{other}{}", &text[..at], &text[at + 1..])).unwrap();
    assert_eq!(std::fs::metadata(&moved).unwrap().len(), text.len() as u64);
    let files = ["--tag", "5", "--ca", &moved, "--cert", &cert, "--key", &key];
    let ended = modem.run(&["credentials", "verify"], &files).expect(1);
    assert_eq!(
        ended.stdout,
        "5\tCA certificate\tdiffers\n5\tclient certificate\tmissing\n5\tprivate key\tsame\n"
    );
    ended.expect_hint("which sends --ca, --cert alone");
}

pub(crate) fn der_is_converted() {
    let modem = Modem::start(&[]);
    let pki = credentials();
    let ca = pki.file("ca.pem");
    let write = |name: &str, content: &[u8]| {
        let path = pki.file(name);
        std::fs::write(&path, content).unwrap();
        path
    };
    let (ca_der, key_der) = (Pki::shared().ca_der(), Pki::shared().client().key_der());
    let der = (
        write("ca.der", &ca_der),
        write("key.der", key_der.secret_der()),
    );
    let files = ["--tag", "5", "--ca", &der.0, "--key", &der.1];
    let stored = modem.run(&["credentials", "store"], &files).expect(0);
    assert!(!stored.stderr.contains("DER"), "{}", stored.stderr);
    // The DER file has the content of the PEM file, whose last line end does not count.
    let text = std::fs::read_to_string(&ca).unwrap();
    std::fs::write(&ca, format!("{}\n", text.trim_end())).unwrap();
    for ca in [&ca, &der.0] {
        let files = ["--tag", "5", "--ca", ca];
        modem.run(&["credentials", "verify"], &files).expect(0);
    }
}

pub(crate) fn new_credentials_replace_the_old_once_they_have_worked() {
    let echo = Server::echo();
    let server = format!("localhost:{}", echo.port());
    let modem = Modem::start(&[]);
    let pki = credentials();
    modem.provision("1");
    let listed = |modem: &Modem| {
        let list = modem.run(&["credentials", "list"], &[]).expect(0).stdout;
        let tags: Vec<String> = list
            .lines()
            .map(|line| line.split('\t').next().unwrap().to_owned())
            .collect();
        tags
    };

    // A client of another CA: the server refuses it.
    let stranger = Pki::new().client().clone();
    let write = |name: &str, content: &str| {
        let path = pki.file(name);
        std::fs::write(Path::new(&path), content).unwrap();
        path
    };
    let (cert, key) = (
        write("other.pem", &stranger.cert_pem),
        write("other.key", &stranger.key_pem),
    );
    let ca = pki.file("ca.pem");
    let rotate = |new: &str, cert: &str, key: &str| {
        modem.run(
            &["credentials", "rotate"],
            &[
                "--tag",
                "1",
                "--new-tag",
                new,
                "--ca",
                &ca,
                "--cert",
                cert,
                "--key",
                key,
                "--server",
                &server,
                "--private-ca",
            ],
        )
    };
    let refused = rotate("2", &cert, &key).expect(1);
    assert!(
        refused.stderr.contains("tag 1 is as it was"),
        "{}",
        refused.stderr
    );
    assert_eq!(listed(&modem), ["1", "1", "1"]);

    rotate("1", &pki.file("client.pem"), &pki.file("client.key")).expect_hint("a tag of their own");
    // Neither does mutual TLS end without a word, nor is anything else replaced by the way.
    let with = |new: &str, old: &str| {
        let files = ["--tag", old, "--new-tag", new, "--ca", &ca];
        let server = ["--server", &server, "--private-ca"];
        modem.run(&["credentials", "rotate"], &[&files[..], &server].concat())
    };
    with("2", "1").expect_hint("--drop-client-cert");
    with("2", "70").expect_hint("sectag credentials list");
    let stored = ["--tag", "2", "--cert", &pki.file("client.pem")];
    modem.run(&["credentials", "store"], &stored).expect(0);
    rotate("2", &cert, &key).expect_hint("credentials remove --modem bg96");
    assert_eq!(listed(&modem), ["1", "1", "1", "2"]);
    let done = rotate("2", &pki.file("client.pem"), &pki.file("client.key")).expect(0);
    assert!(done.stdout.contains("tag 2"), "{}", done.stdout);
    assert_eq!(listed(&modem), ["2", "2", "2"]);
}

/// The key goes into the modem and nowhere else, and the certificate that a CA makes of the request fits it.
pub(crate) fn a_modem_that_makes_no_keys_is_given_one() {
    let modem = Modem::start(&[]);
    let unnamed = modem.run(&["credentials", "csr"], &["--tag", "3"]);
    unnamed.expect_hint("--subject CN=");
    let named = ["--tag", "3", "--subject", "CN=pump-17,O=Example"];
    let made = modem.run(&["credentials", "csr"], &named).expect(0);
    let (out, said) = (&made.stdout, &made.stderr);
    assert!(
        out.starts_with("-----BEGIN CERTIFICATE REQUEST-----\nMI"),
        "{out}"
    );
    assert!(
        said.contains("RSA 2048, was made on this computer"),
        "{said}"
    );
    assert!(
        said.contains("in the modem only, under tag 3; it is in no file"),
        "{said}"
    );
    assert!(!out.contains("PRIVATE") && !said.contains("PRIVATE"));
    let listed = modem
        .run(&["credentials", "list"], &["--tag", "3"])
        .expect(0);
    assert!(listed.stdout.contains("private key"), "{}", listed.stdout);
    // It is never replaced.
    let again = modem.run(&["credentials", "csr"], &named);
    again.expect_hint("sectag credentials remove --modem bg96");
    // With a file it is in both.
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("new.key");
    let path = file.to_str().unwrap();
    let named = [
        "--tag",
        "4",
        "--subject",
        "CN=pump-18",
        "--key-out",
        path,
        "--json",
    ];
    let made = modem.run(&["credentials", "csr"], &named).expect(0);
    assert!(
        made.stdout.contains("\"key_made_in\":\"computer\""),
        "{}",
        made.stdout
    );
    let there = ["--tag", "4", "--key", path];
    let same = modem.run(&["credentials", "verify"], &there).expect(0);
    assert!(same.stdout.contains("same"), "{}", same.stdout);
}

/// A factory has neither SIM nor network: what concerns the store alone needs neither. Times are the library's tests'
/// (`factory.rs`).
pub(crate) fn neither_sim_nor_network_is_needed() {
    let pki = credentials();
    let ca = pki.file("ca.pem");
    for (modem, lacks, command, options, lines) in [
        (
            "bg96",
            "sim-missing",
            "store",
            &["--tag", "42", "--ca", &ca][..],
            1,
        ),
        ("nrf9160", "no-registration", "list", &[], 0),
    ] {
        let modem = Modem::start_named(modem, &["--scenario", lacks]);
        let done = modem.run(&["credentials", command], options).expect(0);
        assert_eq!(done.stdout.lines().count(), lines, "{}", done.stdout);
    }
}
