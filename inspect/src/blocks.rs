use super::label::Announced;
use super::material::KeyFormat;
use super::pem::{Event, Scanner};

/// A reader of the certificates and keys in a text that was [inspected](super::Inspector) before, one character at a
/// time. Text around the blocks, and blocks of other kinds, are skipped.
pub struct Blocks {
    scanner: Scanner,
    inside: bool,
}

/// A part of a PEM block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The beginning of a block, with its label in the spelling of RFC 7468.
    Begin(&'static str),
    /// A byte of the block's DER.
    Byte(u8),
    /// The end of a block.
    End,
}

impl Default for Blocks {
    fn default() -> Self {
        Self::new()
    }
}

impl Blocks {
    /// Makes a reader that has seen no characters.
    pub const fn new() -> Self {
        Self {
            scanner: Scanner::new(),
            inside: false,
        }
    }

    /// Takes a character, and returns the part that it completes, if any.
    pub fn push(&mut self, character: u8) -> Option<Part> {
        let event = self.scanner.push(character).ok()?;
        self.part(event?)
    }

    /// Ends the text, and returns the part that this completes, if any: the last line may lack a line end.
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
    /// Returns the label of a PEM block with a key in this format (RFC 7468, RFC 5915, PKCS#1).
    pub const fn label(self) -> &'static str {
        match self {
            Self::Pkcs1 => "RSA PRIVATE KEY",
            Self::Pkcs8 => "PRIVATE KEY",
            Self::Sec1 => "EC PRIVATE KEY",
        }
    }
}
