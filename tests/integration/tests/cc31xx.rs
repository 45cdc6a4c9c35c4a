//! TI's network processors over their native protocol, on a UART and on an SPI. What an SPI has alone is in `cc31xx_spi.rs`.

use std::cell::Cell;
use std::convert::Infallible;
use std::rc::Rc;
use std::task::Poll;

use embassy_futures::select::Either;
use embassy_time::{Duration, Instant, Timer, with_timeout};
use embedded_io_async::{Read, Write};
use sectag::wifi::{JoinFailure, WifiConfig};
use sectag::{
    AtError, BringUpError, Cause, Check, ConnectError, CredentialError, Ensured, Kind, Loss,
    NoPins, Socket, SocketError, State, TlsConfig,
};
use sectag_cc3200::nwp::{Config, G1, G2, Generation, Nwp, Wiring};
use sectag_integration_tests::Bench;
use sectag_integration_tests::cc31xx::{
    CONFIG, attach, attach_as, connect, now, provision, store_all, world,
};
use sectag_integration_tests::driven;
use sectag_integration_tests::recovery::{Line, round_trip};
use sectag_integration_tests::simulated::{HOST, PORT, TLS, World, credentials, virtually};
use sectag_integration_tests::ti::{self, Interface};
use sectag_simulator::{Chunk, Failure, NwpGeneration, NwpOptions, Reaction};
use sectag_test_support::pki::Pki;
use sectag_test_support::ti_wire::Exchange;
use sectag_test_support::tls_server::echo;

/// The native protocol, of the second generation.
trait Native: Interface<Modem = Nwp<G2>> {
    const WIRING: Wiring;
}

/// On an SPI, or on a UART.
type Over<const SPI: bool> = ti::Native<G2, SPI>;

impl<const SPI: bool> Native for Over<SPI> {
    const WIRING: Wiring = Self::WIRING;
}

/// Each of these is a test of both interfaces.
macro_rules! on_uart_and_spi {
    ($($name:ident)*) => {
        mod uart {
            $(#[test] fn $name() { super::$name::<super::Over<false>>(); })*
        }

        mod spi {
            $(#[test] fn $name() { super::$name::<super::Over<true>>(); })*
        }
    };
}

on_uart_and_spi! {
    credentials_are_flashed_the_date_is_set_and_data_goes_both_ways
    what_is_there_already_is_not_uploaded_again
    a_source_whose_length_changes_is_stored_as_it_was_announced
    a_file_that_can_be_no_credential_is_not_read_and_is_replaced
    a_policy_that_the_chip_lacks_is_refused_by_name
    the_end_of_a_certificate_is_read_back
    a_pem_where_the_chip_wants_der_is_told
    a_chip_without_a_date_is_not_connected_with
    a_tag_without_a_ca_is_not_connected_with
    connected_and_not_verified_is_refused_and_closed
    a_chip_that_is_switched_off_confirms_it
    an_old_service_pack_that_checks_no_names_is_refused_unless_that_is_accepted
    a_server_of_another_root_or_name_is_refused
    a_wrong_passphrase_and_a_network_that_is_not_there_are_told_apart
    a_chip_of_the_first_generation_joins_stores_and_keeps_the_date
    the_first_generation_has_no_modern_suite
    the_first_generation_tells_of_passphrase_token_and_service_pack
    all_credentials_are_listed
    provisioning_that_is_in_the_way_is_stopped
    a_chip_that_restarts_or_hangs_is_brought_back
    sockets_of_a_network_that_is_lost_are_reset_and_it_is_joined_again
    a_network_that_is_lost_without_a_word_is_joined_again
    what_a_peer_sent_before_it_closed_is_read_to_its_end
    secure_files_open_with_their_token_and_a_wrong_one_is_presented_once
    a_wrong_token_of_a_connect_is_told_by_the_file_system
    a_burst_of_sends_waits_for_buffers
    what_a_peer_does_not_take_keeps_its_buffers
    what_a_peer_takes_late_and_without_an_answer_is_sent
    data_goes_at_the_speed_of_the_line_both_ways
    a_chip_that_lost_its_power_gets_the_date_again
    an_upload_that_is_dropped_leaves_nothing
    a_file_that_is_open_under_another_handle_costs_one_restart
    a_close_that_seems_to_succeed_is_found_out_by_the_next_store
    a_dropped_upload_under_another_handle_costs_one_restart
    a_chip_that_refuses_to_open_files_is_restarted_once
    commands_are_counted
    a_byte_that_is_lost_costs_a_restart_at_most
    an_event_without_its_bytes_is_no_success
}

fn serving(options: NwpOptions) -> World {
    let world = world(options);
    world.serve(echo);
    world
}

fn chunked(chunk: Chunk) -> NwpOptions {
    NwpOptions {
        chunk,
        ..NwpOptions::default()
    }
}

/// From PEM to payload both ways, with every cut of the bytes towards the host.
fn credentials_are_flashed_the_date_is_set_and_data_goes_both_ways<I: Native>() {
    for chunk in [Chunk::Whole, Chunk::Bytes(1), Chunk::Random { max: 7 }] {
        virtually(async || {
            ti::flash_and_talk::<I>(&serving(chunked(chunk))).await;
        });
    }
}

fn what_is_there_already_is_not_uploaded_again<I: Native>() {
    ti::what_is_there_already_is_not_uploaded_again::<I>();
}

fn a_source_whose_length_changes_is_stored_as_it_was_announced<I: Native>() {
    ti::a_source_whose_length_changes_is_stored_as_it_was_announced::<I>();
}

fn a_file_that_can_be_no_credential_is_not_read_and_is_replaced<I: Native>() {
    ti::a_file_that_can_be_no_credential_is_not_read_and_is_replaced::<I>();
}

fn a_policy_that_the_chip_lacks_is_refused_by_name<I: Native>() {
    ti::a_policy_that_the_chip_lacks_is_refused_by_name::<I>();
}

fn the_end_of_a_certificate_is_read_back<I: Native>() {
    ti::the_end_of_a_certificate_is_read_back::<I>();
}

fn a_pem_where_the_chip_wants_der_is_told<I: Native>() {
    ti::a_pem_where_the_chip_wants_der_is_told::<I>();
}

fn a_chip_without_a_date_is_not_connected_with<I: Native>() {
    virtually(async || {
        let world = serving(NwpOptions::default());
        attach(I::WIRING, &world, CONFIG, async |bench| {
            store_all(bench).await;
            let error = connect(bench).await.err().unwrap();
            assert!(matches!(error, ConnectError::ClockNotSet { .. }), "{error}");
            // Who accepts that dates are not checked gets "connected, and the dates not verified".
            let lax = TLS.dangerous().accept_missing(Check::Dates);
            let error = bench.control.connect(HOST, PORT, &lax).await.err().unwrap();
            assert!(error.to_string().contains("-461"), "{error}");
        })
        .await;
        assert!(world.modem.open_sockets().is_empty());
    });
}

fn a_tag_without_a_ca_is_not_connected_with<I: Native>() {
    virtually(async || {
        let world = serving(NwpOptions::default());
        attach(I::WIRING, &world, CONFIG, async |bench| {
            bench.control.set_clock(now()).await.unwrap();
            let error = connect(bench).await.err().unwrap();
            assert!(
                matches!(error, ConnectError::CredentialMissing(Kind::Ca)),
                "{error}"
            );
        })
        .await;
    });
}

fn connected_and_not_verified_is_refused_and_closed<I: Native>() {
    ti::connected_and_not_verified_is_refused_and_closed::<I>();
}

fn a_chip_that_is_switched_off_confirms_it<I: Native>() {
    ti::a_chip_that_is_switched_off_confirms_it::<I>();
}

fn an_old_service_pack_that_checks_no_names_is_refused_unless_that_is_accepted<I: Native>() {
    ti::an_old_service_pack_that_checks_no_names_is_refused_unless_that_is_accepted::<I>();
}

fn a_server_of_another_root_or_name_is_refused<I: Native>() {
    ti::a_server_of_another_root_or_name_is_refused::<I>();
}

fn a_wrong_passphrase_and_a_network_that_is_not_there_are_told_apart<I: Native>() {
    ti::a_wrong_passphrase_and_a_network_that_is_not_there_are_told_apart::<I>();
}

/// A driver of the first generation.
async fn attach_first<T, A: Future<Output = T>>(
    wiring: Wiring,
    world: &World,
    config: Config,
    application: impl FnOnce(Bench<Nwp<G1>>) -> A,
) -> T {
    attach_as(wiring, world, config, application).await
}

fn of_the_first(chunk: Chunk) -> NwpOptions {
    NwpOptions {
        generation: NwpGeneration::First,
        ..chunked(chunk)
    }
}

/// Other headers, numbers of errors and forms of events; the first message's count is all ones.
fn a_chip_of_the_first_generation_joins_stores_and_keeps_the_date<I: Native>() {
    for chunk in [Chunk::Whole, Chunk::Bytes(1), Chunk::Random { max: 7 }] {
        virtually(async || {
            let world = serving(of_the_first(chunk));
            attach_first(I::WIRING, &world, CONFIG, async |bench| {
                provision(bench).await;
                let ca = Pki::shared().ca_pem();
                let again = bench
                    .control
                    .ensure(TLS.tag(), Kind::Ca, ca.as_bytes())
                    .await;
                assert!(matches!(again.unwrap(), Ensured::AlreadyThere(_)));
                let mut kinds = Vec::new();
                let mut keep = |stored: sectag::Stored| kinds.push(stored.kind);
                bench.control.list_tag(TLS.tag(), &mut keep).await.unwrap();
                assert_eq!(kinds, [Kind::Ca, Kind::ClientCertificate, Kind::PrivateKey]);
                // It has no list of its files.
                assert!(bench.control.list(&mut |_| {}).await.is_err());
                let status = bench.control.status().await;
                assert_eq!(status.model.unwrap(), "CC3100");
                assert_eq!(status.firmware.unwrap(), "2.11.0.1");
                assert_eq!(status.address.unwrap(), "192.168.50.42");
                world.modem.fail(Failure::BrownOut);
                Timer::after_secs(90).await;
                bench.control.wait_up().await.unwrap();
                let set = bench.control.clock().await.unwrap().unwrap();
                assert!(set >= now());
                bench.control.remove(TLS.tag(), Kind::Ca).await.unwrap();
                bench.control.remove(TLS.tag(), Kind::Ca).await.unwrap();
            })
            .await;
            assert_eq!(world.modem.files().len(), 2);
            assert_eq!(world.modem.security_alerts(), 0);
        });
    }
}

/// Its suites are old ones: nothing is sent where only modern ones are wanted, and a server without them is named as such.
fn the_first_generation_has_no_modern_suite<I: Native>() {
    virtually(async || {
        let world = serving(of_the_first(Chunk::Whole));
        attach_first(I::WIRING, &world, CONFIG, async |bench| {
            provision(bench).await;
            world.modem.take_commands();
            let refused = connect(bench).await.err().unwrap();
            assert!(!matches!(refused, ConnectError::Refused(_)), "{refused}");
            assert_eq!(opcodes(&world), []);
            let old = TLS.suites(sectag::Suites::All);
            let error = bench.control.connect(HOST, PORT, &old).await.err().unwrap();
            assert!(error.to_string().contains("-340"), "{error}");
            assert_eq!(error.causes().next(), Some(Cause::NoCommonSuite));
            // By its own number, and no other follows the connect.
            assert!(opcodes(&world).contains(&0x9408));
        })
        .await;
        assert!(world.modem.open_sockets().is_empty());
    });
}

fn the_first_generation_tells_of_passphrase_token_and_service_pack<I: Native>() {
    virtually(async || {
        let world = serving(of_the_first(Chunk::Bytes(1)));
        let wrong = WifiConfig::wpa2("lab", "another key").unwrap();
        attach_first(I::WIRING, &world, Config::new(wrong), async |bench| {
            let reason = Some(15);
            let failure = JoinFailure::Refused;
            assert_eq!(
                bench.control.wait_up().await,
                Err(BringUpError::NotJoined { failure, reason })
            );
        })
        .await;
        attach_first(I::WIRING, &world, CONFIG.secure_files(1), provision).await;
        attach_first(I::WIRING, &world, CONFIG.secure_files(2), async |bench| {
            bench.control.set_clock(now()).await.unwrap();
            let old = TLS.suites(sectag::Suites::All);
            for _ in 0..3 {
                let error = bench.control.connect(HOST, PORT, &old).await.err().unwrap();
                assert!(error.to_string().contains("token"), "{error}");
            }
        })
        .await;
        assert_eq!(world.modem.security_alerts(), 1);
    });
    virtually(async || {
        let world = serving(NwpOptions {
            old_service_pack: true,
            ..of_the_first(Chunk::Whole)
        });
        attach_first(I::WIRING, &world, CONFIG, async |bench| {
            provision(bench).await;
            let public = TlsConfig::new(TLS.tag()).suites(sectag::Suites::All);
            let error = bench
                .control
                .connect(HOST, PORT, &public)
                .await
                .err()
                .unwrap();
            assert!(
                matches!(error, ConnectError::Unverifiable(Check::Name)),
                "{error}"
            );
        })
        .await;
    });
}

/// As on a computer's serial port: nobody can hold the chip in reset.
async fn without_pins<T, A: Future<Output = T>>(
    world: &World,
    application: impl FnOnce(Bench<Nwp<G2>>) -> A,
) -> T {
    world
        .attach_driver(Line::default(), Nwp::new(CONFIG), NoPins, application)
        .await
        .unwrap()
}

/// The chip says that it has started while it is asked for its version, and the driver begins anew.
#[test]
fn without_pins_a_chip_that_starts_meanwhile_is_found() {
    for boot in [0, 1, 2, 5, 50, 3000, 12_000] {
        for chunk in [Chunk::Whole, Chunk::Bytes(1)] {
            virtually(async || {
                let world = serving(NwpOptions {
                    boot_time: Duration::from_millis(boot),
                    baud: Some(115_200),
                    ..chunked(chunk)
                });
                without_pins(&world, async |bench| {
                    let up = with_timeout(Duration::from_secs(60), async {
                        // Later than that nothing is known of it: it is tried again and again.
                        while let Err(error) = bench.control.wait_up().await {
                            assert!(boot > 10_000 && error == BringUpError::NoAnswer, "{error}");
                        }
                    });
                    up.await.unwrap();
                })
                .await;
            });
        }
    }
}

/// Six sockets of an earlier life would leave none for this one.
#[test]
fn without_pins_sockets_of_an_earlier_life_are_closed() {
    for chunk in [Chunk::Whole, Chunk::Bytes(1)] {
        virtually(async || {
            let world = serving(chunked(chunk));
            attach(Wiring::Uart, &world, CONFIG, provision).await;
            for _ in 0..9 {
                without_pins(&world, async |bench| {
                    bench.control.set_clock(now()).await.unwrap();
                    let mut socket = connect(bench).await.unwrap();
                    round_trip(&mut socket, b"again").await.unwrap();
                    assert_eq!(world.modem.open_sockets().len(), 1);
                    // The host is cut off, and cannot close it.
                    std::mem::forget(socket);
                })
                .await;
            }
        });
    }
}

/// Connections are not given up for a restart that nobody can make.
#[test]
fn without_pins_a_file_that_stays_open_costs_no_connection() {
    virtually(async || {
        let world = serving(NwpOptions::default());
        without_pins(&world, async |bench| {
            provision(bench).await;
            let mut socket = connect(bench).await.unwrap();
            answers_instead(
                &world,
                NwpGeneration::Second,
                2,
                &[(FILE_WRITE, INVALID_HANDLE), (FILE_CLOSE, INVALID_HANDLE)],
            );
            for _ in 0..3 {
                let error = stores(bench).await.unwrap_err();
                assert!(matches!(error, CredentialError::At(AtError::Refused(_))));
            }
            round_trip(&mut socket, b"stands").await.unwrap();
            assert_eq!(bench.control.counters().restarts, 0);
        })
        .await;
    });
}

/// Those of others in the file system are none of ours.
fn all_credentials_are_listed<I: Native>() {
    virtually(async || {
        let world = serving(NwpOptions::default());
        attach(I::WIRING, &world, CONFIG, async |bench| {
            let list = async || {
                let mut found = Vec::new();
                let mut keep = |stored: sectag::Stored| {
                    found.push((stored.tag.0, stored.kind, stored.len));
                };
                bench.control.list(&mut keep).await.unwrap();
                found
            };
            assert_eq!(list().await, []);
            world.modem.put_file("/sys/mcuimg.bin", &[0; 3000]);
            world.modem.put_file("/cert/007_ca.der", &[0x30; 30]);
            store_all(bench).await;
            let found = list().await;
            let kinds: Vec<_> = found.iter().map(|(tag, kind, _)| (*tag, *kind)).collect();
            assert_eq!(
                kinds,
                [
                    (7, Kind::Ca),
                    (7, Kind::ClientCertificate),
                    (7, Kind::PrivateKey)
                ]
            );
            let ca = Pki::shared().ca_der();
            assert_eq!(found[0].2, Some(ca.len()));
        })
        .await;
    });
}

fn provisioning_that_is_in_the_way_is_stopped<I: Native>() {
    virtually(async || {
        let world = serving(NwpOptions {
            provisions: true,
            ..NwpOptions::default()
        });
        attach(I::WIRING, &world, CONFIG, async |bench| {
            bench.control.wait_up().await.unwrap();
        })
        .await;
    });
}

fn a_chip_that_restarts_or_hangs_is_brought_back<I: Native>() {
    let failures = &[
        (Failure::Reset, Loss::Restart),
        (Failure::Hang, Loss::NoAnswer),
    ];
    ti::a_chip_that_restarts_or_hangs_is_brought_back::<I>(failures, Duration::from_secs(10));
}

fn sockets_of_a_network_that_is_lost_are_reset_and_it_is_joined_again<I: Native>() {
    virtually(async || {
        let world = serving(NwpOptions::default());
        attach(I::WIRING, &world, CONFIG, async |bench| {
            provision(bench).await;
            let mut one = connect(bench).await.unwrap();
            let mut two = connect(bench).await.unwrap();
            round_trip(&mut one, b"one").await.unwrap();
            round_trip(&mut two, b"two").await.unwrap();
            world.modem.drop_pdp(0);
            let mut buf = [0; 1];
            for socket in [&mut one, &mut two] {
                let read = with_timeout(Duration::from_secs(5), socket.read(&mut buf)).await;
                assert_eq!(read.unwrap(), Err(SocketError::ConnectionReset));
                assert_eq!(socket.loss(), Some(Loss::Network));
            }
            drop((one, two));
            let mut again = connect(bench).await.unwrap();
            round_trip(&mut again, b"again").await.unwrap();
        })
        .await;
    });
}

fn a_network_that_is_lost_without_a_word_is_joined_again<I: Native>() {
    ti::a_network_that_is_lost_without_a_word_is_joined_again::<I>();
}

fn what_a_peer_sent_before_it_closed_is_read_to_its_end<I: Native>() {
    virtually(async || {
        let world = world(NwpOptions::default());
        world.serve(async |mut stream| {
            use tokio::io::AsyncWriteExt;
            stream.write_all(&[7; 3000]).await?;
            stream.shutdown().await
        });
        attach(I::WIRING, &world, CONFIG, async |bench| {
            provision(bench).await;
            let mut socket = connect(bench).await.unwrap();
            let mut whole: Vec<u8> = Vec::new();
            let mut buf = [0; 100];
            loop {
                match socket.read(&mut buf).await.unwrap() {
                    0 => break,
                    count => whole.extend(&buf[..count]),
                }
            }
            assert_eq!(whole, vec![7; 3000]);
        })
        .await;
    });
}

fn secure_files_open_with_their_token_and_a_wrong_one_is_presented_once<I: Native>() {
    virtually(async || {
        let world = serving(NwpOptions::default());
        attach(
            I::WIRING,
            &world,
            CONFIG.secure_files(0x1234_5678),
            async |bench| {
                provision(bench).await;
                let mut socket = connect(bench).await.unwrap();
                round_trip(&mut socket, b"secure").await.unwrap();
                let again = bench
                    .control
                    .ensure(TLS.tag(), Kind::Ca, Pki::shared().ca_pem().as_bytes())
                    .await
                    .unwrap();
                assert!(matches!(again, Ensured::AlreadyThere(_)));
            },
        )
        .await;
        assert_eq!(world.modem.security_alerts(), 0);
        attach(
            I::WIRING,
            &world,
            CONFIG.secure_files(0x8765_4321),
            async |bench| {
                for _ in 0..5 {
                    let stored = bench
                        .control
                        .store(TLS.tag(), Kind::Ca, Pki::shared().ca_pem().as_bytes())
                        .await;
                    assert!(stored.unwrap_err().to_string().contains("token"));
                    assert!(connect(bench).await.is_err());
                }
            },
        )
        .await;
        assert_eq!(world.modem.security_alerts(), 1);
    });
}

fn a_wrong_token_of_a_connect_is_told_by_the_file_system<I: Native>() {
    virtually(async || {
        let world = serving(NwpOptions::default());
        attach(I::WIRING, &world, CONFIG.secure_files(1), async |bench| {
            provision(bench).await;
        })
        .await;
        attach(I::WIRING, &world, CONFIG.secure_files(2), async |bench| {
            bench.control.set_clock(now()).await.unwrap();
            let error = connect(bench).await.err().unwrap();
            assert!(error.to_string().contains("-10365 (wrong token"), "{error}");
        })
        .await;
        assert_eq!(world.modem.security_alerts(), 1);
    });
}

/// The chip dies of a host that sends without a buffer.
fn a_burst_of_sends_waits_for_buffers<I: Native>() {
    virtually(async || {
        let world = serving(NwpOptions {
            buffers: 6,
            ..NwpOptions::default()
        });
        attach(I::WIRING, &world, CONFIG, async |bench| {
            provision(bench).await;
            let mut one = connect(bench).await.unwrap();
            let mut two = connect(bench).await.unwrap();
            let both = async |socket: &mut Socket<'static>| {
                for _ in 0..20 {
                    round_trip(socket, &[3; 900]).await.unwrap();
                }
            };
            embassy_futures::join::join(both(&mut one), both(&mut two)).await;
            // Small ones, each flushed, with nothing read in between.
            for _ in 0..30 {
                one.write_all(&[1; 20]).await.unwrap();
                one.flush().await.unwrap();
            }
            assert_eq!(bench.control.counters().restarts, 0);
        })
        .await;
    });
}

/// While the peer takes nothing, the chip says nothing either: the number of free buffers is the driver's own count. One
/// send more than there are buffers would kill the chip.
fn what_a_peer_does_not_take_keeps_its_buffers<I: Native>() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    const PARTS: usize = 200;
    virtually(async || {
        let world = world(NwpOptions {
            buffers: 6,
            ..NwpOptions::default()
        });
        world.serve(|mut stream| async move {
            Timer::after_secs(2).await;
            let mut part = [0; 1000];
            while stream.read_exact(&mut part).await.is_ok() {
                stream.write_all(b".").await?;
                stream.flush().await?;
            }
            Ok::<_, std::io::Error>(())
        });
        attach(I::WIRING, &world, CONFIG, async |bench| {
            provision(bench).await;
            let mut socket = connect(bench).await.unwrap();
            let (mut rx, mut tx) = socket.split();
            let mut dots = [0; PARTS];
            let sent = tx.write_all(&[3; 1000 * PARTS]);
            let both = embassy_futures::join::join(sent, rx.read_exact(&mut dots)).await;
            assert_eq!(both, (Ok(()), Ok(())));
            assert_eq!(bench.control.counters().restarts, 0);
        })
        .await;
    });
}

/// The chip tells of buffers that it has again by a message of their own, so that a peer which takes nothing for a while, and
/// never answers, costs no connection.
fn what_a_peer_takes_late_and_without_an_answer_is_sent<I: Native>() {
    use tokio::io::AsyncReadExt;
    const ALL: usize = 200_000;
    virtually(async || {
        let world = world(NwpOptions {
            buffers: 6,
            ..NwpOptions::default()
        });
        let taken = Rc::new(Cell::new(0));
        let count = taken.clone();
        world.serve(move |mut stream| {
            let count = count.clone();
            async move {
                // A modem that takes nothing for 60 s costs the connection in any case.
                Timer::after_secs(40).await;
                let mut part = [0; 1000];
                while count.get() < ALL {
                    count.set(count.get() + stream.read(&mut part).await?);
                }
                std::future::pending::<std::io::Result<()>>().await
            }
        });
        attach(I::WIRING, &world, CONFIG, async |bench| {
            provision(bench).await;
            let mut socket = connect(bench).await.unwrap();
            let exchanges = bench.control.counters().exchanges;
            socket.write_all(&[3; ALL]).await.unwrap();
            socket.flush().await.unwrap();
            Timer::after_secs(1).await;
            assert_eq!(taken.get(), ALL);
            let counters = bench.control.counters();
            assert_eq!(counters.restarts, 0);
            // While it waits for a buffer it sends nothing that could not be done.
            let sends = ALL as u32 / 1000;
            assert!(counters.exchanges - exchanges < 2 * sends, "{counters:?}");
        })
        .await;
    });
}

/// With rings of 4 KiB: at 95 % at least of what sync words, headers and arguments leave of the line. So a send that waited for buffers goes on
/// with the message that brings them, and data is asked for while the application reads.
fn data_goes_at_the_speed_of_the_line_both_ways<I: Native>() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    const ALL: usize = 100_000;
    let lines: &[u32] = match I::WIRING {
        Wiring::Uart => &[115_200, 3_000_000],
        Wiring::Spi => &[20_000_000],
    };
    for &line in lines {
        virtually(async || {
            let mut options = NwpOptions::default();
            // The sync word of a command, and of a read.
            let (bits, command_sync, read_sync) = match I::WIRING {
                Wiring::Uart => {
                    options.baud = Some(line);
                    (10.0, 8, 0)
                }
                Wiring::Spi => {
                    options.spi.hertz = Some(line);
                    (8.0, 4, 4)
                }
            };
            let world = world(options);
            world.serve(async |mut stream| {
                stream.read_exact(&mut vec![0; ALL]).await?;
                stream.write_all(&vec![7; ALL]).await?;
                stream.flush().await?;
                stream.read_u8().await
            });
            let state: &mut State<'static, Nwp<G2>, 1, 4096, 4096> =
                Box::leak(Box::new(State::new()));
            let driven = driven::on(I::WIRING, &world, state);
            provision(driven.bench()).await;
            let mut socket = connect(driven.bench()).await.unwrap();
            let most = |exchange: Exchange| {
                let seconds = ALL as f64 / exchange.rate(f64::from(line) / bits) / 0.95;
                Duration::from_micros((seconds * 1e6) as u64)
            };
            let began = Instant::now();
            socket.write_all(&[3; ALL]).await.unwrap();
            socket.flush().await.unwrap();
            let (took, most_of_sends) =
                (began.elapsed(), most(Exchange::native_send(command_sync)));
            assert!(took <= most_of_sends, "{line}: {took} of {most_of_sends}");
            let began = Instant::now();
            let (mut part, mut got) = ([0; 512], 0);
            while got < ALL {
                got += socket.read(&mut part).await.unwrap();
            }
            let most = most(Exchange::native_receive(command_sync, read_sync));
            let took = began.elapsed();
            assert!(took <= most, "{line}: {took} of {most}");
        });
    }
}

fn a_chip_that_lost_its_power_gets_the_date_again<I: Native>() {
    virtually(async || {
        let world = serving(NwpOptions::default());
        attach(I::WIRING, &world, CONFIG, async |bench| {
            provision(bench).await;
            world.modem.fail(Failure::BrownOut);
            let connected = with_timeout(Duration::from_secs(120), async {
                loop {
                    match connect(bench).await {
                        Ok(socket) => return socket,
                        Err(error) => assert!(
                            !matches!(error, ConnectError::ClockNotSet { .. }),
                            "{error}"
                        ),
                    }
                }
            });
            let mut socket = connected.await.unwrap();
            round_trip(&mut socket, b"dated").await.unwrap();
        })
        .await;
    });
}

fn an_upload_that_is_dropped_leaves_nothing<I: Native>() {
    virtually(async || {
        let world = serving(NwpOptions::default());
        attach(I::WIRING, &world, CONFIG, async |bench| {
            bench.control.wait_up().await.unwrap();
            let pem = Pki::shared().ca_pem();
            for turns in 1..40 {
                let done = {
                    let store = bench.control.store(TLS.tag(), Kind::Ca, pem.as_bytes());
                    let mut store = std::pin::pin!(store);
                    let mut polls = 0;
                    std::future::poll_fn(|cx| {
                        polls += 1;
                        match store.as_mut().poll(cx) {
                            Poll::Pending if polls >= turns => Poll::Ready(false),
                            poll => poll.map(|end| end.is_ok()),
                        }
                    })
                    .await
                };
                if turns % 2 == 0 {
                    // Every other time at once.
                    continue;
                }
                Timer::after_millis(100).await;
                let files = world.modem.files();
                let file = files.get("/cert/7_ca.der");
                assert!(
                    file.is_none_or(|file| *file == Pki::shared().ca_der()),
                    "{turns}"
                );
                assert!(file.is_some() || !done, "{turns}");
                if file.is_some() {
                    bench.control.remove(TLS.tag(), Kind::Ca).await.unwrap();
                }
            }
            // However often it was dropped, it can be done.
            store_ca(bench).await;
        })
        .await;
    });
}

/// The opcodes of commands about files.
const FILE_OPEN: u16 = 0xa43c;
const FILE_CLOSE: u16 = 0xa43d;
const FILE_WRITE: u16 = 0xa441;
/// The number of the first generation for a handle that is not known. What matters is that it is none of success.
const INVALID_HANDLE: i32 = -17;

/// Has the chip answer these commands so and do nothing, `times` times: as where it looked for another handle than its own. Returns
/// the number of times that are left.
fn answers_instead(
    world: &World,
    generation: NwpGeneration,
    times: u32,
    answers: &'static [(u16, i32)],
) -> Rc<Cell<u32>> {
    let left = Rc::new(Cell::new(times));
    let counted = left.clone();
    world.modem.set_script(Box::new(move |command| {
        let opcode = u16::from_le_bytes([command[0], command[1]]);
        let answer = answers.iter().find(|(of, _)| *of == opcode);
        let Some((_, code)) = answer.filter(|_| counted.get() > 0) else {
            return Reaction::Normal;
        };
        counted.set(counted.get() - 1);
        // The head without a bit set: free buffers, "on a Wi-Fi network".
        let head: &[u8] = match generation {
            NwpGeneration::First => &[15, 1, 0, 0],
            NwpGeneration::Second => &[15, 1, 0xb8, 5, 0, 0, 0, 0],
        };
        let payload = if opcode == FILE_OPEN { 8 } else { 4 };
        let mut message = b"\xba\xdc\xcd\xab".to_vec();
        message.extend((opcode & 0x7fff).to_le_bytes());
        message.extend((head.len() as u16 + payload).to_le_bytes());
        message.extend(head);
        if opcode == FILE_OPEN {
            message.extend(code.to_le_bytes());
            message.extend([0; 4]);
        } else {
            message.extend((*code as i16).to_le_bytes());
            message.extend([0; 2]);
        }
        Reaction::Reply(message)
    }));
    left
}

/// Stores the CA.
async fn stores<G: Generation>(bench: Bench<Nwp<G>>) -> Result<(), CredentialError<Infallible>> {
    let pem = Pki::shared().ca_pem();
    let stored = bench.control.store(TLS.tag(), Kind::Ca, pem.as_bytes());
    stored.await
}

/// Runs a test on a chip of each generation with its driver.
macro_rules! in_each_generation {
    ($interface:ty, $test:ident) => {
        for (generation, is_first) in [(NwpGeneration::First, true), (NwpGeneration::Second, false)]
        {
            virtually(async || {
                let world = serving(NwpOptions {
                    generation,
                    ..NwpOptions::default()
                });
                let wiring = <$interface>::WIRING;
                if is_first {
                    attach_as::<G1, _, _>(wiring, &world, CONFIG, async |bench| {
                        $test(&world, generation, bench).await;
                    })
                    .await;
                } else {
                    attach_as::<G2, _, _>(wiring, &world, CONFIG, async |bench| {
                        $test(&world, generation, bench).await;
                    })
                    .await;
                }
            });
        }
    };
}

/// The handle was altered on its way: no write and no close finds the file, which stays open in the chip.
fn a_file_that_is_open_under_another_handle_costs_one_restart<I: Native>() {
    async fn test<G: Generation>(world: &World, generation: NwpGeneration, bench: Bench<Nwp<G>>) {
        let control = bench.control;
        provision(bench).await;
        // The first generation has no connection without OpenSSL.
        let mut socket = match generation {
            NwpGeneration::First => None,
            NwpGeneration::Second => Some(control.connect(HOST, PORT, &TLS).await.unwrap()),
        };
        let restarts = control.counters().restarts;
        let refused: &[_] = &[(FILE_WRITE, INVALID_HANDLE), (FILE_CLOSE, INVALID_HANDLE)];
        let left = answers_instead(world, generation, 2, refused);
        let error = stores(bench).await.unwrap_err();
        assert_eq!(error, CredentialError::At(AtError::ModemReset));
        assert_eq!(left.get(), 0);
        stores(bench).await.unwrap();
        assert_eq!(control.counters().restarts, restarts + 1);
        if let Some(socket) = &mut socket {
            let read = socket.read(&mut [0; 1]).await;
            assert_eq!(read, Err(SocketError::ConnectionReset));
            assert_eq!(socket.loss(), Some(Loss::Grammar));
        }
    }
    in_each_generation!(I, test);
}

/// Nothing but the next store shows that the file is open still.
fn a_close_that_seems_to_succeed_is_found_out_by_the_next_store<I: Native>() {
    async fn test<G: Generation>(world: &World, generation: NwpGeneration, bench: Bench<Nwp<G>>) {
        provision(bench).await;
        let restarts = bench.control.counters().restarts;
        answers_instead(
            world,
            generation,
            2,
            &[(FILE_WRITE, INVALID_HANDLE), (FILE_CLOSE, 0)],
        );
        let error = stores(bench).await.unwrap_err();
        assert!(error.to_string().contains("-17"), "{error}");
        assert_eq!(bench.control.counters().restarts, restarts);
        let error = stores(bench).await.unwrap_err();
        assert_eq!(error, CredentialError::At(AtError::ModemReset));
        stores(bench).await.unwrap();
        assert_eq!(bench.control.counters().restarts, restarts + 1);
    }
    in_each_generation!(I, test);
}

/// The clean-up finds out that it has closed nothing.
fn a_dropped_upload_under_another_handle_costs_one_restart<I: Native>() {
    async fn test<G: Generation>(world: &World, generation: NwpGeneration, bench: Bench<Nwp<G>>) {
        provision(bench).await;
        let restarts = bench.control.counters().restarts;
        let left = answers_instead(world, generation, 1, &[(FILE_CLOSE, INVALID_HANDLE)]);
        world.modem.take_commands();
        let opens = async {
            while !opcodes(world).contains(&FILE_OPEN) {
                embassy_futures::yield_now().await;
            }
        };
        let dropped = embassy_futures::select::select(stores(bench), opens).await;
        assert!(matches!(dropped, Either::Second(())));
        Timer::after_secs(1).await;
        assert_eq!(left.get(), 0);
        assert_eq!(bench.control.counters().restarts, restarts + 1);
        stores(bench).await.unwrap();
        assert_eq!(bench.control.counters().restarts, restarts + 1);
    }
    in_each_generation!(I, test);
}

/// For a reason that no restart takes away.
fn a_chip_that_refuses_to_open_files_is_restarted_once<I: Native>() {
    async fn test<G: Generation>(world: &World, generation: NwpGeneration, bench: Bench<Nwp<G>>) {
        provision(bench).await;
        let restarts = bench.control.counters().restarts;
        // A reason to doubt that no file is open.
        answers_instead(world, generation, 1, &[(FILE_WRITE, -6)]);
        assert!(stores(bench).await.is_err());
        answers_instead(world, generation, u32::MAX, &[(FILE_OPEN, -6)]);
        let error = stores(bench).await.unwrap_err();
        assert_eq!(error, CredentialError::At(AtError::ModemReset));
        for _ in 0..5 {
            let error = stores(bench).await.unwrap_err();
            assert!(error.to_string().contains("-6"), "{error}");
            assert_eq!(bench.control.counters().restarts, restarts + 1);
        }
        answers_instead(world, generation, 0, &[]);
        stores(bench).await.unwrap();
        assert_eq!(bench.control.counters().restarts, restarts + 1);
    }
    in_each_generation!(I, test);
}

async fn store_ca(bench: Bench<Nwp<G2>>) {
    let pem = Pki::shared().ca_pem();
    bench
        .control
        .store(TLS.tag(), Kind::Ca, pem.as_bytes())
        .await
        .unwrap();
}

/// Numbers of the commands since they were asked for last.
fn opcodes(world: &World) -> Vec<u16> {
    let commands = world.modem.take_commands();
    let number = |command: &Vec<u8>| u16::from_le_bytes([command[0], command[1]]);
    commands.iter().map(number).collect()
}

/// A warm connect takes 12 commands at most, a publish of 64 bytes one send and no answer.
fn commands_are_counted<I: Native>() {
    virtually(async || {
        let world = serving(NwpOptions::default());
        attach(I::WIRING, &world, CONFIG, async |bench| {
            provision(bench).await;
            connect(bench).await.unwrap().close().await.unwrap();
            world.modem.take_commands();
            let mut socket = connect(bench).await.unwrap();
            let commands = opcodes(&world);
            let of_connect = commands.iter().filter(|opcode| **opcode != 0x940a);
            assert!(of_connect.count() <= 12, "{commands:x?}");
            Timer::after_millis(100).await;
            world.modem.take_commands();
            socket.write_all(&[5; 64]).await.unwrap();
            socket.flush().await.unwrap();
            // An SPI has a task of its own.
            Timer::after_millis(1).await;
            let mut commands = opcodes(&world);
            commands.retain(|opcode| *opcode != 0x940a);
            assert_eq!(commands, [0x940c]);
        })
        .await;
    });
}

/// A byte that is lost, or comes twice, at each of many places: the driver recovers within a bound, nothing false is
/// delivered, and the chip counts no alert.
fn a_byte_that_is_lost_costs_a_restart_at_most<I: Native>() {
    for at in (0..2600).step_by(97) {
        virtually(async || {
            let world = serving(NwpOptions::default());
            let modem = world.modem.clone();
            attach(I::WIRING, &world, CONFIG, async |bench| {
                // A byte that belongs to nothing, in the middle of what the chip says.
                let noise = async {
                    loop {
                        Timer::after_millis(1).await;
                        if modem.bytes_out() >= at {
                            modem.inject_bytes(&[0x5a]);
                            std::future::pending::<()>().await;
                        }
                    }
                };
                let work = async {
                    let began = Instant::now();
                    loop {
                        let stored = bench
                            .control
                            .store(TLS.tag(), Kind::Ca, Pki::shared().ca_pem().as_bytes())
                            .await;
                        if stored.is_ok() && bench.control.set_clock(now()).await.is_ok() {
                            break;
                        }
                        assert!(began.elapsed() < Duration::from_secs(200), "{at}");
                    }
                    provision_all(bench).await;
                    loop {
                        if let Ok(mut socket) = connect(bench).await
                            && round_trip(&mut socket, &[9; 500]).await.is_ok()
                        {
                            break;
                        }
                        assert!(began.elapsed() < Duration::from_secs(300), "{at}");
                    }
                };
                embassy_futures::select::select(noise, work).await;
            })
            .await;
            assert_eq!(world.modem.security_alerts(), 0);
        });
    }
}

/// The result of a connect whose length was damaged on its way is not judged by the bytes of an earlier event, where 0 means success:
/// nothing is connected, and the chip is restarted.
fn an_event_without_its_bytes_is_no_success<I: Native>() {
    const CONNECT_RESULT: u16 = 0x1006;
    virtually(async || {
        let world = serving(NwpOptions {
            cut: Some(CONNECT_RESULT),
            ..NwpOptions::default()
        });
        attach(I::WIRING, &world, CONFIG, async |bench| {
            provision(bench).await;
            let restarts = bench.control.counters().restarts;
            assert!(connect(bench).await.is_err());
            assert!(bench.control.counters().restarts > restarts);
            assert_eq!(bench.control.last_loss(), Some(Loss::Grammar));
        })
        .await;
    });
}

async fn provision_all(bench: Bench<Nwp<G2>>) {
    for (kind, pem) in credentials(Pki::shared()) {
        let mut tries = 0;
        while let Err(error) = bench.control.ensure(TLS.tag(), kind, pem.as_bytes()).await {
            tries += 1;
            assert!(tries < 10, "{error}");
        }
    }
    while bench.control.set_clock(now()).await.is_err() {
        Timer::after_secs(1).await;
    }
}
