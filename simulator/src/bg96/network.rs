//! The SIM and the registration: when they come and go, the URCs of both, and a context that the network ends.

use embassy_time::Timer;

use super::state::Pdp;
use super::{Bg96, commands, sockets};
use crate::options::{Boot, Sim};

impl Bg96 {
    pub(super) async fn find_sim(&self, epoch: u32) {
        if epoch > 0 || self.options.boot != Boot::AlreadyOn {
            Timer::after(self.options.sim_init).await;
        }
        self.state.borrow_mut().sim_ready = true;
        let already_on = epoch == 0 && self.options.boot == Boot::AlreadyOn;
        if already_on || self.silent_boot.get() || !self.options.profile.announces_sim {
            return;
        }
        match self.options.sim {
            Sim::Ready => self.sim_urcs(),
            Sim::PinRequired(_) => self.urc("+CPIN: SIM PIN"),
            Sim::PukRequired => self.urc("+CPIN: SIM PUK"),
            Sim::Foreign => self.urc("+CPIN: PH-NET PIN"),
            Sim::Missing => self.urc("+CPIN: NOT INSERTED"),
        }
        self.core.touch();
    }

    /// Prints the URCs of a ready SIM (sheet 1.2 [AT 2.22 example]).
    pub(super) fn sim_urcs(&self) {
        self.urc("+CPIN: READY");
        self.urc("+QUSIM: 1");
        self.urc("+QIND: SMS DONE");
    }

    /// Registers whenever registration is possible.
    pub(super) async fn register(&self) {
        loop {
            self.core
                .until(|| self.may_register() && !self.state.borrow().registered)
                .await;
            Timer::after(self.options.registration_delay).await;
            if self.may_register() && !self.state.borrow().registered {
                self.registered();
            }
        }
    }

    fn may_register(&self) -> bool {
        let state = self.state.borrow();
        self.coverage.get()
            && state.functionality == 1
            && !state.operator_off
            && state.sim_obstacle(&self.options.sim).is_none()
    }

    fn registered(&self) {
        {
            let mut state = self.state.borrow_mut();
            state.registered = true;
            if let (true, Some(network)) = (state.nv.auto_zone > 0, state.network_clock) {
                // The network's time (NITZ).
                state.clock = network;
                state.zone = self.options.network_zone;
                state.synchronised = true;
            }
        }
        self.registration_urcs();
    }

    /// Ends registration, and with it every context and connection.
    pub(super) fn unregister(&self) {
        let was = std::mem::replace(&mut self.state.borrow_mut().registered, false);
        if was {
            self.registration_urcs();
            let contexts: Vec<u8> = self.state.borrow().pdp.keys().copied().collect();
            contexts
                .into_iter()
                .for_each(|context| self.lose_pdp(context, true));
        }
    }

    fn registration_urcs(&self) {
        let urcs = {
            let state = self.state.borrow();
            commands::REGISTRATION_DOMAINS.map(|domain| commands::registration_urc(&state, domain))
        };
        urcs.iter().flatten().for_each(|urc| self.urc(urc));
        self.core.touch();
    }

    /// Deactivates a context by the network. Its connections are void, without a `closed` for each
    /// (sheet 4.5).
    pub(super) fn lose_pdp(&self, context: u8, announced: bool) {
        {
            let mut state = self.state.borrow_mut();
            if !state.active(context) {
                return;
            }
            state.pdp.insert(context, Pdp::Lost);
            for socket in state.sockets.values() {
                let mut socket = socket.borrow_mut();
                if socket.pdp == context {
                    socket.cancelled = true;
                    socket.phase = sockets::Phase::Closing;
                }
            }
        }
        if announced {
            self.urc(&format!("+QIURC: \"pdpdeact\",{context}"));
        }
        self.core.touch();
    }
}
