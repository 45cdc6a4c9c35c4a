//! The end of data mode on the nRF9160 that nobody asked for, and the one that was asked for and not heard.

use embassy_time::{Duration, Instant, Timer, with_timeout};
use embedded_io_async::{Read, Write};
use sectag_integration_tests::nrf9160::{
    World, connect, label, options, provision, round_trip, usable,
};
use sectag_integration_tests::simulated::virtually;
use sectag_integration_tests::wire::Wire;
use sectag_simulator::{CountedFailure, Nrf9160Options, Nrf9160Profile};
use sectag_test_support::tls_server::TlsStream;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

const COUNTED: [CountedFailure; 3] = [
    CountedFailure::Forgets,
    CountedFailure::CountsOn,
    CountedFailure::CountsSilently,
];

/// A peer that hangs up while 1000 bytes are on their way, which takes a second at 9600 baud: the modem says `+++`,
/// and the driver answers at once. That connection ends, and the other one delivers on.
#[test]
fn a_peer_that_hangs_up_in_a_payload_costs_its_own_connection_only() {
    for counted_failure in COUNTED {
        for after in [100, 500, 900] {
            virtually(async || {
                let what = format!("{counted_failure:?} after {after} ms");
                let world = World::new(Nrf9160Options {
                    counted_failure,
                    baud: Some(9600),
                    ..options(Nrf9160Profile::SERIAL_MODEM)
                });
                world.serve(move |mut stream: TlsStream<DuplexStream>| async move {
                    let mut byte = [0];
                    stream.read_exact(&mut byte).await?;
                    if byte[0] == b'h' {
                        Timer::after_millis(after).await;
                        return stream.shutdown().await;
                    }
                    loop {
                        stream.write_all(&byte).await?;
                        stream.flush().await?;
                        stream.read_exact(&mut byte).await?;
                    }
                });
                world
                    .attach(async |bench| {
                        provision(bench).await;
                        let mut other = connect(bench).await.unwrap();
                        let mut socket = connect(bench).await.unwrap();
                        assert_eq!(round_trip(&mut other, b"o").await, b"o");
                        socket.write_all(b"h").await.unwrap();
                        socket.flush().await.unwrap();
                        let before = bench.control.counters();
                        let began = Instant::now();
                        socket.write_all(&[7; 1000]).await.unwrap();
                        let flushed = socket.flush().await;
                        assert!(flushed.is_err(), "{what}");
                        let took = began.elapsed();
                        // It is told within a second, and left in as long as the UART takes for the rest.
                        let limit = match counted_failure {
                            CountedFailure::Forgets => after + 2000,
                            _ => 6000,
                        };
                        assert!(took < Duration::from_millis(limit), "{what}: {took}");
                        // What is known of it: the peer has closed, without a word.
                        let end =
                            with_timeout(Duration::from_secs(5), socket.read(&mut [0; 8])).await;
                        assert_eq!(end, Ok(Ok(0)), "{what}");
                        let back = with_timeout(
                            Duration::from_secs(5),
                            round_trip(&mut other, b"still there"),
                        );
                        assert_eq!(back.await.as_deref(), Ok(&b"still there"[..]), "{what}");
                        let now = bench.control.counters();
                        assert_eq!(now.restarts, before.restarts, "{what}");
                        assert_eq!(now.resyncs, before.resyncs, "{what}");
                    })
                    .await;
            });
        }
    }
}

/// One byte of `+++` is lost. It is sent again, and where that is no harm the connection goes on; up to SLM 2.4 what
/// came of the first has gone to the peer, so that the connection is given up, and what was read of it is what the
/// peer sent.
#[test]
fn an_end_of_data_mode_that_was_not_heard_is_asked_for_again() {
    for profile in usable() {
        if profile.serial_modem {
            // It counts, and needs none.
            continue;
        }
        let name = label(&profile);
        for at in 0..3 {
            virtually(async || {
                let world = World::new(options(profile));
                world.serve(sectag_test_support::tls_server::echo);
                // The first one of all is that of the start.
                let wire = Wire::Losing { nth: 1, at };
                world
                    .attach_wired(wire, 1, async |bench| {
                        provision(bench).await;
                        let mut socket = connect(bench).await.unwrap();
                        let before = bench.control.counters();
                        let began = Instant::now();
                        socket.write_all(b"\0binary").await.unwrap();
                        let flushed = socket.flush().await;
                        let took = began.elapsed();
                        if profile.reception_pauses {
                            assert!(flushed.is_err(), "{name} {at}");
                            assert!(took < Duration::from_secs(40), "{name} {at}: {took}");
                        } else {
                            assert_eq!(flushed, Ok(()), "{name} {at}");
                            assert!(took < Duration::from_secs(4), "{name} {at}: {took}");
                            let mut back = [0; 7];
                            socket.read_exact(&mut back).await.unwrap();
                            assert_eq!(&back, b"\0binary", "{name} {at}");
                        }
                        drop(socket);
                        let mut again = connect(bench).await.unwrap();
                        assert_eq!(round_trip(&mut again, b"again").await, b"again", "{name}");
                        let now = bench.control.counters();
                        assert_eq!(now.restarts, before.restarts, "{name} {at}");
                    })
                    .await;
            });
        }
    }
}
