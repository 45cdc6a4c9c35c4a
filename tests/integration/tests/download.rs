//! The example of a download that resumes, cut at random places by server, modem and MCU: byte for byte the server's file.

use std::cell::Cell;
use std::convert::Infallible;
use std::rc::Rc;

use embassy_time::{Duration, Instant, with_timeout};
use sectag::{NoPins, Suites, TlsConfig};
use sectag_bg96::Config;
use sectag_download_example::download::{DownloadError, Place, Progress, Sink, download};
use sectag_download_example::server::{file, serve};
use sectag_integration_tests::recovery::{Line, world_of};
use sectag_integration_tests::simulated::{HOST, PORT, TLS, World, virtually};
use sectag_integration_tests::unit::{Bg96Unit, Nrf9160Unit, Unit};
use sectag_simulator::{After, Failure, Options, Simulator};

const LEN: usize = 60_000;
const PATH: &str = "/firmware.bin";

/// A partition that takes only what comes in order, in front of a modem that fails every now and then.
struct Flash<'a> {
    content: Vec<u8>,
    modem: &'a Simulator,
    random: &'a Cell<u64>,
    failures: &'a Cell<u32>,
    next: usize,
}

impl Sink for Flash<'_> {
    type Error = Infallible;

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Infallible> {
        assert_eq!(
            offset as usize,
            self.content.len(),
            "in order, without gaps"
        );
        self.content.extend_from_slice(bytes);
        if self.content.len() >= self.next && self.failures.get() > 0 {
            self.failures.set(self.failures.get() - 1);
            self.next = self.content.len() + random(self.random, 20_000);
            let after = 1 + random(self.random, 3_000) as u64;
            self.modem.fail_after(After::Sent(after), Failure::Reset);
        }
        Ok(())
    }
}

fn random(state: &Cell<u64>, below: usize) -> usize {
    let next = state
        .get()
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    state.set(next);
    (next >> 33) as usize % below
}

fn tls() -> TlsConfig {
    TLS.suites(Suites::All)
}

/// A server that closes behind a random number of bytes, as often as it is told.
fn serve_file(world: &World, random_state: Rc<Cell<u64>>, closes: u32, version: &'static str) {
    let left = Rc::new(Cell::new(closes));
    world.serve(move |stream| {
        let closes_after = (left.get() > 0).then(|| {
            left.set(left.get() - 1);
            1 + random(&random_state, 20_000)
        });
        async move { serve(stream, &file(LEN), version, closes_after).await }
    });
}

fn cut_at_random<U: Unit>(unit: &U, seeds: u64) {
    let name = unit.name();
    let (mut connections, mut slowest) = (0, u64::MAX);
    for seed in 0..seeds {
        virtually(async || {
            let (world, _) = world_of(unit);
            let state = Rc::new(Cell::new(seed));
            serve_file(&world, state.clone(), 2, "\"1\"");
            let failures = Cell::new(2);
            let mut progress = Progress::default();
            let mut flash = Flash {
                content: Vec::new(),
                modem: &world.modem,
                random: &state,
                failures: &failures,
                next: random(&state, 20_000),
            };
            let tls = tls();
            let place = Place {
                name: HOST,
                port: PORT,
                tls: &tls,
                path: PATH,
            };
            let start = Instant::now();
            // The MCU starts anew in the middle as well; its progress is in flash.
            let mut line = Line {
                dies_after: 500 + random(&state, 1_000) as u64,
                ..Line::default()
            };
            loop {
                let lives = world.attach_driver(line, unit.backend(), NoPins, async |bench| {
                    let done = download(&bench.control, &place, &mut progress, &mut flash);
                    let done = with_timeout(Duration::from_secs(3600), done).await;
                    assert_eq!(done, Ok(Ok(())), "{name}, seed {seed}");
                });
                if lives.await.is_some() {
                    break;
                }
                line = Line::default();
            }
            assert!(
                flash.content == file(LEN),
                "{name}, seed {seed}: another file"
            );
            let rate = LEN as u64 * 1000 / start.elapsed().as_millis().max(1);
            slowest = slowest.min(rate);
            connections += progress.connections;
        });
    }
    println!(
        "{name}: {seeds} downloads of {LEN} bytes over {connections} connections, all byte for byte; the slowest {slowest} bytes/s"
    );
    assert!(u64::from(connections) > 2 * seeds, "they were cut");
}

#[test]
fn bg96() {
    let (config, options) = (Config::new(), Options::default());
    cut_at_random(&Bg96Unit { config, options }, 12);
}

#[test]
fn nrf9160() {
    cut_at_random(&Nrf9160Unit::new("3.1-native"), 12);
}

/// Parts of two versions are never mixed.
#[test]
fn another_version_is_not_mixed_in() {
    let (config, options) = (Config::new(), Options::default());
    let unit = Bg96Unit { config, options };
    virtually(async || {
        let (world, _) = world_of(&unit);
        serve_file(&world, Rc::new(Cell::new(1)), 0, "\"2\"");
        let mut progress = Progress {
            written: 100,
            total: Some(LEN as u32),
            version: "\"1\"".try_into().unwrap(),
            connections: 1,
        };
        let (state, failures) = (Cell::new(1), Cell::new(0));
        let mut flash = Flash {
            content: vec![0; 100],
            modem: &world.modem,
            random: &state,
            failures: &failures,
            next: usize::MAX,
        };
        let tls = tls();
        let place = Place {
            name: HOST,
            port: PORT,
            tls: &tls,
            path: PATH,
        };
        let line = Line::default();
        let lives = world.attach_driver(line, unit.backend(), NoPins, async |bench| {
            let done = download(&bench.control, &place, &mut progress, &mut flash).await;
            assert_eq!(done, Err(DownloadError::Changed));
        });
        lives.await.expect("it lives");
        assert_eq!(flash.content.len(), 100);
    });
}
