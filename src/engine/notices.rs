//! Where the runner meets a notice pin: whether it listens to the UART, and who lets the modem sleep.

use core::cell::Cell;
use core::convert::Infallible;
use core::future::{Future, pending, poll_fn};
use core::task::Poll;

use super::world::Shared;
use crate::power::NoPin;

/// Whether the runner listens to the UART.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listens {
    /// It does.
    Yes,
    /// It is to stop.
    Leaves,
    /// It has stopped.
    No,
}

/// The pin by which a modem tells that it has something to say: a `NoticePin`, which the feature `sleep` adds, or
/// [`NoPin`].
///
/// It is implemented by the types of this crate, and not by others.
pub trait Notices: sealed::Sealed {
    /// The UART is switched off while nothing is to be heard on it.
    #[doc(hidden)]
    const SWITCHES: bool;
    /// Lets the modem sleep and wakes it, for ever; if the board is `wired` so that it can be woken.
    #[doc(hidden)]
    fn rest(
        &mut self,
        wired: bool,
        world: &Shared<'_>,
        listens: &Cell<Listens>,
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
        _: &Cell<Listens>,
    ) -> impl Future<Output = Infallible> {
        pending()
    }
}

/// Returns when the UART is to be listened to again, after it was left.
pub(super) async fn listened(listens: &Cell<Listens>) {
    poll_fn(|cx| {
        match listens.get() {
            Listens::Yes => return Poll::Ready(()),
            Listens::Leaves => {
                listens.set(Listens::No);
                cx.waker().wake_by_ref();
            }
            Listens::No => {}
        }
        Poll::Pending
    })
    .await;
}

/// Returns when the UART is to be left.
pub(super) async fn left(listens: &Cell<Listens>) {
    poll_fn(|_| match listens.get() {
        Listens::Yes => Poll::Pending,
        _ => Poll::Ready(()),
    })
    .await;
}
