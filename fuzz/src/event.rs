//! A flag that one future waits for.

use std::cell::Cell;
use std::future::poll_fn;
use std::task::{Poll, Waker};

#[derive(Default)]
pub struct Event {
    set: Cell<bool>,
    waker: Cell<Option<Waker>>,
}

impl Event {
    pub fn set(&self) {
        self.set.set(true);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    pub fn clear(&self) {
        self.set.set(false);
    }

    /// Waits until it is set, and clears it.
    pub async fn wait(&self) {
        poll_fn(|cx| {
            if self.set.take() {
                return Poll::Ready(());
            }
            self.waker.set(Some(cx.waker().clone()));
            Poll::Pending
        })
        .await
    }
}
