//! Every public future is dropped at every await point in turn; then the driver still works, no byte is
//! lost or doubled, and the files are what they should be.
//!
//! A new public future is one more line in [`OPERATIONS`].

use std::sync::LazyLock;

use embassy_futures::join::join;
use embassy_time::{Duration, Instant, Timer};
use embedded_io_async::{Read, Write};
use sectag::at::at_command;
use sectag::clock::DateTime;
use sectag::{CredentialStore, Kind, Tag};
use sectag_bg96::Config;
use sectag_integration_tests::cancel::{From, Operation, Stage, drop_runner, torture};
use sectag_integration_tests::recovery::{STORED as SHORT, connect, every, round_trip, world};
use sectag_integration_tests::simulated::virtually;
use sectag_simulator::{Chunk, Options};
use sectag_test_support::pki::Pki;

/// Several chunks of an upload.
const STORED: &[u8] = &[b's'; 500];

/// Commands of a user's own.
struct Signal;
at_command!(Signal, 3000, "+CSQ", |self, line| line);
struct Files;
at_command!(Files, 3000, "+QFLST", |self, line| line);

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

const OPERATIONS: [Operation; 24] = operations! {
    "wait_up", Start, |stage| stage.bench.control.wait_up().await.unwrap(), nothing;
    "clock at start", Start, |stage| stage.bench.control.clock().await.unwrap(), nothing;
    "store at start", Start, |stage| store(stage).await, absent_or_stored;
    "connect at start", Start, |stage| connect(stage.bench).await.unwrap(), nothing;
    "clock", Connected, |stage| stage.bench.control.clock().await.unwrap(), nothing;
    "set_clock", Connected, |stage| stage.bench.control.set_clock(LATER).await.unwrap(), nothing;
    "store", Connected, |stage| store(stage).await, absent_or_stored;
    "store over another", Connected, |stage| replace(stage).await, whole;
    "store, checked", Connected, |stage| stage.bench.control.store(Tag(9), Kind::Ca, ca()).await.unwrap(), absent_or_ca;
    "ensure", Connected, |stage| stage.bench.control.ensure(Tag(9), Kind::Ca, ca()).await.unwrap(), absent_or_ca;
    "compare", Connected, |stage| stage.bench.control.compare(Tag(7), Kind::Ca, ca()).await.unwrap(), nothing;
    "digest", Connected, |stage| stage.bench.control.digest(Tag(7), Kind::Ca).await.unwrap(), nothing;
    "list", Connected, |stage| stage.bench.control.list(&mut |_| {}).await.unwrap(), nothing;
    "remove", Connected, |stage| remove(stage).await, absent_or_old;
    "at().send", Connected, |stage| stage.bench.control.at().await.unwrap().send(&Signal).await.unwrap(), nothing;
    "at().lines", Connected, |stage| stage.bench.control.at().await.unwrap().lines(&Files, &mut |_| {}).await.unwrap(), nothing;
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
    "two stores at once", Connected, |stage| { join(store(stage), replace(stage)).await }, whole;
};

async fn store(stage: &Stage) {
    stage
        .bench
        .control
        .store_unchecked(Tag(9), Kind::Ca, STORED)
        .await
        .unwrap();
}

const OLD: &[u8] = b"what was there before";

async fn replace(stage: &Stage) {
    stage.world.modem.put_file("st8.ca", OLD);
    stage
        .bench
        .control
        .store_unchecked(Tag(8), Kind::Ca, STORED)
        .await
        .unwrap();
}

async fn remove(stage: &Stage) {
    stage.world.modem.put_file("st8.ca", OLD);
    stage.bench.control.remove(Tag(8), Kind::Ca).await.unwrap();
}

async fn halves(stage: &Stage) {
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

fn absent_or_ca(stage: &Stage) {
    let file = file(stage, "st9.ca");
    assert!(file.as_deref().is_none_or(|file| file == ca()), "{file:?}");
}

fn nothing(_: &Stage) {}

fn file(stage: &Stage, name: &str) -> Option<Vec<u8>> {
    stage.world.modem.files().remove(name)
}

fn absent_or_stored(stage: &Stage) {
    let file = file(stage, "st9.ca");
    assert!(
        file.as_deref().is_none_or(|file| file == STORED),
        "{file:?}"
    );
}

fn absent_or_old(stage: &Stage) {
    let file = file(stage, "st8.ca");
    assert!(file.as_deref().is_none_or(|file| file == OLD), "{file:?}");
}

fn whole(stage: &Stage) {
    absent_or_stored(stage);
    let file = file(stage, "st8.ca");
    assert!(
        file.as_deref()
            .is_none_or(|file| file == STORED || file == OLD),
        "{file:?}"
    );
}

fn torture_all(config: Config, chunk: Chunk) {
    let options = Options {
        pdp_active: true,
        turnaround: Duration::from_millis(20),
        baud: Some(115_200),
        chunk,
        ..Options::default()
    };
    let mut total = 0;
    for operation in &OPERATIONS {
        // A whole file, a byte at a time: minutes.
        let slow = ["compare", "digest", "ensure"].contains(&operation.name);
        if slow && chunk != Chunk::Whole && every(2) > 1 {
            continue;
        }
        let points = torture(operation, config, &options);
        println!(
            "{chunk:?}: {} has {points} await points, all pass",
            operation.name
        );
        total += points;
    }
    println!("{chunk:?}: {total} await points in all");
}

#[test]
fn every_future_may_be_dropped_at_every_await_point() {
    torture_all(Config::new(), Chunk::Whole);
}

#[test]
fn every_future_may_be_dropped_at_every_await_point_byte_by_byte() {
    torture_all(Config::new(), Chunk::Bytes(1));
}

/// The runner is different: dropping it resets every socket, and what it was sending may be cut off in
/// the middle. Started again, it brings the modem back, and the application reconnects.
fn torture_runner(config: Config, chunk: Chunk, step: usize) {
    const MESSAGE: &[u8] = b"a message of forty-four bytes, OK\r\n> no more";
    let mut points = 0;
    let mut worst = Duration::MIN;
    for limit in (0..).step_by(step) {
        let (dropped, took) = virtually(async || {
            let (world, received) = world(Options {
                pdp_active: true,
                turnaround: Duration::from_millis(20),
                baud: Some(115_200),
                chunk,
                ..Options::default()
            });
            drop_runner(&world, config, limit, async |bench| {
                let start = Instant::now();
                loop {
                    let work = async {
                        bench
                            .control
                            .store_unchecked(Tag(9), Kind::Ca, SHORT)
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
                assert_eq!(world.modem.files()["st9.ca"], SHORT);
                for bytes in received.borrow().iter() {
                    let same = bytes
                        .iter()
                        .zip(MESSAGE)
                        .take_while(|(a, b)| a == b)
                        .count();
                    let filler = bytes[same..]
                        .iter()
                        .all(|byte| b"+AT\x1b\r\n".contains(byte));
                    assert!(bytes.len() <= MESSAGE.len() && filler, "{bytes:?}");
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
        "{chunk:?}: Runner::run was dropped at every {step}th of {points} await points, all pass, worst session {} ms",
        worst.as_millis()
    );
}

#[test]
fn runner_may_be_dropped_at_every_await_point() {
    torture_runner(Config::new(), Chunk::Whole, 1);
}

#[test]
fn runner_may_be_dropped_at_every_await_point_byte_by_byte() {
    torture_runner(Config::new(), Chunk::Bytes(1), every(7));
}

#[test]
fn every_future_may_be_dropped_at_every_await_point_while_data_is_pushed() {
    torture_all(Config::new().direct_push(), Chunk::Whole);
    torture_runner(Config::new().direct_push(), Chunk::Whole, 1);
}
