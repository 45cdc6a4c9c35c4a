//! What sectag's tests and demo share.
//!
//! - [`time`]: the one embassy-time driver, with a virtual and a real clock.
//! - [`pki`]: a throw-away PKI: a CA, server and client certificates, RSA and ECDSA.
//! - [`tls_server`], [`tls_client`]: rustls with ring on tokio streams.
//! - [`mosquitto`]: a child process, for tests. [`broker`]: inside this process, for the demo.
//!
//! A crate that needs only the time driver still has to name this crate, or the linker leaves the driver out:
//! `use sectag_test_support as _;`.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

// Links the std implementation of critical-section, which embassy-sync's mutexes call.
use critical_section as _;

pub mod broker;
pub mod mosquitto;
pub mod pki;
mod ports;
#[cfg(test)]
mod probe;
pub mod time;
pub mod tls_client;
pub mod tls_server;
