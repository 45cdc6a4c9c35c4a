//! Resets of the MCU or the modem at any moment: nothing is stored that should not be, no peer gets
//! what was not announced to it, and reconnecting is all that the application has to do.

use embassy_futures::join::join;
use embassy_time::{Duration, Instant, Timer, with_timeout};
use embedded_io_async::Read;
use sectag::at::at_command;
use sectag::modem::Timing;
use sectag::{AtError, Backoff, BringUpError, NoPins, Power, SocketError, Tag};
use sectag_bg96::Config;
use sectag_integration_tests::Bench;
use sectag_integration_tests::recovery::{Received, connect, every, round_trip, world};
use sectag_integration_tests::resets::{
    MESSAGE, Ordeal, fail_everywhere, mcu_resets_everywhere, others, stall_everywhere,
};
use sectag_integration_tests::simulated::{HOST, PORT, World, virtually};
use sectag_integration_tests::unit::{Bg96Unit, Nrf9160Unit, ShortRangeUnit, UbloxUnit, Unit};
use sectag_simulator::{Failure, Options, PdpLeft, Reaction, ShortRangeMode, Simulator};
use sectag_test_support::pki::Pki;
use tokio::io::AsyncWriteExt;

fn bg96(config: Config, options: Options) -> Bg96Unit {
    Bg96Unit { config, options }
}

fn quick() -> Options {
    Options {
        turnaround: Duration::from_millis(20),
        ..Options::default()
    }
}

#[test]
fn mcu_may_reset_at_any_byte_of_a_session() {
    let unit = bg96(Config::new(), quick());
    mcu_resets_everywhere(&unit, every(2));
}

#[test]
fn mcu_may_reset_at_any_byte_while_data_is_pushed() {
    let unit = bg96(Config::new().direct_push(), quick());
    mcu_resets_everywhere(&unit, every(3));
}

/// What a dead MCU, or another host, had done to the modem.
async fn dead_host(world: &World, steps: &[(&[u8], u64)]) {
    let (mut host, device) = tokio::io::duplex(64 * 1024);
    let act = async {
        for (bytes, millis) in steps {
            host.write_all(bytes).await.unwrap();
            Timer::after_millis(*millis).await;
        }
        drop(host);
    };
    let (served, ()) = join(world.modem.serve(device), act).await;
    served.unwrap();
}

/// A new driver finds the modem so, and must connect; returns how long that took.
async fn recovers(world: &World, received: &Received, context: &str) -> Duration {
    let unit = bg96(Config::new(), quick());
    let before = others(&unit, world);
    let peers = received.borrow().len();
    let start = Instant::now();
    world
        .attach(async |bench| {
            let mut socket = loop {
                match connect(bench).await {
                    Ok(socket) => break socket,
                    Err(error) => println!("{context}: {error}"),
                }
                assert!(start.elapsed() < Duration::from_secs(400), "{context}");
            };
            round_trip(&mut socket, MESSAGE).await.unwrap();
            assert_eq!(received.borrow()[peers], MESSAGE, "{context}");
            socket.close().await.unwrap();
            assert_eq!(others(&unit, world), before, "{context}: files");
            assert!(world.modem.open_sockets().is_empty(), "{context}");
            start.elapsed()
        })
        .await
}

/// Leaves a driver with an open socket, whose id it returns.
async fn left_open(world: &World) -> u8 {
    world
        .attach(async |bench| core::mem::forget(connect(bench).await.unwrap()))
        .await;
    world.modem.open_sockets()[0]
}

#[test]
fn mcu_may_reset_while_announced_payload_is_missing() {
    let unit = bg96(Config::new(), quick());
    for missing in [1, 2, 3, 4, 5, 100, 1459, 1460] {
        virtually(async || {
            let (world, received) = world(quick());
            let id = left_open(&world).await;
            let sent = vec![b'x'; 1460 - missing];
            let command = format!("AT+QSSLSEND={id},1460\r");
            dead_host(&world, &[(command.as_bytes(), 100), (&sent, 100)]).await;
            let took = recovers(&world, &received, "payload").await;
            assert!(took < Duration::from_secs(15), "{missing}: {took:?}");
            // Nothing offers a way out of this phase but to complete it.
            let received = received.borrow();
            assert!(received[0].len() <= 1460);
            assert_eq!(received[0][..sent.len()], sent);
            let rest = &received[0][sent.len()..];
            assert!(
                rest.iter().all(|byte| unit.filler().contains(byte)),
                "{rest:?}"
            );
        });
    }
}

#[test]
fn payload_without_an_announced_length_is_cancelled() {
    virtually(async || {
        let (world, received) = world(quick());
        let id = left_open(&world).await;
        let command = format!("AT+QSSLSEND={id}\r");
        dead_host(
            &world,
            &[(command.as_bytes(), 100), (b"of another host", 100)],
        )
        .await;
        recovers(&world, &received, "text").await;
        assert_eq!(received.borrow()[0], b"");
    });
}

#[test]
fn mcu_may_reset_with_half_a_command_on_the_line() {
    let commands: [&[u8]; 9] = [
        b"A",
        b"AT",
        b"AT+QFDEL=\"st7.ca",
        // Complete but for its end, which must not be supplied.
        b"AT+QFDEL=\"st7.ca\"",
        b"AT+QFDEL=\"*\"",
        b"AT+CFUN=1,1",
        b"AT+QFUPL=\"st7.x\",10",
        b"AT+QSSLSEND=0,1460",
        b"+++",
    ];
    for command in commands {
        virtually(async || {
            let (world, received) = world(quick());
            dead_host(&world, &[(command, 10)]).await;
            let context = String::from_utf8_lossy(command);
            let took = recovers(&world, &received, &context).await;
            assert!(took < Duration::from_secs(10), "{context}: {took:?}");
        });
    }
}

#[test]
fn mcu_may_reset_in_the_middle_of_a_file() {
    let ca = Pki::shared().ca_pem();
    let ca = ca.as_bytes();
    let missing = [1, 2, 3, 4, 5, 20, 100, ca.len() - 1, ca.len()];
    // Ours, and one that another host chose.
    for (missing, patience) in missing.into_iter().flat_map(|n| [(n, 5), (n, 100)]) {
        virtually(async || {
            let (world, received) = world(quick());

            let sent = &ca[..ca.len() - missing];
            let command = format!("AT+QFUPL=\"st9.ca\",{},{patience}\r", ca.len());
            dead_host(&world, &[(command.as_bytes(), 100), (sent, 10)]).await;
            world
                .attach(async |bench| {
                    // Whatever is left of it is no CA that a connection could rely on.
                    let tls = sectag::TlsConfig::new(Tag(9)).ca_scope(sectag::CaScope::Private);
                    let refused = bench.control.connect(HOST, PORT, &tls).await.err();
                    let file = world.modem.files().remove("st9.ca").unwrap_or_default();
                    assert!(
                        refused.is_some() && !file.windows(3).any(|part| part == b"AT\r"),
                        "{missing} missing: {:?}",
                        String::from_utf8_lossy(&file)
                    );
                })
                .await;
            recovers(&world, &received, "file").await;
        });
    }
}

#[test]
fn mcu_may_reset_while_an_answer_is_printed() {
    let mut tail = Pki::shared().client().key_pem.clone().into_bytes();
    tail.extend(b"\r\n+QFDWL: 1704,5505\r\nOK\r\n");
    let tails: [&[u8]; 5] = [
        &tail,
        b"1,2.3.4.5\r\n\r\nOK\r\n",
        b"R: 115200\r\n\r\nOK\r\n",
        // A payload that says it all.
        b"+QSSLRECV: 1500\r\n\r\nOK\r\n+IPR: 1\r\nOK\r\nRDY\r\n> POWERED DOWN\r\n",
        b"\r\n+QSSLURC: \"recv\",0,1500\r\nxyz",
    ];
    for tail in tails {
        for delay in [0, 1000, 2300, 2400] {
            virtually(async || {
                let (world, received) = world(quick());
                left_open(&world).await;
                let inject = async {
                    Timer::after_millis(delay).await;
                    world.modem.inject_bytes(tail);
                };
                let context = String::from_utf8_lossy(tail);
                let (took, ()) = join(recovers(&world, &received, &context), inject).await;
                assert!(took < Duration::from_secs(20), "{context}: {took:?}");
            });
        }
    }
}

#[test]
fn mcu_may_reset_while_a_command_blocks_or_an_open_is_under_way() {
    // What was sent, and how long the modem may be deaf.
    let cases: [(&str, u64, Options); 4] = [
        (
            "AT+QIACT=1\r",
            // It may end in a pause between two attempts, of 30 s at most.
            149 + 30 + 5,
            Options {
                activation_delay: Duration::from_secs(149),
                ..quick()
            },
        ),
        (
            "AT+QSSLCLOSE=0,10\r",
            25,
            Options {
                pdp_active: true,
                silent_close: true,
                ..quick()
            },
        ),
        (
            "AT+QSSLOPEN=1,0,3,\"silent.test\",1,0\r",
            10,
            Options {
                pdp_active: true,
                ..quick()
            },
        ),
        ("AT+QFDWL=\"st7.key\"\r", 10, quick()),
    ];
    for (command, limit, options) in cases {
        virtually(async || {
            let (world, received) = world(options);
            // Accepts, and says nothing.
            let streams = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
            world.network.register("silent.test", 1, move |stream| {
                streams.borrow_mut().push(stream)
            });
            if command.contains("CLOSE") {
                assert_eq!(left_open(&world).await, 0);
            }
            dead_host(&world, &[(command.as_bytes(), 30)]).await;
            let took = recovers(&world, &received, command).await;
            println!("{command:?}: {took:?}");
            assert!(took < Duration::from_secs(limit), "{command}: {took:?}");
        });
    }
}

#[test]
fn transparent_mode_is_left_without_a_byte_to_its_peer() {
    for host_sent in [&b""[..], b"some", b"+", b"++"] {
        virtually(async || {
            let (world, received) = world(Options {
                pdp_active: true,
                ..quick()
            });
            let steps: [(&[u8], u64); 4] = [
                (b"AT+QSSLCFG=\"sslversion\",0,3\rAT+QSSLCFG=\"seclevel\",0,2\r", 100),
                (b"AT+QSSLCFG=\"clientcert\",0,\"st7.crt\"\rAT+QSSLCFG=\"clientkey\",0,\"st7.key\"\rAT+QSSLCFG=\"cacert\",0,\"st7.ca\"\r", 200),
                (b"AT+QSSLCFG=\"sni\",0,1\rAT+QSSLOPEN=1,0,0,\"broker.sectag.test\",8883,2\r", 2000),
                (host_sent, 10),
            ];
            dead_host(&world, &steps).await;
            assert_eq!(received.borrow().len(), 1, "it is connected");
            let took = recovers(&world, &received, "transparent").await;
            // A `+` on its own is data once it is known to be no escape.
            assert_eq!(received.borrow()[0], host_sent);
            assert!(took < Duration::from_secs(10), "{took:?}");
        });
    }
}

/// Something that a user had better not send.
struct SwitchMode(u8);
at_command!(SwitchMode, 3000, "+QISWTMD", |self, line| line
    .int(self.0.into())
    .int(2));

#[test]
fn connect_that_nobody_expected_feeds_no_command_to_the_peer() {
    virtually(async || {
        let (world, received) = world(paced());
        world
            .attach(async |bench| {
                let mut socket = connect(bench).await.unwrap();
                round_trip(&mut socket, MESSAGE).await.unwrap();
                let id = world.modem.open_sockets()[0];
                let at = bench.control.keeps_connections().at().await.unwrap();
                assert_eq!(at.send(&SwitchMode(id)).await, Err(AtError::Garbled));
                // The channel is a command line again.
                bench.control.clock().await.unwrap();
                drop(socket);
                reconnect(bench, &received).await;
                assert_eq!(received.borrow()[0], MESSAGE);
                assert_eq!(bench.control.counters().restarts, 0);
            })
            .await;
    });
}

fn paced() -> Options {
    Options {
        pdp_active: true,
        baud: Some(115_200),
        ..quick()
    }
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn modem_may_reset_at_any_byte_with_its_banner() {
    let limit = paced().reset_time + SECOND * 2;
    let ordeal = Ordeal {
        failure: Failure::Reset,
        step: every(5),
        status: true,
        noticed: limit,
        recovered: SECOND * 30,
    };
    fail_everywhere(&bg96(Config::new(), paced()), &ordeal);
}

#[test]
fn modem_may_reset_at_any_byte_with_a_banner_in_the_middle_of_payload() {
    let options = || Options {
        reset_time: Duration::from_millis(100),
        ..paced()
    };
    let ordeal = Ordeal {
        failure: Failure::Reset,
        step: every(11),
        status: true,
        noticed: SECOND * 2,
        recovered: SECOND * 30,
    };
    fail_everywhere(&bg96(Config::new(), options()), &ordeal);
}

/// Where `POWERED DOWN` is counted as payload, the sockets beside that one learn of it when the modem
/// does not answer, which takes longer.
const COUNTED: Duration = Duration::from_millis(4500);

#[test]
fn modem_may_power_down_at_any_byte() {
    let ordeal = Ordeal {
        failure: Failure::PoweredDown,
        step: every(11),
        status: true,
        noticed: COUNTED,
        recovered: SECOND * 30,
    };
    fail_everywhere(&bg96(Config::new(), paced()), &ordeal);
}

/// Nothing tells of it: a query that goes unanswered or is echoed does, or the running command's own
/// limit.
#[test]
fn supply_may_dip_at_any_byte_without_a_word() {
    let longest_command = SECOND * 120;
    let limit = Timing::DEFAULT.poll + Timing::SILENCE_LIMIT + longest_command;
    let ordeal = Ordeal {
        failure: Failure::BrownOut,
        step: every(11),
        status: true,
        noticed: limit,
        recovered: limit + SECOND * 30,
    };
    fail_everywhere(&bg96(Config::new(), paced()), &ordeal);
}

#[test]
fn modem_may_hang_at_any_byte_and_is_switched_off_and_on() {
    let limit = Timing::DEFAULT.poll + Timing::SILENCE_LIMIT + SECOND * 120;
    for status in [true, false] {
        let ordeal = Ordeal {
            failure: Failure::Hang,
            step: every(23),
            status,
            noticed: limit,
            recovered: limit + SECOND * 90,
        };
        fail_everywhere(&bg96(Config::new(), paced()), &ordeal);
    }
}

#[test]
fn modem_may_save_power_at_any_byte_unasked() {
    for status in [true, false] {
        let ordeal = Ordeal {
            failure: Failure::PowerSaving,
            step: every(29),
            status,
            noticed: COUNTED,
            recovered: SECOND * 60,
        };
        fail_everywhere(&bg96(Config::new(), paced()), &ordeal);
    }
}

/// What an application does about any error: it waits and connects anew.
async fn reconnect(bench: Bench, received: &Received) -> (usize, Duration) {
    let start = Instant::now();
    let mut backoff = Backoff::new(SECOND, SECOND * 60, 1);
    for failures in 0.. {
        if let Ok(mut socket) = connect(bench).await {
            round_trip(&mut socket, MESSAGE).await.unwrap();
            assert_eq!(received.borrow().last().unwrap(), MESSAGE);
            return (failures, start.elapsed());
        }
        assert!(start.elapsed() < SECOND * 3600);
        Timer::after(backoff.next()).await;
    }
    unreachable!("it goes on for ever")
}

#[test]
fn network_that_goes_and_comes_back_costs_a_reconnect() {
    for away in [1, 10, 100, 1000] {
        virtually(async || {
            let (world, received) = world(paced());
            world
                .attach(async |bench| {
                    let mut socket = connect(bench).await.unwrap();
                    world.modem.set_registered(false);
                    let end = with_timeout(SECOND * 2, socket.read(&mut [0])).await;
                    assert_eq!(end, Ok(Err(SocketError::ConnectionReset)));
                    drop(socket);
                    let back = async {
                        Timer::after_secs(away).await;
                        world.modem.set_registered(true);
                    };
                    let ((_, took), ()) = join(reconnect(bench, &received), back).await;
                    assert!(took < SECOND * (away as u32 + 95), "{away}: {took:?}");
                    // The context is made once more, when there is a network to make it with.
                    assert_eq!(world.count("AT+QIACT=1"), 1, "{:?}", world.commands());
                })
                .await;
        });
    }
}

#[test]
fn data_connection_lost_without_a_word_is_no_end_of_file() {
    virtually(async || {
        let (world, received) = world(paced());
        world
            .attach(async |bench| {
                let mut socket = connect(bench).await.unwrap();
                world.modem.drop_pdp_silently(1);
                let start = Instant::now();
                assert_eq!(
                    socket.read(&mut [0]).await,
                    Err(SocketError::ConnectionReset)
                );
                assert!(
                    start.elapsed() < Timing::DEFAULT.poll * 4,
                    "{:?}",
                    start.elapsed()
                );
                drop(socket);
                // And when no socket was there to notice it.
                reconnect(bench, &received).await;
                Timer::after_secs(5).await;
                world.modem.drop_pdp_silently(1);
                let (failures, took) = reconnect(bench, &received).await;
                assert_eq!(failures, 1);
                assert!(took < SECOND * 10, "{took:?}");
            })
            .await;
    });
}

const APN: Config = match Config::new().apn("iot.example") {
    Ok(config) => config,
    Err(_) => panic!("not an APN"),
};

const SET: &str = "AT+QICSGP=1,1,\"iot.example\",\"\",\"\",0";
const ASK: &str = "AT+QIACT?";
const UP: &str = "AT+QIACT=1";
const DOWN: &str = "AT+QIDEACT=1";

/// The commands about the data connection, in the order in which they came.
fn about_data(world: &World) -> Vec<String> {
    let about = |line: &String| line.starts_with("AT+QI") && !line.starts_with("AT+QISDE");
    world.commands().into_iter().filter(about).collect()
}

/// The notice was for a host that did not live to do what it asks for, and is not repeated.
#[test]
fn data_connection_lost_in_an_earlier_life_is_made_anew() {
    for announced in [true, false] {
        for (config, expected) in [
            (Config::new(), &[ASK, UP, DOWN, UP][..]),
            (APN, &[ASK, SET, DOWN, SET, UP]),
        ] {
            virtually(async || {
                let (world, received) = world(paced());
                left_open(&world).await;
                if announced {
                    world.modem.drop_pdp(1);
                    dead_host(&world, &[(b"", 100)]).await;
                } else {
                    world.modem.drop_pdp_silently(1);
                }
                let before = about_data(&world).len();
                world
                    .attach_with(config, NoPins, async |bench| {
                        let (failures, took) = reconnect(bench, &received).await;
                        assert_eq!(failures, 0, "{announced}");
                        assert!(took < SECOND * 10, "{took:?}");
                    })
                    .await;
                assert_eq!(about_data(&world)[before..], *expected);
            });
        }
    }
}

/// How many connects fail before one succeeds, by what was left of the data connection. No restart costs what a
/// deactivation would have cured.
#[test]
fn whatever_is_left_of_a_data_connection_ends_in_a_working_one() {
    for (left, failures, restarts) in [
        (None, 0, 0),
        (Some(PdpLeft::Lost), 0, 0),
        (Some(PdpLeft::Hidden), 0, 0),
        (Some(PdpLeft::Stuck), 3, 1),
        (Some(PdpLeft::Others), 3, 1),
    ] {
        for config in [Config::new(), APN] {
            virtually(async || {
                let (world, received) = world(Options {
                    pdp_active: false,
                    pdp_left: left,
                    ..paced()
                });
                world
                    .attach_with(config, NoPins, async |bench| {
                        let mut named = 0;
                        let start = Instant::now();
                        // Each attempt is told.
                        let control = bench.control.patience(Duration::MIN);
                        while let Err(error) = control.wait_up().await {
                            assert!(matches!(error, BringUpError::PdpRefused(_)), "{error:?}");
                            named += 1;
                            assert!(start.elapsed() < SECOND * 600, "{left:?}");
                        }
                        assert_eq!(named, failures, "{left:?}");
                        assert_eq!(reconnect(bench, &received).await.0, 0, "{left:?}");
                    })
                    .await;
                assert_eq!(world.count("AT+CFUN=1,1"), restarts, "{left:?}");
            });
        }
    }
}

/// A refusal that passes: of the first activation, and of both.
#[test]
fn data_connection_refused_for_a_moment_costs_no_restart() {
    for refusals in [1, 2, 3, 4] {
        virtually(async || {
            let (world, received) = world(Options {
                pdp_active: false,
                ..paced()
            });
            let mut left = refusals;
            world.modem.set_script(Box::new(move |line| {
                if line == b"AT+QIACT=1" && left > 0 {
                    left -= 1;
                    return Reaction::Reply(b"\r\nERROR\r\n".into());
                }
                Reaction::Normal
            }));
            world
                .attach_with(APN, NoPins, async |bench| {
                    // The runner tries again while the connect waits.
                    let (failures, _) = reconnect(bench, &received).await;
                    assert_eq!(failures, 0, "{refusals}");
                    if refusals == 1 {
                        // Nothing is said twice that was taken once.
                        assert_eq!(about_data(&world), [ASK, SET, UP, DOWN, UP]);
                    }
                    assert_eq!(world.count("AT+CFUN=1,1"), 0, "{refusals}");
                })
                .await;
        });
    }
}

/// Between the notice and the new data connection, at each byte that is sent.
#[test]
fn mcu_may_reset_at_any_byte_after_the_notice_of_a_lost_data_connection() {
    for config in [Config::new(), APN] {
        let live = async |bench: Bench, world: &World| {
            let mut socket = connect(bench).await.unwrap();
            world.modem.drop_pdp(1);
            let _ = socket.read(&mut [0]).await;
            drop(socket);
            bench.control.wait_up().await.unwrap();
        };
        let span = std::cell::Cell::new((0, 0));
        virtually(async || {
            let (world, _) = world(quick());
            world
                .attach_with(config, NoPins, async |bench| {
                    connect(bench).await.unwrap().close().await.unwrap();
                    let connected = world.modem.bytes_in();
                    live(bench, &world).await;
                    span.set((connected, world.modem.bytes_in()));
                })
                .await;
        });
        let (from, to) = span.get();
        assert!(to > from + 100, "{from} {to}");
        for bytes in (from..to).step_by(every(7)) {
            virtually(async || {
                let (world, received) = world(quick());
                world
                    .attach_for_with(bytes, config, NoPins, async |bench| {
                        connect(bench).await.unwrap().close().await.unwrap();
                        live(bench, &world).await;
                    })
                    .await;
                let took = recovers(&world, &received, "lost data connection").await;
                assert!(took < SECOND * 30, "{bytes}: {took:?}");
            });
        }
    }
}

/// Another host's connections have all numbers, and a close of ours does not reach them.
#[test]
fn numbers_that_another_family_of_sockets_holds_are_freed_with_the_data_connection() {
    virtually(async || {
        let (world, received) = world(Options {
            pdp_active: true,
            ..quick()
        });
        let streams = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
        world.network.register("silent.test", 1, move |stream| {
            streams.borrow_mut().push(stream)
        });
        let opens: Vec<_> = (0..12)
            .map(|id| format!("AT+QIOPEN=1,{id},\"TCP\",\"silent.test\",1,0,0\r").into_bytes())
            .collect();
        let steps: Vec<_> = opens.iter().map(|open| (&open[..], 200)).collect();
        dead_host(&world, &steps).await;
        assert_eq!(world.modem.open_sockets().len(), 12);
        world
            .attach(async |bench| {
                let (failures, _) = reconnect(bench, &received).await;
                assert_eq!(failures, 5, "then the data connection is made anew");
            })
            .await;
        assert_eq!(world.count("AT+CFUN=1,1"), 0);
    });
}

/// Every open is answered with this number, until `cure` is sent.
fn opens_fail_with(world: &World, number: u16, cure: &'static str) {
    let mut cured = false;
    world.modem.set_script(Box::new(move |line| {
        let line = String::from_utf8_lossy(line).into_owned();
        cured |= line == cure;
        match line.strip_prefix("AT+QSSLOPEN=1,") {
            Some(arguments) if !cured => {
                let id = arguments.split(',').nth(1).unwrap();
                Reaction::Reply(format!("\r\nOK\r\n\r\n+QSSLOPEN: {id},{number}\r\n").into())
            }
            _ => Reaction::Normal,
        }
    }));
}

#[test]
fn opens_that_keep_failing_get_a_new_context_or_a_restart() {
    for (number, cure, expected) in [
        (566, "AT+QIDEACT=1", 5),
        (570, "AT+QIDEACT=1", 1),
        (552, "AT+CFUN=1,1", 4),
    ] {
        virtually(async || {
            let (world, received) = world(paced());
            opens_fail_with(&world, number, cure);
            world
                .attach(async |bench| {
                    let (failures, _) = reconnect(bench, &received).await;
                    assert_eq!(failures, expected, "{number}");
                    assert_eq!(world.count(cure), 1);
                })
                .await;
        });
    }
}

#[test]
fn remedies_do_not_cost_a_connection_that_stands() {
    virtually(async || {
        let (world, _) = world(paced());
        world
            .attach(async |bench| {
                let mut socket = connect(bench).await.unwrap();
                opens_fail_with(&world, 552, "never");
                for _ in 0..20 {
                    assert!(connect(bench).await.is_err());
                }
                round_trip(&mut socket, MESSAGE).await.unwrap();
            })
            .await;
    });
}

#[test]
fn hung_modem_without_pins_is_reported_and_asked_for_ever() {
    virtually(async || {
        let (world, received) = world(paced());
        world
            .attach(async |bench| {
                let mut socket = connect(bench).await.unwrap();
                world.modem.fail(Failure::Hang);
                let limit = Timing::DEFAULT.poll + Timing::SILENCE_LIMIT;
                let end = with_timeout(limit, socket.read(&mut [0])).await;
                assert_eq!(end, Ok(Err(SocketError::ConnectionReset)));
                drop(socket);
                // The socket ends at once; that the modem answers nothing at all is known a little later.
                let known = async {
                    while bench.control.wait_up().await.is_ok() {
                        Timer::after_secs(1).await;
                    }
                };
                assert_eq!(with_timeout(SECOND * 60, known).await, Ok(()));
                let start = Instant::now();
                let mut attempts = 0;
                while start.elapsed() < SECOND * 3600 {
                    assert_eq!(bench.control.wait_up().await, Err(BringUpError::NoAnswer));
                    attempts += 1;
                }
                // Each takes half a minute, and a pause of at most as much.
                assert!((60..180).contains(&attempts), "{attempts}");
                world.modem.reset();
                let (_, took) = reconnect(bench, &received).await;
                assert!(took < SECOND * 60, "{took:?}");
            })
            .await;
    });
}

/// Pins of which only the reset does anything.
struct ResetOnly {
    modem: Simulator,
    key: bool,
}

impl Power for ResetOnly {
    fn has_power_key(&self) -> bool {
        self.key
    }
    fn has_reset(&self) -> bool {
        true
    }
    fn power_key(&mut self, _: bool) {}
    fn reset(&mut self, asserted: bool) {
        self.modem.reset_pin(asserted);
    }
    fn status(&mut self) -> Option<bool> {
        None
    }
}

#[test]
fn hung_modem_is_reset_when_there_is_no_key_or_it_does_not_help() {
    for key in [false, true] {
        virtually(async || {
            let (world, received) = world(paced());
            let pins = ResetOnly {
                modem: world.modem.clone(),
                key,
            };
            world.modem.fail(Failure::Hang);
            world
                .attach_with(Config::new(), pins, async |bench| {
                    let (_, took) = reconnect(bench, &received).await;
                    assert!(took < SECOND * 60, "{took:?}");
                })
                .await;
        });
    }
}

#[test]
fn modem_may_reset_at_any_byte_while_it_pushes_data() {
    let limit = paced().reset_time + SECOND * 2;
    let ordeal = Ordeal {
        failure: Failure::Reset,
        step: every(11),
        status: true,
        noticed: limit,
        recovered: SECOND * 30,
    };
    fail_everywhere(&bg96(Config::new().direct_push(), paced()), &ordeal);
}

#[test]
fn restart_whose_banner_was_lost_is_found_out_by_what_follows_it() {
    virtually(async || {
        let (world, received) = world(paced());
        world
            .attach(async |bench| {
                let mut socket = connect(bench).await.unwrap();
                // Late, and no sign of anything else.
                world.modem.inject_bytes(b"\r\nAPP RDY\r\n");
                round_trip(&mut socket, MESSAGE).await.unwrap();
                Timer::after_secs(1).await;
                round_trip(&mut socket, MESSAGE).await.unwrap();
                world.modem.fail(Failure::BrownOut);
                Timer::after(paced().reset_time + SECOND / 10).await;
                world.modem.inject_bytes(b"\xff\x81Y\r\n\r\nAPP RDY\r\n");
                let end = with_timeout(SECOND * 2, socket.read(&mut [0])).await;
                assert_eq!(end, Ok(Err(SocketError::ConnectionReset)));
                drop(socket);
                reconnect(bench, &received).await;
            })
            .await;
    });
}

#[test]
fn uart_may_pause_at_any_byte() {
    // Nothing; longer than a quick command, a pause of payload and the modem's patience with a file;
    // longer than everything.
    for (pause, step) in [(1, 53), (4, 29), (7, 29), (30, 29), (300, 53)] {
        stall_everywhere(&bg96(Config::new(), paced()), SECOND * pause, every(step));
    }
}

/// A dialect of each kind: a current socket with and without a deaf UART, native TLS, handles.
fn nrf9160(dialect: &str) -> Nrf9160Unit {
    Nrf9160Unit::new(dialect).with(|options| options.turnaround = Duration::from_millis(20))
}

fn paced_nrf9160(dialect: &str) -> Nrf9160Unit {
    nrf9160(dialect).with(|options| options.baud = Some(115_200))
}

const DIALECTS: [&str; 4] = ["2.1", "2.5", "3.1-native", "sm"];

#[test]
fn nrf9160_mcu_may_reset_at_any_byte_of_a_session() {
    for dialect in DIALECTS {
        mcu_resets_everywhere(&nrf9160(dialect), every(11));
    }
}

#[test]
fn nrf9160_modem_may_reset_at_any_byte() {
    for dialect in DIALECTS {
        let unit = paced_nrf9160(dialect);
        let ordeal = Ordeal {
            failure: Failure::Reset,
            step: every(23),
            status: true,
            noticed: unit.options.boot_time + SECOND * 2,
            recovered: SECOND * 30,
        };
        fail_everywhere(&unit, &ordeal);
    }
}

#[test]
fn nrf9160_modem_may_reset_at_any_byte_with_a_banner_in_the_middle_of_payload() {
    for dialect in ["2.5", "sm"] {
        let unit = paced_nrf9160(dialect).with(|options| {
            options.boot_time = Duration::from_millis(100);
            options.ready_junk = vec![0xc0];
        });
        let ordeal = Ordeal {
            failure: Failure::Reset,
            step: every(41),
            status: true,
            noticed: SECOND * 2,
            recovered: SECOND * 30,
        };
        fail_everywhere(&unit, &ordeal);
    }
}

/// The firmware lives on, without `Ready`.
#[test]
fn nrf9160_modem_core_may_crash_at_any_byte() {
    for dialect in DIALECTS {
        let ordeal = Ordeal {
            failure: Failure::PoweredDown,
            step: every(29),
            status: true,
            noticed: SECOND * 4,
            recovered: SECOND * 30,
        };
        fail_everywhere(&paced_nrf9160(dialect), &ordeal);
    }
}

#[test]
fn nrf9160_uart_may_pause_at_any_byte() {
    for dialect in ["2.1", "sm"] {
        for (pause, step) in [(1, 211), (7, 211), (300, 211)] {
            stall_everywhere(&paced_nrf9160(dialect), SECOND * pause, every(step));
        }
    }
}

fn ublox(model: &str) -> UbloxUnit {
    UbloxUnit::new(model).with(|options| {
        options.turnaround = Duration::from_millis(20);
        options.takes_anything = true;
    })
}

fn paced_ublox(model: &str) -> UbloxUnit {
    ublox(model).with(|options| options.baud = Some(115_200))
}

const MODELS: [&str; 3] = ["sara-u201", "sara-r5", "sara-r4-02b"];

#[test]
fn ublox_mcu_may_reset_at_any_byte_of_a_session() {
    for model in MODELS {
        mcu_resets_everywhere(&ublox(model), every(31));
    }
}

/// There is no banner: a query that goes unanswered, or is answered by one that has forgotten its settings, tells of it.
#[test]
fn ublox_module_may_reset_at_any_byte_without_a_word() {
    for model in MODELS {
        let limit = Timing::DEFAULT.poll + Timing::SILENCE_LIMIT + SECOND * 120;
        let ordeal = Ordeal {
            failure: Failure::Reset,
            step: every(97),
            status: true,
            noticed: limit,
            recovered: limit + SECOND * 30,
        };
        fail_everywhere(&paced_ublox(model), &ordeal);
    }
}

/// Without a status pin nobody knows whether a press of the key does anything: one that switches on is too short for a
/// module that hangs.
#[test]
fn ublox_module_may_hang_at_any_byte_and_is_switched_off_and_on() {
    let limit = Timing::DEFAULT.poll + Timing::SILENCE_LIMIT + SECOND * 120;
    for (model, status, step) in [
        ("sara-r5", true, 211),
        ("sara-r5", false, 211),
        ("sara-u201", false, 997),
        ("sara-r4-02b", false, 997),
        ("lara-r6", false, 997),
        ("lena-r8", false, 997),
        ("lexi-r10", false, 997),
    ] {
        let ordeal = Ordeal {
            failure: Failure::Hang,
            step: every(step),
            status,
            noticed: limit,
            recovered: limit + SECOND * 90,
        };
        fail_everywhere(&paced_ublox(model), &ordeal);
    }
}

#[test]
fn ublox_uart_may_pause_at_any_byte() {
    for (pause, step) in [(1, 211), (7, 211), (300, 211)] {
        stall_everywhere(&paced_ublox("sara-r5"), SECOND * pause, every(step));
    }
}

fn short_range(model: &str) -> ShortRangeUnit {
    ShortRangeUnit::new(model).with(|options| {
        options.turnaround = Duration::from_millis(20);
        options.baud = Some(115_200);
    })
}

#[test]
fn ublox_short_range_mcu_may_reset_at_any_byte_of_a_session() {
    mcu_resets_everywhere(&short_range("odin"), every(7));
}

#[test]
fn ublox_short_range_module_may_reset_at_any_byte() {
    for start_mode in [ShortRangeMode::Command, ShortRangeMode::Frames] {
        let unit = short_range("odin").with(|options| options.start_mode = start_mode);
        let ordeal = Ordeal {
            failure: Failure::Reset,
            step: every(19),
            status: true,
            noticed: unit.options.boot_time + SECOND * 2,
            recovered: SECOND * 40,
        };
        fail_everywhere(&unit, &ordeal);
    }
}

#[test]
fn ublox_short_range_uart_may_pause_at_any_byte() {
    for (pause, step) in [(1, 97), (7, 97), (300, 97)] {
        stall_everywhere(&short_range("odin"), SECOND * pause, every(step));
    }
}
