//! TI SimpleLink Wi-Fi for [sectag]: TLS in the network processor, over its native protocol.
#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod nwp;

mod causes;
mod files;
mod join;
mod suites;
