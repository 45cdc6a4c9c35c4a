use super::label::Announced;
use super::pem::{Event, Scanner};

/// Takes the first certificate or key out of text that was [inspected](super::Inspector) before.
pub struct Decoder {
    scanner: Scanner,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Before,
    Inside,
    Behind,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Decoder {
    /// A decoder that has seen nothing.
    pub const fn new() -> Self {
        Self {
            scanner: Scanner::new(),
            state: State::Before,
        }
    }

    /// The byte that this character completes, if any.
    pub fn push(&mut self, character: u8) -> Option<u8> {
        if self.state == State::Behind {
            return None;
        }
        match self.scanner.push(character) {
            Ok(Some(Event::Begin(Announced::Certificate | Announced::PrivateKey(_)))) => {
                self.state = State::Inside;
                None
            }
            Ok(Some(Event::Byte(byte))) if self.state == State::Inside => Some(byte),
            Ok(Some(Event::End)) if self.state == State::Inside => {
                self.state = State::Behind;
                None
            }
            _ => None,
        }
    }
}
