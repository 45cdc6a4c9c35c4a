//! `sectag doctor`: the list up to the first thing that is missing.

use sectag_simulator::{Options, Sim};
use sectag_test_support::mosquitto::{Mosquitto, MosquittoOptions};
use sectag_test_support::pki::Pki;

use crate::connect::Server;
use crate::process::{Ended, Modem, Tool, credentials, run};
use crate::surroundings;

#[track_caller]
pub(crate) fn failed_at(ended: Ended, check: &str, hint: &str) {
    let failed: Vec<&str> = ended
        .stdout
        .lines()
        .filter(|line| line.starts_with("FAIL"))
        .collect();
    assert!(
        failed.len() == 1 && failed[0].contains(check),
        "{}\n{}",
        ended.stdout,
        ended.stderr
    );
    // Nothing is claimed of what comes behind.
    assert!(ended.stdout.trim_end().ends_with(failed[0].trim_end()));
    ended.expect_hint(hint);
}

pub(crate) fn all_is_well_up_to_the_connection() {
    let echo = Server::echo();
    let modem = Modem::start(&["--turnaround-ms", "5"]);
    modem.provision("3");
    let server = format!("localhost:{}", echo.port());
    let pki = credentials();
    let (ca, cert, key) = (
        pki.file("ca.pem"),
        pki.file("client.pem"),
        pki.file("client.key"),
    );
    let options = [
        "--host",
        &server,
        "--tag",
        "3",
        "--private-ca",
        "--ca",
        &ca,
        "--cert",
        &cert,
        "--key",
        &key,
    ];
    let ended = modem.run(&["doctor"], &options).expect(0);
    for check in [
        "files on this computer",
        "port",
        "answers AT             Quectel BG96",
        "SIM",
        "registration",
        "data connection",
        "clock",
        "credentials            tag 3: CA certificate",
        "expiry                 CA certificate in",
        "DNS",
        "verification           checked: certificate chain",
        "connection",
    ] {
        let found = ended
            .stdout
            .lines()
            .any(|line| line.starts_with("ok") && line.contains(check));
        assert!(found, "{check}:\n{}", ended.stdout);
    }
    // The BG96's suites are for RSA alone.
    let tls = "info  TLS                    TLS 1.0 to 1.2, only servers with a key of RSA; a server of TLS 1.3 alone";
    assert!(ended.stdout.contains(tls), "{}", ended.stdout);
    // Without a server it ends sooner.
    let ended = modem.run(&["doctor"], &[]).expect(0);
    assert!(
        ended
            .stdout
            .trim_end()
            .lines()
            .last()
            .unwrap()
            .contains("clock")
    );
}

pub(crate) fn the_token_of_a_login_is_told_and_whose_key_signs_it() {
    let broker = Mosquitto::start(Pki::shared(), &MosquittoOptions::new()).unwrap();
    let modem = Modem::with_broker(broker.port());
    modem.provision("3");
    let pki = credentials();
    let (cert, key, other) = (
        pki.file("client.pem"),
        pki.file("client.key"),
        pki.file("other.key"),
    );
    let another = Pki::shared().issue_client_with_new_key("another");
    std::fs::write(&other, another.key_pem).unwrap();
    for (signs, whose) in [
        (&key, "; the key of --cert"),
        (&other, "; not the key of --cert"),
    ] {
        let tls = ["--host", "broker.sectag.test", "--tag", "3", "--private-ca"];
        let files = ["--cert", &cert, "--key", &key];
        let login = ["--jwt-key", signs, "--jwt-aud", "project"];
        let options = [&tls[..], &files, &login].concat();
        let ended = modem.run(&["doctor"], &options);
        let ended = ended.expect(0).stdout;
        let line = ended.lines().find(|line| line.starts_with("ok    token"));
        let line = line.unwrap_or_else(|| panic!("{ended}"));
        let told = line.contains("RS256 with a key RSA 2048, for project");
        assert!(told && line.contains(whose), "{line}");
        assert!(ended.contains("\nok    login"), "{ended}");
    }
}

/// By the modem's clock, which decides.
pub(crate) fn a_certificate_that_has_ended_is_named() {
    let modem = Modem::start(&["--turnaround-ms", "5", "--clock", "2051-01-01T00:00:00Z"]);
    modem.provision("3");
    let ended = modem.run(&["doctor"], &["--tag", "3", "--set-clock", "no"]);
    failed_at(ended, "expiry", "renew it, then store it again");
}

pub(crate) fn what_the_modem_has_one_number_for_is_told_apart_from_here() {
    let echo = Server::echo();
    let modem = Modem::start(&["--turnaround-ms", "5"]);
    modem.provision("3");
    let server = format!("localhost:{}", echo.port());
    let other = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(other.path(), Pki::new().ca_pem()).unwrap();
    let other = other.path().to_str().unwrap();
    let with = |more: &[&str]| -> Vec<String> {
        let base = ["--host", &server, "--tag", "3", "--private-ca"];
        base.iter().chain(more).map(ToString::to_string).collect()
    };
    let doctor = |options: Vec<String>| {
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        modem.run(&["doctor"], &options)
    };
    modem
        .run(&["credentials", "store"], &["--tag", "3", "--ca", other])
        .expect(0);
    let pki = credentials();
    let (cert, key) = (pki.file("client.pem"), pki.file("client.key"));
    let ended = doctor(with(&["--ca", other, "--cert", &cert, "--key", &key]));
    assert!(
        ended.stderr.contains(
            "probe: seen from this computer: the server's certificate was not signed by the CA"
        ),
        "{}",
        ended.stderr
    );
    failed_at(ended, "connection", "the CA under the tag is not the one");

    // Without a file to compare with, the cause stays open, and what was seen is ruled out.
    let ended = doctor(with(&[]));
    let hints: Vec<&str> = ended
        .stderr
        .lines()
        .filter(|line| line.starts_with("hint: "))
        .collect();
    assert!(
        hints[1].starts_with("hint: 1. the CA under the tag"),
        "{}",
        ended.stderr
    );
    assert!(
        !ended.stderr.contains("nothing answers") && !ended.stderr.contains("has expired"),
        "{}",
        ended.stderr
    );

    // Nobody listens there any more.
    drop(echo);
    let ended = doctor(with(&["--ca", other]));
    failed_at(ended, "connection", "nothing answers at this host and port");
}

pub(crate) fn the_first_obstacle_is_named() {
    let modem = Modem::start(&["--turnaround-ms", "5"]);
    let server = ["--host", "localhost:1", "--tag", "3"];
    failed_at(
        modem.run(&["doctor"], &server),
        "credentials",
        "sectag credentials store --modem bg96 --port",
    );

    modem.provision("3");
    let other = ["--host", "localhost:1", "--tag", "4"];
    let elsewhere = "stored under tag 3 (CA certificate, client certificate, private key)";
    failed_at(modem.run(&["doctor"], &other), "credentials", elsewhere);

    let public = ["--host", "localhost:1", "--tag", "3"];
    failed_at(
        modem.run(&["doctor"], &public),
        "verification",
        "--private-ca",
    );
    let nowhere = [
        "--host",
        "nowhere.sectag.test:1",
        "--tag",
        "3",
        "--private-ca",
    ];
    failed_at(
        modem.run(&["doctor"], &nowhere),
        "DNS",
        "the name has no address",
    );

    let no_sim = surroundings::Modem::start(Options {
        sim: Sim::Missing,
        ..Options::default()
    });
    failed_at(no_sim.run(&["doctor"], &[], &[]), "SIM", "makes contact");

    let refused = surroundings::Modem::start(Options {
        pdp_refusal: Some(573),
        ..Options::default()
    });
    let ended = refused.run(&["doctor"], &[], &[]);
    assert!(
        ended.stdout.contains("ok    registration"),
        "{}",
        ended.stdout
    );
    failed_at(ended, "data connection", "(--apn)");

    let timeless = surroundings::Modem::start(Options {
        network_time: None,
        ..Options::default()
    });
    let only_network = ["--set-clock", "network"];
    failed_at(
        timeless.run(&["doctor"], &only_network, &[]),
        "clock",
        "--set-clock host",
    );
}

pub(crate) fn files_and_ports_are_checked_first() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = format!("tcp:{}", listener.local_addr().unwrap());
    let doctor = |more: &[&str]| {
        let base = ["doctor", "--modem", "bg96", "--port", &port];
        run(&[&base, more].concat())
    };
    let (pki, other) = (credentials(), tempfile::tempdir().unwrap());
    let (cert, key) = (pki.file("client.pem"), other.path().join("other.key"));
    std::fs::write(&key, &Pki::shared().server().key_pem).unwrap();
    let pair = ["--cert", &cert, "--key", key.to_str().unwrap()];
    failed_at(doctor(&pair), "files on this computer", "made together");
    failed_at(doctor(&[]), "answers AT", "--baud 115200 was used");
}

/// A name that exists only where the simulated modem is: the look goes there too, on either kind of port.
pub(crate) fn the_look_goes_where_the_simulated_modem_does() {
    let echo = Server::echo();
    let map = format!("elsewhere.sectag.test:443=127.0.0.1:{}", echo.port());
    let pki = credentials();
    let ca = pki.file("ca.pem");
    let looks = |port: &str, server: &str, says: &str| {
        let doctor = ["doctor", "--modem", "bg96", "--port", port, "--tag", "3"];
        let options = ["--private-ca", "--ca", &ca, "--host", server, "--probe"];
        let ended = run(&[&doctor[..], &options].concat());
        let says = format!("probe: seen from this computer: {server}{says}");
        assert!(ended.stderr.contains(&says), "{says}: {}", ended.stderr);
    };
    let modem = Modem::start(&["--map", &map]);
    modem.provision("3");
    let found = " is 127.0.0.1:";
    looks(
        modem.link().to_str().unwrap(),
        "elsewhere.sectag.test:443",
        found,
    );

    let state = tempfile::tempdir().unwrap();
    let state = state.path().join("state.json");
    let tcp = ["simulate", "--modem", "bg96", "--tcp", "0", "--map", &map];
    let kept = ["--state", state.to_str().unwrap()];
    let mut tool = Tool::start(&[&tcp[..], &kept].concat(), &[], b"");
    let port = tool.wait_for("ready: tcp:");
    let port = port.strip_prefix("ready: ").unwrap();
    let store = ["credentials", "store", "--modem", "bg96", "--port", port];
    run(&[&store[..], &["--tag", "3", "--ca", &ca]].concat()).expect(0);
    looks(port, "elsewhere.sectag.test:443", found);
}
