//! `--modem cc31xx`: a simulated network processor over a pseudo terminal, byte by byte, with mosquitto behind it.

use crate::process::{credentials, run};
use crate::station::{self, SERVER, Station, WIFI};

pub(crate) fn what_one_publishes_natively_comes_back() {
    let station = Station::start("cc31xx");
    let tool = |command: &[&str], options: &[&str]| station.tool(command, options);
    let pki = credentials();
    let (ca, cert, key) = (
        pki.file("ca.pem"),
        pki.file("client.pem"),
        pki.file("client.key"),
    );
    let files = ["--tag", "7", "--ca", &ca, "--cert", &cert, "--key", &key];

    tool(&["credentials", "store"], &files).end().expect(0);
    let again = tool(&["credentials", "store"], &files).end().expect(0);
    assert_eq!(
        again.stdout.matches("already").count(),
        3,
        "{}",
        again.stdout
    );
    tool(&["credentials", "verify"], &files).end().expect(0);
    let listed = tool(&["credentials", "list"], &[]).end().expect(0).stdout;
    assert_eq!(listed.lines().count(), 3, "{listed}");

    let status = tool(&["status"], &[]).end().expect(0).stdout;
    for said in ["Texas Instruments", "4.13.0.2", "workshop", "192.168.50.42"] {
        assert!(status.contains(said), "{said} in\n{status}");
    }

    let checked = [&SERVER, &files[2..]].concat();
    let checked = tool(&["doctor"], &checked).end().expect(0).stdout;
    for said in [
        "answers",
        "network",
        "clock",
        "credentials",
        "DNS",
        "verification",
        "connection",
    ] {
        assert!(
            checked.contains(&format!("ok    {said}")),
            "{said} in\n{checked}"
        );
    }

    station.what_is_published_comes_back();

    // The trace names commands, and has neither passphrase nor key in it.
    let traced = tool(&["-v", "credentials", "store", "--force"], &files)
        .end()
        .expect(0);
    assert!(
        traced.stderr.contains("> a441 write file"),
        "{}",
        traced.stderr
    );
    assert!(!traced.stderr.contains("battery"), "{}", traced.stderr);

    tool(&["credentials", "remove"], &["--all"]).end().expect(0);
    let listed = tool(&["credentials", "list"], &[]).end().expect(0).stdout;
    assert_eq!(listed, "");
    tool(&["publish"], &station::kept())
        .end()
        .expect_hint("--ca ca.pem");
}

/// Files with tokens: stored, found to be there, listed, verified and removed, with the secret from the environment.
pub(crate) fn credentials_are_secure_files_with_a_token() {
    let modem = station::start("cc31xx", 1);
    let secret = [
        ("SECTAG_PSK", "correct horse battery"),
        ("SECTAG_FILE_TOKEN", "0x5eed1234"),
    ];
    let tool = |command: &[&str], options: &[&str]| {
        let options = [&WIFI, options].concat();
        modem.start_tool(command, &options, &secret, b"").end()
    };
    let pki = credentials();
    let (ca, cert, key) = (
        pki.file("ca.pem"),
        pki.file("client.pem"),
        pki.file("client.key"),
    );
    let files = ["--tag", "7", "--ca", &ca, "--cert", &cert, "--key", &key];
    tool(&["-v", "credentials", "store"], &files).expect(0);
    let again = tool(&["credentials", "store"], &files).expect(0);
    assert_eq!(again.stdout.matches("already").count(), 3);
    tool(&["credentials", "verify"], &files).expect(0);
    let listed = tool(&["credentials", "list"], &[]).expect(0).stdout;
    assert_eq!(listed.lines().count(), 3, "{listed}");

    // One wrong secret: told, and the right one still works.
    let wrong = [secret[0], ("SECTAG_FILE_TOKEN", "7")];
    let verify = [&WIFI, &files[..]].concat();
    let refused = modem
        .start_tool(&["credentials", "verify"], &verify, &wrong, b"")
        .end()
        .expect(1);
    assert!(refused.stderr.contains("wrong token"), "{}", refused.stderr);
    tool(&["credentials", "remove"], &["--all"]).expect(0);
    let listed = tool(&["credentials", "list"], &[]).expect(0).stdout;
    assert_eq!(listed, "");
    let none = [secret[0], ("SECTAG_FILE_TOKEN", "secret")];
    let no_number = modem.start_tool(&["status"], &WIFI, &none, b"").end();
    no_number.expect_hint("0x");
}

pub(crate) fn what_stands_in_the_way_is_named() {
    let modem = station::start("cc31xx", 1);
    modem.run(&["status"], &[]).expect_hint("--ssid");
    let wrong = [("SECTAG_PSK", "correct horse")];
    let refused = modem.start_tool(&["status"], &WIFI, &wrong, b"").end();
    assert!(refused.stderr.contains("reason 15"), "{}", refused.stderr);
    refused.expect_hint("passphrase");
    let time = [&WIFI[..], &["--set-clock", "network"]].concat();
    modem
        .run(&["status"], &time)
        .expect_hint("--set-clock host");

    let place = ["--modem", "cc31xx", "--port", "/nowhere"];
    run(&[&["at"], &place[..], &["AT"]].concat()).expect_hint("sectag status");
    let record = ["record", "--out", "/nowhere/x"];
    run(&[&record, &place[..], &["--", "status"]].concat()).expect_hint("-v");
    for options in [
        &["--fault", "error"][..],
        &["--fault", "reset@1:AT"],
        &["--dialect", "2.1"],
        &["--scenario", "sim-missing"],
    ] {
        let simulate = ["simulate", "--modem", "cc31xx", "--tcp", "0"];
        run(&[&simulate, options].concat()).expect(1);
    }
    for command in [&["demo"][..], &["simulate", "--tcp", "0"]] {
        let first = ["--modem", "cc31xx", "--dialect", "g1"];
        run(&[command, &first].concat()).expect_hint("--features openssl");
    }
}
