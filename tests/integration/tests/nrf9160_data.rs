//! Payload on the nRF9160: what looks like the end of data mode, what was dropped in it, and looks for data.

use embassy_futures::join::join;
use embassy_futures::select::{Either, select};
use embassy_time::{Duration, Instant, Timer, with_timeout};
use embedded_io_async::{Read, Write};
use sectag::{Socket, SocketError};
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
                        // Binary, and lost before the time limit of data mode has it sent.
                        let payload = b"\x00binary\x01";
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
                            Timer::after_millis(20).await;
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
fn a_fetch_that_finds_nothing_does_not_end_the_connection() {
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
                        if pause > 0 && (profile.serial_modem || profile.async_poll) {
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

/// It has room for records of 5 KiB.
const TAKES_ALL: &str = "3.1-native";

/// What ends a connection in the middle of writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// A record of 5 KiB.
    Record,
    /// A record of 5 KiB, and then the peer closes.
    RecordThenClose,
    Network,
    Connection,
    Close,
}

/// Writes until that is an error, with everything that the modem can be given to send.
async fn write_on(socket: &mut impl Write<Error = SocketError>, payload: &[u8]) -> SocketError {
    let written = with_timeout(Duration::from_secs(100), async {
        loop {
            if let Err(error) = socket.write_all(payload).await {
                return error;
            }
            if let Err(error) = socket.flush().await {
                return error;
            }
            Timer::after_millis(30).await;
        }
    });
    written.await.expect("a writer is told")
}

/// All that is read, and how it ends; 0 bytes are no error.
async fn read_on(socket: &mut impl Read<Error = SocketError>) -> (Vec<u8>, Option<SocketError>) {
    let mut seen = Vec::new();
    let read = with_timeout(Duration::from_secs(100), async {
        let mut buffer = [0; 512];
        loop {
            match socket.read(&mut buffer).await {
                Ok(0) => return None,
                Ok(count) => seen.extend(&buffer[..count]),
                Err(error) => return Some(error),
            }
        }
    });
    let error = read.await.expect("a reader is told");
    (seen, error)
}

/// A connection that `end` ends two seconds after the peer has sent `first` bytes.
async fn ending<T>(
    profile: Nrf9160Profile,
    first: usize,
    end: End,
    application: impl AsyncFnOnce(Socket<'static>) -> T,
) -> T {
    let world = World::new(options(profile));
    world.serve(move |mut stream: TlsStream<DuplexStream>| async move {
        for record in vec![1; first].chunks(1000) {
            stream.write_all(record).await?;
            stream.flush().await?;
        }
        let act = async {
            Timer::after_secs(2).await;
            matches!(end, End::Network | End::Connection)
        };
        let (mut from, mut to) = tokio::io::split(stream);
        let mut sink = tokio::io::sink();
        let drain = tokio::io::copy(&mut from, &mut sink);
        if let Either::First(true) = select(act, drain).await {
            return std::future::pending().await;
        }
        if end != End::Close {
            to.write_all(&[2; 5120]).await?;
            to.flush().await?;
        }
        if end != End::Record {
            return to.shutdown().await;
        }
        std::future::pending().await
    });
    let modem = world.modem.clone();
    world
        .attach(async |bench| {
            provision(bench).await;
            let socket = connect(bench).await.unwrap();
            let breaks = async {
                Timer::after_secs(2).await;
                match end {
                    End::Network => modem.set_registered(false),
                    End::Connection => modem.drop_pdp_silently(0),
                    End::Record | End::RecordThenClose | End::Close => {}
                }
            };
            join(application(socket), breaks).await.0
        })
        .await
}

/// What both sides of a socket are told; nothing of the write's own failing.
fn told(end: End, answered: bool) -> (Option<SocketError>, SocketError) {
    match end {
        End::Record | End::RecordThenClose => {
            let error = SocketError::RecordTooLarge;
            (Some(error), error)
        }
        End::Network | End::Connection => {
            let error = SocketError::ConnectionReset;
            (Some(error), error)
        }
        End::Close if answered => (None, SocketError::BrokenPipe),
        End::Close => (None, SocketError::ClosedUnanswered),
    }
}

/// What is written finds first that the connection is gone, and that alone tells no cause.
#[test]
fn a_writer_is_told_what_a_reader_is() {
    for profile in usable() {
        let name = label(&profile);
        if name == TAKES_ALL {
            continue;
        }
        for end in [
            End::Record,
            End::RecordThenClose,
            End::Network,
            End::Connection,
            End::Close,
        ] {
            // As a string, and in data mode.
            for payload in [&b"text"[..], b"\x00binary"] {
                for first in [0, 300] {
                    virtually(async || {
                        let ((read, seen), wrote) =
                            ending(profile, first, end, async |mut socket| {
                                let (mut reader, mut writer) = socket.split();
                                let write = write_on(&mut writer, payload);
                                let ((read, seen), wrote) = join(read_on(&mut reader), write).await;
                                ((read, seen), wrote)
                            })
                            .await;
                        let what = format!("{name} {end:?} {payload:?} {first}");
                        assert_eq!((seen, wrote), told(end, first > 0), "{what}");
                        assert_eq!(read, vec![1; first], "{what}");
                    });
                }
            }
        }
    }
}

/// One task that writes, and reads only once it is told to stop: what came stays readable, and with a ring that
/// has no room for one fetch more the reason is found all the same.
#[test]
fn a_writer_that_does_not_read_is_told_as_well() {
    for profile in usable() {
        let name = label(&profile);
        if name == TAKES_ALL {
            continue;
        }
        for end in [
            End::Record,
            End::RecordThenClose,
            End::Connection,
            End::Close,
        ] {
            for first in [300, 2048, 6000] {
                virtually(async || {
                    let (wrote, read, seen) = ending(profile, first, end, async |mut socket| {
                        let wrote = write_on(&mut socket, b"text").await;
                        let (read, seen) = read_on(&mut socket).await;
                        (wrote, read, seen)
                    })
                    .await;
                    let what = format!("{name} {end:?} {first}");
                    assert_eq!((seen, wrote), told(end, true), "{what}");
                    assert!(
                        read.len() <= first && read.iter().all(|byte| *byte == 1),
                        "{what}"
                    );
                    // What the modem has of a connection that broke, it may drop.
                    let least = if end == End::Close {
                        first
                    } else {
                        first.min(300)
                    };
                    assert!(read.len() >= least, "{what}: {}", read.len());
                });
            }
        }
    }
}
