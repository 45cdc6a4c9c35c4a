//! Transcripts of what a modem and its driver say to each other.
//!
//! Plain text, one event a line, bytes in Rust's byte-string escapes:
//!
//! ```text
//! # source: where this exchange is documented or was seen; verbatim or abridged; what was masked
//! > AT+QSSLRECV=1,1500\r
//! < \r\n+QSSLRECV: 5\r\nhello\r\n\r\nOK\r\n
//! ~ 150ms
//! ! reset
//! ```
//!
//! `>` goes to the modem, `<` comes from it, `~` is time in which neither says anything, `!` is
//! something that happens to the modem: after `! reset` it says what it says when it restarts.
//! [`Transcript`] is one in memory; [`Recorder`] makes one while a driver runs.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

// The unit tests link the driver that records, which asks for the time.
#[cfg(test)]
sectag_host_clock::time_driver!();

mod event;
mod mask;
mod recorder;
mod transcript;

pub use event::Event;
pub use recorder::{Payload, Recorder};
pub use transcript::{ParseError, Transcript};
