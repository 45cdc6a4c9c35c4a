//! CC3220 and CC3235 with TI's AT application.

use embassy_time::{Duration, Instant, Timer, with_timeout};
use embedded_io_async::{Read, Write};
use sectag::wifi::{JoinFailure, WifiConfig};
use sectag::{
    BringUpError, CaScope, Cause, Check, Code, ConnectError, Ensured, Kind, ServerName,
    SocketError, Support, TlsConfig,
};
use sectag_cc3200::at::Config;
use sectag_integration_tests::cc31xx::now;
use sectag_integration_tests::cc32xx::{CONFIG, attach, connect, provision, store_all, world};
use sectag_integration_tests::recovery::round_trip;
use sectag_integration_tests::simulated::{HOST, PORT, TLS, World, virtually};
use sectag_simulator::{AtVersion, Cc32xxOptions, Chunk, Failure};
use sectag_test_support::pki::Pki;
use sectag_test_support::tls_server::echo;

const VERSIONS: [AtVersion; 3] = [AtVersion::First, AtVersion::Second, AtVersion::Port];

fn serving(options: Cc32xxOptions) -> World {
    let world = world(options);
    world.serve(echo);
    world
}

/// From PEM to payload both ways, for each version, with every cut of the bytes towards the host.
#[test]
fn credentials_are_flashed_the_date_is_set_and_data_goes_both_ways() {
    for version in VERSIONS {
        for chunk in [Chunk::Whole, Chunk::Bytes(1), Chunk::Random { max: 7 }] {
            virtually(async || {
                let world = serving(Cc32xxOptions {
                    version,
                    chunk,
                    ..Cc32xxOptions::default()
                });
                attach(&world, CONFIG, async |bench| {
                    provision(bench).await;
                    let mut socket = connect(bench).await.unwrap();
                    let verified = socket.verified();
                    for check in [
                        Check::Chain,
                        Check::Name,
                        Check::Dates,
                        Check::Sni,
                        Check::Suites,
                    ] {
                        assert_eq!(verified.of(check), Support::Yes, "{check}");
                    }
                    assert_eq!(verified.client_certificate, Support::Yes);
                    let bytes: Vec<u8> = (0..4096u32).map(|at| ((at * 7) >> 3) as u8).collect();
                    for part in bytes.chunks(1000) {
                        round_trip(&mut socket, part).await.unwrap();
                    }
                    socket.close().await.unwrap();
                    assert_eq!(bench.control.counters().resyncs, 0, "{version:?} {chunk:?}");
                })
                .await;
                let files = world.modem.files();
                let names: Vec<_> = files.keys().map(String::as_str).collect();
                assert_eq!(
                    names,
                    ["/cert/7_ca.der", "/cert/7_cert.der", "/cert/7_key.der"]
                );
                assert!(files.values().all(|content| content[0] == 0x30));
                assert_eq!(world.modem.security_alerts(), 0);
                assert!(world.modem.open_sockets().is_empty());
                // None is longer than the application takes (sheet 1.1).
                let commands = world.modem.commands();
                assert!(commands.iter().all(|line| line.len() < 1000));
            });
        }
    }
}

#[test]
fn what_is_there_already_is_not_uploaded_again() {
    virtually(async || {
        let world = serving(Cc32xxOptions::default());
        attach(&world, CONFIG, async |bench| {
            let pki = Pki::shared();
            let ca = pki.ca_pem();
            let ensure = async |pem: &str| {
                bench
                    .control
                    .ensure(TLS.tag(), Kind::Ca, pem.as_bytes())
                    .await
                    .unwrap()
            };
            assert!(matches!(ensure(&ca).await, Ensured::Stored));
            assert!(matches!(ensure(&ca).await, Ensured::AlreadyThere(_)));
            let other = Pki::builder().server_names(["other"]).build();
            assert!(matches!(ensure(&other.ca_pem()).await, Ensured::Stored));
            let mut listed = Vec::new();
            bench
                .control
                .list_tag(TLS.tag(), &mut |stored| listed.push(stored.kind))
                .await
                .unwrap();
            assert_eq!(listed, [Kind::Ca]);
            bench.control.remove(TLS.tag(), Kind::Ca).await.unwrap();
            bench.control.remove(TLS.tag(), Kind::Ca).await.unwrap();
        })
        .await;
        assert!(world.modem.files().is_empty());
        assert_eq!(world.modem.security_alerts(), 0);
    });
}

/// A key is a secure file: it can be written over without a token, and is never read.
#[test]
fn a_key_is_written_over_and_never_asked_for() {
    virtually(async || {
        let world = serving(Cc32xxOptions::default());
        attach(&world, CONFIG, async |bench| {
            provision(bench).await;
            let key = &Pki::shared().client().key_pem;
            let tag = TLS.tag();
            for _ in 0..2 {
                let ensured = bench.control.ensure(tag, Kind::PrivateKey, key.as_bytes());
                assert!(matches!(ensured.await.unwrap(), Ensured::Stored));
            }
            round_trip(&mut connect(bench).await.unwrap(), b"hello")
                .await
                .unwrap();
            bench.control.remove(tag, Kind::PrivateKey).await.unwrap();
        })
        .await;
        assert_eq!(world.modem.files()["/cert/7_key.der"], [0; 16]);
        assert_eq!(world.modem.security_alerts(), 0);
    });
}

#[test]
fn a_pem_where_the_chip_wants_der_is_told() {
    virtually(async || {
        let world = serving(Cc32xxOptions::default());
        attach(&world, CONFIG, async |bench| {
            provision(bench).await;
            world
                .modem
                .put_file("/cert/7_ca.der", Pki::shared().ca_pem().as_bytes());
            let error = connect(bench).await.err().unwrap();
            let ConnectError::Refused(refusal) = error else {
                panic!("{error}");
            };
            assert!(matches!(refusal.code, Code::Signed(-456, _)), "{error}");
            assert_eq!(error.causes().next(), Some(Cause::CaUnreadable));
            Timer::after_secs(1).await;
        })
        .await;
        assert!(world.modem.open_sockets().is_empty());
    });
}

#[test]
fn a_module_without_a_date_is_not_connected_with() {
    virtually(async || {
        let world = serving(Cc32xxOptions::default());
        attach(&world, CONFIG, async |bench| {
            store_all(bench).await;
            let error = connect(bench).await.err().unwrap();
            assert!(matches!(error, ConnectError::ClockNotSet { .. }), "{error}");
            // Who accepts that dates are not checked gets the connection that stands without that.
            let lax = TLS.dangerous().accept_missing(Check::Dates);
            let mut socket = bench.sockets.connect(HOST, PORT, &lax).await.unwrap();
            assert_eq!(socket.verified().dates, Support::No);
            round_trip(&mut socket, b"undated").await.unwrap();
        })
        .await;
    });
}

#[test]
fn a_credential_that_is_missing_is_named() {
    virtually(async || {
        let world = serving(Cc32xxOptions::default());
        attach(&world, CONFIG, async |bench| {
            bench.control.set_clock(now()).await.unwrap();
            for kind in [Kind::Ca, Kind::ClientCertificate, Kind::PrivateKey] {
                let error = connect(bench).await.err().unwrap();
                assert_eq!(error, ConnectError::CredentialMissing(kind));
                let pki = Pki::shared();
                let client = pki.client();
                let pem = match kind {
                    Kind::Ca => pki.ca_pem(),
                    Kind::ClientCertificate => client.cert_pem.clone(),
                    _ => client.key_pem.clone(),
                };
                let stored = bench.control.store(TLS.tag(), kind, pem.as_bytes());
                stored.await.unwrap();
            }
            connect(bench).await.unwrap();
        })
        .await;
    });
}

#[test]
fn connected_and_not_verified_is_refused_and_closed() {
    virtually(async || {
        let world = serving(Cc32xxOptions {
            unknown_to_catalog: true,
            ..Cc32xxOptions::default()
        });
        attach(&world, CONFIG, async |bench| {
            provision(bench).await;
            let error = connect(bench).await.err().unwrap();
            assert!(error.to_string().contains("-468"), "{error}");
            assert_eq!(error.causes().next(), Some(Cause::RootNotInCatalog));
            Timer::after_secs(1).await;
        })
        .await;
        assert!(world.modem.open_sockets().is_empty());
    });
}

#[test]
fn an_old_service_pack_that_checks_no_names_is_refused_unless_that_is_accepted() {
    virtually(async || {
        let world = serving(Cc32xxOptions {
            old_service_pack: true,
            ..Cc32xxOptions::default()
        });
        attach(&world, CONFIG, async |bench| {
            provision(bench).await;
            let public = TlsConfig::new(TLS.tag()).client_certificate();
            let connect = bench.sockets.connect(HOST, PORT, &public);
            let error = connect.await.err().unwrap();
            assert_eq!(error, ConnectError::Unverifiable(Check::Name));
            let lax = public.dangerous().accept_missing(Check::Name);
            let socket = bench.sockets.connect(HOST, PORT, &lax).await.unwrap();
            assert_eq!(socket.verified().name, Support::No);
        })
        .await;
    });
}

#[test]
fn a_server_of_another_root_or_name_is_refused() {
    virtually(async || {
        let world = world(Cc32xxOptions::default());
        let other = Pki::builder().server_names([HOST.as_str()]).build();
        let shared = Pki::shared();
        world.serve_as(&other.issue_server([HOST.as_str()]), &shared.ca_pem(), echo);
        attach(&world, CONFIG, async |bench| {
            provision(bench).await;
            let error = connect(bench).await.err().unwrap();
            assert_eq!(error.causes().next(), Some(Cause::CaMismatch), "{error}");
            world.serve_as(
                &shared.issue_server(["another.sectag.test"]),
                &shared.ca_pem(),
                echo,
            );
            let public = TLS.ca_scope(CaScope::Public);
            let connect = bench.sockets.connect(HOST, PORT, &public);
            let error = connect.await.err().unwrap();
            assert!(error.to_string().contains("-722"), "{error}");
            let name = ServerName::new("nowhere.sectag.test").unwrap();
            let error = bench.sockets.connect(name, PORT, &TLS).await.err().unwrap();
            assert_eq!(error.causes().next(), Some(Cause::NameUnknown), "{error}");
        })
        .await;
        assert!(world.modem.open_sockets().is_empty());
    });
}

#[test]
fn a_wrong_passphrase_and_a_network_that_is_not_there_are_told_apart() {
    for (wifi, failure, reason) in [
        (
            WifiConfig::wpa2("lab", "another key"),
            JoinFailure::Refused,
            Some(15),
        ),
        (
            WifiConfig::wpa2("elsewhere", "S3cretKey"),
            JoinFailure::NotFound,
            None,
        ),
    ] {
        virtually(async || {
            let world = serving(Cc32xxOptions::default());
            attach(&world, Config::new(wifi.unwrap()), async |bench| {
                let error = bench.control.wait_up().await.unwrap_err();
                assert_eq!(error, BringUpError::NotJoined { failure, reason });
            })
            .await;
        });
    }
}

#[test]
fn a_module_that_restarts_or_hangs_is_brought_back() {
    for failure in [Failure::Reset, Failure::Hang, Failure::BrownOut] {
        virtually(async || {
            let world = serving(Cc32xxOptions::default());
            attach(&world, CONFIG, async |bench| {
                provision(bench).await;
                let mut socket = connect(bench).await.unwrap();
                round_trip(&mut socket, b"before").await.unwrap();
                world.modem.fail(failure);
                let mut buf = [0; 1];
                let read = with_timeout(Duration::from_secs(90), socket.read(&mut buf)).await;
                assert_eq!(
                    read.unwrap(),
                    Err(SocketError::ConnectionReset),
                    "{failure:?}"
                );
                drop(socket);
                let began = Instant::now();
                let mut socket = connect(bench).await.unwrap();
                assert!(began.elapsed() < Duration::from_secs(30));
                round_trip(&mut socket, b"after").await.unwrap();
            })
            .await;
        });
    }
}

#[test]
fn sockets_of_a_network_that_is_lost_are_reset_and_it_is_joined_again() {
    virtually(async || {
        let world = serving(Cc32xxOptions::default());
        attach(&world, CONFIG, async |bench| {
            provision(bench).await;
            let mut socket = connect(bench).await.unwrap();
            round_trip(&mut socket, b"one").await.unwrap();
            world.modem.drop_pdp(0);
            let mut buf = [0; 1];
            let read = with_timeout(Duration::from_secs(5), socket.read(&mut buf)).await;
            assert_eq!(read.unwrap(), Err(SocketError::ConnectionReset));
            drop(socket);
            let mut socket = connect(bench).await.unwrap();
            round_trip(&mut socket, b"again").await.unwrap();
        })
        .await;
    });
}

#[test]
fn the_end_of_a_connection_is_told_behind_its_data() {
    virtually(async || {
        let world = world(Cc32xxOptions::default());
        world.serve(async |mut stream| {
            use tokio::io::AsyncWriteExt as _;
            stream.write_all(b"good-bye").await?;
            stream.shutdown().await
        });
        attach(&world, CONFIG, async |bench| {
            provision(bench).await;
            let mut socket = connect(bench).await.unwrap();
            let mut text = [0; 8];
            socket.read_exact(&mut text).await.unwrap();
            assert_eq!(&text, b"good-bye");
            assert_eq!(socket.read(&mut text).await, Ok(0));
            assert!(socket.write(b"late").await.is_err() || socket.flush().await.is_err());
        })
        .await;
    });
}
