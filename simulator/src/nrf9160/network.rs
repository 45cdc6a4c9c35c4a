//! Registration: when it comes and goes, and the URCs of both.

use embassy_time::Timer;

use super::sockets::ENETDOWN;
use super::{Nrf9160, commands};
use crate::options::Sim;

impl Nrf9160 {
    /// Registers whenever registration is possible.
    pub(super) async fn register(&self) {
        loop {
            self.core
                .until(|| self.may_register() && !self.state.borrow().modem.registered)
                .await;
            Timer::after(self.options.registration_delay).await;
            if self.may_register() && !self.state.borrow().modem.registered {
                self.registered();
            }
        }
    }

    pub(super) fn may_register(&self) -> bool {
        let state = self.state.borrow();
        let sim = match self.options.sim {
            Sim::Ready => true,
            Sim::PinRequired(_) => state.modem.pin_entered,
            Sim::Missing | Sim::PukRequired | Sim::Foreign => false,
        };
        self.coverage.get() && matches!(state.modem.functionality, 1 | 21) && sim
    }

    pub(super) fn registered(&self) {
        let urcs = {
            let mut state = self.state.borrow_mut();
            let modem = &mut state.modem;
            modem.registered = true;
            if let Some(network) = self.network_clock {
                modem.clock = Some(network);
                modem.zone = self.options.network_zone;
            }
            // Sheet 2: the connection may be reported before the registration.
            let mut urcs: Vec<String> = (modem.cscon > 0)
                .then(|| "+CSCON: 1".to_owned())
                .into_iter()
                .collect();
            urcs.extend(commands::registration_urc(modem, &self.options));
            if let (true, Some(network)) = (modem.time_notices, self.network_clock) {
                urcs.push(commands::network_time(network.now(), modem.zone));
            }
            if modem.cgerep > 0 {
                urcs.push("+CGEV: ME PDN ACT 0".to_owned());
            }
            urcs
        };
        urcs.iter().for_each(|urc| self.urc(urc));
        self.core.touch();
    }

    /// Ends registration, and with it every connection.
    pub(super) fn unregister(&self) {
        let (was, urcs) = {
            let mut state = self.state.borrow_mut();
            let modem = &mut state.modem;
            let was = std::mem::replace(&mut modem.registered, false);
            let mut urcs: Vec<String> = commands::registration_urc(modem, &self.options)
                .into_iter()
                .collect();
            if was && modem.cgerep > 0 {
                urcs.insert(0, "+CGEV: ME PDN DEACT 0".to_owned());
            }
            (was, urcs)
        };
        urcs.iter().for_each(|urc| self.urc(urc));
        if was {
            self.break_sockets(ENETDOWN);
        }
        self.core.touch();
    }
}
