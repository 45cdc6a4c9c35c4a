//! Wi-Fi and Bluetooth modules with u-connectXpress software of the first generation.

mod edm;

pub use edm::{Edm, Endpoint, Event, Protocol};
