//! Answers that a BG96 gives rarely: what bring-up, files and sockets make of them.

use std::io::Error;

use embassy_futures::join::join_array;
use embassy_futures::select::{Either, select};
use embassy_time::{Duration, Instant, Timer, with_timeout};
use embedded_io_async::{ErrorKind, ErrorType, Read, Write};
use sectag::at::InvalidInput;
use sectag::{
    AtError, BringUpError, CaScope, Cause, Code, Comparison, CredentialError, Digest, Edrx, Kind,
    NoPins, RunError, SocketError, Source, State, Tag, Technology, TlsConfig,
};
use sectag_bg96::{Auth, Bg96, Config};
use sectag_host_clock::with_own_waker;
use sectag_integration_tests::scripted::{CLOCK, Modem};
use sectag_integration_tests::simulated::{HOST, PORT};
use sectag_integration_tests::{Bench, bench, bench_with};
use sectag_simulator::time::VirtualClock;
use sectag_test_support::pki::Pki;
use tokio::io::DuplexStream;

const TLS: TlsConfig = TlsConfig::new(Tag(1)).ca_scope(CaScope::Private);

/// Behaves, but for these commands, each of which is always answered so; `None` is silence.
async fn odd(uart: DuplexStream, odd: &[(&str, Option<&str>)]) {
    let mut modem = Modem::new(uart, usize::MAX);
    let find = |line: &str| odd.iter().find(|(start, _)| line.starts_with(start));
    loop {
        let line = modem.obey_until(|line| find(line).is_some()).await;
        if let Some((_, Some(answer))) = find(&line) {
            modem.say(answer).await;
        }
    }
}

async fn wait_up(bench: Bench) -> (Result<(), BringUpError>, u64) {
    let since = Instant::now();
    // What the first attempt comes to.
    let first = bench.control.patience(Duration::MIN);
    let result = first.wait_up().await;
    (result, since.elapsed().as_secs())
}

fn config(set: fn(Config) -> Result<Config, InvalidInput>) -> Config {
    set(Config::new()).expect("it is a configuration")
}

#[test]
fn state_of_the_sim_is_waited_for_and_then_named() {
    let refused = |code| BringUpError::SimNotReady(Code::Cme(code));
    // What it says, what is made of it, after how many seconds.
    let cases = [
        (
            "+CPIN: NOT READY",
            BringUpError::SimNotReady(Code::Plain),
            20,
        ),
        (
            "+CPIN: NOT INSERTED",
            BringUpError::SimMissing(Code::Plain),
            20,
        ),
        ("+CPIN: SIM PUK", BringUpError::SimPukNeeded, 0),
        ("+CPIN: PH-NET PIN", BringUpError::SimForeign, 0),
        // What it says while it is read, too (sheet 1.4).
        ("+CME ERROR: 3", refused(3), 20),
        (
            "+CME ERROR: 10",
            BringUpError::SimMissing(Code::Cme(10)),
            20,
        ),
        ("+CME ERROR: 11", BringUpError::SimLocked, 0),
        ("+CME ERROR: 12", BringUpError::SimPukNeeded, 0),
        ("+CME ERROR: 13", refused(13), 20),
        ("+CME ERROR: 14", refused(14), 20),
        ("+CME ERROR: 16", BringUpError::SimPinRefused, 0),
        ("+CME ERROR: 40", BringUpError::SimForeign, 0),
    ];
    for (said, expected, seconds) in cases {
        let ok = if said.starts_with("+CPIN") {
            "\r\nOK\r\n"
        } else {
            ""
        };
        let answer = format!("\r\n{said}\r\n{ok}");
        let (result, took) = bench(
            async |uart| odd(uart, &[("AT+CPIN?", Some(&answer))]).await,
            wait_up,
        );
        assert_eq!(result, Err(expected), "{said}");
        // Data mode is left first, which takes 2 s.
        assert!((seconds..seconds + 4).contains(&took), "{said}: {took} s");
    }
}

#[test]
fn pin_that_is_taken_and_not_believed_is_reported_after_its_time() {
    let pin = config(|config| config.pin("1234"));
    let asks = Some("\r\n+CPIN: SIM PIN\r\n\r\nOK\r\n");
    let (result, took) = bench_with(
        pin,
        async |uart| odd(uart, &[("AT+CPIN?", asks)]).await,
        wait_up,
    );
    assert_eq!(result, Err(BringUpError::SimPinRefused));
    assert!((20..24).contains(&took), "{took} s");
}

/// A command of bring-up that is never answered is named.
#[test]
fn silence_in_bring_up_names_the_command() {
    let pin = config(|config| config.pin("1234"));
    let apn = config(|config| config.apn("iot")?.login(Auth::Chap, "me", "secret"));
    let locked = ("AT+CPIN?", Some("\r\n+CPIN: SIM PIN\r\n\r\nOK\r\n"));
    let no_data = ("AT+QIACT?", Some("\r\nOK\r\n"));
    let lost = ("AT+CCLK?", Some("\r\n+QIURC: \"pdpdeact\",1\r\n"));
    let cases = [
        (pin, vec![locked, ("AT+CPIN=", None)], "AT+CPIN"),
        (Config::new(), vec![("AT+CPIN?", None)], "AT+CPIN?"),
        (
            Config::new(),
            vec![("AT+QSSLCLOSE=3", None)],
            "AT+QSSLCLOSE",
        ),
        (Config::new(), vec![("AT+CEREG?", None)], "AT+CEREG?"),
        (Config::new(), vec![("AT+QIACT?", None)], "AT+QIACT?"),
        (apn, vec![no_data, ("AT+QICSGP", None)], "AT+QICSGP"),
        (
            Config::new(),
            vec![no_data, ("AT+QIACT=", None)],
            "AT+QIACT",
        ),
        (
            Config::new(),
            vec![lost, ("AT+QIDEACT", None)],
            "AT+QIDEACT",
        ),
    ];
    for (config, lines, command) in cases {
        let seen = bench_with(
            config,
            async |uart| odd(uart, &lines).await,
            async |bench| {
                // The first attempt may fail by what leads to the next.
                for _ in 0..3 {
                    let result = bench.control.wait_up().await;
                    if let Err(BringUpError::At { command: named, .. }) = result
                        && named == command
                    {
                        return true;
                    }
                }
                false
            },
        );
        assert!(seen, "{command}");
    }
}

#[test]
fn data_connection_that_cannot_be_deactivated_is_activated_all_the_same() {
    bench(
        async |uart| {
            let mut modem = Modem::new(uart, usize::MAX);
            modem.bring_up().await;
            Timer::after_secs(1).await;
            modem.say("\r\n+QIURC: \"pdpdeact\",1\r\n").await;
            modem.obey_until(|line| line == "AT+QIDEACT=1").await;
            modem.say("\r\nERROR\r\n").await;
            modem.expect("AT+QIACT=1").await;
            modem.say("\r\nOK\r\n").await;
            modem.obey_until(|_| false).await;
        },
        async |bench| {
            bench.control.wait_up().await.expect("it comes up");
            Timer::after_secs(2).await;
            let up = with_timeout(Duration::from_secs(10), bench.control.wait_up());
            assert_eq!(up.await, Ok(Ok(())));
        },
    );
}

/// It is asked for what cannot be told by anything else.
#[test]
fn query_for_data_connections_that_is_refused_is_no_obstacle() {
    let lines = [("AT+QIACT?", Some("\r\nERROR\r\n"))];
    let (result, _) = bench_with(Config::new(), async |uart| odd(uart, &lines).await, wait_up);
    assert_eq!(result, Ok(()));
}

#[test]
fn access_point_that_the_modem_does_not_take_is_refused_with_its_number() {
    let apn = config(|config| config.apn("iot"));
    let lines = [
        ("AT+QIACT?", Some("\r\nOK\r\n")),
        ("AT+QICSGP", Some("\r\nERROR\r\n")),
        (
            "AT+QIGETERROR",
            Some("\r\n+QIGETERROR: 552,invalid parameters\r\n\r\nOK\r\n"),
        ),
    ];
    let (result, _) = bench_with(apn, async |uart| odd(uart, &lines).await, wait_up);
    let Err(BringUpError::PdpRefused(refusal)) = result else {
        panic!("{result:?}");
    };
    assert!(
        matches!(refusal.code, Code::Vendor(552, _))
            && refusal.causes.eq([Cause::ApnWrong, Cause::BadParameter]),
        "{refusal:?}"
    );
}

/// What was configured is no cause.
#[test]
fn refused_data_connection_leaves_the_causes_of_its_number() {
    use Cause::*;
    let apn = config(|config| config.apn("iot"));
    let cases: [(Config, u16, &[Cause]); 6] = [
        (
            Config::new(),
            0,
            &[ApnMissing, ApnWrong, ApnLoginWrong, DataNotAllowed],
        ),
        (apn, 0, &[ApnWrong, ApnLoginWrong, DataNotAllowed]),
        (Config::new(), 551, &[ModemBusy]),
        (Config::new(), 569, &[NetworkSlow, ApnWrong]),
        (Config::new(), 572, &[ContextInUse]),
        (Config::new(), 573, &[ApnMissing]),
    ];
    for (config, number, expected) in cases {
        let why = format!("\r\n+QIGETERROR: {number},whatever\r\n\r\nOK\r\n");
        let lines = [
            ("AT+QIACT?", Some("\r\nOK\r\n")),
            ("AT+QIACT=", Some("\r\nERROR\r\n")),
            ("AT+QIGETERROR", Some(why.as_str())),
        ];
        let (result, _) = bench_with(config, async |uart| odd(uart, &lines).await, wait_up);
        let Err(BringUpError::PdpRefused(refusal)) = result else {
            panic!("{number}: {result:?}");
        };
        assert!(
            refusal.causes.eq(expected.iter().copied()),
            "{number}: {refusal:?}"
        );
        let code = refusal.code;
        assert_eq!(
            matches!(code, Code::Vendor(found, _) if found == number),
            number != 0
        );
    }
}

/// A source that says it has more than it has.
struct Short;

impl Source for Short {
    type Error = std::convert::Infallible;

    fn len(&self) -> usize {
        200
    }

    async fn read_at(&mut self, at: usize, buf: &mut [u8]) -> Result<usize, Self::Error> {
        let count = buf.len().min(150_usize.saturating_sub(at));
        buf[..count].fill(b'x');
        Ok(count)
    }
}

#[test]
fn what_cannot_be_a_credential_is_refused_before_a_byte_is_sent() {
    bench(
        async |uart| {
            let mut modem = Modem::new(uart, usize::MAX);
            let line = modem.obey_until(|line| line.contains("st5.")).await;
            panic!("{line}");
        },
        async |bench| {
            bench.control.wait_up().await.expect("it comes up");
            let store = async |content: &[u8]| {
                let stored = bench.control.store_unchecked(Tag(5), Kind::Ca, content);
                stored.await.expect_err("it is refused")
            };
            assert_eq!(
                store(b"").await,
                CredentialError::InvalidInput(InvalidInput::Empty)
            );
            let limit = 32 * 1024;
            let too_long = InvalidInput::TooLong { limit };
            assert_eq!(
                store(&vec![b'x'; limit + 1]).await,
                CredentialError::InvalidInput(too_long)
            );
        },
    );
}

/// The upload is completed with filler, then file and marker are deleted.
#[test]
fn source_that_ends_early_leaves_nothing() {
    bench(
        async |uart| {
            let mut modem = Modem::new(uart, usize::MAX);
            assert_eq!(modem.until_upload().await, "AT+QFUPL=\"st5.ca\",200,5");
            modem.say("\r\nCONNECT\r\n").await;
            let got = modem.payload(200).await;
            assert!(got[..150].iter().all(|&byte| byte == b'x'));
            modem.say("\r\n+QFUPL: 200,1234\r\n\r\nOK\r\n").await;
            for name in ["st5.ca", "st5.xca"] {
                let command = format!("AT+QFDEL=\"{name}\"");
                modem.obey_until(|line| line == command).await;
                modem.say("\r\nOK\r\n").await;
            }
            modem.obey_until(|line| line == "AT+CCLK?").await;
            modem.say(CLOCK).await;
            modem.obey_until(|_| false).await;
        },
        async |bench| {
            bench.control.wait_up().await.expect("it comes up");
            let stored = bench.control.store_unchecked(Tag(5), Kind::Ca, Short).await;
            assert_eq!(stored, Err(CredentialError::SourceTooShort));
            bench.control.clock().await.expect("it goes on");
        },
    );
}

/// The number of the upload is all there is to say then.
#[test]
fn full_modem_that_does_not_tell_how_full_is_reported_with_what_it_said() {
    let lines = [
        ("AT+QFUPL", Some("\r\n+CME ERROR: 403\r\n")),
        ("AT+QFLDS", Some("\r\n+CME ERROR: 419\r\n")),
    ];
    let stored = bench(
        async |uart| odd(uart, &lines).await,
        async |bench| {
            let stored = bench
                .control
                .store_unchecked(Tag(5), Kind::Ca, &b"content"[..]);
            stored.await
        },
    );
    assert_eq!(
        stored,
        Err(CredentialError::At(AtError::Refused(Code::Cme(419))))
    );
}

/// A file that the modem cannot delete must not keep others out, nor bring-up down.
#[test]
fn half_file_that_cannot_be_deleted_stops_nothing() {
    let ca = Pki::shared().ca_pem();
    let list = format!(
        "\r\n+QFLST: \"st1.ca\",{len}\r\n+QFLST: \"st1.xca\",1\r\n+QFLST: \"st5.ca\",{len}\r\n\r\nOK\r\n",
        len = ca.len()
    );
    let lines = [
        ("AT+QFLST", Some(list.as_str())),
        ("AT+QFDEL=\"st1.ca\"", Some("\r\n+CME ERROR: 418\r\n")),
        ("AT+QFOPEN=", Some("\r\n+CME ERROR: 410\r\n")),
    ];
    bench(
        async |uart| odd(uart, &lines).await,
        async |bench| {
            bench.control.wait_up().await.expect("it comes up");
            let compare = async |tag| {
                let compared = bench.control.compare(Tag(tag), Kind::Ca, ca.as_bytes());
                compared.await
            };
            assert_eq!(compare(1).await, Ok(Comparison::Absent), "it is marked");
            assert_eq!(compare(5).await, Ok(Comparison::Unreadable));
        },
    );
}

/// `OK` and `CONNECT` are no results of a send: what became of the bytes is not known.
#[test]
fn send_that_ends_by_no_result_of_a_send_costs_the_socket() {
    for result in ["\r\nOK\r\n", "\r\nCONNECT\r\n"] {
        bench(
            async |uart| {
                let mut modem = Modem::new(uart, usize::MAX);
                modem.open().await;
                modem.obey_until(|line| line == "AT+QSSLSEND=0,2").await;
                modem.say("\r\n> ").await;
                assert_eq!(modem.payload(2).await, b"hi");
                modem.say(result).await;
                let again = modem.obey_until(|line| line.starts_with("AT+QSSLSEND"));
                let again = with_timeout(Duration::from_secs(30), again).await;
                assert!(again.is_err(), "nothing is sent again");
                modem.obey_until(|_| false).await;
            },
            async |bench| {
                let mut socket = bench
                    .control
                    .connect(HOST, PORT, &TLS)
                    .await
                    .expect("it opens");
                socket.write_all(b"hi").await.expect("there is room");
                assert_eq!(socket.flush().await, Err(SocketError::ConnectionReset));
                Timer::after_secs(60).await;
            },
        );
    }
}

/// A modem that does not say what state a socket is in is believed that it is open.
#[test]
fn socket_whose_state_is_not_told_stays_open() {
    let lines = [
        ("AT+QSSLOPEN", Some("\r\nOK\r\n\r\n+QSSLOPEN: 0,0\r\n")),
        ("AT+QSSLRECV", Some("\r\n+QSSLRECV: 0\r\n\r\nOK\r\n")),
        ("AT+QSSLSTATE", Some("\r\nERROR\r\n")),
    ];
    bench(
        async |uart| odd(uart, &lines).await,
        async |bench| {
            let mut socket = bench
                .control
                .connect(HOST, PORT, &TLS)
                .await
                .expect("it opens");
            let mut buf = [0; 8];
            let read = with_timeout(Duration::from_secs(600), socket.read(&mut buf)).await;
            assert!(read.is_err(), "it is pending: {read:?}");
        },
    );
}

/// A modem that leaves a question after the socket unanswered is gone.
#[test]
fn socket_of_a_modem_that_falls_silent_is_reset() {
    const EMPTY: &str = "\r\n+QSSLRECV: 0\r\n\r\nOK\r\n";
    bench(
        async |uart| {
            let mut modem = Modem::new(uart, usize::MAX);
            modem.open().await;
            let since = Instant::now();
            loop {
                let line = modem.obey_until(|line| line.starts_with("AT+QSSL")).await;
                match line.as_str() {
                    "AT+QSSLSTATE=0" if since.elapsed() > Duration::from_secs(10) => {}
                    "AT+QSSLSTATE=0" => modem.say("\r\nERROR\r\n").await,
                    _ => modem.say(EMPTY).await,
                }
            }
        },
        async |bench| {
            let mut socket = bench
                .control
                .connect(HOST, PORT, &TLS)
                .await
                .expect("it opens");
            let read = with_timeout(Duration::from_secs(600), socket.read(&mut [0; 8])).await;
            assert_eq!(read, Ok(Err(SocketError::ConnectionReset)));
        },
    );
}

#[test]
fn sim_that_tells_neither_number_is_an_error() {
    let busy = Some("\r\n+CME ERROR: 14\r\n");
    let numbers = bench(
        async |uart| odd(uart, &[("AT+QCCID", busy), ("AT+CIMI", busy)]).await,
        async |bench| bench.control.sim().await,
    );
    assert_eq!(numbers, Err(AtError::Refused(Code::Cme(14))));
}

#[test]
fn edrx_names_the_technology() {
    let cycle = Edrx::at_least(Duration::from_secs(81)).expect("there is one");
    for (technology, expected) in [
        (Technology::CatM1, Some("AT+CEDRXS=1,4,\"0101\"")),
        (Technology::CatNb1, Some("AT+CEDRXS=1,5,\"0101\"")),
        (Technology::Gsm, None),
    ] {
        let result = bench(
            async |uart| {
                let mut modem = Modem::new(uart, usize::MAX);
                let line = modem.obey_until(|line| line.starts_with("AT+CEDRXS")).await;
                assert_eq!(Some(line.as_str()), expected);
                modem.say("\r\nOK\r\n").await;
                modem.obey_until(|_| false).await;
            },
            async |bench| bench.control.set_edrx(technology, Some(cycle)).await,
        );
        let expected = expected.map(|_| ()).ok_or(AtError::Unsupported);
        assert_eq!(result, expected, "{technology:?}");
    }
}

/// One end of a UART that is broken, or there and silent.
struct Broken {
    error: Option<ErrorKind>,
    eof: bool,
    tries: u32,
}

impl Broken {
    const SILENT: Self = Self {
        error: None,
        eof: false,
        tries: 0,
    };
}

impl ErrorType for Broken {
    type Error = ErrorKind;
}

impl Read for Broken {
    async fn read(&mut self, _: &mut [u8]) -> Result<usize, ErrorKind> {
        self.tries += 1;
        match self.error {
            Some(error) => Err(error),
            None if self.eof => Ok(0),
            None => std::future::pending().await,
        }
    }
}

impl Write for Broken {
    async fn write(&mut self, buf: &[u8]) -> Result<usize, ErrorKind> {
        match self.error {
            Some(error) => Err(error),
            None => Ok(buf.len()),
        }
    }

    async fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}

/// Noise is no broken UART; one that does nothing but fail is, and so is one that was closed.
#[test]
fn runner_ends_when_its_uart_is_broken() {
    let broken = |error| Broken {
        error: Some(error),
        ..Broken::SILENT
    };
    let closed = Broken {
        eof: true,
        ..Broken::SILENT
    };
    let framing = ErrorKind::InvalidData;
    let cases = [
        (closed, Broken::SILENT, RunError::Eof, "open it again"),
        (
            broken(framing),
            Broken::SILENT,
            RunError::Read(framing),
            "InvalidData",
        ),
        (
            Broken::SILENT,
            broken(ErrorKind::BrokenPipe),
            RunError::Write(ErrorKind::BrokenPipe),
            "BrokenPipe",
        ),
    ];
    for (rx, tx, expected, words) in cases {
        let state: &'static mut State<'static, Bg96, 1, 256, 256> =
            Box::leak(Box::new(State::new()));
        let (_, mut runner) = sectag::new(state, Bg96::new(Config::new()), rx, tx, NoPins);
        let end = VirtualClock::new().run(async {
            match select(runner.run(), Timer::after_secs(60)).await {
                Either::First(error) => error,
                Either::Second(()) => panic!("it goes on"),
            }
        });
        assert_eq!(end, expected);
        assert!(end.to_string().contains(words), "{end}");
        // For an application on an operating system.
        assert!(Error::other(end).to_string().contains(words));
    }
}

/// Its report must come within the manual's limit; then there is no time, which a connect says.
#[test]
fn ntp_server_that_never_answers_keeps_nobody_waiting_for_ever() {
    let lines = [
        (
            "AT+CCLK?",
            Some("\r\n+CCLK: \"08/01/04,00:19:43+00\"\r\n\r\nOK\r\n"),
        ),
        ("AT+QLTS", Some("\r\n+QLTS: \"\"\r\n\r\nOK\r\n")),
    ];
    let server = Config::new().ntp(HOST);
    let (result, took) = bench_with(server, async |uart| odd(uart, &lines).await, wait_up);
    assert_eq!(result, Ok(()));
    assert!((125..130).contains(&took), "{took} s");
}

/// A modem that restarts meanwhile is not asked for its report any more.
#[test]
fn restart_while_ntp_is_asked_begins_anew() {
    let lines = [
        (
            "AT+CCLK?",
            Some("\r\n+CCLK: \"08/01/04,00:19:43+00\"\r\n\r\nOK\r\n"),
        ),
        ("AT+QLTS", Some("\r\n+QLTS: \"\"\r\n\r\nOK\r\n")),
        ("AT+QNTP", Some("\r\nOK\r\n\r\nRDY\r\n\r\nAPP RDY\r\n")),
    ];
    let server = Config::new().ntp(HOST);
    let (result, took) = bench_with(server, async |uart| odd(uart, &lines).await, wait_up);
    let reset = BringUpError::At {
        command: "AT+QNTP",
        error: AtError::ModemReset,
    };
    assert_eq!(result, Err(reset));
    assert!(took < 5, "{took} s");
}

/// Some firmware says `ERROR` to what is not there; so does one that had half a command before it.
#[test]
fn delete_that_is_refused_without_a_number_is_tried_twice() {
    bench(
        async |uart| {
            let mut modem = Modem::new(uart, usize::MAX);
            let log = modem.log.clone();
            loop {
                modem.obey_until(|line| line.starts_with("AT+QFDEL")).await;
                modem.say("\r\nERROR\r\n").await;
                let deletes = log
                    .borrow()
                    .iter()
                    .filter(|line| line.contains("QFDEL"))
                    .count();
                assert!(deletes <= 2, "twice");
            }
        },
        async |bench| {
            let removed = bench.control.remove(Tag(5), Kind::Ca).await;
            assert_eq!(removed, Ok(()));
        },
    );
}

/// A source that gives the whole PEM when it is inspected, and less when it is compared.
struct Fickle {
    content: String,
    passes: usize,
}

impl Source for Fickle {
    type Error = std::convert::Infallible;

    fn len(&self) -> usize {
        self.content.len()
    }

    async fn read_at(&mut self, at: usize, buf: &mut [u8]) -> Result<usize, Self::Error> {
        self.passes += usize::from(at == 0);
        let end = if self.passes > 1 {
            100
        } else {
            self.content.len()
        };
        let left = &self.content.as_bytes()[at.min(end)..end];
        let count = buf.len().min(left.len());
        buf[..count].copy_from_slice(&left[..count]);
        Ok(count)
    }
}

/// What comparison and digest make of a modem that does not let a file be read as it should.
#[test]
fn file_that_cannot_be_read_to_its_end_is_neither_same_nor_different() {
    let ca = Pki::shared().ca_pem();
    let list = format!("\r\n+QFLST: \"st5.ca\",{}\r\n\r\nOK\r\n", ca.len());
    let piece = format!("\r\nCONNECT 128\r\n{}\r\nOK\r\n", &ca[..128]);
    let opened = Some("\r\n+QFOPEN: 7\r\n\r\nOK\r\n");
    let nothing = Some("\r\n+CME ERROR: 402\r\n");
    let timeout = CredentialError::At(AtError::Timeout);
    let refused = CredentialError::At(AtError::Refused(Code::Cme(411)));
    type Lines<'a> = Vec<(&'a str, Option<&'a str>)>;
    let cases: [(Lines<'_>, CredentialError<_>); 5] = [
        (vec![("AT+QFREAD", nothing)], CredentialError::Corrupted),
        (
            vec![("AT+QFREAD", Some("\r\n+CME ERROR: 411\r\n"))],
            refused,
        ),
        (vec![("AT+QFOPEN?", None)], timeout),
        (vec![("AT+QFOPEN=", None)], timeout),
        (
            vec![
                (
                    "AT+QFOPEN?",
                    Some("\r\nwhatever\r\n+QFOPEN: \"st5.ca\",7,2\r\n\r\nOK\r\n"),
                ),
                ("AT+QFCLOSE", None),
            ],
            timeout,
        ),
    ];
    for (lines, expected) in cases {
        let lines: Lines<'_> = [
            lines,
            vec![("AT+QFLST", Some(&list)), ("AT+QFOPEN=", opened)],
        ]
        .concat();
        let digest = bench(
            async |uart| odd(uart, &lines).await,
            async |bench| bench.control.digest(Tag(5), Kind::Ca).await,
        );
        assert_eq!(digest.err(), Some(expected), "{lines:?}");
    }
    // Nothing more comes from the file, and then nothing more from the source.
    for (answer, expected) in [
        (nothing, Ok(Comparison::Differs)),
        (Some(piece.as_str()), Err(CredentialError::SourceTooShort)),
    ] {
        let lines = [
            ("AT+QFLST", Some(list.as_str())),
            ("AT+QFOPEN=", opened),
            ("AT+QFREAD", answer),
        ];
        let source = Fickle {
            content: ca.clone(),
            passes: 0,
        };
        let compared = bench(
            async |uart| odd(uart, &lines).await,
            async |bench| bench.control.compare(Tag(5), Kind::Ca, source).await,
        );
        assert_eq!(compared, expected);
    }
}

/// A modem whose only file is listed so, and is read as `content`, which is repeated for ever where `endless`.
async fn with_a_file(uart: DuplexStream, list: &str, content: &[u8], endless: bool) {
    let mut modem = Modem::new(uart, usize::MAX);
    let mut at = 0;
    loop {
        let ours = ["AT+QFLST", "AT+QFOPEN=", "AT+QFREAD="];
        let is_ours = |line: &str| ours.iter().any(|name| line.starts_with(name));
        let line = modem.obey_until(is_ours).await;
        if line.starts_with("AT+QFLST") {
            modem.say(list).await;
        } else if line.starts_with("AT+QFOPEN=") {
            modem.say("\r\n+QFOPEN: 7\r\n\r\nOK\r\n").await;
        } else if at == content.len() {
            modem.say("\r\n+CME ERROR: 402\r\n").await;
        } else {
            let wanted: usize = line["AT+QFREAD=7,".len()..].parse().expect("a number");
            let count = wanted.min(content.len() - at);
            modem.say(format!("\r\nCONNECT {count}\r\n")).await;
            modem.say(&content[at..at + count]).await;
            modem.say("\r\nOK\r\n").await;
            if !endless {
                at += count;
            }
        }
    }
}

/// A file of which the modem does not tell the length is read to its end, and none is read for ever.
#[test]
fn a_file_is_read_to_its_end_and_not_for_ever() {
    let ca = Pki::shared().ca_pem();
    let unsized_file = "\r\n+QFLST: \"st5.ca\"\r\n\r\nOK\r\n";
    let enormous = "\r\n+QFLST: \"st5.ca\",4294967295\r\n\r\nOK\r\n";
    for (list, endless, expected) in [
        (unsized_file, false, Ok(Some(Digest::of(ca.as_bytes())))),
        (unsized_file, true, Err(CredentialError::Corrupted)),
        (enormous, true, Err(CredentialError::Unreadable)),
    ] {
        let digest = bench(
            async |uart| with_a_file(uart, list, ca.as_bytes(), endless).await,
            async |bench| bench.control.digest(Tag(5), Kind::Ca).await,
        );
        assert_eq!(digest, expected, "{list} {endless}");
    }
}

/// A guest that comes when the line is full looks again later, and gets its turn as well.
#[test]
fn more_than_can_wait_in_line_all_get_their_turn() {
    bench(
        async |uart| {
            let mut modem = Modem::new(uart, usize::MAX);
            modem.bring_up().await;
            loop {
                modem.obey_until(|line| line == "AT+CCLK?").await;
                Timer::after_millis(50).await;
                modem.say(CLOCK).await;
            }
        },
        async |bench| {
            bench.control.wait_up().await.expect("it comes up");
            // Each is a task of its own: what wakes one does not poll the others.
            let all = std::array::from_fn::<_, 50, _>(|_| with_own_waker(bench.control.clock()));
            let all = with_timeout(Duration::from_secs(60), join_array(all)).await;
            for clock in all.expect("each gets its turn") {
                assert!(matches!(clock, Ok(Some(_))), "{clock:?}");
            }
        },
    );
}
