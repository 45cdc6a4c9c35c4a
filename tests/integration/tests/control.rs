//! Everyday control: status, SIM, settings, sleep and power, against the simulated modem.

use std::pin::pin;

use embassy_futures::poll_once;
use embassy_time::{Duration, Instant, with_timeout};
use embedded_io_async::{Read, Write};
use sectag::at::{AtatCmd, Done};
use sectag::{
    AtError, BringUpError, Code, RawError, Registration, SimState, SocketError, Support, Technology,
};
use sectag_integration_tests::Bench;
use sectag_integration_tests::simulated::{HOST, PORT, TLS, World, provision, virtually};
use sectag_simulator::{Boot, Options, Reaction, Sim};
use sectag_test_support::tls_server::echo;

#[test]
fn status_tells_all_that_the_modem_knows() {
    virtually(async || {
        let world = World::new(Options::default());
        let status = world.attach(async |bench| bench.control.status().await);
        let status = status.await;
        assert_eq!(status.problem, None);
        assert_eq!(status.manufacturer.as_deref(), Some("Quectel"));
        assert_eq!(status.model.as_deref(), Some("BG96"));
        assert_eq!(
            status.firmware.as_deref(),
            Some("BG96MAR02A07M1G_01.019.01.019")
        );
        assert_eq!(status.imei.as_deref(), Some("866425030000017"));
        assert_eq!(status.sim, Some(SimState::Ready));
        assert_eq!(status.registration, Some(Registration::Home));
        assert_eq!(status.operator.as_deref(), Some("Test Network"));
        assert_eq!(status.technology, Some(Technology::CatM1));
        assert_eq!(status.band.as_deref(), Some("LTE BAND 4"));
        let signal = status.signal;
        assert_eq!(
            (signal.rssi, signal.rsrp, signal.rsrq, signal.sinr),
            (Some(-71), Some(-98), Some(-11), Some(4))
        );
        assert!(
            status
                .clock
                .is_some_and(|now| now > sectag::clock::MIN_DATE)
        );
        assert_eq!(status.address.as_deref(), Some("10.64.0.1"));
        assert_eq!((status.sockets_open, status.sockets_limit), (0, 2));
        assert_eq!(status.capabilities.verification.name, Support::Unknown);
        assert!(status.counters.exchanges > 20);
    });
}

#[test]
fn one_refused_question_loses_no_other() {
    for refused in [
        "AT+CGMI",
        "AT+QGMR",
        "AT+CGSN",
        "AT+CSQ",
        "AT+QCSQ",
        "AT+QNWINFO",
        "AT+COPS?",
        "AT+CCLK?",
        "AT+CPIN?",
        "AT+QIACT?",
    ] {
        virtually(async || {
            let world = World::new(Options::default());
            let (whole, part) = world
                .attach(async |bench| {
                    let whole = bench.control.status().await;
                    world.modem.set_script(Box::new(move |line| {
                        if line == refused.as_bytes() {
                            Reaction::Reply(b"\r\nERROR\r\n".to_vec())
                        } else {
                            Reaction::Normal
                        }
                    }));
                    (whole, bench.control.status().await)
                })
                .await;
            let mut expected = whole.clone();
            match refused {
                "AT+CGMI" => expected.manufacturer = None,
                // The short version is left.
                "AT+QGMR" => expected.firmware = Some("BG96MAR02A07M1G".try_into().unwrap()),
                "AT+CGSN" => expected.imei = None,
                // QCSQ tells the same.
                "AT+CSQ" => {}
                "AT+QCSQ" => {
                    (expected.signal.rsrp, expected.signal.rsrq) = (None, None);
                    expected.signal.sinr = None;
                    expected.signal.rssi = Some(-73);
                }
                "AT+QNWINFO" => (expected.technology, expected.band) = (None, None),
                "AT+COPS?" => expected.operator = None,
                "AT+CCLK?" => expected.clock = None,
                "AT+CPIN?" => expected.sim = None,
                _ => expected.address = None,
            }
            expected.counters = part.counters;
            if part.clock.is_some() {
                // Time goes on.
                expected.clock = part.clock;
            }
            assert_eq!(part, expected, "{refused}");
        });
    }
}

#[test]
fn status_of_a_modem_that_does_not_get_on_the_network() {
    virtually(async || {
        let world = World::new(Options {
            registration_delay: Duration::from_secs(100_000),
            ..Options::default()
        });
        let status = world.attach(async |bench| {
            let status = bench.control.status().await;
            // Known by now: not waited for again.
            let start = embassy_time::Instant::now();
            bench.control.status().await;
            assert!(start.elapsed() < Duration::from_secs(5));
            status
        });
        let status = status.await;
        assert!(matches!(
            status.problem,
            Some(BringUpError::NotRegistered { status: 2, .. })
        ));
        assert_eq!(status.model.as_deref(), Some("BG96"));
        assert_eq!(status.registration, Some(Registration::Searching));
        assert_eq!(status.sim, Some(SimState::Ready));
        assert_eq!((status.operator, status.technology), (None, None));
        assert_eq!((status.signal.rssi, status.address), (None, None));
    });
}

#[test]
fn obstacles_of_the_sim_have_their_own_words() {
    for (sim, problem, state, words) in [
        (
            Sim::PinRequired("1234".into()),
            BringUpError::SimLocked,
            SimState::Pin,
            "configure it",
        ),
        (
            Sim::PukRequired,
            BringUpError::SimPukNeeded,
            SimState::Puk,
            "PUK",
        ),
        (
            Sim::Foreign,
            BringUpError::SimForeign,
            SimState::Foreign,
            "another operator",
        ),
    ] {
        virtually(async || {
            let world = World::new(Options {
                sim,
                ..Options::default()
            });
            let status = world.attach(async |bench| bench.control.status().await);
            let status = status.await;
            assert_eq!((status.problem, status.sim), (Some(problem), Some(state)));
            assert!(problem.to_string().contains(words), "{problem}");
        });
    }
}

#[test]
fn the_sim_is_named_only_when_asked_for() {
    virtually(async || {
        let world = World::new(Options::default());
        world
            .attach(async |bench| {
                let status = format!("{:?}", bench.control.status().await);
                let card = bench.control.sim().await.unwrap();
                // Without the filler behind the digits.
                assert_eq!(card.iccid.as_deref(), Some("8900100000000000017"));
                assert_eq!(card.imsi.as_deref(), Some("001010000000017"));
                for secret in ["8900100000000000017", "001010000000017"] {
                    assert!(!status.contains(secret));
                    assert!(!format!("{card:?}").contains(secret));
                }
            })
            .await;
    });
}

const SECOND: Duration = Duration::from_secs(1);

async fn raw(bench: Bench, command: &str) -> (Result<(), RawError>, Vec<String>) {
    let mut lines = Vec::new();
    let mut sink = |line: &[u8]| lines.push(String::from_utf8_lossy(line).into_owned());
    let result = bench.control.raw_at(command, SECOND, &mut sink).await;
    (result, lines)
}

#[test]
fn a_typed_command_is_answered_line_by_line() {
    virtually(async || {
        let world = World::new(Options::default());
        world
            .attach(async |bench| {
                let (result, lines) = raw(bench, "ati").await;
                assert_eq!(result, Ok(()));
                assert_eq!(lines, ["Quectel", "BG96", "Revision: BG96MAR02A07M1G"]);
                // In small letters, two on a line, and one whose answer looks like a notice.
                let (result, lines) = raw(bench, "at+csq;+cpin?").await;
                assert_eq!(result, Ok(()));
                assert_eq!(lines.first().map(String::as_str), Some("+CSQ: 20,99"));
                let (result, lines) = raw(bench, "at+cpin?").await;
                assert_eq!((result, lines), (Ok(()), vec!["+CPIN: READY".into()]));
            })
            .await;
    });
}

/// What needs neither SIM nor network waits for neither.
#[test]
fn a_typed_command_may_go_as_soon_as_the_modem_answers() {
    virtually(async || {
        let world = World::new(Options {
            registration_delay: Duration::from_secs(1_000_000),
            ..Options::default()
        });
        world
            .attach(async |bench| {
                let began = Instant::now();
                let mut lines = Vec::new();
                let mut keep = |line: &[u8]| lines.push(String::from_utf8_lossy(line).into_owned());
                let control = bench.control;
                let asked = control.answering_raw_at("AT+CGSN", SECOND, &mut keep);
                assert_eq!(asked.await, Ok(()));
                assert!(began.elapsed() < SECOND * 5, "{:?}", began.elapsed());
                // What is forbidden is not sent here either.
                let off = control.answering_raw_at("AT+QPOWD", SECOND, &mut keep);
                assert!(matches!(off.await, Err(RawError::Forbidden { .. })));
                assert_eq!(lines, ["866425030000017"]);
            })
            .await;
    });
}

#[test]
fn a_typed_command_to_a_modem_that_is_off_says_why_it_was_not_sent() {
    virtually(async || {
        let world = World::new(Options {
            boot: Boot::Off,
            ..Options::default()
        });
        let (result, _) = world.attach(async |bench| raw(bench, "AT+CSQ").await).await;
        assert_eq!(result, Err(RawError::BringUp(BringUpError::NoAnswer)));
    });
}

#[test]
fn a_refusal_keeps_the_vendors_number() {
    virtually(async || {
        let world = World::new(Options::default());
        world
            .attach(async |bench| {
                let refused = |code| Err(RawError::At(AtError::Refused(code)));
                let (result, _) = raw(bench, "AT+QFDEL=\"nothing\"").await;
                assert_eq!(result, refused(Code::Cme(405)));
                // Told only when asked.
                let (result, _) = raw(bench, "AT+QIACT=1").await;
                assert!(
                    matches!(
                        result,
                        Err(RawError::At(AtError::Refused(Code::Vendor(572, _))))
                    ),
                    "{result:?}"
                );
                let (result, _) = raw(bench, "AT+NONSENSE").await;
                assert_eq!(result, refused(Code::Plain));
            })
            .await;
    });
}

#[test]
fn commands_that_a_bring_up_cannot_undo_are_not_sent() {
    virtually(async || {
        let world = World::new(Options::default());
        world
            .attach(async |bench| {
                bench.control.wait_up().await.unwrap();
                let bytes = world.modem.bytes_in();
                for (command, instead) in [
                    ("AT+IPR=9600", "as it made it"),
                    ("AT+CSQ;+IPR=9600", "as it made it"),
                    ("AT+QPOWD", "power_off"),
                    ("AT+CFUN=0", "power_off"),
                    ("AT+CPIN=\"1234\"", "Config::pin"),
                    ("AT+CGACT?", "QIACT"),
                    ("AT+CMUX=0", "nothing"),
                ] {
                    let (result, lines) = raw(bench, command).await;
                    let Err(error @ RawError::Forbidden { .. }) = result else {
                        panic!("{command}: {result:?}");
                    };
                    assert!(error.to_string().contains(instead), "{command}: {error}");
                    assert!(lines.is_empty());
                }
                for command in ["A/", "+++", "AT+X\rAT", "AT\u{1a}", ""] {
                    assert!(raw(bench, command).await.0.is_err(), "{command:?}");
                }
                assert_eq!(world.modem.bytes_in(), bytes);
            })
            .await;
    });
}

/// A line that may have changed anything, in the middle of a connection.
#[test]
fn a_typed_setting_is_followed_by_a_bring_up() {
    for typed in [
        "ATE1",
        "AT&F",
        "AT+CMEE=0",
        "AT+QSSLCFG=\"seclevel\",0,0",
        "AT+QSSLSEND=0,10",
        "AT+QFUPL=\"x\",10",
        "AT+CSQ;E1",
    ] {
        virtually(async || {
            let world = World::new(Options::default());
            world.serve(echo);
            world
                .attach(async |bench| {
                    provision(bench).await;
                    let mut socket = bench.control.connect(HOST, PORT, &TLS).await.unwrap();
                    let _ = raw(bench, typed).await;
                    let lost = socket.read(&mut [0; 8]).await;
                    assert_eq!(lost, Err(SocketError::ConnectionReset), "{typed}");
                    drop(socket);
                    let start = Instant::now();
                    let mut socket = bench.control.connect(HOST, PORT, &TLS).await.unwrap();
                    socket.write_all(b"after").await.unwrap();
                    socket.flush().await.unwrap();
                    let mut back = [0; 5];
                    socket.read_exact(&mut back).await.unwrap();
                    assert_eq!(&back, b"after", "{typed}");
                    assert!(start.elapsed() < SECOND * 60, "{typed}");
                })
                .await;
        });
    }
}

#[test]
fn queries_and_what_the_caller_vouches_for_leave_connections_alone() {
    virtually(async || {
        let world = World::new(Options::default());
        world.serve(echo);
        world
            .attach(async |bench| {
                provision(bench).await;
                let mut socket = bench.control.connect(HOST, PORT, &TLS).await.unwrap();
                for query in ["ATI", "at+csq", "AT+QSSLCFG=?", "AT+CFUN?;+CSQ"] {
                    assert_eq!(raw(bench, query).await.0, Ok(()), "{query}");
                }
                let mut sink = |_: &[u8]| {};
                let vouching = bench.control.keeps_connections();
                let typed = vouching.raw_at("AT+CMEE=1", SECOND, &mut sink).await;
                assert_eq!(typed, Ok(()));
                // A setting that is dropped while it waits for the channel was never sent.
                let mut first = pin!(vouching.raw_at("AT+CMEE=1", SECOND, &mut sink));
                assert!(poll_once(first.as_mut()).is_pending());
                assert!(poll_once(raw(bench, "AT+QLEDMODE=1")).is_pending());
                assert_eq!(first.await, Ok(()));
                socket.write_all(b"still").await.unwrap();
                socket.flush().await.unwrap();
                let mut back = [0; 5];
                socket.read_exact(&mut back).await.unwrap();
                assert_eq!(&back, b"still");
            })
            .await;
    });
}

/// Dropped in the middle, it may have been carried out all the same.
#[test]
fn a_dropped_setting_is_followed_by_a_bring_up_too() {
    virtually(async || {
        let world = World::new(Options {
            turnaround: Duration::from_millis(50),
            ..Options::default()
        });
        world.serve(echo);
        world
            .attach(async |bench| {
                provision(bench).await;
                let mut socket = bench.control.connect(HOST, PORT, &TLS).await.unwrap();
                let typed = with_timeout(Duration::from_millis(20), raw(bench, "ATE1")).await;
                assert!(typed.is_err());
                let lost = socket.read(&mut [0; 8]).await;
                assert_eq!(lost, Err(SocketError::ConnectionReset));
                drop(socket);
                bench.control.connect(HOST, PORT, &TLS).await.unwrap();
            })
            .await;
    });
}

/// A command of a type of one's own is no other than a typed one, but for the handle's word.
#[test]
fn a_typed_command_that_is_no_query_ends_its_handle() {
    virtually(async || {
        let world = World::new(Options::default());
        world
            .attach(async |bench| {
                let at = bench.control.at().await.unwrap();
                at.send(&Line("AT+CSQ\r")).await.unwrap();
                at.send(&Line("AT+CMEE?\r")).await.unwrap();
                assert_eq!(
                    at.send(&Line("AT+CGACT?\r")).await,
                    Err(AtError::Unsupported)
                );
                let vouched = bench.control.keeps_connections().at().await.unwrap();
                vouched.send(&Line("AT+CMEE=1\r")).await.unwrap();
                at.send(&Line("AT+CSQ\r")).await.unwrap();
                at.send(&Line("AT+CMEE=0\r")).await.unwrap();
                assert_eq!(at.send(&Line("AT+CSQ\r")).await, Err(AtError::ModemReset));
                let at = bench.control.at().await.unwrap();
                at.send(&Line("AT+CSQ\r")).await.unwrap();
            })
            .await;
    });
}

struct Line(&'static str);

impl AtatCmd for Line {
    type Response = Done;
    const MAX_TIMEOUT_MS: u32 = 3000;

    fn write(&self, buf: &mut [u8]) -> usize {
        buf[..self.0.len()].copy_from_slice(self.0.as_bytes());
        self.0.len()
    }

    fn parse(&self, answer: Result<&[u8], atat::InternalError<'_>>) -> Result<Done, atat::Error> {
        answer.map(|_| Done).map_err(Into::into)
    }
}

#[test]
fn a_modem_that_prompts_all_the_same_is_recovered() {
    for surprise in [
        &b"\r\n> "[..],
        b"\r\nCONNECT\r\n",
        b"\r\n+X: 1\r\n> ",
        b"\r\n+QSSLRECV: 100\r\nabc",
        b"",
    ] {
        virtually(async || {
            let world = World::new(Options::default());
            world
                .attach(async |bench| {
                    bench.control.wait_up().await.unwrap();
                    world.modem.set_script(Box::new(move |line| {
                        if line == b"AT+SURPRISE" {
                            Reaction::Reply(surprise.to_vec())
                        } else {
                            Reaction::Normal
                        }
                    }));
                    let start = Instant::now();
                    let (result, _) = raw(bench, "AT+SURPRISE").await;
                    assert!(
                        matches!(
                            result,
                            Err(RawError::At(AtError::Garbled | AtError::Timeout))
                        ),
                        "{result:?}"
                    );
                    assert!(start.elapsed() <= SECOND);
                    bench.control.wait_up().await.unwrap();
                    assert_eq!(raw(bench, "AT+CGMM").await.1, ["BG96"]);
                    assert!(start.elapsed() < SECOND * 30);
                })
                .await;
        });
    }
}

#[test]
fn a_dropped_raw_command_gives_its_answer_to_nobody() {
    virtually(async || {
        let world = World::new(Options {
            turnaround: Duration::from_millis(20),
            ..Options::default()
        });
        world
            .attach(async |bench| {
                bench.control.wait_up().await.unwrap();
                for millis in 0..60 {
                    let limit = Duration::from_millis(millis);
                    let _ = with_timeout(limit, raw(bench, "ATI")).await;
                    assert_eq!(raw(bench, "AT+CGSN").await.1, ["866425030000017"]);
                }
            })
            .await;
    });
}
