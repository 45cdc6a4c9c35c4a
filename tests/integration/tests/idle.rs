//! A connection on which nothing happens costs next to nothing: the task that holds driver and application is polled
//! when there is something to do, whatever its executor's wakers compare equal to.

#[path = "../../../host-clock/tests/split_waker/mod.rs"]
mod split_waker;

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::pin;
use std::task::{Context, Waker};

use embassy_futures::select::{Either, select};
use embassy_time::{Duration, Timer, with_timeout};
use embedded_io_async::Read;
use sectag_bg96::Config;
use sectag_integration_tests::recovery::{connect, world_of};
use sectag_integration_tests::unit::{Bg96Unit, Nrf9160Unit, Unit};
use sectag_simulator::Options;
use sectag_simulator::time::VirtualClock;
use tokio::task::LocalSet;

use split_waker::Split;

const HOUR: u64 = 3600;

/// Polls `work` under a waker that its clones do not equal, or under the executor's own. Counts in `polls`; wakes that
/// come before one poll count as one each.
async fn counted<T>(work: impl Future<Output = T>, split: bool, polls: &Cell<usize>) -> T {
    let mut work = pin!(work);
    let mut waker: Option<(Waker, Split)> = None;
    poll_fn(|cx| {
        if !split {
            polls.set(polls.get() + 1);
            return work.as_mut().poll(cx);
        }
        let known = waker
            .take()
            .filter(|(outer, _)| outer.will_wake(cx.waker()));
        let (_, split) = waker
            .insert(known.unwrap_or_else(|| (cx.waker().clone(), Split::new(Some(cx.waker())))));
        polls.set(polls.get() + split.take_wakes().max(1));
        work.as_mut().poll(&mut Context::from_waker(split.waker()))
    })
    .await
}

/// Polls of the task, and exchanges with the modem, in an idle hour.
fn idle_hour(unit: &impl Unit, split: bool) -> (usize, u64) {
    let local = LocalSet::new();
    let (polls, exchanges) = (Cell::new(0), Cell::new(0));
    // Far below the default: a task that keeps itself busy is to fail soon.
    VirtualClock::new()
        .poll_limit(100_000)
        .run(local.run_until(async {
            let (world, _received) = world_of(unit);
            let (host, device) = tokio::io::duplex(4096);
            let modem = world.modem.clone();
            // A task of its own, whose polls do not count.
            tokio::task::spawn_local(async move { modem.serve(device).await });
            let (bench, mut runner) = unit.start(host);
            let application = async {
                let mut socket = connect(bench).await.unwrap();
                // What follows the connection.
                Timer::after_secs(120).await;
                let before = (polls.get(), world.modem.exchanges());
                let mut byte = [0];
                let read = socket.read(&mut byte);
                assert!(with_timeout(Duration::from_secs(HOUR), read).await.is_err());
                polls.set(polls.get() - before.0);
                exchanges.set(world.modem.exchanges() - before.1);
            };
            let both = async {
                match select(runner.run(), application).await {
                    Either::First(error) => panic!("the runner ended: {error}"),
                    Either::Second(()) => {}
                }
            };
            counted(both, split, &polls).await;
        }));
    (polls.get(), exchanges.get())
}

fn rests(unit: &impl Unit) {
    for split in [false, true] {
        let (polls, exchanges) = idle_hour(unit, split);
        println!(
            "{}, split {split}: {polls} polls, {exchanges} exchanges",
            unit.name()
        );
        // The deadline of the poll, its answer and what that ends.
        assert!(
            polls as u64 <= 10 + exchanges * 10,
            "{}, wakers that equal their clones: {}: {polls} polls for {exchanges} exchanges",
            unit.name(),
            !split
        );
    }
}

/// It waits, and has other work: each of its polls finds the place that it has in the list of those that wait. When that
/// list is full, who finds no place in it is polled every 20 ms.
#[test]
fn a_task_that_waits_and_has_other_work_takes_one_place() {
    const WORK: usize = 30;
    for split in [false, true] {
        let local = LocalSet::new();
        let polls = Cell::new(0);
        VirtualClock::new()
            .poll_limit(100_000)
            .run(local.run_until(async {
                let unit = Bg96Unit {
                    config: Config::new(),
                    options: Options::default(),
                };
                // Nobody answers the driver.
                let (host, _device) = tokio::io::duplex(4096);
                let (bench, mut runner) = unit.start(host);
                tokio::task::spawn_local(async move { runner.run().await });
                let other = async {
                    for _ in 0..WORK {
                        Timer::after_millis(1).await;
                    }
                    Timer::after_secs(2).await;
                };
                let both = select(bench.control.wait_up(), other);
                let Either::Second(()) = counted(both, split, &polls).await else {
                    panic!("nobody answers");
                };
            }));
        let polls = polls.get();
        assert!(polls <= 2 * WORK, "split {split}: {polls} polls");
    }
}

#[test]
fn a_bg96_and_its_driver_rest() {
    rests(&Bg96Unit {
        config: Config::new(),
        options: Options::default(),
    });
}

#[test]
fn every_nrf9160_and_its_driver_rest() {
    for name in ["2.6", "3.1", "sm"] {
        rests(&Nrf9160Unit::new(name));
    }
}
