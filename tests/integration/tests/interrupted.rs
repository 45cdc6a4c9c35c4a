//! A notice in the middle of a payload exchange, between the header and the bytes that it counts.

use std::cell::Cell;

use embassy_time::{Duration, Timer, with_timeout};
use embedded_io_async::{Read, Write};
use sectag::{Loss, Socket, SocketError};
use sectag_integration_tests::bench;
use sectag_integration_tests::nrf9160::{World, connect, label, options, provision, round_trip};
use sectag_integration_tests::scripted::Modem;
use sectag_integration_tests::simulated::{HOST, PORT, virtually};
use sectag_integration_tests::{short_range, ublox};
use sectag_simulator::{Nrf9160Profile, Reaction, ShortRangeOptions};
use sectag_test_support::tls_server::echo;

const NOTICE: &str = "\r\n+CEREG: 2\r\n";

/// An answer whose payload has a notice in front. Of what was counted the notice takes the place; `cut` is what then
/// stands where the answer would end.
fn answer(header: &str, cut: &str, end: &str) -> String {
    let data = format!("before{cut}behind it, which nobody may get");
    let header = header.replace("{n}", &(NOTICE.len() + "before".len()).to_string());
    format!("\r\n{header}\r\n{NOTICE}{data}{end}")
}

/// What was altered so is not delivered, and the socket does not end as if the peer had closed it; the others go on.
#[test]
fn payload_with_a_notice_in_it_is_not_delivered() {
    for profile in [
        Nrf9160Profile::V2_1,
        Nrf9160Profile::V3_1,
        Nrf9160Profile::SERIAL_MODEM,
    ] {
        for cut in ["\r\nOK\r\n", "OK\r\n", "\r\nrest", "\r\nERROR\r\n"] {
            let name = format!("{} {cut:?}", label(&profile));
            virtually(async || {
                let world = World::new(options(profile));
                world.serve(echo);
                world
                    .attach(async |bench| {
                        provision(bench).await;
                        let mut other = connect(bench).await.unwrap();
                        let mut socket = connect(bench).await.unwrap();
                        assert_eq!(round_trip(&mut socket, b"one").await, b"one", "{name}");
                        let header = if label(&profile) == "sm" {
                            "#XRECV: 1,0,{n}"
                        } else {
                            "#XRECV: {n}"
                        };
                        let altered = answer(header, cut, "\r\nOK\r\n").into_bytes();
                        let left = Cell::new(true);
                        world.modem.set_script(Box::new(move |line| {
                            if line.starts_with(b"AT#XRECV=") && left.replace(false) {
                                return Reaction::Reply(altered.clone());
                            }
                            Reaction::Normal
                        }));
                        // The peer answers, and the answer is altered on its way.
                        socket.write_all(b"two").await.unwrap();
                        // Where it was asked for data before, it is lost already.
                        let _ = socket.flush().await;
                        ends_by_grammar(&mut socket, &name).await;
                        assert_eq!(round_trip(&mut other, b"three").await, b"three", "{name}");
                    })
                    .await;
            });
        }
    }
}

/// As manuals have it, one more line end stands in front of the end.
#[test]
fn a_cut_fetch_is_noticed_where_payload_has_a_line_end_of_its_own() {
    for cut in ["\r\n\r\nOK\r\n", "\r\nOK\r\n", "rest"] {
        bench(
            async |uart| {
                let mut modem = Modem::new(uart, usize::MAX);
                modem.bring_up().await;
                modem.open().await;
                modem
                    .obey_until(|line| line.starts_with("AT+QSSLRECV="))
                    .await;
                modem
                    .say(answer("+QSSLRECV: {n}", cut, "\r\n\r\nOK\r\n"))
                    .await;
                modem.obey_until(|_| false).await;
            },
            async |bench| {
                let tls = sectag::TlsConfig::new(sectag::Tag(1)).ca_scope(sectag::CaScope::Private);
                let mut socket = bench.control.connect(HOST, PORT, &tls).await.unwrap();
                let ended = socket.read(&mut [0; 64]).await;
                assert_eq!(ended, Err(SocketError::ConnectionReset), "{cut:?}");
                Timer::after_secs(1).await;
                assert_eq!(socket.loss(), Some(Loss::Grammar), "{cut:?}");
            },
        );
    }
}

/// A u-blox cellular module writes the data inside a line, between quotes.
#[test]
fn nor_is_it_inside_the_quotes_of_a_u_blox_module() {
    for model in ["sara-r5", "sara-r4-02b", "sara-u201", "lara-r6", "lena-r8"] {
        for cut in [
            "\"\r\n\r\nOK\r\n",
            "\"\r\nOK\r\n",
            "\"\r\n\r\nERROR\r\n",
            "\"\r\nrest",
            "rest",
        ] {
            let name = format!("{model} {cut:?}");
            virtually(async || {
                let world = ublox::World::of(model, |_| {});
                world.install();
                world.serve(echo);
                world
                    .attach(async |bench| {
                        let mut other = ublox::connect(bench).await.unwrap();
                        let mut socket = ublox::connect(bench).await.unwrap();
                        let one = ublox::round_trip(&mut socket, b"one").await;
                        assert_eq!(one, b"one", "{name}");
                        let left = Cell::new(true);
                        world.modem.set_script(Box::new(move |line| {
                            let asked = line.strip_prefix(b"AT+USORD=");
                            // The second one connected is the higher number; a length of 0 asks for the count.
                            match asked.map(|asked| asked.split_at(asked.len().min(2))) {
                                Some((id, length)) if length != b"0" && left.replace(false) => {
                                    let id = char::from(id[0]);
                                    let header = format!("+USORD: {id},{{n}},\"");
                                    let altered = answer(&header, cut, "\"\r\n\r\nOK\r\n");
                                    // The data stands in the line of the header.
                                    Reaction::Reply(
                                        altered.replace("\"\r\n\r\n+C", "\"\r\n+C").into(),
                                    )
                                }
                                _ => Reaction::Normal,
                            }
                        }));
                        socket.write_all(b"two").await.unwrap();
                        let _ = socket.flush().await;
                        ends_by_grammar(&mut socket, &name).await;
                        let three = ublox::round_trip(&mut other, b"three").await;
                        assert_eq!(three, b"three", "{name}");
                    })
                    .await;
            });
        }
    }
}

/// In extended data mode a notice is a frame of its own. One inside the frame of a connection's data takes the place of some
/// of it, and where a byte of the data is that of an end, the frame ends there.
#[test]
fn nor_is_it_inside_a_frame_of_a_short_range_module() {
    let frame = |kind: &[u8], body: &[u8]| {
        let length = (kind.len() + body.len()) as u8;
        [&[0xaa, 0, length], kind, body, &[0x55]].concat()
    };
    let notice = frame(&[0, 0x41], b"\r\n+UUWLD:0,1\r\n");
    // Each byte of the first is that of an end. Of the others one is, where the frame seems to end.
    let length = 40;
    let false_end = length - notice.len();
    for (fill, rest) in [(0x55, 0x55), (b'x', b'x'), (b'x', 0xaa), (b'x', 0x00)] {
        for at in 0..=false_end {
            let mut data = vec![fill; length];
            data[false_end] = 0x55;
            data[false_end + 1..].fill(rest);
            // Channel 0 is the first connection's.
            let mut altered = frame(&[0, 0x31, 0], &data);
            altered.splice(6 + at..6 + at, notice.iter().copied());
            let name = format!("{fill:#x} {rest:#x} at {at}");
            virtually(async || {
                let world = short_range::World::new(ShortRangeOptions::default());
                world.serve(echo);
                short_range::install(&world.modem);
                world
                    .attach(async |bench| {
                        let mut socket = short_range::connect(bench).await.unwrap();
                        assert_eq!(round_trip(&mut socket, b"one").await, b"one", "{name}");
                        world.modem.inject_bytes(&altered);
                        ends_by_grammar(&mut socket, &name).await;
                        drop(socket);
                        let mut socket = short_range::connect(bench).await.unwrap();
                        assert_eq!(round_trip(&mut socket, b"two").await, b"two", "{name}");
                        assert_eq!(bench.control.counters().restarts, 0, "{name}");
                    })
                    .await;
            });
        }
    }
}

/// The next read ends with the loss of the connection, and delivers none of the altered bytes.
async fn ends_by_grammar(socket: &mut Socket<'_>, name: &str) {
    let mut buf = [0; 64];
    let read = with_timeout(Duration::from_secs(10), socket.read(&mut buf));
    let lost = Ok(Err(SocketError::ConnectionReset));
    assert_eq!(read.await, lost, "{name}");
    assert_eq!(socket.loss(), Some(Loss::Grammar), "{name}");
}
