//! What all cellular modems share: the numbers with which they refuse.

mod numbers;

pub use numbers::{Number, cme, cms, find};
