//! The clock: ticks since the process first asked, and one thread that wakes what is due.

use core::task::Waker;
use std::sync::{Condvar, Mutex, MutexGuard, Once, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use embassy_time_driver::{Driver, TICK_HZ};

use crate::Queue;

const _: () = assert!(TICK_HZ == 1_000_000, "a tick is taken for a microsecond");

/// When the clock began, and how many seconds one of its seconds lasts.
static START: OnceLock<(Instant, u32)> = OnceLock::new();
static QUEUE: Mutex<Queue> = Mutex::new(Queue::new());
static EARLIER: Condvar = Condvar::new();
static ALARM_THREAD: Once = Once::new();

/// The computer's monotonic clock. All values of this type are the same one.
#[derive(Clone, Copy, Debug, Default)]
pub struct HostClock;

impl HostClock {
    /// Makes each second of this clock last `factor` seconds, and returns whether it does: the first use of the clock
    /// decides for the whole process.
    ///
    /// For tests of programs that talk to each other in real time. A deadline of one second is missed on a computer that
    /// has other things to do; with both programs slowed down alike, they keep their deadlines to each other, and have
    /// `factor` times as long for the work in between. A `factor` of 0 counts as 1.
    pub fn slow_down(factor: u32) -> bool {
        let factor = factor.max(1);
        START.get_or_init(|| (Instant::now(), factor)).1 == factor
    }
}

fn start() -> (Instant, u32) {
    *START.get_or_init(|| (Instant::now(), 1))
}

impl Driver for HostClock {
    fn now(&self) -> u64 {
        let (start, factor) = start();
        u64::try_from(start.elapsed().as_micros() / u128::from(factor)).unwrap_or(u64::MAX)
    }

    /// # Panics
    /// When the thread that wakes cannot be started, at the first call.
    fn schedule_wake(&self, at: u64, waker: &Waker) {
        ALARM_THREAD.call_once(|| {
            thread::Builder::new()
                .name("embassy-time".into())
                .spawn(wake_what_is_due)
                .expect("cannot start the thread of the clock");
        });
        if queue().schedule(at, waker) {
            EARLIER.notify_one();
        }
    }
}

fn queue() -> MutexGuard<'static, Queue> {
    // A waker whose clone panicked leaves the queue whole.
    QUEUE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn wake_what_is_due() {
    let mut due = Vec::new();
    let mut queue = queue();
    loop {
        let now = HostClock.now();
        queue.take_due(now, &mut due);
        if !due.is_empty() {
            drop(queue);
            due.drain(..).for_each(Waker::wake);
            queue = self::queue();
            continue;
        }
        queue = match queue.earliest() {
            Some(at) => {
                let wait = Duration::from_micros(at - now).saturating_mul(start().1);
                EARLIER
                    .wait_timeout(queue, wait)
                    .unwrap_or_else(PoisonError::into_inner)
                    .0
            }
            None => EARLIER.wait(queue).unwrap_or_else(PoisonError::into_inner),
        };
    }
}
