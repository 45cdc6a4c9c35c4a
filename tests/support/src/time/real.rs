//! The real clock: ticks since the process first asked, and one thread that wakes what is due.

use core::pin::pin;
use core::task::{Context, Poll, Waker};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, Once, OnceLock, PoisonError};
use std::task::Wake;
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use embassy_time_driver::TICK_HZ;

use super::queue::Queue;
use super::virtual_clock::is_virtual;

const _: () = assert!(TICK_HZ == 1_000_000, "a tick is taken for a microsecond");

static START: OnceLock<Instant> = OnceLock::new();
static QUEUE: Mutex<Queue> = Mutex::new(Queue::new());
static EARLIER: Condvar = Condvar::new();
static ALARM_THREAD: Once = Once::new();

pub(super) fn now() -> u64 {
    let elapsed = START.get_or_init(Instant::now).elapsed();
    u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX)
}

pub(super) fn schedule_wake(at: u64, waker: &Waker) {
    ALARM_THREAD.call_once(|| {
        thread::Builder::new()
            .name("embassy-time".into())
            .spawn(wake_what_is_due)
            .expect("cannot start the thread of the real clock");
    });
    if queue().schedule(at, waker) {
        EARLIER.notify_one();
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
        let now = now();
        queue.take_due(now, &mut due);
        if !due.is_empty() {
            drop(queue);
            due.drain(..).for_each(Waker::wake);
            queue = self::queue();
            continue;
        }
        queue = match queue.earliest() {
            Some(at) => {
                let wait = Duration::from_micros(at - now);
                EARLIER
                    .wait_timeout(queue, wait)
                    .unwrap_or_else(PoisonError::into_inner)
                    .0
            }
            None => EARLIER.wait(queue).unwrap_or_else(PoisonError::into_inner),
        };
    }
}

struct Unpark {
    thread: Thread,
    woken: AtomicBool,
}

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

/// Runs `future` on this thread in real time and parks the thread while it waits.
///
/// # Panics
/// Inside [`block_on_virtual`](super::block_on_virtual), whose clock would stand still.
pub fn block_on<F: Future>(future: F) -> F::Output {
    assert!(
        !is_virtual(),
        "time::block_on inside block_on_virtual: the virtual clock would stand still"
    );
    let unpark = Arc::new(Unpark {
        thread: thread::current(),
        woken: AtomicBool::new(false),
    });
    let waker = Waker::from(Arc::clone(&unpark));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        while !unpark.woken.swap(false, Ordering::Acquire) {
            thread::park();
        }
    }
}

#[cfg(test)]
mod tests {
    use embassy_time::{Duration, Instant, Timer, with_timeout};

    use super::*;

    #[test]
    fn wakes_after_the_asked_duration() {
        let begin = std::time::Instant::now();
        block_on(Timer::after(Duration::from_millis(30)));
        assert!(begin.elapsed() >= std::time::Duration::from_millis(30));
    }

    #[test]
    fn an_earlier_timer_shortens_the_wait_for_a_later_one() {
        let late = thread::spawn(|| block_on(Timer::after(Duration::from_millis(200))));
        let timed_out = block_on(with_timeout(
            Duration::from_millis(10),
            core::future::pending::<()>(),
        ));
        assert!(timed_out.is_err());
        assert!(!late.is_finished());
        late.join().unwrap();
    }

    #[test]
    fn a_wake_from_another_thread_unparks() {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let thread = thread::spawn(move || {
            block_on(Timer::after(Duration::from_millis(5)));
            sender.send(7).unwrap();
        });
        assert_eq!(block_on(receiver), Ok(7));
        thread.join().unwrap();
    }

    #[test]
    fn never_goes_backwards() {
        let mut last = Instant::now();
        for _ in 0..1000 {
            let now = Instant::now();
            assert!(now >= last);
            last = now;
        }
    }
}
