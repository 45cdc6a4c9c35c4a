//! Recordings hold what was said and no secret.

use std::cell::RefCell;
use std::collections::HashSet;
use std::io::{self, Write};
use std::rc::Rc;

use embassy_time::{Duration, Timer, with_timeout};
use embedded_io_async::Read;
use minimq::{Buffers, ConfigBuilder, Publication, QoS, Session};
use sectag::{Comparison, Kind, NoPins};
use sectag_bg96::{Auth, Config};
use sectag_integration_tests::Bench;
use sectag_integration_tests::simulated::{HOST, PORT, TLS, World, provision, virtually};
use sectag_simulator::{Chunk, Options, Reaction, Sim};
use sectag_test_support::pki::Pki;
use sectag_transcript::{Event, Payload, Recorder, Transcript};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const LOGIN: &str = "correct-horse-battery-staple-correct-horse";
const APN_LOGIN: &str = "another-horse, and a battery with a staple";
const PIN: &str = "83514062";
const TOPIC: &str = "sectag/telemetry/of/this/device";
const ANSWER: &[u8] = b"\x30\x0b\x00\x01t\x00command";

const CONFIG: Config = match Config::new().apn("iot.operator.example") {
    Ok(config) => match config.login(Auth::Chap, "user", APN_LOGIN) {
        Ok(config) => match config.pin(PIN) {
            Ok(config) => config,
            Err(_) => panic!("PIN"),
        },
        Err(_) => panic!("login"),
    },
    Err(_) => panic!("APN"),
};

#[derive(Clone, Default)]
struct Shared(Rc<RefCell<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn world(chunk: Chunk) -> World {
    let world = World::new(Options {
        sim: Sim::PinRequired(PIN.into()),
        chunk,
        ..Options::default()
    });
    // As much of a broker as a login takes.
    world.serve(async |mut stream| {
        let mut packet = [0; 512];
        let count = stream.read(&mut packet).await?;
        assert!(
            packet[..count]
                .windows(LOGIN.len())
                .any(|w| w == LOGIN.as_bytes())
        );
        stream.write_all(b"\x20\x03\x00\x00\x00").await?;
        let count = stream.read(&mut packet).await?;
        assert_eq!(packet[0] >> 4, 3, "{count}");
        stream.write_all(ANSWER).await?;
        stream.shutdown().await
    });
    world
}

/// Provisioning, a key that is read back, MQTT login, a message each way.
async fn session(bench: Bench) {
    provision(bench).await;
    let key = Pki::shared().client().key_pem.as_bytes();
    let read_back = bench
        .control
        .compare(TLS.tag(), Kind::PrivateKey, key)
        .await;
    assert_eq!(read_back, Ok(Comparison::Same));
    let (mut rx, mut tx) = ([0; 512], [0; 512]);
    let config = ConfigBuilder::new(Buffers::new(&mut rx, &mut tx))
        .client_id("device")
        .unwrap()
        .auth("user", LOGIN.as_bytes())
        .unwrap();
    let mut session = Session::new(config);
    let socket = bench.control.connect(HOST, PORT, &TLS).await.unwrap();
    let mut client = with_timeout(Duration::from_secs(60), session.connect(socket))
        .await
        .unwrap()
        .unwrap();
    let message = Publication::bytes(TOPIC, b"21 degrees").qos(QoS::AtMostOnce);
    client.publish(message).await.unwrap();
    let mut socket = client.into_inner();
    let mut answer = [0; 64];
    let mut count = 0;
    while count < ANSWER.len() {
        count += socket.read(&mut answer[count..]).await.unwrap();
    }
    assert_eq!(&answer[..count], ANSWER);
    socket.close().await.unwrap();
    // What asks for a secret gets it, and the recording does not.
    let mut lines = Vec::new();
    bench
        .control
        .raw_at("at+qicsgp=1", Duration::from_secs(1), &mut |line| {
            lines.push(line.to_vec());
        })
        .await
        .unwrap();
    assert!(String::from_utf8_lossy(&lines[0]).contains(APN_LOGIN));
}

fn record(payload: Payload) -> (Shared, &'static Recorder<Shared>) {
    let out = Shared::default();
    let recorder = Recorder::new(out.clone(), "the simulator, in a test", payload);
    (out, Box::leak(Box::new(recorder)))
}

fn text(out: &Shared) -> String {
    String::from_utf8(out.0.borrow().clone()).unwrap()
}

/// All bytes of one direction.
fn said(transcript: &Transcript, host: bool) -> Vec<u8> {
    let mut all = Vec::new();
    for event in &transcript.events {
        match event {
            Event::Host(bytes) if host => all.extend(bytes),
            Event::Modem(bytes) if !host => all.extend(bytes),
            _ => {}
        }
    }
    all
}

fn has(all: &[u8], part: &[u8]) -> bool {
    all.windows(part.len()).any(|window| window == part)
}

/// Windows of 16 bytes of everything that is secret, as it may appear.
fn assert_no_secret(all: &[u8], context: &str) {
    let pki = Pki::shared();
    let client = pki.client();
    let sixteen: HashSet<&[u8]> = all.windows(16).collect();
    for pem in [&client.key_pem, &client.cert_pem, &pki.ca_pem()] {
        // As it is sent, without its line ends, and decoded.
        let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        for secret in [pem.as_bytes(), body.as_bytes(), &decoded(&body)] {
            // The first and last lines are no secret, and are masked all the same.
            let shown = secret.windows(16).any(|window| sixteen.contains(window));
            assert!(!shown, "16 bytes of a credential: {context}");
        }
    }
    for secret in [LOGIN, APN_LOGIN] {
        for window in secret.as_bytes().windows(8) {
            assert!(!has(all, window), "{secret}: {context}");
        }
    }
    assert!(!has(all, PIN.as_bytes()), "PIN: {context}");
}

fn decoded(body: &str) -> Vec<u8> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bits = 0_u32;
    let mut count = 0;
    let mut bytes = Vec::new();
    for sextet in body
        .bytes()
        .filter_map(|c| ALPHABET.iter().position(|a| *a == c))
    {
        bits = bits << 6 | sextet as u32;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    bytes
}

#[test]
fn provisioning_and_login_leave_no_secret() {
    for chunk in [Chunk::Whole, Chunk::Bytes(1), Chunk::Bytes(7)] {
        for payload in [Payload::Masked, Payload::Kept] {
            virtually(async || {
                let world = world(chunk);
                let (out, recorder) = record(payload);
                world
                    .attach_tapped(CONFIG, Some(recorder), NoPins, session)
                    .await;
                recorder.finish().unwrap();
                // They were sent.
                assert_eq!(world.count(&format!("AT+CPIN=\"{PIN}\"")), 1);
                assert!(world.commands().iter().any(|line| line.contains(APN_LOGIN)));

                let text = text(&out);
                let context = format!("{chunk:?} {payload:?}\n{text}");
                let transcript: Transcript = text.parse().unwrap();
                assert_no_secret(text.as_bytes(), &context);
                let (host, modem) = (said(&transcript, true), said(&transcript, false));
                assert_no_secret(&host, &context);
                assert_no_secret(&modem, &context);

                // Every byte is there, and every command under its name.
                assert_eq!(host.len() as u64, world.modem.bytes_in(), "{context}");
                assert_eq!(modem.len() as u64, world.modem.bytes_out(), "{context}");
                for command in world.commands() {
                    let name = command.split('=').next().unwrap();
                    assert!(has(&host, name.as_bytes()), "{name}: {context}");
                }
                for line in [
                    "AT+CPIN=\"xxxxxxxx\"\r",
                    "AT+QICSGP=x,x,\"xxxxxxxxxxxxxxxxxxxx\",\"xxxx\",\"",
                    "AT+QFUPL=\"st7.key\",",
                    "AT+QSSLOPEN=1,0,0,\"broker.sectag.test\",8883,0\r",
                ] {
                    assert!(has(&host, line.as_bytes()), "{line}: {context}");
                }
                for line in ["\r\nSEND OK\r\n", "+CPIN: READY", "\r\n> ", "+QFUPL: "] {
                    assert!(has(&modem, line.as_bytes()), "{line}: {context}");
                }
                let kept = payload == Payload::Kept;
                assert_eq!(has(&host, TOPIC.as_bytes()), kept, "{context}");
                assert_eq!(has(&modem, b"command"), kept, "{context}");
            });
        }
    }
}

#[test]
fn troubles_leave_no_secret_either() {
    for seed in 0..12_u64 {
        virtually(async || {
            let world = world(Chunk::Random { max: 20 });
            let (out, recorder) = record(Payload::Kept);
            let key = Pki::shared().client().key_pem.clone();
            world
                .attach_tapped(CONFIG, Some(recorder), NoPins, async |bench| {
                    bench.control.wait_up().await.unwrap();
                    // An upload that is dropped, one that is answered by nonsense, and a modem that restarts
                    // with its echo on.
                    let store = bench
                        .control
                        .store(TLS.tag(), Kind::PrivateKey, key.as_bytes());
                    let _ = with_timeout(Duration::from_millis(seed), store).await;
                    let mut left = seed;
                    world.modem.set_script(Box::new(move |line| {
                        left = left.wrapping_sub(1);
                        if left == 0 && line.starts_with(b"AT+QF") {
                            Reaction::Reply(b"\r\nCONNECT\r\n\r\nOK\r\n".to_vec())
                        } else {
                            Reaction::Normal
                        }
                    }));
                    let _ = bench
                        .control
                        .store(TLS.tag(), Kind::PrivateKey, key.as_bytes())
                        .await;
                    world.modem.set_script(Box::new(|_| Reaction::Normal));
                    world.modem.reset();
                    // Until the banner comes, nobody knows.
                    Timer::after_secs(10).await;
                    bench.control.wait_up().await.unwrap();
                    session(bench).await;
                })
                .await;
            recorder.finish().unwrap();
            let text = text(&out);
            let transcript: Transcript = text.parse().unwrap();
            assert!(transcript.events.contains(&Event::Reset), "{text}");
            assert_no_secret(&said(&transcript, true), &text);
            assert_no_secret(&said(&transcript, false), &text);
        });
    }
}
