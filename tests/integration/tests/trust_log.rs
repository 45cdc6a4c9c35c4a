//! What the log says of a connection: what was checked, and no pre-shared key. A process of its own,
//! because the logger is the process's.

use std::sync::Mutex;

use log::{LevelFilter, Log, Metadata, Record};
use sectag::{Psk, Suites};
use sectag_integration_tests::simulated::{HOST, PORT, TLS, World, provision, virtually};
use sectag_simulator::{Options, Profile, Reaction};
use sectag_test_support::tls_server::echo;

const IDENTITY: &str = "device-4711-of-the-north-pier";
const KEY: &str = "c0ffee00112233445566778899aabbccddeeff00112233445566778899aabbcc";
const PSK: Psk = match Psk::new(IDENTITY, KEY) {
    Ok(psk) => psk,
    Err(_) => panic!("PSK"),
};

static LOG: Mutex<Vec<(log::Level, String)>> = Mutex::new(Vec::new());

struct Capture;

impl Log for Capture {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn log(&self, record: &Record<'_>) {
        let mut log = LOG.lock().unwrap();
        log.push((record.level(), record.args().to_string()));
    }
    fn flush(&self) {}
}

#[test]
fn log_says_once_for_each_connect_what_was_checked_and_shows_no_key() {
    log::set_logger(&Capture).unwrap();
    log::set_max_level(LevelFilter::Trace);
    for (profile, line) in [
        (
            Profile::EG25,
            "chain yes, name unknown, dates yes, SNI yes, cipher suite no, client certificate yes",
        ),
        (
            Profile {
                refused_ssl_keys: &["ignorelocaltime", "sni"],
                ..Profile::EG25
            },
            "chain yes, name unknown, dates no, SNI no, cipher suite no, client certificate yes",
        ),
    ] {
        LOG.lock().unwrap().clear();
        virtually(async || {
            let world = World::new(Options {
                profile,
                ..Options::default()
            });
            world.serve(echo);
            world
                .attach(async |bench| {
                    provision(bench).await;
                    let config = TLS.psk(PSK).suites(Suites::All);
                    let connect = async || bench.control.connect(HOST, PORT, &config).await;
                    for _ in 0..2 {
                        connect().await.unwrap().close().await.unwrap();
                    }
                    // They were sent.
                    let sent = format!("AT+QSSLCFG=\"psk\",0,\"{IDENTITY}\",\"{KEY}\"");
                    assert_eq!(world.count(&sent), 2);
                    // A modem that restarted unnoticed echoes, and this is what it echoes.
                    world.modem.set_script(Box::new(|line| {
                        if line.starts_with(b"AT+QSSLCFG=\"psk\"") {
                            Reaction::Reply([line, b"\r\r\nERROR\r\n"].concat())
                        } else {
                            Reaction::Normal
                        }
                    }));
                    assert!(connect().await.is_err());
                })
                .await;
        });
        let log = LOG.lock().unwrap();
        let said: Vec<_> = log
            .iter()
            .filter(|(level, text)| *level == log::Level::Info && text.contains("checked"))
            .map(|(_, text)| text.as_str())
            .collect();
        let expected = format!("connected, checked of the server: {line}");
        assert_eq!(said, [&expected[..]; 2]);
        assert!(log.iter().any(|(_, text)| text == "> AT+QSSLCFG=(masked)"));
        for (_, text) in log.iter() {
            for secret in [IDENTITY, KEY] {
                for window in secret.as_bytes().windows(16) {
                    let window = std::str::from_utf8(window).unwrap();
                    assert!(!text.contains(window), "{text}");
                }
            }
        }
    }
}
