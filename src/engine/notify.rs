//! Waking whoever waits for a change of shared state.

use core::cell::RefCell;
use core::future::poll_fn;
use core::task::Poll;

use embassy_futures::select::{Either, select};
use embassy_sync::waitqueue::MultiWakerRegistration;
use embassy_time::{Instant, Timer};

/// Wakers of the futures that wait for one kind of change. When more than six tasks wait, they are
/// polled more often than needed; none is lost.
pub(crate) struct Notify(RefCell<MultiWakerRegistration<6>>);

impl Notify {
    pub(crate) const fn new() -> Self {
        Self(RefCell::new(MultiWakerRegistration::new()))
    }

    /// Something changed.
    pub(crate) fn wake(&self) {
        self.0.borrow_mut().wake();
    }

    /// Waits until `ready` yields a value; it is asked again after every [`wake`](Self::wake).
    /// Cancel-safe as far as `ready` is.
    pub(crate) async fn until<T>(&self, mut ready: impl FnMut() -> Option<T>) -> T {
        poll_fn(|cx| match ready() {
            Some(value) => Poll::Ready(value),
            None => {
                self.0.borrow_mut().register(cx.waker());
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
}
