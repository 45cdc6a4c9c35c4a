//! u-blox cellular modules: data, notices, losses, and two connections.

use std::cell::Cell;
use std::rc::Rc;

use embassy_futures::join::join;
use embassy_futures::select::{Either, select};
use embassy_time::{Duration, Instant, Timer, with_timeout};
use embedded_io_async::{Read, Write};
use sectag::SocketError;
use sectag_integration_tests::simulated::virtually;
use sectag_integration_tests::ublox::{World, connect, round_trip};
use sectag_simulator::Reaction;
use sectag_test_support::tls_server::echo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[test]
fn what_was_taken_in_part_is_sent_once() {
    virtually(async || {
        let world = World::of("sara-r5", |options| options.send_buffer = 700);
        world.install();
        world.serve(echo);
        world
            .attach(async |bench| {
                let mut socket = connect(bench).await.unwrap();
                let bytes: Vec<u8> = (0..9000u32).map(|n| (n % 253) as u8).collect();
                assert_eq!(round_trip(&mut socket, &bytes).await, bytes);
            })
            .await;
        assert!(world.count("AT+USOCTL=0,2") > 0);
    });
}

#[test]
fn the_end_comes_behind_everything_that_was_sent_before() {
    for model in ["sara-r5", "sara-r4-02b", "sara-u201", "lena-r8"] {
        virtually(async || {
            let world = World::of(model, |_| {});
            world.install();
            world.serve(async |mut stream| {
                stream.write_all(&[b'x'; 3000]).await?;
                stream.shutdown().await
            });
            world
                .attach(async |bench| {
                    let mut socket = connect(bench).await.unwrap();
                    let mut seen = Vec::new();
                    let mut buffer = [0; 512];
                    loop {
                        match socket.read(&mut buffer).await.unwrap() {
                            0 => break,
                            count => seen.extend_from_slice(&buffer[..count]),
                        }
                    }
                    assert_eq!(seen, [b'x'; 3000], "{model}");
                })
                .await;
        });
    }
}

#[test]
fn registration_is_lost_and_regained_under_an_open_socket() {
    for model in ["sara-r5", "sara-r4-02b", "sara-u201", "lara-r6", "lena-r8"] {
        virtually(async || {
            let world = World::of(model, |_| {});
            world.install();
            world.serve(echo);
            world
                .attach(async |bench| {
                    let mut socket = connect(bench).await.unwrap();
                    assert_eq!(round_trip(&mut socket, b"before").await, b"before");
                    world.modem.set_registered(false);
                    let end = socket.read(&mut [0; 8]).await;
                    assert_eq!(end, Err(SocketError::ConnectionReset), "{model}");
                    drop(socket);
                    Timer::after_secs(30).await;
                    world.modem.set_registered(true);
                    let mut socket = connect(bench).await.unwrap();
                    assert_eq!(round_trip(&mut socket, b"behind").await, b"behind");
                })
                .await;
        });
    }
}

/// There is no banner: the echo of the next command tells.
#[test]
fn a_restart_without_a_word_is_noticed() {
    for model in ["sara-r5", "sara-r4-02b"] {
        virtually(async || {
            let world = World::of(model, |_| {});
            world.install();
            world.serve(echo);
            world
                .attach(async |bench| {
                    let mut socket = connect(bench).await.unwrap();
                    world.modem.reset();
                    let since = Instant::now();
                    let end = socket.read(&mut [0; 8]).await;
                    assert_eq!(end, Err(SocketError::ConnectionReset));
                    assert!(since.elapsed() < Duration::from_secs(70));
                    drop(socket);
                    let mut socket = connect(bench).await.unwrap();
                    assert_eq!(round_trip(&mut socket, b"again").await, b"again");
                })
                .await;
        });
    }
}

/// A second connect would end the first (sheet B.2.3).
#[test]
fn connects_take_turns_and_either_may_be_dropped() {
    for first_is_dropped in [false, true] {
        virtually(async || {
            let world = World::of("sara-r5", |_| {});
            world.install();
            world.serve(echo);
            world
                .attach(async |bench| {
                    let first = async {
                        if first_is_dropped {
                            let dropped = select(connect(bench), Timer::after_millis(900)).await;
                            assert!(matches!(dropped, Either::Second(())));
                            None
                        } else {
                            Some(connect(bench).await.unwrap())
                        }
                    };
                    let second = with_timeout(Duration::from_secs(20), connect(bench));
                    let (first, second) = join(first, second).await;
                    let mut second = second.expect("it is its turn").unwrap();
                    assert_eq!(round_trip(&mut second, b"second").await, b"second");
                    if let Some(mut first) = first {
                        assert_eq!(round_trip(&mut first, b"first").await, b"first");
                    }
                })
                .await;
        });
    }
}

#[test]
fn an_mcu_that_was_reset_finds_no_sockets_of_its_earlier_life() {
    for model in ["sara-r5", "sara-r4-02b", "lexi-r10"] {
        virtually(async || {
            let world = World::of(model, |_| {});
            world.install();
            world.serve(echo);
            for _ in 0..2 {
                world
                    .attach(async |bench| {
                        let first = connect(bench).await.unwrap();
                        let mut socket = connect(bench).await.unwrap();
                        // In the middle of a write.
                        socket.write_all(&[b'x'; 900]).await.unwrap();
                        let _ = select(socket.flush(), Timer::after_millis(80)).await;
                        core::mem::forget((first, socket));
                    })
                    .await;
            }
            world
                .attach(async |bench| {
                    let mut socket = connect(bench).await.unwrap();
                    assert_eq!(round_trip(&mut socket, b"hello").await, b"hello");
                    assert_eq!(world.modem.open_sockets().len(), 1, "{model}");
                })
                .await;
        });
    }
}

/// An earlier life of the MCU has announced 64 bytes behind `@`, of which the module still waits for `missing`: they are
/// completed, and none of what completes them is a command.
#[test]
fn an_mcu_that_was_reset_in_a_write_completes_it() {
    for (model, missing) in ["sara-r5", "sara-r4-02b"]
        .into_iter()
        .flat_map(|model| (0..=64).map(move |missing: usize| (model, missing)))
    {
        virtually(async || {
            let world = World::of(model, |_| {});
            world.install();
            world.serve(echo);
            let id = world
                .attach(async |bench| {
                    core::mem::forget(connect(bench).await.unwrap());
                    world.modem.open_sockets()[0]
                })
                .await;
            let (mut host, device) = tokio::io::duplex(4096);
            let feed = async {
                let command = format!("AT+USOWR={id},64\r");
                host.write_all(command.as_bytes()).await.unwrap();
                let mut byte = [0];
                while byte != *b"@" {
                    host.read_exact(&mut byte).await.unwrap();
                }
                Timer::after_millis(60).await;
                host.write_all(&vec![b'x'; 64 - missing]).await.unwrap();
                Timer::after_millis(60).await;
                drop(host);
            };
            let (served, ()) = join(world.modem.serve(device), feed).await;
            served.unwrap();
            world.modem.take_commands();
            world
                .attach(async |bench| {
                    let mut socket = connect(bench)
                        .await
                        .unwrap_or_else(|error| panic!("{model}, {missing}: {error}"));
                    assert_eq!(round_trip(&mut socket, b"hello").await, b"hello");
                    assert_eq!(world.modem.open_sockets().len(), 1, "{model}, {missing}");
                })
                .await;
        });
    }
}

/// Sheet E.20: behind a wrong rate, or out of sleep, a module is first heard as noise; then it is silent for a while.
#[test]
fn noise_and_silence_at_the_start_are_no_answers() {
    virtually(async || {
        let world = World::of("sara-r5", |_| {});
        world.install();
        world.serve(echo);
        let mut heard = 0;
        world.modem.set_script(Box::new(move |_| {
            heard += 1;
            match heard {
                1..=4 => Reaction::Silent,
                5 => Reaction::Reply(b"\x7fs\0\0\x02\x08\0\0\0\0 \0\0\0\x01\0\0".to_vec()),
                6..=8 => Reaction::Silent,
                _ => Reaction::Normal,
            }
        }));
        world
            .attach(async |bench| {
                let mut socket = connect(bench).await.unwrap();
                assert_eq!(round_trip(&mut socket, b"hello").await, b"hello");
            })
            .await;
    });
}

/// Sheet E.19: the module answers late, and each answer comes behind the next command; TinyGSM stays one behind for ever.
#[test]
fn answers_that_are_one_behind_are_given_to_no_other_command() {
    virtually(async || {
        let world = World::of("sara-r5", |_| {});
        world.install();
        world.serve(echo);
        let behind = Rc::new(Cell::new(0));
        let (mut heard, late) = (0, behind.clone());
        world.modem.set_script(Box::new(move |line| {
            heard += 1;
            match heard {
                1 | 2 => Reaction::Silent,
                // What was asked before, and then what is asked now.
                3..=5 if line == b"AT" => {
                    late.set(late.get() + 1);
                    Reaction::Reply(b"\r\nOK\r\n\r\nOK\r\n".to_vec())
                }
                _ => Reaction::Normal,
            }
        }));
        world
            .attach(async |bench| {
                let mut socket = connect(bench).await.unwrap();
                assert_eq!(round_trip(&mut socket, b"hello").await, b"hello");
                let status = bench.control.status().await;
                assert_eq!(status.model.as_deref(), Some("SARA-R510S"), "{status:?}");
                assert!(behind.get() > 0);
            })
            .await;
    });
}

/// Payload of 1024 bytes at a time, which is the most, by all bytes on the UART, and in time by what the sheet wants of each
/// exchange: 20 ms of turnaround, 20 ms of silence behind its result (B.1.1) and 50 ms behind the prompt (B.2.3).
#[test]
fn full_chunks_use_the_wire_and_its_time() {
    const MUCH: usize = 100 * 1024;
    const CHUNK: f64 = 1024.0;
    for baud in [115_200, 460_800] {
        virtually(async || {
            let world = World::of("sara-r5", |options| {
                options.baud = Some(baud);
                options.turnaround = Duration::from_millis(20);
            });
            world.install();
            world.serve(async |mut stream| {
                let mut taken = vec![0; MUCH];
                stream.read_exact(&mut taken).await?;
                stream.write_all(&taken).await?;
                stream.flush().await?;
                std::future::pending::<std::io::Result<()>>().await
            });
            world
                .attach(async |bench| {
                    let mut socket = connect(bench).await.unwrap();
                    let on_the_wire = || {
                        let counters = bench.control.counters();
                        u64::from(counters.sent + counters.received)
                    };
                    let judge =
                        |what: &str, before: u64, since: Instant, share: u64, waits: f64| {
                            let all = on_the_wire() - before;
                            let wired = MUCH as u64 * 100 / all;
                            assert!(wired >= share, "{what} at {baud}: {MUCH} of {all} bytes");
                            let around = all as f64 / MUCH as f64 * CHUNK;
                            let formula = CHUNK / (around * 10.0 / f64::from(baud) + waits);
                            let rate = MUCH as f64 * 1e6 / since.elapsed().as_micros() as f64;
                            assert!(
                                rate >= 0.95 * formula,
                                "{what} at {baud}: {rate:.0} of {formula:.0} bytes a second"
                            );
                        };
                    let (before, since) = (on_the_wire(), Instant::now());
                    socket.write_all(&vec![b'x'; MUCH]).await.unwrap();
                    socket.flush().await.unwrap();
                    judge("sent", before, since, 95, 0.09);
                    let (before, since) = (on_the_wire(), Instant::now());
                    let (mut got, mut buffer) = (0, [0; 4096]);
                    while got < MUCH {
                        got += socket.read(&mut buffer).await.unwrap();
                    }
                    judge("received", before, since, 94, 0.04);
                })
                .await;
        });
    }
}

/// The data of a socket that nobody reads waits in the module, and costs another one no more than 200 ms at a time.
#[test]
fn a_socket_that_is_never_read_stalls_no_other() {
    virtually(async || {
        let world = World::of("sara-r5", |options| {
            options.baud = Some(460_800);
            options.turnaround = Duration::from_millis(20);
        });
        world.install();
        let served = Rc::new(Cell::new(0));
        world.serve(move |mut stream| {
            let nth = served.replace(served.get() + 1);
            async move {
                if nth == 0 {
                    // More than ring and module take.
                    let _ = stream.write_all(&vec![b'x'; 100_000]).await;
                    return std::future::pending::<std::io::Result<()>>().await;
                }
                echo(stream).await.map(|_| ())
            }
        });
        world
            .attach(async |bench| {
                let mut lazy = connect(bench).await.unwrap();
                // Before any of its data is fetched, an exchange of the other one takes this long.
                let mut busy = connect(bench).await.unwrap();
                let mut took = Vec::new();
                for round in 0..40_u8 {
                    let begun = Instant::now();
                    assert_eq!(round_trip(&mut busy, &[round; 100]).await, [round; 100]);
                    took.push(begun.elapsed());
                }
                let (quickest, slowest) = (took.iter().min().unwrap(), took.iter().max().unwrap());
                let stall = *slowest - *quickest;
                assert!(stall <= Duration::from_millis(200), "{took:?}");
                let mut first = [0; 64];
                lazy.read_exact(&mut first).await.unwrap();
                assert_eq!(first, [b'x'; 64]);
            })
            .await;
    });
}

#[test]
fn a_module_that_remembers_hex_mode_is_told_otherwise() {
    virtually(async || {
        let world = World::of("sara-r5", |options| options.hex_mode = true);
        world.install();
        world.serve(echo);
        world
            .attach(async |bench| {
                let mut socket = connect(bench).await.unwrap();
                assert_eq!(round_trip(&mut socket, b"raw").await, b"raw");
            })
            .await;
    });
}
