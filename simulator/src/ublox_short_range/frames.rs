//! Frames of extended data mode, to and from the host (sheet A.5).

use std::collections::VecDeque;

const START: u8 = 0xaa;
const END: u8 = 0x55;

pub(super) const CONNECT: u16 = 0x0011;
pub(super) const DISCONNECT: u16 = 0x0021;
pub(super) const DATA_EVENT: u16 = 0x0031;
pub(super) const DATA_COMMAND: u16 = 0x0036;
pub(super) const AT_EVENT: u16 = 0x0041;
pub(super) const AT_REQUEST: u16 = 0x0044;
pub(super) const AT_CONFIRMATION: u16 = 0x0045;
pub(super) const RESEND: u16 = 0x0056;
pub(super) const STARTED: u16 = 0x0071;

pub(super) fn frame(kind: u16, body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u16 + 2).to_be_bytes();
    [&[START], &length[..], &kind.to_be_bytes(), body, &[END]].concat()
}

/// A parser of the host's frames, with the bytes in which it has found none yet.
#[derive(Default)]
pub(super) struct Reader(VecDeque<u8>);

impl Reader {
    /// Takes a byte; returns the frame that it completes. Bytes between frames are dropped. If the end
    /// of a frame is wrong, its beginning was none.
    pub(super) fn push(&mut self, byte: u8) -> Option<(u16, Vec<u8>)> {
        self.0.push_back(byte);
        loop {
            while self.0.front().is_some_and(|&byte| byte != START) {
                self.0.pop_front();
            }
            let (&high, &low) = (self.0.get(1)?, self.0.get(2)?);
            let length = usize::from(high & 0x0f) << 8 | usize::from(low);
            if length < 2 {
                self.0.pop_front();
                continue;
            }
            let &end = self.0.get(length + 3)?;
            if end != END {
                self.0.pop_front();
                continue;
            }
            let bytes: Vec<u8> = self.0.drain(..length + 4).collect();
            let kind = u16::from_be_bytes([bytes[3], bytes[4]]);
            return Some((kind, bytes[5..length + 3].to_vec()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Vec<(u16, Vec<u8>)> {
        let mut reader = Reader::default();
        bytes.iter().filter_map(|&byte| reader.push(byte)).collect()
    }

    /// Sheet A.5.
    #[test]
    fn vectors() {
        assert_eq!(frame(STARTED, b""), [0xaa, 0, 2, 0, 0x71, 0x55]);
        assert_eq!(
            frame(DATA_EVENT, &[3, 0x12, 0x34]),
            [0xaa, 0, 5, 0, 0x31, 3, 0x12, 0x34, 0x55]
        );
        assert_eq!(
            read(b"\xaa\x00\x06\x00\x44AT\r\n\x55"),
            [(AT_REQUEST, b"AT\r\n".to_vec())]
        );
    }

    #[test]
    fn noise_and_a_broken_frame_are_skipped() {
        let whole = frame(AT_REQUEST, b"AT\r");
        assert_eq!(read(&[b"\r\n+++ATE0\r", &whole[..]].concat()).len(), 1);
        let mut short = frame(DATA_COMMAND, b"\x05hello");
        short.remove(7);
        // The first bytes up to where it would have ended are lost; the next frame is found.
        assert_eq!(read(&[&short[..], &whole, &whole].concat()).len(), 2);
    }
}
