//! The real binary against simulated modems and real brokers.

mod connect;
mod credentials;
mod demo;
mod mqtt;
mod process;
mod simulate;
mod surroundings;
mod usage;
