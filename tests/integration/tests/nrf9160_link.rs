//! Between MCU and modem: speeds, sleep, and who restarted.

use embassy_time::{Duration, Instant, Timer, with_timeout};
use embedded_io_async::{Read, Write};
use sectag::{AnySpeed, AtError, BringUpError, NoPins, SocketError};
use sectag_integration_tests::nrf9160::{
    CONFIG, Wired, World, connect, label, options, provision, round_trip, usable,
};
use sectag_integration_tests::simulated::virtually;
use sectag_nrf9160::Restart;
use sectag_simulator::{Failure, Nrf9160Options, Nrf9160Profile};
use sectag_test_support::tls_server::{TlsStream, echo};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

/// Up to 2.4 a speed that somebody set outlives every reset (sheet 1.1).
#[test]
fn a_modem_is_found_at_whatever_speed_it_was_left() {
    for rate in [1_200, 9_600, 57_600, 921_600, 1_000_000] {
        for profile in [Nrf9160Profile::V2_0, Nrf9160Profile::V2_4] {
            let name = format!("{} at {rate}", label(&profile));
            virtually(async || {
                let world = World::new(Nrf9160Options {
                    stored_rate: Some(rate),
                    ..options(profile)
                });
                world.serve(echo);
                world.modem.set_host_rate(115_200);
                let uart = world.modem.clone();
                let power = AnySpeed::new(NoPins, move |baud| uart.set_host_rate(baud));
                world
                    .attach_by(CONFIG, power, async |bench| {
                        let began = Instant::now();
                        bench
                            .control
                            .wait_up()
                            .await
                            .unwrap_or_else(|error| panic!("{name}: {error}"));
                        assert!(began.elapsed() < Duration::from_secs(90), "{name}");
                        provision(bench).await;
                        let mut socket = connect(bench).await.unwrap();
                        assert_eq!(round_trip(&mut socket, b"found").await, b"found", "{name}");
                        // And once more at once: it stays there.
                        world.modem.reset();
                        let began = Instant::now();
                        let connected = with_timeout(Duration::from_secs(60), async {
                            loop {
                                if let Ok(socket) = connect(bench).await {
                                    break socket;
                                }
                            }
                        });
                        connected.await.unwrap_or_else(|_| panic!("{name}"));
                        assert!(began.elapsed() < Duration::from_secs(15), "{name}");
                    })
                    .await;
            });
        }
    }
}

#[test]
fn without_a_way_to_change_it_the_speed_is_named_as_a_cause() {
    virtually(async || {
        let world = World::new(Nrf9160Options {
            stored_rate: Some(9_600),
            ..options(Nrf9160Profile::V2_1)
        });
        world.modem.set_host_rate(115_200);
        world
            .attach(async |bench| {
                let error = bench.control.wait_up().await.err().unwrap();
                assert_eq!(error, BringUpError::Unintelligible);
                assert!(
                    error
                        .causes()
                        .any(|cause| cause == sectag::Cause::WrongSpeed)
                );
            })
            .await;
    });
}

fn sleeper(world: &World) -> Wired {
    Wired(world.modem.clone())
}

/// Sheet 1.5: waking from `#XSLEEP=2` says `Ready` as a reset does, and is none.
#[test]
fn waking_is_no_reset() {
    for profile in Nrf9160Profile::ALL {
        let name = label(&profile);
        virtually(async || {
            let world = World::new(options(profile));
            world.serve(echo);
            world
                .attach_by(CONFIG, sleeper(&world), async |bench| {
                    provision(bench).await;
                    let mut socket = connect(bench).await.unwrap();
                    let slept = bench.control.sleep().await;
                    if profile.serial_modem {
                        assert_eq!(slept, Err(AtError::Unsupported));
                        return;
                    }
                    slept.unwrap();
                    world.modem.take_commands();
                    Timer::after_secs(600).await;
                    assert!(
                        world.modem.commands().is_empty(),
                        "{name} was not left alone"
                    );
                    assert!(bench.control.is_asleep(), "{name}");
                    assert_eq!(round_trip(&mut socket, b"awake").await, b"awake", "{name}");
                    assert!(!bench.control.is_asleep(), "{name}");
                    assert_eq!(
                        bench.control.modem(|modem| modem.last_restart()),
                        None,
                        "{name}"
                    );
                    assert_eq!(bench.control.counters().restarts, 0, "{name}");
                    // And again, by a command.
                    bench.control.sleep().await.unwrap();
                    Timer::after_secs(1).await;
                    assert!(bench.control.clock().await.unwrap().is_some(), "{name}");
                    assert_eq!(round_trip(&mut socket, b"again").await, b"again", "{name}");
                })
                .await;
        });
    }
}

#[test]
fn a_reset_while_it_sleeps_is_a_reset() {
    for profile in [
        Nrf9160Profile::V2_1,
        Nrf9160Profile::V2_5,
        Nrf9160Profile::V3_1,
    ] {
        let name = label(&profile);
        virtually(async || {
            let world = World::new(Nrf9160Options {
                ready_junk: vec![0xff],
                ..options(profile)
            });
            world.serve(echo);
            world
                .attach_by(CONFIG, sleeper(&world), async |bench| {
                    provision(bench).await;
                    let mut socket = connect(bench).await.unwrap();
                    bench.control.sleep().await.unwrap();
                    Timer::after_secs(5).await;
                    world.modem.reset();
                    let lost =
                        with_timeout(Duration::from_secs(10), socket.read(&mut [0; 8])).await;
                    assert_eq!(lost, Ok(Err(SocketError::ConnectionReset)), "{name}");
                    drop(socket);
                    let mut socket = connect(bench).await.unwrap();
                    assert_eq!(round_trip(&mut socket, b"again").await, b"again", "{name}");
                })
                .await;
        });
    }
}

/// What comes while it sleeps is shown by a pin, and the application has it woken.
#[test]
fn data_that_waits_is_shown_by_the_indicate_pin() {
    virtually(async || {
        let world = World::new(options(Nrf9160Profile::V2_5));
        world.serve(async |mut stream: TlsStream<DuplexStream>| {
            let mut byte = [0];
            stream.read_exact(&mut byte).await?;
            Timer::after_secs(30).await;
            stream.write_all(b"news").await?;
            stream.flush().await?;
            stream.read_to_end(&mut Vec::new()).await
        });
        world
            .attach_by(CONFIG, sleeper(&world), async |bench| {
                provision(bench).await;
                let mut socket = connect(bench).await.unwrap();
                socket.write_all(b"?").await.unwrap();
                socket.flush().await.unwrap();
                bench.control.sleep().await.unwrap();
                let mut news = [0; 4];
                {
                    let mut waiting = std::pin::pin!(socket.read_exact(&mut news));
                    let asleep = with_timeout(Duration::from_secs(60), &mut waiting).await;
                    assert!(asleep.is_err() && bench.control.is_asleep());
                    // A notice waits: the modem core's, for SLM 2.5 has none of sockets.
                    world.modem.inject_urc("%XTIME: ,\"62108010543040\"");
                    assert!(world.modem.indicate_pin());
                    bench.control.wake().await.unwrap();
                    let awake = with_timeout(Duration::from_secs(5), waiting).await;
                    awake.unwrap().unwrap();
                }
                assert_eq!(&news, b"news");
            })
            .await;
    });
}

#[test]
fn without_a_wake_pin_it_is_not_let_sleep() {
    virtually(async || {
        let world = World::new(options(Nrf9160Profile::V2_1));
        world
            .attach(async |bench| {
                bench.control.wait_up().await.unwrap();
                assert_eq!(bench.control.sleep().await, Err(AtError::Unsupported));
            })
            .await;
        assert!(!world.commands().iter().any(|line| line.contains("XSLEEP")));
    });
}

/// An MCU that was reset while the modem slept wakes it by its pin.
#[test]
fn a_sleeping_modem_is_woken_at_start_up() {
    virtually(async || {
        let world = World::new(options(Nrf9160Profile::V2_1));
        world.serve(echo);
        world
            .attach_by(CONFIG, sleeper(&world), async |bench| {
                provision(bench).await;
                std::mem::forget(connect(bench).await.unwrap());
                bench.control.sleep().await.unwrap();
                Timer::after_secs(1).await;
            })
            .await;
        world
            .attach_by(CONFIG, sleeper(&world), async |bench| {
                let mut socket = connect(bench).await.unwrap();
                assert_eq!(round_trip(&mut socket, b"again").await, b"again");
                assert_eq!(world.modem.open_sockets().len(), 1);
            })
            .await;
    });
}

#[test]
fn restarts_are_told_apart() {
    for profile in Nrf9160Profile::ALL {
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
                    let last = || bench.control.modem(|modem| modem.last_restart());
                    assert_eq!(last(), None, "{name}");
                    let core = Restart::ModemCore { reason: 0x10 };
                    for expected in [core, Restart::Application] {
                        let mut socket = connect(bench).await.unwrap();
                        if expected == core {
                            world.modem.crash();
                        } else {
                            world.modem.reset();
                        }
                        let lost = socket.read(&mut [0; 8]).await;
                        assert_eq!(lost, Err(SocketError::ConnectionReset), "{name}");
                        assert_eq!(last(), Some(expected), "{name}");
                    }
                })
                .await;
        });
    }
}

/// An application that hangs says nothing; the reset pin brings it back.
#[test]
fn a_modem_that_hangs_is_reset() {
    for profile in usable() {
        let name = label(&profile);
        virtually(async || {
            let world = World::new(options(profile));
            world.serve(echo);
            world
                .attach_by(CONFIG, sleeper(&world), async |bench| {
                    provision(bench).await;
                    let mut socket = connect(bench).await.unwrap();
                    world.modem.fail(Failure::Hang);
                    let lost =
                        with_timeout(Duration::from_secs(80), socket.read(&mut [0; 8])).await;
                    assert_eq!(lost, Ok(Err(SocketError::ConnectionReset)), "{name}");
                    drop(socket);
                    let back = with_timeout(Duration::from_secs(300), async {
                        loop {
                            if let Ok(socket) = connect(bench).await {
                                break socket;
                            }
                        }
                    });
                    let mut socket = back.await.unwrap_or_else(|_| panic!("{name}"));
                    assert_eq!(round_trip(&mut socket, b"again").await, b"again", "{name}");
                })
                .await;
        });
    }
}

/// PSM of the modem core is none of the sockets' business.
#[test]
fn power_saving_of_the_core_ends_nothing() {
    for profile in usable() {
        let name = label(&profile);
        virtually(async || {
            let world = World::new(options(profile));
            world.serve(echo);
            world
                .attach(async |bench| {
                    provision(bench).await;
                    let mut socket = connect(bench).await.unwrap();
                    world.modem.fail(Failure::PowerSaving);
                    Timer::after_secs(5).await;
                    assert_eq!(round_trip(&mut socket, b"alive").await, b"alive", "{name}");
                    assert!(!bench.control.is_asleep());
                })
                .await;
        });
    }
}

/// Off is off until the application wants it, and needs a pin that leads back.
#[test]
fn a_modem_is_switched_off_and_on() {
    for profile in Nrf9160Profile::ALL {
        let name = label(&profile);
        virtually(async || {
            let world = World::new(options(profile));
            world.serve(echo);
            world
                .attach_by(CONFIG, sleeper(&world), async |bench| {
                    provision(bench).await;
                    let mut socket = connect(bench).await.unwrap();
                    let off = bench.control.power_off().await;
                    off.unwrap_or_else(|error| panic!("{name}: {error}"));
                    let lost = socket.read(&mut [0; 8]).await;
                    assert_eq!(lost, Err(SocketError::ConnectionReset), "{name}");
                    drop(socket);
                    assert!(!world.modem.status_pin(), "{name}");
                    Timer::after_secs(100).await;
                    assert!(!world.modem.status_pin(), "{name} was switched on");
                    bench.control.power_on();
                    let mut socket = connect(bench).await.unwrap();
                    assert_eq!(round_trip(&mut socket, b"on").await, b"on", "{name}");
                })
                .await;
            world
                .attach(async |bench| {
                    bench.control.wait_up().await.unwrap();
                    let off = bench.control.power_off().await;
                    assert!(off.is_err() && world.modem.status_pin(), "{name}: {off:?}");
                })
                .await;
        });
    }
}
