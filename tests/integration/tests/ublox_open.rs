//! u-blox cellular modules: what is written and read back at an open, what is checked, and what a refusal says.

use embassy_time::{Duration, Timer};
use sectag::clock::DateTime;
use sectag::{
    Cause, Check, ConnectError, Feature, Kind, ServerKey, Suites, Support, TlsConfig, TlsVersion,
};
use sectag_integration_tests::simulated::{HOST, PORT, virtually};
use sectag_integration_tests::ublox::{Bench, TLS, World, connect, round_trip};
use sectag_simulator::Reaction;
use sectag_test_support::pki::{Pki, Validity};
use sectag_test_support::tls_server::echo;

async fn refusal(bench: Bench, config: &TlsConfig) -> ConnectError {
    match bench.control.connect(HOST, PORT, config).await {
        Ok(_) => panic!("it connected"),
        Err(error) => error,
    }
}

/// The commands of one warm connect, with a line for each.
async fn warm(world: &World, bench: Bench) -> Vec<String> {
    let socket = connect(bench).await.expect("it connects");
    socket.close().await.expect("it closes");
    embassy_time::Timer::after(Duration::from_secs(1)).await;
    world.modem.take_commands();
    let _socket = connect(bench).await.expect("it connects again");
    world.commands()
}

#[test]
fn an_open_writes_the_profile_whole_and_reads_back_what_verification_rests_on() {
    virtually(async || {
        let world = World::of("sara-r5", |_| {});
        world.install();
        world.serve(echo);
        let commands = world.attach(async |bench| warm(&world, bench).await).await;
        assert_eq!(
            commands,
            [
                "AT+USECMNG=4,0,\"st7_ca\"",
                "AT+USECMNG=4,1,\"st7_cert\"",
                "AT+USECMNG=4,2,\"st7_key\"",
                "AT+USECPRF=0",
                "AT+USECPRF=0,1,3",
                "AT+USECPRF=0,2,100,\"c0\",\"2f\",0",
                "AT+USECPRF=0,2,100,\"c0\",\"2b\",0",
                "AT+USECPRF=0,3,\"st7_ca\"",
                "AT+USECPRF=0,4,\"broker.sectag.test\"",
                "AT+USECPRF=0,5,\"st7_cert\"",
                "AT+USECPRF=0,6,\"st7_key\"",
                "AT+USECPRF=0,10,\"broker.sectag.test\"",
                "AT+USECPRF=0,0,3",
                "AT+USECPRF=0,0",
                "AT+USECPRF=0,1",
                "AT+USECPRF=0,2",
                "AT+USECPRF=0,3",
                "AT+USECPRF=0,4",
                "AT+USECPRF=0,5",
                "AT+USECPRF=0,10",
                "AT+USOCR=6",
                "AT+USOSEC=0,1,0",
                "AT+USOSEC=0",
                "AT+USOCO=0,\"broker.sectag.test\",8883,1",
            ]
        );
    });
}

/// Issue 14: at most 24 exchanges.
#[test]
fn a_warm_reconnect_takes_no_more_than_24_exchanges() {
    for model in ["sara-r5", "sara-r4-02b", "sara-u201", "lara-r6", "lena-r8"] {
        virtually(async || {
            let world = World::of(model, |_| {});
            world.install();
            world.serve(echo);
            let commands = world.attach(async |bench| warm(&world, bench).await).await;
            assert!(commands.len() <= 24, "{model}: {commands:#?}");
        });
    }
}

#[test]
fn suites_are_written_in_the_form_of_the_model() {
    for (model, key, written) in [
        ("sara-r4-02b", None, "AT+USECPRF=0,2,32"),
        ("sara-r4-02b", Some(ServerKey::Ecdsa), "AT+USECPRF=0,2,30"),
        ("lara-r6", None, "AT+USECPRF=0,2,99,\"c0\",\"2f\""),
        (
            "sara-r5",
            Some(ServerKey::Rsa),
            "AT+USECPRF=0,2,100,\"c0\",\"2f\",0",
        ),
    ] {
        virtually(async || {
            let world = World::of(model, |_| {});
            world.install();
            let mut policy = TLS;
            if let Some(key) = key {
                policy = policy.server_key(key);
            }
            let pki = Pki::shared();
            let server = match key {
                Some(ServerKey::Ecdsa) => pki.issue_server_ecdsa([HOST.as_str()]),
                _ => pki.issue_server([HOST.as_str()]),
            };
            world.serve_as(&server, echo);
            world
                .attach(async |bench| {
                    let connected = bench.control.connect(HOST, PORT, &policy).await;
                    connected.unwrap_or_else(|error| panic!("{model}: {error}"));
                })
                .await;
            let suites: Vec<String> = world
                .commands()
                .into_iter()
                .filter(|line| line.starts_with("AT+USECPRF=0,2,"))
                .collect();
            assert_eq!(suites, [written]);
        });
    }
}

#[test]
fn all_suites_are_the_modules_own_choice() {
    virtually(async || {
        let world = World::of("sara-r5", |_| {});
        world.install();
        world.serve(echo);
        world
            .attach(async |bench| {
                let all = TLS.suites(Suites::All);
                bench.control.connect(HOST, PORT, &all).await.unwrap();
            })
            .await;
        assert_eq!(world.count("AT+USECPRF=0,2"), 0);
    });
}

#[test]
fn what_was_checked_is_told() {
    for (model, sni) in [
        ("sara-r5", Support::Yes),
        ("sara-r4-02b", Support::No),
        ("sara-u201", Support::No),
    ] {
        virtually(async || {
            let world = World::of(model, |_| {});
            world.install();
            world.serve(echo);
            world
                .attach(async |bench| {
                    let socket = connect(bench).await.unwrap();
                    let verified = socket.verified();
                    assert_eq!(
                        (verified.chain, verified.name, verified.dates, verified.sni),
                        (Support::Yes, Support::Yes, Support::Yes, sni),
                        "{model}"
                    );
                    assert_eq!(verified.suites, Support::Yes, "{model}");
                    drop(socket);
                    let strict = TLS.require(Check::Sni);
                    let connected = bench.control.connect(HOST, PORT, &strict).await;
                    assert_eq!(connected.is_ok(), sni == Support::Yes, "{model}");
                })
                .await;
        });
    }
}

#[test]
fn an_unknown_model_counts_as_one_that_checks_nothing() {
    virtually(async || {
        let world = World::of("unknown", |_| {});
        world.install();
        world.serve(echo);
        world
            .attach(async |bench| {
                bench.control.wait_up().await.unwrap();
                world.modem.take_commands();
                let refused = refusal(bench, &TLS).await;
                assert_eq!(refused, ConnectError::Unverifiable(Check::Chain));
                assert_eq!(world.commands(), [""; 0]);
                let accepted = TLS
                    .dangerous()
                    .accept_missing(Check::Chain)
                    .dangerous()
                    .accept_missing(Check::Name);
                let socket = bench.control.connect(HOST, PORT, &accepted).await.unwrap();
                assert_eq!(socket.verified().chain, Support::Unknown);
            })
            .await;
        // What can be checked is checked all the same.
        assert_eq!(world.count("AT+USECPRF=0,0,3"), 1);
        // It waits for the longest pause, and connects without other work meanwhile.
        assert_eq!(world.count("AT+USOCO=0,\"broker.sectag.test\",8883,1"), 0);
    });
}

#[test]
fn a_clock_that_is_not_set_is_found_before_the_handshake() {
    virtually(async || {
        let world = World::of("sara-r5", |options| options.network_time = None);
        world.install();
        let expired = Pki::shared().issue_server_valid([HOST.as_str()], Validity::expired());
        world.serve_as(&expired, echo);
        world
            .attach(async |bench| {
                let refused = refusal(bench, &TLS).await;
                assert!(
                    matches!(refused, ConnectError::ClockNotSet { .. }),
                    "{refused}"
                );
                assert_eq!(world.count("AT+USOCR"), 0);
                // Without dates the level is 2, and nothing is asked of the clock.
                world.modem.take_commands();
                let without = TLS.dangerous().accept_missing(Check::Dates);
                let socket = bench.control.connect(HOST, PORT, &without).await.unwrap();
                assert_eq!(socket.verified().dates, Support::No);
                assert_eq!(world.count("AT+CCLK?"), 0);
                assert_eq!(world.count("AT+USECPRF=0,0,2"), 1);
                drop(socket);
                // Set by hand, the dates count again.
                let now = DateTime::new(2026, 11, 28, 12, 0, 0).unwrap();
                bench.control.set_clock(now).await.unwrap();
                let refused = refusal(bench, &TLS).await;
                assert!(matches!(refused, ConnectError::Refused(_)), "{refused}");
                assert!(
                    refused
                        .causes()
                        .any(|cause| cause == Cause::CertificateExpired)
                );
            })
            .await;
    });
}

#[test]
fn a_name_is_looked_for_in_the_common_name() {
    for (names, connects) in [
        (["broker.sectag.test", "other.sectag.test"], true),
        // In the alternative names alone.
        (["other.sectag.test", "broker.sectag.test"], false),
    ] {
        virtually(async || {
            let world = World::of("sara-r5", |_| {});
            world.install();
            world.serve_as(&Pki::shared().issue_server(names), echo);
            world
                .attach(async |bench| {
                    bench.control.wait_up().await.unwrap();
                    world.modem.take_commands();
                    let connected = bench.control.connect(HOST, PORT, &TLS).await;
                    assert_eq!(connected.is_ok(), connects);
                    // A failed connect is closed, too.
                    Timer::after(Duration::from_secs(1)).await;
                    assert_eq!(world.count("AT+USOCL="), usize::from(!connects));
                    assert_eq!(world.modem.open_sockets().len(), usize::from(connects));
                    if let Err(error) = connected {
                        let causes: Vec<Cause> = error.causes().collect();
                        assert!(causes.contains(&Cause::NameNotCommon), "{causes:?}");
                        assert!(causes.contains(&Cause::NameMismatch));
                        // What was sent, or asked for, is no cause.
                        assert!(!causes.contains(&Cause::SniNeeded));
                        assert!(!causes.contains(&Cause::ClientCertificateNeeded));
                    }
                })
                .await;
        });
    }
}

/// Sheet B.1.1: behind a bare `ERROR` to a socket command `+USOER` has the number. Other commands have none there.
#[test]
fn a_bare_refusal_of_a_socket_command_is_explained() {
    for (command, asked) in [("AT+USOCTL=3,1", 1), ("AT+CSQ", 0)] {
        virtually(async || {
            let world = World::of("sara-r5", |_| {});
            world
                .attach(async |bench| {
                    bench.control.wait_up().await.unwrap();
                    world.modem.set_script(Box::new(move |line| {
                        if line == command.as_bytes() {
                            Reaction::Reply(b"\r\nERROR\r\n".to_vec())
                        } else if line == b"AT+USOER" {
                            Reaction::Reply(b"\r\n+USOER: 11\r\n\r\nOK\r\n".to_vec())
                        } else {
                            Reaction::Normal
                        }
                    }));
                    let limit = Duration::from_secs(5);
                    let said = bench.control.raw_at(command, limit, &mut |_| {}).await;
                    let said = said.unwrap_err().to_string();
                    assert_eq!(said.contains("11"), asked == 1, "{said}");
                    assert_eq!(world.count("AT+USOER"), asked, "{command}");
                })
                .await;
        });
    }
}

#[test]
fn what_no_model_has_is_refused_before_a_byte() {
    virtually(async || {
        let world = World::of("sara-r5", |_| {});
        world.install();
        world
            .attach(async |bench| {
                bench.control.wait_up().await.unwrap();
                world.modem.take_commands();
                for (policy, feature) in [
                    (TLS.alpn("mqtt").unwrap(), Feature::Alpn),
                    (TLS.session_resumption(), Feature::Resumption),
                    (
                        TLS.min_version(TlsVersion::Tls13),
                        Feature::Version(TlsVersion::Tls13),
                    ),
                    (TLS.suites(Suites::Only(0x1301)), Feature::Suites),
                ] {
                    let refused = refusal(bench, &policy).await;
                    assert_eq!(refused, ConnectError::Lacks(feature));
                }
                assert_eq!(world.commands(), [""; 0]);
                // A number for each cause.
                let refused = refusal(bench, &TLS).await;
                let causes: Vec<Cause> = refused.causes().collect();
                assert_eq!(causes, [Cause::NameUnknown, Cause::Unreachable]);
            })
            .await;
    });
}

#[test]
fn a_missing_credential_is_named() {
    virtually(async || {
        let world = World::of("lena-r8", |_| {});
        world.install();
        world.serve(echo);
        world
            .attach(async |bench| {
                bench
                    .control
                    .remove(TLS.tag(), Kind::PrivateKey)
                    .await
                    .unwrap();
                let refused = refusal(bench, &TLS).await;
                let missing = ConnectError::CredentialMissing(Kind::PrivateKey);
                assert_eq!(refused, missing);
                // Without a client certificate the rest will do; this server then refuses.
                let alone = TlsConfig::new(TLS.tag());
                let refused = refusal(bench, &alone).await;
                let causes: Vec<Cause> = refused.causes().collect();
                assert!(causes.contains(&Cause::ClientCertificateNeeded));
                assert!(!causes.contains(&Cause::ClientKeyMismatch));
            })
            .await;
    });
}

/// One bit on the UART can put a level or a name into something else.
#[test]
fn a_setting_that_was_altered_on_its_way_is_written_again() {
    for (asked, said, rounds) in [
        // The level was altered when it was written, and is told so once.
        ("AT+USECPRF=0,0", "\r\n+USECPRF: 0,0,1\r\n\r\nOK\r\n", 2),
        (
            "AT+USECPRF=0,3",
            "\r\n+USECPRF: 0,3,\"st6_ca\"\r\n\r\nOK\r\n",
            2,
        ),
        (
            "AT+USECPRF=0,4",
            "\r\n+USECPRF: 0,4,\"broker.sectag.tes\"\r\n\r\nOK\r\n",
            2,
        ),
    ] {
        virtually(async || {
            let world = World::of("sara-r5", |_| {});
            world.install();
            world.serve(echo);
            let mut left = 2;
            world.modem.set_script(Box::new(move |line: &[u8]| {
                if line == asked.as_bytes() && left > 0 {
                    left -= 1;
                    return sectag_simulator::Reaction::Reply(said.as_bytes().to_vec());
                }
                sectag_simulator::Reaction::Normal
            }));
            world
                .attach(async |bench| {
                    let mut socket = connect(bench).await.expect("it connects");
                    assert_eq!(round_trip(&mut socket, b"hello").await, b"hello");
                })
                .await;
            assert_eq!(world.count("AT+USECPRF=0,0,3"), rounds, "{asked}");
        });
    }
}

#[test]
fn a_socket_that_is_not_secure_is_not_connected() {
    virtually(async || {
        let world = World::of("sara-r5", |_| {});
        world.install();
        world.serve(echo);
        world.modem.set_script(Box::new(|line: &[u8]| {
            if line == b"AT+USOSEC=0" {
                return sectag_simulator::Reaction::Reply(
                    b"\r\n+USOSEC: 0,0\r\n\r\nOK\r\n".to_vec(),
                );
            }
            sectag_simulator::Reaction::Normal
        }));
        world
            .attach(async |bench| {
                let refused = refusal(bench, &TLS).await;
                assert!(matches!(refused, ConnectError::At(_)), "{refused}");
            })
            .await;
        assert_eq!(world.count("AT+USOCO"), 0);
    });
}
