//! Switching off, power saving mode and light sleep.

use embassy_futures::join::join;
use embassy_futures::select::{Either, select};
use embassy_time::{Duration, Instant, Timer, with_timeout};
use embedded_io_async::{Read, Write};
use sectag::{
    AtError, BringUpError, ConnectError, Edrx, NoPins, Power, PowerSaving, Shutdown, SocketError,
    Technology,
};
use sectag_bg96::Config;
use sectag_integration_tests::Bench;
use sectag_integration_tests::simulated::{HOST, PORT, TLS, World, provision, virtually};
use sectag_simulator::{Options, Profile, Reaction, Simulator};
use sectag_test_support::tls_server::echo;

/// All pins of the simulated modem.
struct Board(Simulator);

impl Power for Board {
    fn has_power_key(&self) -> bool {
        true
    }
    fn has_reset(&self) -> bool {
        false
    }
    fn power_key(&mut self, pressed: bool) {
        self.0.power_key(pressed);
    }
    fn reset(&mut self, _asserted: bool) {}
    fn status(&mut self) -> Option<bool> {
        Some(self.0.status_pin())
    }
    fn has_sleep(&self) -> bool {
        true
    }
    fn sleep(&mut self, asleep: bool) {
        self.0.sleep_pin(asleep);
    }
}

fn world(options: Options) -> World {
    let world = World::new(options);
    world.serve(echo);
    world
}

async fn on_board<T>(world: &World, application: impl AsyncFnOnce(Bench) -> T) -> T {
    let board = Board(world.modem.clone());
    world
        .attach_with(Config::new(), board, async |bench| application(bench).await)
        .await
}

async fn connect(bench: Bench) -> sectag::Socket<'static> {
    bench.control.connect(HOST, PORT, &TLS).await.unwrap()
}

async fn echoes(socket: &mut sectag::Socket<'_>, text: &[u8]) {
    socket.write_all(text).await.unwrap();
    socket.flush().await.unwrap();
    let mut back = vec![0; text.len()];
    socket.read_exact(&mut back).await.unwrap();
    assert_eq!(back, text);
}

#[test]
fn what_is_switched_off_stays_off_until_switched_on() {
    virtually(async || {
        let world = world(Options::default());
        on_board(&world, async |bench| {
            provision(bench).await;
            let mut socket = connect(bench).await;
            let before = world.modem.exchanges();
            assert_eq!(bench.control.power_off().await, Ok(Shutdown::Confirmed));
            assert!(!world.modem.status_pin());
            // Nothing but the word itself, and nothing afterwards.
            assert_eq!(world.modem.exchanges(), before + 1);
            let bytes = world.modem.bytes_in();
            assert_eq!(
                socket.read(&mut [0]).await,
                Err(SocketError::ConnectionReset)
            );
            drop(socket);
            Timer::after_secs(3600).await;
            assert!(bench.control.is_asleep());
            let off = BringUpError::PoweredOff;
            assert_eq!(bench.control.wait_up().await, Err(off));
            assert_eq!(bench.control.power_off().await, Err(off));
            assert_eq!(bench.control.status().await.problem, Some(off));
            assert!(matches!(
                bench.control.connect(HOST, PORT, &TLS).await,
                Err(ConnectError::BringUp(BringUpError::PoweredOff))
            ));
            assert_eq!(world.modem.bytes_in(), bytes);
            assert!(!world.modem.status_pin());

            bench.control.power_on();
            let start = Instant::now();
            bench.control.wait_up().await.unwrap();
            assert!(start.elapsed() < Duration::from_secs(10));
            echoes(&mut connect(bench).await, b"again").await;
        })
        .await;
    });
}

#[test]
fn firmware_that_never_says_that_it_is_down_is_given_its_time() {
    virtually(async || {
        let world = world(Options {
            profile: Profile {
                announces_power_down: false,
                ..Profile::BG96_LATER
            },
            ..Options::default()
        });
        on_board(&world, async |bench| {
            bench.control.wait_up().await.unwrap();
            let start = Instant::now();
            assert_eq!(bench.control.power_off().await, Ok(Shutdown::Assumed));
            assert_eq!(start.elapsed().as_secs(), 65);
            assert!(!world.modem.status_pin());
            bench.control.power_on();
            bench.control.wait_up().await.unwrap();
        })
        .await;
    });
}

#[test]
fn a_refused_or_dropped_power_off_changes_nothing() {
    virtually(async || {
        let world = world(Options::default());
        on_board(&world, async |bench| {
            provision(bench).await;
            let mut socket = connect(bench).await;
            world.modem.set_script(Box::new(|line| {
                if line.starts_with(b"AT+QPOWD") {
                    Reaction::Reply(b"\r\n+CME ERROR: 3\r\n".to_vec())
                } else {
                    Reaction::Normal
                }
            }));
            assert!(matches!(
                bench.control.power_off().await,
                Err(BringUpError::At {
                    error: AtError::Refused(_),
                    ..
                })
            ));
            assert!(!bench.control.is_asleep());
            echoes(&mut socket, b"still there").await;
            world.modem.set_script(Box::new(|line| {
                if line.starts_with(b"AT+QPOWD") {
                    Reaction::Silent
                } else {
                    Reaction::Normal
                }
            }));
            let dropped = with_timeout(Duration::from_millis(1), bench.control.power_off()).await;
            assert!(dropped.is_err());
            assert!(!bench.control.is_asleep());
            Timer::after_secs(20).await;
            echoes(&mut socket, b"and again").await;
        })
        .await;
    });
}

#[test]
fn power_off_at_any_moment_is_never_undone_by_the_runner() {
    for millis in [0, 1, 100, 700, 1000, 3000, 6000, 9000] {
        virtually(async || {
            // Off at first: the runner is at the power key, waits for the boot, registers.
            let world = world(Options {
                registration_delay: Duration::from_secs(2),
                boot: sectag_simulator::Boot::Off,
                ..Options::default()
            });
            on_board(&world, async |bench| {
                Timer::after_millis(millis).await;
                bench.control.power_off().await.unwrap();
                assert!(!world.modem.status_pin());
                let bytes = world.modem.bytes_in();
                Timer::after_secs(300).await;
                assert_eq!(world.modem.bytes_in(), bytes, "{millis}");
                assert!(!world.modem.status_pin());
                bench.control.power_on();
                bench.control.wait_up().await.unwrap();
            })
            .await;
        });
    }
}

#[test]
fn a_modem_in_power_saving_mode_is_left_there_until_it_is_used() {
    for words in ["PSM POWER DOWN", "POWER DOWN"] {
        virtually(async || {
            let world = world(Options {
                profile: Profile {
                    power_saving_words: words,
                    ..Profile::BG96_LATER
                },
                ..Options::default()
            });
            on_board(&world, async |bench| {
                provision(bench).await;
                let mut socket = connect(bench).await;
                world.modem.save_power();
                let read = with_timeout(Duration::from_secs(2), socket.read(&mut [0])).await;
                assert_eq!(read, Ok(Err(SocketError::ConnectionReset)));
                drop(socket);
                let bytes = world.modem.bytes_in();
                Timer::after_secs(86_000).await;
                assert!(bench.control.is_asleep());
                assert_eq!(world.modem.bytes_in(), bytes);
                assert!(!world.modem.status_pin());
                // A use wakes it; the credentials are still there.
                echoes(&mut connect(bench).await, b"awake").await;
                assert!(!bench.control.is_asleep());
            })
            .await;
        });
    }
}

#[test]
fn power_saving_while_it_is_brought_up_costs_the_waiting_nothing() {
    for millis in [1, 20, 300, 720, 2000] {
        virtually(async || {
            let world = world(Options {
                registration_delay: Duration::from_secs(1),
                ..Options::default()
            });
            on_board(&world, async |bench| {
                let save = async {
                    Timer::after_millis(millis).await;
                    world.modem.save_power();
                    std::future::pending::<()>().await;
                };
                let up = async {
                    Timer::after_millis(millis).await;
                    // It may have been up before.
                    while world.modem.status_pin() {
                        Timer::after_millis(100).await;
                    }
                    Timer::after_millis(100).await;
                    bench.control.wait_up().await.unwrap();
                };
                let up = with_timeout(Duration::from_secs(60), up);
                let Either::Second(up) = select(save, up).await else {
                    unreachable!("it is pending for ever");
                };
                assert!(up.is_ok(), "{millis}");
                assert!(world.modem.status_pin(), "{millis}");
            })
            .await;
        });
    }
}

#[test]
fn power_saving_is_asked_for_and_the_grant_read_back() {
    virtually(async || {
        let world = world(Options::default());
        on_board(&world, async |bench| {
            let control = bench.control;
            assert_eq!(control.power_saving().await, Ok(None));
            let [day, short] = [86_400, 30].map(Duration::from_secs);
            let wanted = PowerSaving::new(day, short).unwrap();
            control.set_power_saving(Some(wanted)).await.unwrap();
            let granted = control.power_saving().await.unwrap().unwrap();
            // The network has its own mind.
            assert_eq!(granted.period().as_secs(), 86_400);
            assert_eq!(granted.active().as_secs(), 2);
            control.set_power_saving(None).await.unwrap();
            assert_eq!(control.power_saving().await, Ok(None));

            let cycle = Edrx::at_least(Duration::from_secs(60)).unwrap();
            control
                .set_edrx(Technology::CatM1, Some(cycle))
                .await
                .unwrap();
            assert_eq!(control.edrx().await, Ok(None));
            assert_eq!(
                control.set_edrx(Technology::Gsm, None).await,
                Err(AtError::Unsupported)
            );
            control.set_edrx(Technology::CatM1, None).await.unwrap();
            assert_eq!(world.count("AT+CPSMS=1,,,\"00111000\",\"00001111\""), 1);
            assert_eq!(world.count("AT+CEDRXS=1,4,\"0100\""), 1);
            assert_eq!(world.count("AT+CEDRXS=0,4"), 1);
        })
        .await;
    });
}

#[test]
fn light_sleep_ends_with_the_next_use_and_keeps_the_socket() {
    virtually(async || {
        let world = world(Options::default());
        on_board(&world, async |bench| {
            provision(bench).await;
            let mut socket = connect(bench).await;
            echoes(&mut socket, b"before").await;
            let restarts = bench.control.counters().restarts;
            for round in 0..3 {
                bench.control.sleep().await.unwrap();
                Timer::after_millis(10).await;
                assert!(bench.control.is_asleep());
                let bytes = world.modem.bytes_in();
                Timer::after_secs(600).await;
                assert_eq!(world.modem.bytes_in(), bytes, "{round}");
                match round {
                    0 => echoes(&mut socket, b"a write wakes it").await,
                    1 => assert!(bench.control.clock().await.is_ok()),
                    _ => {
                        world.modem.inject_urc("+QSSLURC: \"recv\",0");
                        Timer::after_secs(1).await;
                    }
                }
                assert!(!bench.control.is_asleep());
            }
            echoes(&mut socket, b"after").await;
            assert_eq!(bench.control.counters().restarts, restarts);
            // Asleep, and it resets: noticed and brought up.
            bench.control.sleep().await.unwrap();
            world.modem.reset();
            assert_eq!(
                socket.read(&mut [0]).await,
                Err(SocketError::ConnectionReset)
            );
            drop(socket);
            bench.control.wait_up().await.unwrap();
            echoes(&mut connect(bench).await, b"again").await;
        })
        .await;
    });
}

#[test]
fn light_sleep_may_end_before_it_begins_and_in_power_off() {
    virtually(async || {
        let world = world(Options::default());
        on_board(&world, async |bench| {
            provision(bench).await;
            let mut socket = connect(bench).await;
            for _ in 0..3 {
                // Wanted by another at the very moment.
                let sleep = bench.control.sleep();
                let (slept, clock) = join(sleep, bench.control.clock()).await;
                assert!(slept.is_ok() && clock.is_ok());
                bench.control.sleep().await.unwrap();
                assert!(bench.control.clock().await.is_ok());
                assert!(!bench.control.is_asleep());
            }
            echoes(&mut socket, b"still there").await;
            bench.control.sleep().await.unwrap();
            Timer::after_secs(10).await;
            assert_eq!(bench.control.power_off().await, Ok(Shutdown::Confirmed));
            assert!(!world.modem.status_pin());
        })
        .await;
    });
}

#[test]
fn light_sleep_needs_its_pin() {
    virtually(async || {
        let world = world(Options::default());
        world
            .attach_with(Config::new(), NoPins, async |bench| {
                assert_eq!(bench.control.sleep().await, Err(AtError::Unsupported));
                assert_eq!(world.count("AT+QSCLK=1"), 0);
            })
            .await;
    });
}
