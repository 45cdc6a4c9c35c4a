//! Credentials in a modem with two kinds of TLS, and what changing them costs.

use embassy_futures::join::join3;
use embassy_time::{Duration, Timer, with_timeout};
use embedded_io_async::Read;
use sectag::{
    AtError, Cause, ConnectError, CredentialError, Kind, OtherStore, ReadFrom, SocketError, Tag,
};
use sectag_integration_tests::nrf9160::{
    Bench, CONFIG, TAG, World, connect, label, options, provision, round_trip, usable,
};
use sectag_integration_tests::simulated::virtually;
use sectag_simulator::{Nrf9160Options, Nrf9160Profile, Reaction};
use sectag_test_support::pki::Pki;
use sectag_test_support::tls_server::echo;

fn named(name: &str) -> Nrf9160Profile {
    Nrf9160Profile::named(name).unwrap()
}

/// Stores the set behind the driver's back, under these names.
fn put(world: &World, names: [&str; 3]) {
    let pki = Pki::shared();
    let client = pki.client();
    let parts = [
        pki.ca_pem(),
        client.cert_pem.clone(),
        client.key_pem.clone(),
    ];
    for (name, part) in names.into_iter().zip(parts) {
        world.modem.put_file(name, part.as_bytes());
    }
}

#[test]
fn keys_under_the_other_scheme_are_explained() {
    const PLAIN: [&str; 3] = ["modem/321/0", "modem/321/1", "modem/321/2"];
    const MAPPED: [&str; 3] = ["modem/3210/0", "modem/3211/0", "modem/3212/0"];
    const OLD: &str = "#XCMNG of SLM 2.0 to 2.5";
    let cases = [
        ("2.1-native", PLAIN, "%CMNG", ReadFrom::Numbers(3210)),
        ("2.5-native", PLAIN, "%CMNG", ReadFrom::Numbers(3210)),
        ("2.7-native", PLAIN, "%CMNG", ReadFrom::Store("#XCMNG")),
        (
            "3.1-native",
            MAPPED,
            OLD,
            ReadFrom::Store("#XCMNG of this version"),
        ),
        ("2.1", MAPPED, OLD, ReadFrom::Tag),
        ("sm", MAPPED, OLD, ReadFrom::Tag),
    ];
    for (name, there, written, reads) in cases {
        virtually(async || {
            let world = World::new(Nrf9160Options {
                patched_native: true,
                ..options(named(name))
            });
            put(&world, there);
            world.serve(echo);
            world
                .attach_with(CONFIG.patched_native(), async |bench| {
                    let found = OtherStore::new(TAG, written, reads);
                    assert_eq!(
                        bench.control.other_store(TAG).await,
                        Ok(Some(found)),
                        "{name}"
                    );
                    let refused = connect(bench).await.err().unwrap();
                    let kind = Kind::Ca;
                    assert_eq!(
                        refused,
                        ConnectError::CredentialInOtherStore { kind, found },
                        "{name}"
                    );
                    assert!(refused.causes().eq([Cause::CredentialInOtherStore]));
                    assert!(refused.to_string().contains(&found.to_string()));
                    // A listing shows them, and that they are not read.
                    let mut all = Vec::new();
                    bench
                        .control
                        .list(&mut |stored| all.push(stored))
                        .await
                        .unwrap();
                    if name.ends_with("native") && there == PLAIN {
                        let unread = all.iter().filter(|stored| stored.tag == TAG);
                        assert!(unread.clone().count() >= 2, "{name}: {all:?}");
                        for stored in unread {
                            assert_eq!(stored.other_store, Some(found), "{name}");
                        }
                        let mut of_tag = Vec::new();
                        bench
                            .control
                            .list_tag(TAG, &mut |stored| of_tag.push(stored))
                            .await
                            .unwrap();
                        assert_eq!(of_tag.len(), 3, "{name}");
                    }
                    // Stored again, nothing is to be explained any more.
                    provision(bench).await;
                    let connected = connect(bench).await;
                    assert!(connected.is_ok(), "{name}: {:?}", connected.err());
                })
                .await;
        });
    }
}

#[test]
fn credentials_that_may_be_another_tags_are_not_claimed() {
    virtually(async || {
        let world = World::new(options(named("2.1-native")));
        // The three of tag 32.
        put(&world, ["modem/320/0", "modem/321/0", "modem/322/0"]);
        world
            .attach(async |bench| {
                assert_eq!(bench.control.other_store(TAG).await, Ok(None));
                let mut found = Vec::new();
                bench
                    .control
                    .list(&mut |stored| found.push((stored.tag, stored.place)))
                    .await
                    .unwrap();
                assert_eq!(found, [320, 321, 322].map(|place| (Tag(32), Some(place))));
            })
            .await;
    });
}

/// About 45 lines are all that SLM has room for (sheet 1.4).
#[test]
fn a_list_that_is_too_long_is_never_a_shorter_one() {
    for profile in usable() {
        let name = label(&profile);
        let settings = profile.native.is_some();
        virtually(async || {
            let world = World::new(Nrf9160Options {
                settings_size: 64 * 1024,
                ..options(profile)
            });
            for tag in 0..60 {
                let store = if settings { "settings" } else { "modem" };
                world
                    .modem
                    .put_file(&format!("{store}/{}/0", 1000 + tag), b"x");
            }
            world
                .attach(async |bench| {
                    let mut count = 0;
                    let listed = bench.control.list(&mut |_| count += 1).await;
                    if settings {
                        assert_eq!((listed, count), (Ok(()), 60), "{name}");
                    } else {
                        assert_eq!(listed, Err(CredentialError::ListTooLong), "{name}");
                    }
                    // By tag it is there, and so it is for a connect.
                    let mut found = Vec::new();
                    bench
                        .control
                        .list_tag(Tag(1059), &mut |stored| found.push(stored.kind))
                        .await
                        .unwrap();
                    assert_eq!(found, [Kind::Ca], "{name}");
                })
                .await;
        });
    }
}

/// Sheet 7.3: 2.6.0 ends its list with ERROR now and then.
#[test]
fn a_list_that_is_asked_for_again_shows_nothing_twice() {
    virtually(async || {
        let mut profile = named("2.6-native");
        profile.random_list_error = true;
        let world = World::new(options(profile));
        put(
            &world,
            ["settings/321/0", "settings/321/1", "settings/321/2"],
        );
        world
            .attach(async |bench| {
                for _ in 0..10 {
                    let mut found = Vec::new();
                    bench
                        .control
                        .list(&mut |stored| found.push(stored.kind))
                        .await
                        .unwrap();
                    assert_eq!(found.len(), 3, "{found:?}");
                }
            })
            .await;
        let asked = world
            .commands()
            .iter()
            .filter(|line| *line == "AT#XCMNG=1")
            .count();
        assert!(asked > 10, "it never failed");
    });
}

async fn store_other(bench: Bench) -> Result<(), CredentialError<std::convert::Infallible>> {
    let ca = Pki::shared().ca_pem();
    bench.control.store(Tag(9), Kind::Ca, ca.as_bytes()).await
}

/// Where the modem must leave the network for it: refused while there are connections, unless allowed.
#[test]
fn connections_are_ended_for_a_change_only_where_that_is_allowed() {
    for name in ["2.0", "2.5", "3.1", "sm", "3.1-native"] {
        let native = name.ends_with("native");
        for allowed in [false, true] {
            virtually(async || {
                let world = World::new(options(named(name)));
                world.serve(echo);
                let config = if allowed {
                    CONFIG.end_connections_to_store()
                } else {
                    CONFIG
                };
                world
                    .attach_with(config, async |bench| {
                        provision(bench).await;
                        let mut socket = connect(bench).await.unwrap();
                        assert!(!bench.control.modem(|modem| modem.is_offline()), "{name}");
                        let stored = store_other(bench).await;
                        let removed = bench.control.remove(TAG, Kind::PrivateKey).await;
                        if native {
                            // Its store is none of the modem's.
                            assert_eq!((stored, removed), (Ok(()), Ok(())), "{name}");
                            assert_eq!(round_trip(&mut socket, b"alive").await, b"alive");
                        } else if allowed {
                            assert_eq!((stored, removed), (Ok(()), Ok(())), "{name}");
                            let lost = socket.read(&mut [0; 8]).await;
                            assert_eq!(lost, Err(SocketError::ConnectionReset), "{name}");
                            drop(socket);
                            // Back on the network, without anybody's doing.
                            Timer::after(Duration::from_secs(5)).await;
                            assert!(!bench.control.modem(|modem| modem.is_offline()), "{name}");
                            provision(bench).await;
                            let mut socket = connect(bench).await.unwrap();
                            assert_eq!(round_trip(&mut socket, b"again").await, b"again");
                        } else {
                            assert_eq!(stored, Err(CredentialError::SocketsOpen), "{name}");
                            assert_eq!(removed, Err(CredentialError::SocketsOpen), "{name}");
                            assert_eq!(round_trip(&mut socket, b"alive").await, b"alive");
                            socket.close().await.unwrap();
                            assert_eq!(store_other(bench).await, Ok(()), "{name}");
                        }
                    })
                    .await;
            });
        }
    }
}

/// A modem that refused to leave the network is on it; one whose `AT+CFUN=4` was never sent is asked by the next.
#[test]
fn a_network_that_was_not_left_does_not_count_as_left() {
    let ca = Pki::shared().ca_pem();
    for name in ["2.1", "sm"] {
        virtually(async || {
            let world = World::new(options(named(name)));
            world
                .attach(async |bench| {
                    let is_offline = || bench.control.modem(|modem| modem.is_offline());
                    bench.control.wait_up().await.unwrap();
                    let mut refuses = true;
                    world.modem.set_script(Box::new(move |line| {
                        if line == b"AT+CFUN=4" && std::mem::take(&mut refuses) {
                            return Reaction::Reply(b"\r\nERROR\r\n".to_vec());
                        }
                        Reaction::Normal
                    }));
                    let refused = store_other(bench).await;
                    assert!(matches!(refused, Err(CredentialError::At(_))), "{name}");
                    assert!(!is_offline(), "{name}");
                    assert_eq!(store_other(bench).await, Ok(()), "{name}");

                    // The clock is slow to answer, and nothing is sent meanwhile.
                    Timer::after_secs(10).await;
                    assert!(!is_offline(), "{name}");
                    let mut silent = true;
                    world.modem.set_script(Box::new(move |line| {
                        if line.starts_with(b"AT%CCLK?") && std::mem::take(&mut silent) {
                            return Reaction::Silent;
                        }
                        Reaction::Normal
                    }));
                    world.modem.take_commands();
                    let clock = bench.control.clock();
                    let dropped = async {
                        let store = bench.control.store(Tag(10), Kind::Ca, ca.as_bytes());
                        assert!(
                            with_timeout(Duration::from_millis(500), store)
                                .await
                                .is_err()
                        );
                        assert!(is_offline(), "{name}: it was dropped before it began");
                    };
                    let (_, (), stored) = join3(clock, dropped, store_other(bench)).await;
                    assert_eq!(stored, Ok(()), "{name}");
                    let left = world.commands();
                    let left = left.iter().filter(|line| *line == "AT+CFUN=4");
                    assert_eq!(left.count(), 1, "{name}");
                })
                .await;
        });
    }
}

/// A length that cannot be counted is refused before a byte is sent.
#[test]
fn a_quoted_argument_without_bounds_is_refused() {
    struct Open;
    sectag::at::at_command!(Open, 3000, "%CMNG", |self, line| line
        .int(0)
        .int(9)
        .int(0)
        .raw("\""));

    virtually(async || {
        let world = World::new(options(named("2.1")));
        let refused = world.attach(async |bench| {
            let at = bench.control.keeps_connections().at().await.unwrap();
            let mut refused = Vec::new();
            for len in [usize::MAX, usize::MAX - 2] {
                refused.push(at.quote(&Open, len).await.map(drop));
            }
            refused
        });
        assert_eq!(refused.await, [Err(AtError::TooLong); 2]);
        let sent = |line: &Vec<u8>| line.starts_with(b"AT%CMNG=0,9");
        assert!(!world.modem.commands().iter().any(sent));
    });
}
