//! The vocabulary of the integration tests: a modem that a test scripts, and a driver beside it.

mod bench;
pub mod brokered;
pub mod cancel;
#[cfg(feature = "openssl")]
pub mod cbc;
pub mod cc31xx;
pub mod cc32xx;
pub mod driven;
pub mod faults;
mod harness;
pub mod mqtt;
pub mod nrf9160;
pub mod recovery;
pub mod resets;
pub mod scripted;
pub mod short_range;
pub mod simulated;
pub mod sources;
pub mod ti;
pub mod trace;
pub mod transcript;
pub mod ublox;
pub mod unit;
pub mod wire;

// The driver of every test binary that uses this crate.
sectag_simulator::virtual_clock!();

pub use bench::{Bench, Rings, bench, bench_with};
pub use harness::keep_into;
