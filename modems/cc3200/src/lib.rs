//! TI SimpleLink Wi-Fi for [sectag]: TLS in the network processor, over TI's AT application ([`at`]) or its native
//! protocol ([`nwp`]). An image links only the one that it names.
#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod at;
pub mod nwp;

mod capabilities;
mod causes;
mod date;
mod files;
mod identity;
mod join;
mod suites;
