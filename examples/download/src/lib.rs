//! A download that resumes: pieces of a file by HTTP range over one kept connection, written to a sink such as flash. Whatever
//! cuts the connection, the next one goes on behind the last byte that was written.
//!
//! - [`download`] is what runs on the MCU; it needs neither alloc nor std.
//! - [`server`] is a server of one file, for the program and for tests.
//!
//! `cargo run -p sectag-download-example` shows it with a simulated BG96 whose connections are cut.
#![no_std]
#![forbid(unsafe_code)]

extern crate std;

pub mod download;
pub mod server;
