use super::blocks::{Blocks, Part};

/// A decoder that takes the DER of the first certificate or key out of a text that was [inspected](super::Inspector)
/// before.
pub struct Decoder {
    blocks: Blocks,
    over: bool,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Decoder {
    /// Makes a decoder that has seen no characters.
    pub const fn new() -> Self {
        Self {
            blocks: Blocks::new(),
            over: false,
        }
    }

    /// Takes a character, and returns the byte that it completes, if any.
    pub fn push(&mut self, character: u8) -> Option<u8> {
        if self.over {
            return None;
        }
        match self.blocks.push(character)? {
            Part::Byte(byte) => Some(byte),
            Part::End => {
                self.over = true;
                None
            }
            Part::Begin(_) => None,
        }
    }
}
