use crate::process::run;

pub(crate) fn usage_errors_exit_with_2() {
    for args in [
        &[][..],
        &["frobnicate"],
        &["publish", "--modem", "bg96"],
        &[
            "connect",
            "--modem",
            "bg96",
            "--port",
            "tcp:localhost:1",
            "--tag",
            "1",
            "no-port",
        ],
        &["simulate", "--modem", "bg96"],
        // Numbers that no clock has room for.
        &[
            "simulate",
            "--modem",
            "bg96",
            "--tcp",
            "0",
            "--turnaround-ms",
            "18446744073709551615",
        ],
        &[
            "subscribe",
            "--port",
            "tcp:localhost:1",
            "--host",
            "localhost",
            "--tag",
            "1",
            "-t",
            "t",
            "-W",
            "18446744073709551615",
        ],
        &["jwt", "make", "--key", "k", "--aud", "a", "--ttl", "86401"],
        &[
            "simulate",
            "--modem",
            "bg96",
            "--tcp",
            "0",
            "--clock",
            "yesterday",
        ],
        &[
            "simulate",
            "--modem",
            "bg96",
            "--tcp",
            "0",
            "--fault",
            "explosion",
        ],
        &[
            "simulate",
            "--modem",
            "bg96",
            "--tcp",
            "0",
            "--map",
            "a:1=192.0.2.1:1",
        ],
        &[
            "simulate",
            "--modem",
            "nrf9160",
            "--tcp",
            "0",
            "--dialect",
            "1.9",
        ],
        &[
            "credentials",
            "store",
            "--modem",
            "bg96",
            "--port",
            "x",
            "--tag",
            "1",
        ],
    ] {
        let ended = run(args).expect(2);
        assert!(
            ended.stderr.contains("Usage") || ended.stderr.contains("--help"),
            "{}",
            ended.stderr
        );
    }
}

pub(crate) fn an_unknown_modem_lists_the_known_ones() {
    let ended = run(&["demo", "--modem", "bg97"]).expect(2);
    assert!(
        ended.stderr.contains("[possible values: bg96, nrf9160"),
        "{}",
        ended.stderr
    );
}

pub(crate) fn a_port_that_is_not_there_is_an_error_with_a_hint() {
    let list = |port| run(&["credentials", "list", "--modem", "bg96", "--port", port]);
    list("/dev/sectag-nowhere").expect_hint("serial port");
    // Port 1 of this computer: nobody listens there.
    list("tcp:127.0.0.1:1").expect_hint("listens");
}

pub(crate) fn what_is_no_port_is_named() {
    let status = |port| run(&["status", "--modem", "bg96", "--port", port]);
    let dir = tempfile::tempdir().unwrap();
    let link = dir.path().join("modem");
    // No terminal has so high a number.
    std::os::unix::fs::symlink("/dev/pts/99999999", &link).unwrap();
    for (port, why) in [
        ("/dev/sectag-nowhere", "there is no such device"),
        ("/dev/null", "it is not a serial port"),
        ("/etc/passwd", "it is a file, not a serial port"),
        ("/tmp", "it is a folder"),
        (link.to_str().unwrap(), "the link leads nowhere"),
    ] {
        let ended = status(port).expect(1);
        let error = format!("error: cannot open {port}: {why}\nhint: ");
        assert!(ended.stderr.starts_with(&error), "{}", ended.stderr);
    }
    for port in ["", "tcp:", "tcp:localhost", "tcp::5000", "tcp:localhost:0"] {
        let ended = status(port).expect(2);
        assert!(ended.stderr.contains("--port"), "{}", ended.stderr);
    }
}

pub(crate) fn a_key_in_place_of_a_certificate_is_refused_before_the_port_is_opened() {
    let pki = crate::process::credentials();
    let key = pki.file("client.key");
    run(&[
        "credentials",
        "store",
        "--modem",
        "bg96",
        "--port",
        "/dev/sectag-nowhere",
        "--tag",
        "1",
        "--ca",
        &key,
    ])
    .expect_hint("give the certificate");
}

pub(crate) fn a_silent_port_names_speed_and_wiring() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = format!("tcp:{}", listener.local_addr().unwrap());
    run(&["credentials", "list", "--modem", "bg96", "--port", &port]).expect_hint("--baud 115200");
}

pub(crate) fn a_scenario_or_dialect_that_a_modem_does_not_have_is_refused() {
    let scenario = ["demo", "--modem", "nrf9160", "--scenario", "ecdsa-server"];
    let ended = run(&scenario).expect(1);
    assert!(
        ended
            .stderr
            .contains("nrf9160 has no scenario ecdsa-server"),
        "{}",
        ended.stderr
    );
    assert!(ended.stdout.is_empty(), "{}", ended.stdout);
    ended.expect_hint("it has wrong-ca, expired");
    let dialect = run(&["demo", "--dialect", "2.1"]).expect(1);
    assert!(
        dialect.stderr.contains("bg96 has no dialects"),
        "{}",
        dialect.stderr
    );
    let simulate = ["simulate", "--tcp", "0", "--modem"];
    let profiled = |modem, profile| run(&[&simulate[..], &[modem, "--profile", profile]].concat());
    profiled("nrf9160", "v1").expect_hint("other modems have --dialect");
    let unknown = profiled("bg96", "v9").expect(2).stderr;
    assert!(unknown.contains("checks-name"), "{unknown}");
}
