use super::label::Announced;
use super::material::KeyFormat;
use super::pem::{Event, Scanner};

/// The certificates and keys in a text that was [inspected](super::Inspector) before, character by character:
/// what stands around them, and blocks that are neither, is passed over.
pub struct Blocks {
    scanner: Scanner,
    inside: bool,
}

/// A part of a PEM block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// It begins; with its label in the spelling of RFC 7468.
    Begin(&'static str),
    /// A byte of its DER.
    Byte(u8),
    /// It ends.
    End,
}

impl Default for Blocks {
    fn default() -> Self {
        Self::new()
    }
}

impl Blocks {
    /// Nothing has been seen.
    pub const fn new() -> Self {
        Self {
            scanner: Scanner::new(),
            inside: false,
        }
    }

    /// What this character completes, if anything.
    pub fn push(&mut self, character: u8) -> Option<Part> {
        let event = self.scanner.push(character).ok()?;
        self.part(event?)
    }

    /// What the end of the text completes: its last line may lack an end.
    pub fn finish(&mut self) -> Option<Part> {
        let event = self.scanner.finish().ok()?;
        self.part(event?)
    }

    fn part(&mut self, event: Event) -> Option<Part> {
        match event {
            Event::Begin(Announced::Certificate) => {
                self.inside = true;
                Some(Part::Begin("CERTIFICATE"))
            }
            Event::Begin(Announced::PrivateKey(format)) => {
                self.inside = true;
                Some(Part::Begin(format.label()))
            }
            Event::Begin(_) => None,
            Event::Byte(byte) => self.inside.then_some(Part::Byte(byte)),
            Event::End => core::mem::take(&mut self.inside).then_some(Part::End),
        }
    }
}

impl KeyFormat {
    /// The label of a PEM block with such a key (RFC 7468, RFC 5915, PKCS#1).
    pub const fn label(self) -> &'static str {
        match self {
            Self::Pkcs1 => "RSA PRIVATE KEY",
            Self::Pkcs8 => "PRIVATE KEY",
            Self::Sec1 => "EC PRIVATE KEY",
        }
    }
}
