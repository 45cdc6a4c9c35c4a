//! The AT layer: framing, and the text of commands and answers.
//!
//! Typed commands use the traits of atat ([`AtatCmd`], [`AtatResp`]). Backends write commands with [`CommandLine`] and
//! read answers with [`Fields`], which are small and not generic.

mod command;
mod decoder;
pub mod echo;
mod fields;
pub mod framer;
pub mod framing;
#[cfg(test)]
mod oracle;
mod out;
mod text;

pub use atat::{AtatCmd, AtatResp};
pub use command::{CommandLine, Done, at_command};
pub use decoder::{BadCharacter, Decoder};
pub use fields::{Fields, answer, decimal};
pub use out::Out;
pub use text::{InvalidInput, Text};
