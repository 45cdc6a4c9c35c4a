//! The inspection of a credential before it is uploaded: PEM or DER, certificate or key, and whether it is whole.
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
//! The content streams through in chunks of any size and is never held in memory: the inspector has a few hundred bytes
//! of state, takes O(1) work per byte, and never panics. The chunks never change the result.
//!
//! This is a check for mistakes, not verification: it reads only the parts that show what the content is, and checks no
//! signature. The modem and the server decide.

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

/// An inspector that takes a credential in chunks and classifies it.
///
/// The public part of a private key goes into the [`Fingerprint`]; nothing else of the key is kept but the few bytes that
/// are being decoded.
pub struct Inspector {
    stage: Stage,
    walker: Walker,
    collector: Collector,
}

enum Stage {
    /// Before the first bytes have decided between PEM and DER.
    Start(Sniffer),
    Der,
    Pem(Scanner, Open),
    /// The content is unsuitable, and further bytes are ignored.
    Failed(Unsuitable),
}

/// The PEM block under way.
enum Open {
    /// There is none, or its content does not matter.
    Ignored,
    /// The bytes of the block go through the walker. A flaw in them is reported at the end of the block, because a bad
    /// character or a missing end may be its cause, and is reported first.
    Read {
        announced: Announced,
        flaw: Option<Unsuitable>,
    },
}

impl Inspector {
    /// Makes an inspector that has seen no bytes.
    pub const fn new() -> Self {
        Self {
            stage: Stage::Start(Sniffer::new()),
            walker: Walker::new(),
            collector: Collector::new(),
        }
    }

    /// Takes the next bytes.
    pub fn feed(&mut self, chunk: &[u8]) {
        for &byte in chunk {
            if let Err(unsuitable) = self.byte(byte) {
                self.stage = Stage::Failed(unsuitable);
            }
        }
    }

    /// Returns the classification, once all bytes were fed.
    ///
    /// # Errors
    /// The reason why the content is no credential that a modem can take.
    pub fn finish(mut self) -> Result<Material, Unsuitable> {
        if let Stage::Start(sniffer) = &self.stage {
            let sniffer = *sniffer;
            self.begin(sniffer.guess(), sniffer)?;
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
                    self.begin(guess, sniffer)?;
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

    /// Begins with the container, once it is known: takes the bytes that were held back until then.
    fn begin(&mut self, guess: Guess, sniffer: Sniffer) -> Result<(), Unsuitable> {
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
