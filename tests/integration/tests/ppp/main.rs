//! PPP and TLS on the MCU against programs that are not ours: slirp for PPP, IP and NAT, rustls for TLS. In real time, so each
//! test is short.

sectag_host_clock::time_driver!();

mod broker;
mod failover;
mod identity;
mod link;
mod module;
mod mqtt;
mod server;
mod story;
mod tls;
