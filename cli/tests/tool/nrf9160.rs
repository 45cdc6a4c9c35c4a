//! The nRF9160 through the host tool, on a pseudo terminal: the user's story.

use std::fs::File;
use std::io::{self, Read, Write};
use std::thread;

use rustls::pki_types::CertificateSigningRequestDer;
use rustls::pki_types::pem::PemObject;
use sectag::Digest;
use sectag_test_support::mosquitto::{Mosquitto, MosquittoOptions};
use sectag_test_support::pki::Pki;
use sectag_test_support::tls_server::TlsStream;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::connect::Server;
use crate::doctor::failed_at;
use crate::process::{Ended, Modem, credentials, run};

const NAME: &str = "broker.sectag.test";
const RECORD: usize = 5 * 1024;

fn modem(dialect: &str, port: u16) -> Modem {
    modem_with(dialect, port, &[])
}

fn modem_with(dialect: &str, port: u16, more: &[&str]) -> Modem {
    let map = format!("{NAME}:8883=127.0.0.1:{port}");
    let options = ["--dialect", dialect, "--map", &map, "--turnaround-ms", "5"];
    Modem::start_named("nrf9160", &[&options, more].concat())
}

/// Letters, so that a byte which is missing shows, and one line for the tool's reader.
fn record() -> Vec<u8> {
    let letters = (b'a'..=b'z').cycle().take(RECORD - 1);
    letters.chain([b'\n']).collect()
}

/// Answers a line with one TLS record of 5 KiB.
async fn one_record(stream: &mut TlsStream<TcpStream>) -> io::Result<()> {
    while stream.read_u8().await? != b'\n' {}
    stream.write_all(&record()).await?;
    stream.flush().await
}

/// Sends one record, and closes the connection.
async fn one_record_and_no_more(mut stream: TlsStream<TcpStream>) -> io::Result<()> {
    one_record(&mut stream).await?;
    stream.shutdown().await
}

/// Sends one record, and keeps the connection open.
async fn one_record_and_patience(mut stream: TlsStream<TcpStream>) -> io::Result<usize> {
    one_record(&mut stream).await?;
    stream.read(&mut [0]).await
}

/// `sectag connect`: asks for the record.
fn fetch(modem: &Modem) -> Ended {
    let options = ["--tag", "321", "broker.sectag.test:8883"];
    modem
        .start_tool(&["connect"], &options, &[], b"more\n")
        .end()
}

pub(crate) fn native_2_1_shows_its_numbers_and_refuses_to_connect() {
    let modem = modem("2.1-native", 1);
    modem.provision("321");
    let listed = modem.run(&["credentials", "list"], &[]).expect(0).stdout;
    let pki = credentials();
    // This firmware neither tells when certificates end nor lets them be read.
    let unknown = "\tuntil unknown";
    for (place, name, file, until) in [
        (3210, "CA certificate", "ca.pem", unknown),
        (3211, "client certificate", "client.pem", unknown),
        (3212, "private key", "client.key", ""),
    ] {
        let digest = Digest::of(&std::fs::read(pki.file(file)).unwrap());
        let line = format!("321\t{name}\t? bytes\t{digest}\t{place}{until}");
        assert!(listed.lines().any(|found| found == line), "{listed}");
    }
    let listed = modem.run(&["credentials", "list"], &["--json"]).expect(0);
    assert!(
        listed.stdout.contains("\"tag\":321") && listed.stdout.contains("\"place\":3211"),
        "{}",
        listed.stdout
    );
    let refused = fetch(&modem);
    assert!(
        refused.stderr.contains("corrupts its heap"),
        "{}",
        refused.stderr
    );
    refused.expect_hint("update to 2.6");
    // With the fix declared it is let through, to a server that is not there.
    let declared = [
        "--tag",
        "321",
        "--patched-native",
        "broker.sectag.test:8883",
    ];
    let ended = modem.run(&["connect"], &declared).expect(1);
    assert!(!ended.stderr.contains("corrupts"), "{}", ended.stderr);
}

pub(crate) fn native_3_1_takes_a_record_of_5_kib_and_survives_a_reset() {
    let server = Server::start(one_record_and_no_more);
    // The second connection ends with its first bytes.
    let modem = modem_with(
        "3.1-native",
        server.port(),
        &["--fault", "reset@2:AT#XSEND"],
    );
    modem.provision("321");
    let received = fetch(&modem).expect(0);
    assert_eq!(received.stdout.as_bytes(), record());
    let lost = fetch(&modem).expect(1);
    assert!(
        lost.stderr.contains("the connection was lost"),
        "{}",
        lost.stderr
    );
    let again = fetch(&modem).expect(0);
    assert_eq!(again.stdout.as_bytes(), record());
}

pub(crate) fn smaller_buffers_refuse_the_same_record_by_name() {
    let server = Server::start(one_record_and_patience);
    let port = server.port();
    thread::scope(|scope| {
        for dialect in ["2.6-native", "2.7-native"] {
            scope.spawn(move || {
                let modem = modem(dialect, port);
                modem.provision("321");
                let ended = fetch(&modem);
                assert!(ended.stdout.is_empty(), "{}", ended.stdout);
                ended.expect_hint("smaller messages");
            });
        }
    });
}

/// An MQTT 5 broker that lets in, and then has a message of 5 KiB.
async fn broker_of_one_record(mut stream: TlsStream<TcpStream>) -> io::Result<usize> {
    stream.read_u8().await?;
    stream.write_all(b"\x20\x03\x00\x00\x00").await?;
    stream.flush().await?;
    stream.write_all(&record()).await?;
    stream.flush().await?;
    stream.read_to_end(&mut Vec::new()).await
}

/// While the client has something to say as well.
pub(crate) fn an_mqtt_client_is_told_of_a_record_above_the_limit() {
    let server = Server::start(broker_of_one_record);
    let port = server.port();
    thread::scope(|scope| {
        for command in ["publish", "subscribe"] {
            scope.spawn(move || {
                let modem = modem("2.6-native", port);
                modem.provision("321");
                let mut options = vec!["--host", NAME, "--tag", "321", "--topic", "t"];
                if command == "publish" {
                    options.extend(["--message", "m", "--qos", "1"]);
                }
                modem
                    .run(&[command], &options)
                    .expect_hint("smaller messages");
            });
        }
    });
}

pub(crate) fn what_is_published_through_one_dialect_comes_through_another() {
    let broker = Mosquitto::start(Pki::shared(), &MosquittoOptions::new()).unwrap();
    let port = broker.port();
    thread::scope(|scope| {
        for (from, to) in [("2.1", "sm"), ("3.1-native", "2.5")] {
            scope.spawn(move || publish_through(from, to, port));
        }
    });
}

fn publish_through(from: &str, to: &str, port: u16) {
    let server = ["--host", NAME, "--tag", "321"];
    let topic_name = format!("sectag/{from}");
    let provisioned = |dialect| {
        let modem = modem(dialect, port);
        modem.provision("321");
        modem
    };
    let (from, to) = thread::scope(|scope| {
        let from = scope.spawn(|| provisioned(from));
        let to = provisioned(to);
        (from.join().unwrap(), to)
    });
    let topic = [&server[..], &["--topic", &topic_name, "--count", "1"]].concat();
    let mut subscriber = to.start_tool(&["subscribe"], &topic, &[], b"");
    subscriber.wait_for(&format!("subscribed to {topic_name}"));
    let message = ["--topic", &topic_name, "--message", "+++ \"OK\" +++"];
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
    let status = from.run(&["status"], &[]).expect(0);
    assert!(status.stdout.contains("nRF9160"), "{}", status.stdout);
}

/// Writes a credential by the modem's own command, as another tool would.
fn write_with_cmng(modem: &Modem, kind: u8, pem: &str) {
    let mut port = File::options()
        .read(true)
        .write(true)
        .open(modem.link())
        .unwrap();
    let content = pem.replace('\r', "");
    write!(port, "AT%CMNG=0,321,{kind},\"{content}\"\r\n").unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"OK\r\n") {
        let mut byte = [0];
        port.read_exact(&mut byte).unwrap();
        answer.extend(byte);
        assert!(answer.len() < 100, "{}", answer.escape_ascii());
    }
}

pub(crate) fn keys_under_the_other_scheme_are_explained() {
    let (pki, client) = (Pki::shared(), Pki::shared().client());
    let written = |dialect| {
        let modem = modem(dialect, 1);
        write_with_cmng(&modem, 0, &pki.ca_pem());
        write_with_cmng(&modem, 1, &client.cert_pem);
        write_with_cmng(&modem, 2, &client.key_pem);
        modem
    };
    let older = "321 was written with %CMNG; this build's native TLS reads 3210, 3211, 3212";
    let newer = "321 was written with %CMNG; this build's native TLS reads what #XCMNG stores";
    for (dialect, explained) in [("2.4-native", older), ("3.1-native", newer)] {
        let modem = written(dialect);
        let listed = modem.run(&["credentials", "list"], &["--tag", "321"]);
        let listed = listed.expect(0).stdout;
        assert_eq!(listed.matches(explained).count(), 3, "{listed}");
        // The fix is declared, so that the firmware is no obstacle.
        let tag = ["--tag", "321", "--patched-native"];
        let ended = modem.run(&["doctor"], &tag);
        assert!(ended.stderr.contains(explained), "{}", ended.stderr);
        failed_at(
            ended,
            "credentials",
            "sectag credentials store --modem nrf9160",
        );
        let connect = [&tag[..], &["broker.sectag.test:8883"]].concat();
        let ended = modem.run(&["connect"], &connect);
        assert!(ended.stderr.contains(explained), "{}", ended.stderr);
        ended.expect_hint("sectag credentials store --modem nrf9160");
    }
}

pub(crate) fn a_key_made_in_the_modem_serves_for_mutual_tls() {
    let server = Server::start(async |mut stream: TlsStream<TcpStream>| {
        while stream.read_u8().await? != b'\n' {}
        stream.write_all(b"known\n").await?;
        stream.shutdown().await
    });
    let modem = modem("sm", server.port());
    let named = ["--tag", "321", "--subject", "CN=pump-17"];
    let made = modem.run(&["credentials", "csr"], &named).expect(0);
    let request = CertificateSigningRequestDer::from_pem_slice(made.stdout.as_bytes()).unwrap();
    let certificate = Pki::shared().issue_for_request(&request).unwrap();
    let pki = credentials();
    let (ca, cert) = (pki.file("ca.pem"), pki.file("pump.pem"));
    std::fs::write(&cert, certificate).unwrap();
    let files = ["--tag", "321", "--ca", &ca, "--cert", &cert];
    modem.run(&["credentials", "store"], &files).expect(0);
    let ended = fetch(&modem).expect(0);
    assert_eq!(ended.stdout, "known\n");
    assert!(ended.stderr.contains("mutual TLS"), "{}", ended.stderr);

    modem
        .run(&["credentials", "csr"], &named)
        .expect_hint("sectag credentials remove --modem nrf9160");
    // Such a key would never be found there, so the computer makes one.
    let native = self::modem("3.1-native", 1);
    let made = native.run(&["credentials", "csr"], &named).expect(0);
    assert!(
        made.stdout.contains("CERTIFICATE REQUEST"),
        "{}",
        made.stdout
    );
    assert!(
        made.stderr
            .contains("ECDSA P-256, was made on this computer"),
        "{}",
        made.stderr
    );
}

pub(crate) fn the_doctor_names_what_this_modem_alone_lacks() {
    let server = Server::echo();
    let host = format!("localhost:{}", server.port());
    let modem = modem("2.1", 1);
    let link = modem.link().to_str().unwrap();
    let bare = ["doctor", "--modem", "nrf9160", "--port", link, "--tag", "3"];
    failed_at(run(&bare), "flow control", "say so: --flow-control");
    modem.provision("3");
    let options = ["--tag", "3", "--host", &host];
    // Once needed with this modem, and still taken.
    let any = [&options[..], &["--accept-missing", "suites"]].concat();
    let ended = modem.run(&["doctor"], &any).expect(0);
    assert!(
        ended.stderr.contains("whatever cipher suite"),
        "{}",
        ended.stderr
    );
    let ended = modem.run(&["doctor"], &options).expect(0);
    let found = |check: &str| ended.stdout.lines().any(|line| line.starts_with(check));
    for check in [
        "ok    answers AT             Nordic",
        "ok    firmware",
        "ok    credentials            tag 3: CA certificate, client certificate, private key",
        "ok    verification           checked: certificate chain, name; not checked: cipher suite; not known",
        "ok    connection",
    ] {
        assert!(found(check), "{check}:\n{}", ended.stdout);
    }

    // Nobody is sent to store what this firmware cannot use.
    let native = self::modem("2.5-native", 1);
    failed_at(
        native.run(&["doctor"], &["--tag", "3"]),
        "firmware",
        "update to 2.6",
    );
}
