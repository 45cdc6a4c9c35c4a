//! The nRF9160 backend against the simulated modem with real TLS, on every dialect, in virtual time.

use embassy_futures::join::join;
use embassy_time::{Duration, Instant, Timer, with_timeout};
use embedded_io_async::Read;
use sectag::{
    ConnectError, CredentialError, Ensured, Kind, Loss, Proof, ServerName, SocketError, Suites,
    Support, Tag, TlsConfig,
};
use sectag_integration_tests::nrf9160::{
    CONFIG, TAG, TLS, World, awkward, connect, label, options, provision, round_trip, usable,
};
use sectag_integration_tests::simulated::{HOST, PORT, virtually};
use sectag_simulator::{HeapTrap, Nrf9160Options, Nrf9160Profile, Reaction, Terminator};
use sectag_test_support::pki::Pki;
use sectag_test_support::tls_server::{TlsStream, echo};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

#[test]
fn every_dialect_provisions_connects_and_carries_any_bytes() {
    for profile in usable() {
        let name = label(&profile);
        virtually(async || {
            let world = World::new(options(profile));
            world.serve(echo);
            world
                .attach(async |bench| {
                    provision(bench).await;
                    let mut socket = connect(bench)
                        .await
                        .unwrap_or_else(|error| panic!("{name}: {error}"));
                    let verified = socket.verified();
                    assert_eq!(
                        (verified.chain, verified.name),
                        (Support::Yes, Support::Yes),
                        "{name}"
                    );
                    assert_eq!(verified.dates, Support::Unknown, "{name}");
                    for payload in [
                        &b"hello"[..],
                        &awkward(),
                        b"+++",
                        b"a+++",
                        b"\x00+++",
                        &[b'+'; 100],
                    ] {
                        let back = round_trip(&mut socket, payload).await;
                        assert!(back == payload, "{name}: {payload:?} came back as {back:?}");
                    }
                    socket.close().await.unwrap();
                })
                .await;
            assert!(world.modem.open_sockets().is_empty(), "{name}");
            let reads = world.commands();
            assert!(
                !reads
                    .iter()
                    .any(|line| line.starts_with("AT#XRECV=0,64") && !profile.serial_modem)
            );
        });
    }
}

#[test]
fn more_than_a_ring_goes_both_ways() {
    for profile in [
        Nrf9160Profile::V2_1,
        Nrf9160Profile::V3_1,
        Nrf9160Profile::SERIAL_MODEM,
    ] {
        let name = label(&profile);
        virtually(async || {
            let world = World::new(options(profile));
            world.serve(echo);
            world
                .attach(async |bench| {
                    provision(bench).await;
                    let mut socket = connect(bench).await.unwrap();
                    let payload: Vec<u8> =
                        (0..20_000_u32).map(|step| (step * 7 % 251) as u8).collect();
                    assert!(round_trip(&mut socket, &payload).await == payload, "{name}");
                })
                .await;
        });
    }
}

#[test]
fn two_sockets_do_not_mix() {
    for profile in usable() {
        let name = label(&profile);
        virtually(async || {
            let world = World::new(options(profile));
            world.serve(echo);
            world
                .attach(async |bench| {
                    provision(bench).await;
                    let mut one = connect(bench).await.unwrap();
                    let mut two = connect(bench)
                        .await
                        .unwrap_or_else(|error| panic!("{name}: {error}"));
                    let (first, second): (Vec<u8>, Vec<u8>) = (0..1500_u32)
                        .map(|step| (step as u8, !(step as u8)))
                        .unzip();
                    let both =
                        join(round_trip(&mut one, &first), round_trip(&mut two, &second)).await;
                    assert!(both == (first, second), "{name}");
                    one.close().await.unwrap();
                    assert_eq!(
                        round_trip(&mut two, b"still here").await,
                        b"still here",
                        "{name}"
                    );
                })
                .await;
        });
    }
}

#[test]
fn end_of_the_peers_is_an_end() {
    for profile in usable() {
        let name = label(&profile);
        virtually(async || {
            let world = World::new(options(profile));
            world.serve(async |mut stream: TlsStream<DuplexStream>| {
                stream.write_all(b"goodbye").await?;
                stream.shutdown().await
            });
            world
                .attach(async |bench| {
                    provision(bench).await;
                    let mut socket = connect(bench).await.unwrap();
                    let mut all: Vec<u8> = Vec::new();
                    let mut buffer = [0; 64];
                    loop {
                        let count = socket.read(&mut buffer).await.unwrap();
                        if count == 0 {
                            break;
                        }
                        all.extend(&buffer[..count]);
                    }
                    assert_eq!(all, b"goodbye", "{name}");
                })
                .await;
        });
    }
}

#[test]
fn other_names_and_other_authorities_are_refused() {
    for profile in usable() {
        let name = label(&profile);
        virtually(async || {
            let world = World::new(options(profile));
            world.serve(echo);
            world
                .attach(async |bench| {
                    provision(bench).await;
                    let other = ServerName::new("other.sectag.test").unwrap();
                    let refused = bench.control.connect(other, PORT, &TLS).await.err();
                    assert!(
                        matches!(refused, Some(ConnectError::Refused(_))),
                        "{name}: {refused:?}"
                    );
                    let stranger = Pki::builder().build();
                    let ca = stranger.ca_pem();
                    bench
                        .control
                        .store(TAG, Kind::Ca, ca.as_bytes())
                        .await
                        .unwrap();
                    let refused = connect(bench).await.err();
                    assert!(
                        matches!(refused, Some(ConnectError::Refused(_))),
                        "{name}: {refused:?}"
                    );
                    let none = TlsConfig::new(Tag(5)).suites(Suites::All);
                    let missing = bench.control.connect(HOST, PORT, &none).await.err();
                    assert_eq!(
                        missing,
                        Some(ConnectError::CredentialMissing(Kind::Ca)),
                        "{name}"
                    );
                    // What was refused is being closed.
                    Timer::after_secs(1).await;
                })
                .await;
            assert!(world.modem.open_sockets().is_empty(), "{name}");
        });
    }
}

#[test]
fn verification_is_written_on_every_open() {
    virtually(async || {
        let world = World::new(options(Nrf9160Profile::V2_1));
        world.serve(echo);
        world
            .attach(async |bench| {
                provision(bench).await;
                for _ in 0..2 {
                    world.modem.take_commands();
                    connect(bench).await.unwrap().close().await.unwrap();
                    let commands = world.commands();
                    let position =
                        |wanted: &str| commands.iter().position(|line| line.starts_with(wanted));
                    let socket = position("AT#XSSOCKET=1,1,0,321,2").unwrap();
                    let option = position("AT#XSSOCKETOPT=1,2,\"broker.sectag.test\"").unwrap();
                    let connect = position("AT#XCONNECT=\"broker.sectag.test\",8883").unwrap();
                    assert!(socket < option && option < connect, "{commands:?}");
                    // Once more, for one bit less of it on the line.
                    let again = position("AT#XSSOCKETOPT=1,5,2").unwrap();
                    assert!(socket < again && again < connect, "{commands:?}");
                }
            })
            .await;
    });
}

#[test]
fn credentials_are_changed_off_the_network_only() {
    virtually(async || {
        let world = World::new(options(Nrf9160Profile::V3_1));
        world.serve(echo);
        world
            .attach(async |bench| {
                provision(bench).await;
                let pki = Pki::shared();
                let mut socket = connect(bench).await.unwrap();
                let ca = pki.ca_pem();
                let refused = bench.control.store(Tag(9), Kind::Ca, ca.as_bytes()).await;
                assert_eq!(refused, Err(CredentialError::SocketsOpen));
                assert_eq!(round_trip(&mut socket, b"alive").await, b"alive");
                socket.close().await.unwrap();
                // Proved by digest, without leaving the network.
                world.modem.take_commands();
                let there = bench
                    .control
                    .ensure(TAG, Kind::Ca, ca.as_bytes())
                    .await
                    .unwrap();
                assert_eq!(there, Ensured::AlreadyThere(Proof::Digest));
                assert!(
                    !world
                        .commands()
                        .iter()
                        .any(|line| line.starts_with("AT+CFUN="))
                );
                let dos = ca.replace('\n', "\r\n");
                // CR LF is stored as LF, by the backend where nothing before it looks at the text, and so it is equal.
                let unchecked = bench
                    .control
                    .store_unchecked(Tag(8), Kind::Ca, dos.as_bytes());
                unchecked.await.unwrap();
                assert_eq!(world.modem.files()["modem/8/0"], ca.as_bytes());
                bench.control.remove(Tag(8), Kind::Ca).await.unwrap();
                let there = bench
                    .control
                    .ensure(TAG, Kind::Ca, dos.as_bytes())
                    .await
                    .unwrap();
                assert_eq!(there, Ensured::AlreadyThere(Proof::Digest));
                bench
                    .control
                    .store(Tag(8), Kind::Ca, dos.as_bytes())
                    .await
                    .unwrap();
                assert_eq!(world.modem.files()["modem/8/0"], ca.as_bytes());
                bench.control.remove(Tag(8), Kind::Ca).await.unwrap();
                assert!(!world.modem.files().contains_key("modem/8/0"));
                // It is back on the network.
                connect(bench).await.unwrap();
            })
            .await;
    });
}

/// The user's story, first part.
#[test]
fn mapped_numbers_are_shown_and_the_defective_socket_is_never_opened() {
    for name in ["2.0-native", "2.1-native", "2.5-native"] {
        virtually(async || {
            let world = World::new(Nrf9160Options {
                heap_trap: HeapTrap::Always,
                ..options(Nrf9160Profile::named(name).unwrap())
            });
            world.serve(echo);
            world
                .attach(async |bench| {
                    provision(bench).await;
                    let mut found = Vec::new();
                    bench
                        .control
                        .list(&mut |stored| {
                            assert!(stored.digest.is_some());
                            found.push((stored.tag, stored.kind, stored.place));
                        })
                        .await
                        .unwrap();
                    assert_eq!(
                        found,
                        [
                            (TAG, Kind::Ca, Some(3210)),
                            (TAG, Kind::ClientCertificate, Some(3211)),
                            (TAG, Kind::PrivateKey, Some(3212)),
                        ]
                    );
                    let files = world.modem.files();
                    assert_eq!(files["modem/3210/0"], Pki::shared().ca_pem().as_bytes());
                    assert!(
                        files.contains_key("modem/3211/0") && files.contains_key("modem/3212/0")
                    );
                    let refused = connect(bench).await.err();
                    assert!(
                        matches!(refused, Some(ConnectError::Firmware { .. })),
                        "{name}: {refused:?}"
                    );
                    let ca = Pki::shared().ca_pem();
                    let large = bench
                        .control
                        .store(Tag(214_748_365), Kind::Ca, ca.as_bytes());
                    assert!(matches!(large.await, Err(CredentialError::InvalidInput(_))));
                })
                .await;
            assert!(
                !world
                    .commands()
                    .iter()
                    .any(|line| line.starts_with("AT#XSSOCKET="))
            );
        });
    }
}

#[test]
fn declared_patched_build_connects() {
    virtually(async || {
        let world = World::new(Nrf9160Options {
            patched_native: true,
            ..options(Nrf9160Profile::named("2.1-native").unwrap())
        });
        world.serve(echo);
        world
            .attach_with(CONFIG.patched_native(), async |bench| {
                provision(bench).await;
                let mut socket = connect(bench).await.unwrap();
                assert_eq!(round_trip(&mut socket, &awkward()).await, awkward());
            })
            .await;
    });
}

/// The user's story, second part: 5 KiB in one record.
#[test]
fn records_above_the_limit_end_the_connection_and_never_the_order() {
    let cases = [
        ("3.1-native", Ok(())),
        ("2.1", Err(Some(SocketError::RecordTooLarge))),
        ("2.5", Err(Some(SocketError::RecordTooLarge))),
        // These tell no number.
        ("2.6-native", Err(Some(SocketError::RecordTooLarge))),
        ("2.7-native", Err(Some(SocketError::RecordTooLarge))),
        ("3.1", Err(Some(SocketError::RecordTooLarge))),
        ("sm", Err(Some(SocketError::RecordTooLarge))),
        // Where it looks like a reset, both are told.
        ("2.7-native hangs up", Err(None)),
        ("sm hangs up", Err(None)),
    ];
    for (name, expected) in cases {
        virtually(async || {
            let dialect = name.trim_end_matches(" hangs up");
            let world = World::new(Nrf9160Options {
                tls_failure_hangs_up: name != dialect,
                ..options(Nrf9160Profile::named(dialect).unwrap())
            });
            world.serve(async |mut stream: TlsStream<DuplexStream>| {
                stream.write_all(&[7; 5120]).await?;
                stream.flush().await?;
                let mut rest = Vec::new();
                stream.read_to_end(&mut rest).await
            });
            world
                .attach(async |bench| {
                    provision(bench).await;
                    let mut socket = connect(bench).await.unwrap();
                    let mut record = vec![0; 5120];
                    let read = socket.read_exact(&mut record).await;
                    match (expected, read) {
                        (Ok(()), Ok(())) => assert_eq!(record, [7; 5120]),
                        (Err(error), Err(embedded_io_async::ReadExactError::Other(seen))) => {
                            assert_eq!(
                                seen,
                                error.unwrap_or(SocketError::ConnectionReset),
                                "{name}"
                            );
                            let loss = error.is_none().then_some(Loss::ResetOrRecord);
                            assert_eq!(socket.loss(), loss, "{name}");
                        }
                        (_, seen) => panic!("{name}: {seen:?}"),
                    }
                })
                .await;
        });
    }
}

#[test]
fn a_reset_ends_the_sockets_and_the_next_connect_works() {
    for profile in usable() {
        let name = label(&profile);
        virtually(async || {
            let world = World::new(Nrf9160Options {
                ready_junk: vec![0xc0],
                ..options(profile)
            });
            world.serve(echo);
            world
                .attach(async |bench| {
                    provision(bench).await;
                    for crash in [false, true] {
                        let mut socket = connect(bench)
                            .await
                            .unwrap_or_else(|error| panic!("{name}: {error}"));
                        let began = Instant::now();
                        if crash {
                            world.modem.crash();
                        } else {
                            world.modem.reset();
                        }
                        let lost =
                            with_timeout(Duration::from_secs(10), socket.read(&mut [0; 8])).await;
                        assert_eq!(lost, Ok(Err(SocketError::ConnectionReset)), "{name}");
                        assert!(began.elapsed() < Duration::from_secs(3), "{name}");
                    }
                    let mut socket = connect(bench).await.unwrap();
                    assert_eq!(round_trip(&mut socket, b"again").await, b"again", "{name}");
                })
                .await;
        });
    }
}

/// Wherever the MCU's last life ended: in line mode with sockets, in data mode, in the middle of a
/// certificate.
#[test]
fn an_mcu_reset_alone_is_survived() {
    for profile in usable() {
        let name = label(&profile);
        virtually(async || {
            let world = World::new(options(profile));
            world.serve(echo);
            world
                .attach(async |bench| {
                    provision(bench).await;
                    let socket = connect(bench).await.unwrap();
                    // A firmware's reset drops nothing.
                    std::mem::forget(socket);
                })
                .await;
            let stored = world.modem.files();
            let end: &[u8] = if profile.serial_modem { b"\r" } else { b"\r\n" };
            let certificate = [
                &b"AT+CFUN=4"[..],
                end,
                b"AT%CMNG=0,77,0,\"-----BEGIN CERT\nabc",
            ]
            .concat();
            let native = [&b"AT#XCMNG=0,77,0,\"-----BEGIN CERT\nabc"[..]].concat();
            let data: &[u8] = if profile.serial_modem {
                b"AT#XSEND=0,2,0,500"
            } else {
                b"AT#XSEND"
            };
            let data = [data, end].concat();
            for left in [&b""[..], b"AT#XSSO", &data, &certificate, &native] {
                let (mut host, device) = tokio::io::duplex(4096);
                let leave = async {
                    host.write_all(left).await.unwrap();
                    Timer::after_millis(200).await;
                    drop(host);
                };
                let _ = join(world.modem.serve(device), leave).await;
                world
                    .attach(async |bench| {
                        let mut socket = connect(bench)
                            .await
                            .unwrap_or_else(|error| panic!("{name}: {left:?}: {error}"));
                        assert_eq!(round_trip(&mut socket, b"again").await, b"again", "{name}");
                        assert_eq!(world.modem.open_sockets().len(), 1, "{name}");
                        std::mem::forget(socket);
                    })
                    .await;
                assert!(
                    world.modem.files() == stored,
                    "{name}: {left:?} changed the credentials"
                );
            }
        });
    }
}

/// Noise in front of the first line of a modem that has just started: an odd quote.
#[test]
fn quote_out_of_nowhere_is_survived() {
    for profile in usable() {
        let name = label(&profile);
        for noise in [&b"\""[..], b"\x00\"\xff", b"AT\"", b"\"\"\""] {
            virtually(async || {
                let world = World::new(options(profile));
                world.serve(echo);
                let (mut host, device) = tokio::io::duplex(4096);
                let leave = async {
                    host.write_all(noise).await.unwrap();
                    Timer::after_millis(200).await;
                    drop(host);
                };
                let _ = join(world.modem.serve(device), leave).await;
                world
                    .attach(async |bench| {
                        let up = with_timeout(Duration::from_secs(60), bench.control.wait_up());
                        let up = up.await.unwrap_or_else(|_| panic!("{name} {noise:?}"));
                        assert_eq!(up, Ok(()), "{name} {noise:?}");
                    })
                    .await;
            });
        }
    }
}

#[test]
fn a_dropped_upload_stores_nothing() {
    for profile in usable() {
        let name = label(&profile);
        virtually(async || {
            let world = World::new(Nrf9160Options {
                baud: Some(115_200),
                ..options(profile)
            });
            world.serve(echo);
            world
                .attach(async |bench| {
                    provision(bench).await;
                    let before = world.modem.files();
                    let pem = Pki::shared().ca_pem();
                    for ms in [5, 20, 50, 80] {
                        let store = bench.control.store(Tag(66), Kind::Ca, pem.as_bytes());
                        let began = Instant::now();
                        assert!(
                            with_timeout(Duration::from_millis(ms), store)
                                .await
                                .is_err(),
                            "{name}"
                        );
                        bench
                            .control
                            .raw_at("AT", Duration::from_secs(60), &mut |_| {})
                            .await
                            .ok();
                        assert!(began.elapsed() < Duration::from_secs(60), "{name}");
                        let now = world.modem.files();
                        let whole = now.iter().all(|(file, content)| {
                            before.get(file) == Some(content) || content == pem.as_bytes()
                        });
                        assert!(whole, "{name}: {:?}", now.keys());
                    }
                    let mut socket = connect(bench)
                        .await
                        .unwrap_or_else(|error| panic!("{name}: {error}"));
                    assert_eq!(round_trip(&mut socket, b"fine").await, b"fine", "{name}");
                })
                .await;
        });
    }
}

#[test]
fn any_terminator_is_found() {
    for terminator in [Terminator::Cr, Terminator::CrLf, Terminator::Lf] {
        for profile in [
            Nrf9160Profile::V2_1,
            Nrf9160Profile::V2_5,
            Nrf9160Profile::SERIAL_MODEM,
        ] {
            let name = label(&profile);
            virtually(async || {
                let world = World::new(Nrf9160Options {
                    terminator: Some(terminator),
                    ..options(profile)
                });
                world.serve(echo);
                world
                    .attach(async |bench| {
                        provision(bench).await;
                        let mut socket = connect(bench)
                            .await
                            .unwrap_or_else(|error| panic!("{name} {terminator:?}: {error}"));
                        let payload = awkward();
                        assert!(
                            round_trip(&mut socket, &payload).await == payload,
                            "{name} {terminator:?}"
                        );
                    })
                    .await;
            });
        }
    }
}

/// A modem that is deaf for a while is not taken for one that ends lines with CR LF, which it answers as well:
/// the LF would be payload.
#[test]
fn a_late_answer_does_not_mislead_about_the_terminator() {
    // Among them the moments at which each of the terminators is the first that is answered.
    for deaf in (0..8000).step_by(200) {
        virtually(async || {
            let world = World::new(options(Nrf9160Profile::SERIAL_MODEM));
            world.serve(echo);
            let start = Instant::now();
            world.modem.set_script(Box::new(move |_| {
                if start.elapsed() < Duration::from_millis(deaf) {
                    Reaction::Silent
                } else {
                    Reaction::Normal
                }
            }));
            world
                .attach(async |bench| {
                    provision(bench).await;
                    let mut socket = connect(bench).await.unwrap();
                    // In data mode, which an LF too many would begin; what has `+++` in it goes as hex digits.
                    let all: Vec<u8> = (0..=255).collect();
                    for payload in [all, awkward()] {
                        assert!(round_trip(&mut socket, &payload).await == payload, "{deaf}");
                    }
                })
                .await;
        });
    }
}

/// Either way of what the sheet leaves open.
#[test]
fn unconfirmed_traits_do_not_matter() {
    let variants: [fn(&mut Nrf9160Options); 9] = [
        |options| options.early_in = true,
        |options| options.record_at_a_time = false,
        |options| options.overwrites = false,
        |options| options.zero_digests = true,
        |options| options.no_sni = true,
        |options| options.data_notices = true,
        |options| options.late_data_mode = Duration::from_millis(50),
        |options| options.comma_in_string = true,
        |options| options.checks_dates = true,
    ];
    for (index, change) in variants.into_iter().enumerate() {
        for profile in [
            Nrf9160Profile::V2_0,
            Nrf9160Profile::V3_1,
            Nrf9160Profile::SERIAL_MODEM,
        ] {
            let name = format!("{} variant {index}", label(&profile));
            let mut options = options(profile);
            change(&mut options);
            // Only 2.0 is said to be late.
            if options.late_data_mode.as_ticks() > 0 && profile.name != "2.0" {
                continue;
            }
            virtually(async || {
                let world = World::new(options);
                world.serve(echo);
                world
                    .attach(async |bench| {
                        provision(bench).await;
                        provision(bench).await;
                        let mut socket = connect(bench)
                            .await
                            .unwrap_or_else(|error| panic!("{name}: {error}"));
                        let payload = awkward();
                        assert!(round_trip(&mut socket, &payload).await == payload, "{name}");
                    })
                    .await;
            });
        }
    }
}

#[test]
fn nothing_is_opened_without_a_clock() {
    virtually(async || {
        let world = World::new(Nrf9160Options {
            network_time: None,
            ..options(Nrf9160Profile::V2_5)
        });
        world.serve(echo);
        world
            .attach(async |bench| {
                provision(bench).await;
                let refused = connect(bench).await.err();
                assert!(
                    matches!(refused, Some(ConnectError::ClockNotSet { .. })),
                    "{refused:?}"
                );
            })
            .await;
        assert!(
            !world
                .commands()
                .iter()
                .any(|line| line.starts_with("AT#XSSOCKET="))
        );
    });
}
