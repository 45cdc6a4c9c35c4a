use super::blocks::{Blocks, Part};

/// Takes the first certificate or key out of text that was [inspected](super::Inspector) before.
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
    /// A decoder that has seen nothing.
    pub const fn new() -> Self {
        Self {
            blocks: Blocks::new(),
            over: false,
        }
    }

    /// The byte that this character completes, if any.
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
