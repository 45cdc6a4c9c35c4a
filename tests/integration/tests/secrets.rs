//! Nothing secret appears in the trace of a bring-up, a provisioning, a read-back and an MQTT login. A
//! process of its own, because the logger is the process's.

use std::cell::Cell;
use std::sync::Mutex;

use embassy_time::{Duration, Timer, with_timeout};
use log::{LevelFilter, Log, Metadata, Record};
use minimq::{Buffers, ConfigBuilder, Session};
use sectag::{
    Comparison, CredentialSet, Digest, Ensured, Kind, NoPins, Proof, Secret, SecretBuf, Tag,
};
use sectag_bg96::{Auth, Config};
use sectag_integration_tests::scripted::Modem;
use sectag_integration_tests::simulated::{HOST, PORT, TLS, World, virtually};
use sectag_integration_tests::{bench, bench_with};
use sectag_simulator::{Options, Sim};
use sectag_test_support::pki::Pki;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const APN: &str = "an-access-point-name-of-more-than-sixty-four-bytes.iot.operator.example";
const PASSWORD: &str = "correct-horse-battery-staple-correct-horse-battery";
const PIN: &str = "83514062";
const MQTT_PASSWORD: &str = "Tr0ub4dor-and-3-more-words-for-the-broker";

const CONFIG: Config = match Config::new().apn(APN) {
    Ok(config) => match config.login(Auth::Chap, "user", PASSWORD) {
        Ok(config) => match config.pin(PIN) {
            Ok(config) => config,
            Err(_) => panic!("PIN"),
        },
        Err(_) => panic!("login"),
    },
    Err(_) => panic!("APN"),
};

static TRACE: Mutex<String> = Mutex::new(String::new());

struct Capture;

impl Log for Capture {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn log(&self, record: &Record<'_>) {
        let mut trace = TRACE.lock().unwrap();
        trace.push_str(&record.args().to_string());
        trace.push('\n');
    }
    fn flush(&self) {}
}

/// In one test, because there is one logger.
#[test]
fn trace_shows_commands_and_no_secret() {
    log::set_logger(&Capture).unwrap();
    log::set_max_level(LevelFilter::Trace);
    let key = Pki::shared().client().key_pem.clone();
    provision_and_log_in(&key);
    for command in [
        "> AT+QICSGP=(masked)",
        "> AT+CPIN=(masked)",
        "> AT+QFUPL=\\\"st7.key\\\"",
        "> AT+QFOPEN=\\\"st7.key\\\"",
        "> AT+QFREAD=",
        "< CONNECT 256",
        "> AT+QSSLSEND=",
        "< OK",
    ] {
        let trace = TRACE.lock().unwrap();
        assert!(trace.contains(command), "no {command} in\n{trace}");
    }
    check(&key);
    read_back_with_noise_on_the_line(&key);
    check(&key);
    assert!(TRACE.lock().unwrap().contains("< (64 bytes)"));
    pin_is_echoed_late();
    check(&key);
}

/// The command was given up long ago, and another one runs whose answer is no secret.
fn pin_is_echoed_late() {
    let echo = format!("AT+CPIN=\"{PIN}\"");
    let echoed = Cell::new(false);
    bench_with(
        CONFIG,
        async |uart| {
            let mut modem = Modem::new(uart, 4096);
            modem.obey_until(|command| command == "AT+CPIN?").await;
            modem.say("\r\n+CPIN: SIM PIN\r\n\r\nOK\r\n").await;
            let count = "AT+CPINR=\"SIM PIN\"";
            modem.answer(count, "\r\n+CME ERROR: 50\r\n").await;
            modem.expect(&echo).await;
            // The next life of the link begins with a +++ in front of its first command.
            modem.command().await;
            modem.say(format!("{echo}\r\r\nOK\r\n")).await;
            echoed.set(true);
            modem.rest().await;
        },
        async |bench| {
            assert!(bench.control.wait_up().await.is_err());
            Timer::after_secs(30).await;
        },
    );
    assert!(echoed.get());
    assert!(TRACE.lock().unwrap().contains("\n< AT\n"));
}

fn provision_and_log_in(key: &str) {
    let pki = Pki::shared();
    virtually(async || {
        let world = World::new(Options {
            sim: Sim::PinRequired(PIN.into()),
            ..Options::default()
        });
        // Enough of a broker: whatever comes is a CONNECT that is welcome.
        world.serve(async |mut stream| {
            let mut packet = [0; 512];
            let count = stream.read(&mut packet).await?;
            let seen = String::from_utf8_lossy(&packet[..count]).into_owned();
            assert!(seen.contains(MQTT_PASSWORD), "the login");
            stream.write_all(&[0x20, 3, 0, 0, 0]).await?;
            stream.read(&mut packet).await
        });
        let application = world.attach_with(CONFIG, NoPins, async |bench| {
            let control = bench.control;
            let kind = Kind::PrivateKey;
            let mut owned = SecretBuf::<4096>::new();
            assert!(owned.push(key.as_bytes()));
            control.store(Tag(7), kind, &owned).await.unwrap();
            let ensured = control.ensure(Tag(7), kind, Secret::new(key)).await;
            assert_eq!(ensured, Ok(Ensured::AlreadyThere(Proof::ReadBack)));
            let digest = control.digest(Tag(7), kind).await;
            assert_eq!(digest, Ok(Some(Digest::of(key.as_bytes()))));
            let (ca, certificate) = (pki.ca_pem(), &pki.client().cert_pem);
            let set = CredentialSet::new()
                .ca(ca.as_bytes())
                .client_certificate(certificate.as_bytes())
                .private_key(key.as_bytes());
            assert_eq!(control.ensure_set(Tag(7), set).await, Ok(2));
            // One that is dropped in the middle.
            let store = control.store(Tag(8), kind, key.as_bytes());
            assert!(with_timeout(Duration::from_ticks(0), store).await.is_err());

            let (mut rx, mut tx) = ([0; 256], [0; 512]);
            let config = ConfigBuilder::new(Buffers::new(&mut rx, &mut tx))
                .client_id("device")
                .unwrap();
            let config = config.auth("user", MQTT_PASSWORD.as_bytes()).unwrap();
            let mut session = Session::new(config);
            let socket = bench.control.connect(HOST, PORT, &TLS).await.unwrap();
            with_timeout(Duration::from_secs(30), session.connect(socket))
                .await
                .unwrap()
                .map(drop)
                .unwrap();
        });
        application.await;
        // They were sent.
        assert_eq!(world.count(&format!("AT+CPIN=\"{PIN}\"")), 1);
        assert!(world.commands().iter().any(|line| line.contains(PASSWORD)));
        assert_eq!(world.modem.files()["st7.key"], key.as_bytes());
    });
}

/// The header of a piece is garbled, so that its payload looks like lines: at once, and again late,
/// when the driver has given up and synchronises.
fn read_back_with_noise_on_the_line(key: &str) {
    bench(
        async |uart| {
            let mut modem = Modem::new(uart, 4096);
            modem.bring_up().await;
            let is_about_files = |command: &str| {
                ["AT+QFLST", "AT+QFOPEN=", "AT+QFREAD"]
                    .iter()
                    .any(|name| command.starts_with(name))
            };
            loop {
                let command = modem.obey_until(is_about_files).await;
                if command.starts_with("AT+QFLST") {
                    let list = format!("\r\n+QFLST: \"st7.key\",{}\r\n\r\nOK\r\n", key.len());
                    modem.say(list).await;
                } else if command.starts_with("AT+QFOPEN") {
                    modem.say("\r\n+QFOPEN: 1\r\n\r\nOK\r\n").await;
                } else {
                    modem.say(format!("\r\nCONN\x7fCT 256\r\n{key}")).await;
                    embassy_time::Timer::after_secs(6).await;
                    modem.say(key).await;
                    modem.say("\r\nOK\r\n").await;
                }
            }
        },
        async |bench| {
            let found = bench
                .control
                .compare(Tag(7), Kind::PrivateKey, key.as_bytes())
                .await;
            assert!(!matches!(found, Ok(Comparison::Same)), "{found:?}");
            let _ = bench.control.clock().await;
        },
    );
}

fn check(key: &str) {
    let trace = TRACE.lock().unwrap();
    for secret in [PIN, &APN[APN.len() - 16..]] {
        assert!(!trace.contains(secret), "{secret} in\n{trace}");
    }
    let body: String = key.lines().filter(|line| !line.starts_with('-')).collect();
    // As text, and as bytes in hex.
    for secret in [PASSWORD, MQTT_PASSWORD, &body] {
        for window in secret.as_bytes().windows(16) {
            let text = std::str::from_utf8(window).unwrap();
            assert!(!trace.contains(text), "16 bytes of a secret in\n{trace}");
        }
    }
    for line in key.lines().filter(|line| !line.starts_with('-')) {
        let hex: String = line.bytes().map(|byte| format!("{byte:02x}")).collect();
        for window in hex.as_bytes().windows(32) {
            let text = std::str::from_utf8(window).unwrap();
            assert!(
                !trace.contains(text),
                "16 bytes of a key in hex in\n{trace}"
            );
        }
    }
}
