//! Serial LTE Modem that announces data (3.1): a quiet connection is not polled, and nothing is late or lost for that.

use std::cell::Cell;
use std::io;
use std::rc::Rc;

use embassy_futures::join::join;
use embassy_time::{Duration, Instant, Timer, with_timeout};
use embedded_io_async::{Read, Write};
use sectag::{ServerName, Socket, SocketError};
use sectag_integration_tests::nrf9160::{TLS, World, connect, options, provision, round_trip};
use sectag_integration_tests::simulated::{PORT, virtually};
use sectag_simulator::{FailingSend, Nrf9160Options, Nrf9160Profile, Reaction, SendFailure};
use sectag_test_support::tls_server::{TlsStream, echo};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

/// The time in which a connection is checked whose notice was lost: the interval of the checks, and what the check takes.
const CHECKED: Duration = Duration::from_millis(60_500);
const TURNAROUND: Duration = Duration::from_millis(20);
const BUSY: ServerName<'static> = match ServerName::new("busy.sectag.test") {
    Ok(name) => name,
    Err(_) => panic!("a name"),
};

fn announcing() -> [Nrf9160Profile; 2] {
    ["3.1", "3.1-native"].map(|name| Nrf9160Profile::named(name).unwrap())
}

fn slow(profile: Nrf9160Profile) -> Nrf9160Options {
    Nrf9160Options {
        turnaround: TURNAROUND,
        baud: Some(115_200),
        ..options(profile)
    }
}

/// Sends `news` 30 s after the handshake, and then waits for the client to close. Notes the time.
fn news_later(
    sent: Rc<Cell<Instant>>,
) -> impl AsyncFn(TlsStream<DuplexStream>) -> io::Result<()> + Clone {
    async move |mut stream| {
        Timer::after_secs(30).await;
        sent.set(Instant::now());
        stream.write_all(b"news").await?;
        stream.flush().await?;
        stream.read(&mut [0; 8]).await.map(|_| ())
    }
}

fn serve_news(world: &World) -> Rc<Cell<Instant>> {
    let sent = Rc::new(Cell::new(Instant::MIN));
    let news = news_later(sent.clone());
    world.serve(move |stream| {
        let news = news.clone();
        async move { news(stream).await }
    });
    sent
}

async fn read_news(socket: &mut Socket<'_>, sent: &Cell<Instant>) -> Duration {
    let mut text = [0; 4];
    with_timeout(Duration::from_secs(120), socket.read_exact(&mut text))
        .await
        .expect("it is read in time")
        .unwrap();
    assert_eq!(text, *b"news");
    sent.get().elapsed()
}

fn count(world: &World, wanted: &str) -> usize {
    let commands = world.commands();
    commands.iter().filter(|line| *line == wanted).count()
}

#[test]
fn data_of_a_quiet_connection_is_announced_and_not_polled_for() {
    for profile in announcing() {
        virtually(async || {
            let world = World::new(slow(profile));
            let sent = serve_news(&world);
            world
                .attach(async |bench| {
                    provision(bench).await;
                    let mut socket = connect(bench).await.unwrap();
                    Timer::after_secs(10).await;
                    world.modem.take_commands();
                    Timer::after_secs(15).await;
                    assert_eq!(world.commands(), Vec::<String>::new(), "nothing is asked");
                    let late = read_news(&mut socket, &sent).await;
                    // The end of the notices, a poll and a read, where polls alone found it after 462 ms.
                    assert!(late <= TURNAROUND * 5, "{late}");
                })
                .await;
        });
    }
}

/// UNCONFIRMED which release is the first with `#XAPOLL`: one that refuses it is polled at least every second.
#[test]
fn a_firmware_that_refuses_notices_is_polled() {
    virtually(async || {
        let profile = Nrf9160Profile {
            async_poll: false,
            ..Nrf9160Profile::V3_1
        };
        let world = World::new(slow(profile));
        let sent = serve_news(&world);
        world
            .attach(async |bench| {
                provision(bench).await;
                let mut socket = connect(bench).await.unwrap();
                let late = read_news(&mut socket, &sent).await;
                assert!(late <= Duration::from_millis(1100), "{late}");
                assert_eq!(count(&world, "AT#XAPOLL=1,1"), 1, "it is tried once");
            })
            .await;
    });
}

/// The server sends `bytes` and perhaps closes while the UART is not heard: what the modem says then is lost.
fn a_lost_notice(bytes: &'static [u8], closes: bool) {
    for profile in announcing() {
        virtually(async || {
            let world = World::new(slow(profile));
            let sent = Rc::new(Cell::new(Instant::MIN));
            let at = sent.clone();
            world.serve(move |mut stream: TlsStream<DuplexStream>| {
                let at = at.clone();
                async move {
                    Timer::after_secs(30).await;
                    at.set(Instant::now());
                    stream.write_all(bytes).await?;
                    stream.flush().await?;
                    if closes {
                        stream.shutdown().await?;
                    }
                    stream.read(&mut [0; 8]).await.map(|_| ())
                }
            });
            let deaf = Rc::new(Cell::new(false));
            world
                .attach_deaf(deaf.clone(), async |bench| {
                    provision(bench).await;
                    let mut socket = connect(bench).await.unwrap();
                    // The server's moment is in between, and no exchange is.
                    let loses = async {
                        Timer::after_secs(29).await;
                        deaf.set(true);
                        Timer::after_secs(2).await;
                        deaf.set(false);
                    };
                    let reads = async {
                        let mut text = [0; 8];
                        let count = with_timeout(Duration::from_secs(200), socket.read(&mut text))
                            .await
                            .expect("it is found")
                            .unwrap();
                        assert_eq!(&text[..count], bytes);
                        sent.get().elapsed()
                    };
                    let ((), late) = join(loses, reads).await;
                    assert!(late <= CHECKED, "{late}");
                    if closes {
                        assert_eq!(socket.read(&mut [0; 8]).await, Ok(0));
                    }
                })
                .await;
        });
    }
}

#[test]
fn data_whose_notice_was_lost_is_found_within_a_minute() {
    a_lost_notice(b"news", false);
}

/// A socket that has hung up is announced once.
#[test]
fn a_close_whose_notice_was_lost_is_found_within_a_minute() {
    a_lost_notice(b"news", true);
    a_lost_notice(b"", true);
}

/// While one connection is busy there are no notices, and the other one is polled as ever.
#[test]
fn a_busy_connection_makes_no_other_one_late() {
    for profile in announcing() {
        virtually(async || {
            let world = World::new(slow(profile));
            let sent = serve_news(&world);
            world.serve_as(BUSY.as_str(), echo);
            world
                .attach(async |bench| {
                    provision(bench).await;
                    let mut quiet = connect(bench).await.unwrap();
                    let other = bench.control.connect(BUSY, PORT, &TLS).await;
                    let mut other = other.unwrap();
                    let works = async {
                        let end = Instant::now() + Duration::from_secs(60);
                        while Instant::now() < end {
                            let back = round_trip(&mut other, b"\x00binary\x01").await;
                            assert_eq!(back, b"\x00binary\x01");
                        }
                    };
                    let reads = async {
                        let late = read_news(&mut quiet, &sent).await;
                        assert!(late <= Duration::from_millis(1500), "{late}");
                    };
                    join(works, reads).await;
                    // And both are quiet again: what each is told of is found.
                    Timer::after_secs(5).await;
                    let before = world.modem.exchanges();
                    Timer::after_secs(600).await;
                    let exchanges = world.modem.exchanges() - before;
                    assert!(exchanges <= 66, "{exchanges} in ten minutes");
                })
                .await;
        });
    }
}

/// A socket that is not connected may count as hung up, which is announced once and then never again.
#[test]
fn no_socket_is_created_under_notices() {
    for profile in announcing() {
        virtually(async || {
            let world = World::new(slow(profile));
            world.serve(echo);
            world
                .attach(async |bench| {
                    provision(bench).await;
                    let _first = connect(bench).await.unwrap();
                    Timer::after_secs(10).await;
                    let _second = connect(bench).await.unwrap();
                    let mut on = false;
                    for line in world.commands() {
                        match line.as_str() {
                            "AT#XAPOLL=1,1" => on = true,
                            "AT#XAPOLL=0" => on = false,
                            line => assert!(!on || !line.starts_with("AT#XSSOCKET="), "{line}"),
                        }
                    }
                })
                .await;
        });
    }
}

/// A string and a piece in data mode that fail while notices are on: the writer learns of it, and nothing is sent again.
#[test]
fn a_send_that_fails_under_notices_ends_the_connection() {
    for profile in announcing() {
        for (payload, how) in [
            (&b"text"[..], SendFailure::Refused),
            (b"text", SendFailure::Breaks),
            (b"\x00binary", SendFailure::Breaks),
        ] {
            virtually(async || {
                let world = World::new(Nrf9160Options {
                    failing_send: Some(FailingSend {
                        nth: 1,
                        after: 0,
                        how,
                    }),
                    ..slow(profile)
                });
                world.serve(echo);
                world
                    .attach(async |bench| {
                        provision(bench).await;
                        let mut socket = connect(bench).await.unwrap();
                        assert_eq!(round_trip(&mut socket, b"first").await, b"first");
                        Timer::after_secs(10).await;
                        socket.write_all(payload).await.unwrap();
                        let began = Instant::now();
                        let end = socket.flush().await;
                        assert_eq!(end, Err(SocketError::ConnectionReset), "{how:?}");
                        let took = began.elapsed();
                        assert!(took <= Duration::from_secs(3), "{how:?}: {took}");
                        drop(socket);
                        let mut socket = connect(bench).await.unwrap();
                        assert_eq!(round_trip(&mut socket, b"again").await, b"again");
                    })
                    .await;
            });
        }
    }
}

/// The modem has begun, or ended, the notices, and its answer was lost. That costs this connection and no later one.
#[test]
fn an_answer_about_notices_that_was_lost_costs_one_connection() {
    for profile in announcing() {
        for lost in ["AT#XAPOLL=1,1", "AT#XAPOLL=0"] {
            virtually(async || {
                let world = World::new(slow(profile));
                world.serve(echo);
                let deaf = Rc::new(Cell::new(false));
                let (muffled, mut armed) = (deaf.clone(), true);
                let up = Rc::new(Cell::new(false));
                let is_up = up.clone();
                world.modem.set_script(Box::new(move |line| {
                    if line == lost.as_bytes() && armed && is_up.get() {
                        armed = false;
                        muffled.set(true);
                    } else if line == b"AT+CMEE?" {
                        muffled.set(false);
                    }
                    Reaction::Normal
                }));
                world
                    .attach_deaf(deaf.clone(), async |bench| {
                        provision(bench).await;
                        let mut socket = connect(bench).await.unwrap();
                        up.set(true);
                        Timer::after_secs(5).await;
                        // Ends the notices, if they are on.
                        let _ = socket.write_all(b"\x00").await;
                        let _ = socket.flush().await;
                        let end = with_timeout(Duration::from_secs(90), async {
                            while !matches!(socket.read(&mut [0; 8]).await, Ok(0) | Err(_)) {}
                        });
                        assert!(end.await.is_ok(), "{lost}: the connection ends");
                        drop(socket);
                        let mut socket = connect(bench).await.unwrap();
                        for _ in 0..3 {
                            assert_eq!(round_trip(&mut socket, b"\x00mine").await, b"\x00mine");
                            Timer::after_secs(40).await;
                        }
                    })
                    .await;
            });
        }
    }
}
