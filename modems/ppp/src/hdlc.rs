//! Framing of PPP on a UART (RFC 1662): flags, escapes, and the checksum at a frame's end.

const FLAG: u8 = 0x7E;
const ESCAPE: u8 = 0x7D;

/// The checksum over a whole frame, with its own two bytes, if the frame is good (RFC 1662, C.1).
const GOOD: u16 = 0xF0B8;

/// The line that a modem prints in the place of a frame when it has ended the data call.
const NO_CARRIER: &[u8] = b"\r\nNO CARRIER\r\n";

/// Returns the checksum after one more byte (RFC 1662, C.2). It works on half a byte at a time, with a
/// table of 32 bytes.
const fn checksum(sum: u16, byte: u8) -> u16 {
    const TABLE: [u16; 16] = {
        let mut table = [0; 16];
        let mut at = 0;
        while at < 16 {
            let mut sum = at as u16;
            let mut bit = 0;
            while bit < 4 {
                sum = if sum & 1 == 1 {
                    sum >> 1 ^ 0x8408
                } else {
                    sum >> 1
                };
                bit += 1;
            }
            table[at] = sum;
            at += 1;
        }
        table
    };
    let sum = sum ^ byte as u16;
    let sum = sum >> 4 ^ TABLE[(sum & 0xF) as usize];
    sum >> 4 ^ TABLE[(sum & 0xF) as usize]
}

/// Something that [`Deframer::feed`] found.
#[derive(Debug, PartialEq, Eq)]
pub enum Deframed<'f> {
    /// A whole frame with a good checksum: address, control, protocol and content, without flags,
    /// escapes and checksum.
    Frame(&'f [u8]),
    /// The line `NO CARRIER` in the place of a frame: the modem has ended the call.
    NoCarrier,
}

/// A parser that finds frames of at most `N` bytes, the two of the checksum included, in the bytes of a
/// UART.
///
/// `N` of 1508 holds a packet of 1500 bytes with an uncompressed header. Bytes before the first flag,
/// such as the rest of `CONNECT` and line ends, are dropped. A frame that is too long, aborted, or has
/// a bad checksum is dropped; it does not harm the next frame. The result does not depend on how the
/// bytes were cut into reads.
#[derive(Debug)]
pub struct Deframer<const N: usize> {
    frame: [u8; N],
    len: usize,
    sum: u16,
    state: State,
    /// The number of frames that were dropped, wrapping.
    dropped: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Waits for a flag: none was seen since the beginning, or since a frame was given up.
    Between,
    Inside,
    Escaped,
}

impl<const N: usize> Deframer<N> {
    /// Returns a parser that waits for the first flag.
    pub const fn new() -> Self {
        Self {
            frame: [0; N],
            len: 0,
            sum: 0xFFFF,
            state: State::Between,
            dropped: 0,
        }
    }

    /// Takes bytes up to the first one that completes something. Returns how many were taken, and what
    /// they completed. The caller feeds the rest next.
    pub fn feed(&mut self, bytes: &[u8]) -> (usize, Option<Deframed<'_>>) {
        for (at, &byte) in bytes.iter().enumerate() {
            match byte {
                FLAG => {
                    let len = self.end();
                    if len > 0 {
                        return (at + 1, Some(Deframed::Frame(&self.frame[..len])));
                    }
                }
                _ if self.state == State::Between => {}
                ESCAPE => self.state = State::Escaped,
                _ => {
                    self.put(byte);
                    if &self.frame[..self.len] == NO_CARRIER {
                        self.begin(State::Between);
                        return (at + 1, Some(Deframed::NoCarrier));
                    }
                }
            }
        }
        (bytes.len(), None)
    }

    /// Returns the number of frames that were dropped because they were damaged, aborted or too long.
    /// It wraps.
    pub fn dropped(&self) -> u32 {
        self.dropped
    }

    fn put(&mut self, byte: u8) {
        let byte = match self.state {
            State::Escaped => byte ^ 0x20,
            _ => byte,
        };
        if let Some(place) = self.frame.get_mut(self.len) {
            *place = byte;
            self.len += 1;
            self.sum = checksum(self.sum, byte);
            self.state = State::Inside;
        } else {
            self.dropped = self.dropped.wrapping_add(1);
            self.begin(State::Between);
        }
    }

    /// Returns the length of the frame that a flag has ended, without its checksum; 0 if there was no
    /// good one.
    fn end(&mut self) -> usize {
        let (len, sum, state) = (self.len, self.sum, self.state);
        self.begin(State::Inside);
        // A flag may end one frame and begin the next, and several flags in a row count as one.
        if len == 0 && state != State::Escaped {
            return 0;
        }
        // A flag behind an escape aborts a frame (RFC 1662, 4.3).
        if state == State::Escaped || sum != GOOD || len <= 2 {
            self.dropped = self.dropped.wrapping_add(1);
            return 0;
        }
        len - 2
    }

    fn begin(&mut self, state: State) {
        self.len = 0;
        self.sum = 0xFFFF;
        self.state = state;
    }
}

impl<const N: usize> Default for Deframer<N> {
    fn default() -> Self {
        Self::new()
    }
}

/// The form of frames, as LCP has agreed on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wire {
    /// The control characters that are escaped, a bit each (RFC 1662, 7.1).
    pub map: u32,
    /// Whether the address and control fields are left out.
    pub short_header: bool,
    /// Whether a protocol number below 256 is written as one byte.
    pub short_protocol: bool,
}

impl Wire {
    /// The form before LCP has agreed, and of LCP itself always: all control characters escaped,
    /// nothing left out.
    pub const DEFAULT: Self = Self {
        map: u32::MAX,
        short_header: false,
        short_protocol: false,
    };

    /// The form without escaped control characters and with all fields. A peer that has agreed to an
    /// empty map reads it.
    pub const PLAIN: Self = Self {
        map: 0,
        ..Self::DEFAULT
    };
}

/// An outgoing frame, written in pieces of any size.
#[derive(Debug)]
pub struct Framer<'p> {
    wire: Wire,
    /// Address, control and protocol. The fields that the form leaves out are skipped.
    head: [u8; 4],
    content: &'p [u8],
    at: usize,
    sum: u16,
    /// The second byte of an escape whose first byte filled the output.
    left: Option<u8>,
}

impl<'p> Framer<'p> {
    /// Returns the frame of a packet of this protocol.
    pub fn new(wire: Wire, protocol: u16, content: &'p [u8]) -> Self {
        let [high, low] = protocol.to_be_bytes();
        Self {
            wire,
            head: [0xFF, 0x03, high, low],
            content,
            at: 0,
            sum: 0xFFFF,
            left: None,
        }
    }

    /// Writes the next bytes, and returns how many; 0 when the whole frame is written.
    pub fn fill(&mut self, out: &mut [u8]) -> usize {
        let mut len = 0;
        while len < out.len() {
            let byte = match self.left.take() {
                Some(byte) => byte,
                None => match self.next() {
                    Some(Part::Raw(byte)) => byte,
                    Some(Part::Escaped(byte)) => {
                        self.left = Some(byte ^ 0x20);
                        ESCAPE
                    }
                    None => break,
                },
            };
            out[len] = byte;
            len += 1;
        }
        len
    }

    fn next(&mut self) -> Option<Part> {
        const HEAD: usize = 1;
        const CONTENT: usize = HEAD + 4;
        loop {
            let at = self.at;
            self.at += 1;
            let end = CONTENT + self.content.len();
            let byte = match at {
                0 => return Some(Part::Raw(FLAG)),
                1 | 2 if self.wire.short_header => continue,
                // An odd first byte means that the protocol number is one byte (RFC 1661, 6.5).
                3 if self.wire.short_protocol && self.head[2] == 0 && self.head[3] & 1 == 1 => {
                    continue;
                }
                HEAD..CONTENT => self.head[at - HEAD],
                _ if at < end => self.content[at - CONTENT],
                // The complement of the checksum, low byte first. It is stored before its own bytes are
                // added, so that they do not change it.
                _ if at == end => {
                    self.sum = !self.sum;
                    return Some(self.escape(self.sum as u8));
                }
                _ if at == end + 1 => return Some(self.escape((self.sum >> 8) as u8)),
                _ if at == end + 2 => return Some(Part::Raw(FLAG)),
                _ => {
                    self.at = at;
                    return None;
                }
            };
            self.sum = checksum(self.sum, byte);
            return Some(self.escape(byte));
        }
    }

    fn escape(&self, byte: u8) -> Part {
        let control = byte < 0x20 && self.wire.map >> byte & 1 == 1;
        if control || matches!(byte, FLAG | ESCAPE) {
            Part::Escaped(byte)
        } else {
            Part::Raw(byte)
        }
    }
}

enum Part {
    Raw(u8),
    Escaped(u8),
}

#[cfg(test)]
mod tests {
    extern crate std;
    use proptest::prelude::*;
    use std::vec;
    use std::vec::Vec;

    use super::*;

    fn framed(wire: Wire, protocol: u16, content: &[u8], room: usize) -> Vec<u8> {
        let mut framer = Framer::new(wire, protocol, content);
        let mut out = Vec::new();
        loop {
            let mut part = vec![0; room];
            match framer.fill(&mut part) {
                0 => return out,
                count => out.extend_from_slice(&part[..count]),
            }
        }
    }

    fn frames<const N: usize>(reader: &mut Deframer<N>, mut bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        while !bytes.is_empty() {
            let (count, found) = reader.feed(bytes);
            if let Some(Deframed::Frame(frame)) = found {
                all.push(frame.to_vec());
            }
            bytes = &bytes[count..];
        }
        all
    }

    #[test]
    fn a_frame_of_ubxlib_has_the_checksum_that_it_prints() {
        // Sheet B.3: a Terminate-Request "User request", whose checksum is printed there as `S3`.
        let content = b"\x05\x02\x00\x10User request";
        let wire = framed(Wire::DEFAULT, 0xC021, content, 7);
        assert_eq!(
            wire,
            b"\x7E\xFF\x7D\x23\xC0\x21\x7D\x25\x7D\x22\x7D\x20\x7D\x30User requestS3\x7E"
        );
    }

    #[test]
    fn rest_of_the_dial_and_noise_before_the_first_flag_are_dropped() {
        let mut reader = Deframer::<64>::new();
        let mut bytes = b"CT\r\n".to_vec();
        bytes.extend(framed(Wire::DEFAULT, 0xC021, b"\x01\x01\x00\x04", 64));
        assert_eq!(
            frames(&mut reader, &bytes),
            [b"\xFF\x03\xC0\x21\x01\x01\x00\x04"]
        );
        assert_eq!(reader.dropped(), 0);
    }

    #[test]
    fn no_carrier_is_heard_where_a_frame_would_begin_and_never_inside_one() {
        let mut reader = Deframer::<64>::new();
        assert_eq!(
            reader.feed(b"\x7E\r\nNO CARRIER\r\nAT").1,
            Some(Deframed::NoCarrier)
        );
        let content = b"\x45\r\nNO CARRIER\r\n";
        let wire = Wire {
            map: 0,
            short_header: true,
            short_protocol: true,
        };
        let mut reader = Deframer::<64>::new();
        let bytes = framed(wire, 0x21, content, 64);
        assert!(bytes.windows(14).any(|part| part == NO_CARRIER));
        assert_eq!(frames(&mut reader, &bytes), [b"\x21\x45\r\nNO CARRIER\r\n"]);
    }

    #[test]
    fn an_aborted_and_a_long_frame_cost_themselves_alone() {
        let good = framed(Wire::DEFAULT, 0x21, &[7; 20], 64);
        let long = framed(Wire::DEFAULT, 0x21, &[7; 61], 64);
        let mut bytes = b"\x7E\xFF\x03\x00\x21\x45\x7D".to_vec();
        bytes.extend_from_slice(&good);
        bytes.extend_from_slice(&long);
        bytes.extend_from_slice(&good);
        let mut reader = Deframer::<64>::new();
        assert_eq!(frames(&mut reader, &bytes).len(), 2);
        assert_eq!(reader.dropped(), 2);
    }

    #[test]
    fn the_longest_frame_fits_and_one_byte_more_does_not() {
        for (len, count) in [(58, 1), (59, 0)] {
            let mut reader = Deframer::<64>::new();
            let bytes = framed(Wire::DEFAULT, 0x21, &vec![1; len], 64);
            assert_eq!(frames(&mut reader, &bytes).len(), count, "{len}");
        }
    }

    #[test]
    fn with_no_control_character_to_escape_random_bytes_grow_by_less_than_a_hundredth() {
        let wire = Wire {
            map: 0,
            short_header: true,
            short_protocol: true,
        };
        let mut seed = 1_u32;
        let content: Vec<u8> = (0..60_000)
            .map(|_| {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (seed >> 24) as u8
            })
            .collect();
        let bytes: usize = content
            .chunks(1500)
            .map(|part| framed(wire, 0x21, part, 256).len())
            .sum();
        // 60 KB in frames of 1500: 5 bytes of framing each (flags, protocol, checksum).
        let escapes = bytes - content.len() - 40 * 5;
        assert!(escapes * 100 < content.len(), "{escapes}");
    }

    proptest! {
        #[test]
        fn what_is_framed_is_found_however_it_is_cut(
            contents in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..80), 1..6),
            map in any::<u32>(),
            short_header: bool,
            short_protocol: bool,
            room in 1..20_usize,
            cut in 1..30_usize,
        ) {
            let wire = Wire { map, short_header, short_protocol };
            let mut bytes = Vec::new();
            for content in &contents {
                bytes.extend(framed(wire, 0x0021, content, room));
            }
            for control in 0..0x20 {
                prop_assert!(map >> control & 1 == 0 || !bytes.contains(&control));
            }
            let mut reader = Deframer::<128>::new();
            let mut found = Vec::new();
            for part in bytes.chunks(cut) {
                found.extend(frames(&mut reader, part));
            }
            prop_assert_eq!(found.len(), contents.len());
            for (frame, content) in found.iter().zip(&contents) {
                prop_assert!(frame.ends_with(content));
            }
        }

        #[test]
        fn one_bad_byte_costs_at_most_two_frames(at in 0..900_usize, bit in 0..8) {
            // Two, when the bit destroys the flag between them, or makes a new one.
            let one = framed(Wire::DEFAULT, 0x21, &[9; 80], 256);
            let mut bytes: Vec<u8> = (0..10).flat_map(|_| one.clone()).collect();
            let at = at % bytes.len();
            bytes[at] ^= 1_u8 << bit;
            let mut reader = Deframer::<128>::new();
            let whole = frames(&mut reader, &bytes)
                .iter()
                .filter(|frame| frame.len() == 84)
                .count();
            prop_assert!(whole >= 9, "{} whole frames", whole);
        }

        #[test]
        fn any_bytes_are_taken(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let mut reader = Deframer::<64>::new();
            for frame in frames(&mut reader, &bytes) {
                prop_assert!(!frame.is_empty() && frame.len() <= 62);
            }
        }
    }
}
