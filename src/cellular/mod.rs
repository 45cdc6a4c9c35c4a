//! What all cellular modems share: the numbers with which they refuse, the words of the SIM, registration, and what
//! answers of 27.007 tell.

mod registration;
mod report;
mod sim;

pub use crate::numbers::{Number, cme, cms, find};
pub use registration::registration;
pub use report::{digits, report};
pub use sim::{Sim, SimEntry, SimNext};
