//! The notice pin, by which a modem announces that it has something to say, so that MCU and modem can sleep while a
//! connection stands.

use core::cell::Cell;
use core::convert::Infallible;

use embassy_time::Duration;
use embedded_hal::digital::PinState;
use embedded_hal_async::digital::Wait;

use crate::engine::time::millis;
use crate::engine::{NEVER, Notices, Reception, Runner, Shared, SleepSettings, sealed};
use crate::modem::Sleeps;

/// The default idle time after which the modem is let sleep.
const QUIET: Duration = Duration::from_secs(1);
/// The warning for a notice pin on a board that cannot wake the modem.
const UNWIRED: &str = "nothing is wired that wakes the modem, which is therefore not let sleep";
/// The default time after which a sleeping modem is woken for a sign of life.
const LIVENESS: Duration = Duration::from_secs(600);

/// The MCU's pin that is wired to the modem's RI, or to the indicate pin of Nordic's firmware: any pin with
/// embedded-hal-async's [`Wait`]. It is active when low; see [`active_high`](Self::active_high).
///
/// With it ([`Runner::with_notice_pin`](crate::Runner::with_notice_pin)) an idle connection needs no exchange but a sign
/// of life: one second after the last use the modem is let sleep, as by [`Control::sleep`](crate::Control::sleep). The
/// MCU waits for the pin, for the next use, or for the time of that sign. When the pin becomes active, the modem is
/// woken and asked for the data of every connection. No data is lost, since it waits in the modem. The pin is watched
/// from before the modem begins to sleep, and its level counts as well as its edge.
///
/// The first byte after a sleep takes a few hundred milliseconds longer. A reset of the modem that its pin does not
/// announce is noticed with the next sign of life (10 minutes), or at the next use.
///
/// ```
/// # use embassy_time::Duration;
/// # use embedded_hal_async::digital::Wait;
/// # use embedded_io_async::{Read, Write};
/// use sectag::modem::Sleeps;
/// use sectag::{NoticePin, Power, Runner};
///
/// /// The task of the runner, on a board where RI is wired.
/// async fn modem_task<M: Sleeps, R: Read, W: Write, P: Power>(runner: Runner<'_, M, R, W, P>, ri: impl Wait) {
///     let pin = NoticePin::new(ri).liveness(Duration::from_secs(3600));
///     let mut runner = runner.with_notice_pin(pin);
///     let error = runner.run().await;
///     # let _ = error;
/// }
/// ```
#[derive(Debug)]
pub struct NoticePin<T, U = NoSwitch> {
    pin: T,
    switch: U,
    active: PinState,
    quiet: Duration,
    liveness: Option<Duration>,
}

impl<'a, M: Sleeps, R, W, P> Runner<'a, M, R, W, P> {
    /// Adds the pin by which the modem announces that it has something to say: RI, or Nordic's indicate pin. The runner
    /// then lets the modem sleep while there is nothing to do, and asks it only for the sign of life of
    /// [`liveness`](NoticePin::liveness): see [`NoticePin`].
    ///
    /// The pin that lets the modem sleep and wakes it must be wired too, as for
    /// [`Control::sleep`](crate::Control::sleep). Without it, or with a firmware that does not announce data while it
    /// sleeps, the modem stays awake, and is polled as without a notice pin.
    pub fn with_notice_pin<T, U>(
        self,
        pin: NoticePin<T, U>,
    ) -> Runner<'a, M, R, W, P, NoticePin<T, U>> {
        Runner {
            engine: self.engine,
            world: self.world,
            uart_rx: self.uart_rx,
            uart_tx: self.uart_tx,
            power: self.power,
            notices: pin,
        }
    }
}

/// The type for a UART that stays on, or switches itself off.
#[derive(Clone, Copy, Debug)]
pub struct NoSwitch;

/// The switch of the UART, see [`NoticePin::switch`].
#[derive(Clone, Copy, Debug)]
pub struct Switch<F>(F);

impl<T: Wait> NoticePin<T> {
    /// Makes a notice pin of this pin, active when low.
    pub const fn new(pin: T) -> Self {
        Self {
            pin,
            switch: NoSwitch,
            active: PinState::Low,
            quiet: QUIET,
            liveness: Some(LIVENESS),
        }
    }

    /// Sets a switch of the UART, so that it is off while the modem sleeps: `switch` is called with `false` once the
    /// modem sleeps, and with `true` before the UART is needed again. In between the runner does not read, so a receiver
    /// that works only while it is read from, as with DMA, is off by itself: `switch` may then do nothing.
    ///
    /// Output of the modem while the UART is off is lost. The runner asks for the data afterwards; a reset during sleep
    /// is noticed only if the pin announces it. `switch` is called from within the runner.
    pub fn switch<F: FnMut(bool)>(self, switch: F) -> NoticePin<T, Switch<F>> {
        NoticePin {
            pin: self.pin,
            switch: Switch(switch),
            active: self.active,
            quiet: self.quiet,
            liveness: self.liveness,
        }
    }
}

impl<T, U> NoticePin<T, U> {
    /// Makes the pin active when high, as behind an inverting level shifter.
    pub const fn active_high(mut self) -> Self {
        self.active = PinState::High;
        self
    }

    /// Sets the idle time after which the modem is let sleep; the default is one second.
    pub const fn quiet(mut self, span: Duration) -> Self {
        self.quiet = span;
        self
    }

    /// Sets the time after which a sleeping modem is woken and asked for a sign of life and for data; the default is 10
    /// minutes, the longest 12 days. Each time takes six exchanges.
    pub const fn liveness(mut self, span: Duration) -> Self {
        self.liveness = Some(span);
        self
    }

    /// Never wakes a sleeping modem for a sign of life. **A reset that the pin does not announce, and a lost URC, are
    /// then noticed at the next use only**: a reader may wait for ever. `Control::status` shows this setting.
    pub const fn without_liveness(mut self) -> Self {
        self.liveness = None;
        self
    }

    fn settings(&self) -> SleepSettings {
        SleepSettings {
            quiet: millis(self.quiet),
            liveness: self.liveness.map_or(NEVER, |span| millis(span).max(1)),
        }
    }
}

impl<T, U> sealed::Sealed for NoticePin<T, U> {}

impl<T: Wait, U: SwitchesUart> Notices for NoticePin<T, U> {
    const SWITCHES: bool = U::SWITCHES;

    async fn rest(
        &mut self,
        wired: bool,
        world: &Shared<'_>,
        reception: &Cell<Reception>,
    ) -> Infallible {
        if !wired {
            warn!("{}", UNWIRED);
            return core::future::pending().await;
        }
        let (settings, active) = (self.settings(), self.active);
        let wait_active = async |pin: &mut T| wait_active(pin, active).await;
        settings
            .rest(
                world,
                &mut self.pin,
                wait_active,
                self.switch.as_fn(),
                reception,
            )
            .await
    }
}

/// The switch of the UART that a notice pin may have: [`NoSwitch`] or [`Switch`]. This trait is sealed.
#[doc(hidden)]
pub trait SwitchesUart: sealed::Sealed {
    const SWITCHES: bool;

    fn as_fn(&mut self) -> Option<&mut dyn FnMut(bool)>;
}

impl sealed::Sealed for NoSwitch {}

impl SwitchesUart for NoSwitch {
    const SWITCHES: bool = false;

    fn as_fn(&mut self) -> Option<&mut dyn FnMut(bool)> {
        None
    }
}

impl<F> sealed::Sealed for Switch<F> {}

impl<F: FnMut(bool)> SwitchesUart for Switch<F> {
    const SWITCHES: bool = true;

    fn as_fn(&mut self) -> Option<&mut dyn FnMut(bool)> {
        Some(&mut self.0)
    }
}

/// Waits until the pin is active. A pin that cannot be waited for is never active: only a sign of life or the next use
/// then wakes the modem.
async fn wait_active<T: Wait>(pin: &mut T, active: PinState) {
    let waited = match active {
        PinState::Low => pin.wait_for_low().await,
        PinState::High => pin.wait_for_high().await,
    };
    if waited.is_err() {
        warn!("the notice pin cannot be waited for");
        core::future::pending::<()>().await;
    }
}
