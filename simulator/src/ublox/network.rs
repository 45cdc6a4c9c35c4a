//! Registration with the network, and the data connection.

use embassy_time::Timer;

use super::{Ublox, UbloxData};
use crate::options::Sim;

impl Ublox {
    pub(super) fn sim_is_ready(&self) -> bool {
        match self.options.sim {
            Sim::Ready => true,
            Sim::PinRequired(_) => self.state.borrow().now.pin_entered,
            Sim::Missing | Sim::PukRequired | Sim::Foreign => false,
        }
    }

    pub(super) async fn register(&self) {
        loop {
            self.core
                .until(|| self.may_register() && !self.state.borrow().now.registered)
                .await;
            Timer::after(self.options.registration_delay).await;
            if self.may_register() && !self.state.borrow().now.registered {
                self.registered();
            }
        }
    }

    pub(super) fn may_register(&self) -> bool {
        let wanted = {
            let now = &self.state.borrow().now;
            now.functionality == 1 && !now.detached
        };
        self.coverage.get() && wanted && self.sim_is_ready()
    }

    pub(super) fn registered(&self) {
        {
            let mut state = self.state.borrow_mut();
            let attach = self.options.profile.data == UbloxData::Attach;
            let now = &mut state.now;
            now.registered = true;
            now.context |= attach && !self.options.refuses_data;
            // The network's time is taken the first time even if the clock does not follow it.
            if now.clock.is_none() || now.ctzu {
                now.clock = self.network_clock.or(now.clock);
            }
        }
        self.tell_registration();
        self.core.touch();
    }

    pub(super) fn tell_registration(&self) {
        let now = self.state.borrow().now.clone();
        let stat = self.stat();
        for (name, level) in ["CREG", "CGREG", "CEREG"].into_iter().zip(now.creg) {
            let lte = name == "CEREG";
            if level > 0 && (!lte || self.options.profile.lte) {
                self.urc(&format!("+{name}: {stat}"));
            }
        }
    }

    pub(super) fn stat(&self) -> u8 {
        let now = &self.state.borrow().now;
        match (now.registered, now.functionality) {
            (true, _) => 5,
            (_, 1) => 2,
            _ => 0,
        }
    }

    /// Ends registration, and with it every connection (sheet E.4).
    pub(super) fn unregister(&self) {
        let (was, events, profile) = {
            let now = &mut self.state.borrow_mut().now;
            let was = std::mem::replace(&mut now.registered, false);
            let profile = std::mem::replace(&mut now.profile, false);
            now.context = false;
            (was, now.cgerep, profile)
        };
        if !was {
            return;
        }
        if events {
            self.urc("+CGEV: ME DETACH");
        }
        self.tell_registration();
        if events {
            self.urc("+CGEV: ME PDN DEACT 1");
        }
        if profile {
            self.urc("+UUPSDD: 0");
        }
        self.break_sockets();
    }

    /// Returns whether sockets have a data connection.
    pub(super) fn has_data(&self) -> bool {
        let now = &self.state.borrow().now;
        now.registered
            && match self.options.profile.data {
                UbloxData::Profile | UbloxData::Bound => now.profile,
                UbloxData::Context | UbloxData::Attach => now.context,
            }
    }
}
