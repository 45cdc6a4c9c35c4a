//! The virtual clock of a thread, and the executor that advances it.

use core::cell::{Cell, RefCell};
use core::pin::pin;
use core::task::{Context, Poll, Waker};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Wake;
use std::thread::{self, ThreadId};

use embassy_time::{Duration, Instant};
use sectag_host_clock::Queue;

thread_local! {
    // Separate from the queue, so that a waker or a dropped future can ask for the time at any moment.
    static NOW: Cell<Option<u64>> = const { Cell::new(None) };
    static QUEUE: RefCell<Queue> = const { RefCell::new(Queue::new()) };
}

/// Returns the virtual time of this thread, or `None` if it has none.
pub(super) fn now() -> Option<u64> {
    // A thread that is ending has no virtual clock.
    NOW.try_with(Cell::get).ok().flatten()
}

/// Sets a timer; returns false if this thread has no virtual clock.
pub(super) fn schedule_wake(at: u64, waker: &Waker) -> bool {
    let Some(now) = now() else { return false };
    if at <= now {
        waker.wake_by_ref();
    } else {
        QUEUE.with_borrow_mut(|queue| queue.schedule(at, waker));
    }
    true
}

/// Returns whether this thread is inside [`block_on_virtual`].
pub fn is_virtual() -> bool {
    now().is_some()
}

/// Runs `future` on this thread in virtual time, which starts at 0, with the limits of [`VirtualClock::new`].
///
/// See [`VirtualClock::run`].
pub fn block_on_virtual<F: Future>(future: F) -> F::Output {
    VirtualClock::new().run(future)
}

/// The settings of a run in virtual time.
#[derive(Clone, Debug)]
pub struct VirtualClock {
    start: Instant,
    poll_limit: u64,
    time_limit: Duration,
}

impl Default for VirtualClock {
    fn default() -> Self {
        Self::new()
    }
}

impl VirtualClock {
    /// Returns the default settings: a start at 0, as on an MCU, at most 50 million polls at one
    /// instant, at most 30 days.
    pub const fn new() -> Self {
        Self {
            start: Instant::from_ticks(0),
            poll_limit: 50_000_000,
            time_limit: Duration::from_secs(30 * 24 * 3600),
        }
    }

    /// Sets the time at which the run begins.
    pub const fn start_at(self, start: Instant) -> Self {
        Self { start, ..self }
    }

    /// Sets how often the future may be polled without time advancing.
    pub const fn poll_limit(self, poll_limit: u64) -> Self {
        Self { poll_limit, ..self }
    }

    /// Sets how much virtual time the run may take.
    pub const fn time_limit(self, time_limit: Duration) -> Self {
        Self { time_limit, ..self }
    }

    /// Runs `future` on this thread in virtual time.
    ///
    /// # Panics
    /// - when the future waits, nothing woke it and no timer is set (a deadlock);
    /// - when it was polled too often without time advancing (a livelock), or took more than the time limit;
    /// - when it was woken from another thread: real I/O cannot be awaited in virtual time;
    /// - inside another run in virtual time.
    pub fn run<F: Future>(self, future: F) -> F::Output {
        let clock = Installed::new(self.start.as_ticks());
        let root = Arc::new(Root {
            thread: thread::current().id(),
            woken: false.into(),
            foreign: false.into(),
        });
        let waker = Waker::from(Arc::clone(&root));
        let mut context = Context::from_waker(&waker);
        // Declared after the clock and therefore dropped before it, so that destructors still see
        // virtual time.
        let mut future = pin!(future);
        let deadline = self
            .start
            .as_ticks()
            .saturating_add(self.time_limit.as_ticks());
        let mut polls = 0;
        loop {
            if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
                return output;
            }
            polls += 1;
            while !root.take_wake() {
                clock.advance(deadline);
                polls = 0;
            }
            assert!(
                polls < self.poll_limit,
                "livelock in virtual time at {}: polled {polls} times and time did not advance",
                clock.text()
            );
        }
    }
}

/// The waker of the future under test.
struct Root {
    thread: ThreadId,
    woken: AtomicBool,
    foreign: AtomicBool,
}

impl Root {
    fn take_wake(&self) -> bool {
        assert!(
            !self.foreign.load(Ordering::Relaxed),
            "woken from another thread: real I/O, threads and tokio's timers cannot be awaited in virtual time"
        );
        self.woken.swap(false, Ordering::Acquire)
    }
}

impl Wake for Root {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if thread::current().id() != self.thread {
            self.foreign.store(true, Ordering::Relaxed);
        }
        self.woken.store(true, Ordering::Release);
    }
}

/// The virtual clock of this thread. It is removed on drop, so that a panic does not leave it behind.
struct Installed;

impl Installed {
    fn new(start: u64) -> Self {
        assert!(!is_virtual(), "block_on_virtual inside block_on_virtual");
        NOW.set(Some(start));
        Self
    }

    /// Moves time to the earliest deadline, and wakes the tasks that are due.
    fn advance(&self, deadline: u64) {
        let Some(at) = QUEUE.with_borrow(Queue::earliest) else {
            panic!(
                "deadlock in virtual time at {}: every task waits and no timer is set",
                self.text()
            );
        };
        assert!(
            at <= deadline,
            "time limit in virtual time at {}: timers keep running and the future does not end",
            self.text()
        );
        NOW.set(Some(at));
        let mut due = Vec::new();
        QUEUE.with_borrow_mut(|queue| queue.take_due(at, &mut due));
        due.into_iter().for_each(Waker::wake);
    }

    fn text(&self) -> String {
        let micros = now().unwrap_or_default();
        format!("{}.{:06} s", micros / 1_000_000, micros % 1_000_000)
    }
}

impl Drop for Installed {
    fn drop(&mut self) {
        // Taken out first, because dropping a waker may drop a task whose destructor asks for the time.
        let queue = QUEUE.take();
        NOW.set(None);
        drop(queue);
    }
}

#[cfg(test)]
mod tests;
