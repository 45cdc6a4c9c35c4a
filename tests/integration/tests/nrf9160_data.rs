//! Payload on the nRF9160: what looks like the end of data mode, what was dropped in it, and looks for data.

use embassy_futures::join::join;
use embassy_time::{Duration, Instant, Timer, with_timeout};
use embedded_io_async::{Read, Write};
use sectag::SocketError;
use sectag_integration_tests::nrf9160::{
    World, connect, label, options, provision, round_trip, usable,
};
use sectag_integration_tests::simulated::virtually;
use sectag_simulator::{Nrf9160Options, Nrf9160Profile};
use sectag_test_support::tls_server::{TlsStream, echo};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

const MINUTE: Duration = Duration::from_secs(60);

/// Each is a send of its own: with a terminator's length more or less, where a send begins and where it
/// ends, and beside what else may mean something.
#[test]
fn pluses_are_payload_wherever_they_stand() {
    for profile in usable() {
        let name = label(&profile);
        virtually(async || {
            let world = World::new(options(profile));
            world.serve(echo);
            world
                .attach(async |bench| {
                    provision(bench).await;
                    let mut socket = connect(bench).await.unwrap();
                    for run in 1..=7 {
                        let pluses = vec![b'+'; run];
                        for (before, behind) in [
                            (&b""[..], &b""[..]),
                            (b"\x00", b""),
                            (b"", b"\x00"),
                            (b"a,", b"b"),
                            (b"\r\n", b"\r\n"),
                            (b"\"", b"\""),
                        ] {
                            let payload = [before, &pluses[..], behind].concat();
                            let back =
                                with_timeout(MINUTE, round_trip(&mut socket, &payload)).await;
                            assert!(
                                back.as_ref() == Ok(&payload),
                                "{name}: {payload:?} came back as {back:?}"
                            );
                        }
                    }
                    // Across the borders of sends, and of the pieces that they are copied in.
                    for at in [62, 63, 64, 126, 127, 1021, 1022, 1023, 1024, 1025] {
                        let mut payload = vec![7; at];
                        payload.extend(b"+++++");
                        payload.resize(1100, 9);
                        let back = round_trip(&mut socket, &payload).await;
                        assert!(back == payload, "{name}: pluses at {at}");
                    }
                })
                .await;
        });
    }
}

/// Sheet 3: what cannot be sent is dropped, and `#XDATAMODE: 0` ends it all the same; notices are not told.
#[test]
fn what_was_dropped_in_data_mode_is_noticed() {
    for profile in usable() {
        let name = label(&profile);
        for network in [false, true] {
            virtually(async || {
                let world = World::new(options(profile));
                world.serve(echo);
                world
                    .attach(async |bench| {
                        provision(bench).await;
                        let mut socket = connect(bench).await.unwrap();
                        // Binary, and with a silence in it: in data mode for a while.
                        let payload = b"\x00++++++\x01";
                        let send = async {
                            socket.write_all(payload).await.unwrap();
                            let flushed = socket.flush().await;
                            let read = with_timeout(Duration::from_secs(20), async {
                                let mut back = [0; 8];
                                loop {
                                    match socket.read(&mut back).await {
                                        Ok(0) => break Err(SocketError::BrokenPipe),
                                        Ok(_) => {}
                                        Err(error) => break Err::<(), _>(error),
                                    }
                                }
                            });
                            (flushed, read.await)
                        };
                        let breaks = async {
                            Timer::after_millis(60).await;
                            if network {
                                world.modem.set_registered(false);
                                Timer::after_secs(5).await;
                                world.modem.set_registered(true);
                            } else {
                                world.modem.drop_pdp_silently(0);
                            }
                        };
                        let ((flushed, read), ()) = join(send, breaks).await;
                        if !profile.serial_modem {
                            // Nothing but the state of the socket says so.
                            assert!(flushed.is_err(), "{name} {network}: it was dropped");
                        }
                        assert_eq!(
                            read,
                            Ok(Err(SocketError::ConnectionReset)),
                            "{name} {network}"
                        );
                        drop(socket);
                        let mut again = connect(bench).await;
                        for _ in 0..5 {
                            if again.is_ok() {
                                break;
                            }
                            Timer::after_secs(2).await;
                            again = connect(bench).await;
                        }
                        let mut socket = again.unwrap_or_else(|error| panic!("{name}: {error}"));
                        assert_eq!(round_trip(&mut socket, b"again").await, b"again", "{name}");
                        let commands = world.commands();
                        let data =
                            |line: &String| line == "AT#XSEND" || line.starts_with("AT#XSEND=0,2");
                        let sent = commands.iter().position(data);
                        assert!(sent.is_some(), "{name}");
                        let read = commands.iter().rposition(|line| line == "AT+CEREG?");
                        assert!(
                            sent < read,
                            "{name} {network}: the registration was not read again: {commands:?}"
                        );
                    })
                    .await;
            });
        }
    }
}

/// A fetch that brings nothing answers ERROR as a broken connection does (sheet 4.4).
#[test]
fn nothing_yet_is_no_broken_connection() {
    for profile in usable() {
        let name = label(&profile);
        virtually(async || {
            let world = World::new(Nrf9160Options {
                early_in: true,
                ..options(profile)
            });
            world.serve(async |mut stream: TlsStream<DuplexStream>| {
                Timer::after_secs(20).await;
                stream.write_all(b"late").await?;
                stream.flush().await?;
                stream.read_to_end(&mut Vec::new()).await
            });
            world
                .attach(async |bench| {
                    provision(bench).await;
                    let mut socket = connect(bench).await.unwrap();
                    let mut late = [0; 4];
                    socket
                        .read_exact(&mut late)
                        .await
                        .unwrap_or_else(|error| panic!("{name}: {error:?}"));
                    assert_eq!(&late, b"late", "{name}");
                    world.modem.drop_pdp_silently(0);
                    let broken =
                        with_timeout(Duration::from_secs(70), socket.read(&mut late)).await;
                    assert_eq!(broken, Ok(Err(SocketError::ConnectionReset)), "{name}");
                })
                .await;
        });
    }
}

/// Every 20 ms after traffic, less and less down to once a second; and not at all where there are notices.
#[test]
fn looks_for_data_become_rare_and_quick_again() {
    for profile in usable() {
        let name = label(&profile);
        virtually(async || {
            let world = World::new(options(profile));
            world.serve(async |mut stream: TlsStream<DuplexStream>| {
                let mut byte = [0];
                loop {
                    stream.read_exact(&mut byte).await?;
                    Timer::after_secs(u64::from(byte[0])).await;
                    stream.write_all(&byte).await?;
                    stream.flush().await?;
                    if byte[0] == 255 {
                        return Ok(());
                    }
                }
            });
            world
                .attach(async |bench| {
                    provision(bench).await;
                    let mut socket = connect(bench).await.unwrap();
                    for (pause, longest) in [(0, 60), (60, 1100), (0, 60)] {
                        socket.write_all(&[pause]).await.unwrap();
                        socket.flush().await.unwrap();
                        let began = Instant::now();
                        world.modem.take_commands();
                        socket.read_exact(&mut [0]).await.unwrap();
                        let late = began.elapsed() - Duration::from_secs(pause.into());
                        assert!(late < Duration::from_millis(longest), "{name}: {late}");
                        let asked = world.modem.take_commands().len();
                        if pause > 0 && profile.serial_modem {
                            assert!(asked < 10, "{name}: {asked}");
                        } else if pause > 0 {
                            assert!((60..80).contains(&asked), "{name}: {asked}");
                        }
                    }
                })
                .await;
        });
    }
}

/// One that says it has gone in the middle of a payload that it announced (sheet 12.2).
#[test]
fn a_reset_in_an_answer_delivers_a_prefix() {
    virtually(async || {
        let world = World::new(options(Nrf9160Profile::V2_1));
        world.serve(async |mut stream: TlsStream<DuplexStream>| {
            stream.write_all(&[b'x'; 300]).await?;
            stream.flush().await?;
            stream.read_to_end(&mut Vec::new()).await
        });
        world
            .attach(async |bench| {
                provision(bench).await;
                let mut once = true;
                world.modem.set_script(Box::new(move |line| {
                    if line == b"AT#XRECV=1,64" && std::mem::take(&mut once) {
                        let answer = b"\r\n#XRECV: 300\r\nxxxxReady\r\n";
                        return sectag_simulator::Reaction::Reply(answer.to_vec());
                    }
                    sectag_simulator::Reaction::Normal
                }));
                let mut socket = connect(bench).await.unwrap();
                let mut buffer = [0; 300];
                let lost = with_timeout(Duration::from_secs(10), socket.read(&mut buffer)).await;
                assert_eq!(lost, Ok(Err(SocketError::ConnectionReset)));
            })
            .await;
    });
}
