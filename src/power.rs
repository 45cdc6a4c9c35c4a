//! The modem's power and reset pins, as far as the board has them.

use core::convert::Infallible;

use embedded_hal::digital::{ErrorType, InputPin, OutputPin, PinState};

/// What a backend may do with the pins. A board without pins uses [`NoPins`].
pub trait Power {
    /// Whether a power key is wired.
    fn has_power_key(&self) -> bool;
    /// Whether a reset pin is wired.
    fn has_reset(&self) -> bool;
    /// Presses or releases the power key.
    fn power_key(&mut self, pressed: bool);
    /// Asserts or releases reset.
    fn reset(&mut self, asserted: bool);
    /// Whether the status pin says that the modem is on; `None` without such a pin.
    fn status(&mut self) -> Option<bool>;
    /// Whether a pin is wired by which the modem is let sleep, such as DTR.
    fn has_sleep(&self) -> bool {
        false
    }
    /// Lets the modem sleep, or wakes it.
    fn sleep(&mut self, _asleep: bool) {}
}

/// A board that wires no pin of the modem to the MCU.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoPins;

impl Power for NoPins {
    fn has_power_key(&self) -> bool {
        false
    }
    fn has_reset(&self) -> bool {
        false
    }
    fn power_key(&mut self, _pressed: bool) {}
    fn reset(&mut self, _asserted: bool) {}
    fn status(&mut self) -> Option<bool> {
        None
    }
}

/// Stands for a pin that is not there.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoPin;

impl ErrorType for NoPin {
    type Error = Infallible;
}

impl OutputPin for NoPin {
    fn set_low(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
    fn set_high(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

impl InputPin for NoPin {
    fn is_high(&mut self) -> Result<bool, Infallible> {
        Ok(false)
    }
    fn is_low(&mut self) -> Result<bool, Infallible> {
        Ok(true)
    }
}

/// Up to four pins of embedded-hal 1.
///
/// Most boards drive PWRKEY and RESET_N through a transistor, so that an MCU pin that is high pulls
/// the modem's pin low; that is the default. For directly wired pins use
/// [`active_low`](Self::active_low).
#[derive(Debug)]
pub struct Pins<K = NoPin, R = NoPin, S = NoPin, D = NoPin> {
    power_key: Option<K>,
    reset: Option<R>,
    status: Option<S>,
    dtr: Option<D>,
    active: PinState,
}

impl<K: OutputPin, R: OutputPin, S: InputPin> Pins<K, R, S> {
    /// The pins that are wired. A pin that reports an error is left as it is: the modem's answer, not
    /// the pin, decides whether it worked.
    pub const fn new(power_key: Option<K>, reset: Option<R>, status: Option<S>) -> Self {
        Self {
            power_key,
            reset,
            status,
            dtr: None,
            active: PinState::High,
        }
    }
}

impl<K: OutputPin, R: OutputPin, S: InputPin, D: OutputPin> Pins<K, R, S, D> {
    /// DTR is wired too, directly or through a level shifter: low keeps the modem awake, high lets it
    /// sleep. For `Control::sleep`, which the feature `sleep` adds.
    pub fn with_dtr<N: OutputPin>(self, mut pin: N) -> Pins<K, R, S, N> {
        let _ = pin.set_low();
        Pins {
            power_key: self.power_key,
            reset: self.reset,
            status: self.status,
            dtr: Some(pin),
            active: self.active,
        }
    }

    /// The power key and reset are active when the MCU's pin is low.
    pub const fn active_low(mut self) -> Self {
        self.active = PinState::Low;
        self
    }

    fn level(&self, active: bool) -> PinState {
        if active { self.active } else { !self.active }
    }
}

impl<K: OutputPin, R: OutputPin, S: InputPin, D: OutputPin> Power for Pins<K, R, S, D> {
    fn has_power_key(&self) -> bool {
        self.power_key.is_some()
    }

    fn has_reset(&self) -> bool {
        self.reset.is_some()
    }

    fn power_key(&mut self, pressed: bool) {
        let level = self.level(pressed);
        if let Some(pin) = &mut self.power_key {
            let _ = pin.set_state(level);
        }
    }

    fn reset(&mut self, asserted: bool) {
        let level = self.level(asserted);
        if let Some(pin) = &mut self.reset {
            let _ = pin.set_state(level);
        }
    }

    fn has_sleep(&self) -> bool {
        self.dtr.is_some()
    }

    fn sleep(&mut self, asleep: bool) {
        if let Some(pin) = &mut self.dtr {
            let _ = pin.set_state(asleep.into());
        }
    }

    fn status(&mut self) -> Option<bool> {
        self.status.as_mut().and_then(|pin| pin.is_high().ok())
    }
}
