//! The part of 3GPP 27.007 that all cellular modems share: SIM, registration, status reports and error numbers.

mod registration;
mod report;
mod sim;

pub use crate::numbers::{Number, cme, cms, find};
pub use registration::{Registering, registration};
pub use report::{digits, report};
pub use sim::{Sim, SimEntry, SimNext};
