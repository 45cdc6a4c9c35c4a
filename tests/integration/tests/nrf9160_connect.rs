//! Why `#XCONNECT` did not succeed: what is told, and what is not claimed.

use std::cell::Cell;

use embassy_time::{Duration, Instant};
use sectag::{AtError, Cause, Code, ConnectError, Kind, Suites, Tag, TlsConfig};
use sectag_integration_tests::nrf9160::{Bench, TLS, World, connect, label, options, provision};
use sectag_integration_tests::simulated::{HOST, PORT, virtually};
use sectag_simulator::{Nrf9160Options, Nrf9160Profile, Reaction};
use sectag_test_support::pki::Pki;
use sectag_test_support::tls_server::echo;

const DIALECTS: [Nrf9160Profile; 3] = [
    Nrf9160Profile::V2_1,
    Nrf9160Profile::V3_1,
    Nrf9160Profile::SERIAL_MODEM,
];

/// In each dialect, a modem with credentials and these options in the place of the usual ones.
fn in_each(
    change: impl Fn(Nrf9160Options) -> Nrf9160Options,
    check: impl AsyncFn(&World, Bench, &str),
) {
    for profile in DIALECTS {
        virtually(async || {
            let world = World::new(change(options(profile)));
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

/// The next `#XCONNECT` is answered so.
fn at_connect(world: &World, reaction: fn() -> Reaction) {
    let seen = Cell::new(false);
    world.modem.set_script(Box::new(move |line| {
        if line.starts_with(b"AT#XCONNECT=") && !seen.replace(true) {
            return reaction();
        }
        Reaction::Normal
    }));
}

/// Whatever can stand behind its one word is listed: a client's certificate only where one is shown, which does not
/// depend on what the policy says.
#[test]
fn a_refusal_leaves_every_cause_that_is_possible() {
    use Cause::*;
    const CA_ALONE: Tag = Tag(5);
    in_each(
        |options| options,
        async |world, bench, name| {
            let ca = Pki::shared().ca_pem();
            let stored = bench.control.store(CA_ALONE, Kind::Ca, ca.as_bytes()).await;
            stored.unwrap_or_else(|error| panic!("{name}: {error}"));
            let any = |tag| TlsConfig::new(tag).suites(Suites::All);
            for (policy, shows) in [(TLS, true), (any(TLS.tag()), true), (any(CA_ALONE), false)] {
                at_connect(world, || Reaction::Reply(b"\r\nERROR\r\n".to_vec()));
                let error = bench.control.connect(HOST, PORT, &policy).await.err();
                let Some(ConnectError::Refused(refusal)) = error else {
                    panic!("{name}: {error:?}");
                };
                assert_eq!(refusal.code, Code::Plain, "{name}");
                let has = |wanted| refusal.causes.into_iter().any(|cause| cause == wanted);
                for always in [
                    CaMismatch,
                    CaUnreadable,
                    NameMismatch,
                    NameUnknown,
                    Unreachable,
                    CertificateExpired,
                    CertificateNotYetValid,
                    NotTls,
                    NoCommonSuite,
                    ChainTooLong,
                    SniNeeded,
                    NetworkSlow,
                ] {
                    assert!(has(always), "{name}: {always:?}");
                }
                assert_eq!(has(ClientCertificateRefused), shows, "{name}");
                assert_eq!(has(ClientKeyMismatch), shows, "{name}");
                assert_eq!(has(ClientCertificateNeeded), !shows, "{name}");
            }
        },
    );
}

/// The wiring was good up to the command (sheet 4.3).
#[test]
fn a_connect_that_takes_too_long_is_the_networks_time() {
    in_each(
        |options| options,
        async |world, bench, name| {
            at_connect(world, || Reaction::Silent);
            let since = Instant::now();
            let error = connect(bench).await.err();
            assert_eq!(error, Some(ConnectError::TimedOut), "{name}");
            assert!(since.elapsed() > Duration::from_secs(100), "{name}");
            let causes = ConnectError::TimedOut.causes();
            assert_eq!(causes.into_iter().next(), Some(Cause::NetworkSlow));
            // A new life of the modem.
            drop(
                connect(bench)
                    .await
                    .unwrap_or_else(|error| panic!("{name}: {error}")),
            );
        },
    );
}

/// A chain above the limit crashes the modem core (sheet 7.5), with or without the word on the connect behind it; at
/// each try, as no bad supply does.
#[test]
fn a_core_that_crashes_at_a_connect_is_the_chain_first() {
    in_each(
        |options| Nrf9160Options {
            modem_chain_limit: 300,
            ..options
        },
        async |_, bench, name| {
            for _ in 0..2 {
                let error = connect(bench).await.err();
                let Some(ConnectError::Refused(refusal)) = error else {
                    panic!("{name}: {error:?}");
                };
                assert!(matches!(refusal.code, Code::Vendor(4, _)), "{name}");
                let expected = [Cause::ChainTooLong, Cause::ModemReset];
                assert!(refusal.causes.eq(expected), "{name}: {refusal}");
            }
        },
    );
}

/// A restart of the whole unit is no word on the chain.
#[test]
fn a_unit_that_restarts_at_a_connect_says_nothing_of_the_server() {
    in_each(
        |options| options,
        async |world, bench, name| {
            at_connect(world, || Reaction::Reset);
            let error = connect(bench).await.err();
            let reset = ConnectError::At(AtError::ModemReset);
            assert_eq!(error, Some(reset), "{name}");
        },
    );
}
