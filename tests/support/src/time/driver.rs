//! Registers the driver and chooses the clock of the calling thread.

use core::task::Waker;

use embassy_time_driver::Driver;

use super::{real, virtual_clock};

struct ThreadClock;

impl Driver for ThreadClock {
    fn now(&self) -> u64 {
        virtual_clock::now().unwrap_or_else(real::now)
    }

    fn schedule_wake(&self, at: u64, waker: &Waker) {
        if !virtual_clock::schedule_wake(at, waker) {
            real::schedule_wake(at, waker);
        }
    }
}

embassy_time_driver::time_driver_impl!(static DRIVER: ThreadClock = ThreadClock);
