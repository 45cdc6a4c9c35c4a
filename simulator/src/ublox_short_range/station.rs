//! The Wi-Fi station (sheet A.2).

use std::rc::Rc;

use embassy_time::Duration;

use super::{AccessPoint, ShortRange};

/// The address in the answer to `AT+UNSTAT=0,101`, once the station has one.
pub(super) const ADDRESS: &str = "172.20.10.4";
/// The access point's address, as in the log of sheet E.1.
const ACCESS_POINT: &str = "FAAC838145DA";

/// Configuration 0, and its state.
#[derive(Default)]
pub(super) struct Station {
    pub(super) active: bool,
    pub(super) ssid: String,
    /// The authentication: 1 is open, 2 is WPA/WPA2.
    pub(super) authentication: u8,
    pub(super) key: String,
    pub(super) link: bool,
    pub(super) address: bool,
    /// `+UWCFG=10`: whether connections end with the link.
    pub(super) drops: bool,
    /// A counter of activations and losses, so that an action that was begun before one does nothing
    /// after it.
    attempt: u32,
}

impl Station {
    fn fits(&self, point: &AccessPoint) -> bool {
        point.ssid == self.ssid
    }

    fn opens(&self, point: &AccessPoint) -> bool {
        match point.passphrase.as_str() {
            "" => self.authentication != 2,
            passphrase => self.authentication == 2 && passphrase == self.key,
        }
    }
}

impl ShortRange {
    pub(super) fn activate(&self) {
        {
            let mut station = self.station.borrow_mut();
            station.active = true;
        }
        self.find_network();
    }

    pub(super) fn deactivate(&self) {
        let was = {
            let mut station = self.station.borrow_mut();
            station.active = false;
            station.attempt += 1;
            (station.link, station.address)
        };
        if was.0 {
            self.lose_network(5);
        }
    }

    /// Looks for the network, as the module does while it is active.
    pub(super) fn find_network(&self) {
        let attempt = {
            let mut station = self.station.borrow_mut();
            if !station.active || station.link {
                return;
            }
            station.attempt += 1;
            station.attempt
        };
        self.later(self.options.link_delay, move |module| module.join(attempt));
    }

    fn join(self: &Rc<Self>, attempt: u32) {
        let Some(point) = self.options.access_point.clone() else {
            return;
        };
        {
            let mut station = self.station.borrow_mut();
            let tries = station.active && station.attempt == attempt && self.coverage.get();
            if !tries || !station.fits(&point) {
                return;
            }
            if !station.opens(&point) {
                drop(station);
                // TRAP: other reasons follow at once (sheet A.2.3).
                self.urc("+UUWLD:0,4");
                self.urc("+UUWLD:0,2");
                return;
            }
            station.link = true;
        }
        self.urc(&format!("+UUWLE:0,{ACCESS_POINT},1"));
        if point.dhcp {
            self.later(self.options.address_delay, move |module| {
                {
                    let mut station = module.station.borrow_mut();
                    if station.attempt != attempt || !station.link {
                        return;
                    }
                    station.address = true;
                }
                module.urc("+UUNU:0");
            });
        }
    }

    /// Ends the link for this reason.
    pub(super) fn lose_network(&self, reason: u8) {
        let (link, address, drops) = {
            let mut station = self.station.borrow_mut();
            station.attempt += 1;
            (
                std::mem::take(&mut station.link),
                std::mem::take(&mut station.address),
                station.drops || !station.active,
            )
        };
        if !link {
            return;
        }
        self.urc(&format!("+UUWLD:0,{reason}"));
        if address && drops {
            self.urc("+UUND:0");
        }
        // Otherwise the connections hang until they are closed.
        if drops {
            self.later(Duration::from_millis(10), |module| module.end_all_peers());
        }
    }
}
