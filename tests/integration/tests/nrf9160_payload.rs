//! Payload on the nRF9160 is never a command: no byte that an application chose is executed by the modem, in any
//! dialect, however it is cut and delayed on its way; and what arrives is whole, or a prefix.

use std::cell::RefCell;
use std::rc::Rc;

use embassy_futures::join::join;
use embassy_time::{Duration, Instant, Timer, with_timeout};
use embedded_io_async::{Read, Write};
use sectag::{Socket, SocketError};
use sectag_integration_tests::keep_into;
use sectag_integration_tests::nrf9160::{World, connect, label, options, provision, usable};
use sectag_integration_tests::simulated::virtually;
use sectag_integration_tests::wire::{Dice, Wire, treacherous};
use sectag_simulator::{
    CountedFailure, FailingSend, Nrf9160Options, Nrf9160Profile, SendFailure, Terminator,
};
use sectag_test_support::tls_server::echo;

const LIMIT: Duration = Duration::from_secs(3600);
const COUNTED: [CountedFailure; 3] = [
    CountedFailure::Forgets,
    CountedFailure::CountsOn,
    CountedFailure::CountsSilently,
];

/// What a peer received.
type Received = Rc<RefCell<Vec<u8>>>;

/// A server that keeps what it gets.
fn sink(world: &World) -> Received {
    let received = Received::default();
    let kept = received.clone();
    world.serve(move |stream| keep_into(kept.clone(), stream));
    received
}

/// The issue's own: it switched the radio off and deleted a credential.
fn attack() -> Vec<u8> {
    let mut payload = vec![b'x'; 40];
    payload.extend(b"+++++\r\nAT+CFUN=0\r\nAT%CMNG=3,7,0\r\n");
    payload
}

/// Whether a modem would carry it out, were it a line.
fn is_command(line: &[u8]) -> bool {
    line.len() >= 2
        && line[..2].eq_ignore_ascii_case(b"AT")
        && line.get(2).is_none_or(|next| b"+%#\r\n".contains(next))
}

/// All that a driver says between a connect and a close when nothing goes wrong.
fn is_of_the_driver(line: &str) -> bool {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if let Some(text) = line.strip_prefix("AT#XSEND") {
        let quoted = |text: &str| {
            text.strip_prefix('"')
                .and_then(|text| text.strip_suffix('"'))
                .is_some_and(|text| !text.contains('"'))
        };
        let hex = |text: &str| {
            text.bytes()
                .all(|byte| byte.is_ascii_hexdigit() || byte == b'"')
        };
        return text.is_empty()
            || text.strip_prefix('=').is_some_and(quoted)
            || text.strip_prefix("=0,0,0,").is_some_and(quoted)
            || text
                .strip_prefix("=0,1,0,")
                .is_some_and(|text| quoted(text) && hex(text))
            || text.strip_prefix("=0,2,0,").is_some_and(number);
    }
    let polled = line.strip_prefix("AT#XPOLL=0,").is_some_and(number);
    let received = line.strip_prefix("AT#XRECV=");
    let notices = ["AT#XAPOLL=0,1,1", "AT#XAPOLL=1,1", "AT#XAPOLL=0"].contains(&line);
    polled || received.is_some_and(|text| text.split(',').all(number)) || notices
}

/// Asserts that no command but the driver's was executed, where nothing had to be repaired.
fn assert_only_the_driver(world: &World, what: &str) {
    for line in world.modem.take_commands() {
        let text = String::from_utf8_lossy(&line);
        assert!(is_of_the_driver(&text), "{what}: executed {text:?}");
    }
}

/// Asserts that nothing of the payload was executed, where recovery says more than usually.
fn assert_none_of_the_payload(world: &World, what: &str) {
    for line in world.modem.take_commands() {
        let text = String::from_utf8_lossy(&line);
        let foreign = is_command(&line)
            && !is_of_the_driver(&text)
            && [
                "CFUN=0", "CMNG=3", "XRESET", "XSLEEP", "COPS=2", "QPOWD", "QFDEL",
            ]
            .iter()
            .any(|marker| text.to_ascii_uppercase().contains(marker));
        assert!(!foreign, "{what}: executed {text:?}");
    }
}

#[test]
fn the_attack_is_payload() {
    for profile in usable() {
        let name = label(&profile);
        virtually(async || {
            let world = World::new(options(profile));
            let received = sink(&world);
            world
                .attach(async |bench| {
                    provision(bench).await;
                    let mut socket = connect(bench).await.unwrap();
                    world.modem.take_commands();
                    let payload = attack();
                    let sent = with_timeout(LIMIT, async {
                        socket.write_all(&payload).await?;
                        socket.flush().await
                    });
                    let sent = sent.await;
                    Timer::after_secs(5).await;
                    assert_only_the_driver(&world, &name);
                    assert_eq!(sent, Ok(Ok(())), "{name}");
                    assert!(
                        *received.borrow() == payload,
                        "{name}: {:?}",
                        received.borrow()
                    );
                })
                .await;
        });
    }
}

/// How bytes come about, and how much later.
const WIRES: [Wire; 4] = [
    Wire::Straight,
    // Pauses in the middle of a piece, above and below the time limit of data mode.
    Wire::Torn {
        longest: 40,
        pause: 90,
    },
    Wire::Torn {
        longest: 1,
        pause: 1,
    },
    // The silence in front of the terminator is lost.
    Wire::Gathered { within: 150 },
];

/// Each is several sends of random sizes.
#[test]
fn random_payload_arrives_whole_and_is_never_a_command() {
    for (number, profile) in usable().into_iter().enumerate() {
        for terminator in [None, Some(Terminator::Cr), Some(Terminator::Lf)] {
            let name = format!("{} {terminator:?}", label(&profile));
            for (index, wire) in WIRES.into_iter().enumerate() {
                // Most of them end lines as most builds do.
                if terminator.is_some() && index % 2 == 0 {
                    continue;
                }
                let seed = (index + WIRES.len() * number) as u64;
                virtually(async || {
                    let world = World::new(Nrf9160Options {
                        terminator,
                        ..options(profile)
                    });
                    let received = sink(&world);
                    world
                        .attach_wired(wire, seed, async |bench| {
                            provision(bench).await;
                            let mut socket = connect(bench).await.unwrap();
                            world.modem.take_commands();
                            let mut dice = Dice::new(seed);
                            let mut sent: Vec<u8> = Vec::new();
                            for round in 0..24 {
                                let what = format!("{name} {wire:?} {seed} {round}");
                                let about = [5, 40, 200, 1200][dice.below(4)];
                                let payload = treacherous(&mut dice, about);
                                sent.extend(&payload);
                                let write = with_timeout(LIMIT, async {
                                    socket.write_all(&payload).await?;
                                    socket.flush().await
                                });
                                let wrote = write.await;
                                Timer::after_secs(2).await;
                                assert_only_the_driver(&world, &what);
                                assert_eq!(wrote, Ok(Ok(())), "{what}: {payload:?}");
                                assert!(*received.borrow() == sent, "{what}: {payload:?}");
                            }
                        })
                        .await;
                });
            }
        }
    }
}

/// Writes until that fails, or ten times; what was handed over.
async fn write_on(socket: &mut impl Write, dice: &mut Dice, binary: bool) -> (Vec<u8>, bool) {
    let mut written = Vec::new();
    for _ in 0..10 {
        let mut part = treacherous(dice, 100);
        if !binary {
            part.retain(|byte| matches!(byte, b' '..=b'~') && !b"\",".contains(byte));
        }
        written.extend(&part);
        let wrote = async { socket.write_all(&part).await.is_ok() && socket.flush().await.is_ok() };
        if !wrote.await {
            return (written, false);
        }
        Timer::after_millis(dice.below(200) as u64).await;
    }
    (written, true)
}

/// A send that fails on the modem, in the middle of payload that would do harm as a command.
#[test]
fn what_arrives_before_a_send_that_fails_is_a_prefix() {
    for profile in usable() {
        for how in [
            SendFailure::TimesOut,
            SendFailure::Breaks,
            SendFailure::Refused,
        ] {
            for binary in [true, false] {
                // TRAP, README: where data mode drops without a word and the connection goes on, no driver can know.
                let hidden = !profile.serial_modem && !profile.reception_pauses;
                if how == SendFailure::Refused && hidden && binary {
                    continue;
                }
                for nth in 0..6 {
                    let wires: &[Wire] = match binary {
                        // Nor where a late pause makes two sends of one piece, and the first of them fails.
                        true if hidden && how == SendFailure::TimesOut => &[WIRES[0], WIRES[3]],
                        // Nor up to 2.4 where what is refused at once holds the terminator, because the silence in
                        // front of that was lost.
                        true if profile.reception_pauses && how == SendFailure::Refused => {
                            &[WIRES[0], WIRES[2]]
                        }
                        true => &WIRES[..3],
                        false => &WIRES,
                    };
                    let wire = wires[nth % wires.len()];
                    for counted_failure in COUNTED {
                        if counted_failure != CountedFailure::Forgets && !profile.serial_modem {
                            continue;
                        }
                        let what = format!(
                            "{} {how:?} {binary} {nth} {wire:?} {counted_failure:?}",
                            label(&profile)
                        );
                        let seed = nth as u64;
                        virtually(async || {
                            let mut dice = Dice::new(seed * 77 + 5);
                            let world = World::new(Nrf9160Options {
                                failing_send: Some(FailingSend {
                                    nth,
                                    after: dice.below(3) * dice.below(20),
                                    how,
                                }),
                                counted_failure,
                                ..options(profile)
                            });
                            let received = sink(&world);
                            world
                                .attach_wired(wire, seed, async |bench| {
                                    provision(bench).await;
                                    let mut socket = connect(bench).await.unwrap();
                                    world.modem.take_commands();
                                    let write = write_on(&mut socket, &mut dice, binary);
                                    let (written, all) = with_timeout(LIMIT, write)
                                        .await
                                        .unwrap_or_else(|_| panic!("{what}: it hangs"));
                                    drop(socket);
                                    Timer::after_secs(200).await;
                                    assert_none_of_the_payload(&world, &what);
                                    assert!(!all, "{what}: nobody was told");
                                    assert!(
                                        written.starts_with(&received.borrow()),
                                        "{what}: a hole: {:?}",
                                        String::from_utf8_lossy(&received.borrow())
                                    );
                                    // The modem is of use again.
                                    received.borrow_mut().clear();
                                    let mut socket = connect(bench).await.unwrap();
                                    socket.write_all(b"again\r\n").await.unwrap();
                                    socket.flush().await.unwrap();
                                    Timer::after_secs(2).await;
                                    assert_eq!(*received.borrow(), b"again\r\n", "{what}");
                                })
                                .await;
                        });
                    }
                }
            }
        }
    }
}

/// Up to SLM 2.4 a send that fails ends data mode, and the next byte is the first of a command line: here after a
/// pause in front of what would do most harm. What the line editor deletes makes a command as well.
#[test]
fn the_rest_of_a_piece_is_no_command() {
    for profile in usable() {
        let name = label(&profile);
        for (before, rest) in [
            (&b"AT+CFUN=0"[..], &b"AT+CFUN=0\r\nAT%CMNG=3,7,0\r\n"[..]),
            (b"at%cmng", b"at%cmng=3,7,0\r\n"),
            (b"AT+CFUN=0;", b"AT+CFUN=0;"),
            (b"Axx", b"Axx\x08\x7fT+CFUN=0\r\n"),
            (b"T+CFUN=0", b"T+CFUN=0\r\n"),
            // Serial Modem forgets the announced length, and hears a terminator in the rest.
            (b"x+++", b"x+++AT+CFUN=0\r\n"),
        ] {
            virtually(async || {
                let world = World::new(Nrf9160Options {
                    failing_send: Some(FailingSend {
                        nth: 0,
                        after: 0,
                        how: SendFailure::Refused,
                    }),
                    ..options(profile)
                });
                let received = sink(&world);
                let wire = Wire::Halting { before, pause: 60 };
                world
                    .attach_wired(wire, 1, async |bench| {
                        provision(bench).await;
                        let mut socket = connect(bench).await.unwrap();
                        world.modem.take_commands();
                        let payload = [&b"\0\r\n"[..], rest].concat();
                        let write = with_timeout(LIMIT, async {
                            socket.write_all(&payload).await?;
                            socket.flush().await
                        });
                        let _ = write.await;
                        drop(socket);
                        Timer::after_secs(60).await;
                        let what = format!("{name} {rest:?}");
                        assert_none_of_the_payload(&world, &what);
                        if profile.reception_pauses || profile.serial_modem {
                            assert!(payload.starts_with(&received.borrow()), "{what}");
                        }
                    })
                    .await;
            });
        }
    }
}

/// Serial Modem forgets how much was announced when a send fails, and waits for `+++`. It is told so, within seconds,
/// and the other connection goes on.
#[test]
fn a_counted_send_that_fails_costs_its_own_connection_only() {
    for counted_failure in COUNTED {
        for (how, within) in [
            (SendFailure::Refused, 6),
            (SendFailure::Breaks, 6),
            (SendFailure::TimesOut, 40),
        ] {
            virtually(async || {
                let what = format!("{counted_failure:?} {how:?}");
                let world = World::new(Nrf9160Options {
                    failing_send: Some(FailingSend {
                        nth: 1,
                        after: 3,
                        how,
                    }),
                    counted_failure,
                    ..options(Nrf9160Profile::SERIAL_MODEM)
                });
                world.serve(echo);
                // The pause makes two sends of it, so that the count is not at its end.
                let wire = Wire::Halting {
                    before: b"HALT",
                    pause: 100,
                };
                world
                    .attach_wired(wire, 1, async |bench| {
                        provision(bench).await;
                        let mut other = connect(bench).await.unwrap();
                        let mut socket = connect(bench).await.unwrap();
                        other.write_all(b"\0other").await.unwrap();
                        other.flush().await.unwrap();
                        let began = Instant::now();
                        socket
                            .write_all(b"\0binary HALT and the rest")
                            .await
                            .unwrap();
                        assert!(socket.flush().await.is_err(), "{what}");
                        let took = began.elapsed();
                        assert!(took < Duration::from_secs(within), "{what}: {took}");
                        let mut back = [0; 12];
                        other.write_all(b"\0more\r").await.unwrap();
                        other.flush().await.unwrap();
                        other.read_exact(&mut back).await.unwrap();
                        assert_eq!(&back, b"\0other\0more\r", "{what}");
                        let lost: Result<(), SocketError> = ends(&mut socket).await;
                        assert!(lost.is_err(), "{what}");
                        let restarted = |line: &&String| line.contains("XSMVER");
                        let commands = world.commands();
                        // Asked twice at the start.
                        assert!(
                            commands.iter().filter(restarted).count() <= 2,
                            "{what}: {commands:?}"
                        );
                    })
                    .await;
            });
        }
    }
}

/// Reads until that is an error, or there is no more.
async fn ends(socket: &mut Socket<'_>) -> Result<(), SocketError> {
    let mut buffer = [0; 64];
    while socket.read(&mut buffer).await? > 0 {}
    Ok(())
}

/// One that restarts in the middle of a piece, while RTS keeps the rest of it: that is what it hears first.
#[test]
fn what_a_restart_cuts_off_is_no_command() {
    for profile in usable() {
        let name = label(&profile);
        virtually(async || {
            let world = World::new(Nrf9160Options {
                held_while_booting: true,
                ..options(profile)
            });
            sink(&world);
            let wire = Wire::Halting {
                before: b"\n",
                pause: 300,
            };
            world
                .attach_wired(wire, 1, async |bench| {
                    provision(bench).await;
                    let mut socket = connect(bench).await.unwrap();
                    Timer::after_secs(5).await;
                    world.modem.take_commands();
                    let write = async {
                        let payload = b"\0before\r\nAT+CFUN=0\r\nAT%CMNG=3,7,0\r\nAT#XRESET\r\n";
                        let _ = socket.write_all(payload).await;
                        let _ = socket.flush().await;
                    };
                    let restart = async {
                        // The first piece is on its way.
                        while !world
                            .commands()
                            .iter()
                            .any(|line| line.starts_with("AT#XSEND"))
                        {
                            Timer::after_millis(1).await;
                        }
                        Timer::after_millis(350).await;
                        world.modem.reset();
                    };
                    let both = with_timeout(LIMIT, join(write, restart)).await;
                    assert!(both.is_ok(), "{name}: it hangs");
                    drop(socket);
                    Timer::after_secs(60).await;
                    assert_none_of_the_payload(&world, &name);
                    assert!(connect(bench).await.is_ok(), "{name}");
                })
                .await;
        });
    }
}
