//! Direct push mode: the modem sends what it receives by itself.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;

use embassy_futures::select::{Either3, select3};
use embassy_time::{Duration, Instant, Timer, with_timeout};
use embedded_io_adapters::tokio_1::FromTokio;
use embedded_io_async::{Read, Write};
use sectag::tap::Tap;
use sectag::{
    CaScope, ConnectError, NoPins, ServerName, Socket, SocketError, State, Tag, TlsConfig,
};
use sectag_bg96::{Bg96, Config};
use sectag_integration_tests::Bench;
use sectag_integration_tests::scripted::Modem;
use sectag_integration_tests::simulated::{HOST, PORT, TLS, World, provision, virtually};
use sectag_simulator::time::block_on_virtual;
use sectag_simulator::{Chunk, Options};
use sectag_test_support::tls_server::echo;
use sectag_transcript::{Payload, Recorder};
use tokio::io::{AsyncWriteExt, DuplexStream};

/// A driver in push mode beside a modem, until the application is done.
async fn attach<T, const RX: usize>(
    modem: impl AsyncFnOnce(DuplexStream),
    application: impl AsyncFnOnce(Bench) -> T,
) -> T {
    attach_tapped::<T, RX>(None, modem, application).await
}

async fn attach_tapped<T, const RX: usize>(
    tap: Option<&'static dyn Tap>,
    modem: impl AsyncFnOnce(DuplexStream),
    application: impl AsyncFnOnce(Bench) -> T,
) -> T {
    // As little between them as behind a UART with flow control.
    let (host, device) = tokio::io::duplex(64);
    let (rx, tx) = tokio::io::split(host);
    let state: &'static mut State<'static, Bg96, 2, RX, 1024> = Box::leak(Box::default());
    let (control, mut runner) = sectag::new(
        state,
        Bg96::new(Config::new().direct_push()),
        FromTokio::new(rx),
        FromTokio::new(tx),
        NoPins,
    );
    if let Some(tap) = tap {
        runner = runner.with_tap(tap);
    }
    let modem = async {
        modem(device).await;
        std::future::pending::<()>().await;
    };
    match select3(modem, runner.run(), application(Bench { control })).await {
        Either3::First(()) => unreachable!("it is pending for ever"),
        Either3::Second(error) => panic!("the runner ended: {error}"),
        Either3::Third(result) => result,
    }
}

async fn simulated<T, const RX: usize>(
    world: &World,
    application: impl AsyncFnOnce(Bench) -> T,
) -> T {
    attach::<T, RX>(
        async |uart| {
            let _ = world.modem.serve(uart).await;
        },
        application,
    )
    .await
}

fn scripted<T>(script: impl AsyncFnOnce(Modem), application: impl AsyncFnOnce(Bench) -> T) -> T {
    block_on_virtual(attach::<T, 1500>(
        async |uart| script(Modem::new(uart, 64)).await,
        application,
    ))
}

const SCRIPTED: TlsConfig = TlsConfig::new(Tag(1)).ca_scope(CaScope::Private);

async fn connect(bench: Bench) -> Socket<'static> {
    let name = ServerName::new("broker.test").unwrap();
    bench.control.connect(name, 8883, &SCRIPTED).await.unwrap()
}

/// Bytes of all values, with what looks like headers and notices in between.
fn awkward(len: usize) -> Vec<u8> {
    const TRAPS: [&[u8]; 4] = [
        b"\r\n+QSSLURC: \"recv\",0,9\r\n",
        b"\r\nOK\r\n",
        b"\r\n+QSSLURC: \"closed\",0\r\n",
        b"\r\nRDY\r\n",
    ];
    let mut bytes: Vec<u8> = Vec::new();
    for step in 0.. {
        if bytes.len() >= len {
            break;
        }
        bytes.push((step * 37 % 256) as u8);
        if step % 53 == 0 {
            bytes.extend(TRAPS[step / 53 % TRAPS.len()]);
        }
    }
    bytes.truncate(len);
    bytes
}

#[test]
fn pushed_payload_of_any_size_and_value_arrives_and_costs_no_exchange() {
    for (baud, chunk) in [
        (None, Chunk::Whole),
        (Some(115_200), Chunk::Bytes(1)),
        (Some(921_600), Chunk::Random { max: 90 }),
    ] {
        virtually(async || {
            let world = World::new(Options {
                baud,
                chunk,
                ..Options::default()
            });
            world.serve(echo);
            simulated::<_, 1500>(&world, async |bench| {
                provision(bench).await;
                let mut socket = bench.control.connect(HOST, PORT, &TLS).await.unwrap();
                for len in [1, 64, 1499, 1500, 1501, 20_000] {
                    let bytes = awkward(len);
                    let (mut reader, mut writer) = socket.split();
                    let mut back = vec![0; len];
                    let write = async {
                        writer.write_all(&bytes).await.unwrap();
                        writer.flush().await.unwrap();
                    };
                    let read = reader.read_exact(&mut back);
                    let (read, ()) = embassy_futures::join::join(read, write).await;
                    read.unwrap();
                    assert_eq!(back, bytes);
                }
                socket.close().await.unwrap();
            })
            .await;
            assert_eq!(world.count("AT+QSSLRECV"), 0);
            assert_eq!(
                world.count("AT+QSSLOPEN=1,0,0,\"broker.sectag.test\",8883,1"),
                1
            );
            assert_eq!(world.count("AT+IFC=2,2"), 1);
        });
    }
}

#[test]
fn socket_that_is_not_read_loses_itself_and_not_the_other() {
    virtually(async || {
        let world = World::new(Options {
            baud: Some(460_800),
            ..Options::default()
        });
        world.serve(echo);
        simulated::<_, 1500>(&world, async |bench| {
            provision(bench).await;
            let mut flooded = bench.control.connect(HOST, PORT, &TLS).await.unwrap();
            let mut other = bench.control.connect(HOST, PORT, &TLS).await.unwrap();
            let worst = Cell::new(Duration::MIN);
            // It echoes, and nobody reads the echo.
            let flood = async {
                let bytes = awkward(1024);
                while flooded.write_all(&bytes).await.is_ok() {}
                flooded
            };
            let work = async {
                for round in 0..200u32 {
                    let begun = Instant::now();
                    let mut back = [0; 4];
                    other.write_all(&round.to_be_bytes()).await.unwrap();
                    other.flush().await.unwrap();
                    other.read_exact(&mut back).await.unwrap();
                    assert_eq!(back, round.to_be_bytes());
                    worst.set(worst.get().max(begun.elapsed()));
                    Timer::after_millis(20).await;
                }
            };
            let (mut flooded, ()) = embassy_futures::join::join(flood, work).await;
            // What came before is there, and then the reason.
            let mut read = 0;
            let mut buf = [0; 512];
            let error = loop {
                match flooded.read(&mut buf).await {
                    Ok(count) => read += count,
                    Err(error) => break error,
                }
            };
            assert_eq!(error, SocketError::RxOverrun);
            assert!((1..=1500).contains(&read), "{read}");
            // One stall, and the units that were on the UART already.
            assert!(worst.get() < Duration::from_millis(400), "{}", worst.get());
        })
        .await;
    });
}

#[test]
fn slow_reader_that_reads_is_waited_for() {
    virtually(async || {
        let world = World::new(Options::default());
        let bytes = awkward(30_000);
        let sent = bytes.clone();
        world.serve(move |mut stream| {
            let bytes = sent.clone();
            async move {
                stream.write_all(&bytes).await?;
                stream.shutdown().await?;
                io::Result::Ok(())
            }
        });
        simulated::<_, 1500>(&world, async |bench| {
            provision(bench).await;
            let mut socket = bench.control.connect(HOST, PORT, &TLS).await.unwrap();
            let mut received: Vec<u8> = Vec::new();
            let mut buf = [0; 100];
            loop {
                // 10 KB/s: a unit takes far longer than the stall limit, but moves on all the time.
                Timer::after_millis(10).await;
                match socket.read(&mut buf).await.unwrap() {
                    0 => break,
                    count => received.extend(&buf[..count]),
                }
            }
            assert_eq!(received, bytes);
        })
        .await;
    });
}

#[test]
fn ring_below_one_unit_is_refused_before_anything_is_sent() {
    virtually(async || {
        let world = World::new(Options::default());
        world.serve(echo);
        simulated::<_, 1499>(&world, async |bench| {
            provision(bench).await;
            world.modem.take_commands();
            let refused = bench.control.connect(HOST, PORT, &TLS).await.err();
            assert_eq!(refused, Some(ConnectError::RingTooSmall { needed: 1500 }));
            assert!(world.commands().is_empty());
        })
        .await;
    });
}

#[test]
fn data_may_come_between_any_two_lines() {
    const PUSH: &str = "\r\n+QSSLURC: \"recv\",0,4\r\n\r\nOK\r\n";
    scripted(
        async |mut modem| {
            modem.bring_up().await;
            modem.until_open().await;
            // Two in front of the result, which are another connection's; in the same burst and before the
            // application has its socket, it is this one's.
            modem
                .say(format!(
                    "{PUSH}\r\nOK\r\n{PUSH}\r\n+QSSLOPEN: 0,0\r\n{PUSH}"
                ))
                .await;
            modem.expect("AT+CCLK?").await;
            modem
                .say(format!(
                    "{PUSH}\r\n+CCLK: \"26/11/20,12:00:00+00\"\r\n{PUSH}\r\nOK\r\n{PUSH}"
                ))
                .await;
            modem.expect("AT+QSSLSEND=0,2").await;
            modem.say(format!("{PUSH}\r\n> ")).await;
            assert_eq!(modem.payload(2).await, b"hi");
            modem.say(format!("{PUSH}\r\nSEND OK\r\n{PUSH}")).await;
            modem.say("\r\n+QSSLURC: \"closed\",0\r\n").await;
            modem.rest().await;
        },
        async |bench| {
            let mut socket = connect(bench).await;
            assert!(bench.control.clock().await.unwrap().is_some());
            socket.write_all(b"hi").await.unwrap();
            socket.flush().await.unwrap();
            let mut received: Vec<u8> = Vec::new();
            let mut buf = [0; 3];
            loop {
                match socket.read(&mut buf).await.unwrap() {
                    0 => break,
                    count => received.extend(&buf[..count]),
                }
            }
            assert_eq!(received, b"\r\nOK".repeat(7));
            // Nobody asked for it.
            assert_eq!(bench.control.counters().resyncs, 0);
        },
    );
}

/// What the driver is told, and what the socket of id 0 then says behind what it delivers.
fn broken(push: &'static str, delivered: &'static [u8]) {
    scripted(
        async |mut modem| {
            modem.bring_up().await;
            modem.open().await;
            modem.open().await;
            modem.say(push).await;
            // Synchronised before anything else, then closed; the other socket goes on.
            let mut order = Vec::new();
            loop {
                let command = modem.command().await;
                match command.as_str() {
                    "AT+IPR?" => modem.say("\r\n+IPR: 115200\r\n\r\nOK\r\n").await,
                    "AT+QSSLCLOSE=0,3" => modem.say("\r\nOK\r\n").await,
                    "AT+QSSLSTATE=1" => {
                        modem
                            .say("\r\n+QSSLSTATE: 1,\"SSLClient\",\"1.2.3.4\",1,1,2,1,1,1,\"uart1\",1\r\n\r\nOK\r\n")
                            .await;
                    }
                    other => panic!("{other}"),
                }
                order.push(command);
                if order.len() == 3 {
                    break;
                }
            }
            assert_eq!(order[0], "AT+IPR?");
            modem.say("\r\n+QSSLURC: \"recv\",1,3\r\nyes\r\n").await;
            modem.rest().await;
        },
        async |bench| {
            let mut broken = connect(bench).await;
            let mut other = connect(bench).await;
            let mut buf = [0; 64];
            let mut received: Vec<u8> = Vec::new();
            let error = loop {
                match with_timeout(Duration::from_secs(10), broken.read(&mut buf)).await {
                    Ok(Ok(count)) => received.extend(&buf[..count]),
                    Ok(Err(error)) => break error,
                    Err(_) => panic!("nobody noticed"),
                }
            };
            assert_eq!(
                (error, &received[..]),
                (SocketError::ConnectionReset, delivered)
            );
            other.read_exact(&mut buf[..3]).await.unwrap();
            assert_eq!(&buf[..3], b"yes");
        },
    );
}

#[test]
fn count_that_is_too_short_resets_the_socket() {
    broken(
        "\r\n+QSSLURC: \"recv\",0,2\r\nok\r\n\r\n+QSSLURC: \"recv\",0,3\r\nhello\r\n",
        b"ok",
    );
}

#[test]
fn count_that_is_too_long_resets_the_socket() {
    broken("\r\n+QSSLURC: \"recv\",0,500\r\nhello\r\n", b"");
}

#[test]
fn payload_is_believed_without_a_line_end_behind_it_when_nothing_follows() {
    scripted(
        async |mut modem| {
            modem.bring_up().await;
            modem.open().await;
            modem.say("\r\n+QSSLURC: \"recv\",0,5\r\nhello").await;
            modem.rest().await;
        },
        async |bench| {
            let mut socket = connect(bench).await;
            let mut buf = [0; 5];
            let read = with_timeout(Duration::from_millis(100), socket.read_exact(&mut buf));
            read.await.unwrap().unwrap();
            assert_eq!(&buf, b"hello");
        },
    );
}

#[test]
fn reset_of_the_modem_inside_pushed_payload_is_noticed() {
    scripted(
        async |mut modem| {
            modem.bring_up().await;
            modem.open().await;
            modem
                .say("\r\n+QSSLURC: \"recv\",0,500\r\nhel\r\nRDY\r\n")
                .await;
            // Echo is back on, so the synchronising query shows what happened.
            modem.expect("AT+IPR?").await;
            modem.say("AT+IPR?\r\r\n+IPR: 115200\r\n\r\nOK\r\n").await;
            modem.bring_up().await;
            modem.open().await;
            modem.rest().await;
        },
        async |bench| {
            let mut socket = connect(bench).await;
            let begun = Instant::now();
            assert_eq!(
                socket.read(&mut [0; 9]).await,
                Err(SocketError::ConnectionReset)
            );
            assert!(begun.elapsed() < Duration::from_secs(3));
            drop(socket);
            connect(bench).await;
        },
    );
}

#[test]
fn what_is_said_of_an_id_before_it_is_opened_is_about_an_earlier_connection() {
    scripted(
        async |mut modem| {
            modem.bring_up().await;
            modem
                .obey_until(|command| command.starts_with("AT+QFLST"))
                .await;
            // Late words about id 0 of another life.
            modem
                .say("\r\n+QSSLOPEN: 0,0\r\n\r\n+QSSLURC: \"recv\",0,5\r\nstale\r\n")
                .await;
            modem.say("\r\n+QFLST: \"st1.ca\",1200\r\n\r\nOK\r\n").await;
            modem.until_open().await;
            modem.say("\r\nOK\r\n").await;
            Timer::after_millis(300).await;
            modem.say("\r\n+QSSLOPEN: 0,0\r\n").await;
            modem.say("\r\n+QSSLURC: \"recv\",0,5\r\nfresh\r\n").await;
            modem.rest().await;
        },
        async |bench| {
            let mut socket = connect(bench).await;
            let mut text = [0; 5];
            socket.read_exact(&mut text).await.unwrap();
            assert_eq!(&text, b"fresh");
        },
    );
}

const CLOSED: &str =
    "\r\n+QSSLSTATE: 0,\"SSLClient\",\"1.2.3.4\",1,1,4,1,0,1,\"uart1\",0\r\n\r\nOK\r\n";

/// A socket that says nothing is asked about. What was pushed before a notice that got lost may be lost as
/// well, so that its end is no end of file.
#[test]
fn end_whose_notice_was_lost_is_a_reset_and_one_that_is_on_its_way_an_end_of_file() {
    for (notice, expected) in [
        ("", Err(SocketError::ConnectionReset)),
        ("\r\n+QSSLURC: \"closed\",0\r\n", Ok(0)),
    ] {
        scripted(
            async |mut modem| {
                modem.bring_up().await;
                modem.open().await;
                modem.obey_until(|line| line == "AT+QSSLSTATE=0").await;
                modem.say(CLOSED).await;
                let line = modem.obey_until(|line| line.starts_with("AT+QSSL")).await;
                if line == "AT+QSSLSTATE=0" {
                    modem.say(format!("{notice}{CLOSED}")).await;
                    modem.obey_until(|line| line == "AT+QSSLCLOSE=0,3").await;
                }
                modem.say("\r\nOK\r\n").await;
                modem.obey_until(|_| false).await;
            },
            async |bench| {
                let mut socket = connect(bench).await;
                let read = with_timeout(Duration::from_secs(600), socket.read(&mut [0; 8])).await;
                assert_eq!(read, Ok(expected));
            },
        );
    }
}

/// While the driver is out of step, what looks like a header may be part of something else.
#[test]
fn header_while_the_channel_is_out_of_step_resets_its_socket() {
    scripted(
        async |mut modem| {
            modem.bring_up().await;
            modem.open().await;
            // Unanswered; the query that brings it back into step comes behind a header.
            modem.expect("AT+CCLK?").await;
            modem.expect("AT+IPR?").await;
            modem
                .say("\r\n+QSSLURC: \"recv\",0,5\r\nhello\r\n\r\n+IPR: 115200\r\n\r\nOK\r\n")
                .await;
            modem.obey_until(|_| false).await;
        },
        async |bench| {
            let mut socket = connect(bench).await;
            assert!(bench.control.clock().await.is_err());
            let read = with_timeout(Duration::from_secs(60), socket.read(&mut [0; 8])).await;
            assert_eq!(read, Ok(Err(SocketError::ConnectionReset)));
        },
    );
}

/// A recording tells pushed payload, of a socket and of none, from lines.
#[test]
fn pushed_payload_is_masked_in_a_recording() {
    let out = Shared::default();
    let recorder = Recorder::new(out.clone(), "a test", Payload::Masked);
    let recorder: &'static Recorder<Shared> = Box::leak(Box::new(recorder));
    block_on_virtual(attach_tapped::<_, 1500>(
        Some(recorder),
        async |uart| {
            let mut modem = Modem::new(uart, 64);
            modem.bring_up().await;
            modem.say("\r\n+QSSLURC: \"recv\",3,6\r\nnobody\r\n").await;
            modem.open().await;
            modem.say("\r\n+QSSLURC: \"recv\",0,6\r\nsecret\r\n").await;
            modem.rest().await;
        },
        async |bench| {
            let mut socket = connect(bench).await;
            let mut read = [0; 6];
            socket.read_exact(&mut read).await.unwrap();
            assert_eq!(&read, b"secret");
        },
    ));
    recorder.finish().unwrap();
    let text = String::from_utf8(out.0.borrow().clone()).unwrap();
    for part in ["secret", "nobody"] {
        assert!(!text.contains(part), "{part}: {text}");
    }
    assert!(
        text.contains("+QSSLURC: \"recv\",0,6\\r\\nxxxxxx"),
        "{text}"
    );
}

#[derive(Clone, Default)]
struct Shared(Rc<RefCell<Vec<u8>>>);

impl io::Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
