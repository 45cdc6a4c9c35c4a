//! The adapters for embedded-nal-async and edge-nal, by themselves and under HTTP clients as they are,
//! against TLS servers in memory and in virtual time.

mod addresses;
mod edge;
mod http;
mod web;
