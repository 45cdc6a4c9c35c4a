//! Nothing secret appears in the trace of a bring-up and a provisioning. A process of its own,
//! because the logger is the process's.

use std::sync::Mutex;

use log::{LevelFilter, Log, Metadata, Record};
use sectag::{CredentialStore, Kind, NoPins, Tag};
use sectag_bg96::{Auth, Config};
use sectag_integration_tests::simulated::{World, virtually};
use sectag_simulator::{Options, Sim};
use sectag_test_support::pki::Pki;

const APN: &str = "an-access-point-name-of-more-than-sixty-four-bytes.iot.operator.example";
const PASSWORD: &str = "correct-horse-battery-staple-correct-horse-battery";
const PIN: &str = "83514062";

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

#[test]
fn trace_shows_commands_and_no_secret() {
    log::set_logger(&Capture).unwrap();
    log::set_max_level(LevelFilter::Trace);
    let key = Pki::shared().client().key_pem.clone();
    virtually(async || {
        let sim = Sim::PinRequired(PIN.into());
        let world = World::new(Options {
            sim,
            ..Options::default()
        });
        let provisioned = world.attach_with(CONFIG, NoPins, async |bench| {
            bench
                .control
                .store(Tag(7), Kind::PrivateKey, key.as_bytes())
                .await
        });
        provisioned.await.unwrap();
        // They were sent.
        assert_eq!(world.count(&format!("AT+CPIN=\"{PIN}\"")), 1);
        assert!(world.commands().iter().any(|line| line.contains(PASSWORD)));
        assert_eq!(world.modem.files()["st7.key"], key.as_bytes());
    });
    let trace = TRACE.lock().unwrap();
    for command in [
        "> AT+QICSGP=(masked)",
        "> AT+CPIN=(masked)",
        "> AT+QFUPL=\\\"st7.key\\\"",
        "< OK",
    ] {
        assert!(trace.contains(command), "no {command} in\n{trace}");
    }
    for secret in [PIN, PASSWORD, &APN[APN.len() - 16..]] {
        assert!(!trace.contains(secret), "{secret} in\n{trace}");
    }
    let body: String = key.lines().filter(|line| !line.starts_with('-')).collect();
    for window in body.as_bytes().windows(16) {
        let window = std::str::from_utf8(window).unwrap();
        assert!(!trace.contains(window), "16 bytes of the key in\n{trace}");
    }
}
