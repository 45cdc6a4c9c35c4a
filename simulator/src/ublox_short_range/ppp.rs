//! PPP mode (ppp sheet, A.3): the link that `ATO3` begins, and AT commands by UDP beside it.

use std::rc::Rc;

use super::{Mode, ShortRange};
use crate::Reaction;
use crate::ppp::{Beside, Carrier, Services, carry};

/// The module's own address in factory settings.
pub(super) const FACTORY: [u8; 4] = [172, 30, 0, 251];

impl ShortRange {
    /// Runs PPP until LCP ends it (ppp sheet A.3.4). UNCONFIRMED that command mode follows.
    pub(super) async fn ppp(self: &Rc<Self>) {
        let services = Services::new(self.network.clone(), self.network_clock, Some(self.clone()));
        let carrier = Carrier {
            core: &self.core,
            own: self.own.get(),
        };
        if let Err(error) = carry(carrier, &self.options.ppp, services).await {
            log::error!("{error}");
        }
        self.datagrams.borrow_mut().clear();
        self.mode.set(Mode::Command);
    }

    /// Handles `AT+UPPPC` (ppp sheet A.3.1). The meaning of 104 to 107 is UNCONFIRMED.
    pub(super) fn set_link(&self, tag: u32, value: &str) -> Result<(), ()> {
        let address = || -> Result<[u8; 4], ()> {
            let address: std::net::Ipv4Addr = value.parse().map_err(drop)?;
            Ok(address.octets())
        };
        match tag {
            101 => self.own.set(address()?),
            102..=105 => drop(address()?),
            100 if matches!(value, "1" | "2") => {}
            106 | 107 if matches!(value, "0" | "1") => {}
            _ => return Err(()),
        }
        Ok(())
    }
}

impl Beside for ShortRange {
    fn hear(&self, content: &[u8]) {
        let Some(module) = self.me.upgrade() else {
            return;
        };
        for line in content.split(|byte| matches!(byte, b'\r' | b'\n')) {
            if line.is_empty() {
                continue;
            }
            match self.core.record(line) {
                Reaction::Normal => module.execute(line),
                Reaction::Silent => {}
                Reaction::Reply(bytes) => self.text(&bytes, false),
                Reaction::Reset => self.reboot(),
            }
        }
    }

    fn say(&self) -> Option<Vec<u8>> {
        self.datagrams.borrow_mut().pop_front()
    }

    fn is_online(&self) -> bool {
        self.station.borrow().address
    }
}
