//! Keys that are made in the modem, and what it signs with them.

use embassy_time::Timer;
use sectag::{BringUpError, Kind, Suites, Tag, TlsConfig};
use sectag_integration_tests::nrf9160::{
    Bench, CONFIG, World, connect, label, options, provision, round_trip,
};
use sectag_integration_tests::simulated::{HOST, PORT, virtually};
use sectag_nrf9160::{
    DeviceKeys, KEY_BUFFER, KeyError, KeyRequest, KeyUse, ModemKey, TOKEN_BUFFER, TokenRequest,
};
use sectag_simulator::{Nrf9160Options, Nrf9160Profile};
use sectag_test_support::pki::Pki;
use sectag_test_support::tls_server::echo;

const OURS: Tag = Tag(17);

async fn store_ca(bench: Bench, tag: Tag) {
    let ca = Pki::shared().ca_pem();
    let stored = bench.control.store(tag, Kind::Ca, ca.as_bytes()).await;
    stored.unwrap();
}

/// From the request to a connection: the key never leaves the modem.
#[test]
fn a_device_gets_its_certificate_for_a_key_of_the_modems() {
    for profile in Nrf9160Profile::ALL {
        let name = label(&profile);
        virtually(async || {
            let world = World::new(options(profile));
            world.serve(echo);
            world
                .attach_with(CONFIG.generated_key(), async |bench| {
                    store_ca(bench, OURS).await;
                    let mut out = [0; KEY_BUFFER];
                    let request = KeyRequest::csr().subject("CN=pump-17").unwrap();
                    let key = bench.control.generate_key(OURS, &request, &mut out).await;
                    let key = key.unwrap_or_else(|error| panic!("{name}: {error}"));
                    assert!(key.attestation().len() > 150, "{name}");
                    assert!(
                        key.pem()
                            .to_string()
                            .starts_with("-----BEGIN CERTIFICATE REQUEST-----\nMI")
                    );
                    let certificate = Pki::shared().issue_for_request(key.der()).unwrap();
                    bench
                        .control
                        .store(OURS, Kind::ClientCertificate, certificate.as_bytes())
                        .await
                        .unwrap();
                    let tls = TlsConfig::new(OURS)
                        .client_certificate()
                        .suites(Suites::All);
                    let mut socket = bench
                        .control
                        .connect(HOST, PORT, &tls)
                        .await
                        .unwrap_or_else(|error| panic!("{name}: {error}"));
                    assert_eq!(round_trip(&mut socket, b"ours").await, b"ours", "{name}");
                    socket.close().await.unwrap();
                    // It is never replaced.
                    let again = bench.control.generate_key(OURS, &request, &mut out).await;
                    assert_eq!(again, Err(KeyError::Exists), "{name}");
                    bench.control.remove(OURS, Kind::PrivateKey).await.unwrap();
                    let again = bench.control.generate_key(OURS, &request, &mut out).await;
                    assert!(again.is_ok(), "{name}: {again:?}");
                })
                .await;
        });
    }
}

#[test]
fn a_public_key_and_an_original_request() {
    virtually(async || {
        let world = World::new(options(Nrf9160Profile::V2_5));
        world
            .attach(async |bench| {
                let mut out = [0; KEY_BUFFER];
                let request = KeyRequest::public_key();
                let key = bench
                    .control
                    .generate_key(Tag(1), &request, &mut out)
                    .await
                    .unwrap();
                assert!(key.pem().to_string().contains("BEGIN PUBLIC KEY"));
                assert_eq!(key.der().len(), 91);
                // The attested digest is that of the original.
                let request = KeyRequest::csr().unaltered();
                let key = bench
                    .control
                    .generate_key(Tag(2), &request, &mut out)
                    .await
                    .unwrap();
                let digest = sectag::Digest::of(key.der());
                let same = |part: &[u8]| part == digest.as_bytes();
                assert!(key.attestation().windows(32).any(same));
                let null = b"\x04\x03\x02\x05\x00";
                assert!(key.der().windows(5).any(|part| part == null));
            })
            .await;
    });
}

#[test]
fn native_tls_does_not_see_such_keys_and_that_is_an_error_of_the_configuration() {
    for name in ["2.1-native", "2.7-native", "3.1-native"] {
        virtually(async || {
            let profile = Nrf9160Profile::named(name).unwrap();
            let world = World::new(options(profile));
            world
                .attach(async |bench| {
                    bench.control.wait_up().await.unwrap();
                    world.modem.take_commands();
                    let mut out = [0; KEY_BUFFER];
                    let made = bench
                        .control
                        .generate_key(OURS, &KeyRequest::csr(), &mut out)
                        .await;
                    assert_eq!(made, Err(KeyError::Invisible), "{name}");
                    assert!(world.modem.commands().is_empty(), "{name}");
                    // For tokens it is fine, and the modem comes back.
                    let request = KeyRequest::public_key().not_for_tls();
                    let made = bench.control.generate_key(OURS, &request, &mut out).await;
                    assert!(made.is_ok(), "{name}: {made:?}");
                    let token = TokenRequest::new().signed_by(OURS, KeyUse::Client);
                    let mut out = [0; TOKEN_BUFFER];
                    let token = bench.control.sign_token(&token, &mut out).await;
                    assert!(token.is_ok(), "{name}: {token:?}");
                    // The runner brings it back.
                    Timer::after_secs(2).await;
                })
                .await;
            assert!(
                world.commands().iter().any(|line| line == "AT+CFUN=4"),
                "{name}"
            );
            assert!(
                world.commands().iter().any(|line| line == "AT+CFUN=1"),
                "{name}"
            );
            world
                .attach_with(CONFIG.generated_key(), async |bench| {
                    let up = bench.control.wait_up().await;
                    assert!(
                        matches!(up, Err(BringUpError::Firmware { .. })),
                        "{name}: {up:?}"
                    );
                })
                .await;
        });
    }
}

#[test]
fn a_small_buffer_and_a_garbled_answer_leave_no_key_behind() {
    virtually(async || {
        let world = World::new(options(Nrf9160Profile::V2_1));
        world
            .attach(async |bench| {
                let mut small = [0; 300];
                let made = bench.control.generate_key(OURS, &KeyRequest::csr(), &mut small).await;
                assert_eq!(made, Err(KeyError::BufferTooSmall));
                assert!(!world.modem.files().contains_key("modem/17/2"));
                world.modem.set_script(Box::new(|line| {
                    if line.starts_with(b"AT%KEYGEN") {
                        // One character of the body is another.
                        let answer = b"\r\n%KEYGEN: \"MFkwEwYHKoZIzj0C.0oRDoQEmoQRBIVhL2dn3hQlQ\"\r\n\r\nOK\r\n";
                        return sectag_simulator::Reaction::Reply(answer.to_vec());
                    }
                    sectag_simulator::Reaction::Normal
                }));
                let mut out = [0; KEY_BUFFER];
                let made = bench.control.generate_key(OURS, &KeyRequest::csr(), &mut out).await;
                assert_eq!(made, Err(KeyError::Corrupted));
                let commands = world.commands();
                assert!(commands.iter().any(|line| line == "AT%CMNG=3,17,2"), "{commands:?}");
            })
            .await;
    });
}

#[test]
fn open_connections_are_not_ended_for_a_key() {
    virtually(async || {
        let world = World::new(options(Nrf9160Profile::V2_5));
        world.serve(echo);
        world
            .attach(async |bench| {
                provision(bench).await;
                let mut socket = connect(bench).await.unwrap();
                let mut out = [0; KEY_BUFFER];
                let made = bench
                    .control
                    .generate_key(OURS, &KeyRequest::csr(), &mut out)
                    .await;
                assert_eq!(made, Err(KeyError::SocketsOpen));
                assert_eq!(round_trip(&mut socket, b"alive").await, b"alive");
                // Signing changes nothing.
                let mut out = [0; TOKEN_BUFFER];
                bench
                    .control
                    .sign_token(&TokenRequest::new(), &mut out)
                    .await
                    .unwrap();
                assert_eq!(round_trip(&mut socket, b"alive").await, b"alive");
            })
            .await;
    });
}

#[test]
fn tokens_carry_what_was_asked_for() {
    for name in ["2.0", "3.1-native", "sm"] {
        virtually(async || {
            let world = World::new(options(Nrf9160Profile::named(name).unwrap()));
            world
                .attach(async |bench| {
                    let mut out = [0; TOKEN_BUFFER + 200];
                    let request = TokenRequest::new()
                        .lifetime(600)
                        .audience("mqtt.example.com")
                        .unwrap();
                    let token = bench.control.sign_token(&request, &mut out).await.unwrap();
                    assert_eq!(token.split('.').count(), 3, "{name}");
                    let missing = TokenRequest::new().signed_by(Tag(99), KeyUse::Client);
                    let token = bench.control.sign_token(&missing, &mut out).await;
                    assert_eq!(token, Err(KeyError::Missing), "{name}");
                    let mut small = [0; 20];
                    let token = bench.control.sign_token(&request, &mut small).await;
                    assert_eq!(token, Err(KeyError::BufferTooSmall), "{name}");
                })
                .await;
            let asked = world.commands();
            let line = "AT%JWT=0,600,,\"mqtt.example.com\"";
            assert!(asked.iter().any(|asked| asked == line), "{name}: {asked:?}");
        });
    }
}

#[test]
fn a_token_with_an_end_needs_the_time() {
    virtually(async || {
        let world = World::new(Nrf9160Options {
            network_time: None,
            ..options(Nrf9160Profile::V2_5)
        });
        world
            .attach(async |bench| {
                let mut out = [0; TOKEN_BUFFER];
                let request = TokenRequest::new().lifetime(60);
                let token = bench.control.sign_token(&request, &mut out).await;
                assert!(
                    matches!(token, Err(KeyError::ClockNotSet { .. })),
                    "{token:?}"
                );
                let endless = bench
                    .control
                    .sign_token(&TokenRequest::new(), &mut out)
                    .await;
                assert!(endless.is_ok(), "{endless:?}");
            })
            .await;
    });
}

/// The core's traits over the modem's key: what it cannot claim is refused before anything is sent.
#[test]
fn the_modem_issues_tokens_by_the_cores_claims() {
    use sectag::jwt::{Claims, Invalid, Issuer, Value};
    virtually(async || {
        let world = World::new(options(Nrf9160Profile::V2_5));
        world
            .attach(async |bench| {
                let mut key = ModemKey(bench.control, Tag(3));
                let mut out = [0; KEY_BUFFER];
                let request = KeyRequest::csr();
                let made = bench.control.generate_key(Tag(3), &request, &mut out).await;
                made.unwrap();
                let mut out = [0; TOKEN_BUFFER];
                let more = [("sub", Value::Text("pump-17"))];
                let claims = Claims::new("project").lifetime(600).with(&more);
                let token = key.token(&claims, &mut out).await.unwrap();
                assert_eq!(token.expose().split('.').count(), 3);
                let minute = embassy_time::Duration::from_secs(60);
                assert_eq!(token.renew_after(minute).as_secs(), 540);
                world.modem.take_commands();
                let foreign = [("role", Value::Text("admin"))];
                let refused = key.token(&claims.with(&foreign), &mut out).await;
                assert_eq!(refused.err(), Some(KeyError::ForeignClaim));
                let refused = key.token(&claims.lifetime(86_401), &mut out).await;
                let seconds = 86_401;
                let named = KeyError::Token(Invalid::Lifetime { seconds });
                assert_eq!(refused.err(), Some(named));
                let commands = world.modem.take_commands();
                assert!(!commands.iter().any(|line| line.starts_with(b"AT%JWT")));
            })
            .await;
    });
}
