//! The line by which an MCU resets a simulated modem, seen from the MCU.

use std::convert::Infallible;

use embedded_hal::digital::{ErrorType, OutputPin};

use crate::Simulator;

/// The MCU's output that is wired to the modem's reset, or to nHIB of a network processor of TI's: low asserts it.
pub struct ResetLine(pub(crate) Simulator);

impl ErrorType for ResetLine {
    type Error = Infallible;
}

impl OutputPin for ResetLine {
    fn set_low(&mut self) -> Result<(), Infallible> {
        self.0.reset_pin(true);
        Ok(())
    }

    fn set_high(&mut self) -> Result<(), Infallible> {
        self.0.reset_pin(false);
        Ok(())
    }
}
