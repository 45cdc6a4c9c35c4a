//! The controls of a test over this simulated chip: its pins, faults, network, clock and files.

use std::collections::BTreeMap;
use std::rc::Rc;

use embassy_futures::join::join;
use embassy_time::Instant;
use time::OffsetDateTime;

use super::{Nwp, Power, Spi};
use crate::Failure;
use crate::clock::EmulatedClock;
use crate::network::LocalBoxFuture;
use crate::simulator::Modem;

impl Modem for Nwp {
    fn run(self: Rc<Self>) -> LocalBoxFuture<'static, ()> {
        Box::pin(async move {
            let spi = self.spi.clone();
            join(self.life(), spi.drive_line()).await;
        })
    }

    fn files(&self) -> BTreeMap<String, Vec<u8>> {
        self.state.borrow().files.all()
    }

    fn put_file(&self, name: &str, contents: &[u8]) {
        self.state.borrow_mut().files.put(name, contents);
    }

    fn reset(&self) {
        self.restart(self.boots());
    }

    fn fail(&self, failure: Failure) {
        self.failed_at.set(Some(Instant::now()));
        match failure {
            Failure::Hang => {
                self.restart(Power::Dead);
            }
            _ => {
                if failure == Failure::BrownOut {
                    self.state.borrow_mut().clock = None;
                }
                self.restart(self.boots());
            }
        }
    }

    fn failed_at(&self) -> Option<Instant> {
        self.failed_at.get()
    }

    /// Sets nHIB.
    fn reset_pin(&self, asserted: bool) {
        if asserted {
            self.restart(Power::Hibernates);
        } else if self.power.get() == Power::Hibernates {
            self.power.set(self.boots());
            self.spi.wakes();
            self.core.touch();
        }
    }

    fn status_pin(&self) -> bool {
        self.power.get() == Power::On
    }

    fn open_sockets(&self) -> Vec<u8> {
        self.state.borrow().sockets.keys().copied().collect()
    }

    fn set_registered(&self, registered: bool) {
        self.coverage.set(registered);
        if !registered && std::mem::replace(&mut self.state.borrow_mut().joined, false) {
            self.left(3);
        }
    }

    fn drop_pdp(&self, _: u8, announced: bool) {
        if !announced {
            self.state.borrow_mut().joined = false;
            return;
        }
        self.set_registered(false);
        self.coverage.set(true);
    }

    fn clock(&self) -> OffsetDateTime {
        self.state.borrow().now()
    }

    fn set_clock(&self, utc: OffsetDateTime) {
        self.state.borrow_mut().clock = Some(EmulatedClock::starting_at(utc));
    }

    fn alerts(&self) -> u32 {
        self.state.borrow().files.alerts
    }

    fn spi(&self) -> Option<Rc<Spi>> {
        Some(self.spi.clone())
    }
}
