//! Wi-Fi and Bluetooth modules with u-connectXpress software of the first generation.

mod edm;
#[cfg(test)]
mod edm_tests;

pub use edm::{Edm, Endpoint, Event, Protocol};
