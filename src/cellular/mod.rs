//! What all cellular modems share: the numbers with which they refuse, the words of the SIM, registration.

mod numbers;
mod registration;
mod sim;

pub use numbers::{Number, cme, cms, find};
pub use registration::registration;
pub use sim::Sim;
