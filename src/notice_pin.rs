//! The pin by which a modem tells that it has something to say, so that MCU and modem sleep while a connection stands.

use core::cell::Cell;
use core::convert::Infallible;

use embassy_time::Duration;
use embedded_hal::digital::PinState;
use embedded_hal_async::digital::Wait;

use crate::engine::time::millis;
use crate::engine::{Habits, Listens, NEVER, Notices, Runner, Shared, sealed};
use crate::modem::Sleeps;

/// Without anything to do for so long, the modem is let sleep.
const QUIET: Duration = Duration::from_secs(1);
/// The notice pin is of no use.
const UNWIRED: &str = "nothing is wired that wakes the modem, which is therefore not let sleep";
/// A modem that sleeps is woken after so long.
const LIVENESS: Duration = Duration::from_secs(600);

/// The pin of the MCU that is wired to the modem's RI, or to the indicate pin of Nordic's firmware: any that is
/// waited for with embedded-hal-async's [`Wait`].
///
/// With it ([`Runner::with_notice_pin`](crate::Runner::with_notice_pin)) a connection on which nothing happens costs
/// nothing but a sign of life: one second after the last use the modem is let sleep, as by
/// [`Control::sleep`](crate::Control::sleep). The MCU waits for the pin, for the next use, or for that sign. On
/// the pin's edge the modem is woken and every connection asked for data; nothing is lost, since what comes meanwhile
/// waits in the modem. The pin is waited for from before the modem begins to sleep, and its level counts
/// as much as its edge.
///
/// It is active when low; see [`active_high`](Self::active_high).
///
/// What it costs: the first byte after a rest takes a few hundred milliseconds longer, and a reset of the modem that its
/// pin does not tell is noticed with the next sign of life (10 minutes), or at the next use.
///
/// ```
/// # use embassy_time::Duration;
/// # use embedded_hal_async::digital::Wait;
/// # use embedded_io_async::{Read, Write};
/// use sectag::modem::Sleeps;
/// use sectag::{NoticePin, Power, Runner};
///
/// /// The task that conducts everything, on a board where RI is wired.
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
    /// The pin by which the modem tells that it has something to say is wired to the MCU: RI, or Nordic's indicate
    /// pin. From then on the runner lets the modem sleep by itself while nothing is to do, and nothing is asked of
    /// it but the sign of life that the pin's [`liveness`](NoticePin::liveness) sets: see
    /// [`NoticePin`].
    ///
    /// What lets the modem sleep and wakes it must be wired too, as for
    /// [`Control::sleep`](crate::Control::sleep); without it, and with a firmware that does not tell of data while it
    /// sleeps, the modem stays awake, and is asked as without the pin.
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

/// The UART stays on, or switches itself off.
#[derive(Clone, Copy, Debug)]
pub struct NoSwitch;

/// Switches the UART, see [`NoticePin::switch`].
#[derive(Clone, Copy, Debug)]
pub struct Switch<F>(F);

impl<T: Wait> NoticePin<T> {
    /// This pin, active when low.
    pub const fn new(pin: T) -> Self {
        Self {
            pin,
            switch: NoSwitch,
            active: PinState::Low,
            quiet: QUIET,
            liveness: Some(LIVENESS),
        }
    }

    /// The UART can be off while the modem sleeps: `switch` is called with `false` when nothing is to be heard on it any
    /// more, and with `true` before it is needed again. Between the two the runner reads nothing, so that a receiver
    /// that works only while it is read from, as with DMA, is off by itself: then `switch` may do nothing.
    ///
    /// What a modem says on a UART that is off is lost, and made good for by asking; so a reset in its sleep is seen
    /// only if the pin tells it, too. Called from within the runner.
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
    /// The pin is active when high, as behind an inverting level shifter.
    pub const fn active_high(mut self) -> Self {
        self.active = PinState::High;
        self
    }

    /// The modem is let sleep after so long without anything to do, and not after one second.
    pub const fn quiet(mut self, span: Duration) -> Self {
        self.quiet = span;
        self
    }

    /// A modem that sleeps is woken after so long and asked for a sign of life and for data, and not after 10 minutes, at
    /// most after 12 days. That is six exchanges each time.
    pub const fn liveness(mut self, span: Duration) -> Self {
        self.liveness = Some(span);
        self
    }

    /// A modem that sleeps is asked for nothing. **A reset that the pin does not tell, and a notice that is lost, are
    /// then seen at the next use only**: a reader waits for ever. `Control::status` says so.
    pub const fn without_liveness(mut self) -> Self {
        self.liveness = None;
        self
    }

    fn habits(&self) -> Habits {
        Habits {
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
        listens: &Cell<Listens>,
    ) -> Infallible {
        if !wired {
            warn!("{}", UNWIRED);
            return core::future::pending().await;
        }
        let (habits, active) = (self.habits(), self.active);
        let rings = async |pin: &mut T| rings(pin, active).await;
        habits
            .rest(world, &mut self.pin, rings, self.switch.as_fn(), listens)
            .await
    }
}

/// What a notice pin may have to switch the UART with: [`NoSwitch`] or [`Switch`], and no other.
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

/// Ends when the pin is active, at once where it is. One that cannot be waited for never is: the modem is then woken by
/// its liveness, and by use.
async fn rings<T: Wait>(pin: &mut T, active: PinState) {
    let waited = match active {
        PinState::Low => pin.wait_for_low().await,
        PinState::High => pin.wait_for_high().await,
    };
    if waited.is_err() {
        warn!("the notice pin cannot be waited for");
        core::future::pending::<()>().await;
    }
}
