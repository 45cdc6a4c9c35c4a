//! The time driver that chooses between virtual and real time for each thread.

use core::task::Waker;

use embassy_time_driver::Driver;
use sectag_host_clock::HostClock;

use super::virtual_clock;

/// The virtual clock on a thread that has one, the computer's clock on others.
#[derive(Clone, Copy, Debug, Default)]
pub struct ThreadClock;

impl Driver for ThreadClock {
    fn now(&self) -> u64 {
        virtual_clock::now().unwrap_or_else(|| HostClock.now())
    }

    fn schedule_wake(&self, at: u64, waker: &Waker) {
        if !virtual_clock::schedule_wake(at, waker) {
            HostClock.schedule_wake(at, waker);
        }
    }
}

/// Makes [`ThreadClock`](crate::time::ThreadClock) the program's embassy-time driver: once per test binary.
#[macro_export]
macro_rules! virtual_clock {
    () => {
        // In a module, because the macro's code uses the name `core`, and a program may have a module
        // of that name.
        mod registered_time_driver {
            $crate::time::__private::embassy_time_driver::time_driver_impl!(
                static DRIVER: $crate::time::ThreadClock = $crate::time::ThreadClock
            );
        }
    };
}
