//! The pin by which a simulated modem shows whether it is on, seen from the MCU.

use std::convert::Infallible;
use std::rc::Rc;

use embassy_time::{Duration, Timer};
use embedded_hal::digital::{ErrorType, InputPin};
use embedded_hal_async::digital::Wait;

/// The MCU's input that is wired to the modem's STATUS or V_INT; it is high while the modem is on. The level of a starting
/// modem is a matter of time, so a wait looks at it every 10 ms.
#[derive(Clone)]
pub struct StatusPin(pub(crate) Rc<dyn Fn() -> bool>);

impl StatusPin {
    const LOOK: Duration = Duration::from_millis(10);

    async fn level(&self, high: bool) {
        while (self.0)() != high {
            Timer::after(Self::LOOK).await;
        }
    }
}

impl ErrorType for StatusPin {
    type Error = Infallible;
}

impl InputPin for StatusPin {
    fn is_high(&mut self) -> Result<bool, Infallible> {
        Ok((self.0)())
    }

    fn is_low(&mut self) -> Result<bool, Infallible> {
        Ok(!(self.0)())
    }
}

impl Wait for StatusPin {
    async fn wait_for_high(&mut self) -> Result<(), Infallible> {
        self.level(true).await;
        Ok(())
    }

    async fn wait_for_low(&mut self) -> Result<(), Infallible> {
        self.level(false).await;
        Ok(())
    }

    async fn wait_for_rising_edge(&mut self) -> Result<(), Infallible> {
        self.level(false).await;
        self.level(true).await;
        Ok(())
    }

    async fn wait_for_falling_edge(&mut self) -> Result<(), Infallible> {
        self.level(true).await;
        self.level(false).await;
        Ok(())
    }

    async fn wait_for_any_edge(&mut self) -> Result<(), Infallible> {
        let now = (self.0)();
        self.level(!now).await;
        Ok(())
    }
}
