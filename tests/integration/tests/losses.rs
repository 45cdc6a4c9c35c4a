//! The end of a connection carries its reason: what was seen, and nothing else.

use embassy_time::{Duration, Timer};
use embedded_io_async::{Read, Write};
use sectag::{BringUpError, CaScope, Cause, Loss, SocketError, Tag, TlsConfig};
use sectag_integration_tests::scripted::Modem;
use sectag_integration_tests::simulated::{HOST, PORT};
use sectag_integration_tests::{Bench, bench};
use tokio::io::DuplexStream;

const TLS: TlsConfig = TlsConfig::new(Tag(1)).ca_scope(CaScope::Private);

/// How a modem goes on once a connection stands.
#[derive(Clone, Copy, Debug)]
enum End {
    /// It says this by itself, and behaves.
    Says(&'static str),
    /// Whatever is asked, this is all that comes.
    Answers(&'static str),
    /// The next fetch is answered so, and then it behaves.
    Fetches(&'static str),
}

/// The end of a connection on a modem that goes on so: what the socket tells, and the handle.
fn lost_by(end: End) -> (Option<Loss>, Option<Loss>) {
    bench(
        async |uart| {
            let mut modem = Modem::new(uart, usize::MAX);
            modem.bring_up().await;
            modem.open().await;
            match end {
                End::Says(text) => {
                    modem.say(text).await;
                    modem.obey_until(|_| false).await;
                }
                End::Answers(text) => loop {
                    modem.command().await;
                    Timer::after_millis(20).await;
                    modem.say(text).await;
                },
                End::Fetches(text) => {
                    modem
                        .obey_until(|line| line.starts_with("AT+QSSLRECV="))
                        .await;
                    modem.say(text).await;
                    modem.obey_until(|_| false).await;
                }
            }
        },
        async |bench| {
            let mut socket = bench.control.connect(HOST, PORT, &TLS).await.unwrap();
            assert_eq!((socket.loss(), bench.control.last_loss()), (None, None));
            let ended = socket.read(&mut [0]).await;
            assert_eq!(ended, Err(SocketError::ConnectionReset), "{end:?}");
            // What becomes of a modem that does not answer is found out.
            Timer::after_secs(10).await;
            (socket.loss(), bench.control.last_loss())
        },
    )
}

#[test]
fn each_end_is_told_by_what_was_seen() {
    for (end, loss) in [
        (End::Says("\r\nRDY\r\n"), Loss::Restart),
        (End::Says("\r\nPSM POWER DOWN\r\n"), Loss::PowerSaving),
        (End::Says("\r\n+QIURC: \"pdpdeact\",1\r\n"), Loss::Network),
        (End::Answers(""), Loss::NoAnswer),
        (End::Answers("\r\nERROR\r\n"), Loss::Refuses),
        (End::Answers("\x03 \x07x\x01\r\n"), Loss::Noise),
        // More than was asked for.
        (End::Fetches("\r\n+QSSLRECV: 5000\r\nxxxx"), Loss::Grammar),
    ] {
        assert_eq!(lost_by(end), (Some(loss), Some(loss)), "{end:?}");
    }
}

/// A modem from which no prompt comes is brought up anew at once, without a query that shows how it is. What came in
/// place of the prompt shows it.
#[test]
fn a_missing_prompt_is_told_by_what_came_in_its_place() {
    for (answer, loss) in [("", Loss::NoAnswer), ("\x03 \x07x\x01\r\n", Loss::Noise)] {
        bench(
            async |uart| {
                let mut modem = Modem::new(uart, usize::MAX);
                modem.bring_up().await;
                modem.open().await;
                modem
                    .obey_until(|line| line.starts_with("AT+QSSLSEND="))
                    .await;
                modem.say(answer).await;
                modem.obey_until(|_| false).await;
            },
            async |bench| {
                let mut socket = bench.control.connect(HOST, PORT, &TLS).await.unwrap();
                let ended = socket.write_all(b"x").await.and(socket.flush().await);
                assert_eq!(ended, Err(SocketError::ConnectionReset), "{answer:?}");
                assert_eq!(socket.loss(), Some(loss), "{answer:?}");
            },
        );
    }
}

/// A send is answered `ERROR`. Whether the modem says that the connection stands shows at whom it lies; what the peer sent
/// before is delivered either way.
#[test]
fn a_refused_send_is_the_modems_where_the_connection_stands() {
    const LISTED: &str =
        "\r\n+QSSLSTATE: 0,\"SSLClient\",\"10.0.0.2\",8883,0,2,1,0,0,\"uart1\",0\r\n\r\nOK\r\n";
    const REFUSED: &str = "\r\nERROR\r\n";
    for (state, ended, loss) in [
        (
            LISTED,
            SocketError::ConnectionReset,
            Some(Loss::SendRefused),
        ),
        // Some firmware has no such query, and is believed to have it open.
        (
            REFUSED,
            SocketError::ConnectionReset,
            Some(Loss::SendRefused),
        ),
        ("\r\nOK\r\n", SocketError::ClosedUnanswered, None),
    ] {
        bench(
            async |uart| {
                let mut modem = Modem::new(uart, usize::MAX);
                modem.bring_up().await;
                modem.open().await;
                let mut data = Some("\r\n+QSSLRECV: 3\r\nbye\r\n\r\nOK\r\n");
                let asks = |line: &str| {
                    ["AT+QSSLSEND=", "AT+QSSLSTATE=", "AT+QSSLRECV="]
                        .iter()
                        .any(|name| line.starts_with(name))
                };
                loop {
                    let command = modem.obey_until(asks).await;
                    let answer = match &command[3..11] {
                        "QSSLSEND" => REFUSED,
                        "QSSLSTAT" => state,
                        _ => data.take().unwrap_or("\r\n+QSSLRECV: 0\r\n\r\nOK\r\n"),
                    };
                    modem.say(answer).await;
                }
            },
            async |bench| {
                let mut socket = bench.control.connect(HOST, PORT, &TLS).await.unwrap();
                let refused = socket.write_all(b"x").await.and(socket.flush().await);
                assert_eq!(refused, Err(ended), "{state}");
                assert_eq!(socket.loss(), loss, "{state}");
                assert_eq!(bench.control.last_loss(), loss, "{state}");
                let mut last = [0; 3];
                socket.read_exact(&mut last).await.unwrap();
                assert_eq!(&last, b"bye");
                let end = socket.read(&mut last).await;
                assert_eq!(end, Err(SocketError::ConnectionReset), "{state}");
                let told = loss.or(Some(Loss::Connection));
                assert_eq!(socket.loss(), told, "{state}");
                assert_eq!(bench.control.counters().restarts, 0, "{state}");
            },
        );
    }
}

/// A modem that answers `ERROR` to everything is no modem that is off.
#[test]
fn a_modem_that_does_not_come_up_is_told_by_what_comes_of_it() {
    for (answer, error, cause) in [
        ("", BringUpError::NoAnswer, Some(Cause::ModemOff)),
        ("\r\nERROR\r\n", BringUpError::RefusesAll, None),
        (
            "\x03 \x07x\x01\r\n",
            BringUpError::Unintelligible,
            Some(Cause::WrongSpeed),
        ),
    ] {
        let told = bench(
            async |uart: DuplexStream| {
                let mut modem = Modem::new(uart, usize::MAX);
                loop {
                    if modem.payload(1).await == b"\r" {
                        Timer::after_millis(20).await;
                        modem.say(answer).await;
                    }
                }
            },
            async |bench: Bench| bench.control.wait_up().await,
        );
        assert_eq!(told, Err(error), "{answer:?}");
        assert_eq!(error.causes().next(), cause, "{answer:?}");
    }
}

#[test]
fn what_the_application_did_is_no_fault_of_the_modem() {
    for (command, loss) in [
        (Some("AT+QLEDMODE=1"), Loss::Command),
        (None, Loss::PowerOff),
    ] {
        bench(
            async |uart| {
                let mut modem = Modem::new(uart, usize::MAX);
                modem.bring_up().await;
                modem.open().await;
                modem.obey_until(|_| false).await;
            },
            async |bench| {
                let mut socket = bench.control.connect(HOST, PORT, &TLS).await.unwrap();
                let limit = Duration::from_secs(3);
                match command {
                    Some(command) => {
                        let mut ignore = |_: &[u8]| {};
                        let typed = bench.control.raw_at(command, limit, &mut ignore);
                        assert_eq!(typed.await, Ok(()));
                    }
                    None => {
                        bench.control.power_off().await.unwrap();
                    }
                }
                let ended = socket.write_all(b"x").await.and(socket.flush().await);
                assert_eq!(ended, Err(SocketError::ConnectionReset));
                assert_eq!(socket.loss(), Some(loss));
                assert_eq!(bench.control.last_loss(), Some(loss));
            },
        );
    }
}

/// A connection may be lost before the caller of `connect` is polled. That is the connection's end, and no error of an earlier
/// `connect`.
#[test]
fn a_connection_that_is_lost_at_once_is_no_refusal() {
    bench(
        async |uart| {
            let mut modem = Modem::new(uart, usize::MAX);
            modem.bring_up().await;
            modem.until_open().await;
            modem.say("\r\nOK\r\n\r\n+QSSLOPEN: 0,579\r\n").await;
            let open = modem.until_open().await;
            let context = open.split(',').nth(1).expect("a context");
            modem.say("\r\nOK\r\n\r\n+QSSLOPEN: 1,0\r\n").await;
            let stands = format!(
                "\r\n+QSSLSTATE: 1,\"SSLClient\",\"10.0.0.2\",{PORT},0,2,1,1,0,\"uart1\",{context}\r\n\r\nOK\r\n\
                 \r\n+QIURC: \"pdpdeact\",1\r\n"
            );
            modem.answer("AT+QSSLSTATE=1", &stands).await;
            modem.obey_until(|_| false).await;
        },
        async |bench| {
            let refused = bench.control.connect(HOST, PORT, &TLS).await;
            assert!(refused.is_err());
            let mut socket = bench.control.connect(HOST, PORT, &TLS).await.unwrap();
            let ended = socket.read(&mut [0]).await;
            assert_eq!(ended, Err(SocketError::ConnectionReset));
            assert_eq!(socket.loss(), Some(Loss::Network));
        },
    );
}
