//! The application on a simulated BG96, in virtual time: minutes of backoff take no time, and end the same way each
//! time.

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::rc::Rc;

use embassy_futures::select::{Either4, select4};
use embassy_time::{Duration, Instant};
use sectag::{ConnectError, Control, CredentialSet, Kind, NoPins, State};
use sectag_bg96::{Bg96, Config};
use sectag_simulator::time::block_on_virtual;
use sectag_simulator::{MemoryNetwork, Options, Simulator, peer};
use sectag_test_your_firmware_example::{PORT, ReportError, SERVER, TLS, report, report_for_sure};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

sectag_simulator::virtual_clock!();

/// What the server does with the lines of one connection.
#[derive(Clone, Copy)]
enum Answer {
    Ok,
    /// Closes without a word.
    Nothing,
}

/// What the application and the test have.
struct Bench {
    control: Control<'static, Bg96>,
    modem: Simulator,
    /// What the server has received.
    lines: Rc<RefCell<Vec<String>>>,
}

/// Runs `test` beside the driver, the modem, and a server that gives these answers, one a connection, and `Ok` behind
/// them.
fn on_a_modem<T, F: Future<Output = T>>(answers: &[Answer], test: impl FnOnce(Bench) -> F) -> T {
    let lines = Rc::new(RefCell::new(Vec::new()));
    let next = RefCell::new(answers.iter().copied());
    let network = MemoryNetwork::new();
    let server = peer::serve(network.listen(SERVER.as_str(), PORT), |stream| {
        let answer = next.borrow_mut().next().unwrap_or(Answer::Ok);
        take_line(stream, answer, lines.clone())
    });
    let modem = Simulator::bg96(Options::default(), Rc::new(network));
    let (rx, tx, uart) = modem.uart();
    // Never given back, as a firmware's static.
    let state = State::<Bg96, 1, 256, 256>::new();
    let state = Box::leak(Box::new(state));
    let (control, mut runner) = sectag::new(state, Bg96::new(Config::new()), rx, tx, NoPins);
    let test = test(Bench {
        control,
        modem,
        lines: lines.clone(),
    });
    match block_on_virtual(select4(test, runner.run(), uart, server)) {
        Either4::First(result) => result,
        _ => unreachable!("UART and network stay"),
    }
}

async fn take_line(
    mut stream: peer::TlsStream<DuplexStream>,
    answer: Answer,
    lines: Rc<RefCell<Vec<String>>>,
) -> io::Result<()> {
    let mut line = [0; 4];
    stream.read_exact(&mut line).await?;
    lines
        .borrow_mut()
        .push(String::from_utf8_lossy(&line[..3]).into());
    if matches!(answer, Answer::Ok) {
        stream.write_all(b"ok").await?;
    }
    stream.shutdown().await
}

/// What the factory does.
async fn provision(bench: &Bench) {
    let set = CredentialSet::new()
        .ca(peer::CA_PEM.as_bytes())
        .client_certificate(peer::CLIENT_CERTIFICATE_PEM.as_bytes())
        .private_key(peer::CLIENT_KEY_PEM.as_bytes());
    let stored = bench.control.ensure_set(TLS.tag(), set).await;
    assert_eq!(stored.unwrap(), 3);
}

#[test]
fn a_reading_arrives() {
    on_a_modem(&[], async |bench| {
        provision(&bench).await;
        report(&bench.control, 42).await.unwrap();
        assert_eq!(*bench.lines.borrow(), ["042"]);
    });
}

#[test]
fn what_was_not_taken_is_repeated_after_a_pause() {
    on_a_modem(&[Answer::Nothing, Answer::Nothing], async |bench| {
        provision(&bench).await;
        let began = Instant::now();
        report_for_sure(&bench.control, 7, 1).await;
        assert_eq!(*bench.lines.borrow(), ["007", "007", "007"]);
        let took = began.elapsed();
        let patience = Duration::from_secs(10)..Duration::from_secs(40);
        assert!(patience.contains(&took), "{} ms", took.as_millis());
    });
}

#[test]
fn a_modem_that_restarts_costs_no_reading() {
    on_a_modem(&[], async |bench| {
        provision(&bench).await;
        report_for_sure(&bench.control, 1, 1).await;
        bench.modem.reset();
        report_for_sure(&bench.control, 2, 1).await;
        assert_eq!(*bench.lines.borrow(), ["001", "002"]);
    });
}

#[test]
fn a_device_that_left_the_factory_empty_says_what_is_missing() {
    on_a_modem(&[], async |bench| {
        let missing = ConnectError::CredentialMissing(Kind::Ca);
        match report(&bench.control, 1).await {
            Err(ReportError::Connect(error)) => assert_eq!(error, missing),
            other => panic!("{}", other.is_ok()),
        }
        assert!(bench.lines.borrow().is_empty());
    });
}
