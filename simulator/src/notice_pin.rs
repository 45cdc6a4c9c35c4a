//! The pin by which a simulated modem announces unsolicited lines, seen from the MCU.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

use embassy_futures::select::select;
use embassy_time::{Duration, Instant, Timer};
use embedded_hal::digital::{ErrorType, InputPin};
use embedded_hal_async::digital::Wait;

use crate::core::Core;

/// The state of the pin.
#[derive(Default)]
pub(crate) struct Notice {
    /// The time until which the pin is active.
    until: Cell<Option<Instant>>,
    /// The number of times that the pin became active.
    edges: Cell<u64>,
    waiting: RefCell<Vec<Waker>>,
}

impl Notice {
    /// Starts a pulse, or extends one that is under way.
    pub(crate) fn pulse(&self, length: Duration) {
        self.set(Some(Instant::now() + length));
    }

    /// Active until it is released.
    pub(crate) fn hold(&self) {
        self.set(Some(Instant::MAX));
    }

    /// Not active any more.
    pub(crate) fn release(&self) {
        self.set(None);
    }

    fn set(&self, until: Option<Instant>) {
        if until.is_some() && !self.is_active() {
            self.edges.set(self.edges.get() + 1);
        }
        self.until.set(until);
        for waiting in self.waiting.take() {
            waiting.wake();
        }
    }

    pub(crate) fn is_active(&self) -> bool {
        self.until.get().is_some_and(|until| Instant::now() < until)
    }
}

/// The MCU's input that is wired to the modem's RI or indicate pin; it is low while the modem has that
/// pin active. An edge during a wait is not lost, as with an interrupt.
#[derive(Clone)]
pub struct NoticePin(pub(crate) Rc<Core>);

impl NoticePin {
    async fn active(&self) {
        let notice = &self.0.notice;
        let edges = notice.edges.get();
        poll_fn(|cx| {
            if notice.is_active() || notice.edges.get() != edges {
                return Poll::Ready(());
            }
            notice.waiting.borrow_mut().push(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }

    async fn inactive(&self) {
        let notice = &self.0.notice;
        while let Some(until) = notice.until.get().filter(|_| notice.is_active()) {
            let changed = poll_fn(|cx| {
                if notice.until.get() != Some(until) {
                    return Poll::Ready(());
                }
                notice.waiting.borrow_mut().push(cx.waker().clone());
                Poll::Pending
            });
            if until == Instant::MAX {
                changed.await;
            } else {
                select(changed, Timer::at(until)).await;
            }
        }
    }
}

impl ErrorType for NoticePin {
    type Error = Infallible;
}

impl InputPin for NoticePin {
    fn is_high(&mut self) -> Result<bool, Infallible> {
        Ok(!self.0.notice.is_active())
    }

    fn is_low(&mut self) -> Result<bool, Infallible> {
        Ok(self.0.notice.is_active())
    }
}

impl Wait for NoticePin {
    async fn wait_for_high(&mut self) -> Result<(), Infallible> {
        self.inactive().await;
        Ok(())
    }

    async fn wait_for_low(&mut self) -> Result<(), Infallible> {
        self.active().await;
        Ok(())
    }

    async fn wait_for_rising_edge(&mut self) -> Result<(), Infallible> {
        self.active().await;
        self.inactive().await;
        Ok(())
    }

    async fn wait_for_falling_edge(&mut self) -> Result<(), Infallible> {
        self.inactive().await;
        self.active().await;
        Ok(())
    }

    async fn wait_for_any_edge(&mut self) -> Result<(), Infallible> {
        if self.0.notice.is_active() {
            self.inactive().await;
        } else {
            self.active().await;
        }
        Ok(())
    }
}
