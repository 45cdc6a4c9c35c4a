//! The real binary against simulated modems and real brokers.

mod connect;
mod credentials;
mod demo;
mod mqtt;
mod process;
mod record;
mod simulate;
mod status;
mod surroundings;
mod usage;
