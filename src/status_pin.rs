//! The status pin, by which a modem shows whether it is on, awaited instead of polled.

use core::cell::Cell;
use core::convert::Infallible;

use embassy_futures::select::{Either, select};
use embassy_time::{Duration, Timer};
use embedded_hal::digital::InputPin;
use embedded_hal_async::digital::Wait;

use crate::engine::{Notices, Reception, Runner, Shared, sealed};
use crate::modem::Backend;

/// How long a new level must stand before it counts. What a modem says as it switches itself off, such as the word that
/// it enters power saving mode, has then been read.
const SETTLE: Duration = Duration::from_millis(100);

/// The MCU's pin that is wired to the modem's STATUS (V_INT of u-blox modules), which is high while the modem is on: any
/// pin with embedded-hal's [`InputPin`] and embedded-hal-async's [`Wait`].
///
/// [`Pins::with_status`](crate::Pins::with_status) takes such a pin, too, and is looked at when the driver wakes the
/// modem. Here ([`Runner::with_status_pin`](crate::Runner::with_status_pin)) the runner waits for the pin's edges:
///
/// - A modem that goes off is noticed at once, also in light sleep: its sockets end with
///   [`Loss::WentOff`](crate::Loss::WentOff), and not with the next sign of life. It is given 8 seconds to start by itself,
///   as after a reset, then it is switched on by the power key.
/// - [`Control::power_off`](crate::Control::power_off) ends when the pin falls, with firmware that never says that it is off.
/// - The driver waits for the pin as it switches a modem off and on by its power key, for no longer than without it.
///   A BG96 or a cellular module of u-blox is not asked for an answer while the pin shows that it is not on yet.
///
/// A CC31xx has no such pin, and its driver takes no notice of one.
///
/// ```
/// # use embedded_hal::digital::InputPin;
/// # use embedded_hal_async::digital::Wait;
/// # use embedded_io_async::{Read, Write};
/// use sectag::{Power, Runner, modem::Backend};
///
/// /// The task of the runner, on a board where STATUS is wired to a pin with an interrupt.
/// async fn modem_task<M: Backend, R: Read, W: Write, P: Power>(
///     runner: Runner<'_, M, R, W, P>,
///     status: impl InputPin + Wait,
/// ) {
///     let mut runner = runner.with_status_pin(status);
///     let error = runner.run().await;
///     # let _ = error;
/// }
/// ```
#[derive(Debug)]
pub struct StatusPin<T, N> {
    pin: T,
    notices: N,
}

impl<'a, M: Backend, R, W, P, N: Notices> Runner<'a, M, R, W, P, N> {
    /// Adds the modem's status pin, whose edges the runner waits for: see [`StatusPin`]. Beside a
    /// [`NoticePin`](crate::NoticePin) call this after `with_notice_pin`. The status pin of [`Power`](crate::Power) is not
    /// looked at then.
    pub fn with_status_pin<T: InputPin + Wait>(
        self,
        pin: T,
    ) -> Runner<'a, M, R, W, P, StatusPin<T, N>> {
        Runner {
            engine: self.engine,
            world: self.world,
            uart_rx: self.uart_rx,
            uart_tx: self.uart_tx,
            power: self.power,
            notices: StatusPin {
                pin,
                notices: self.notices,
            },
        }
    }
}

impl<T, N> sealed::Sealed for StatusPin<T, N> {}

impl<T: InputPin + Wait, N: Notices> Notices for StatusPin<T, N> {
    const SWITCHES: bool = N::SWITCHES;
    const AWAITS_STATUS: bool = true;

    fn status(&mut self) -> Option<bool> {
        self.pin.is_high().ok()
    }

    async fn rest(
        &mut self,
        wired: bool,
        world: &Shared<'_>,
        reception: &Cell<Reception>,
    ) -> Infallible {
        let rest = self.notices.rest(wired, world, reception);
        match select(watch(&mut self.pin, world), rest).await {
            Either::First(never) | Either::Second(never) => match never {},
        }
    }
}

/// Tells the driver of each level that stands for [`SETTLE`].
async fn watch<T: InputPin + Wait>(pin: &mut T, world: &Shared<'_>) -> Infallible {
    loop {
        let known = world.borrow().pins.status;
        let Ok(on) = pin.is_high() else { break };
        if known != Some(on) {
            {
                let mut world = world.borrow_mut();
                world.pins.status = Some(on);
                world.wake_runner();
            }
            continue;
        }
        if wait_for(pin, !on).await.is_err() {
            break;
        }
        // A level that does not stand is as if it had not been.
        while let Either::First(back) = select(wait_for(pin, on), Timer::after(SETTLE)).await {
            if back.is_err() || wait_for(pin, !on).await.is_err() {
                break;
            }
        }
    }
    warn!("the status pin cannot be read or waited for");
    world.borrow_mut().pins.status = None;
    core::future::pending().await
}

/// Waits for a level, which counts as well as its edge.
async fn wait_for<T: Wait>(pin: &mut T, high: bool) -> Result<(), T::Error> {
    if high {
        pin.wait_for_high().await
    } else {
        pin.wait_for_low().await
    }
}
