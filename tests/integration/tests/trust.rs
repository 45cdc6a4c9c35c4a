//! What is checked of a server and what a modem can: capabilities, verification, TLS policy.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use embassy_futures::select::{Either, select};
use embassy_time::{Duration, Timer};
use sectag::clock::DateTime;
use sectag::{
    CaScope, Check, Code, ConnectError, Feature, Flush, Psk, Refusal, ServerKey, Suites, Support,
    TlsConfig, TlsVersion,
};
use sectag_integration_tests::scripted::Modem;
use sectag_integration_tests::simulated::{HOST, PORT, TLS, World, provision, virtually};
use sectag_integration_tests::{Bench, bench};
use sectag_simulator::{Chunk, Options, Profile};
use sectag_test_support::pki::{Pki, Validity};
use sectag_test_support::tls_server::{echo, serve_tls, server_config};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// What a server saw of a handshake: suite and application protocol.
type Seen = Rc<RefCell<Vec<(u16, Option<String>)>>>;

fn with(profile: Profile) -> Options {
    Options {
        profile,
        ..Options::default()
    }
}

/// A modem with this firmware, and a server for it that knows ALPN `mqtt`.
fn world(profile: Profile) -> (World, Seen) {
    let world = World::new(with(profile));
    let pki = Pki::shared();
    let mut config =
        (*server_config(&pki.issue_server([HOST.as_str()]), Some(&pki.ca_pem()))).clone();
    config.alpn_protocols = vec![b"mqtt".to_vec()];
    let (config, seen) = (Arc::new(config), Seen::default());
    let notes = seen.clone();
    world.network.register(HOST.as_str(), PORT, move |stream| {
        let (config, notes) = (config.clone(), notes.clone());
        tokio::task::spawn_local(async move {
            let _ = serve_tls(stream, config, async |stream| {
                let session = stream.get_ref().1;
                let suite = session.negotiated_cipher_suite().map(|suite| suite.suite());
                let protocol = session.alpn_protocol();
                notes.borrow_mut().push((
                    suite.map_or(0, u16::from),
                    protocol.map(|name| String::from_utf8_lossy(name).into_owned()),
                ));
                echo(stream).await
            })
            .await;
        });
    });
    (world, seen)
}

async fn connect(
    bench: Bench,
    config: &TlsConfig,
) -> Result<sectag::Socket<'static>, ConnectError> {
    bench.control.connect(HOST, PORT, config).await
}

/// Why it is refused. The tests look for what was sent apart.
async fn refusal(bench: Bench, config: &TlsConfig) -> Option<ConnectError> {
    connect(bench, config).await.err()
}

/// The settings that were written, as `key,value`.
fn settings(world: &World) -> Vec<String> {
    world
        .commands()
        .iter()
        .filter_map(|line| line.strip_prefix("AT+QSSLCFG=\""))
        .map(|rest| {
            let (key, rest) = rest.split_once("\",").expect("a key");
            let (_context, value) = rest.split_once(',').expect("a value");
            format!("{key},{value}")
        })
        .collect()
}

const LATER: Profile = Profile::BG96_LATER;

/// Lines of the test answer that are longer than the engine keeps.
const LONG: Profile = Profile {
    ssl_keys: &[
        (
            "ignorecertitem",
            "(0-1048575),(a remark that makes this line longer than the two hundred and fifty-six bytes which are kept of a line, so that it is cut in the middle of a word and its end must not be taken for a line of its own, nor disturb the one behind it, whatever it holds)",
        ),
        (
            "ciphersuite",
            "(0XC02B,0XC02C,0XCCA9,0X0035,0X002F,0X0005,0X000A,0X003D,0XC003,0XC004,0XC005,0XC008,0XC009,0XC00A,0XC012,0XC013,0XC014,0XC00D,0XC00E,0XC00F,0XC023,0XC024,0XC025,0XC026,0XC027,0XC028,0XC029,0XC02A,0X009C,0X009D,0XC030,0X009E,0X009F,0XC02F,0XFFFF)",
        ),
        ("cacert", "<cacertpath>"),
        ("seclevel", "(0-2)"),
        ("sni", "(0,1)"),
    ],
    ..LATER
};

const SILENT: Profile = Profile {
    lists_ssl_keys: false,
    ..LATER
};

#[test]
fn capabilities_are_found_at_bring_up_by_one_command() {
    use Support::{No, Unknown, Yes};
    for (profile, chain, sni, client, later, ecdsa) in [
        (LATER, Yes, Yes, Yes, No, false),
        (Profile::BG96_V1, Yes, No, Yes, No, false),
        (Profile::EG25, Yes, Yes, Yes, Yes, true),
        (SILENT, Unknown, Unknown, Unknown, Unknown, false),
        (LONG, Yes, Yes, Unknown, No, true),
    ] {
        for chunk in [Chunk::Whole, Chunk::Bytes(1)] {
            let profile = profile.clone();
            virtually(async || {
                let world = World::new(Options {
                    chunk,
                    ..with(profile)
                });
                world
                    .attach(async |bench| {
                        let before = bench.control.capabilities();
                        assert_eq!(before.verification, sectag::Verification::UNKNOWN);
                        bench.control.wait_up().await.unwrap();
                        let has = bench.control.capabilities();
                        let verification = has.verification;
                        assert_eq!(verification, bench.control.verification());
                        assert_eq!((verification.chain, verification.sni), (chain, sni),);
                        assert_eq!(verification.client_certificate, client);
                        // In no manual, whatever the unit does.
                        assert_eq!(verification.name, Unknown);
                        assert_eq!((has.alpn, has.psk, has.resumption), (later, later, later));
                        assert!(has.speaks_to(ServerKey::Rsa));
                        assert_eq!(has.speaks_to(ServerKey::Ecdsa), ecdsa);
                        // Also of a line that is cut behind it.
                        assert!(has.suites.contains(0xC02F) && has.suites.contains(0xC014));
                        assert_eq!(has.versions, (TlsVersion::Tls10, TlsVersion::Tls12));
                        assert_eq!((has.sockets, has.flush), (6, Flush::ModemAccepted));
                        assert_eq!((has.connect_blocks_ms, has.close_blocks_ms), (0, 3000));
                        assert_eq!((has.chain_depth, has.record_limit), (None, None));
                    })
                    .await;
                assert_eq!(world.count("AT+QSSLCFG"), 1);
                assert_eq!(world.count("AT+QSSLCFG=?"), 1);
            });
        }
    }
}

#[test]
fn the_first_connect_finds_the_capabilities_that_the_list_did_not_name() {
    virtually(async || {
        let (world, _) = world(SILENT);
        world
            .attach(async |bench| {
                provision(bench).await;
                let verified = connect(bench, &TLS).await.unwrap().verified();
                let known = bench.control.verification();
                for verification in [verified, known] {
                    assert_eq!(verification.chain, Support::Yes);
                    assert_eq!(verification.dates, Support::Yes);
                    assert_eq!(verification.sni, Support::Yes);
                    assert_eq!(verification.client_certificate, Support::Yes);
                    assert_eq!(verification.name, Support::Unknown);
                }
                // Never tried, so still not known.
                assert_eq!(bench.control.capabilities().alpn, Support::Unknown);
            })
            .await;
    });
}

#[test]
fn chain_that_cannot_be_checked_is_refused_unless_that_very_one_is_accepted() {
    // Whom a modem that checks nothing takes.
    let stranger = server_config(&Pki::new().issue_server([HOST.as_str()]), None);
    for refused in [&["seclevel"][..], &["cacert"], &["seclevel", "cacert"]] {
        let stranger = stranger.clone();
        virtually(async || {
            let world = World::new(with(Profile {
                refused_ssl_keys: refused,
                ..LATER
            }));
            world.network.register(HOST.as_str(), PORT, move |stream| {
                tokio::task::spawn_local(serve_tls(stream, stranger.clone(), echo));
            });
            world
                .attach(async |bench| {
                    provision(bench).await;
                    let server_only = TlsConfig::new(TLS.tag()).ca_scope(CaScope::Private);
                    for config in [
                        TLS,
                        server_only,
                        // Another one.
                        server_only.dangerous().accept_missing(Check::Name),
                        server_only.dangerous().accept_missing(Check::Dates),
                        server_only.dangerous().accept_missing(Check::Sni),
                    ] {
                        assert_eq!(
                            refusal(bench, &config).await,
                            Some(ConnectError::Unverifiable(Check::Chain))
                        );
                    }
                    assert_eq!(world.count("AT+QSSLOPEN"), 0);
                    assert_eq!(bench.control.verification().chain, Support::No);
                    let accepted = server_only.dangerous().accept_missing(Check::Chain);
                    let result = connect(bench, &accepted).await;
                    assert_eq!(world.count("AT+QSSLOPEN"), 1);
                    if refused == ["cacert"] {
                        // It checks against no CA, which fails (sheet T10).
                        assert!(result.is_err());
                    } else {
                        assert_eq!(result.unwrap().verified().chain, Support::No);
                    }
                })
                .await;
        });
    }
}

#[test]
fn name_is_required_unless_accepted_or_the_ca_is_private() {
    virtually(async || {
        let (world, _) = world(LATER);
        world
            .attach(async |bench| {
                provision(bench).await;
                world.modem.take_commands();
                let public = TlsConfig::new(TLS.tag()).client_certificate();
                let name = Some(ConnectError::Unverifiable(Check::Name));
                for config in [
                    public,
                    public.ca_scope(CaScope::Public),
                    public.dangerous().accept_missing(Check::Chain),
                    // Asked for by name all the same.
                    public.require(Check::Name),
                ] {
                    assert_eq!(refusal(bench, &config).await, name);
                }
                assert!(world.commands().is_empty());
                for config in [
                    public.ca_scope(CaScope::Private),
                    public.dangerous().accept_missing(Check::Name),
                ] {
                    let socket = connect(bench, &config).await.unwrap();
                    // Accepted is not checked.
                    assert_eq!(socket.verified().name, Support::Unknown);
                    socket.close().await.unwrap();
                }
            })
            .await;
    });
}

#[test]
fn dates_and_sni_that_cannot_be_checked_are_said_and_refused_only_on_request() {
    type Entry = fn(sectag::Verification) -> Support;
    for (key, check, entry) in [
        (
            "ignorelocaltime",
            Check::Dates,
            (|verification| verification.dates) as Entry,
        ),
        ("sni", Check::Sni, |verification| verification.sni),
    ] {
        virtually(async || {
            let (world, _) = world(Profile {
                refused_ssl_keys: if key == "sni" {
                    &["sni"]
                } else {
                    &["ignorelocaltime"]
                },
                ..LATER
            });
            world
                .attach(async |bench| {
                    provision(bench).await;
                    let required = TLS.require(check);
                    assert_eq!(
                        refusal(bench, &required).await,
                        Some(ConnectError::Unverifiable(check))
                    );
                    assert_eq!(world.count("AT+QSSLOPEN"), 0);
                    let socket = connect(bench, &TLS).await.unwrap();
                    assert_eq!(entry(socket.verified()), Support::No);
                    assert_eq!(socket.verified().chain, Support::Yes);
                    assert_eq!(entry(bench.control.verification()), Support::No);
                    // It was tried: twice at first, for it may have been noise; then once a connect.
                    assert_eq!(world.count(&format!("AT+QSSLCFG=\"{key}\"")), 3);
                })
                .await;
        });
    }
}

#[test]
fn clock_is_of_no_matter_to_firmware_that_compares_no_dates() {
    virtually(async || {
        let (world, _) = world(Profile {
            refused_ssl_keys: &["ignorelocaltime"],
            ..LATER
        });
        world
            .attach(async |bench| {
                provision(bench).await;
                connect(bench, &TLS).await.unwrap().close().await.unwrap();
                let old = DateTime::new(2010, 1, 1, 0, 0, 0).unwrap();
                bench.control.set_clock(old).await.unwrap();
                let socket = connect(bench, &TLS).await.unwrap();
                assert_eq!(socket.verified().dates, Support::No);
            })
            .await;
    });
}

#[test]
fn client_certificate_that_the_firmware_refuses_is_a_typed_error() {
    for (refused, highest_seclevel) in [
        (&["clientcert"][..], 2),
        (&["clientkey"], 2),
        (&[], 1),
        (&["clientcert", "clientkey"], 1),
    ] {
        virtually(async || {
            let world = World::new(with(Profile {
                refused_ssl_keys: refused,
                highest_seclevel,
                ..LATER
            }));
            let pki = Pki::shared();
            let config = server_config(&pki.issue_server([HOST.as_str()]), None);
            world.network.register(HOST.as_str(), PORT, move |stream| {
                tokio::task::spawn_local(serve_tls(stream, config.clone(), echo));
            });
            world
                .attach(async |bench| {
                    provision(bench).await;
                    assert_eq!(
                        refusal(bench, &TLS).await,
                        Some(ConnectError::Lacks(Feature::ClientCertificate))
                    );
                    assert_eq!(world.count("AT+QSSLOPEN"), 0);
                    // The server alone can be verified.
                    let server_only = TlsConfig::new(TLS.tag()).ca_scope(CaScope::Private);
                    let verified = connect(bench, &server_only).await.unwrap().verified();
                    assert_eq!(verified.chain, Support::Yes);
                    assert_eq!(verified.client_certificate, Support::No);
                })
                .await;
        });
    }
}

#[test]
fn a_refused_key_fails_the_connect_where_the_policy_needs_it() {
    for (refused, setting) in [
        (&["sslversion"][..], Some("sslversion")),
        (&["ciphersuite"], Some("ciphersuite")),
        // A time limit is not.
        (&["negotiatetime"], None),
    ] {
        virtually(async || {
            let (world, _) = world(Profile {
                refused_ssl_keys: refused,
                ..LATER
            });
            world
                .attach(async |bench| {
                    provision(bench).await;
                    let expected = setting.map(|setting| ConnectError::Unsupported { setting });
                    assert_eq!(refusal(bench, &TLS).await, expected);
                    assert_eq!(world.count("AT+QSSLOPEN"), usize::from(setting.is_none()));
                })
                .await;
        });
    }
}

#[test]
fn every_open_overrides_the_insecure_defaults_of_its_context() {
    virtually(async || {
        let (world, _) = world(LATER);
        world
            .attach(async |bench| {
                provision(bench).await;
                // Two contexts, and one of them again; after a reset of the modem once more.
                let first = connect(bench, &TLS).await.unwrap();
                let second = connect(bench, &TLS).await.unwrap();
                first.close().await.unwrap();
                connect(bench, &TLS).await.unwrap().close().await.unwrap();
                drop(second);
                world.modem.reset();
                Timer::after_secs(20).await;
                connect(bench, &TLS).await.unwrap();
            })
            .await;
        let written = settings(&world);
        for line in [
            "sslversion,3",
            "ciphersuite,0XC02F",
            "cacert,\"st7.ca\"",
            "clientcert,\"st7.crt\"",
            "clientkey,\"st7.key\"",
            "seclevel,2",
            "ignorelocaltime,0",
            "sni,1",
        ] {
            let count = written.iter().filter(|written| *written == line).count();
            assert_eq!(count, world.count("AT+QSSLOPEN"), "{line}");
        }
        assert_eq!(world.count("AT+QSSLOPEN"), 4);
    });
}

#[test]
fn what_the_modem_is_known_to_lack_is_refused_before_a_byte() {
    virtually(async || {
        let (world, _) = world(LATER);
        world
            .attach(async |bench| {
                provision(bench).await;
                world.modem.take_commands();
                let psk = Psk::new("device-1", "0011223344556677").unwrap();
                let ecdsa = ServerKey::Ecdsa;
                for (config, feature) in [
                    (TLS.alpn("mqtt").unwrap(), Feature::Alpn),
                    (TLS.psk(psk).suites(Suites::All), Feature::Psk),
                    (TLS.session_resumption(), Feature::Resumption),
                    (TLS.server_key(ecdsa), Feature::ServerKey(ecdsa)),
                    (
                        TLS.server_key(ecdsa).suites(Suites::All),
                        Feature::ServerKey(ecdsa),
                    ),
                    (TLS.suites(Suites::Only(0xC02B)), Feature::Suites),
                    (TLS.suites(Suites::Only(0x1301)), Feature::Suites),
                    (
                        TLS.min_version(TlsVersion::Tls13),
                        Feature::Version(TlsVersion::Tls13),
                    ),
                    // Modern suites came with TLS 1.2.
                    (TLS.min_version(TlsVersion::Tls11), Feature::Suites),
                ] {
                    assert_eq!(
                        refusal(bench, &config).await,
                        Some(ConnectError::Lacks(feature))
                    );
                }
                assert!(world.commands().is_empty(), "{:?}", world.commands());
                let rsa = TLS.server_key(ServerKey::Rsa);
                connect(bench, &rsa).await.unwrap();
            })
            .await;
    });
}

#[test]
fn suites_and_version_are_written_as_the_modem_takes_them() {
    let only = |number| TLS.suites(Suites::Only(number));
    let old = |version| TLS.suites(Suites::Only(0x002F)).min_version(version);
    for (profile, config, version, suite, negotiated) in [
        (LATER, TLS, 3, "0XC02F", Some(0xC02F)),
        (Profile::EG25, TLS, 3, "0XC02F", Some(0xC02F)),
        (Profile::EG25, only(0xC030), 3, "0XC030", Some(0xC030)),
        // The simulator's TLS has no CBC, so these connections fail.
        (LATER, only(0x0004), 3, "0X0004", None),
        (LATER, old(TlsVersion::Tls11), 2, "0X002F", None),
        (LATER, old(TlsVersion::Tls10), 1, "0X002F", None),
        (LATER, TLS.suites(Suites::All), 3, "0XFFFF", Some(0xC02F)),
    ] {
        virtually(async || {
            let (world, seen) = world(profile);
            world
                .attach(async |bench| {
                    provision(bench).await;
                    let result = connect(bench, &config).await;
                    assert_eq!(result.is_ok(), negotiated.is_some());
                    let written = settings(&world);
                    assert!(written.contains(&format!("sslversion,{version}")));
                    assert!(written.contains(&format!("ciphersuite,{suite}")));
                    Timer::after_millis(10).await;
                    let suites: Vec<u16> = seen.borrow().iter().map(|seen| seen.0).collect();
                    assert_eq!(suites, Vec::from_iter(negotiated));
                })
                .await;
        });
    }
}

#[test]
fn server_whose_key_the_suites_do_not_fit_is_refused_by_the_modem_when_nothing_was_declared() {
    virtually(async || {
        let world = World::new(with(Profile::EG25));
        let pki = Pki::shared();
        world.serve_as(
            &pki.issue_server_ecdsa([HOST.as_str()]),
            &pki.ca_pem(),
            echo,
        );
        world
            .attach(async |bench| {
                provision(bench).await;
                // It has older ECDSA suites, but no modern one.
                let declared = TLS.server_key(ServerKey::Ecdsa);
                assert_eq!(
                    refusal(bench, &declared).await,
                    Some(ConnectError::Lacks(Feature::ServerKey(ServerKey::Ecdsa)))
                );
                let refused = refusal(bench, &TLS).await;
                assert!(
                    matches!(
                        refused,
                        Some(ConnectError::Refused(Refusal {
                            code: Code::Vendor(566, _),
                            ..
                        }))
                    ),
                    "{refused:?}"
                );
                let all = declared.suites(Suites::All);
                let _ = connect(bench, &all).await;
                assert_eq!(world.count("AT+QSSLOPEN"), 2);
            })
            .await;
    });
}

#[test]
fn alpn_is_negotiated_and_does_not_stay_for_the_next_connection() {
    virtually(async || {
        let (world, seen) = world(Profile::EG25);
        world
            .attach(async |bench| {
                provision(bench).await;
                let alpn = TLS.alpn("mqtt").unwrap();
                connect(bench, &alpn).await.unwrap().close().await.unwrap();
                connect(bench, &TLS).await.unwrap().close().await.unwrap();
                // Once cleared it is not cleared again.
                connect(bench, &TLS).await.unwrap().close().await.unwrap();
            })
            .await;
        let protocols: Vec<_> = seen.borrow().iter().map(|seen| seen.1.clone()).collect();
        assert_eq!(protocols, [Some("mqtt".into()), None, None]);
        let written = settings(&world);
        let alpn: Vec<_> = written
            .iter()
            .filter(|line| line.starts_with("alpn"))
            .collect();
        assert_eq!(alpn, ["alpn,\"mqtt\"", "alpn,\"\""]);
    });
}

#[test]
fn pre_shared_key_and_resumption_are_written_when_asked_for_and_cleared_when_not() {
    virtually(async || {
        let (world, _) = world(Profile::EG25);
        world
            .attach(async |bench| {
                provision(bench).await;
                connect(bench, &TLS).await.unwrap().close().await.unwrap();
                assert!(
                    !settings(&world)
                        .iter()
                        .any(|line| line.starts_with("psk") || line.starts_with("session"))
                );
                let psk = Psk::new("device-1", "0011223344556677").unwrap();
                // No suite of the list would use it.
                assert_eq!(
                    refusal(bench, &TLS.psk(psk)).await,
                    Some(ConnectError::Lacks(Feature::Suites))
                );
                world.modem.take_commands();
                let asked = TLS.psk(psk).suites(Suites::All).session_resumption();
                connect(bench, &asked).await.unwrap().close().await.unwrap();
                let written = settings(&world);
                assert!(written.contains(&"session_cache,1".into()));
                assert!(written.contains(&"psk,\"device-1\",\"0011223344556677\"".into()));
                // Verification is not weakened by it.
                for line in ["seclevel,2", "cacert,\"st7.ca\"", "ignorelocaltime,0"] {
                    assert!(written.contains(&line.into()), "{line}");
                }
                world.modem.take_commands();
                connect(bench, &TLS).await.unwrap().close().await.unwrap();
                let written = settings(&world);
                assert!(written.contains(&"session_cache,0".into()));
                assert!(written.contains(&"psk,\"\",\"\"".into()));
            })
            .await;
    });
}

#[test]
fn listed_feature_that_is_refused_all_the_same_is_a_typed_error_and_tried_again() {
    for (key, config, feature) in [
        ("alpn", TLS.alpn("mqtt").unwrap(), Feature::Alpn),
        (
            "psk",
            TLS.psk(Psk::new("device-1", "00112233").unwrap())
                .suites(Suites::All),
            Feature::Psk,
        ),
        (
            "session_cache",
            TLS.session_resumption(),
            Feature::Resumption,
        ),
    ] {
        virtually(async || {
            let (world, _) = world(Profile {
                refused_ssl_keys: &["alpn", "psk", "session_cache"],
                ..Profile::EG25
            });
            world
                .attach(async |bench| {
                    provision(bench).await;
                    for tries in 1..=2 {
                        assert_eq!(
                            refusal(bench, &config).await,
                            Some(ConnectError::Lacks(feature))
                        );
                        // Twice at first, for it may have been noise.
                        assert_eq!(world.count(&format!("AT+QSSLCFG=\"{key}\"")), tries + 1);
                    }
                    assert_eq!(world.count("AT+QSSLOPEN"), 0);
                    let has = bench.control.capabilities();
                    let known = [has.alpn, has.psk, has.resumption];
                    assert!(known.contains(&Support::No));
                    // Nothing was left in the context that would have to be cleared.
                    connect(bench, &TLS).await.unwrap();
                    assert_eq!(world.count(&format!("AT+QSSLCFG=\"{key}\"")), 3);
                })
                .await;
        });
    }
}

#[test]
fn firmware_that_lists_nothing_is_asked_by_trying() {
    virtually(async || {
        let (world, _) = world(SILENT);
        world
            .attach(async |bench| {
                provision(bench).await;
                let alpn = TLS.alpn("mqtt").unwrap();
                assert_eq!(
                    refusal(bench, &alpn).await,
                    Some(ConnectError::Lacks(Feature::Alpn))
                );
                assert_eq!(world.count("AT+QSSLCFG=\"alpn\""), 2);
                assert_eq!(world.count("AT+QSSLOPEN"), 0);
                assert_eq!(bench.control.capabilities().alpn, Support::No);
                connect(bench, &TLS).await.unwrap();
            })
            .await;
    });
}

/// The figures of BENCHMARKS.md.
#[test]
fn exchanges_of_a_connect_are_these() {
    virtually(async || {
        let (world, _) = world(LATER);
        world
            .attach(async |bench| {
                provision(bench).await;
                for (config, expected) in [
                    // Cold: files, 9 keys, what the modem has of them, open, what it has opened.
                    (TLS, (13, 10)),
                    // Warm: the same with 8 keys, those that verification depends on.
                    (TLS, (12, 9)),
                    (TLS, (12, 9)),
                    // Without a client certificate, which this server then refuses; with the close of the id.
                    (
                        TlsConfig::new(TLS.tag()).ca_scope(CaScope::Private),
                        (10, 7),
                    ),
                ] {
                    world.modem.take_commands();
                    let before = bench.control.counters().exchanges;
                    let socket = connect(bench, &config).await;
                    let count = bench.control.counters().exchanges - before;
                    assert_eq!((count, world.count("AT+QSSLCFG")), expected);
                    if let Ok(socket) = socket {
                        socket.close().await.unwrap();
                    }
                }
            })
            .await;
    });
}

#[test]
fn ca_that_another_host_deleted_is_noticed_by_the_next_connect() {
    virtually(async || {
        let (world, _) = world(LATER);
        world
            .attach(async |bench| {
                provision(bench).await;
                connect(bench, &TLS).await.unwrap().close().await.unwrap();
                // Behind the driver's back, as over the modem's USB port.
                let at = bench.control.keeps_connections().at().await.unwrap();
                at.send(&Delete).await.unwrap();
                assert_eq!(
                    refusal(bench, &TLS).await,
                    Some(ConnectError::CredentialMissing(sectag::Kind::Ca))
                );
                assert_eq!(world.count("AT+QSSLOPEN"), 1);
            })
            .await;
    });
}

struct Delete;
sectag::at::at_command!(Delete, 3000, "+QFDEL", |self, line| line.quoted("st7.ca"));

#[test]
fn any_result_but_success_closes_what_may_stand_open() {
    for code in ["1", "4", "566", "575", "579", "65535", "99999", "-1", "x"] {
        let closed = Cell::new(false);
        bench(
            async |uart| {
                let mut modem = Modem::new(uart, 4096);
                modem.bring_up().await;
                modem.until_open().await;
                modem
                    .say(format!("\r\nOK\r\n\r\n+QSSLOPEN: 0,{code}\r\n"))
                    .await;
                modem.answer("AT+QSSLCLOSE=0,3", "\r\nOK\r\n").await;
                closed.set(true);
                modem.rest().await;
            },
            async |bench| {
                let server = sectag::ServerName::new("broker.test").unwrap();
                let config = TlsConfig::new(sectag::Tag(1)).ca_scope(CaScope::Private);
                let refused = bench.control.connect(server, 8883, &config).await.err();
                assert!(
                    matches!(
                        refused,
                        Some(ConnectError::Refused(Refusal {
                            code: Code::Vendor(..),
                            ..
                        }))
                    ),
                    "{refused:?}"
                );
                Timer::after(Duration::from_millis(100)).await;
                assert!(closed.get(), "{code}");
                assert_eq!(bench.control.counters().restarts, 0);
            },
        );
    }
}

#[test]
fn servers_of_another_ca_or_age_are_refused_also_by_relatives() {
    let pki = Pki::shared();
    let identities = [
        Pki::new().issue_server([HOST.as_str()]),
        pki.issue_server_valid([HOST.as_str()], Validity::expired()),
        pki.issue_server_valid([HOST.as_str()], Validity::not_yet()),
    ];
    for profile in [Profile::BG96_V1, LATER, Profile::EG25, SILENT] {
        for identity in &identities {
            let profile = profile.clone();
            virtually(async || {
                let world = World::new(with(profile));
                world.serve_as(identity, &pki.ca_pem(), echo);
                world
                    .attach(async |bench| {
                        provision(bench).await;
                        let refused = refusal(bench, &TLS).await;
                        assert!(
                            matches!(
                                refused,
                                Some(ConnectError::Refused(Refusal {
                                    code: Code::Vendor(566, _),
                                    ..
                                }))
                            ),
                            "{refused:?}"
                        );
                    })
                    .await;
            });
        }
    }
}

/// What another program left in the modem: these lines, before the driver comes.
async fn left_behind(world: &World, lines: &[String]) {
    let (mut host, device) = tokio::io::duplex(4096);
    let talk = async {
        for line in lines {
            host.write_all(format!("{line}\r").as_bytes())
                .await
                .unwrap();
            let mut answer = Vec::new();
            while !answer.ends_with(b"OK\r\n") {
                answer.push(host.read_u8().await.unwrap());
            }
        }
    };
    match select(world.modem.serve(device), talk).await {
        Either::First(_) => panic!("the modem went away"),
        Either::Second(()) => {}
    }
}

/// Keys of relatives switch checks off, bit by bit, or replace the CA (sheet 4.11).
#[test]
fn keys_that_loosen_verification_are_set_to_the_strict_value() {
    let loose = |key: &str, value: &str| -> Vec<String> {
        (0..6)
            .map(|context| format!("AT+QSSLCFG=\"{key}\",{context},{value}"))
            .collect()
    };
    let stranger = Pki::new();
    for (lines, trusted) in [
        // A name that does not fit and a chain that is not trusted.
        (loose("ignorecertitem", "12"), false),
        (loose("ignoremulticertchainverify", "1"), true),
        (loose("ignoreinvalidcertsign", "1"), true),
    ] {
        virtually(async || {
            let world = World::new(with(Profile::EG25));
            let pki = if trusted { Pki::shared() } else { &stranger };
            world.serve_as(
                &pki.issue_server([HOST.as_str()]),
                &Pki::shared().ca_pem(),
                echo,
            );
            left_behind(&world, &lines).await;
            world
                .attach(async |bench| {
                    provision(bench).await;
                    let end = connect(bench, &TLS).await;
                    assert_eq!(end.is_ok(), trusted, "{lines:?}: {:?}", end.err());
                })
                .await;
            let written = settings(&world);
            for key in [
                "ignorecertitem,0",
                "ignoreinvalidcertsign,0",
                "ignoremulticertchainverify,0",
            ] {
                assert!(written.iter().any(|line| line == key), "{key}: {written:?}");
            }
        });
    }
}

#[test]
fn key_that_loosens_verification_and_cannot_be_set_refuses_the_connection() {
    for key in [
        "ignorecertitem",
        "ignoreinvalidcertsign",
        "ignoremulticertchainverify",
    ] {
        virtually(async || {
            let world = World::new(Options {
                profile: Profile {
                    refused_ssl_keys: std::slice::from_ref(Box::leak(Box::new(key))),
                    ..Profile::EG25
                },
                ..Options::default()
            });
            world.serve(echo);
            world
                .attach(async |bench| {
                    provision(bench).await;
                    // The second time no less than the first.
                    for _ in 0..2 {
                        let refused = refusal(bench, &TLS).await;
                        assert_eq!(refused, Some(ConnectError::Unsupported { setting: key }));
                    }
                })
                .await;
            assert_eq!(world.count("AT+QSSLOPEN="), 0, "{key}");
        });
    }
}

#[test]
fn ca_that_replaces_the_connections_own_refuses_it() {
    virtually(async || {
        let world = World::new(with(Profile::EG25));
        world.serve(echo);
        left_behind(&world, &["AT+QSSLCFG=\"cacertex\",3,\"other.pem\"".into()]).await;
        world
            .attach(async |bench| {
                provision(bench).await;
                let refused = refusal(bench, &TLS).await.expect("it is refused");
                assert!(refused.to_string().contains("cacertex"), "{refused}");
            })
            .await;
        assert_eq!(world.count("AT+QSSLOPEN="), 0);
    });
}
