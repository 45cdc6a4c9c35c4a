//! Lists of tasks to wake when the world changes.

use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Waker};

use embassy_time::{Duration, Instant, Timer};

/// The polling interval of a task that found no place in a list.
const LOOK_AGAIN_MS: u64 = 20;

/// A list of wakers of the tasks that wait for one kind of change. If more tasks wait than the list has places, the
/// others poll every 20 ms, so that none is lost and none keeps the CPU busy.
pub(crate) struct Wakers<const PLACES: usize>([Option<Waker>; PLACES]);

impl<const PLACES: usize> Wakers<PLACES> {
    pub(crate) const fn new() -> Self {
        Self([const { None }; PLACES])
    }

    /// Wakes all tasks, because something has changed, and empties the list.
    pub(crate) fn wake(&mut self) {
        wake(&mut self.0);
    }

    /// Registers the task for the next [`wake`](Self::wake).
    pub(crate) fn register(&mut self, cx: &mut Context<'_>) {
        register(&mut self.0, cx);
    }
}

// Linked once for lists of all lengths.
#[inline(never)]
fn wake(places: &mut [Option<Waker>]) {
    for place in places {
        if let Some(waker) = place.take() {
            waker.wake();
        }
    }
}

#[inline(never)]
fn register(places: &mut [Option<Waker>], cx: &mut Context<'_>) {
    // A clone is compared with clones: on a computer, a waker and its clone may have their functions in
    // different tables and compare unequal, and one task would fill all places.
    let waker = cx.waker().clone();
    for place in places {
        match place {
            Some(known) if !known.will_wake(&waker) => {}
            _ => {
                *place = Some(waker);
                return;
            }
        }
    }
    look_again(cx);
}

/// The waker of a single task that waits. A new waker replaces the one before, which is not woken: under an executor
/// whose wakers do not compare equal it belongs to the same task, and waking it would keep that task running for ever.
pub(crate) struct Latest(Option<Waker>);

impl Latest {
    pub(crate) const fn new() -> Self {
        Self(None)
    }

    pub(crate) fn register(&mut self, waker: &Waker) {
        self.0 = Some(waker.clone());
    }

    pub(crate) fn wake(&mut self) {
        if let Some(waker) = self.0.take() {
            waker.wake();
        }
    }
}

/// Has the task polled again after [`LOOK_AGAIN_MS`].
pub(crate) fn look_again(cx: &mut Context<'_>) {
    wake_at(Instant::now() + Duration::from_millis(LOOK_AGAIN_MS), cx);
}

/// Has the task polled at this time. A timer that was polled wakes its task even after it was dropped.
pub(crate) fn wake_at(time: Instant, cx: &mut Context<'_>) {
    let _ = Pin::new(&mut Timer::at(time)).poll(cx);
}
