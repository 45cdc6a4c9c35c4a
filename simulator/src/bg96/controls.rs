//! The controls of a test over this simulated modem: its pins, faults, network, clock and files.

use std::collections::BTreeMap;
use std::rc::Rc;

use embassy_time::{Duration, Instant};
use time::OffsetDateTime;

use super::sleep::WAKE_TIME;
use super::{Bg96, Power};
use crate::Failure;
use crate::clock::EmulatedClock;
use crate::network::LocalBoxFuture;
use crate::simulator::Modem;

/// The shortest press of the power key that switches the modem on (sheet 1.1 [HW 3.6, 3.7]).
const POWER_ON_PULSE: Duration = Duration::from_millis(500);
/// The shortest press of the power key that switches the modem off (sheet 1.1 [HW 3.6, 3.7]).
const POWER_OFF_PULSE: Duration = Duration::from_millis(650);
/// The shortest and the longest pulse of RESET_N that resets the modem (sheet 1.1 [HW 3.6, 3.7]).
const RESET_PULSE: (Duration, Duration) = (Duration::from_millis(150), Duration::from_millis(460));
/// STATUS rises a little before the UART works, sheet 1.1 [HW fig.8].
const STATUS_LEAD: Duration = Duration::from_millis(100);

impl Modem for Bg96 {
    fn run(self: Rc<Self>) -> LocalBoxFuture<'static, ()> {
        Box::pin(self.life())
    }

    fn files(&self) -> BTreeMap<String, Vec<u8>> {
        self.state.borrow().files.all().clone()
    }

    fn put_file(&self, name: &str, contents: &[u8]) {
        self.state.borrow_mut().files.put(name, contents);
    }

    fn inject_urc(&self, text: &str) {
        self.urc(text);
    }

    fn reset(&self) {
        self.reboot();
    }

    fn power_key(&self, pressed: bool) {
        if pressed {
            self.power_key_since.set(Some(
                self.power_key_since.get().unwrap_or_else(Instant::now),
            ));
            return;
        }
        let Some(since) = self.power_key_since.take() else {
            return;
        };
        let held = since.elapsed();
        match self.power.get() {
            Power::Off if held >= POWER_ON_PULSE => {
                self.restart(Power::Booting(Instant::now() + self.options.boot_time));
            }
            // TRAP, sheet 1.1: the key toggles; pulsing it on a running modem turns it off.
            Power::On if held >= POWER_OFF_PULSE => self.switch_off(),
            Power::Hung if held >= POWER_OFF_PULSE => self.restart(Power::Off),
            _ => {}
        }
    }

    fn sleep_pin(&self, high: bool) {
        if self.sleep_pin.replace(high) && !high && self.state.borrow().nv.sleep_mode == 1 {
            self.awake_at.set(Instant::now() + WAKE_TIME);
        }
    }

    fn save_power(&self) {
        let state = self.state.borrow();
        let words = self.options.profile.power_saving_words;
        let timers = state.nv.qcfg.get("psm/urc").is_some_and(|on| on == "1");
        drop(state);
        if timers {
            self.core.send(b"\r\n+QPSMTIMER: 86400,2\r\n");
        }
        self.core.send(format!("\r\n{words}\r\n").as_bytes());
        self.restart(Power::Off);
    }

    fn reset_pin(&self, asserted: bool) {
        if asserted {
            self.reset_since
                .set(Some(self.reset_since.get().unwrap_or_else(Instant::now)));
            return;
        }
        let Some(since) = self.reset_since.take() else {
            return;
        };
        if (RESET_PULSE.0..=RESET_PULSE.1).contains(&since.elapsed())
            && self.power.get() != Power::Off
        {
            self.reboot();
        }
    }

    fn status_pin(&self) -> bool {
        match self.power.get() {
            Power::Off => false,
            Power::Booting(at) => Instant::now() + STATUS_LEAD >= at,
            Power::On | Power::Hung => true,
        }
    }

    fn open_sockets(&self) -> Vec<u8> {
        self.state.borrow().sockets.keys().copied().collect()
    }

    fn set_registered(&self, registered: bool) {
        self.coverage.set(registered);
        if registered {
            self.core.touch()
        } else {
            self.unregister()
        }
    }

    fn drop_pdp(&self, context: u8, announced: bool) {
        self.lose_pdp(context, announced);
    }

    fn failed_at(&self) -> Option<Instant> {
        self.failed_at.get()
    }

    fn fail(&self, failure: Failure) {
        self.failed_at.set(Some(Instant::now()));
        self.core.discard_input();
        self.core.discard_output();
        match failure {
            Failure::Reset => self.reboot(),
            Failure::PoweredDown => {
                self.core.send(b"\r\nPOWERED DOWN\r\n");
                self.reboot();
            }
            Failure::BrownOut => {
                self.reboot();
                self.silent_boot.set(true);
            }
            Failure::Hang => self.restart(Power::Hung),
            Failure::PowerSaving => {
                self.core.send(b"\r\nPSM POWER DOWN\r\n");
                self.restart(Power::Off);
            }
        }
    }

    fn dtr_rises(&self) {
        self.dtr_rose.set(true);
        self.core.touch();
    }

    fn clock(&self) -> OffsetDateTime {
        self.state.borrow().clock.now()
    }

    fn set_clock(&self, utc: OffsetDateTime) {
        self.state.borrow_mut().clock = EmulatedClock::starting_at(utc);
    }
}

impl Bg96 {
    /// Switches off in order, after a last line that reports it.
    pub(super) fn switch_off(&self) {
        self.core.send(b"\r\nPOWERED DOWN\r\n");
        self.restart(Power::Off);
    }

    pub(super) fn switch_off_silently(&self) {
        self.restart(Power::Off);
    }
}
