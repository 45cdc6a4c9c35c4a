//! Virtual time for tests (feature `virtual-clock`): an embassy-time driver with a clock per thread.
//!
//! A test binary registers it with [`virtual_clock!`](crate::virtual_clock), once. The feature alone
//! registers nothing, so that a program that is built together with the tests keeps its own driver.
//!
//! A thread sees the computer's clock unless it is inside [`block_on_virtual`]. Virtual time moves only
//! when every task waits, and then jumps to the next timer. So a test of a 150 s timeout takes no time,
//! and always ends in the same way.
//!
//! Only embassy-time is virtual. Sockets, files, other threads and tokio's own timers run in real time and cannot be
//! awaited inside [`block_on_virtual`]; `tokio::io::duplex`, channels and tokio-rustls over them can.

mod driver;
mod virtual_clock;

pub use driver::ThreadClock;
pub use virtual_clock::{VirtualClock, block_on_virtual, is_virtual};

#[doc(hidden)]
pub mod __private {
    pub use embassy_time_driver;
}
