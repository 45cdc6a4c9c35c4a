//! Bytes from the network processor to messages: the search for the sync word, headers, payload.
//!
//! Total on any input, and it makes no difference how the input is cut. What it cannot make sense of it skips
//! up to the next sync word, and says so ([`Messages::is_lost`]): whether that is fatal is the engine's.

use core::marker::PhantomData;

use super::generation::Generation;

/// The sync word of a message that has no number: `BA DC CD AB` (sheet 3.1).
const SYNC: u32 = 0xabcd_dcba;
/// With bit 2 set, the low two bits are the number of the message.
const NUMBERED: u32 = 0xabcd_dcbc;
const HAS_NUMBER: u32 = 4;
/// Bits that an SPI defect may flip are not compared (sheet 3.1).
const MASK: u32 = 0x7fff_7f7f;

/// The header of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// What it is.
    pub opcode: u16,
    /// Bytes of payload that follow, padding included.
    pub payload: u16,
    /// Free buffers in the chip; `None` where the message does not tell.
    pub pool: Option<u8>,
    /// See sheet 3.2.
    pub status: u8,
    /// What one buffer takes, 0 where not told.
    pub buffer: u16,
    /// Sockets of which nothing more can be sent, a bit for each index.
    pub failed: u16,
    /// Sockets that do not block, likewise.
    pub non_blocking: u16,
}

/// A part of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'i> {
    /// It begins.
    Header(Header),
    /// Bytes of its payload.
    Payload(&'i [u8]),
    /// It is complete. Also said where it has no payload.
    End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// In the search, with the last bytes as a word, and how many of them there are.
    Search,
    /// Behind a sync word.
    Header,
    /// So many bytes of payload, and of padding, are to come.
    Payload(u16, u8),
}

/// The parser. One for each life of the chip, since messages are numbered.
#[derive(Clone, Debug)]
pub struct Messages<G> {
    state: State,
    buf: [u8; 12],
    len: u8,
    /// Messages taken so far, of which the low two bits matter.
    number: u8,
    /// Bytes were skipped since the last message.
    lost: bool,
    generation: PhantomData<G>,
}

impl<G: Generation> Default for Messages<G> {
    fn default() -> Self {
        Self::new()
    }
}

impl<G: Generation> Messages<G> {
    /// In front of the first message after a start.
    pub const fn new() -> Self {
        Self {
            state: State::Search,
            buf: [0; 12],
            len: 0,
            number: 0,
            lost: false,
            generation: PhantomData,
        }
    }

    /// Bytes came that belong to no message, and no message since.
    pub fn is_lost(&self) -> bool {
        self.lost
    }

    /// In the middle of a message, or of what may be its sync word.
    pub fn is_inside(&self) -> bool {
        self.state != State::Search || self.len > 0
    }

    /// Takes bytes off the front of `input`; returns the next part, `None` once all is taken.
    pub fn next<'i>(&mut self, input: &mut &'i [u8]) -> Option<Part<'i>> {
        loop {
            match self.state {
                State::Payload(0, 0) => {
                    self.state = State::Search;
                    self.len = 0;
                    return Some(Part::End);
                }
                State::Payload(0, padding) => {
                    let (_, rest) = input.split_first()?;
                    *input = rest;
                    self.state = State::Payload(0, padding - 1);
                }
                State::Payload(left, padding) => {
                    let count = input.len().min(left.into());
                    if count == 0 {
                        return None;
                    }
                    let (now, rest) = input.split_at(count);
                    *input = rest;
                    self.state = State::Payload(left - count as u16, padding);
                    return Some(Part::Payload(now));
                }
                State::Search | State::Header => {
                    let (byte, rest) = input.split_first()?;
                    *input = rest;
                    if let Some(header) = self.byte(*byte) {
                        return Some(Part::Header(header));
                    }
                }
            }
        }
    }

    fn byte(&mut self, byte: u8) -> Option<Header> {
        self.buf[usize::from(self.len)] = byte;
        self.len += 1;
        if self.state == State::Search {
            if self.len == 4 {
                if self.is_sync() {
                    self.state = State::Header;
                    self.len = 0;
                } else {
                    self.lost = true;
                    self.buf.copy_within(1..4, 0);
                    self.len = 3;
                }
            }
            return None;
        }
        // The chip may send the sync word twice (sheet 3.1).
        if self.len == 4 && self.is_sync() {
            self.len = 0;
            return None;
        }
        if self.len < self.header_len() {
            return None;
        }
        self.header()
    }

    /// Whether the first four bytes are the sync word of the message that is expected.
    fn is_sync(&self) -> bool {
        is_sync(self.word(0), self.number)
    }

    fn header_len(&self) -> u8 {
        // That of the message that says that the chip is dead is short in all generations (sheet 3.6).
        if self.len >= 2 && self.half(0) == super::opcode::ABORT {
            8
        } else {
            4 + G::FACTS.header
        }
    }

    fn header(&mut self) -> Option<Header> {
        let behind = u16::from(self.header_len() - 4);
        let (opcode, len) = (self.half(0), self.half(2));
        self.len = 0;
        let Some(payload) = len.checked_sub(behind) else {
            // No header at all.
            self.lost = true;
            self.state = State::Search;
            return None;
        };
        self.number = self.number.wrapping_add(1);
        self.lost = false;
        self.state = State::Payload(payload, (payload.wrapping_neg() & 3) as u8);
        let long = behind == 8;
        let byte = |index: usize| self.buf[index];
        let void = opcode == super::opcode::ABORT
            || (G::FACTS.first_is_void && opcode == super::opcode::INIT_COMPLETE);
        Some(Header {
            opcode,
            payload,
            pool: (!void).then(|| byte(4)),
            status: if void { 0 } else { byte(5) },
            buffer: if long { self.half(6) } else { 0 },
            failed: match void {
                true => 0,
                false if long => self.half(8),
                false => byte(6).into(),
            },
            non_blocking: match void {
                true => 0,
                false if long => self.half(10),
                false => byte(7).into(),
            },
        })
    }

    fn half(&self, at: usize) -> u16 {
        u16::from_le_bytes([self.buf[at], self.buf[at + 1]])
    }

    fn word(&self, at: usize) -> u32 {
        u32::from(self.half(at)) | u32::from(self.half(at + 2)) << 16
    }
}

/// Whether this is the sync word of the message with this number, of which the low two bits matter (sheet 3.1).
pub(super) fn is_sync(word: u32, number: u8) -> bool {
    let expected = if word & HAS_NUMBER == 0 {
        SYNC
    } else {
        NUMBERED + u32::from(number & 3)
    };
    word & MASK == expected & MASK
}
