//! embassy-time on a computer: a clock, and one thread that wakes what is due.
//!
//! A program registers it once, in the binary itself:
//!
//! ```
//! sectag_host_clock::time_driver!();
//! # fn main() {
//! # assert!(embassy_time::Instant::now().as_micros() < 1_000_000_000_000);
//! # }
//! ```
//!
//! Registering is left to the binary, and is no feature, because a binary takes exactly one driver while cargo unites
//! features over a whole workspace: tests in virtual time and a tool in real time are built by one command, and so
//! could not both be with embassy-time's own `std` driver.
//!
//! That driver would not do for another reason as well. What a task registers must replace what it registered before,
//! and whether two wakers are of one task is asked by [`Waker::will_wake`](core::task::Waker::will_wake). That compares
//! addresses of tables of functions, and the compiler may make several copies of a table: with tokio and an optimising
//! build, a clone of a waker has another than the waker it was cloned from, and the two never compare equal. So every
//! poll would add an entry, and each entry cause a poll. [`Queue`] compares a clone with a clone.
//!
//! Beside the time, a driver needs a UART: the feature `tty` has serial ports and pseudo terminals as streams of tokio, the
//! feature `tokio` has `FromTokio`, which makes any such stream one of embedded-io.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod clock;
#[cfg(feature = "tokio")]
mod from_tokio;
mod own_waker;
mod queue;
#[cfg(all(unix, feature = "tty"))]
pub mod tty;

pub use clock::HostClock;
#[cfg(feature = "tokio")]
pub use from_tokio::FromTokio;
pub use own_waker::with_own_waker;
pub use queue::Queue;

// The std implementation of critical-section, which embassy-sync's mutexes call.
use critical_section as _;

#[doc(hidden)]
pub mod __private {
    pub use embassy_time_driver;
}

/// Makes [`HostClock`] the program's embassy-time driver.
#[macro_export]
macro_rules! time_driver {
    () => {
        // A module, because what it makes says `core`, and a program may have a module of that name.
        mod registered_time_driver {
            $crate::__private::embassy_time_driver::time_driver_impl!(
                static DRIVER: $crate::HostClock = $crate::HostClock
            );
        }
    };
}
