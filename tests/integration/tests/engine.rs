//! The engine under a modem that says what no simulator would, in virtual time.

use std::cell::Cell;

use embassy_futures::select::{Either, select};
use embassy_time::{Duration, Instant, Timer, with_timeout};
use embedded_io_async::{Read, Write};
use sectag::at::AtatCmd;
use sectag::modem::Timing;
use sectag::{
    AtError, BringUpError, CaScope, Code, ConnectError, CredentialError, Kind, Refusal, ServerName,
    Socket, SocketError, Source, Tag, TlsConfig,
};
use sectag_integration_tests::scripted::{CLOCK, Modem};
use sectag_integration_tests::{Bench, bench};

const TLS: TlsConfig = TlsConfig::new(Tag(1)).ca_scope(CaScope::Private);

async fn connect(bench: Bench) -> Result<Socket<'static>, ConnectError> {
    bench
        .control
        .connect(ServerName::new("broker.test").unwrap(), 8883, &TLS)
        .await
}

/// Chunk sizes to run a script with.
const CHUNKS: [usize; 4] = [1, 2, 7, 4096];

#[test]
fn urc_between_any_two_lines_is_neither_lost_nor_in_the_way() {
    const URC: &str = "\r\n+QSSLURC: \"recv\",0\r\n";
    for chunk in CHUNKS {
        bench(
            async |uart| {
                let mut modem = Modem::new(uart, chunk);
                modem.bring_up().await;
                let id = modem.open().await;
                assert_eq!(id, 0);
                modem.say(URC).await;
                // In front of the header, and behind the payload.
                modem
                    .fetch(
                        0,
                        format!("{URC}\r\n+QSSLRECV: 5\r\nhello\r\n{URC}\r\nOK\r\n"),
                    )
                    .await;
                modem
                    .fetch(0, "\r\n+QSSLRECV: 6\r\n world\r\n\r\nOK\r\n")
                    .await;
                modem.fetch(0, "\r\n+QSSLRECV: 0\r\n\r\nOK\r\n").await;
                // Between information text and result of another command.
                modem.expect("AT+CCLK?").await;
                modem
                    .say(CLOCK.replace("\r\n\r\nOK", &format!("\r\n{URC}\r\nOK")))
                    .await;
                modem.fetch(0, "\r\n+QSSLRECV: 1\r\n!\r\n\r\nOK\r\n").await;
                modem.rest().await;
            },
            async |bench| {
                let mut socket = connect(bench).await.unwrap();
                let mut text = [0; 11];
                socket.read_exact(&mut text).await.unwrap();
                assert_eq!(&text, b"hello world");
                assert!(bench.control.clock().await.unwrap().is_some());
                assert_eq!(socket.read(&mut text).await, Ok(1));
                assert_eq!(text[0], b'!');
            },
        );
    }
}

#[test]
fn payload_that_looks_like_lines_stays_payload() {
    const PAYLOAD: &str =
        "\r\nOK\r\n> \r\nERROR\r\n+QSSLURC: \"closed\",0\r\n\r\nRDY\r\n+QSSLRECV: 7\r\n";
    for chunk in CHUNKS {
        bench(
            async |uart| {
                let mut modem = Modem::new(uart, chunk);
                modem.bring_up().await;
                modem.open().await;
                modem
                    .expect(&format!("AT+QSSLSEND=0,{}", PAYLOAD.len()))
                    .await;
                modem.say("\r\n> ").await;
                assert_eq!(modem.payload(PAYLOAD.len()).await, PAYLOAD.as_bytes());
                modem
                    .say("\r\nSEND OK\r\n\r\n+QSSLURC: \"recv\",0\r\n")
                    .await;
                modem
                    .fetch(
                        0,
                        format!(
                            "\r\n+QSSLRECV: {}\r\n{PAYLOAD}\r\n\r\nOK\r\n",
                            PAYLOAD.len()
                        ),
                    )
                    .await;
                modem.fetch(0, "\r\n+QSSLRECV: 0\r\n\r\nOK\r\n").await;
                modem.rest().await;
            },
            async |bench| {
                let mut socket = connect(bench).await.unwrap();
                socket.write_all(PAYLOAD.as_bytes()).await.unwrap();
                socket.flush().await.unwrap();
                let mut text = vec![0; PAYLOAD.len()];
                Timer::after_secs(1).await;
                socket.read_exact(&mut text).await.unwrap();
                assert_eq!(text, PAYLOAD.as_bytes());
                // Nothing of it was taken for a close.
                assert!(
                    with_timeout(Duration::from_millis(500), socket.read(&mut text))
                        .await
                        .is_err()
                );
            },
        );
    }
}

#[test]
fn late_answer_never_reaches_the_next_command() {
    for chunk in CHUNKS {
        bench(
            async |uart| {
                let mut modem = Modem::new(uart, chunk);
                modem.bring_up().await;
                modem.expect("AT+CCLK?").await;
                // Its limit is 3 s. The query that synchronises is sent, and only then comes the answer.
                modem.expect("AT+IPR?").await;
                modem
                    .say("\r\n+CCLK: \"11/11/11,11:11:11+00\"\r\n\r\nOK\r\n")
                    .await;
                modem.say("\r\n+IPR: 115200\r\n\r\nOK\r\n").await;
                modem.answer("AT+CCLK?", CLOCK).await;
                modem.rest().await;
            },
            async |bench| {
                bench.control.wait_up().await.unwrap();
                assert_eq!(bench.control.clock().await, Err(AtError::Timeout));
                let now = bench.control.clock().await.unwrap().unwrap();
                assert_eq!(now.to_string(), "2026-11-20T12:00:00Z");
                assert_eq!(bench.control.counters().resyncs, 1);
            },
        );
    }
}

#[test]
fn dropped_command_leaves_its_answer_to_nobody() {
    bench(
        async |uart| {
            let mut modem = Modem::new(uart, 4096);
            modem.bring_up().await;
            modem.expect("AT+CCLK?").await;
            // The next command waits for this, though its caller has gone.
            assert!(modem.is_quiet(1000).await);
            modem
                .say("\r\n+CCLK: \"11/11/11,11:11:11+00\"\r\n\r\nOK\r\n")
                .await;
            modem.answer("AT+CCLK?", CLOCK).await;
            modem.rest().await;
        },
        async |bench| {
            bench.control.wait_up().await.unwrap();
            assert!(
                with_timeout(Duration::from_millis(100), bench.control.clock())
                    .await
                    .is_err()
            );
            let now = bench.control.clock().await.unwrap().unwrap();
            assert_eq!(now.to_string(), "2026-11-20T12:00:00Z");
            assert_eq!(bench.control.counters().resyncs, 0);
        },
    );
}

#[test]
fn open_result_counts_in_the_same_burst_as_ok_and_late() {
    for chunk in CHUNKS {
        for delay in [0, 50_000] {
            bench(
                async |uart| {
                    let mut modem = Modem::new(uart, chunk);
                    modem.bring_up().await;
                    let open = modem.until_open().await;
                    assert_eq!(open, "AT+QSSLOPEN=1,0,0,\"broker.test\",8883,0");
                    if delay == 0 {
                        modem.say("\r\nOK\r\n\r\n+QSSLOPEN: 0,0\r\n").await;
                    } else {
                        modem.say("\r\nOK\r\n").await;
                        Timer::after_millis(delay).await;
                        modem.say("\r\n+QSSLOPEN: 0,0\r\n").await;
                    }
                    modem.opened(&open).await;
                    modem.rest().await;
                },
                async |bench| {
                    let start = Instant::now();
                    connect(bench).await.unwrap();
                    assert!(start.elapsed().as_millis() >= delay);
                },
            );
        }
    }
}

#[test]
fn refused_open_is_closed_before_its_id_is_used_again() {
    bench(
        async |uart| {
            let mut modem = Modem::new(uart, 4096);
            modem.bring_up().await;
            modem.until_open().await;
            modem.say("\r\nOK\r\n\r\n+QSSLOPEN: 0,566\r\n").await;
            modem.answer("AT+QSSLCLOSE=0,3", "\r\nOK\r\n").await;
            let open = modem.until_open().await;
            assert_eq!(open, "AT+QSSLOPEN=1,0,1,\"broker.test\",8883,0");
            modem.say("\r\nOK\r\n\r\n+QSSLOPEN: 1,0\r\n").await;
            modem.opened(&open).await;
            modem.rest().await;
        },
        async |bench| {
            let refused = connect(bench).await.err();
            assert!(
                matches!(
                    refused,
                    Some(ConnectError::Refused(Refusal {
                        code: Code::Vendor(566, _),
                        ..
                    }))
                ),
                "{refused:?}"
            );
            Timer::after_millis(100).await;
            connect(bench).await.unwrap();
        },
    );
}

#[test]
fn result_of_a_dropped_connect_never_validates_the_next_one() {
    bench(
        async |uart| {
            let mut modem = Modem::new(uart, 4096);
            modem.bring_up().await;
            assert_eq!(
                modem.until_open().await,
                "AT+QSSLOPEN=1,0,0,\"broker.test\",8883,0"
            );
            modem.say("\r\nOK\r\n").await;
            // Its caller goes; the modem is told, and confirms late.
            modem
                .obey_until(|command| command == "AT+QSSLCLOSE=0,3")
                .await;
            Timer::after_secs(2).await;
            modem.say("\r\nOK\r\n").await;
            // The next one has another id, and is not opened by the late result of the first.
            let command = modem.until_open().await;
            assert!(
                command.starts_with("AT+QSSLOPEN=1,1,1,")
                    || command.starts_with("AT+QSSLOPEN=1,0,1,"),
                "{command}"
            );
            modem.say("\r\nOK\r\n\r\n+QSSLOPEN: 0,0\r\n").await;
            // Somebody opened 0 after all: it is closed.
            modem.answer("AT+QSSLCLOSE=0,3", "\r\nOK\r\n").await;
            Timer::after_secs(5).await;
            modem.say("\r\n+QSSLOPEN: 1,566\r\n").await;
            modem.rest().await;
        },
        async |bench| {
            bench.control.wait_up().await.unwrap();
            assert!(
                with_timeout(Duration::from_secs(10), connect(bench))
                    .await
                    .is_err()
            );
            let second = connect(bench).await.err();
            assert!(
                matches!(
                    second,
                    Some(ConnectError::Refused(Refusal {
                        code: Code::Vendor(566, _),
                        ..
                    }))
                ),
                "{second:?}"
            );
        },
    );
}

#[test]
fn reset_ends_sockets_at_once_and_the_next_connect_works() {
    for chunk in CHUNKS {
        bench(
            async |uart| {
                let mut modem = Modem::new(uart, chunk);
                modem.bring_up().await;
                modem.open().await;
                modem.say("\r\nRDY\r\n").await;
                Timer::after_millis(300).await;
                modem.say("\r\nAPP RDY\r\n").await;
                modem.bring_up().await;
                let id = modem.open().await;
                assert_eq!(id, 1);
                modem.rest().await;
            },
            async |bench| {
                let mut socket = connect(bench).await.unwrap();
                let mut buf = [0; 8];
                assert_eq!(
                    socket.read(&mut buf).await,
                    Err(SocketError::ConnectionReset)
                );
                assert_eq!(socket.write(b"x").await, Err(SocketError::ConnectionReset));
                connect(bench).await.unwrap();
                assert_eq!(bench.control.counters().restarts, 1);
            },
        );
    }
}

#[test]
fn handle_of_an_earlier_life_sends_nothing() {
    struct Query;
    sectag::at::at_command!(Query, 3000, "+QUERY", |self, line| line);
    bench(
        async |uart| {
            let mut modem = Modem::new(uart, 4096);
            modem.bring_up().await;
            modem.answer("AT+QUERY", "\r\nOK\r\n").await;
            modem.say("\r\nRDY\r\n").await;
            modem.bring_up().await;
            modem.answer("AT+CCLK?", CLOCK).await;
            modem.rest().await;
        },
        async |bench| {
            bench.control.wait_up().await.unwrap();
            let at = bench.control.keeps_connections().at().await.unwrap();
            at.send(&Query).await.unwrap();
            Timer::after_millis(1).await;
            bench.control.wait_up().await.unwrap();
            assert_eq!(at.send(&Query).await.err(), Some(AtError::ModemReset));
            assert!(bench.control.clock().await.is_ok());
        },
    );
}

#[test]
fn reset_in_the_middle_of_a_command_ends_it() {
    bench(
        async |uart| {
            let mut modem = Modem::new(uart, 4096);
            modem.bring_up().await;
            modem.expect("AT+CCLK?").await;
            modem.say("\r\n+CCLK: \"26/1\r\nRDY\r\n").await;
            modem.bring_up().await;
            modem.answer("AT+CCLK?", CLOCK).await;
            modem.rest().await;
        },
        async |bench| {
            bench.control.wait_up().await.unwrap();
            assert_eq!(bench.control.clock().await, Err(AtError::ModemReset));
            assert!(bench.control.clock().await.is_ok());
        },
    );
}

#[test]
fn reset_in_the_middle_of_payload_is_noticed_though_its_banner_is_counted() {
    bench(
        async |uart| {
            let mut modem = Modem::new(uart, 4096);
            modem.bring_up().await;
            modem.open().await;
            modem.say("\r\n+QSSLURC: \"recv\",0\r\n").await;
            modem
                .fetch(0, "\r\n+QSSLRECV: 900\r\nhello\r\nRDY\r\n\r\nAPP RDY\r\n")
                .await;
            modem.bring_up().await;
            modem.rest().await;
        },
        async |bench| {
            let mut socket = connect(bench).await.unwrap();
            let start = Instant::now();
            let mut buf = [0; 16];
            assert_eq!(
                socket.read(&mut buf).await,
                Err(SocketError::ConnectionReset)
            );
            assert!(
                start.elapsed() < Duration::from_secs(3),
                "{:?}",
                start.elapsed()
            );
            bench.control.wait_up().await.unwrap();
        },
    );
}

/// What an exchange of payload must not survive.
#[test]
fn socket_whose_payload_exchange_breaks_the_grammar_is_poisoned() {
    for (case, answer) in [
        ("count too small", "\r\n+QSSLRECV: 3\r\nhello\r\n\r\nOK\r\n"),
        ("count too large", "\r\n+QSSLRECV: 9\r\nhello\r\n\r\nOK\r\n"),
        (
            "more than asked for",
            "\r\n+QSSLRECV: 1500\r\nhello\r\n\r\nOK\r\n",
        ),
        ("junk behind", "\r\n+QSSLRECV: 5\r\nhello\r\njunk\r\nOK\r\n"),
        ("no result", "\r\n+QSSLRECV: 5\r\nhello\r\n"),
        ("no header", "\r\nOK\r\n"),
        (
            "second header",
            "\r\n+QSSLRECV: 5\r\nhello\r\n\r\n+QSSLRECV: 2\r\nhi\r\n\r\nOK\r\n",
        ),
    ] {
        bench(
            async |uart| {
                let mut modem = Modem::new(uart, 4096);
                modem.bring_up().await;
                modem.open().await;
                modem.say("\r\n+QSSLURC: \"recv\",0\r\n").await;
                modem.fetch(0, answer).await;
                // Synchronised where needed; then the socket is closed and never read again.
                let command = modem
                    .obey_until(|command| command.starts_with("AT+QSSLCLOSE"))
                    .await;
                assert_eq!(command, "AT+QSSLCLOSE=0,3", "{case}");
                modem.say("\r\nOK\r\n").await;
                modem.answer("AT+CCLK?", CLOCK).await;
                modem.rest().await;
            },
            async |bench| {
                let mut socket = connect(bench).await.unwrap();
                let mut buf = [0; 16];
                // Not a byte of it is delivered: nobody knows which were the peer's.
                assert_eq!(
                    socket.read(&mut buf).await,
                    Err(SocketError::ConnectionReset),
                    "{case}"
                );
                Timer::after_secs(1).await;
                assert!(bench.control.clock().await.is_ok(), "{case}");
            },
        );
    }
}

#[test]
fn poisoned_socket_leaves_the_other_one_working() {
    bench(
        async |uart| {
            let mut modem = Modem::new(uart, 4096);
            modem.bring_up().await;
            modem.open().await;
            modem.open().await;
            modem.say("\r\n+QSSLURC: \"recv\",0\r\n").await;
            modem
                .fetch(0, "\r\n+QSSLRECV: 2\r\nhello\r\n\r\nOK\r\n")
                .await;
            modem
                .obey_until(|command| command == "AT+QSSLCLOSE=0,3")
                .await;
            modem.say("\r\nOK\r\n").await;
            // Notices may have been missed, so the other one is asked.
            modem.fetch(1, "\r\n+QSSLRECV: 2\r\nhi\r\n\r\nOK\r\n").await;
            modem.fetch(1, "\r\n+QSSLRECV: 0\r\n\r\nOK\r\n").await;
            modem.rest().await;
        },
        async |bench| {
            let mut first = connect(bench).await.unwrap();
            let mut second = connect(bench).await.unwrap();
            let mut buf = [0; 16];
            assert_eq!(
                first.read(&mut buf).await,
                Err(SocketError::ConnectionReset)
            );
            assert_eq!(second.read(&mut buf).await, Ok(2));
            assert_eq!(&buf[..2], b"hi");
        },
    );
}

#[test]
fn three_writes_and_a_flush_are_one_send() {
    bench(
        async |uart| {
            let mut modem = Modem::new(uart, 4096);
            modem.bring_up().await;
            modem.open().await;
            modem.expect("AT+QSSLSEND=0,6").await;
            modem.say("\r\n> ").await;
            assert_eq!(modem.payload(6).await, b"abcdef");
            Timer::after_millis(200).await;
            modem.say("\r\nSEND OK\r\n").await;
            // Without a flush, 10 ms after the last write.
            modem.expect("AT+QSSLSEND=0,2").await;
            modem.say("\r\n> ").await;
            assert_eq!(modem.payload(2).await, b"gh");
            modem.say("\r\nSEND OK\r\n").await;
            modem.rest().await;
        },
        async |bench| {
            let mut socket = connect(bench).await.unwrap();
            let start = Instant::now();
            for part in [&b"ab"[..], b"cd", b"ef"] {
                socket.write_all(part).await.unwrap();
            }
            socket.flush().await.unwrap();
            assert!(
                start.elapsed() >= Duration::from_millis(200),
                "flush means that the modem has accepted it"
            );
            socket.write_all(b"g").await.unwrap();
            Timer::after_millis(5).await;
            socket.write_all(b"h").await.unwrap();
            Timer::after_millis(100).await;
        },
    );
}

#[test]
fn send_fail_took_nothing_and_is_tried_again() {
    let tries = Cell::new(0);
    bench(
        async |uart| {
            let mut modem = Modem::new(uart, 4096);
            modem.bring_up().await;
            modem.open().await;
            for result in ["\r\nSEND FAIL\r\n", "\r\nSEND FAIL\r\n", "\r\nSEND OK\r\n"] {
                modem.expect("AT+QSSLSEND=0,3").await;
                modem.say("\r\n> ").await;
                assert_eq!(modem.payload(3).await, b"abc");
                tries.set(tries.get() + 1);
                modem.say(result).await;
            }
            modem.rest().await;
        },
        async |bench| {
            let mut socket = connect(bench).await.unwrap();
            socket.write_all(b"abc").await.unwrap();
            socket.flush().await.unwrap();
            assert_eq!(tries.get(), 3);
        },
    );
}

#[test]
fn unconfirmed_send_is_never_repeated() {
    bench(
        async |uart| {
            let mut modem = Modem::new(uart, 4096);
            modem.bring_up().await;
            modem.open().await;
            modem.expect("AT+QSSLSEND=0,3").await;
            modem.say("\r\n> ").await;
            assert_eq!(modem.payload(3).await, b"abc");
            // No SEND OK. Synchronise, then close.
            modem
                .answer("AT+IPR?", "\r\n+IPR: 115200\r\n\r\nOK\r\n")
                .await;
            modem.answer("AT+QSSLCLOSE=0,3", "\r\nOK\r\n").await;
            assert!(modem.is_quiet(10_000).await);
            modem.rest().await;
        },
        async |bench| {
            let mut socket = connect(bench).await.unwrap();
            socket.write_all(b"abc").await.unwrap();
            assert_eq!(socket.flush().await, Err(SocketError::ConnectionReset));
            Timer::after_secs(11).await;
        },
    );
}

/// What an exchange that sends must not survive; each with what follows before the close.
#[test]
fn socket_whose_send_breaks_the_grammar_is_poisoned() {
    for (case, answer, escapes) in [
        ("another result", "\r\nOK\r\n", false),
        ("data mode", "\r\nCONNECT\r\n", true),
        ("half a result", "\r\nSEND O", false),
        ("second prompt", "\r\n> ", false),
        ("junk", "\r\nSENT OK\r\n", false),
    ] {
        bench(
            async |uart| {
                let mut modem = Modem::new(uart, 4096);
                modem.bring_up().await;
                modem.open().await;
                modem.open().await;
                modem.expect("AT+QSSLSEND=0,3").await;
                modem.say("\r\n> ").await;
                assert_eq!(modem.payload(3).await, b"abc");
                modem.say(answer).await;
                if escapes {
                    assert!(modem.is_quiet(1000).await, "{case}");
                    assert_eq!(modem.payload(3).await, b"+++", "{case}");
                    assert!(modem.is_quiet(1000).await, "{case}");
                    modem.say("\r\nOK\r\n").await;
                }
                modem
                    .answer("AT+IPR?", "\r\n+IPR: 115200\r\n\r\nOK\r\n")
                    .await;
                // Closed and never used again, and nothing is resent.
                let mut closed = false;
                loop {
                    let command = modem
                        .obey_until(|command| {
                            command.starts_with("AT+QSSL") || command == "AT+CCLK?"
                        })
                        .await;
                    match command.as_str() {
                        "AT+QSSLCLOSE=0,3" => {
                            closed = true;
                            modem.say("\r\nOK\r\n").await;
                        }
                        "AT+CCLK?" => {
                            assert!(closed, "{case}");
                            modem.say(CLOCK).await;
                            break;
                        }
                        "AT+QSSLSTATE=1" => {
                            let state =
                                "+QSSLSTATE: 1,\"SSLClient\",\"10.0.0.9\",1,2,2,1,1,0,\"uart1\",1";
                            modem.say(format!("\r\n{state}\r\n\r\nOK\r\n")).await;
                        }
                        _ => {
                            assert!(command.starts_with("AT+QSSLRECV=1,"), "{case}: {command}");
                            modem.say("\r\n+QSSLRECV: 0\r\n\r\nOK\r\n").await;
                        }
                    }
                }
                modem.rest().await;
            },
            async |bench| {
                let mut socket = connect(bench).await.unwrap();
                let _other = connect(bench).await.unwrap();
                socket.write_all(b"abc").await.unwrap();
                assert_eq!(
                    socket.flush().await,
                    Err(SocketError::ConnectionReset),
                    "{case}"
                );
                Timer::after_secs(1).await;
                assert!(bench.control.clock().await.is_ok(), "{case}");
            },
        );
    }
}

#[test]
fn refused_send_delivers_what_came_before_the_end() {
    bench(
        async |uart| {
            let mut modem = Modem::new(uart, 4096);
            modem.bring_up().await;
            modem.open().await;
            modem.answer("AT+QSSLSEND=0,3", "\r\nERROR\r\n").await;
            modem.say("\r\n+QSSLURC: \"closed\",0\r\n").await;
            // At whom it lay.
            let state = "\r\n+QSSLSTATE: 0,\"SSLClient\",\"10.0.0.2\",8883,0,2,1,0,0,\"uart1\",0\r\n\r\nOK\r\n";
            modem.answer("AT+QSSLSTATE=0", state).await;
            modem
                .fetch(0, "\r\n+QSSLRECV: 4\r\nlast\r\n\r\nOK\r\n")
                .await;
            modem.fetch(0, "\r\nERROR\r\n").await;
            // Perhaps that was the answer to something else.
            modem
                .answer("AT+IPR?", "\r\n+IPR: 115200\r\n\r\nOK\r\n")
                .await;
            modem.answer("AT+QSSLCLOSE=0,3", "\r\nOK\r\n").await;
            modem.rest().await;
        },
        async |bench| {
            let mut socket = connect(bench).await.unwrap();
            socket.write_all(b"abc").await.unwrap();
            assert_eq!(socket.flush().await, Err(SocketError::ClosedUnanswered));
            let mut buf = [0; 16];
            Timer::after_secs(1).await;
            assert_eq!(socket.read(&mut buf).await, Ok(4));
            assert_eq!(socket.read(&mut buf).await, Ok(0));
        },
    );
}

/// Not only with the next poll.
#[test]
fn close_that_is_said_ends_the_socket_at_once() {
    bench(
        async |uart| {
            let mut modem = Modem::new(uart, 4096);
            modem.bring_up().await;
            modem.open().await;
            Timer::after_millis(500).await;
            modem.say("\r\n+QSSLURC: \"closed\",0\r\n").await;
            modem.fetch(0, "\r\n+QSSLRECV: 0\r\n\r\nOK\r\n").await;
            modem.answer("AT+QSSLCLOSE=0,3", "\r\nOK\r\n").await;
            modem.rest().await;
        },
        async |bench| {
            let mut socket = connect(bench).await.unwrap();
            let start = Instant::now();
            let mut buf = [0; 16];
            assert_eq!(socket.read(&mut buf).await, Ok(0));
            assert!(start.elapsed() < Duration::from_secs(1));
        },
    );
}

/// A fetch that was under way has found nothing because it was asked before the last of it came.
#[test]
fn close_that_is_said_during_an_empty_fetch_is_no_end_yet() {
    bench(
        async |uart| {
            let mut modem = Modem::new(uart, 4096);
            modem.bring_up().await;
            modem.open().await;
            modem.say("\r\n+QSSLURC: \"recv\",0\r\n").await;
            let closed = "\r\n+QSSLURC: \"closed\",0\r\n";
            modem
                .fetch(0, format!("{closed}\r\n+QSSLRECV: 0\r\n\r\nOK\r\n"))
                .await;
            modem
                .fetch(0, "\r\n+QSSLRECV: 4\r\nlast\r\n\r\nOK\r\n")
                .await;
            modem.fetch(0, "\r\n+QSSLRECV: 0\r\n\r\nOK\r\n").await;
            modem.answer("AT+QSSLCLOSE=0,3", "\r\nOK\r\n").await;
            modem.rest().await;
        },
        async |bench| {
            let mut socket = connect(bench).await.unwrap();
            let mut buf = [0; 16];
            assert_eq!(socket.read(&mut buf).await, Ok(4));
            assert_eq!(&buf[..4], b"last");
            assert_eq!(socket.read(&mut buf).await, Ok(0));
        },
    );
}

#[test]
fn missed_notice_costs_latency_not_data() {
    bench(
        async |uart| {
            let mut modem = Modem::new(uart, 4096);
            modem.bring_up().await;
            modem.open().await;
            // No notice.
            modem.fetch(0, "\r\n+QSSLRECV: 2\r\nhi\r\n\r\nOK\r\n").await;
            modem.fetch(0, "\r\n+QSSLRECV: 0\r\n\r\nOK\r\n").await;
            modem.rest().await;
        },
        async |bench| {
            let mut socket = connect(bench).await.unwrap();
            let start = Instant::now();
            let mut buf = [0; 16];
            assert_eq!(socket.read(&mut buf).await, Ok(2));
            assert!(start.elapsed() < Duration::from_secs(61));
        },
    );
}

#[test]
fn notice_missed_after_a_while_costs_no_more_than_the_longest_poll() {
    bench(
        async |uart| {
            let mut modem = Modem::new(uart, 4096);
            modem.bring_up().await;
            modem.open().await;
            for _ in 0..3 {
                modem.fetch(0, "\r\n+QSSLRECV: 0\r\n\r\nOK\r\n").await;
            }
            modem.fetch(0, "\r\n+QSSLRECV: 2\r\nhi\r\n\r\nOK\r\n").await;
            modem.rest().await;
        },
        async |bench| {
            let mut socket = connect(bench).await.unwrap();
            let start = Instant::now();
            let mut buf = [0; 16];
            assert_eq!(socket.read(&mut buf).await, Ok(2));
            // 2, 4, 8 and 16 s.
            assert!(start.elapsed() < Duration::from_secs(31));
        },
    );
}

#[test]
fn what_looks_like_a_prompt_in_an_answer_is_text() {
    struct List;
    sectag::at::at_command!(List, 3000, "+LIST", |self, line| line);
    bench(
        async |uart| {
            let mut modem = Modem::new(uart, 4096);
            modem.bring_up().await;
            modem
                .answer("AT+LIST", "\r\n> one\r\n>two\r\n\r\nOK\r\n")
                .await;
            modem.rest().await;
        },
        async |bench| {
            bench.control.wait_up().await.unwrap();
            let at = bench.control.keeps_connections().at().await.unwrap();
            let mut seen = Vec::new();
            at.lines(&List, &mut |line| seen.push(line.to_vec()))
                .await
                .unwrap();
            assert_eq!(seen, [&b"> one"[..], b">two"]);
        },
    );
}

#[test]
fn missing_prompt_restarts_the_modem_instead_of_feeding_it_commands() {
    bench(
        async |uart| {
            let mut modem = Modem::new(uart, 4096);
            modem.bring_up().await;
            modem.open().await;
            modem.expect("AT+QSSLSEND=0,3").await;
            // Nothing, and then the bring-up anew, which takes it for data mode: a query now would become
            // the payload.
            modem.answer("+++AT", "\r\nOK\r\n").await;
            modem.bring_up().await;
            modem.rest().await;
        },
        async |bench| {
            let mut socket = connect(bench).await.unwrap();
            socket.write_all(b"abc").await.unwrap();
            assert_eq!(socket.flush().await, Err(SocketError::ConnectionReset));
            // Without a restart the link would be up all the while, and the script never see the query.
            assert_eq!(bench.control.counters().restarts, 1);
            bench.control.wait_up().await.unwrap();
        },
    );
}

#[test]
fn silent_modem_is_reported_within_a_bound() {
    let elapsed = bench(
        async |uart| {
            // It reads, and says nothing.
            let mut modem = Modem::new(uart, 4096);
            loop {
                modem.payload(1).await;
            }
        },
        async |bench| {
            let start = Instant::now();
            assert_eq!(
                connect(bench).await.err(),
                Some(ConnectError::BringUp(BringUpError::NoAnswer))
            );
            assert_eq!(bench.control.wait_up().await, Err(BringUpError::NoAnswer));
            start.elapsed()
        },
    );
    // Twice the patience, and twice the attempt that is under way at its end.
    let limit = (Timing::DEFAULT.patience + Duration::from_secs(30)) * 2;
    assert!(elapsed < limit, "{elapsed:?}");
}

#[test]
fn modem_that_falls_silent_is_noticed_and_brought_back() {
    bench(
        async |uart| {
            let mut modem = Modem::new(uart, 4096);
            modem.bring_up().await;
            modem.open().await;
            // No answer to the poll, nor to the queries that follow; then it is back.
            modem.expect("AT+QSSLRECV=0,1024").await;
            for _ in 0..3 {
                modem.expect("AT+IPR?").await;
            }
            modem.bring_up().await;
            modem.open().await;
            modem.rest().await;
        },
        async |bench| {
            let mut socket = connect(bench).await.unwrap();
            let mut buf = [0; 1];
            assert_eq!(
                socket.read(&mut buf).await,
                Err(SocketError::ConnectionReset)
            );
            connect(bench).await.unwrap();
        },
    );
}

#[test]
fn lost_data_connection_ends_sockets_and_is_made_anew() {
    let deactivated = Cell::new(false);
    bench(
        async |uart| {
            let mut modem = Modem::new(uart, 4096);
            modem.bring_up().await;
            modem.open().await;
            modem.say("\r\n+QIURC: \"pdpdeact\",1\r\n").await;
            // The manual demands the deactivation.
            modem.obey_until(|command| command == "AT+QIDEACT=1").await;
            deactivated.set(true);
            modem.say("\r\nOK\r\n").await;
            modem.answer("AT+QIACT=1", "\r\nOK\r\n").await;
            modem.answer("AT+CCLK?", CLOCK).await;
            modem.rest().await;
        },
        async |bench| {
            let mut socket = connect(bench).await.unwrap();
            let mut buf = [0; 1];
            assert_eq!(
                socket.read(&mut buf).await,
                Err(SocketError::ConnectionReset)
            );
            bench.control.wait_up().await.unwrap();
        },
    );
    assert!(deactivated.get());
}

/// Without a socket nothing is polled; a query finds out whether the modem still lives.
#[test]
fn idle_modem_is_asked_for_a_sign_of_life() {
    bench(
        async |uart| {
            let mut modem = Modem::new(uart, 4096);
            modem.bring_up().await;
            for _ in 0..3 {
                modem.answer("AT", "\r\nOK\r\n").await;
            }
            // Dead from here on: neither to that nor to the marker is there an answer.
            modem.expect("AT").await;
            loop {
                modem.command().await;
            }
        },
        async |bench| {
            bench.control.wait_up().await.unwrap();
            Timer::after_secs(3 * 60).await;
            assert_eq!(bench.control.counters().restarts, 0);
            Timer::after_secs(2 * 60).await;
            assert_eq!(bench.control.counters().restarts, 1);
        },
    );
}

#[test]
fn dropped_upload_is_completed_with_filler_and_deleted() {
    struct Slow(usize);
    impl Source for Slow {
        type Error = core::convert::Infallible;
        fn len(&self) -> usize {
            1000
        }
        async fn read_at(&mut self, _: usize, buf: &mut [u8]) -> Result<usize, Self::Error> {
            if self.0 >= 300 {
                std::future::pending::<()>().await;
            }
            let count = buf.len().min(100);
            buf[..count].fill(b'K');
            self.0 += count;
            Ok(count)
        }
    }
    bench(
        async |uart| {
            let mut modem = Modem::new(uart, 4096);
            modem.bring_up().await;
            assert_eq!(modem.until_upload().await, "AT+QFUPL=\"st7.key\",1000,5");
            modem.say("\r\nCONNECT\r\n").await;
            let content = modem.payload(1000).await;
            assert!(content[..300].iter().all(|&byte| byte == b'K'));
            assert!(content[300..].iter().all(|&byte| byte == b'\n'));
            modem.say("\r\n+QFUPL: 1000,0\r\n\r\nOK\r\n").await;
            modem.answer("AT+QFDEL=\"st7.key\"", "\r\nOK\r\n").await;
            modem.answer("AT+QFDEL=\"st7.xke\"", "\r\nOK\r\n").await;
            modem.answer("AT+CCLK?", CLOCK).await;
            modem.rest().await;
        },
        async |bench| {
            bench.control.wait_up().await.unwrap();
            let store = bench
                .control
                .store_unchecked(Tag(7), Kind::PrivateKey, Slow(0));
            assert!(with_timeout(Duration::from_secs(1), store).await.is_err());
            Timer::after_secs(1).await;
            assert!(bench.control.clock().await.is_ok());
        },
    );
}

#[test]
fn upload_whose_checksum_differs_is_deleted() {
    bench(
        async |uart| {
            let mut modem = Modem::new(uart, 4096);
            modem.bring_up().await;
            assert_eq!(modem.until_upload().await, "AT+QFUPL=\"st7.ca\",4,5");
            modem.say("\r\nCONNECT\r\n").await;
            assert_eq!(modem.payload(4).await, b"abcd");
            modem.say("\r\n+QFUPL: 4,207\r\n\r\nOK\r\n").await;
            modem.answer("AT+QFDEL=\"st7.ca\"", "\r\nOK\r\n").await;
            modem.answer("AT+QFDEL=\"st7.xca\"", "\r\nOK\r\n").await;
            modem.rest().await;
        },
        async |bench| {
            let stored = bench
                .control
                .store_unchecked(Tag(7), Kind::Ca, &b"abcd"[..])
                .await;
            assert_eq!(stored, Err(CredentialError::Corrupted));
        },
    );
}

#[test]
fn command_of_the_users_own_derived_with_atat_works() {
    #[derive(Clone, atat::atat_derive::AtatResp)]
    struct Signal {
        #[at_arg(position = 0)]
        rssi: u8,
        #[at_arg(position = 1)]
        ber: u8,
    }
    #[derive(Clone, atat::atat_derive::AtatCmd)]
    #[at_cmd("+CSQ", Signal, timeout_ms = 1000)]
    struct SignalQuery;
    assert_eq!(SignalQuery::MAX_TIMEOUT_MS, 1000);
    bench(
        async |uart| {
            let mut modem = Modem::new(uart, 4096);
            modem.bring_up().await;
            modem
                .answer("AT+CSQ", "\r\n+CSQ: 20,99\r\n\r\nOK\r\n")
                .await;
            modem.answer("AT+CSQ", "\r\n+CME ERROR: 30\r\n").await;
            modem.rest().await;
        },
        async |bench| {
            let at = bench.control.keeps_connections().at().await.unwrap();
            let signal = at.send(&SignalQuery).await.unwrap();
            assert_eq!((signal.rssi, signal.ber), (20, 99));
            assert_eq!(
                at.send(&SignalQuery).await.err(),
                Some(AtError::Refused(Code::Cme(30)))
            );
        },
    );
}

#[test]
fn command_longer_than_the_buffer_is_refused_before_a_byte_is_sent() {
    bench(
        async |uart| {
            let mut modem = Modem::new(uart, 4096);
            modem.bring_up().await;
            assert!(modem.is_quiet(1000).await);
            modem.answer("AT+CCLK?", CLOCK).await;
            modem.rest().await;
        },
        async |bench| {
            struct Long;
            sectag::at::at_command!(Long, 1000, "+LONG", |self, line| line.raw(&"x".repeat(400)));
            let at = bench.control.keeps_connections().at().await.unwrap();
            assert_eq!(at.send(&Long).await.err(), Some(AtError::TooLong));
            Timer::after_secs(2).await;
            assert!(bench.control.clock().await.is_ok());
        },
    );
}

#[test]
fn sockets_run_out_at_once() {
    bench(
        async |uart| {
            let mut modem = Modem::new(uart, 4096);
            modem.bring_up().await;
            modem.open().await;
            modem.open().await;
            assert!(modem.is_quiet(100).await);
            modem.rest().await;
        },
        async |bench| {
            let _first = connect(bench).await.unwrap();
            let _second = connect(bench).await.unwrap();
            Timer::after_millis(10).await;
            let third = select(connect(bench), Timer::after_millis(1)).await;
            assert!(matches!(
                third,
                Either::First(Err(ConnectError::TooManySockets))
            ));
        },
    );
}

#[test]
fn halves_of_a_socket_work_in_two_tasks() {
    bench(
        async |uart| {
            let mut modem = Modem::new(uart, 4096);
            modem.bring_up().await;
            modem.open().await;
            modem.expect("AT+QSSLSEND=0,4").await;
            modem.say("\r\n> ").await;
            modem.payload(4).await;
            modem
                .say("\r\nSEND OK\r\n\r\n+QSSLURC: \"recv\",0\r\n")
                .await;
            modem
                .fetch(0, "\r\n+QSSLRECV: 4\r\npong\r\n\r\nOK\r\n")
                .await;
            modem
                .obey_until(|command| command == "AT+QSSLCLOSE=0,3")
                .await;
            modem.say("\r\nOK\r\n").await;
            modem.rest().await;
        },
        async |bench| {
            let mut socket = connect(bench).await.unwrap();
            let (mut reader, mut writer) = socket.split();
            let mut buf = [0; 4];
            let (read, written) = embassy_futures::join::join(reader.read_exact(&mut buf), async {
                writer.write_all(b"ping").await
            })
            .await;
            assert_eq!((read, written), (Ok(()), Ok(())));
            assert_eq!(&buf, b"pong");
            socket.close().await.unwrap();
        },
    );
}
