//! The interface between the runner and a notice pin, by which the modem announces that it has something to say.

use core::cell::Cell;
use core::convert::Infallible;
use core::future::{Future, pending, poll_fn};
use core::task::Poll;

use super::world::Shared;
use crate::power::NoPin;

/// The state of the runner's receiver, which a notice pin may stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reception {
    /// The runner reads from the UART.
    Runs,
    /// The runner is asked to stop reading.
    Stops,
    /// The runner has stopped reading; the UART may be switched off.
    Stopped,
}

/// The pins by which a modem wakes the runner: a `NoticePin`, a `StatusPin`, or a `StatusPin` around a `NoticePin`, which
/// the feature `sleep` adds, or [`NoPin`]. This trait is sealed.
pub trait Notices: sealed::Sealed {
    /// Whether the UART is switched off while the modem sleeps.
    #[doc(hidden)]
    const SWITCHES: bool;
    /// Whether the status pin is awaited here, instead of being read from the board's power pins.
    #[doc(hidden)]
    const AWAITS_STATUS: bool = false;
    /// Returns the level of the status pin that is awaited here.
    #[doc(hidden)]
    fn status(&mut self) -> Option<bool> {
        None
    }
    /// Lets the modem sleep and wakes it, for ever. `wired` says whether the board can wake the modem; otherwise it never
    /// sleeps.
    #[doc(hidden)]
    fn rest(
        &mut self,
        wired: bool,
        world: &Shared<'_>,
        reception: &Cell<Reception>,
    ) -> impl Future<Output = Infallible>;
}

pub(crate) mod sealed {
    pub trait Sealed {}
}

impl sealed::Sealed for NoPin {}

impl Notices for NoPin {
    const SWITCHES: bool = false;

    fn rest(
        &mut self,
        _: bool,
        _: &Shared<'_>,
        _: &Cell<Reception>,
    ) -> impl Future<Output = Infallible> {
        pending()
    }
}

/// Confirms that the runner has stopped reading, and returns when it is to read again.
pub(super) async fn wait_resumed(reception: &Cell<Reception>) {
    poll_fn(|cx| {
        match reception.get() {
            Reception::Runs => return Poll::Ready(()),
            Reception::Stops => {
                reception.set(Reception::Stopped);
                cx.waker().wake_by_ref();
            }
            Reception::Stopped => {}
        }
        Poll::Pending
    })
    .await;
}

/// Returns when the runner is asked to stop reading.
pub(super) async fn wait_stop_asked(reception: &Cell<Reception>) {
    poll_fn(|_| match reception.get() {
        Reception::Runs => Poll::Pending,
        _ => Poll::Ready(()),
    })
    .await;
}
