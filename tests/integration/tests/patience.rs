//! A modem that does not come up at the first attempt: how long a caller waits, and what is told then.

use std::cell::Cell;
use std::collections::BTreeSet;

use embassy_time::{Duration, Instant};
use sectag::{AtError, BringUpError, CaScope, Code, ConnectError, Tag, TlsConfig};
use sectag_bg96::Config;
use sectag_integration_tests::scripted::Modem;
use sectag_integration_tests::simulated::{HOST, PORT};
use sectag_integration_tests::{Bench, bench, bench_with};
use tokio::io::DuplexStream;

const TLS: TlsConfig = TlsConfig::new(Tag(1)).ca_scope(CaScope::Private);

/// Behaves, but for a command that begins so, which is answered otherwise as often as `times` says; with `None` it
/// is not answered.
async fn odd(uart: DuplexStream, start: &str, answer: Option<&str>, times: usize) {
    let mut modem = Modem::new(uart, usize::MAX);
    for _ in 0..times {
        modem.obey_until(|line| line.starts_with(start)).await;
        if let Some(answer) = answer {
            modem.say(answer).await;
        }
    }
    modem.obey_until(|_| false).await;
}

/// The commands of a bring-up, without arguments where they have any.
fn commands() -> BTreeSet<String> {
    let log = Cell::default();
    bench(
        async |uart| {
            let mut modem = Modem::new(uart, usize::MAX);
            log.set(Some(modem.log.clone()));
            modem.obey_until(|_| false).await;
        },
        async |bench| bench.control.wait_up().await.unwrap(),
    );
    let log = log.take().expect("it has run");
    let log = log.borrow();
    // Before it is known to be in line mode anything may come.
    let known = log.iter().skip_while(|line| *line != "ATE0");
    known.cloned().collect()
}

#[test]
fn one_late_or_refused_command_of_a_bring_up_ends_nothing() {
    let commands = commands();
    assert!(commands.len() > 10, "{commands:?}");
    for command in commands {
        for answer in [None, Some("\r\nERROR\r\n"), Some("\r\n+CME ERROR: 14\r\n")] {
            bench(
                async |uart| odd(uart, &command, answer, 1).await,
                async |bench| {
                    let since = Instant::now();
                    let up = bench.control.wait_up().await;
                    // Some may take longer than the patience by themselves, since they ask the network.
                    let patient = since.elapsed() < Duration::from_secs(30);
                    assert!(
                        up.is_ok() || answer.is_none() && !patient,
                        "{command} {answer:?}: {up:?}"
                    );
                },
            );
        }
    }
}

#[test]
fn a_first_connect_survives_one_late_command() {
    bench(
        async |uart| {
            let mut modem = Modem::new(uart, usize::MAX);
            modem.obey_until(|line| line == "AT+CEREG?").await;
            modem.bring_up().await;
            modem.open().await;
            modem.obey_until(|_| false).await;
        },
        async |bench| {
            bench.control.connect(HOST, PORT, &TLS).await.unwrap();
        },
    );
}

/// What is told, and after how many seconds.
async fn told(wait: impl Future<Output = Result<(), ConnectError>>) -> (Option<ConnectError>, u64) {
    let since = Instant::now();
    let error = wait.await.err();
    (error, since.elapsed().as_secs())
}

#[test]
fn the_last_failure_is_told_when_the_patience_is_over() {
    let refused = BringUpError::At {
        command: "AT+CEREG?",
        error: AtError::Refused(Code::Plain),
    };
    let expected = Some(ConnectError::BringUp(refused));
    let error = Some("\r\nERROR\r\n");
    // The one of all handles, and one's own.
    for (own, seconds) in [(None, 30), (Some(60), 60), (Some(0), 2)] {
        let bench_of = |wait: fn(Bench, Option<Duration>) -> _| {
            let own = own.map(Duration::from_secs);
            bench(
                async |uart| odd(uart, "AT+CEREG?", error, usize::MAX).await,
                async |bench| told(wait(bench, own)).await,
            )
        };
        let connect = bench_of(|bench, own| {
            Box::pin(async move {
                let control = own.map_or(bench.control, |own| bench.control.patience(own));
                control.connect(HOST, PORT, &TLS).await.map(drop)
            }) as std::pin::Pin<Box<dyn Future<Output = Result<(), ConnectError>>>>
        });
        let wait_up = bench_of(|bench, own| {
            Box::pin(async move {
                let control = own.map_or(bench.control, |own| bench.control.patience(own));
                control.wait_up().await.map_err(ConnectError::BringUp)
            })
        });
        for (failure, took) in [connect, wait_up] {
            assert_eq!(failure, expected);
            // An attempt that is under way is waited for.
            assert!((seconds..seconds + 5).contains(&took), "{took} s");
        }
    }
}

/// [`AtError`] has no room for the reason, which is kept beside it.
#[test]
fn the_reason_behind_a_link_that_is_down_is_told() {
    let refused = BringUpError::At {
        command: "AT+CEREG?",
        error: AtError::Refused(Code::Plain),
    };
    bench(
        async |uart| odd(uart, "AT+CEREG?", Some("\r\nERROR\r\n"), usize::MAX).await,
        async |bench| {
            let control = bench.control.patience(Duration::from_secs(5));
            assert_eq!(control.last_problem(), None);
            assert_eq!(control.at().await.err(), Some(AtError::LinkDown));
            assert_eq!(control.last_problem(), Some(refused));
        },
    );
}

#[test]
fn what_only_a_change_helps_against_is_told_at_once() {
    for (state, error) in [
        ("SIM PIN", BringUpError::SimLocked),
        ("SIM PUK", BringUpError::SimPukNeeded),
        ("PH-NET PIN", BringUpError::SimForeign),
    ] {
        let answer = format!("\r\n+CPIN: {state}\r\n\r\nOK\r\n");
        let (failure, took) = bench_with(
            Config::new(),
            async |uart| odd(uart, "AT+CPIN?", Some(&answer), usize::MAX).await,
            async |bench| {
                told(async { bench.control.wait_up().await.map_err(ConnectError::BringUp) }).await
            },
        );
        assert_eq!(failure, Some(ConnectError::BringUp(error)));
        assert!(took < 5, "{took} s");
    }
}

/// The patience ends while the second attempt looks for a network; that one succeeds.
#[test]
fn an_attempt_that_is_under_way_is_waited_for() {
    bench(
        async |uart| {
            let mut modem = Modem::new(uart, usize::MAX);
            modem.obey_until(|line| line == "AT+CEREG?").await;
            modem.say("\r\nERROR\r\n").await;
            for _ in 0..40 {
                modem.obey_until(|line| line == "AT+CEREG?").await;
                modem.say("\r\n+CEREG: 0,2\r\n\r\nOK\r\n").await;
                modem.obey_until(|line| line == "AT+CGREG?").await;
                modem.say("\r\n+CGREG: 0,2\r\n\r\nOK\r\n").await;
            }
            modem.obey_until(|_| false).await;
        },
        async |bench| {
            let since = Instant::now();
            bench.control.wait_up().await.unwrap();
            assert!(since.elapsed() > Duration::from_secs(35));
        },
    );
}
