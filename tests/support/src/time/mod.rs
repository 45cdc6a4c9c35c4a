//! The process's only embassy-time driver, with two clocks: a real one, and a virtual one per thread.
//!
//! A thread sees the real clock unless it is inside [`block_on_virtual`]. Virtual time moves only when every task
//! waits, and then jumps to the next timer: a test of a 150 s timeout takes no time and always ends the same way.
//!
//! Only embassy-time is virtual. Sockets, files, other threads and tokio's own timers run in real time and cannot be
//! awaited inside [`block_on_virtual`]; `tokio::io::duplex`, channels and tokio-rustls over them can.

mod driver;
mod queue;
mod real;
mod virtual_clock;

pub use real::block_on;
pub use virtual_clock::{VirtualClock, block_on_virtual, is_virtual};
