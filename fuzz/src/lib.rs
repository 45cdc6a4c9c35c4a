//! What fuzz targets share: a UART in memory, models of modems that lie when told to, an application, and
//! the script that tells both what to do.
//!
//! A target for another modem needs a [`model`] like [`bg96`]; the rest serves any.
//!
//! The models are not the simulator: that makes real TLS between the bytes, which costs most of the runs, and it tells the
//! truth. What a driver is held to here depends on which of the modem's words were lies, so each model keeps account of its own.

// Time is virtual in every target that uses this crate.
sectag_simulator::virtual_clock!();

pub mod app;
pub mod bg96;
pub mod credential_store;
pub mod event;
pub mod machine;
pub mod model;
pub mod nrf9160;
pub mod play;
pub mod script;
pub mod stream;
pub mod uart;
pub mod ublox_cellular;
pub mod ublox_short_range;
