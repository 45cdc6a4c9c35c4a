//! What a test does to the module and sees of it, beside its UART.

use std::collections::BTreeMap;
use std::rc::Rc;

use embassy_time::Instant;
use time::OffsetDateTime;

use super::{Power, Ublox, UbloxData};
use crate::Failure;
use crate::clock::EmulatedClock;
use crate::network::LocalBoxFuture;
use crate::simulator::Modem;

impl Modem for Ublox {
    fn run(self: Rc<Self>) -> LocalBoxFuture<'static, ()> {
        Box::pin(self.life())
    }

    /// Returns the credentials, as `<type>/<name>`.
    fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let state = self.state.borrow();
        let store = state.nv.store.iter();
        store
            .map(|((of, name), content)| (format!("{of}/{name}"), content.clone()))
            .collect()
    }

    fn has_name_for(&self, name: &str) -> bool {
        let of = name.split_once('/').map(|(of, _)| of.parse::<u8>());
        matches!(of, Some(Ok(_)))
    }

    fn put_file(&self, name: &str, contents: &[u8]) {
        let Some((of, name)) = name.split_once('/') else {
            panic!("{name:?} is not <type>/<name>");
        };
        let of = of.parse().expect("a type is a number");
        let key = (of, name.to_owned());
        self.state
            .borrow_mut()
            .nv
            .store
            .insert(key, contents.to_vec());
    }

    fn inject_urc(&self, text: &str) {
        self.urc(text);
    }

    fn reset(&self) {
        self.reboot();
    }

    fn fail(&self, failure: Failure) {
        match failure {
            Failure::Hang => {
                self.power.set(Power::Hung);
                self.core.discard_output();
                self.core.touch();
            }
            // The module announces none of these.
            Failure::Reset | Failure::PoweredDown | Failure::BrownOut | Failure::PowerSaving => {
                self.reboot();
            }
        }
        self.failed_at.set(Some(Instant::now()));
    }

    fn failed_at(&self) -> Option<Instant> {
        self.failed_at.get()
    }

    fn power_key(&self, pressed: bool) {
        if pressed {
            return self.pressed_at.set(Some(Instant::now()));
        }
        let Some(since) = self.pressed_at.take() else {
            return;
        };
        let held = Instant::now() - since;
        let profile = &self.options.profile;
        match self.power.get() {
            Power::Off if held >= profile.press_on => self.reboot(),
            Power::On | Power::Hung if held >= profile.press_off => self.restart(Power::Off),
            _ => {}
        }
    }

    fn reset_pin(&self, asserted: bool) {
        if asserted {
            return self.reset_at.set(Some(Instant::now()));
        }
        let held = self.reset_at.take().map(|since| Instant::now() - since);
        if held.is_some_and(|held| held >= self.options.profile.reset) {
            self.reboot();
        }
    }

    fn status_pin(&self) -> bool {
        matches!(self.power.get(), Power::On | Power::Hung)
    }

    fn open_sockets(&self) -> Vec<u8> {
        self.state.borrow().sockets.keys().copied().collect()
    }

    fn set_registered(&self, registered: bool) {
        self.coverage.set(registered);
        if registered {
            self.core.touch();
        } else {
            self.unregister();
        }
    }

    fn drop_pdp(&self, _context: u8, announced: bool) {
        let (events, profile) = {
            let now = &mut self.state.borrow_mut().now;
            let attach = self.options.profile.data == UbloxData::Attach;
            now.context = attach;
            (now.cgerep, std::mem::replace(&mut now.profile, false))
        };
        if announced {
            if events {
                self.urc("+CGEV: NW PDN DEACT 1");
            }
            if profile {
                self.urc("+UUPSDD: 0");
            }
        }
        self.break_sockets();
    }

    fn clock(&self) -> OffsetDateTime {
        self.now()
    }

    fn set_clock(&self, utc: OffsetDateTime) {
        self.state.borrow_mut().now.clock = Some(EmulatedClock::starting_at(utc));
    }
}
