use super::grammar::{Action, Field, Grammar, Node};
use super::material::Content;
use super::unsuitable::Unsuitable;

/// The most nested elements; the grammar enters seven, the innermost being a certificate's basic constraints.
const DEPTH: usize = 8;

/// A walker through DER, one byte at a time. The grammar decides which elements to enter.
///
/// Elements that are skipped are not looked into. Indefinite lengths, tags of several bytes and elements that reach
/// beyond the one around them are refused; a length in more bytes than needed is not.
pub(super) struct Walker {
    position: u32,
    state: State,
    open: [Open; DEPTH],
    depth: usize,
    grammar: Grammar,
}

/// An element that was entered.
#[derive(Clone, Copy)]
struct Open {
    node: Node,
    children: u8,
    end: u32,
}

#[derive(Clone, Copy)]
enum State {
    Tag,
    Length {
        tag: u8,
    },
    LongLength {
        tag: u8,
        left: u8,
        len: u32,
    },
    /// Before the byte of a bit string that counts its unused bits.
    UnusedBits,
    Content {
        field: Field,
        end: u32,
    },
    Done,
}

impl Walker {
    pub(super) const fn new() -> Self {
        Self {
            position: 0,
            state: State::Tag,
            open: [Open {
                node: Node::Document,
                children: 0,
                end: 0,
            }; DEPTH],
            depth: 0,
            grammar: Grammar::new(),
        }
    }

    pub(super) fn push(&mut self, byte: u8) -> Result<(), Unsuitable> {
        // No credential has 4 GiB.
        self.position = self
            .position
            .checked_add(1)
            .ok_or(Unsuitable::BadStructure)?;
        match self.state {
            State::Tag if byte & 0x1f == 0x1f => Err(Unsuitable::BadStructure),
            State::Tag => {
                self.state = State::Length { tag: byte };
                Ok(())
            }
            State::Length { tag } => match byte {
                0..=0x7f => self.header(tag, u32::from(byte)),
                0x81..=0x84 => {
                    self.state = State::LongLength {
                        tag,
                        left: byte - 0x80,
                        len: 0,
                    };
                    Ok(())
                }
                _ => Err(Unsuitable::BadStructure),
            },
            State::LongLength { tag, left, len } => {
                let len = len << 8 | u32::from(byte);
                if left <= 1 {
                    return self.header(tag, len);
                }
                self.state = State::LongLength {
                    tag,
                    left: left - 1,
                    len,
                };
                Ok(())
            }
            State::UnusedBits if byte == 0 => {
                self.state = State::Tag;
                self.leave()
            }
            State::UnusedBits => Err(Unsuitable::BadStructure),
            State::Content { field, end } => {
                self.grammar.byte(field, byte);
                if self.position == end {
                    self.state = State::Tag;
                    self.grammar.taken(field)?;
                    self.leave()?;
                }
                Ok(())
            }
            State::Done => Err(Unsuitable::TrailingData),
        }
    }

    /// Returns the content, if it is whole.
    pub(super) fn finish(&self) -> Result<Content, Unsuitable> {
        match self.state {
            State::Done => self.grammar.finish(),
            _ => Err(Unsuitable::Truncated),
        }
    }

    /// Returns the number of bytes so far.
    pub(super) fn len(&self) -> u32 {
        self.position
    }

    fn header(&mut self, tag: u8, len: u32) -> Result<(), Unsuitable> {
        let end = self
            .position
            .checked_add(len)
            .ok_or(Unsuitable::BadStructure)?;
        let (node, index) = match self.innermost() {
            None => (Node::Document, 0),
            Some(open) if end > open.end => return Err(Unsuitable::BadStructure),
            Some(open) => {
                let index = open.children;
                open.children = index.saturating_add(1);
                (open.node, index)
            }
        };
        self.state = State::Tag;
        match self.grammar.child(node, index, tag)? {
            Action::Enter(node) => self.enter(node, end)?,
            Action::EnterBits(_) if len == 0 => return Err(Unsuitable::BadStructure),
            Action::EnterBits(node) => {
                self.enter(node, end)?;
                self.state = State::UnusedBits;
                return Ok(());
            }
            Action::Take(field) => {
                self.grammar.start();
                if len > 0 {
                    self.state = State::Content { field, end };
                    return Ok(());
                }
                self.grammar.taken(field)?;
            }
        }
        self.leave()
    }

    fn innermost(&mut self) -> Option<&mut Open> {
        self.open.get_mut(self.depth.checked_sub(1)?)
    }

    fn enter(&mut self, node: Node, end: u32) -> Result<(), Unsuitable> {
        let slot = self.open.get_mut(self.depth);
        *slot.ok_or(Unsuitable::BadStructure)? = Open {
            node,
            children: 0,
            end,
        };
        self.depth += 1;
        Ok(())
    }

    /// Closes every element that ends here.
    fn leave(&mut self) -> Result<(), Unsuitable> {
        let position = self.position;
        while let Some(&mut Open {
            node,
            children,
            end,
        }) = self.innermost()
            && end == position
        {
            self.grammar.closed(node, children)?;
            self.depth -= 1;
        }
        if self.depth == 0 {
            self.state = State::Done;
        }
        Ok(())
    }
}
