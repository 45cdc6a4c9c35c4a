//! Resets of the MCU or the modem at any moment, and a UART that pauses, for any modem: nothing is stored
//! that should not be, no peer gets what was not announced to it, and reconnecting is all that the
//! application has to do.

use std::collections::BTreeMap;

use embassy_futures::select::{Either, select};
use embassy_time::{Duration, Instant, Timer, with_timeout};
use embedded_io_async::Read;
use sectag::modem::{Full, Timing};
use sectag::{AtError, Kind, NoPins, Power, Socket, SocketError, Tag};
use sectag_simulator::{After, Failure, Simulator};

use crate::bench::Bench;
use crate::recovery::{Line, Received, STORED, connect, round_trip, world_of};
use crate::simulated::{World, virtually};
use crate::unit::Unit;

/// What is written and comes back, in two parts: what some modems take only as raw bytes, and plain text.
pub const MESSAGE: &[u8] = b"\r\nOK\r\n> forty bytes and traps RDY\r\n\r\n+++ endjust text";
const PARTS: usize = MESSAGE.len() - 9;
/// The credential that is stored; of a kind that no modem looks into.
const KIND: Kind = Kind::PrivateKey;
const STORED_TAG: Tag = Tag(9);

/// What an application saw of a modem that fails.
#[derive(Debug, Default)]
pub struct Seen {
    /// From the failure to `ConnectionReset` on a socket that was idle.
    pub noticed: Option<Duration>,
    /// From the failure to the end of the work, after nothing but reconnecting.
    pub recovered: Option<Duration>,
}

/// How a modem fails, and what must have come of it by when.
pub struct Ordeal {
    /// What happens.
    pub failure: Failure,
    /// Only every so many cases.
    pub step: usize,
    /// The status pin is wired.
    pub status: bool,
    /// Within this time the sockets know.
    pub noticed: Duration,
    /// Within this time the work is done.
    pub recovered: Duration,
}

/// Lets the MCU die after each byte that it sends, and a new driver find the modem so.
pub fn mcu_resets_everywhere<U: Unit>(unit: &U, step: usize) {
    let name = unit.name();
    let total = virtually(async || {
        let (world, _) = world_of(unit);
        run_for(&world, unit, u64::MAX, session).await;
        world.modem.bytes_in()
    });
    let mut worst = (Duration::MIN, 0);
    for bytes in (1..=total).step_by(step) {
        let took = virtually(async || {
            let (world, received) = world_of(unit);
            let before = others(unit, &world);
            run_for(&world, unit, bytes, session).await;
            check_peers(unit, &received, &format!("{name} died after {bytes}"));
            let start = Instant::now();
            run_for(&world, unit, u64::MAX, async |bench| {
                let mut socket = connect(bench)
                    .await
                    .unwrap_or_else(|error| panic!("{name} died after {bytes}: {error}"));
                talk(&mut socket).await.unwrap();
                socket.close().await.unwrap();
                let took = start.elapsed();
                check_peers(unit, &received, &format!("{name} recovered after {bytes}"));
                let context = format!("{name}: files after {bytes}");
                assert_eq!(others(unit, &world), before, "{context}");
                assert!(world.modem.open_sockets().is_empty(), "{context}");
                store(bench).await.unwrap();
                assert_eq!(world.modem.files()[&stored(unit)], STORED, "{context}");
                took
            })
            .await
            .expect("it lives")
        });
        worst = worst.max((took, bytes));
    }
    println!(
        "{name}: MCU reset at every {step}th of {total} bytes, worst recovery {:?} after byte {}",
        worst.0, worst.1
    );
    assert!(worst.0 < Duration::from_secs(20), "{worst:?}");
}

/// Lets the modem fail after each byte in either direction, and prints the figures.
pub fn fail_everywhere<U: Unit>(unit: &U, ordeal: &Ordeal) {
    let name = unit.name();
    let failure = ordeal.failure;
    let (bytes_in, bytes_out) = lengths(unit, |world| pins(world, ordeal.status));
    let cases = (1..=bytes_in)
        .map(After::Received)
        .chain((1..=bytes_out).map(After::Sent))
        .step_by(ordeal.step);
    let (mut count, mut noticed, mut recovered) = (0, Duration::MIN, Duration::MIN);
    for after in cases {
        let seen = virtually(async || {
            let (world, received) = world_of(unit);
            let before = others(unit, &world);
            world.modem.fail_after(after, failure);
            let pins = pins(&world, ordeal.status);
            let seen = world
                .attach_driver(Line::default(), unit.backend(), pins, async |bench| {
                    persevere(&world, bench).await
                })
                .await
                .expect("the MCU lives");
            let context = format!("{name} {after:?}");
            assert!(world.modem.failed_at().is_some(), "{context}");
            for bytes in received.borrow().iter() {
                assert!(MESSAGE.starts_with(bytes), "{context}: {bytes:?}");
            }
            assert_eq!(others(unit, &world), before, "{context}: files");
            assert_eq!(world.modem.files()[&stored(unit)], STORED, "{context}");
            seen
        });
        count += 1;
        noticed = noticed.max(seen.noticed.unwrap_or(Duration::MIN));
        recovered = recovered.max(seen.recovered.unwrap_or(Duration::MIN));
        assert!(noticed <= ordeal.noticed, "{name} {after:?}: {seen:?}");
        assert!(recovered <= ordeal.recovered, "{name} {after:?}: {seen:?}");
    }
    println!(
        "{name} {failure:?}: {count} cases, noticed within {} ms, recovered within {} ms",
        noticed.as_millis(),
        recovered.as_millis()
    );
}

/// A session over a UART that pauses once, in whichever direction and place: it may cost a reconnect,
/// never a wrong byte, file or answer.
pub fn stall_everywhere<U: Unit>(unit: &U, pause: Duration, step: usize) {
    const LIMIT: Duration = Duration::from_secs(1200);
    let name = unit.name();
    let (bytes_in, bytes_out) = lengths(unit, |_| NoPins);
    let sent = (0..bytes_in).map(|at| Line {
        send_stalls: Some((at, pause)),
        ..Line::default()
    });
    let received = (0..bytes_out).map(|at| Line {
        receive_stalls: Some((at, pause)),
        ..Line::default()
    });
    let (mut cases, mut restarts, mut worst) = (0, 0, Duration::MIN);
    for line in sent.chain(received).step_by(step) {
        virtually(async || {
            let (world, received) = world_of(unit);
            let before = others(unit, &world);
            let start = Instant::now();
            let context = format!("{name} {line:?}");
            let application = async |bench: Bench<U::Backend>| {
                persevere(&world, bench).await;
                // Who asks for the time gets the time.
                loop {
                    match bench.control.clock_if_any().await {
                        Ok(now) => {
                            assert!(now.unwrap() >= sectag::clock::MIN_DATE, "{context}");
                            break;
                        }
                        Err(AtError::Unsupported) => break,
                        Err(_) => assert!(start.elapsed() < LIMIT, "{context}"),
                    }
                }
                bench.control.counters().restarts
            };
            let restarted = world
                .attach_driver(line, unit.backend(), pins(&world, true), application)
                .await
                .expect("the MCU lives");
            check_peers(unit, &received, &context);
            assert_eq!(others(unit, &world), before, "{context}: files");
            assert_eq!(world.modem.files()[&stored(unit)], STORED, "{context}");
            cases += 1;
            restarts += usize::from(restarted > 0);
            worst = worst.max(start.elapsed());
        });
    }
    println!(
        "{name}, pause of {} s: {cases} cases, {restarts} cost a restart, worst session {} ms",
        pause.as_secs(),
        worst.as_millis()
    );
}

/// All files but the one that the session stores, and whatever is beside it while it is not whole.
pub fn others<U: Unit>(unit: &U, world: &World) -> BTreeMap<String, Vec<u8>> {
    let mut files = world.modem.files();
    files.retain(|name, _| !unit.is_of(name, STORED_TAG));
    files
}

fn stored<U: Unit>(unit: &U) -> String {
    unit.file(STORED_TAG, KIND)
}

/// Bytes of a session without a failure, to and from the modem.
fn lengths<U: Unit, P: Power>(unit: &U, power: impl Fn(&World) -> P) -> (u64, u64) {
    virtually(async || {
        let (world, _) = world_of(unit);
        let line = Line::default();
        world
            .attach_driver(line, unit.backend(), power(&world), async |bench| {
                persevere(&world, bench).await;
            })
            .await;
        (world.modem.bytes_in(), world.modem.bytes_out())
    })
}

/// A driver whose MCU dies after so many bytes.
async fn run_for<U: Unit, T, A: Future<Output = T>>(
    world: &World,
    unit: &U,
    bytes: u64,
    application: impl FnOnce(Bench<U::Backend>) -> A,
) -> Option<T> {
    let line = Line {
        dies_after: bytes,
        ..Line::default()
    };
    world
        .attach_driver(line, unit.backend(), NoPins, application)
        .await
}

/// A whole life of an application.
async fn session<M: Full>(bench: Bench<M>) {
    bench.control.wait_up().await.unwrap();
    store(bench).await.unwrap();
    let mut socket = connect(bench).await.unwrap();
    talk(&mut socket).await.unwrap();
    socket.close().await.unwrap();
}

async fn store<M: Full>(bench: Bench<M>) -> Option<()> {
    let control = bench.control;
    control.store_unchecked(STORED_TAG, KIND, STORED).await.ok()
}

async fn talk(socket: &mut Socket<'_>) -> Result<(), SocketError> {
    round_trip(socket, &MESSAGE[..PARTS]).await?;
    round_trip(socket, &MESSAGE[PARTS..]).await
}

/// What was written, and then filler up to what was announced.
fn check_peers<U: Unit>(unit: &U, received: &Received, context: &str) {
    for bytes in received.borrow().iter() {
        let same = bytes
            .iter()
            .zip(MESSAGE)
            .take_while(|(a, b)| a == b)
            .count();
        assert!(
            bytes.len() <= MESSAGE.len() + unit.leaks(),
            "{context}: the peer got {bytes:?}"
        );
        assert!(
            bytes[same..]
                .iter()
                .all(|byte| unit.filler().contains(byte)),
            "{context}: the peer got {:?}",
            String::from_utf8_lossy(bytes)
        );
    }
}

/// Stores, keeps an idle socket, works on another; connects anew when anything fails, and does
/// nothing else about it.
async fn persevere<M: Full>(world: &World, bench: Bench<M>) -> Seen {
    let mut seen = Seen::default();
    let start = Instant::now();
    let since = |seen: &mut Option<Duration>| {
        *seen = seen.or(world.modem.failed_at().map(|at| at.elapsed()));
    };
    loop {
        assert!(start.elapsed() < Duration::from_secs(1200), "{seen:?}");
        let work = async {
            store(bench).await?;
            let mut idle = connect(bench).await.ok()?;
            let mut busy = connect(bench).await.ok()?;
            let mut buf = [0];
            let failed_before = world.modem.failed_at().is_some();
            let work = async {
                let done = talk(&mut busy).await.ok();
                done.and(busy.close().await.ok())
            };
            let done = match select(idle.read(&mut buf), work).await {
                Either::First(end) => {
                    assert_eq!(end, Err(SocketError::ConnectionReset));
                    since(&mut seen.noticed);
                    return None;
                }
                Either::Second(done) => done,
            };
            if world.modem.failed_at().is_some() && !failed_before {
                // Whatever the other one saw, this one is told as well.
                let limit = Timing::DEFAULT.poll + Timing::SILENCE_LIMIT;
                let end = with_timeout(limit + Duration::from_secs(120), idle.read(&mut buf)).await;
                assert_eq!(end, Ok(Err(SocketError::ConnectionReset)), "{seen:?}");
                since(&mut seen.noticed);
                return None;
            }
            done
        };
        if work.await.is_some() {
            break;
        }
        // What was dropped is closed behind its back.
        Timer::after_millis(1).await;
    }
    since(&mut seen.recovered);
    seen
}

/// The power key, and the status pin if it is wired, through the usual transistors.
pub fn pins(world: &World, status: bool) -> impl Power + use<> {
    Keys {
        modem: world.modem.clone(),
        status,
    }
}

struct Keys {
    modem: Simulator,
    status: bool,
}

impl Power for Keys {
    fn has_power_key(&self) -> bool {
        true
    }
    fn has_reset(&self) -> bool {
        false
    }
    fn power_key(&mut self, pressed: bool) {
        self.modem.power_key(pressed);
    }
    fn reset(&mut self, _: bool) {}
    fn status(&mut self) -> Option<bool> {
        self.status.then(|| self.modem.status_pin())
    }
}
