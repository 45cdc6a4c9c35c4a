//! What the nRF9160 refuses, or answers with something else, once it is up.

use embassy_time::{Duration, Timer, with_timeout};
use embedded_io_async::{Read, Write};
use sectag::{AtError, Code, ConnectError, CredentialError, Kind, SocketError, Tag};
use sectag_integration_tests::nrf9160::{
    Bench, TAG, TLS, World, connect, label, options, provision, round_trip, usable,
};
use sectag_integration_tests::simulated::{HOST, PORT, virtually};
use sectag_nrf9160::{DeviceKeys, KEY_BUFFER, KeyError, KeyRequest, KeyUse, TokenRequest};
use sectag_simulator::{Nrf9160Options, Nrf9160Profile, Reaction};
use sectag_test_support::pki::Pki;
use sectag_test_support::tls_server::echo;

const DIALECTS: [Nrf9160Profile; 3] = [
    Nrf9160Profile::V2_1,
    Nrf9160Profile::V3_1,
    Nrf9160Profile::SERIAL_MODEM,
];

/// Answers the next command lines that begin so with this line, as often as said.
fn answering(world: &World, beginning: &'static str, mut times: usize, answer: &str) {
    let answer = format!("\r\n{answer}\r\n").into_bytes();
    world.modem.set_script(Box::new(move |line| {
        if times > 0 && line.starts_with(beginning.as_bytes()) {
            times -= 1;
            return Reaction::Reply(answer.clone());
        }
        Reaction::Normal
    }));
}

/// In each dialect: a modem with credentials, and servers that echo.
fn in_each(check: impl AsyncFn(&World, Bench, &str)) {
    for profile in DIALECTS {
        virtually(async || {
            let world = World::new(options(profile));
            world.serve(echo);
            world
                .attach(async |bench| {
                    provision(bench).await;
                    check(&world, bench, &label(&profile)).await;
                })
                .await;
        });
    }
}

/// After a refusal nothing is left behind, and the next connection works.
async fn works(world: &World, bench: Bench, name: &str) {
    let mut socket = connect(bench)
        .await
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(round_trip(&mut socket, b"fine").await, b"fine", "{name}");
    assert_eq!(world.modem.open_sockets().len(), 1, "{name}");
}

#[test]
fn an_option_that_is_refused_ends_the_connect_before_it_connects() {
    in_each(async |world, bench, name| {
        answering(world, "AT#XSSOCKETOPT=", 1, "ERROR");
        world.modem.take_commands();
        let refused = connect(bench).await.err();
        let setting = "TLS_HOSTNAME";
        assert_eq!(
            refused,
            Some(ConnectError::Unsupported { setting }),
            "{name}"
        );
        let commands = world.commands();
        let connects = |line: &String| line.starts_with("AT#XCONNECT=");
        assert!(!commands.iter().any(connects), "{name}: {commands:?}");
        works(world, bench, name).await;
    });
}

/// A session that is to be resumed needs the cache; one that is not, does without it.
#[test]
fn a_firmware_without_a_session_cache_resumes_nothing() {
    in_each(async |world, bench, name| {
        world.modem.set_script(Box::new(|line| {
            if line.starts_with(b"AT#XSSOCKETOPT=")
                && (line.ends_with(b",12,1") || line.ends_with(b",12,0"))
            {
                return Reaction::Reply(b"\r\nERROR\r\n".to_vec());
            }
            Reaction::Normal
        }));
        let resuming = TLS.session_resumption();
        let refused = bench.control.connect(HOST, PORT, &resuming).await.err();
        let setting = "TLS_SESSION_CACHE";
        assert_eq!(
            refused,
            Some(ConnectError::Unsupported { setting }),
            "{name}"
        );
        works(world, bench, name).await;
    });
}

/// Without its handle there is no socket, and no harm.
#[test]
fn a_handle_that_was_garbled_opens_nothing() {
    in_each(async |world, bench, name| {
        answering(world, "AT#XSSOCKET=", 1, "#XSSOCKET: x,1,258\r\n\r\nOK");
        let garbled = connect(bench).await.err();
        assert_eq!(garbled, Some(ConnectError::At(AtError::Garbled)), "{name}");
        works(world, bench, name).await;
    });
}

#[test]
fn a_modem_without_room_for_a_socket_says_so() {
    for profile in [Nrf9160Profile::V2_5, Nrf9160Profile::SERIAL_MODEM] {
        let name = label(&profile);
        virtually(async || {
            let world = World::new(Nrf9160Options {
                tls_limit: 1,
                ..options(profile)
            });
            world.serve(echo);
            world
                .attach(async |bench| {
                    provision(bench).await;
                    let mut socket = connect(bench).await.unwrap();
                    let refused = connect(bench).await.err();
                    assert_eq!(refused, Some(ConnectError::TooManySockets), "{name}");
                    assert_eq!(round_trip(&mut socket, b"alive").await, b"alive", "{name}");
                })
                .await;
        });
    }
}

/// A string that was not taken whole, or whose answer says nothing of it.
#[test]
fn a_string_that_was_not_taken_whole_resets_the_socket() {
    for answer in [
        "#XSEND: 3\r\n\r\nOK",
        "OK",
        "ERROR",
        "#XSEND: 3\r\n\r\nERROR",
    ] {
        in_each(async |world, bench, name| {
            let mut socket = connect(bench).await.unwrap();
            let whole = if answer == "#XSEND: 3\r\n\r\nOK" && name == "sm" {
                "#XSEND: 0,0,3\r\n\r\nOK"
            } else {
                answer
            };
            answering(world, "AT#XSEND=", 1, whole);
            socket.write_all(b"hello").await.unwrap();
            let flushed = with_timeout(Duration::from_secs(60), socket.flush()).await;
            assert_eq!(
                flushed,
                Ok(Err(SocketError::ConnectionReset)),
                "{name} {answer:?}"
            );
            drop(socket);
            works(world, bench, name).await;
        });
    }
}

/// SLM says so of a socket that it does not have, at whatever is asked of it.
#[test]
fn a_socket_that_is_gone_is_lost() {
    for beginning in ["AT#XPOLL=", "AT#XSOCKETSELECT=", "AT#XAPOLL=0,1,1"] {
        in_each(async |world, bench, name| {
            if (name == "sm") != (beginning == "AT#XAPOLL=0,1,1") {
                return;
            }
            let mut one = connect(bench).await.unwrap();
            // The current one.
            let mut two = connect(bench).await.unwrap();
            assert_eq!(round_trip(&mut two, b"two").await, b"two", "{name}");
            answering(world, beginning, 1, "ERROR");
            if beginning == "AT#XSOCKETSELECT=" {
                one.write_all(b"one").await.unwrap();
                let flushed = with_timeout(Duration::from_secs(60), one.flush()).await;
                assert_eq!(flushed, Ok(Err(SocketError::ConnectionReset)), "{name}");
            } else {
                // Either is asked.
                Timer::after_secs(200).await;
                let limit = Duration::from_secs(1);
                let lost = [
                    with_timeout(limit, one.read(&mut [0])).await,
                    with_timeout(limit, two.read(&mut [0])).await,
                ];
                let reset = Ok(Err(SocketError::ConnectionReset));
                let count = lost.iter().filter(|lost| **lost == reset).count();
                assert_eq!(count, 1, "{name} {beginning}: {lost:?}");
            }
        });
    }
}

/// With numbers, which are told.
#[test]
fn a_store_that_is_full_says_so() {
    in_each(async |world, bench, name| {
        let pem = Pki::shared().ca_pem();
        let stores = if name.ends_with("native") {
            "AT#XCMNG=0,"
        } else {
            "AT%CMNG=0,"
        };
        answering(world, stores, 1, "+CME ERROR: 515");
        let full = bench.control.store(Tag(9), Kind::Ca, pem.as_bytes()).await;
        assert!(
            matches!(full, Err(CredentialError::NoSpace { needed, .. }) if needed == pem.len()),
            "{name}: {full:?}"
        );
        answering(world, stores, 1, "+CME ERROR: 527");
        let refused = bench.control.store(Tag(9), Kind::Ca, pem.as_bytes()).await;
        let refusal = CredentialError::At(AtError::Refused(Code::Cme(527)));
        assert_eq!(refused, Err(refusal), "{name}");
        // Said to be stored, and it is not.
        answering(world, stores, 1, "OK");
        let lost = bench.control.store(Tag(9), Kind::Ca, pem.as_bytes()).await;
        assert_eq!(lost, Err(CredentialError::Corrupted), "{name}");
        works(world, bench, name).await;
    });
}

/// 2.6.0 ends its list with ERROR now and then (sheet 7.3), also after a part of it.
#[test]
fn a_list_that_broke_off_shows_nothing_twice() {
    virtually(async || {
        let profile = Nrf9160Profile::named("2.6-native").unwrap();
        let world = World::new(options(profile));
        world
            .attach(async |bench| {
                provision(bench).await;
                // The newest first (sheet 12.11).
                let part = "#XCMNG: 321,2\r\n#XCMNG: 321,1\r\n\r\nERROR";
                answering(&world, "AT#XCMNG=1", 2, part);
                let mut found = Vec::new();
                bench
                    .control
                    .list(&mut |stored| found.push(stored.kind))
                    .await
                    .unwrap();
                assert_eq!(found, [Kind::PrivateKey, Kind::ClientCertificate, Kind::Ca]);
            })
            .await;
    });
}

/// What would end the quotes, or delete what is in front of it, is not sent; and nothing is stored.
#[test]
fn characters_that_mean_something_to_the_modem_are_refused() {
    for profile in usable() {
        let name = label(&profile);
        virtually(async || {
            let world = World::new(options(profile));
            world.serve(echo);
            world
                .attach(async |bench| {
                    provision(bench).await;
                    let before = world.modem.files();
                    for byte in [b'"', 0, 8, 0x7f] {
                        let mut content = vec![b'x'; 300];
                        content[200] = byte;
                        let refused = bench
                            .control
                            .store_unchecked(Tag(9), Kind::Ca, &content[..])
                            .await;
                        let forbidden = sectag::at::InvalidInput::ForbiddenCharacter { at: 200 };
                        assert_eq!(
                            refused,
                            Err(CredentialError::InvalidInput(forbidden)),
                            "{name} {byte}"
                        );
                    }
                    let mut socket = connect(bench)
                        .await
                        .unwrap_or_else(|error| panic!("{name}: {error}"));
                    assert_eq!(round_trip(&mut socket, b"fine").await, b"fine", "{name}");
                    assert!(world.modem.files() == before, "{name}");
                })
                .await;
        });
    }
}

#[test]
fn numbers_of_a_key_are_told_in_words() {
    let cases = [
        ("+CME ERROR: 513", KeyError::Missing),
        ("+CME ERROR: 515", KeyError::NoSpace),
        ("+CME ERROR: 519", KeyError::Exists),
        ("+CME ERROR: 525", KeyError::Unsignable),
        (
            "+CME ERROR: 523",
            KeyError::At(AtError::Refused(Code::Cme(523))),
        ),
        ("%KEYGEN: none\r\n\r\nOK", KeyError::At(AtError::Garbled)),
        ("OK", KeyError::At(AtError::Garbled)),
    ];
    in_each(async |world, bench, name| {
        for (answer, expected) in &cases {
            let mut out = [0; KEY_BUFFER];
            answering(world, "AT%KEYGEN=", 1, answer);
            let request = KeyRequest::csr().not_for_tls();
            let made = bench
                .control
                .generate_key(Tag(17), &request, &mut out)
                .await;
            assert_eq!(made.as_ref(), Err(expected), "{name} {answer}");
            answering(world, "AT%JWT=", 1, answer);
            let request = TokenRequest::new().signed_by(TAG, KeyUse::Client);
            let signed = bench.control.sign_token(&request, &mut out).await;
            assert_eq!(signed.as_ref(), Err(expected), "{name} {answer}");
        }
        for empty in ["%JWT: \"\"\r\n\r\nOK", "%JWT: \"a b\"\r\n\r\nOK"] {
            let mut out = [0; KEY_BUFFER];
            answering(world, "AT%JWT=", 1, empty);
            let signed = bench
                .control
                .sign_token(&TokenRequest::new(), &mut out)
                .await;
            assert_eq!(
                signed,
                Err(KeyError::At(AtError::Garbled)),
                "{name} {empty}"
            );
        }
        works(world, bench, name).await;
    });
}
