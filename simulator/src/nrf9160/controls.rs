//! The controls of a test over this simulated modem: its pins, faults, network, clock and stored credentials.

use std::collections::BTreeMap;
use std::rc::Rc;

use embassy_time::{Instant, Timer};
use time::OffsetDateTime;

use super::sockets::ENETDOWN;
use super::{DTR_DEBOUNCE, Nrf9160, Power};
use crate::Failure;
use crate::clock::EmulatedClock;
use crate::network::LocalBoxFuture;
use crate::simulator::Modem;

impl Modem for Nrf9160 {
    fn run(self: Rc<Self>) -> LocalBoxFuture<'static, ()> {
        Box::pin(self.life())
    }

    /// Returns the credentials, as `modem/<tag>/<type>` and `settings/<tag>/<type>`.
    fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let state = self.state.borrow();
        let modem = state.nv.store.iter().map(|item| ("modem", item));
        let settings = state.nv.settings.iter().map(|item| ("settings", item));
        modem
            .chain(settings)
            .map(|(store, (tag, kind, content))| (format!("{store}/{tag}/{kind}"), content.clone()))
            .collect()
    }

    fn has_name_for(&self, name: &str) -> bool {
        let parts: Vec<&str> = name.split('/').collect();
        let [store, tag, kind] = parts[..] else {
            return false;
        };
        ["modem", "settings"].contains(&store)
            && tag.parse::<u32>().is_ok()
            && kind.parse::<u8>().is_ok()
    }

    fn put_file(&self, name: &str, contents: &[u8]) {
        let mut parts = name.split('/');
        let store = parts.next();
        let mut number = || parts.next().and_then(|part| part.parse::<u32>().ok());
        let (tag, kind) = (number(), number().and_then(|kind| u8::try_from(kind).ok()));
        let mut state = self.state.borrow_mut();
        match (store, tag, kind) {
            (Some("modem"), Some(tag), Some(kind)) => state.nv.store.put(tag, kind, contents),
            (Some("settings"), Some(tag), Some(kind)) => {
                state.nv.settings.put(tag, kind, contents);
            }
            _ => panic!("{name:?} is neither modem/<tag>/<type> nor settings/<tag>/<type>"),
        }
    }

    fn inject_urc(&self, text: &str) {
        self.urc(text);
    }

    fn reset(&self) {
        self.reboot();
    }

    fn fail(&self, failure: Failure) {
        match failure {
            // `Ready` comes in both cases, since application and modem core share their supply.
            Failure::Reset | Failure::BrownOut => self.reboot(),
            // The modem core's own report of it (sheet 1.5).
            Failure::PoweredDown => self.crash(),
            Failure::Hang => {
                self.power.set(Power::Hung);
                self.core.touch();
            }
            // PSM concerns the modem core; its application, AT and sockets stay (sheet 2).
            Failure::PowerSaving => self.urc("%XMODEMSLEEP: 1,3600000"),
        }
        self.failed_at.set(Some(Instant::now()));
    }

    fn failed_at(&self) -> Option<Instant> {
        self.failed_at.get()
    }

    // Serial Modem's own power saving is not modelled.
    fn crash(&self) {
        self.crash_modem("0x10");
    }

    /// The wake pin (`CONFIG_SLM_WAKEUP_PIN`), active low.
    fn power_key(&self, pressed: bool) {
        if pressed {
            self.wake();
        }
    }

    fn reset_pin(&self, asserted: bool) {
        if self.reset_asserted.replace(asserted) && !asserted {
            self.reboot();
        }
    }

    fn status_pin(&self) -> bool {
        matches!(self.power.get(), Power::On | Power::Hung)
    }

    /// DTR, sheet 1.6.
    fn sleep_pin(&self, high: bool) {
        if !self.options.profile.serial_modem || self.dtr_high.replace(high) == high {
            return;
        }
        if !high && self.options.ri_pulses {
            self.core.notice.release();
        }
        let Some(modem) = self.me.upgrade() else {
            return;
        };
        self.core.spawn(async move {
            Timer::after(DTR_DEBOUNCE).await;
            if modem.dtr_high.get() == high {
                modem.switch_uart(!high);
            }
        });
    }

    fn open_sockets(&self) -> Vec<u8> {
        self.state.borrow().sockets.keys().copied().collect()
    }

    fn set_registered(&self, registered: bool) {
        self.coverage.set(registered);
        if registered {
            self.core.touch();
        } else if self.state.borrow().modem.registered {
            self.unregister();
        }
    }

    fn drop_pdp(&self, _context: u8, announced: bool) {
        if announced && self.state.borrow().modem.cgerep > 0 {
            self.urc("+CGEV: NW PDN DEACT 0");
        }
        self.break_sockets(ENETDOWN);
    }

    fn clock(&self) -> OffsetDateTime {
        self.now().unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }

    fn set_clock(&self, utc: OffsetDateTime) {
        self.state.borrow_mut().modem.clock = Some(EmulatedClock::starting_at(utc));
    }
}
