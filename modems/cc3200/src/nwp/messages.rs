//! The parser that makes messages of the bytes from the network processor: it finds sync words, headers and payload.
//!
//! It accepts any input, and the result does not depend on how the input is cut. Bytes that are no message are skipped up to
//! the next sync word, and [`Messages::is_lost`] says so; the engine decides whether that is fatal.

use core::marker::PhantomData;

use super::generation::Generation;

/// The sync word of a message that has no number: `BA DC CD AB` (sheet 3.1).
const SYNC: u32 = 0xabcd_dcba;
/// The sync word of a message whose number is in the low two bits: bit 2 is set.
const NUMBERED: u32 = 0xabcd_dcbc;
const HAS_NUMBER: u32 = 4;
/// The bits of a sync word that are compared. A defect of the SPI may flip the others (sheet 3.1).
const MASK: u32 = 0x7fff_7f7f;

/// The header of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The opcode of the message.
    pub opcode: u16,
    /// The number of bytes of payload that follow, padding included.
    pub payload: u16,
    /// The number of free buffers in the chip; `None` where the message does not tell.
    pub pool: Option<u8>,
    /// The state of the device as a bit set (sheet 3.2).
    pub status: u8,
    /// The number of bytes that one buffer takes; 0 where the message does not tell.
    pub buffer: u16,
    /// The sockets through which nothing more can be sent, as a bit set of their indices.
    pub failed: u16,
    /// The sockets that do not block, as a bit set of their indices.
    pub non_blocking: u16,
}

/// A part of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'i> {
    /// The header, with which a message begins.
    Header(Header),
    /// Bytes of the payload, without padding.
    Payload(&'i [u8]),
    /// The end of the message; also of one without payload.
    End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The search for a sync word.
    Search,
    /// The header, after a sync word.
    Header,
    /// The payload: this many of its bytes, and of padding, are to come.
    Payload(u16, u8),
}

/// The parser. Each start of the chip needs a new one, since messages are numbered from it on.
#[derive(Clone, Debug)]
pub struct Messages<G> {
    state: State,
    buf: [u8; 12],
    len: u8,
    /// The number of messages so far, of which the low two bits matter.
    number: u8,
    /// Whether bytes were skipped since the last message.
    lost: bool,
    generation: PhantomData<G>,
}

impl<G: Generation> Default for Messages<G> {
    fn default() -> Self {
        Self::new()
    }
}

impl<G: Generation> Messages<G> {
    /// Makes a parser for a chip that has just started.
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

    /// Returns whether bytes came that belong to no message, and no message since.
    pub fn is_lost(&self) -> bool {
        self.lost
    }

    /// Returns whether a message, or what may be its sync word, has begun and is not complete.
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

    /// Returns whether the first four bytes are the sync word of the expected message.
    fn is_sync(&self) -> bool {
        is_sync(self.word(0), self.number)
    }

    fn header_len(&self) -> u8 {
        // The header of the abort message is short in both generations (sheet 3.6).
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
            // The length is shorter than a header.
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

/// Returns whether `word` is the sync word of the message with this number, of which the low two bits matter (sheet 3.1).
pub(super) fn is_sync(word: u32, number: u8) -> bool {
    let expected = if word & HAS_NUMBER == 0 {
        SYNC
    } else {
        NUMBERED + u32::from(number & 3)
    };
    word & MASK == expected & MASK
}
