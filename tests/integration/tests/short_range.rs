//! The short-range backend against the simulated module with real TLS, in virtual time.

use embassy_futures::join::join;
use embassy_time::{Duration, Instant, Timer, with_timeout};
use embedded_io_async::{Read, Write};
use sectag::at::InvalidInput;
use sectag::wifi::{JoinFailure, WifiConfig};
use sectag::{
    BringUpError, CaScope, Cause, Check, Code, ConnectError, Digest, Ensured, Feature, Flush, Kind,
    Proof, ProvisionRecord, ServerName, Socket, SocketError, Suites, Support, Tag, TlsConfig,
    TlsVersion,
};
use sectag_integration_tests::nrf9160::{awkward, round_trip};
use sectag_integration_tests::short_range::{
    CONFIG, TAG, TLS, WIFI, World, connect, install, provision,
};
use sectag_integration_tests::simulated::{HOST, PORT, virtually};
use sectag_integration_tests::sources::Shrinking;
use sectag_simulator::{
    AccessPoint, Boot, Chunk, PppFarEnd, PppScript, ShortRangeMode, ShortRangeOptions,
    ShortRangeProfile,
};
use sectag_test_support::pki::Pki;
use sectag_test_support::tls_server::{echo, serve_tls, server_config};
use sectag_ublox::short_range::Config;

fn options(change: impl FnOnce(&mut ShortRangeOptions)) -> ShortRangeOptions {
    let mut options = ShortRangeOptions::default();
    change(&mut options);
    options
}

async fn carries_any_bytes(socket: &mut Socket<'_>, context: &str) {
    for payload in [
        &b"hello"[..],
        &awkward(),
        b"\xaa\x00\x02\x00\x71\x55",
        b"\r\n+STARTUP\r\n",
    ] {
        let back = round_trip(socket, payload).await;
        assert!(
            back == payload,
            "{context}: {payload:?} came back as {back:?}"
        );
    }
}

#[test]
fn from_any_mode_to_a_connection_that_carries_any_bytes() {
    let starts = [
        (
            Boot::AlreadyOn,
            ShortRangeMode::Command,
            ShortRangeMode::Command,
        ),
        (
            Boot::AlreadyOn,
            ShortRangeMode::Data,
            ShortRangeMode::Command,
        ),
        (
            Boot::AlreadyOn,
            ShortRangeMode::Frames,
            ShortRangeMode::Command,
        ),
        (
            Boot::AlreadyOn,
            ShortRangeMode::Ppp,
            ShortRangeMode::Command,
        ),
        (
            Boot::Booting,
            ShortRangeMode::Command,
            ShortRangeMode::Command,
        ),
        (
            Boot::Booting,
            ShortRangeMode::Frames,
            ShortRangeMode::Frames,
        ),
    ];
    for (boot, mode, start_mode) in starts {
        let context = format!("{boot:?} {mode:?}");
        virtually(async || {
            let world = World::new(options(|options| {
                (options.boot, options.mode, options.start_mode) = (boot, mode, start_mode);
                // It ends the link as it is asked to, and slirp knows no virtual time.
                options.ppp = PppFarEnd::Scripted(PppScript::default());
            }));
            world.serve(echo);
            world
                .attach(async |bench| {
                    provision(bench).await;
                    let mut socket = connect(bench)
                        .await
                        .unwrap_or_else(|error| panic!("{context}: {error}"));
                    let verified = socket.verified();
                    assert_eq!(
                        (verified.chain, verified.name, verified.dates, verified.sni),
                        (
                            Support::Yes,
                            Support::Unknown,
                            Support::Unknown,
                            Support::Unknown
                        )
                    );
                    assert_eq!(verified.suites, Support::No);
                    assert_eq!(verified.client_certificate, Support::Yes);
                    carries_any_bytes(&mut socket, &context).await;
                    socket.close().await.unwrap();
                    Timer::after(Duration::from_secs(1)).await;
                })
                .await;
            assert!(world.modem.open_sockets().is_empty(), "{context}");
        });
    }
}

#[test]
fn events_may_come_in_any_order_and_in_any_pieces() {
    for turn in 0..32_u32 {
        let is = |bit: u32| turn >> bit & 1 == 1;
        virtually(async || {
            let world = World::new(options(|options| {
                options.frames_first = is(0);
                options.late_answer = is(1);
                options.starts_before_ok = is(2);
                options.no_ok = is(3);
                if is(4) {
                    options.answer_cut = 1;
                    options.chunk = Chunk::Bytes(1);
                    options.data_unit = 7;
                }
            }));
            world.serve(echo);
            install(&world.modem);
            world
                .attach(async |bench| {
                    for _ in 0..2 {
                        let mut socket = connect(bench)
                            .await
                            .unwrap_or_else(|error| panic!("{turn:b}: {error}"));
                        carries_any_bytes(&mut socket, "in pieces").await;
                        socket.close().await.unwrap();
                    }
                    Timer::after(Duration::from_secs(1)).await;
                    // A missing `OK` is waited for.
                    let resyncs = u32::from(is(3));
                    assert_eq!(bench.control.counters().resyncs, resyncs, "{turn:b}");
                })
                .await;
            assert!(world.modem.open_sockets().is_empty(), "{turn:b}");
        });
    }
}

#[test]
fn more_than_a_ring_goes_both_ways() {
    virtually(async || {
        let world = World::new(options(|options| options.baud = Some(115_200)));
        world.serve(echo);
        install(&world.modem);
        world
            .attach(async |bench| {
                let mut socket = connect(bench).await.unwrap();
                let payload: Vec<u8> = (0..20_000_u32).map(|step| (step * 7 % 251) as u8).collect();
                assert_eq!(round_trip(&mut socket, &payload).await, payload);
            })
            .await;
    });
}

#[test]
fn a_connect_is_refused_unless_the_policy_says_what_may_be_missing() {
    virtually(async || {
        let world = World::new(options(|_| {}));
        world.serve(echo);
        install(&world.modem);
        world
            .attach(async |bench| {
                let connect = async |config: TlsConfig| {
                    bench.control.connect(HOST, PORT, &config).await.map(drop)
                };
                let public = TlsConfig::new(TAG).client_certificate();
                assert_eq!(
                    connect(public).await,
                    Err(ConnectError::Unverifiable(Check::Name))
                );
                let private = public.ca_scope(CaScope::Private);
                assert_eq!(connect(private).await, Ok(()));
                assert_eq!(
                    connect(public.dangerous().accept_missing(Check::Name)).await,
                    Ok(())
                );
                for check in [Check::Dates, Check::Sni, Check::Suites] {
                    let refused = Err(ConnectError::Unverifiable(check));
                    assert_eq!(connect(private.require(check)).await, refused);
                }
                assert_eq!(
                    connect(private.suites(Suites::Only(0xC02F))).await,
                    Err(ConnectError::Lacks(Feature::SuiteChoice))
                );
                assert_eq!(
                    connect(private.alpn("mqtt").unwrap()).await,
                    Err(ConnectError::Lacks(Feature::Alpn))
                );
                assert_eq!(bench.control.capabilities().flush, Flush::LeftTheMcu);
            })
            .await;
        let asked = world.commands();
        let urls = asked.iter().filter(|line| line.starts_with("AT+UDCP="));
        assert_eq!(urls.count(), 2, "nothing is sent of what is refused");
        assert!(!asked.iter().any(|line| line.contains("encr")));
    });
}

#[test]
fn without_flow_control_nothing_is_connected_or_stored() {
    virtually(async || {
        let world = World::new(options(|_| {}));
        world
            .attach_with(Config::new(WIFI), async |bench| {
                let lacks = ConnectError::Lacks(Feature::FlowControl);
                assert_eq!(connect(bench).await.err(), Some(lacks));
                let stored = bench
                    .control
                    .store(TAG, Kind::Ca, Pki::shared().ca_pem().as_bytes())
                    .await;
                assert_eq!(
                    stored.unwrap_err(),
                    sectag::CredentialError::Lacks(Feature::FlowControl)
                );
            })
            .await;
    });
}

#[test]
fn software_that_cannot_refuse_old_tls_needs_a_policy_that_allows_it() {
    virtually(async || {
        let world = World::new(options(|options| options.profile = ShortRangeProfile::NINA));
        world.serve(echo);
        install(&world.modem);
        world
            .attach(async |bench| {
                let lacks = ConnectError::Lacks(Feature::VersionFloor);
                assert_eq!(connect(bench).await.err(), Some(lacks));
                let config = TLS.min_version(TlsVersion::Tls10);
                let mut socket = bench.control.connect(HOST, PORT, &config).await.unwrap();
                carries_any_bytes(&mut socket, "nina").await;
            })
            .await;
    });
}

/// No module of these has TLS 1.3.
#[test]
fn tls_1_3_is_refused_by_name() {
    virtually(async || {
        let world = World::new(options(|_| {}));
        world
            .attach(async |bench| {
                bench.control.wait_up().await.unwrap();
                let config = TLS.min_version(TlsVersion::Tls13);
                let refused = bench.control.connect(HOST, PORT, &config).await.err();
                let lacks = ConnectError::Lacks(Feature::Version(TlsVersion::Tls13));
                assert_eq!(refused, Some(lacks));
            })
            .await;
        assert!(!world.commands().iter().any(|line| line.contains("UDCP")));
    });
}

#[test]
fn a_url_that_is_too_long_names_its_length() {
    virtually(async || {
        let world = World::new(options(|_| {}));
        world
            .attach(async |bench| {
                let long = format!("{}.example", "x".repeat(100));
                let name = ServerName::new(&long).unwrap();
                let len = format!("tcp://{long}:8883/?ca=st42ca&cert=st42cc&privKey=st42pk").len();
                assert_eq!(
                    bench.control.connect(name, PORT, &TLS).await.err(),
                    Some(ConnectError::InvalidInput(InvalidInput::TooLongTogether {
                        len,
                        limit: 128
                    }))
                );
            })
            .await;
        assert!(!world.commands().iter().any(|line| line.contains("UDCP")));
    });
}

#[test]
fn why_a_network_is_not_joined_is_told() {
    let point = AccessPoint::default;
    let wrong = WifiConfig::wpa2("workshop", "correct horse").unwrap();
    let other = WifiConfig::wpa2("Workshop", "correct horse battery").unwrap();
    let mute = AccessPoint {
        dhcp: false,
        ..point()
    };
    for (wifi, point, failure, reason) in [
        (wrong, Some(point()), JoinFailure::Refused, Some(4)),
        (other, Some(point()), JoinFailure::NotFound, None),
        (WIFI, None, JoinFailure::NotFound, None),
        (WIFI, Some(mute), JoinFailure::NoAddress, None),
    ] {
        virtually(async || {
            let world = World::new(options(|options| options.access_point = point.clone()));
            world
                .attach_with(Config::new(wifi).flow_control(), async |bench| {
                    let begun = Instant::now();
                    // What the first attempt comes to.
                    let told = bench.control.patience(Duration::MIN).wait_up().await;
                    assert_eq!(told, Err(BringUpError::NotJoined { failure, reason }));
                    assert!(begun.elapsed() < Duration::from_secs(28));
                    let status = bench.control.status().await;
                    assert_eq!(status.model.as_deref(), Some("ODIN-W2"));
                    assert!(matches!(
                        status.problem,
                        Some(BringUpError::NotJoined { .. })
                    ));
                })
                .await;
        });
    }
}

#[test]
fn the_status_tells_of_module_and_network() {
    virtually(async || {
        let world = World::new(options(|_| {}));
        let status = world
            .attach(async |bench| {
                bench.control.wait_up().await.unwrap();
                bench.control.status().await
            })
            .await;
        assert_eq!(status.manufacturer.as_deref(), Some("u-blox"));
        assert_eq!(status.firmware.as_deref(), Some("7.1.0-063"));
        assert_eq!(status.address.as_deref(), Some("172.20.10.4"));
        assert_eq!(status.signal.rssi, Some(-55));
        let wifi = status.wifi.unwrap();
        assert_eq!(wifi.ssid.as_deref(), Some("workshop"));
        assert_eq!(wifi.access_point.as_deref(), Some("FAAC838145DA"));
        assert_eq!(wifi.station.as_deref(), Some("D4CA6EFD96E0"));
        assert_eq!((wifi.channel, status.problem), (Some(1), None));
    });
}

#[test]
fn a_network_that_is_lost_resets_its_sockets_and_a_reconnect_works() {
    virtually(async || {
        let world = World::new(options(|_| {}));
        world.serve(echo);
        install(&world.modem);
        world
            .attach(async |bench| {
                let mut socket = connect(bench).await.unwrap();
                round_trip(&mut socket, b"before").await;
                world.modem.set_registered(false);
                let mut byte = [0];
                let lost = with_timeout(Duration::from_secs(5), socket.read(&mut byte)).await;
                assert_eq!(lost, Ok(Err(SocketError::ConnectionReset)));
                drop(socket);
                Timer::after(Duration::from_secs(30)).await;
                world.modem.set_registered(true);
                let mut socket = loop {
                    if let Ok(socket) = connect(bench).await {
                        break socket;
                    }
                    Timer::after(Duration::from_secs(1)).await;
                };
                carries_any_bytes(&mut socket, "after").await;
            })
            .await;
    });
}

#[test]
fn a_module_that_restarts_resets_its_sockets_and_a_reconnect_works() {
    for start_mode in [ShortRangeMode::Command, ShortRangeMode::Frames] {
        virtually(async || {
            let world = World::new(options(|options| options.start_mode = start_mode));
            world.serve(echo);
            install(&world.modem);
            world
                .attach(async |bench| {
                    let mut socket = connect(bench).await.unwrap();
                    round_trip(&mut socket, b"before").await;
                    world.modem.reset();
                    let mut byte = [0];
                    let lost = with_timeout(Duration::from_secs(5), socket.read(&mut byte)).await;
                    assert_eq!(lost, Ok(Err(SocketError::ConnectionReset)));
                    drop(socket);
                    let mut socket = connect(bench).await.unwrap();
                    carries_any_bytes(&mut socket, "after").await;
                })
                .await;
        });
    }
}

#[test]
fn an_mcu_that_restarts_finds_and_closes_what_it_had() {
    virtually(async || {
        let world = World::new(options(|_| {}));
        world.serve(echo);
        install(&world.modem);
        for _ in 0..3 {
            world
                .attach(async |bench| {
                    let mut first = connect(bench).await.unwrap();
                    let mut second = connect(bench).await.unwrap();
                    carries_any_bytes(&mut first, "first").await;
                    carries_any_bytes(&mut second, "second").await;
                    std::mem::forget((first, second));
                })
                .await;
        }
        assert!(world.modem.open_sockets().len() <= 2);
    });
}

/// An earlier life of the MCU has announced 64 bytes, of which the module still waits for `missing`.
#[test]
fn an_mcu_that_restarts_in_an_upload_completes_it() {
    for (framed, missing) in [false, true]
        .into_iter()
        .flat_map(|framed| (0..=64).map(move |missing: usize| (framed, missing)))
    {
        virtually(async || {
            let world = World::new(options(|options| {
                if framed {
                    options.mode = ShortRangeMode::Frames;
                }
            }));
            world.serve(echo);
            install(&world.modem);
            let begin = b"AT+USECMNG=0,0,\"half\",64\r";
            let bytes = [&begin[..], &vec![b'x'; 64 - missing]].concat();
            let bytes = if framed {
                let length = (bytes.len() as u16 + 2).to_be_bytes();
                [&[0xaa], &length[..], &[0, 0x44], &bytes, &[0x55]].concat()
            } else {
                bytes
            };
            let (mut host, device) = tokio::io::duplex(4096);
            let feed = async {
                tokio::io::AsyncWriteExt::write_all(&mut host, &bytes)
                    .await
                    .unwrap();
                drop(host);
            };
            let (served, ()) = join(world.modem.serve(device), feed).await;
            served.unwrap();
            world
                .attach(async |bench| {
                    let mut socket = connect(bench)
                        .await
                        .unwrap_or_else(|error| panic!("{framed} {missing}: {error}"));
                    carries_any_bytes(&mut socket, "after").await;
                })
                .await;
        });
    }
}

#[test]
fn a_failed_connect_is_one_list_of_causes() {
    virtually(async || {
        let world = World::new(options(|_| {}));
        let pki = Pki::shared();
        world
            .attach(async |bench| {
                let refused = connect(bench).await.map(drop);
                assert_eq!(refused, Err(ConnectError::CredentialMissing(Kind::Ca)));
                install(&world.modem);
                // Nobody listens; then somebody whose certificate another CA has signed.
                for _ in 0..2 {
                    let Err(ConnectError::Refused(refusal)) = connect(bench).await.map(drop) else {
                        panic!("it is refused");
                    };
                    assert_eq!(refusal.code, Code::Word(sectag::Meaning::new("+UUDPD")));
                    let causes: Vec<Cause> = refusal.causes.collect();
                    assert_eq!(
                        causes[..3],
                        [Cause::NameUnknown, Cause::Unreachable, Cause::CaMismatch]
                    );
                    assert!(causes.contains(&Cause::ClientCertificateRefused));
                    assert!(!causes.contains(&Cause::ClientCertificateNeeded));
                    let other = Pki::new();
                    world.serve_as(&other.issue_server([HOST.as_str()]), echo);
                }
                world.serve_as(&pki.issue_server([HOST.as_str()]), echo);
                carries_any_bytes(&mut connect(bench).await.unwrap(), "then").await;
            })
            .await;
    });
}

#[test]
fn a_warm_reconnect_is_one_exchange() {
    virtually(async || {
        let world = World::new(options(|_| {}));
        world.serve(echo);
        install(&world.modem);
        world
            .attach(async |bench| {
                let socket = connect(bench).await.unwrap();
                socket.close().await.unwrap();
                world.modem.take_commands();
                connect(bench).await.unwrap();
                assert_eq!(world.commands().len(), 1);
            })
            .await;
    });
}

#[test]
fn an_md5_proves_that_nothing_need_be_uploaded() {
    virtually(async || {
        let world = World::new(options(|_| {}));
        world
            .attach(async |bench| {
                provision(bench).await;
                let pem = Pki::shared().ca_pem();
                let ensure = async || bench.control.ensure(TAG, Kind::Ca, pem.as_bytes()).await;
                let there = Ensured::AlreadyThere(Proof::Md5);
                assert_eq!(ensure().await.unwrap(), there);
                world.modem.put_file("0/st42ca", b"something else");
                assert_eq!(ensure().await.unwrap(), Ensured::Stored);
                let mut found = Vec::new();
                let list = bench.control.list(&mut |stored| found.push(stored)).await;
                list.unwrap();
                let found: Vec<_> = found
                    .iter()
                    .map(|stored| (stored.tag, stored.kind))
                    .collect();
                assert_eq!(found, Kind::ALL.map(|kind| (TAG, kind)));
                bench.control.remove(TAG, Kind::Ca).await.unwrap();
                bench.control.remove(TAG, Kind::Ca).await.unwrap();
            })
            .await;
        assert_eq!(world.modem.files().len(), 2);
    });
}

/// An upload that is dropped is filled up, since the module waits for all bytes; the next change removes it first.
#[test]
fn an_upload_that_is_dropped_is_removed_although_another_follows_at_once() {
    for wait in [0, 20, 50, 80, 120, 200, 400] {
        virtually(async || {
            let world = World::new(options(|options| {
                options.turnaround = Duration::from_millis(20);
            }));
            world
                .attach(async |bench| {
                    let control = bench.control;
                    control.wait_up().await.unwrap();
                    let limit = Duration::from_millis(wait);
                    let first = control.store_unchecked(Tag(9), Kind::PrivateKey, &[b'x'; 600][..]);
                    let dropped = with_timeout(limit, first).await.is_err();
                    let second = control.store_unchecked(Tag(9), Kind::Ca, &b"other"[..]);
                    second.await.unwrap();
                    Timer::after(Duration::from_secs(30)).await;
                    let files: Vec<_> = world.modem.files().into_keys().collect();
                    assert_eq!(
                        files.len(),
                        if dropped { 1 } else { 2 },
                        "{wait}: {files:?}"
                    );
                })
                .await;
        });
    }
}

/// Of one credential.
#[derive(Default)]
struct Record(Option<Digest>);

impl ProvisionRecord for Record {
    async fn recall(&mut self, _: Tag, _: Kind) -> Option<Digest> {
        self.0
    }

    async fn note(&mut self, _: Tag, _: Kind, digest: Option<Digest>) -> bool {
        self.0 = digest;
        true
    }
}

/// Where the MD5 is of another form, the application's record proves that an upload is not needed, and the MD5 where it is that
/// of the DER form.
#[test]
fn another_md5_falls_back_to_the_record_of_the_application() {
    for (other_form, proof) in [(true, Proof::Record), (false, Proof::Md5)] {
        virtually(async || {
            let world = World::new(options(|options| options.other_form = other_form));
            world
                .attach(async |bench| {
                    let pem = Pki::shared().ca_pem();
                    let mut record = Record::default();
                    for expected in [Ensured::Stored, Ensured::AlreadyThere(proof)] {
                        let ensured = bench.control.ensure_recorded(
                            TAG,
                            Kind::Ca,
                            pem.as_bytes(),
                            &mut record,
                        );
                        assert_eq!(ensured.await, Ok(expected), "{other_form}");
                    }
                })
                .await;
        });
    }
}

#[test]
fn a_module_that_keeps_another_form_stores_and_proves_nothing() {
    virtually(async || {
        let world = World::new(options(|options| options.other_form = true));
        world
            .attach(async |bench| {
                provision(bench).await;
                let pem = Pki::shared().ca_pem();
                let again = bench.control.ensure(TAG, Kind::Ca, pem.as_bytes()).await;
                assert_eq!(again.unwrap(), Ensured::Stored);
            })
            .await;
    });
}

#[test]
fn two_sockets_of_which_one_is_never_read() {
    virtually(async || {
        let world = World::new(options(|options| options.baud = Some(460_800)));
        world.serve(echo);
        install(&world.modem);
        world
            .attach(async |bench| {
                let mut lazy = connect(bench).await.unwrap();
                let mut busy = connect(bench).await.unwrap();
                let mut took = Vec::new();
                for round in 0..40_u8 {
                    let written = lazy.write_all(&[round; 500]).await;
                    let flushed = lazy.flush().await;
                    let begun = Instant::now();
                    let payload = [round; 100];
                    assert_eq!(round_trip(&mut busy, &payload).await, payload);
                    took.push(begun.elapsed());
                    if written.is_err() || flushed.is_err() {
                        break;
                    }
                }
                // In the first round the other one's data is on the line, too, and has room in its ring.
                let stall = *took.iter().max().unwrap() - took[0];
                assert!(stall <= Duration::from_millis(200), "{took:?}");
                let mut rest = [0; 4096];
                let mut total = 0;
                let end = loop {
                    match lazy.read(&mut rest).await {
                        Ok(0) => panic!("the peer does not close"),
                        Ok(count) => total += count,
                        Err(error) => break error,
                    }
                };
                assert_eq!(end, SocketError::RxOverrun);
                assert!(total <= 4096);
                carries_any_bytes(&mut busy, "the other").await;
            })
            .await;
    });
}

#[test]
fn a_connect_that_is_dropped_leaves_nothing_and_the_next_one_works() {
    for wait in [0, 1, 5, 20, 50, 100, 300] {
        virtually(async || {
            let world = World::new(options(|options| {
                options.turnaround = Duration::from_millis(20);
            }));
            world.serve(echo);
            install(&world.modem);
            world
                .attach(async |bench| {
                    bench.control.wait_up().await.unwrap();
                    let limit = Duration::from_millis(wait);
                    drop(with_timeout(limit, connect(bench)).await);
                    let mut socket = with_timeout(Duration::from_secs(90), connect(bench))
                        .await
                        .expect("in time")
                        .unwrap_or_else(|error| panic!("{wait}: {error}"));
                    carries_any_bytes(&mut socket, "next").await;
                    socket.close().await.unwrap();
                    Timer::after(Duration::from_secs(90)).await;
                })
                .await;
            assert!(world.modem.open_sockets().is_empty(), "{wait}");
        });
    }
}

#[test]
fn the_peers_end_comes_behind_its_data() {
    use tokio::io::AsyncWriteExt;
    for frames_first in [false, true] {
        virtually(async || {
            let world = World::new(options(|options| options.frames_first = frames_first));
            world.serve(|mut stream| async move {
                stream.write_all(&[7; 3000]).await?;
                stream.shutdown().await
            });
            install(&world.modem);
            world
                .attach(async |bench| {
                    let mut socket = connect(bench).await.unwrap();
                    let mut all = Vec::<u8>::new();
                    let mut part = [0; 512];
                    loop {
                        match socket.read(&mut part).await.unwrap() {
                            0 => break,
                            count => all.extend(&part[..count]),
                        }
                    }
                    assert_eq!(all, [7; 3000]);
                    drop(socket);
                    Timer::after(Duration::from_secs(1)).await;
                    connect(bench).await.unwrap();
                })
                .await;
        });
    }
}

#[test]
fn tags_of_any_length_fit_the_names() {
    virtually(async || {
        let world = World::new(options(|_| {}));
        world
            .attach(async |bench| {
                let pem = Pki::shared().ca_pem();
                let tag = Tag(u32::MAX);
                bench
                    .control
                    .store(tag, Kind::Ca, pem.as_bytes())
                    .await
                    .unwrap();
                let _ = CONFIG;
            })
            .await;
        assert!(world.modem.files().contains_key("0/st4294967295ca"));
    });
}

/// Sheet E.1, up to `+UUNU`: what the module says, byte by byte as there, with its times; and what the driver says, which
/// is the log's but for three lines. It does not read the MAC, leaves the configuration inactive at the next start (the
/// log: `AT+UWSC=0,0,1`), and sets neither tag 107 nor 301.
#[test]
fn the_log_of_a_real_module_up_to_the_network() {
    use embassy_futures::select::{Either3, select3};
    use embedded_io_adapters::tokio_1::FromTokio;
    use sectag::{NoPins, State};
    use sectag_ublox::short_range::ShortRange;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let log: [(&str, &str); 7] = [
        ("ATE0\r", "ATE0\r\r\nOK\r\n"),
        ("AT+UWSC=0,0,0\r", "\r\nOK\r\n"),
        ("AT+UWSC=0,2,\"----SSID----\"\r", "\r\nOK\r\n"),
        ("AT+UWSC=0,5,2\r", "\r\nOK\r\n"),
        ("AT+UWSC=0,8,\"----password----\"\r", "\r\nOK\r\n"),
        ("AT+UWSC=0,100,2\r", "\r\nOK\r\n"),
        ("AT+UWSCA=0,3\r", "\r\nOK\r\n"),
    ];
    const NETWORK: WifiConfig = match WifiConfig::wpa2("----SSID----", "----password----") {
        Ok(wifi) => wifi,
        Err(_) => panic!("no name or passphrase of a network"),
    };
    virtually(async || {
        let (host, mut device) = tokio::io::duplex(4096);
        let (rx, tx) = tokio::io::split(host);
        let state: &'static mut State<'static, ShortRange, 2, 2048, 1024> =
            Box::leak(Box::new(State::new()));
        let (_control, mut runner) = sectag::new(
            state,
            ShortRange::new(Config::new(NETWORK)),
            FromTokio::new(rx),
            FromTokio::new(tx),
            NoPins,
        );
        let module = async {
            let hear = async |expected: &str, device: &mut tokio::io::DuplexStream| {
                let mut got = vec![0; expected.len()];
                device.read_exact(&mut got).await.unwrap();
                assert_eq!(
                    got.escape_ascii().to_string(),
                    expected.as_bytes().escape_ascii().to_string()
                );
            };
            device.write_all(b"\r\n+STARTUP\r\n").await.unwrap();
            for (line, answer) in log {
                hear(line, &mut device).await;
                Timer::after(Duration::from_millis(10)).await;
                device.write_all(answer.as_bytes()).await.unwrap();
            }
            Timer::after(Duration::from_millis(2290)).await;
            device
                .write_all(b"\r\n+UUWLE:0,FAAC838145DA,1\r\n")
                .await
                .unwrap();
            Timer::after(Duration::from_millis(1730)).await;
            device.write_all(b"\r\n+UUNU:0\r\n").await.unwrap();
            hear("AT+UNSTAT=0,101\r", &mut device).await;
            device
                .write_all(b"\r\n+UNSTAT:0,101,172.20.10.4\r\n\r\nOK\r\n")
                .await
                .unwrap();
            hear("ATO2\r", &mut device).await;
        };
        let late = Timer::after(Duration::from_secs(30));
        match select3(module, runner.run(), late).await {
            Either3::First(()) => {}
            Either3::Second(error) => panic!("the runner ended: {error}"),
            Either3::Third(()) => panic!("the driver does not say what the log has"),
        }
    });
}

/// Packets of 2000 bytes, by all bytes on the UART, and in time by the line rate: frames have no turnaround.
#[test]
fn full_packets_use_the_wire_and_its_time() {
    const MUCH: usize = 100_000;
    for baud in [115_200, 460_800] {
        virtually(async || {
            let world = World::new(options(|options| {
                options.baud = Some(baud);
                options.turnaround = Duration::from_millis(20);
                options.data_unit = 2000;
            }));
            world.serve(|mut stream| async move {
                let mut taken = vec![0; MUCH];
                tokio::io::AsyncReadExt::read_exact(&mut stream, &mut taken).await?;
                tokio::io::AsyncWriteExt::write_all(&mut stream, &taken).await?;
                tokio::io::AsyncWriteExt::flush(&mut stream).await?;
                std::future::pending::<std::io::Result<()>>().await
            });
            install(&world.modem);
            world
                .attach(async |bench| {
                    let mut socket = connect(bench).await.unwrap();
                    let on_the_wire = || {
                        let counters = bench.control.counters();
                        u64::from(counters.sent + counters.received)
                    };
                    let judge = |what: &str, before: u64, since: Instant| {
                        let all = on_the_wire() - before;
                        assert!(
                            MUCH as u64 * 100 >= all * 98,
                            "{what} at {baud}: {MUCH} of {all} bytes were payload"
                        );
                        let formula = MUCH as f64 / (all * 10) as f64 * f64::from(baud);
                        let rate = MUCH as f64 * 1e6 / since.elapsed().as_micros() as f64;
                        assert!(
                            rate >= 0.95 * formula,
                            "{what} at {baud}: {rate:.0} of {formula:.0} bytes a second"
                        );
                    };
                    let (before, since) = (on_the_wire(), Instant::now());
                    for _ in 0..MUCH / 2000 {
                        socket.write_all(&[7; 2000]).await.unwrap();
                        socket.flush().await.unwrap();
                    }
                    judge("sent", before, since);
                    let (before, since) = (on_the_wire(), Instant::now());
                    let (mut got, mut buffer) = (0, [0; 2048]);
                    while got < MUCH {
                        got += socket.read(&mut buffer).await.unwrap();
                    }
                    judge("received", before, since);
                })
                .await;
        });
    }
}

/// At 115 200 baud: whichever byte of a frame's framing is lost, doubled or flipped, what a socket delivers is what was sent up to
/// an error, and 0.4 s behind the last byte of the broken frame the link is in step: the next connection stands and carries data.
#[test]
fn a_broken_byte_of_a_frame_costs_its_sockets_and_0_4_s() {
    type Break = fn(&mut Vec<u8>, usize, u32);
    let flip: Break = |frame, at, bit| frame[at] ^= 1 << bit;
    let mut breaks: Vec<(&str, Break, u32)> = vec![
        (
            "lost",
            |frame, at, _| {
                let _ = frame.remove(at);
            },
            0,
        ),
        ("doubled", |frame, at, _| frame.insert(at, frame[at]), 0),
    ];
    breaks.extend((0..8).map(|bit| ("flipped", flip, bit)));
    // Data for channel 0, which is the first socket's, or nobody's; its end is behind the payload.
    let payload = b"hello, world";
    let frame = [
        &[0xaa, 0, payload.len() as u8 + 3, 0, 0x31, 0][..],
        payload,
        &[0x55],
    ]
    .concat();
    let framing = [0, 1, 2, 3, 4, frame.len() - 1];
    for ((name, break_it, bit), at) in breaks
        .into_iter()
        .flat_map(|one| framing.map(|at| (one, at)))
    {
        virtually(async || {
            let world = World::new(options(|options| options.baud = Some(115_200)));
            world.serve(echo);
            install(&world.modem);
            world
                .attach(async |bench| {
                    let mut sockets =
                        [connect(bench).await.unwrap(), connect(bench).await.unwrap()];
                    for socket in &mut sockets {
                        carries_any_bytes(socket, "before").await;
                    }
                    let mut broken = frame.clone();
                    break_it(&mut broken, at, bit);
                    world.modem.inject_bytes(&broken);
                    let line = Duration::from_micros(frame.len() as u64 * 87);
                    Timer::after(line + Duration::from_millis(400)).await;
                    for socket in &mut sockets {
                        let mut got = [0; 64];
                        match with_timeout(Duration::from_millis(10), socket.read(&mut got)).await {
                            Ok(Ok(count)) => {
                                assert_eq!(got[..count], payload[..count], "{name} {at} {bit}")
                            }
                            Ok(Err(error)) => assert_eq!(error, SocketError::ConnectionReset),
                            // It was not concerned.
                            Err(_) => carries_any_bytes(socket, "beside").await,
                        }
                    }
                    drop(sockets);
                    let mut socket = connect(bench).await.unwrap();
                    carries_any_bytes(&mut socket, "behind").await;
                    assert_eq!(bench.control.counters().restarts, 0, "{name} {at} {bit}");
                })
                .await;
        });
    }
}

/// Only the 55 behind it shows that a frame is whole. Of one that lost a byte nothing reaches the application, and since
/// it may have been any connection's, all of them are reset.
#[test]
fn of_a_frame_that_lost_a_byte_nothing_is_delivered() {
    // Data for channel 0, the first socket's, of which the `e` was lost; silence behind it, or a frame.
    const BROKEN: &[u8] = b"\xaa\x00\x08\x00\x31\x00hllo\x55";
    const BEHIND: [&[u8]; 2] = [b"", b"\xaa\x00\x05\x00\x31\x01ho\x55"];
    for (chunk, behind) in [Chunk::Whole, Chunk::Bytes(1)]
        .into_iter()
        .flat_map(|chunk| BEHIND.map(|behind| (chunk, behind)))
    {
        virtually(async || {
            let world = World::new(options(|options| options.chunk = chunk));
            world.serve(echo);
            install(&world.modem);
            world
                .attach(async |bench| {
                    let mut sockets =
                        [connect(bench).await.unwrap(), connect(bench).await.unwrap()];
                    // The frame before it is delivered.
                    world.modem.inject_bytes(b"\xaa\x00\x05\x00\x31\x00hi\x55");
                    let mut got = [0; 64];
                    assert_eq!(sockets[0].read(&mut got).await, Ok(2));
                    assert_eq!(&got[..2], b"hi");
                    world.modem.inject_bytes(&[BROKEN, behind].concat());
                    for socket in &mut sockets {
                        let read = with_timeout(Duration::from_secs(1), socket.read(&mut got));
                        assert_eq!(
                            read.await,
                            Ok(Err(SocketError::ConnectionReset)),
                            "{chunk:?} {behind:?}"
                        );
                    }
                })
                .await;
        });
    }
}

/// Serves [`HOST`] as [`World::serve`] does, by a server that is slow to answer, so that a connect takes its time.
fn serve_late(world: &World) {
    let pki = Pki::shared();
    let config = server_config(&pki.issue_server([HOST.as_str()]), Some(&pki.ca_pem()));
    world.network.register(HOST.as_str(), PORT, move |stream| {
        let config = config.clone();
        tokio::task::spawn_local(async move {
            Timer::after_millis(400).await;
            let _ = serve_tls(stream, config, echo).await;
        });
    });
}

/// A `+UUDPD` of another peer, at any moment of a connect.
#[test]
fn the_end_of_another_connection_does_not_fail_a_connect() {
    let told = b"\r\n+UUDPD:77\r\n";
    let frame = [
        &[0xaa, 0, told.len() as u8 + 2, 0, 0x41],
        &told[..],
        &[0x55],
    ]
    .concat();
    for moment in (0..450).step_by(15) {
        virtually(async || {
            let world = World::new(options(|options| {
                options.turnaround = Duration::from_millis(20);
                options.late_answer = moment % 2 == 1;
            }));
            serve_late(&world);
            install(&world.modem);
            world
                .attach(async |bench| {
                    bench.control.wait_up().await.unwrap();
                    let told = async {
                        Timer::after_millis(moment).await;
                        world.modem.inject_bytes(&frame);
                    };
                    let (connected, ()) = join(connect(bench), told).await;
                    let mut socket = connected.unwrap_or_else(|error| panic!("{moment}: {error}"));
                    carries_any_bytes(&mut socket, "beside another's end").await;
                })
                .await;
        });
    }
}

/// Noise swallows what the module reports of a connect: the peer that stands in it is found in its list, and closed.
#[test]
fn a_peer_whose_reports_were_lost_is_closed() {
    virtually(async || {
        let world = World::new(options(|_| {}));
        serve_late(&world);
        install(&world.modem);
        world
            .attach(async |bench| {
                bench.control.wait_up().await.unwrap();
                let noise = async {
                    Timer::after_millis(300).await;
                    // The head of a long frame. Only the first 512 bytes behind a head are kept, in case there is no
                    // such frame.
                    let swallowed = [&b"\xaa\x0f\xff\x00\x61"[..], &[0; 600]].concat();
                    world.modem.inject_bytes(&swallowed);
                };
                let (connected, ()) = join(connect(bench), noise).await;
                assert!(connected.is_err());
                assert_eq!(world.modem.open_sockets().len(), 1);
                Timer::after_secs(5).await;
                assert!(world.modem.open_sockets().is_empty());
                let mut socket = connect(bench).await.unwrap();
                carries_any_bytes(&mut socket, "behind it").await;
            })
            .await;
    });
}

/// At any moment of a connect to its port, by both of its numbers: a connect may fail by it, but one that stands
/// carries its own data, and the next one stands.
#[test]
fn another_connection_that_is_reported_is_never_taken_for_the_own() {
    let told = b"\r\n+UUDPC:77,2,0,172.20.10.4,9000,10.9.9.9,8883\r\n";
    let text = [
        &[0xaa, 0, told.len() as u8 + 2, 0, 0x41],
        &told[..],
        &[0x55],
    ]
    .concat();
    let event =
        b"\xaa\x00\x11\x00\x11\x09\x02\x00\x0a\x09\x09\x09\x22\xb3\xac\x14\x0a\x04\x23\x28\x55";
    for moment in (0..450).step_by(15) {
        virtually(async || {
            let world = World::new(options(|options| {
                options.turnaround = Duration::from_millis(20);
            }));
            serve_late(&world);
            install(&world.modem);
            world
                .attach(async |bench| {
                    bench.control.wait_up().await.unwrap();
                    let told = async {
                        Timer::after_millis(moment).await;
                        world.modem.inject_bytes(&[&text[..], event].concat());
                    };
                    let (first, ()) = join(connect(bench), told).await;
                    let next = connect(bench)
                        .await
                        .unwrap_or_else(|error| panic!("{moment}: {error}"));
                    for mut socket in first.ok().into_iter().chain([next]) {
                        let carries = carries_any_bytes(&mut socket, "beside another");
                        let carried = with_timeout(Duration::from_secs(5), carries).await;
                        assert!(carried.is_ok(), "{moment}: it carries nothing");
                    }
                })
                .await;
        });
    }
}

#[test]
fn noise_between_frames_costs_connections_and_no_wrong_byte() {
    for noise in [
        &b"x"[..],
        b"\xaa",
        b"\x55",
        b"\xaa\x05\x00",
        b"\xaa\x00\x05\x00\x31\x00zz",
    ] {
        virtually(async || {
            let world = World::new(options(|_| {}));
            world.serve(echo);
            install(&world.modem);
            world
                .attach(async |bench| {
                    let mut socket = connect(bench).await.unwrap();
                    carries_any_bytes(&mut socket, "before").await;
                    world.modem.inject_bytes(noise);
                    let _ = socket.write_all(b"hello").await;
                    let _ = socket.flush().await;
                    let mut back = [0; 5];
                    let read = with_timeout(Duration::from_secs(2), socket.read(&mut back)).await;
                    match read {
                        Ok(Ok(count)) => assert_eq!(back[..count], b"hello"[..count]),
                        Ok(Err(error)) => assert_eq!(error, SocketError::ConnectionReset),
                        Err(_) => panic!("{noise:?}: the socket hangs"),
                    }
                    drop(socket);
                    let mut socket = connect(bench).await.unwrap();
                    carries_any_bytes(&mut socket, "after").await;
                    assert_eq!(bench.control.counters().restarts, 0, "{noise:?}");
                })
                .await;
        });
    }
}

/// A length that changes while a credential is read breaks the contract of a source; what was announced counts.
#[test]
fn a_source_whose_length_changes_is_stored_as_it_was_announced() {
    let content = [7; 900];
    for times in 2..12 {
        virtually(async || {
            let world = World::new(ShortRangeOptions::default());
            let source = Shrinking::new(&content, times);
            let stored = world
                .attach(async |bench| {
                    let control = bench.control;
                    control.store_unchecked(Tag(9), Kind::Ca, source).await
                })
                .await;
            stored.unwrap();
            assert!(world.modem.files()["0/st9ca"] == content, "{times}");
        });
    }
}
