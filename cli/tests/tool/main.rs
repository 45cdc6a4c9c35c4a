//! The real binary against simulated modems and real brokers.

mod connect;
mod credentials;
mod demo;
mod doctor;
mod mqtt;
mod nrf9160;
mod process;
mod record;
mod scenarios;
mod simulate;
mod status;
mod surroundings;
mod usage;
