//! Looks at a credential before it is uploaded: PEM or DER, what it is, and whether it is whole.
//!
//! ```
//! use sectag_inspect::{Inspector, Kind, check};
//!
//! fn suits_as_ca<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> bool {
//!     let mut inspector = Inspector::new();
//!     for chunk in chunks {
//!         inspector.feed(chunk);
//!     }
//!     let found = inspector.finish();
//!     found.is_ok_and(|material| check(Kind::Ca, &material, 1).is_ok())
//! }
//!
//! assert!(!suits_as_ca([&b"-----BEGIN RSA PUB"[..], b"LIC KEY-----\n"]));
//! ```
//!
//! The content streams through in chunks of any size and is never held: a few hundred bytes of
//! state, O(1) work per byte, total on any input. How it is cut into chunks never changes the result.
//!
//! This is a check for mistakes, not verification: only the parts that tell what something is are
//! looked at, and no signature is. The modem and the server have the last word.

#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod base64;
mod blocks;
mod check;
pub mod clock;
mod dates;
mod decoder;
mod der;
mod fingerprint;
mod grammar;
mod kind;
mod label;
mod material;
mod pem;
mod pem_text;
mod sniff;
mod unsuitable;

pub use base64::{Base64, encode};
pub use blocks::{Blocks, Part};
pub use check::{Misplaced, check, check_pair};
pub use decoder::Decoder;
pub use fingerprint::Fingerprint;
pub use kind::Kind;
pub use material::{Certificate, Container, Content, KeyFormat, KeyType, Material, PrivateKey};
pub use pem_text::Pem;
pub use unsuitable::{Block, Unsuitable};

use der::Walker;
use label::Announced;
use material::Collector;
use pem::{Event, Scanner};
use sniff::{Guess, Sniffer};

/// Takes a credential in chunks and says what it is.
///
/// Of a private key, the public part goes through the [`Fingerprint`]; of the rest no more is kept
/// than the few bytes being decoded.
pub struct Inspector {
    stage: Stage,
    walker: Walker,
    collector: Collector,
}

enum Stage {
    /// The first bytes decide between PEM and DER.
    Start(Sniffer),
    Der,
    Pem(Scanner, Open),
    /// What comes behind changes nothing any more.
    Failed(Unsuitable),
}

/// The PEM block that is open.
enum Open {
    /// None, or one whose content does not matter.
    Ignored,
    /// Its bytes go through the walker. What is wrong with them is told at its end, because a bad
    /// character or a missing end is then the cause.
    Read {
        announced: Announced,
        flaw: Option<Unsuitable>,
    },
}

impl Inspector {
    /// An inspector that has seen nothing.
    pub const fn new() -> Self {
        Self {
            stage: Stage::Start(Sniffer::new()),
            walker: Walker::new(),
            collector: Collector::new(),
        }
    }

    /// Looks at the next bytes.
    pub fn feed(&mut self, chunk: &[u8]) {
        for &byte in chunk {
            if let Err(unsuitable) = self.byte(byte) {
                self.stage = Stage::Failed(unsuitable);
            }
        }
    }

    /// What it was, when all bytes were fed.
    pub fn finish(mut self) -> Result<Material, Unsuitable> {
        if let Stage::Start(sniffer) = &self.stage {
            let sniffer = *sniffer;
            self.settle(sniffer.guess(), sniffer)?;
        }
        let container = match &mut self.stage {
            Stage::Start(_) => return Err(Unsuitable::Empty),
            Stage::Failed(unsuitable) => return Err(*unsuitable),
            Stage::Der => {
                let content = self.walker.finish()?;
                self.collector.add(content, self.walker.len())?;
                Container::Der
            }
            Stage::Pem(scanner, _) => {
                let event = scanner.finish()?;
                let (blank, cut) = (scanner.is_blank(), scanner.is_in_block());
                if let Some(event) = event {
                    self.event(event)?;
                }
                if blank {
                    return Err(Unsuitable::Empty);
                }
                if cut {
                    return Err(Unsuitable::Truncated);
                }
                Container::Pem
            }
        };
        self.collector.finish(container)
    }

    fn byte(&mut self, byte: u8) -> Result<(), Unsuitable> {
        match &mut self.stage {
            Stage::Start(sniffer) => {
                if let Some(guess) = sniffer.push(byte) {
                    let sniffer = *sniffer;
                    self.settle(guess, sniffer)?;
                }
            }
            Stage::Der => self.walker.push(byte)?,
            Stage::Pem(scanner, _) => {
                if let Some(event) = scanner.push(byte)? {
                    self.event(event)?;
                }
            }
            Stage::Failed(_) => {}
        }
        Ok(())
    }

    /// The container is known: what was held back to find out goes the way of the rest.
    fn settle(&mut self, guess: Guess, sniffer: Sniffer) -> Result<(), Unsuitable> {
        self.stage = match guess {
            Guess::ByteOrderMark => return Err(Unsuitable::ByteOrderMark),
            Guess::Json => return Err(Unsuitable::Json),
            Guess::Der => Stage::Der,
            Guess::Text => Stage::Pem(Scanner::new(), Open::Ignored),
        };
        for &byte in sniffer.seen() {
            self.byte(byte)?;
        }
        Ok(())
    }

    fn event(&mut self, event: Event) -> Result<(), Unsuitable> {
        let Stage::Pem(_, open) = &mut self.stage else {
            return Ok(());
        };
        match (event, &mut *open) {
            (Event::Begin(Announced::Bad(unsuitable)), _) => return Err(unsuitable),
            (Event::Begin(Announced::Nothing), _) => {
                self.collector.ignore();
                *open = Open::Ignored;
            }
            (Event::Begin(announced), _) => {
                self.walker = Walker::new();
                *open = Open::Read {
                    announced,
                    flaw: None,
                };
            }
            (Event::Byte(byte), Open::Read { flaw, .. }) => {
                if flaw.is_none() {
                    *flaw = self.walker.push(byte).err();
                }
            }
            (Event::End, Open::Read { announced, flaw }) => {
                if let Some(flaw) = flaw {
                    return Err(*flaw);
                }
                let content = self.walker.finish()?;
                let found = match &content {
                    Content::Certificate(_) => Announced::Certificate,
                    Content::PrivateKey(key) => Announced::PrivateKey(key.format),
                };
                if found != *announced {
                    return Err(Unsuitable::BadStructure);
                }
                self.collector.add(content, self.walker.len())?;
                *open = Open::Ignored;
            }
            (Event::Byte(_) | Event::End, Open::Ignored) => {}
        }
        Ok(())
    }
}

impl Default for Inspector {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod tests;
