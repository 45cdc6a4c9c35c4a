//! Dialling: a short dialogue on the UART that leads from AT commands to a PPP link.
//!
//! [`Dialogue::new`] takes the UART, [`cellular`] or [`odin_w2`] dials, and [`Dialogue::behind`]
//! returns the bytes that followed the answer, for [`Runner::run`](crate::net::Runner::run). No command
//! is sent while the link is up.

pub mod beside;
mod cellular;
mod dialogue;
mod failure;
mod odin_w2;
mod status;

pub use cellular::{Cellular, cellular, redial};
pub use dialogue::Dialogue;
pub use odin_w2::{OdinW2, Own, odin_w2};
