//! Fleet provisioning: a device leaves the factory with a *claim*, a certificate that many share and that opens nothing
//! but the door where certificates are given out. In the field it makes a key, asks for a certificate of its own over the
//! claim's TLS connection, and gives the claim up once the new set has proved itself.
//!
//! - [`device`] is what runs on the MCU, with any modem that keeps credentials. It needs neither alloc nor std.
//! - [`keys`]: the device's key, in the modem (nRF9160) or made here.
//! - [`server`]: the door, for the program and for tests.
//!
//! `cargo run -p sectag-fleet-example [bg96|nrf9160]` shows all of it with a simulated modem.
#![no_std]
#![forbid(unsafe_code)]

extern crate std;

pub mod device;
pub mod keys;
pub mod server;
