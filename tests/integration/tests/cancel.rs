//! Every public future is dropped at every await point in turn; then the driver still works, no byte is
//! lost or doubled, and the files are what they should be.
//!
//! A new public future is one more line in [`operations`].

use std::sync::LazyLock;

use embassy_futures::join::join;
use embassy_time::{Duration, Instant, Timer};
use embedded_io_async::{Read, Write};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use sectag::at::{AtatCmd, CommandLine, Done};
use sectag::clock::DateTime;
use sectag::{AtError, CredentialError, Kind, Tag};
use sectag_bg96::Config;
use sectag_integration_tests::cancel::{From, Operation, Stage, drop_runner, torture};
use sectag_integration_tests::recovery::{STORED as SHORT, connect, every, round_trip, world_of};
use sectag_integration_tests::simulated::virtually;
use sectag_integration_tests::unit::{
    Bg96Unit, Cc32xxUnit, Nrf9160Unit, ShortRangeUnit, UbloxUnit, Unit,
};
use sectag_simulator::{AtVersion, Chunk, Options};
use sectag_test_support::pki::Pki;

/// Several chunks of an upload, and a certificate as far as a modem looks at it.
static STORED: LazyLock<String> = LazyLock::new(|| {
    let line = "c2VjdGFnIHNlY3RhZyBzZWN0YWcgc2VjdGFnIHNlY3RhZyBzZWN0YWcgc2VjdGFn\n";
    let lines = line.repeat(7);
    format!("-----BEGIN CERTIFICATE-----\n{lines}-----END CERTIFICATE-----\n")
});
/// What was there before.
static OLD: LazyLock<String> = LazyLock::new(|| STORED.replace("c2Vj", "b2xk"));

/// A command of a user's own.
struct Own(&'static str);

impl AtatCmd for Own {
    type Response = Done;
    const MAX_TIMEOUT_MS: u32 = 3000;

    fn write(&self, buf: &mut [u8]) -> usize {
        CommandLine::new(buf, self.0).finish()
    }

    fn parse(&self, answer: Result<&[u8], atat::InternalError<'_>>) -> Result<Done, atat::Error> {
        answer.map(|_| Done).map_err(Into::into)
    }
}

const LATER: DateTime = match DateTime::new(2027, 1, 2, 3, 4, 5) {
    Some(date) => date,
    None => panic!("it exists"),
};

/// Name, where it starts from, what it does, what must hold afterwards.
macro_rules! operations {
    ($($name:literal, $from:ident, |$stage:ident| $run:expr, $check:expr;)*) => {
        [$(Operation {
            name: $name,
            from: From::$from,
            run: |$stage| Box::pin(async move { $run; }),
            check: $check,
        }),*]
    };
}

fn operations<U: Unit>() -> [Operation<U>; 24] {
    operations! {
        "wait_up", Start, |stage| stage.bench.control.wait_up().await.unwrap(), nothing;
        "clock at start", Start, |stage| clock(stage).await, nothing;
        "store at start", Start, |stage| store(stage).await, absent_or_stored;
        "connect at start", Start, |stage| connect(stage.bench).await.unwrap(), nothing;
        "clock", Connected, |stage| clock(stage).await, nothing;
        "set_clock", Connected, |stage| set_clock(stage).await, nothing;
        "store", Storing, |stage| store(stage).await, absent_or_stored;
        "store over another", Storing, |stage| replace(stage).await, whole;
        "store, checked", Storing, |stage| stage.bench.control.store(Tag(9), Kind::Ca, ca()).await.unwrap(), absent_or_ca;
        "ensure", Storing, |stage| stage.bench.control.ensure(Tag(9), Kind::Ca, ca()).await.unwrap(), absent_or_ca;
        "compare", Connected, |stage| stage.bench.control.compare(Tag(7), Kind::Ca, ca()).await.unwrap(), nothing;
        "digest", Connected, |stage| digest(stage).await, nothing;
        "list", Connected, |stage| stage.bench.control.list(&mut |_| {}).await.unwrap(), nothing;
        "remove", Storing, |stage| remove(stage).await, absent_or_old;
        "at().send", Connected, |stage| stage.bench.control.keeps_connections().at().await.unwrap().send(&Own(U::QUERY)).await.unwrap(), nothing;
        "at().lines", Connected, |stage| {
            let at = stage.bench.control.keeps_connections().at().await.unwrap();
            at.lines(&Own(U::LISTING), &mut |_| {}).await.unwrap()
        }, nothing;
        "connect", Connected, |stage| connect(stage.bench).await.unwrap(), nothing;
        "read", Connected, |stage| {
            stage.subject().write(60).await;
            stage.subject().read(100).await
        }, nothing;
        "write into a full ring", Connected, |stage| {
            stage.subject().write(1024).await;
            stage.subject().write(1024).await;
            stage.subject().write(10).await
        }, nothing;
        "flush", Connected, |stage| {
            stage.subject().write(1024).await;
            stage.subject().socket().await.flush().await.unwrap()
        }, nothing;
        "close", Connected, |stage| {
            stage.subject().write(10).await;
            stage.subject().take().await.close().await.unwrap()
        }, nothing;
        "drop", Connected, |stage| drop(stage.subject().take().await), nothing;
        "read and write of halves", Connected, |stage| halves(stage).await, nothing;
        "two stores at once", Storing, |stage| { join(store(stage), replace(stage)).await }, whole;
    }
}

/// Not every modem has one.
async fn clock<U: Unit>(stage: &Stage<U>) {
    match stage.bench.control.clock_if_any().await {
        Ok(_) | Err(AtError::Unsupported) => {}
        Err(error) => panic!("{error:?}"),
    }
}

async fn set_clock<U: Unit>(stage: &Stage<U>) {
    match stage.bench.control.set_clock_if_any(LATER).await {
        Ok(()) | Err(AtError::Unsupported) => {}
        Err(error) => panic!("{error:?}"),
    }
}

async fn store<U: Unit>(stage: &Stage<U>) {
    let control = stage.bench.control;
    control
        .store_unchecked(Tag(9), Kind::Ca, STORED.as_bytes())
        .await
        .unwrap();
}

async fn replace<U: Unit>(stage: &Stage<U>) {
    put_old(stage);
    let control = stage.bench.control;
    control
        .store_unchecked(Tag(8), Kind::Ca, STORED.as_bytes())
        .await
        .unwrap();
}

async fn remove<U: Unit>(stage: &Stage<U>) {
    put_old(stage);
    stage.bench.control.remove(Tag(8), Kind::Ca).await.unwrap();
}

fn put_old<U: Unit>(stage: &Stage<U>) {
    let name = stage.unit.file(Tag(8), Kind::Ca);
    stage.world.modem.put_file(&name, OLD.as_bytes());
}

/// A modem that tells digests itself needs no reading back, and this one offers none.
async fn digest<U: Unit>(stage: &Stage<U>) {
    match stage.bench.control.digest(Tag(7), Kind::Ca).await {
        Ok(_) | Err(CredentialError::Unreadable) => {}
        Err(error) => panic!("{error:?}"),
    }
}

async fn halves<U: Unit>(stage: &Stage<U>) {
    let subject = stage.subject();
    let mut socket = subject.socket().await;
    let (mut reader, mut writer) = socket.split();
    let write = async {
        for _ in 0..2 {
            let bytes = subject.bytes(subject.written.get(), 700);
            let taken = writer.write(&bytes).await.unwrap();
            subject.written.set(subject.written.get() + taken);
            writer.flush().await.unwrap();
        }
    };
    let read = async {
        for _ in 0..2 {
            let mut buf = [0; 300];
            let count = reader.read(&mut buf).await.unwrap();
            assert_eq!(buf[..count], subject.bytes(subject.read.get(), count));
            subject.read.set(subject.read.get() + count);
        }
    };
    join(read, write).await;
}

fn ca() -> &'static [u8] {
    static CA: LazyLock<String> = LazyLock::new(|| Pki::shared().ca_pem().to_string());
    CA.as_bytes()
}

fn nothing<U: Unit>(_: &Stage<U>) {}

fn absent_or_ca<U: Unit>(stage: &Stage<U>) {
    // Some keep what PEM is around.
    let der = CertificateDer::from_pem_slice(ca()).expect("it is one");
    absent_or(stage, Tag(9), &[ca(), &der]);
}

fn absent_or_stored<U: Unit>(stage: &Stage<U>) {
    absent_or(stage, Tag(9), &[STORED.as_bytes()]);
}

fn absent_or_old<U: Unit>(stage: &Stage<U>) {
    absent_or(stage, Tag(8), &[OLD.as_bytes()]);
}

fn whole<U: Unit>(stage: &Stage<U>) {
    absent_or_stored(stage);
    absent_or(stage, Tag(8), &[STORED.as_bytes(), OLD.as_bytes()]);
}

fn absent_or<U: Unit>(stage: &Stage<U>, tag: Tag, expected: &[&[u8]]) {
    let file = stage.unit.file(tag, Kind::Ca);
    let file = stage.world.modem.files().remove(&file);
    let is_whole = file.as_deref().is_none_or(|file| expected.contains(&file));
    assert!(is_whole, "{file:?}");
}

fn bg96(config: Config, chunk: Chunk) -> Bg96Unit {
    let options = Options {
        pdp_active: true,
        turnaround: Duration::from_millis(20),
        baud: Some(115_200),
        chunk,
        ..Options::default()
    };
    Bg96Unit { config, options }
}

fn nrf9160(dialect: &str, chunk: Chunk) -> Nrf9160Unit {
    Nrf9160Unit::new(dialect).with(|options| {
        options.turnaround = Duration::from_millis(20);
        options.baud = Some(115_200);
        options.chunk = chunk;
    })
}

fn torture_all<U: Unit>(unit: &U, chunk: Chunk, skipped: &[&str]) {
    let name = unit.name();
    let mut total = 0;
    for operation in &operations::<U>() {
        if skipped.contains(&operation.name) && every(2) > 1 {
            continue;
        }
        let points = torture(operation, unit);
        println!(
            "{name} {chunk:?}: {} has {points} await points, all pass",
            operation.name
        );
        total += points;
    }
    println!("{name} {chunk:?}: {total} await points in all");
}

#[test]
fn every_future_may_be_dropped_at_every_await_point() {
    torture_all(&bg96(Config::new(), Chunk::Whole), Chunk::Whole, &[]);
}

#[test]
fn every_future_may_be_dropped_at_every_await_point_byte_by_byte() {
    let chunk = Chunk::Bytes(1);
    // A whole file, a byte at a time: minutes.
    let slow = ["compare", "digest", "ensure"];
    torture_all(&bg96(Config::new(), chunk), chunk, &slow);
}

/// The runner is different: dropping it resets every socket, and what it was sending may be cut off in
/// the middle. Started again, it brings the modem back, and the application reconnects.
fn torture_runner<U: Unit>(unit: &U, chunk: Chunk, step: usize) {
    const MESSAGE: &[u8] = b"a message of forty-four bytes, OK\r\n> no more";
    let mut points = 0;
    let mut worst = Duration::MIN;
    for limit in (0..).step_by(step) {
        let (dropped, took) = virtually(async || {
            let (world, received) = world_of(unit);
            drop_runner(&world, unit, limit, async |bench| {
                let start = Instant::now();
                loop {
                    let work = async {
                        bench
                            .control
                            .store_unchecked(Tag(9), Kind::PrivateKey, SHORT)
                            .await
                            .ok()?;
                        let mut socket = connect(bench).await.ok()?;
                        round_trip(&mut socket, MESSAGE).await.ok()?;
                        socket.close().await.ok()
                    };
                    if work.await.is_some() {
                        break;
                    }
                    assert!(start.elapsed() < Duration::from_secs(100));
                    Timer::after_millis(100).await;
                }
                let took = start.elapsed();
                assert_eq!(
                    world.modem.files()[&unit.file(Tag(9), Kind::PrivateKey)],
                    SHORT
                );
                for bytes in received.borrow().iter() {
                    let same = bytes
                        .iter()
                        .zip(MESSAGE)
                        .take_while(|(a, b)| a == b)
                        .count();
                    let filler = bytes[same..]
                        .iter()
                        .all(|byte| unit.filler().contains(byte));
                    let room = MESSAGE.len() + unit.leaks();
                    assert!(bytes.len() <= room && filler, "{bytes:?}");
                }
                assert_eq!(received.borrow().last().unwrap(), MESSAGE);
                Timer::after_secs(5).await;
                assert!(world.modem.open_sockets().is_empty());
                took
            })
            .await
        });
        worst = worst.max(took);
        if !dropped {
            points = limit;
            break;
        }
    }
    println!(
        "{} {chunk:?}: Runner::run was dropped at every {step}th of {points} await points, all pass, worst session {} ms",
        unit.name(),
        worst.as_millis()
    );
}

#[test]
fn runner_may_be_dropped_at_every_await_point() {
    torture_runner(&bg96(Config::new(), Chunk::Whole), Chunk::Whole, 1);
}

#[test]
fn runner_may_be_dropped_at_every_await_point_byte_by_byte() {
    let chunk = Chunk::Bytes(1);
    torture_runner(&bg96(Config::new(), chunk), chunk, every(7));
}

#[test]
fn every_future_may_be_dropped_at_every_await_point_while_data_is_pushed() {
    let unit = bg96(Config::new().direct_push(), Chunk::Whole);
    torture_all(&unit, Chunk::Whole, &[]);
    torture_runner(&unit, Chunk::Whole, 1);
}

/// Of each kind one: a current socket with and without a deaf UART, native TLS, handles.
const DIALECTS: [&str; 4] = ["2.1", "2.5", "3.1-native", "sm"];

#[test]
fn nrf9160_every_future_may_be_dropped_at_every_await_point() {
    for dialect in DIALECTS.into_iter().step_by(every(2)) {
        torture_all(&nrf9160(dialect, Chunk::Whole), Chunk::Whole, &[]);
    }
}

#[test]
fn nrf9160_every_future_may_be_dropped_at_every_await_point_byte_by_byte() {
    let chunk = Chunk::Bytes(1);
    for dialect in DIALECTS.into_iter().rev().step_by(every(4)) {
        torture_all(&nrf9160(dialect, chunk), chunk, &[]);
    }
}

#[test]
fn nrf9160_runner_may_be_dropped_at_every_await_point() {
    for dialect in DIALECTS {
        torture_runner(&nrf9160(dialect, Chunk::Whole), Chunk::Whole, every(5));
    }
    let chunk = Chunk::Bytes(1);
    for dialect in ["2.5", "sm"] {
        torture_runner(&nrf9160(dialect, chunk), chunk, every(23));
    }
}

fn ublox(model: &str, chunk: Chunk) -> UbloxUnit {
    UbloxUnit::new(model).with(|options| {
        options.turnaround = Duration::from_millis(20);
        options.baud = Some(115_200);
        options.chunk = chunk;
        options.takes_anything = true;
    })
}

fn short_range(model: &str, chunk: Chunk) -> ShortRangeUnit {
    ShortRangeUnit::new(model).with(|options| {
        options.turnaround = Duration::from_millis(20);
        options.baud = Some(115_200);
        options.chunk = chunk;
    })
}

/// A connect that blocks, a bound profile and a list of suites, and a connect and close that block nobody.
const MODELS: [&str; 3] = ["sara-u201", "sara-r5", "sara-r4-02b"];

#[test]
fn ublox_every_future_may_be_dropped_at_every_await_point() {
    for model in MODELS.into_iter().skip(1).step_by(every(2)) {
        torture_all(&ublox(model, Chunk::Whole), Chunk::Whole, &[]);
    }
}

#[test]
fn ublox_every_future_may_be_dropped_at_every_await_point_byte_by_byte() {
    let chunk = Chunk::Bytes(1);
    for model in MODELS.into_iter().rev().step_by(every(3)) {
        torture_all(&ublox(model, chunk), chunk, &[]);
    }
}

#[test]
fn ublox_runner_may_be_dropped_at_every_await_point() {
    for model in MODELS {
        torture_runner(&ublox(model, Chunk::Whole), Chunk::Whole, every(5));
    }
    let chunk = Chunk::Bytes(1);
    torture_runner(&ublox("sara-r5", chunk), chunk, every(23));
}

#[test]
fn ublox_short_range_every_future_may_be_dropped_at_every_await_point() {
    torture_all(&short_range("odin", Chunk::Whole), Chunk::Whole, &[]);
}

#[test]
fn ublox_short_range_every_future_may_be_dropped_at_every_await_point_byte_by_byte() {
    let chunk = Chunk::Bytes(1);
    torture_all(&short_range("odin", chunk), chunk, &[]);
}

#[test]
fn ublox_short_range_runner_may_be_dropped_at_every_await_point() {
    let whole = Chunk::Whole;
    torture_runner(&short_range("odin", whole), whole, every(3));
    let chunk = Chunk::Bytes(1);
    torture_runner(&short_range("odin", chunk), chunk, every(23));
}

fn cc32xx(version: AtVersion, chunk: Chunk) -> Cc32xxUnit {
    Cc32xxUnit::new(version).with(|options| {
        options.baud = Some(115_200);
        options.chunk = chunk;
    })
}

#[test]
fn cc32xx_every_future_may_be_dropped_at_every_await_point() {
    let whole = Chunk::Whole;
    for version in [AtVersion::First, AtVersion::Second]
        .into_iter()
        .step_by(every(2))
    {
        torture_all(&cc32xx(version, whole), whole, &[]);
    }
}

#[test]
fn cc32xx_runner_may_be_dropped_at_every_await_point() {
    let whole = Chunk::Whole;
    torture_runner(&cc32xx(AtVersion::First, whole), whole, every(7));
    torture_runner(&cc32xx(AtVersion::Second, whole), whole, every(7));
}
