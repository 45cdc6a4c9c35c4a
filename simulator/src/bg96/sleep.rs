//! Power saving: light sleep by DTR or by the slow clock, and PSM.

use embassy_time::{Duration, Instant, Timer};

use super::Bg96;
use crate::options::LeftOn;
use crate::simulator::Modem;

/// The time from DTR low to a working UART. UNCONFIRMED: no manual gives a number.
pub(super) const WAKE_TIME: Duration = Duration::from_millis(50);
/// How long the slow clock waits for traffic on a board that does not wire DTR, before characters are lost. UNCONFIRMED:
/// reports speak of some seconds (sheet 1.8).
pub const SLEEPS_AFTER: Duration = Duration::from_secs(2);
/// The active time of [`LeftOn::PowerSaving`].
const ACTIVE_TIME: Duration = Duration::from_secs(10);

impl Bg96 {
    /// Enters PSM where it was left on: [`ACTIVE_TIME`] behind registration and the last command.
    pub(super) async fn rest(&self) {
        if self.options.left_on != LeftOn::PowerSaving {
            return;
        }
        self.active_at.set(Some(Instant::now()));
        loop {
            let idle_until = self
                .active_at
                .get()
                .map_or(Instant::MIN, |at| at + ACTIVE_TIME);
            Timer::at(idle_until).await;
            let heard = self
                .active_at
                .get()
                .is_some_and(|at| at.elapsed() < ACTIVE_TIME);
            let saves = {
                let state = self.state.borrow();
                state.registered && state.nv.psm.starts_with('1')
            };
            if saves && !heard {
                return Modem::save_power(self);
            }
            if !heard {
                self.active_at.set(Some(Instant::now()));
            }
        }
    }

    pub(super) fn sleeps(&self) -> bool {
        self.state.borrow().nv.sleep_mode == 1
            && (self.sleep_pin.get() || Instant::now() < self.awake_at.get() || self.dozes())
    }

    /// Returns whether the modem sleeps although nobody raised DTR: the line is open, and nothing was heard for long.
    fn dozes(&self) -> bool {
        self.options.left_on == LeftOn::SlowClock
            && self
                .active_at
                .get()
                .is_none_or(|at| at.elapsed() >= SLEEPS_AFTER)
    }

    /// Wakes a modem that dozes, by a character that is lost.
    pub(super) fn wakes_by_traffic(&self) {
        if self.dozes() {
            self.active_at.set(Some(Instant::now()));
            self.awake_at.set(Instant::now() + WAKE_TIME);
        }
    }
}
