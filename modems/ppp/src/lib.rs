//! PPP for [`sectag`](https://docs.rs/sectag): the link of modems that give the MCU an IP connection, such as
//! ODIN-W2 (`ATO3`) and most cellular modules of u-blox (`ATD*99***1#`).
//!
//! - [`Client`] negotiates and keeps a link: LCP, PAP or CHAP-MD5, IPCP. It does no I/O and reads no clock.
//! - [`Deframer`] and [`Framer`] turn the bytes of a UART into packets and back.
//! - Feature `net`: runs a link over a UART, as a device of embassy-net.
//! - Feature `dial`: the dialogue before it, for cellular modules and ODIN-W2.
//! - Feature `sntp`: the time over the link.
//! - Feature `tls`: TLS 1.3 over it, with the names, policy and causes of `sectag`; `p384` and `rsa` for chains with such keys; `rsa` allocates.
//!
//! The crate is `no_std`, without allocation (but for the feature `rsa`) and without unsafe code. Bytes
//! from the line can be anything: nothing panics on them, and one bad frame costs only that frame.
//!
//! A citation "sheet B.3" names a heading of `FACTS.md` beside this crate's sources, which gives the
//! manual and chapter of each fact.
#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod client;
#[cfg(feature = "dial")]
pub mod dial;
mod hdlc;
mod login;
#[cfg(feature = "net")]
pub mod net;
#[cfg(feature = "sntp")]
pub mod sntp;
#[cfg(feature = "tls")]
pub mod tls;

pub use client::{Client, Ended, Network, Packet, Phase};
pub use hdlc::{Deframed, Deframer, Framer, Wire};
pub use login::{Login, LoginInvalid};

#[cfg(all(test, feature = "net"))]
sectag_host_clock::time_driver!();
