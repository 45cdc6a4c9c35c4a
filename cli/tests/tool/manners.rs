//! What a user of such tools expects of any: options by their usual names, pipes, Ctrl-C.

use std::process::{Command, Stdio};

use sectag_test_support::broker::Broker;
use sectag_test_support::pki::Pki;

use crate::process::{Modem, credentials, program};

const SERVER: [&str; 5] = ["--host", "broker.sectag.test", "--tag", "5", "--private-ca"];

fn options<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&SERVER, more].concat()
}

fn start(broker: &Broker, more: &[&str]) -> Modem {
    let map = format!("broker.sectag.test:8883=127.0.0.1:{}", broker.tls_port());
    let modem = Modem::start(&[&["--map", &map], more].concat());
    modem.provision("5");
    modem
}

pub(crate) fn options_of_mosquitto_s_clients_mean_the_same() {
    let broker = Broker::start(Pki::shared()).unwrap();
    let modem = start(&broker, &[]);
    let payload = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(payload.path(), b"from a file\0\xff").unwrap();
    let file = payload.path().to_str().unwrap();
    let publish = |more: &[&str], input: &[u8]| {
        let started = modem.start_tool(&["publish"], &options(more), &[], input);
        started.end().expect(0)
    };
    let sent = publish(
        &["-t", "a", "-m", "-", "-q", "2", "-r"],
        b"from standard input",
    );
    assert!(
        sent.stdout
            .starts_with("published 19 bytes to a at QoS 2, retained: the broker has"),
        "{}",
        sent.stdout
    );
    publish(&["-t", "b", "-f", file, "-r", "-i", "me"], b"");
    let received = modem
        .run(
            &["subscribe"],
            &options(&["-t", "#", "-q", "2", "-C", "2", "--json"]),
        )
        .expect(0);
    let lines: Vec<_> = received.stdout.lines().collect();
    assert_eq!(
        lines,
        [
            "{\"topic\":\"a\",\"payload\":\"from standard input\",\"qos\":2,\"retained\":true}",
            "{\"topic\":\"b\",\"payload_hex\":\"66726f6d20612066696c6500ff\",\"qos\":1,\"retained\":true}",
        ]
    );
    // Emptied, it is no longer kept.
    publish(&["-t", "a", "-n", "-r"], b"");
    let late = modem.run(
        &["subscribe"],
        &options(&["-t", "a", "-C", "1", "-W", "1", "--json"]),
    );
    let late = late.expect(1);
    assert!(
        late.stdout.starts_with(
            "{\"error\":\"0 of 1 messages came within 1 s\",\"causes\":[],\"hints\":["
        ),
        "{}",
        late.stdout
    );
}

pub(crate) fn a_publish_that_was_acknowledged_is_a_success_whatever_becomes_of_the_good_bye() {
    let broker = Broker::start(Pki::shared()).unwrap();
    // CONNECT, PUBLISH, and the DISCONNECT is lost.
    let modem = start(&broker, &["--fault", "reset@3:AT+QSSLSEND"]);
    let sent = modem
        .run(&["publish"], &options(&["-t", "t", "-m", "m"]))
        .expect(0);
    assert!(
        sent.stdout.contains("the broker has acknowledged"),
        "{}",
        sent.stdout
    );
    assert!(
        sent.stderr
            .contains("warning: the message is delivered, but"),
        "{}",
        sent.stderr
    );
}

pub(crate) fn an_interrupt_lets_an_upload_end_and_says_what_is_left() {
    let modem = Modem::start(&["--turnaround-ms", "50", "--baud", "57600"]);
    let pki = credentials();
    let (ca, cert, key) = (
        pki.file("ca.pem"),
        pki.file("client.pem"),
        pki.file("client.key"),
    );
    let set = [
        "--tag", "5", "--baud", "57600", "--ca", &ca, "--cert", &cert, "--key", &key,
    ];
    let mut storing = modem.start_tool(&["credentials", "store"], &set, &[], b"");
    storing.wait_for("stored the CA certificate");
    storing.signal("INT");
    let ended = storing.end().expect(130);
    assert!(
        ended
            .stderr
            .contains("error: interrupted: not stored under tag 5: the private key"),
        "{}",
        ended.stderr
    );
    assert!(
        ended.stdout.contains("stored the client certificate"),
        "{}",
        ended.stdout
    );
    let again = modem.run(&["credentials", "store"], &set).expect(0);
    assert_eq!(
        again.stdout.matches("is under tag 5 already").count(),
        2,
        "{}",
        again.stdout
    );
}

/// What prints at once, in each of the tool's ways to print.
const PRINTERS: [&[&str]; 8] = [
    &["man"],
    &["completions", "bash"],
    &["--help"],
    &["publish", "--help"],
    &["help", "credentials"],
    &["--version"],
    &["jwt", "explain", "a.b.c"],
    &["jwt", "explain", "a.b.c", "--json"],
];

fn with_output(args: &[&str], output: impl Into<Stdio>) -> (Option<i32>, String) {
    let ended = Command::new(program())
        .args(args)
        .stdout(output)
        .output()
        .unwrap();
    let told = String::from_utf8(ended.stderr).unwrap();
    (ended.status.code(), told)
}

pub(crate) fn nobody_who_reads_is_no_error_to_tell() {
    for args in PRINTERS {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        assert_eq!(
            with_output(args, writer),
            (Some(141), String::new()),
            "{args:?}"
        );
    }
}

pub(crate) fn a_full_disk_is_told_whatever_is_printed() {
    for args in PRINTERS {
        let full = std::fs::File::options()
            .write(true)
            .open("/dev/full")
            .unwrap();
        let (code, told) = with_output(args, full);
        assert_eq!(code, Some(1), "{args:?}: {told}");
        assert!(
            told.starts_with("error: writing to standard output: No space left"),
            "{args:?}: {told}"
        );
    }
}

pub(crate) fn all_credentials_are_removed_at_once() {
    let modem = Modem::start(&[]);
    modem.provision("5");
    modem.provision("6");
    let removed = modem.run(&["credentials", "remove"], &["--all"]).expect(0);
    assert_eq!(
        removed.stdout.matches("removed the").count(),
        6,
        "{}",
        removed.stdout
    );
    let left = modem.run(&["credentials", "list"], &[]).expect(0);
    assert_eq!(left.stdout, "");
}

pub(crate) fn a_port_in_use_is_told_with_the_program_that_has_it() {
    let modem = Modem::start(&[]);
    // It holds the port for as long as its input does not end.
    let mut holder = modem.start_listening(&["at"], &["-v"]);
    holder.wait_for("> AT");
    let refused = modem.run(&["status"], &[]).expect(1);
    let told = format!("it is in use by sectag (process {})\n", holder.id());
    assert!(refused.stderr.contains(&told), "{}", refused.stderr);
}
