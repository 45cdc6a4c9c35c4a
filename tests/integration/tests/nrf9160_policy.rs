//! What the nRF9160 refuses, and in which words, before anything is at risk.

use embassy_time::Duration;
use sectag::{
    Check, ConnectError, CredentialError, Feature, Kind, RawError, Suites, Support, Tag, TlsConfig,
    TlsVersion,
};
use sectag_integration_tests::nrf9160::{
    Bench, CONFIG, TAG, TLS, World, connect, label, options, provision, round_trip, usable,
};
use sectag_integration_tests::simulated::{HOST, PORT, virtually};
use sectag_nrf9160::Config;
use sectag_simulator::{Nrf9160Options, Nrf9160Profile};
use sectag_test_support::pki::Pki;
use sectag_test_support::tls_server::echo;

const MODERN: TlsConfig = TLS.suites(Suites::Modern);

fn opened(world: &World) -> bool {
    let opens = |line: &String| line.starts_with("AT#XSSOCKET=");
    world.commands().iter().any(opens)
}

/// Sheet 4.2: the suite can be read of native TLS from 2.5 on, and of the modem's TLS on an nRF91x1.
fn tells_suite(profile: &Nrf9160Profile) -> bool {
    profile.native.is_some() || profile.serial_modem
}

/// No firmware of these has TLS 1.3.
#[test]
fn tls_1_3_is_refused_by_name() {
    for profile in usable() {
        virtually(async || {
            let world = World::new(options(profile));
            world
                .attach(async |bench| {
                    bench.control.wait_up().await.unwrap();
                    let config = TLS.min_version(TlsVersion::Tls13);
                    let refused = bench.control.connect(HOST, PORT, &config).await.err();
                    let lacks = ConnectError::Lacks(Feature::Version(TlsVersion::Tls13));
                    assert_eq!(refused, Some(lacks), "{}", label(&profile));
                })
                .await;
            assert!(!opened(&world), "{}", label(&profile));
        });
    }
}

#[test]
fn suites_are_judged_where_the_modem_tells_and_never_silently_not() {
    for profile in usable() {
        let name = label(&profile);
        let told = tells_suite(&profile);
        virtually(async || {
            let world = World::new(options(profile));
            world.serve(echo);
            world
                .attach(async |bench| {
                    provision(bench).await;
                    let open =
                        async |config: &TlsConfig| bench.control.connect(HOST, PORT, config).await;
                    let refused = async |config: &TlsConfig| open(config).await.err();
                    // Before and after the modem has said on which chip it runs.
                    for _ in 0..2 {
                        let required = MODERN.require(Check::Suites);
                        let only = MODERN.suites(Suites::Only(0xc02f));
                        if told {
                            assert_eq!(refused(&required).await, None, "{name}");
                        } else {
                            let no = ConnectError::Unverifiable(Check::Suites);
                            assert_eq!(refused(&required).await, Some(no), "{name}");
                            let no = ConnectError::Lacks(Feature::SuiteChoice);
                            assert_eq!(refused(&only).await, Some(no), "{name}");
                            assert!(!opened(&world), "{name}");
                        }
                    }
                    for _ in 0..2 {
                        let modern = open(&MODERN).await;
                        let mut socket = modern.unwrap_or_else(|error| panic!("{name}: {error}"));
                        let verified = if told { Support::Yes } else { Support::No };
                        assert_eq!(socket.verified().suites, verified, "{name}");
                        let answer = round_trip(&mut socket, b"modern").await;
                        assert_eq!(answer, b"modern", "{name}");
                        socket.close().await.unwrap();
                    }
                    // What all are allowed is not checked, also where it could be.
                    let any = connect(bench).await.unwrap().verified();
                    assert_eq!(any.suites, Support::No, "{name}");
                })
                .await;
            let asked = world.commands();
            let chip = asked.iter().filter(|line| *line == "AT+CGMR").count();
            assert!(chip <= 1, "{name}: the chip stays what it is: {asked:?}");
        });
    }
}

#[test]
fn a_weak_suite_is_found_out_before_anything_is_sent() {
    for name in ["3.1-native", "sm"] {
        virtually(async || {
            let world = World::new(Nrf9160Options {
                // ECDHE-ECDSA with CBC.
                reported_suite: Some(0xc009),
                ..options(Nrf9160Profile::named(name).unwrap())
            });
            world.serve(echo);
            world
                .attach(async |bench| {
                    provision(bench).await;
                    let refused = bench.control.connect(HOST, PORT, &MODERN).await.err();
                    assert_eq!(
                        refused,
                        Some(ConnectError::SuiteNotAllowed { number: 0xc009 }),
                        "{name}"
                    );
                    assert!(!world.commands().iter().any(|line| line.contains("#XSEND")));
                    // Allowed by name, it is.
                    let all = connect(bench).await;
                    all.unwrap_or_else(|error| panic!("{name}: {error}"));
                    let other = TLS.suites(Suites::Only(0xc02b));
                    let refused = bench.control.connect(HOST, PORT, &other).await.err();
                    assert_eq!(
                        refused,
                        Some(ConnectError::SuiteNotAllowed { number: 0xc009 }),
                        "{name}"
                    );
                })
                .await;
        });
    }
}

#[test]
fn without_flow_control_nothing_is_at_risk() {
    for profile in usable() {
        let name = label(&profile);
        virtually(async || {
            let world = World::new(Nrf9160Options {
                flow_control: false,
                ..options(profile)
            });
            world.serve(echo);
            world
                .attach_with(Config::new(), async |bench: Bench| {
                    // It comes up all the same, and tells what it is.
                    bench.control.wait_up().await.unwrap();
                    let ca = Pki::shared().ca_pem();
                    let stored = bench.control.store(TAG, Kind::Ca, ca.as_bytes()).await;
                    let refused = connect(bench).await.err();
                    if profile.reception_pauses {
                        let lacks = Feature::FlowControl;
                        assert_eq!(stored, Err(CredentialError::Lacks(lacks)), "{name}");
                        assert_eq!(refused, Some(ConnectError::Lacks(lacks)), "{name}");
                        assert!(
                            !opened(&world) && !world.modem.files().contains_key("modem/321/0")
                        );
                    } else {
                        assert_eq!(stored, Ok(()), "{name}");
                    }
                })
                .await;
        });
    }
}

/// The modem shows what is under the tag to a server that asks; which is told.
#[test]
fn a_client_certificate_that_nobody_asked_for_is_told() {
    virtually(async || {
        let world = World::new(options(Nrf9160Profile::V2_5));
        world.serve(echo);
        world
            .attach(async |bench| {
                provision(bench).await;
                let quiet = TlsConfig::new(TAG).suites(Suites::All);
                let socket = bench.control.connect(HOST, PORT, &quiet).await.unwrap();
                assert_eq!(socket.verified().client_certificate, Support::Yes);
            })
            .await;
    });
}

#[test]
fn sizes_are_checked_before_a_byte_is_sent() {
    let limits = [
        ("2.1", 4055),
        ("2.5-native", 2099),
        ("3.1-native", 4055),
        ("sm", 4055),
    ];
    for (name, limit) in limits {
        virtually(async || {
            let world = World::new(options(Nrf9160Profile::named(name).unwrap()));
            world
                .attach_with(CONFIG, async |bench| {
                    bench.control.wait_up().await.unwrap();
                    world.modem.take_commands();
                    let content = vec![b'x'; limit + 1];
                    let large = bench
                        .control
                        .store_unchecked(Tag(9), Kind::Ca, &content[..])
                        .await;
                    assert!(
                        matches!(large, Err(CredentialError::InvalidInput(_))),
                        "{name}: {large:?}"
                    );
                    assert!(world.modem.commands().is_empty(), "{name}");
                })
                .await;
        });
    }
}

#[test]
fn what_may_be_typed() {
    virtually(async || {
        let world = World::new(options(Nrf9160Profile::V2_5));
        world
            .attach(async |bench| {
                bench.control.wait_up().await.unwrap();
                let mut seen = 0;
                let limit = Duration::from_secs(5);
                bench
                    .control
                    .raw_at("AT%XMONITOR", limit, &mut |_| seen += 1)
                    .await
                    .unwrap();
                assert_eq!(seen, 1);
                world.modem.take_commands();
                for line in [
                    "AT#XSLEEP=2",
                    "AT%XMONITOR;#XSHUTDOWN",
                    "AT#XSLMUART=9600",
                    "AT+CFUN=0",
                    "AT+IPR=9600",
                ] {
                    let refused = bench.control.raw_at(line, limit, &mut |_| {}).await;
                    assert!(
                        matches!(refused, Err(RawError::Forbidden { .. })),
                        "{line}: {refused:?}"
                    );
                }
                assert!(world.modem.commands().is_empty());
            })
            .await;
    });
}
