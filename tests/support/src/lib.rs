//! What sectag's tests and demo share.
//!
//! - [`pki`]: a throw-away PKI: a CA, server and client certificates, RSA and ECDSA.
//! - [`tls_server`], [`tls_client`]: rustls with ring on tokio streams.
//! - [`servers`]: what can stand behind a name and a port, rightly or wrongly.
//! - [`ti_wire`]: what payload costs on the wire of TI's chips.
//! - [`mosquitto`]: a child process, for tests. [`broker`]: inside this process, for the demo.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

#[cfg(feature = "broker")]
pub mod broker;
#[cfg(feature = "processes")]
pub mod mosquitto;
pub mod pki;
#[cfg(any(test, feature = "processes"))]
mod ports;
#[cfg(test)]
mod probe;
#[cfg(feature = "processes")]
pub mod servers;
pub mod ti_wire;
pub mod tls_client;
pub mod tls_server;
