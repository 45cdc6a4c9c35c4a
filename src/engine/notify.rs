//! Waking whoever waits for a change of shared state.

use core::cell::Cell;
use core::future::{Future, poll_fn};
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

use embassy_time::{Instant, Timer};

/// How often those look who found no place in a list.
const LOOK_AGAIN_MS: u64 = 20;

/// Wakers of the tasks that wait for one kind of change. When more tasks wait than it has places, the
/// others look again every 20 ms; none is lost and none keeps the CPU busy.
pub(crate) struct Notify([Cell<Option<Waker>>; 6]);

impl Notify {
    pub(crate) const fn new() -> Self {
        Self([const { Cell::new(None) }; 6])
    }

    /// Something changed.
    pub(crate) fn wake(&self) {
        // They are put in from the first place on.
        for place in &self.0 {
            match place.take() {
                Some(waker) => waker.wake(),
                None => return,
            }
        }
    }

    /// Waits until `ready` yields a value; it is asked again after every [`wake`](Self::wake).
    /// Cancel-safe as far as `ready` is.
    pub(crate) fn until<T>(&self, mut ready: impl FnMut() -> Option<T>) -> impl Future<Output = T> {
        poll_fn(move |cx| match ready() {
            Some(value) => Poll::Ready(value),
            None => {
                self.register(cx);
                Poll::Pending
            }
        })
    }

    /// Waits until `ready`, but not beyond `deadline`; returns whether it was ready. One copy serves
    /// every wait with a time limit.
    pub(crate) fn until_or<'n>(
        &'n self,
        deadline: Instant,
        ready: &'n mut dyn FnMut() -> bool,
    ) -> UntilOr<'n> {
        UntilOr {
            notify: self,
            deadline,
            ready,
        }
    }

    /// One look of [`until_or`](Self::until_or).
    pub(crate) fn poll_or(
        &self,
        deadline: Instant,
        ready: &mut dyn FnMut() -> bool,
        cx: &mut Context<'_>,
    ) -> Poll<bool> {
        if ready() {
            return Poll::Ready(true);
        }
        if deadline <= Instant::now() {
            return Poll::Ready(false);
        }
        self.register(cx);
        wake_at(deadline, cx);
        Poll::Pending
    }

    /// Has the task woken by the next [`wake`](Self::wake).
    pub(crate) fn register(&self, cx: &mut Context<'_>) {
        // A clone is compared with clones: on a computer, a waker and its clone may have their functions in
        // different tables and compare unequal, and one task would fill all places.
        let waker = cx.waker().clone();
        for place in &self.0 {
            match place.take() {
                Some(other) if !other.will_wake(&waker) => place.set(Some(other)),
                _ => return place.set(Some(waker)),
            }
        }
        look_again(cx);
    }
}

/// Has the task woken after a while.
pub(crate) fn look_again(cx: &mut Context<'_>) {
    poll_timer(Timer::after_millis(LOOK_AGAIN_MS), cx);
}

/// Has the task woken at that time.
fn wake_at(deadline: Instant, cx: &mut Context<'_>) {
    poll_timer(Timer::at(deadline), cx);
}

/// A timer that was polled wakes its task also after it was dropped.
fn poll_timer(mut timer: Timer, cx: &mut Context<'_>) {
    let _ = Pin::new(&mut timer).poll(cx);
}

/// A wait with a time limit. By hand, because a future that is made of others costs flash for each of
/// them and again wherever it is awaited.
pub(crate) struct UntilOr<'n> {
    notify: &'n Notify,
    deadline: Instant,
    ready: &'n mut dyn FnMut() -> bool,
}

impl Future for UntilOr<'_> {
    type Output = bool;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<bool> {
        let Self {
            notify,
            deadline,
            ready,
        } = &mut *self;
        notify.poll_or(*deadline, *ready, cx)
    }
}
