//! The AT layer: framing, the text of commands and answers.
//!
//! The vocabulary of typed commands is atat's ([`AtatCmd`], [`AtatResp`]); what a backend writes its
//! commands with is [`CommandLine`] and [`Fields`], small and not generic.

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
