//! A notice in the middle of a payload exchange, between the header and the bytes that it counts.

use std::cell::Cell;

use embassy_time::{Duration, Timer, with_timeout};
use embedded_io_async::{Read, Write};
use sectag::{Loss, SocketError};
use sectag_integration_tests::bench;
use sectag_integration_tests::nrf9160::{World, connect, label, options, provision, round_trip};
use sectag_integration_tests::scripted::Modem;
use sectag_integration_tests::simulated::{HOST, PORT, virtually};
use sectag_simulator::{Nrf9160Profile, Reaction};
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
                        let mut buf = [0; 64];
                        let read = with_timeout(Duration::from_secs(10), socket.read(&mut buf));
                        let lost = Ok(Err(SocketError::ConnectionReset));
                        assert_eq!(read.await, lost, "{name}");
                        assert_eq!(socket.loss(), Some(Loss::Grammar), "{name}");
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
