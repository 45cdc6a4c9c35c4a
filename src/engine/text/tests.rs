//! Traces: what the engine sends when it hears this or that, without an executor.
//!
//! Each test is a trace against an invented modem ([`harness::Toy`]). Every one is run with the clock at 0 and
//! again with the clock a second before it wraps, and both with whole answers and byte by byte.

mod exchanges;
mod fetches;
mod guests;
mod harness;
mod idle;
mod links;
mod model;
mod pushes;
mod rescues;
mod sends;
mod sockets;
mod waiting;
