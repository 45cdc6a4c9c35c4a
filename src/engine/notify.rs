//! Waking whoever waits for a change of shared state.

use core::cell::RefCell;
use core::future::{Future, poll_fn};
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

use embassy_futures::select::{Either, select};
use embassy_time::{Instant, Timer};
use heapless::Vec;

/// How often those look who found no place in the list.
const LOOK_AGAIN_MS: u64 = 20;

/// Wakers of the tasks that wait for one kind of change. When more tasks wait than it has places, the
/// others look again every 20 ms; none is lost and none keeps the CPU busy.
pub(crate) struct Notify(RefCell<Vec<Waker, 6>>);

impl Notify {
    pub(crate) const fn new() -> Self {
        Self(RefCell::new(Vec::new()))
    }

    /// Something changed.
    pub(crate) fn wake(&self) {
        // Taken out first: a waker may run anything.
        let wakers = core::mem::take(&mut *self.0.borrow_mut());
        for waker in wakers {
            waker.wake();
        }
    }

    /// Waits until `ready` yields a value; it is asked again after every [`wake`](Self::wake).
    /// Cancel-safe as far as `ready` is.
    pub(crate) async fn until<T>(&self, mut ready: impl FnMut() -> Option<T>) -> T {
        poll_fn(|cx| match ready() {
            Some(value) => Poll::Ready(value),
            None => {
                self.register(cx);
                Poll::Pending
            }
        })
        .await
    }

    /// Waits until `ready`, but not beyond `deadline`; returns whether it was ready. One copy serves
    /// every wait with a time limit.
    pub(crate) async fn until_or(
        &self,
        deadline: Instant,
        ready: &mut dyn FnMut() -> bool,
    ) -> bool {
        let ready = self.until(|| ready().then_some(()));
        matches!(select(ready, Timer::at(deadline)).await, Either::First(()))
    }

    fn register(&self, cx: &mut Context<'_>) {
        let mut wakers = self.0.borrow_mut();
        if wakers.iter().any(|waker| waker.will_wake(cx.waker())) {
            return;
        }
        if wakers.push(cx.waker().clone()).is_err() {
            // A timer that was polled wakes its task also after it was dropped.
            let _ = Pin::new(&mut Timer::after_millis(LOOK_AGAIN_MS)).poll(cx);
        }
    }
}
