//! Lists of tasks to wake when the world changes.

use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Waker};

use embassy_time::Timer;

/// How often a task polls that found no place in a list.
const LOOK_AGAIN_MS: u64 = 20;

/// Wakers of the tasks that wait for one kind of change. When more tasks wait than it has places, the
/// others look again every 20 ms; none is lost and none keeps the CPU busy.
pub(crate) struct Wakers<const PLACES: usize>([Option<Waker>; PLACES]);

impl<const PLACES: usize> Wakers<PLACES> {
    pub(crate) const fn new() -> Self {
        Self([const { None }; PLACES])
    }

    /// Something changed.
    pub(crate) fn wake(&mut self) {
        wake(&mut self.0);
    }

    /// Has the task woken by the next [`wake`](Self::wake).
    pub(crate) fn register(&mut self, cx: &mut Context<'_>) {
        register(&mut self.0, cx);
    }
}

// Once for lists of all lengths.
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

/// The waker of the one task that waits. The latest counts, and the one before is not woken: under an executor
/// whose wakers do not compare equal, that would be the same task, which would never come to rest.
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

/// Has the task woken after a while. A timer that was polled wakes its task also after it was dropped.
pub(crate) fn look_again(cx: &mut Context<'_>) {
    let _ = Pin::new(&mut Timer::after_millis(LOOK_AGAIN_MS)).poll(cx);
}
