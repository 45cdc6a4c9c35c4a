//! CC3220 and CC3235 with TI's AT application.

use embassy_futures::select::select;
use embassy_time::{Duration, Instant, Timer, with_timeout};
use embedded_io_async::{Read, Write};
use sectag::{Check, ConnectError, Ensured, Kind, Loss, SocketError, State, Support};
use sectag_cc3200::at::Cc32xx;
use sectag_integration_tests::cc31xx::now;
use sectag_integration_tests::cc32xx::{CONFIG, attach, connect, provision, store_all, world};
use sectag_integration_tests::driven;
use sectag_integration_tests::recovery::round_trip;
use sectag_integration_tests::simulated::{HOST, PORT, TLS, World, virtually};
use sectag_integration_tests::ti::{self, OverAt};
use sectag_simulator::{AtVersion, Cc32xxOptions, Chunk, Failure};
use sectag_test_support::pki::Pki;
use sectag_test_support::ti_wire::Exchange;
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
                let counters = ti::flash_and_talk::<OverAt>(&world).await;
                assert_eq!(counters.resyncs, 0, "{version:?} {chunk:?}");
                // None is longer than the application takes (sheet 1.1).
                let commands = world.modem.commands();
                assert!(commands.iter().all(|line| line.len() < 1000));
            });
        }
    }
}

/// The module naps for 1 ms behind a command. What arrives afterwards is read, though the module has not looked at the time since:
/// on a busy computer the driver may be served first. A command was lost so, and with it the connection, once in some hundred runs.
#[test]
fn a_command_behind_the_nap_is_read_however_late_the_module_looks() {
    virtually(async || {
        let world = world(Cc32xxOptions::default());
        let (mut rx, mut tx, serve) = world.modem.uart();
        let host = async {
            Timer::after_secs(1).await;
            let long = b"AT+GetSockOpt=1,SOCKET,NONBLOCKING,and,more,than,a,FIFO,keeps\r";
            for command in [&b"AT+Test\r"[..], long] {
                tx.write_all(command).await.expect("it is taken");
                // An answer is the last line but for the prompt.
                let mut seen = Vec::new();
                while !seen.ends_with(b"OK\n\r") && !seen.ends_with(b",0\n\r") {
                    let mut byte = [0];
                    rx.read_exact(&mut byte).await.expect("the module lives");
                    seen.extend(byte);
                }
                Timer::after_millis(1).await;
            }
        };
        // The host first, as it is where the module's own task comes late.
        let both = select(host, serve);
        let ended = with_timeout(Duration::from_secs(5), both).await;
        assert!(ended.is_ok(), "the second command was lost");
        assert_eq!(world.modem.commands().len(), 2);
    });
}

#[test]
fn what_is_there_already_is_not_uploaded_again() {
    ti::what_is_there_already_is_not_uploaded_again::<OverAt>();
}

#[test]
fn a_source_whose_length_changes_is_stored_as_it_was_announced() {
    ti::a_source_whose_length_changes_is_stored_as_it_was_announced::<OverAt>();
}

#[test]
fn a_file_that_can_be_no_credential_is_not_read_and_is_replaced() {
    ti::a_file_that_can_be_no_credential_is_not_read_and_is_replaced::<OverAt>();
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
fn a_policy_that_the_chip_lacks_is_refused_by_name() {
    ti::a_policy_that_the_chip_lacks_is_refused_by_name::<OverAt>();
}

#[test]
fn the_end_of_a_certificate_is_read_back() {
    ti::the_end_of_a_certificate_is_read_back::<OverAt>();
}

#[test]
fn a_pem_where_the_chip_wants_der_is_told() {
    ti::a_pem_where_the_chip_wants_der_is_told::<OverAt>();
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
            let mut socket = bench.control.connect(HOST, PORT, &lax).await.unwrap();
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
    ti::connected_and_not_verified_is_refused_and_closed::<OverAt>();
}

#[test]
fn a_chip_that_is_switched_off_confirms_it() {
    ti::a_chip_that_is_switched_off_confirms_it::<OverAt>();
}

#[test]
fn an_old_service_pack_that_checks_no_names_is_refused_unless_that_is_accepted() {
    ti::an_old_service_pack_that_checks_no_names_is_refused_unless_that_is_accepted::<OverAt>();
}

#[test]
fn a_server_of_another_root_or_name_is_refused() {
    ti::a_server_of_another_root_or_name_is_refused::<OverAt>();
}

#[test]
fn a_wrong_passphrase_and_a_network_that_is_not_there_are_told_apart() {
    ti::a_wrong_passphrase_and_a_network_that_is_not_there_are_told_apart::<OverAt>();
}

#[test]
fn a_module_that_restarts_or_hangs_is_brought_back() {
    let failures = &[
        (Failure::Reset, Loss::Restart),
        (Failure::Hang, Loss::NoAnswer),
        (Failure::BrownOut, Loss::Restart),
    ];
    ti::a_chip_that_restarts_or_hangs_is_brought_back::<OverAt>(failures, Duration::from_secs(30));
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
fn a_network_that_is_lost_without_a_word_is_joined_again() {
    ti::a_network_that_is_lost_without_a_word_is_joined_again::<OverAt>();
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

/// With rings of 4 KiB: at 95 % at least of what base64 in lines, the application's pauses and the driver's leave of the line, which is about 68 %.
#[test]
fn data_goes_at_the_speed_that_base64_leaves_both_ways() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    const ALL: usize = 100_000;
    virtually(async || {
        let world = world(Cc32xxOptions {
            baud: Some(115_200),
            ..Cc32xxOptions::default()
        });
        world.serve(async |mut stream| {
            stream.read_exact(&mut vec![0; ALL]).await?;
            stream.write_all(&vec![7; ALL]).await?;
            stream.flush().await?;
            stream.read_u8().await
        });
        let state: &mut State<'static, Cc32xx, 1, 4096, 4096> = Box::leak(Box::new(State::new()));
        let driven = driven::on_uart(&world, state, Cc32xx::new(CONFIG));
        provision(driven.bench()).await;
        let mut socket = connect(driven.bench()).await.unwrap();
        let most = |exchange: Exchange| {
            let seconds = ALL as f64 / exchange.rate(11_520.0) / 0.95;
            Duration::from_micros((seconds * 1e6) as u64)
        };
        let began = Instant::now();
        socket.write_all(&[3; ALL]).await.unwrap();
        socket.flush().await.unwrap();
        let (took, limit) = (began.elapsed(), most(Exchange::at_send()));
        assert!(took <= limit, "{took} of {limit}");
        // The first data may lie until the next look for it.
        let (mut part, mut got) = ([0; 512], 0);
        socket.read_exact(&mut part[..1]).await.unwrap();
        let began = Instant::now();
        while got < ALL - 1 {
            got += socket.read(&mut part).await.unwrap();
        }
        let (took, limit) = (began.elapsed(), most(Exchange::at_receive()));
        assert!(took <= limit, "{took} of {limit}");
    });
}
