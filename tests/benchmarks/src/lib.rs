//! What the benchmarks share. `tests/bench` runs them and says what they are.

pub mod modem;
pub mod notices;
pub mod server;
