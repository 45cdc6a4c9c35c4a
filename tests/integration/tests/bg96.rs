//! The BG96 backend against the simulated modem with real TLS, in virtual time.

use std::cell::RefCell;
use std::rc::Rc;

use embassy_time::{Duration, Instant, Timer};
use embedded_hal::digital::{ErrorType, InputPin, OutputPin};
use embedded_io_async::{Read, Write};
use sectag::clock::DateTime;
use sectag::{
    BringUpError, Check, Code, ConnectError, CredentialError, Kind, NoPins, Pins, Refusal,
    ServerName, SocketError, Support, Tag, TlsConfig,
};
use sectag_bg96::Config;
use sectag_integration_tests::Bench;
use sectag_integration_tests::simulated::{HOST, PORT, TLS, World, provision, virtually};
use sectag_simulator::{Boot, Chunk, OpenResultTiming, Options, Profile, Sim};
use sectag_test_support::pki::{Pki, Validity};
use sectag_test_support::tls_server::echo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn world(options: Options) -> World {
    let world = World::new(options);
    world.serve(echo);
    world
}

fn slow(chunk: Chunk) -> Options {
    Options {
        turnaround: Duration::from_millis(20),
        baud: Some(115_200),
        chunk,
        ..Options::default()
    }
}

async fn connect(bench: Bench) -> Result<sectag::Socket<'static>, ConnectError> {
    bench.control.connect(HOST, PORT, &TLS).await
}

/// Writes all of `bytes` and reads as many back, at the same time.
async fn round_trip(socket: &mut sectag::Socket<'_>, bytes: &[u8]) -> Vec<u8> {
    let (mut reader, mut writer) = socket.split();
    let mut back = vec![0; bytes.len()];
    let write = async {
        writer.write_all(bytes).await.unwrap();
        writer.flush().await.unwrap();
    };
    let (read, ()) = embassy_futures::join::join(reader.read_exact(&mut back), write).await;
    read.unwrap();
    back
}

/// Bytes of all values, with what looks like answers and notices in between.
fn awkward(len: usize, seed: usize) -> Vec<u8> {
    const TRAPS: [&[u8]; 6] = [
        b"\r\nOK\r\n",
        b"\r\n> ",
        b"+QSSLURC: \"closed\",0\r\n",
        b"\r\nRDY\r\n",
        b"+++",
        b"\x1a\x1b\r\nSEND OK\r\n",
    ];
    let mut bytes = Vec::with_capacity(len + 32);
    let mut step = seed;
    while bytes.len() < len {
        bytes.push((step * 37 % 256) as u8);
        if step.is_multiple_of(41) {
            bytes.extend(TRAPS[step / 41 % TRAPS.len()]);
        }
        step += 1;
    }
    bytes.truncate(len);
    bytes
}

#[test]
fn open_writes_exactly_these_lines() {
    virtually(async || {
        let world = world(Options::default());
        world
            .attach(async |bench| {
                provision(bench).await;
                world.modem.take_commands();
                let socket = connect(bench).await.unwrap();
                let verified = socket.verified();
                assert_eq!(
                    (verified.chain, verified.dates, verified.sni),
                    (Support::Yes, Support::Yes, Support::Yes)
                );
                assert_eq!(verified.name, Support::Unknown);
                assert_eq!(verified.suites, Support::Yes);
            })
            .await;
        assert_eq!(
            world.commands(),
            [
                // Bring-up has seen the clock.
                "AT+QFLST=\"*\"",
                "AT+QSSLCFG=\"sslversion\",0,3",
                "AT+QSSLCFG=\"ciphersuite\",0,0XC02F",
                "AT+QSSLCFG=\"cacert\",0,\"st7.ca\"",
                "AT+QSSLCFG=\"clientcert\",0,\"st7.crt\"",
                "AT+QSSLCFG=\"clientkey\",0,\"st7.key\"",
                "AT+QSSLCFG=\"seclevel\",0,2",
                "AT+QSSLCFG=\"ignorelocaltime\",0,0",
                "AT+QSSLCFG=\"negotiatetime\",0,60",
                "AT+QSSLCFG=\"sni\",0,1",
                "AT+QSSLCFG=\"sslversion\",0;+QSSLCFG=\"ciphersuite\",0;+QSSLCFG=\"cacert\",0\
                 ;+QSSLCFG=\"clientcert\",0;+QSSLCFG=\"clientkey\",0;+QSSLCFG=\"seclevel\",0\
                 ;+QSSLCFG=\"ignorelocaltime\",0;+QSSLCFG=\"sni\",0",
                "AT+QSSLOPEN=1,0,0,\"broker.sectag.test\",8883,0",
                "AT+QSSLSTATE=0",
            ]
        );
    });
}

#[test]
fn second_open_writes_all_of_it_again() {
    virtually(async || {
        let world = world(Options::default());
        world
            .attach(async |bench| {
                provision(bench).await;
                world.modem.take_commands();
                connect(bench).await.unwrap().close().await.unwrap();
                let first = world.modem.take_commands();
                connect(bench).await.unwrap();
                let second = world.modem.take_commands();
                let lines = |commands: &[Vec<u8>]| {
                    commands
                        .iter()
                        .filter(|line| line.starts_with(b"AT+QSSLCFG"))
                        // A limit, no matter of verification.
                        .filter(|line| !line.starts_with(b"AT+QSSLCFG=\"negotiatetime\""))
                        .cloned()
                        .collect::<Vec<_>>()
                };
                assert_eq!(lines(&first), lines(&second));
                // Eight that are written, and the query.
                assert_eq!(lines(&second).len(), 9);
            })
            .await;
    });
}

#[test]
fn nothing_is_opened_without_a_clock() {
    virtually(async || {
        let world = world(Options {
            network_time: None,
            ..Options::default()
        });
        world
            .attach(async |bench| {
                provision(bench).await;
                let refused = connect(bench).await.err();
                assert!(
                    matches!(refused, Some(ConnectError::ClockNotSet { .. })),
                    "{refused:?}"
                );
                assert_eq!(world.count("AT+QSSLOPEN") + world.count("AT+QSSLCFG=\""), 0);
                // As the error says.
                bench
                    .control
                    .set_clock(DateTime::new(2026, 11, 20, 12, 0, 0).unwrap())
                    .await
                    .unwrap();
                connect(bench).await.unwrap();
            })
            .await;
    });
}

#[test]
fn nothing_is_opened_without_its_credentials() {
    virtually(async || {
        let world = world(Options::default());
        world
            .attach(async |bench| {
                let missing = |kind| Some(ConnectError::CredentialMissing(kind));
                assert_eq!(connect(bench).await.err(), missing(Kind::Ca));
                provision(bench).await;
                bench
                    .control
                    .remove(TLS.tag(), Kind::PrivateKey)
                    .await
                    .unwrap();
                assert_eq!(connect(bench).await.err(), missing(Kind::PrivateKey));
                assert_eq!(world.count("AT+QSSLOPEN") + world.count("AT+QSSLCFG=\""), 0);
            })
            .await;
    });
}

#[test]
fn unverifiable_name_is_refused_before_anything_is_sent() {
    virtually(async || {
        let world = world(Options::default());
        world
            .attach(async |bench| {
                provision(bench).await;
                world.modem.take_commands();
                let public = TlsConfig::new(TLS.tag()).client_certificate();
                let refused = bench.control.connect(HOST, PORT, &public).await.err();
                assert_eq!(refused, Some(ConnectError::Unverifiable(Check::Name)));
                assert!(world.commands().is_empty());
                let accepted = public.dangerous().accept_missing(Check::Name);
                bench.control.connect(HOST, PORT, &accepted).await.unwrap();
            })
            .await;
    });
}

#[test]
fn firmware_without_sni_says_so_and_connects_unless_it_is_required() {
    virtually(async || {
        let world = world(Options {
            profile: Profile::BG96_V1,
            ..Options::default()
        });
        world
            .attach(async |bench| {
                provision(bench).await;
                let socket = connect(bench).await.unwrap();
                assert_eq!(socket.verified().sni, Support::No);
                socket.close().await.unwrap();
                let strict = TLS.require(Check::Sni);
                let refused = bench.control.connect(HOST, PORT, &strict).await.err();
                assert_eq!(refused, Some(ConnectError::Unverifiable(Check::Sni)));
            })
            .await;
    });
}

#[test]
fn payload_of_any_size_and_value_goes_both_ways() {
    for (options, sizes) in [
        (
            Options::default(),
            &[1, 2, 63, 1023, 1024, 1025, 1460, 1461, 4096, 20_000][..],
        ),
        (slow(Chunk::Bytes(1)), &[1, 700, 5000]),
        (slow(Chunk::Random { max: 40 }), &[3000, 20_000]),
        (
            Options {
                urc_inside_responses: true,
                ..Options::default()
            },
            &[20_000],
        ),
        (
            Options {
                profile: Profile {
                    record_at_a_time: false,
                    ..Profile::BG96_LATER
                },
                ..Options::default()
            },
            &[20_000],
        ),
    ] {
        virtually(async || {
            let world = world(options);
            world
                .attach(async |bench| {
                    provision(bench).await;
                    let mut socket = connect(bench).await.unwrap();
                    // Nothing is nothing.
                    assert_eq!(socket.write(&[]).await, Ok(0));
                    socket.flush().await.unwrap();
                    for &size in sizes {
                        let bytes = awkward(size, size);
                        assert!(
                            round_trip(&mut socket, &bytes).await == bytes,
                            "{size} bytes"
                        );
                    }
                    socket.close().await.unwrap();
                })
                .await;
        });
    }
}

#[test]
fn two_sockets_never_mix_and_one_that_is_not_read_does_not_stop_the_other() {
    virtually(async || {
        let world = world(slow(Chunk::Random { max: 64 }));
        world
            .attach(async |bench| {
                provision(bench).await;
                let mut idle = connect(bench).await.unwrap();
                let mut busy = connect(bench).await.unwrap();
                // More comes back than its ring holds, and nobody reads it.
                let unread = awkward(3000, 9);
                idle.write_all(&unread).await.unwrap();
                idle.flush().await.unwrap();
                for seed in 0..3 {
                    let bytes = awkward(4000, seed);
                    assert!(round_trip(&mut busy, &bytes).await == bytes);
                }
                let mut late = vec![0; unread.len()];
                idle.read_exact(&mut late).await.unwrap();
                assert!(late == unread);
            })
            .await;
    });
}

#[test]
fn peer_that_closes_is_end_of_file_behind_all_it_sent() {
    virtually(async || {
        let world = World::new(slow(Chunk::Whole));
        let sent = awkward(5000, 3);
        let content = sent.clone();
        world.serve(move |mut stream| {
            let content = content.clone();
            async move {
                stream.write_all(&content).await?;
                stream.shutdown().await
            }
        });
        world
            .attach(async |bench| {
                provision(bench).await;
                let mut socket = connect(bench).await.unwrap();
                Timer::after_secs(3).await;
                let mut all = Vec::new();
                let mut buf = [0; 200];
                loop {
                    match socket.read(&mut buf).await.unwrap() {
                        0 => break,
                        count => all.extend_from_slice(&buf[..count]),
                    }
                }
                assert!(all == sent);
                assert_eq!(socket.read(&mut buf).await, Ok(0));
                drop(socket);
                Timer::after_secs(1).await;
                assert!(world.modem.open_sockets().is_empty());
            })
            .await;
    });
}

#[test]
fn what_the_server_receives_is_what_was_written() {
    virtually(async || {
        let world = World::new(slow(Chunk::Bytes(3)));
        let received = Rc::new(RefCell::new(Vec::new()));
        let sink = received.clone();
        world.serve(move |mut stream| {
            let sink = sink.clone();
            async move {
                let mut all = Vec::new();
                stream.read_to_end(&mut all).await?;
                sink.borrow_mut().push(all);
                Ok(())
            }
        });
        let bytes = awkward(6000, 5);
        world
            .attach(async |bench| {
                provision(bench).await;
                let mut socket = connect(bench).await.unwrap();
                socket.write_all(&bytes).await.unwrap();
                socket.close().await.unwrap();
                Timer::after_secs(1).await;
            })
            .await;
        assert!(*received.borrow() == [bytes]);
    });
}

#[test]
fn untrusted_expired_and_misnamed_servers_are_refused() {
    let pki = Pki::shared();
    let stranger = Pki::new();
    for (case, identity, client_ca) in [
        (
            "another CA",
            stranger.issue_server([HOST.as_str()]),
            pki.ca_pem(),
        ),
        (
            "expired",
            pki.issue_server_valid([HOST.as_str()], Validity::expired()),
            pki.ca_pem(),
        ),
        (
            "not yet valid",
            pki.issue_server_valid([HOST.as_str()], Validity::not_yet()),
            pki.ca_pem(),
        ),
        (
            "another name",
            pki.issue_server(["elsewhere.test"]),
            pki.ca_pem(),
        ),
        (
            "ECDSA, which the modem has no suites for",
            pki.issue_server_ecdsa([HOST.as_str()]),
            pki.ca_pem(),
        ),
        (
            "a server that refuses the client",
            pki.issue_server([HOST.as_str()]),
            stranger.ca_pem(),
        ),
    ] {
        virtually(async || {
            let world = World::new(Options {
                profile: Profile::BG96_LATER,
                ..Options::default()
            });
            world.serve_as(&identity, &client_ca, echo);
            world
                .attach(async |bench| {
                    provision(bench).await;
                    let refused = connect(bench).await.err();
                    assert!(
                        matches!(
                            refused,
                            Some(ConnectError::Refused(Refusal {
                                code: Code::Vendor(566, _),
                                ..
                            }))
                        ),
                        "{case}: {refused:?}"
                    );
                    Timer::after_secs(1).await;
                    assert!(world.modem.open_sockets().is_empty(), "{case}");
                })
                .await;
        });
    }
}

#[test]
fn unknown_name_and_closed_port_are_told_apart() {
    virtually(async || {
        let world = world(Options::default());
        world
            .attach(async |bench| {
                provision(bench).await;
                let unknown = ServerName::new("nowhere.test").unwrap();
                let refused = bench.control.connect(unknown, PORT, &TLS).await.err();
                assert!(
                    matches!(
                        refused,
                        Some(ConnectError::Refused(Refusal {
                            code: Code::Vendor(565, _),
                            ..
                        }))
                    ),
                    "{refused:?}"
                );
                let refused = bench.control.connect(HOST, 1, &TLS).await.err();
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

#[test]
fn credentials_are_stored_listed_replaced_and_removed() {
    virtually(async || {
        let world = world(slow(Chunk::Bytes(1)));
        world.modem.put_file("rootCA.pem", b"somebody else's");
        world
            .attach(async |bench| {
                provision(bench).await;
                let pki = Pki::shared();
                assert_eq!(world.modem.files()["st7.ca"], pki.ca_pem().as_bytes());
                assert_eq!(
                    world.modem.files()["st7.key"],
                    pki.client().key_pem.as_bytes()
                );
                let mut found = Vec::new();
                bench
                    .control
                    .list(&mut |entry| found.push((entry.tag, entry.kind, entry.len)))
                    .await
                    .unwrap();
                found.sort_by_key(|(_, kind, _)| *kind as u8);
                assert_eq!(
                    found,
                    [
                        (Tag(7), Kind::Ca, Some(pki.ca_pem().len())),
                        (
                            Tag(7),
                            Kind::ClientCertificate,
                            Some(pki.client().cert_pem.len())
                        ),
                        (Tag(7), Kind::PrivateKey, Some(pki.client().key_pem.len())),
                    ]
                );
                bench
                    .control
                    .store_unchecked(Tag(7), Kind::Ca, &b"another"[..])
                    .await
                    .unwrap();
                assert_eq!(world.modem.files()["st7.ca"], b"another");
                for kind in [
                    Kind::Ca,
                    Kind::ClientCertificate,
                    Kind::PrivateKey,
                    Kind::Ca,
                ] {
                    bench.control.remove(Tag(7), kind).await.unwrap();
                }
                assert_eq!(
                    world.modem.files().keys().collect::<Vec<_>>(),
                    ["rootCA.pem"]
                );
            })
            .await;
    });
}

#[test]
fn full_file_system_is_reported_with_its_figures() {
    virtually(async || {
        let world = world(Options {
            flash: 4096,
            ..Options::default()
        });
        world
            .attach(async |bench| {
                let stored = bench
                    .control
                    .store_unchecked(Tag(7), Kind::Ca, &[b'x'; 9000][..])
                    .await;
                assert!(
                    matches!(
                        stored,
                        Err(CredentialError::NoSpace {
                            needed: 9000,
                            free: 4096
                        })
                    ),
                    "{stored:?}"
                );
                assert!(world.modem.files().is_empty());
            })
            .await;
    });
}

#[test]
fn open_result_may_come_with_ok_or_late() {
    for timing in [
        OpenResultTiming::WithOk,
        OpenResultTiming::Delayed(Duration::from_secs(100)),
    ] {
        for chunk in [Chunk::Whole, Chunk::Bytes(1)] {
            virtually(async || {
                let world = world(Options {
                    open_result_timing: timing,
                    chunk,
                    ..Options::default()
                });
                world
                    .attach(async |bench| {
                        provision(bench).await;
                        connect(bench).await.unwrap();
                    })
                    .await;
            });
        }
    }
}

#[test]
fn reset_of_the_mcu_alone_finds_stale_sockets_and_closes_them() {
    virtually(async || {
        let world = world(Options::default());
        world
            .attach(async |bench| {
                provision(bench).await;
                let first = connect(bench).await.unwrap();
                let second = connect(bench).await.unwrap();
                // The MCU is gone before anything is closed.
                core::mem::forget((first, second));
            })
            .await;
        assert_eq!(world.modem.open_sockets().len(), 2);
        world
            .attach(async |bench| {
                bench.control.wait_up().await.unwrap();
                assert!(world.modem.open_sockets().is_empty());
                let mut socket = connect(bench).await.unwrap();
                assert!(round_trip(&mut socket, b"again").await == b"again");
            })
            .await;
    });
}

#[test]
fn reset_of_the_mcu_between_prompt_and_payload_is_survived() {
    virtually(async || {
        let world = world(Options::default());
        world
            .attach(async |bench| {
                provision(bench).await;
                core::mem::forget(connect(bench).await.unwrap());
            })
            .await;
        // What the dead MCU had sent.
        let (mut host, device) = tokio::io::duplex(4096);
        let half = async {
            host.write_all(b"AT+QSSLSEND=0,1000\r").await.unwrap();
            Timer::after_millis(100).await;
            host.write_all(b"half").await.unwrap();
            Timer::after_millis(100).await;
            drop(host);
        };
        let (served, ()) = embassy_futures::join::join(world.modem.serve(device), half).await;
        served.unwrap();
        world
            .attach(async |bench| {
                let mut socket = connect(bench).await.unwrap();
                assert!(round_trip(&mut socket, b"again").await == b"again");
            })
            .await;
    });
}

#[test]
fn reset_of_the_modem_is_noticed_within_two_seconds_of_its_banner() {
    virtually(async || {
        let world = world(slow(Chunk::Whole));
        world
            .attach(async |bench| {
                provision(bench).await;
                let mut socket = connect(bench).await.unwrap();
                let start = Instant::now();
                world.modem.reset();
                let mut buf = [0; 8];
                assert_eq!(
                    socket.read(&mut buf).await,
                    Err(SocketError::ConnectionReset)
                );
                // 5.9 s to the banner; without POWERED DOWN in front of it.
                assert!(
                    start.elapsed() < Duration::from_millis(7900),
                    "{:?}",
                    start.elapsed()
                );
                drop(socket);
                let mut socket = connect(bench).await.unwrap();
                assert!(round_trip(&mut socket, b"again").await == b"again");
            })
            .await;
    });
}

#[test]
fn lost_data_connection_is_made_anew() {
    virtually(async || {
        let world = world(Options::default());
        world
            .attach(async |bench| {
                provision(bench).await;
                let mut socket = connect(bench).await.unwrap();
                world.modem.drop_pdp(1);
                let mut buf = [0; 8];
                assert_eq!(
                    socket.read(&mut buf).await,
                    Err(SocketError::ConnectionReset)
                );
                drop(socket);
                let mut socket = connect(bench).await.unwrap();
                assert!(round_trip(&mut socket, b"again").await == b"again");
            })
            .await;
    });
}

/// The modem's pins, seen from the MCU through the usual transistors.
struct Pin(Box<dyn FnMut(bool)>);
impl ErrorType for Pin {
    type Error = core::convert::Infallible;
}
impl OutputPin for Pin {
    fn set_low(&mut self) -> Result<(), Self::Error> {
        (self.0)(false);
        Ok(())
    }
    fn set_high(&mut self) -> Result<(), Self::Error> {
        (self.0)(true);
        Ok(())
    }
}
struct Status(sectag_simulator::Simulator);
impl ErrorType for Status {
    type Error = core::convert::Infallible;
}
impl InputPin for Status {
    fn is_high(&mut self) -> Result<bool, Self::Error> {
        Ok(self.0.status_pin())
    }
    fn is_low(&mut self) -> Result<bool, Self::Error> {
        Ok(!self.0.status_pin())
    }
}

#[test]
fn modem_that_is_off_is_switched_on_by_its_power_key() {
    for with_status in [true, false] {
        virtually(async || {
            let world = world(Options {
                boot: Boot::Off,
                ..Options::default()
            });
            let key = world.modem.clone();
            let reset = world.modem.clone();
            let pins = Pins::new()
                .with_power_key(Pin(Box::new(move |pressed| key.power_key(pressed))))
                .with_reset(Pin(Box::new(move |asserted| reset.reset_pin(asserted))));
            let on = async |bench: Bench| {
                provision(bench).await;
                connect(bench).await.unwrap();
            };
            if with_status {
                let pins = pins.with_status(Status(world.modem.clone()));
                world.attach_with(Config::new(), pins, on).await;
            } else {
                world.attach_with(Config::new(), pins, on).await;
            }
        });
    }
}

#[test]
fn modem_that_is_booting_is_waited_for() {
    for boot_time in [0, 1, 2, 5, 10] {
        virtually(async || {
            let world = world(Options {
                boot: Boot::Booting,
                boot_time: Duration::from_secs(boot_time),
                ..Options::default()
            });
            world
                .attach(async |bench| bench.control.wait_up().await.unwrap())
                .await;
        });
    }
}

#[test]
fn sim_troubles_are_told_apart() {
    const PIN: Config = match Config::new().pin("1234") {
        Ok(config) => config,
        Err(_) => panic!("not a PIN"),
    };
    let locked = || Options {
        sim: Sim::PinRequired("1234".into()),
        ..Options::default()
    };
    let missing = || Options {
        sim: Sim::Missing,
        ..Options::default()
    };
    let wait = async |bench: Bench| bench.control.wait_up().await;
    virtually(async || {
        assert_eq!(
            World::new(locked()).attach_with(PIN, NoPins, wait).await,
            Ok(())
        );
        assert_eq!(
            World::new(locked()).attach(wait).await,
            Err(BringUpError::SimLocked)
        );
        let outcome = World::new(missing()).attach(wait).await;
        assert_eq!(outcome, Err(BringUpError::SimMissing(Code::Cme(10))));
    });
}

#[test]
fn wrong_pin_is_tried_once() {
    const PIN: Config = match Config::new().pin("9999") {
        Ok(config) => config,
        Err(_) => panic!("not a PIN"),
    };
    virtually(async || {
        let world = World::new(Options {
            sim: Sim::PinRequired("1234".into()),
            ..Options::default()
        });
        let outcome = world.attach_with(PIN, NoPins, async |bench| {
            let first = bench.control.wait_up().await;
            Timer::after_secs(300).await;
            first
        });
        assert_eq!(outcome.await, Err(BringUpError::SimPinRefused));
        // A third try would lock the SIM.
        assert_eq!(world.count("AT+CPIN="), 1);
    });
}

#[test]
fn registration_is_waited_for_within_its_limit() {
    virtually(async || {
        let late = World::new(Options {
            registration_delay: Duration::from_secs(80),
            ..Options::default()
        });
        late.attach(async |bench| bench.control.wait_up().await.unwrap())
            .await;
        let never = World::new(Options {
            registration_delay: Duration::from_secs(100_000),
            ..Options::default()
        });
        let start = Instant::now();
        let outcome = never
            .attach(async |bench| bench.control.wait_up().await)
            .await;
        assert!(
            matches!(
                outcome,
                Err(BringUpError::NotRegistered {
                    status: 2,
                    heard: Some(false),
                    unread: None,
                })
            ),
            "{outcome:?}"
        );
        assert!(start.elapsed() < Duration::from_secs(100));
    });
}

#[test]
fn ntp_sets_the_clock_when_the_network_tells_no_time() {
    const NTP: Config = Config::new().ntp(match ServerName::new("ntp.test") {
        Ok(name) => name,
        Err(_) => panic!("not a name"),
    });
    virtually(async || {
        let world = world(Options::default());
        // No NITZ, but NTP.
        world.modem.set_script(Box::new(|line| match line {
            b"AT+QLTS=2" => {
                sectag_simulator::Reaction::Reply(b"\r\n+QLTS: \"\"\r\n\r\nOK\r\n".to_vec())
            }
            _ => sectag_simulator::Reaction::Normal,
        }));
        world
            .attach_with(NTP, NoPins, async |bench| {
                bench.control.wait_up().await.unwrap();
                assert!(bench.control.clock().await.unwrap().unwrap() > sectag::clock::MIN_DATE);
                assert_eq!(world.count("AT+QNTP=1,\"ntp.test\",123,1"), 1);
            })
            .await;
    });
}

#[test]
fn close_of_a_silent_peer_blocks_no_longer_than_three_seconds() {
    virtually(async || {
        let world = world(Options {
            silent_close: true,
            ..Options::default()
        });
        world
            .attach(async |bench| {
                provision(bench).await;
                let mut other = connect(bench).await.unwrap();
                drop(connect(bench).await.unwrap());
                Timer::after_millis(10).await;
                let start = Instant::now();
                assert!(round_trip(&mut other, b"x").await == b"x");
                assert!(
                    start.elapsed() < Duration::from_millis(3500),
                    "{:?}",
                    start.elapsed()
                );
            })
            .await;
    });
}

#[test]
fn sixty_four_bytes_are_one_exchange() {
    virtually(async || {
        let world = World::new(Options::default());
        world.serve(
            async |mut stream: sectag_test_support::tls_server::TlsStream<_>| {
                let mut all = Vec::new();
                stream.read_to_end(&mut all).await
            },
        );
        world
            .attach(async |bench| {
                provision(bench).await;
                let mut socket = connect(bench).await.unwrap();
                let before = bench.control.counters();
                for part in awkward(64, 1).chunks(7) {
                    socket.write_all(part).await.unwrap();
                }
                socket.flush().await.unwrap();
                assert_eq!(bench.control.counters().exchanges - before.exchanges, 1);
            })
            .await;
    });
}
