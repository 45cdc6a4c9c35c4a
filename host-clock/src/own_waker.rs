//! A future with a waker of its own, inside a task with others.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

/// Polls `future` only when it was woken itself, as an executor polls a task.
///
/// A program on a computer often joins drivers and application in one task, whose every wake polls all of them. With
/// embassy-net that goes round for ever: a socket that is polled wakes the stack, and the stack's wake polls the
/// socket. Give what uses the sockets a waker of its own.
///
/// The waker that `future` sees equals its clones by [`Waker::will_wake`], which an executor's waker need not (see the
/// crate's page). Wrap what uses embassy-sync's `Signal` or `Channel` as well: where they find another waker than
/// they keep, they wake the one they kept, and so a task that wakes itself never sleeps.
pub async fn with_own_waker<F: Future>(future: F) -> F::Output {
    let own = Arc::new(Own {
        woken: AtomicBool::new(true),
        task: Mutex::new(None),
    });
    WithOwnWaker {
        future: Box::pin(future),
        // A clone, since it is with clones that it is compared.
        waker: Waker::from(own.clone()).clone(),
        own,
    }
    .await
}

struct WithOwnWaker<F> {
    future: Pin<Box<F>>,
    own: Arc<Own>,
    waker: Waker,
}

struct Own {
    woken: AtomicBool,
    /// The task around it, as it polled last.
    task: Mutex<Option<Waker>>,
}

impl Wake for Own {
    fn wake(self: Arc<Self>) {
        if self.woken.swap(true, Ordering::AcqRel) {
            return;
        }
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(task) = task.as_ref() {
            task.wake_by_ref();
        }
    }
}

impl<F: Future> Future for WithOwnWaker<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        {
            let mut task = self.own.task.lock().unwrap_or_else(PoisonError::into_inner);
            *task = Some(cx.waker().clone());
        }
        if !self.own.woken.swap(false, Ordering::AcqRel) {
            return Poll::Pending;
        }
        let Self { future, waker, .. } = &mut *self;
        future.as_mut().poll(&mut Context::from_waker(waker))
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};
    use std::future::poll_fn;
    use std::pin::pin;

    use super::*;

    #[test]
    fn the_waker_inside_equals_its_clones() {
        let looked = poll_fn(|cx| {
            let first = cx.waker().clone();
            let second = first.clone();
            Poll::Ready(cx.waker().will_wake(&first) && cx.waker().will_wake(&second))
        });
        let mut task = pin!(with_own_waker(looked));
        let cx = &mut Context::from_waker(Waker::noop());
        assert_eq!(task.as_mut().poll(cx), Poll::Ready(true));
    }

    #[test]
    fn only_its_own_wake_polls_it() {
        let polls = Cell::new(0);
        let inner = RefCell::new(None);
        let counted = poll_fn(|cx| {
            polls.set(polls.get() + 1);
            inner.replace(Some(cx.waker().clone()));
            if polls.get() == 3 {
                return Poll::Ready(7);
            }
            Poll::<i32>::Pending
        });
        let mut task = pin!(with_own_waker(counted));
        let cx = &mut Context::from_waker(Waker::noop());
        for _ in 0..5 {
            assert!(task.as_mut().poll(cx).is_pending());
        }
        assert_eq!(polls.get(), 1);
        for expected in [Poll::Pending, Poll::Ready(7)] {
            let waker = inner.borrow().clone();
            waker.into_iter().for_each(Waker::wake);
            assert_eq!(task.as_mut().poll(cx), expected);
        }
        assert_eq!(polls.get(), 3);
    }
}
