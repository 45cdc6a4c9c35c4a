//! The encoder of messages, and the reader of commands' arguments (sheet 3.1, 3.2).

use super::generation::NwpGeneration;

/// The sync word in front of a command; on a UART four more bytes stand before it.
pub(super) const COMMAND_SYNC: [u8; 4] = [0x21, 0x43, 0x34, 0x12];
/// The sync word in front of a message on a UART.
pub(super) const MESSAGE_SYNC: [u8; 4] = [0xba, 0xdc, 0xcd, 0xab];

/// The opcode of the message that the chip has started.
pub(super) const INIT_COMPLETE: u16 = 0x0008;
/// The opcode of the message that only carries the number of free buffers.
pub(super) const COUNT_ONLY: u16 = 0x0063;

/// The fields of each header.
#[derive(Clone, Copy)]
pub(super) struct Head {
    pub(super) pool: u8,
    pub(super) status: u8,
    pub(super) failed: u16,
    pub(super) non_blocking: u16,
}

/// Returns the bytes of a message with the header of this generation (sheet 3.2).
pub(super) fn message(
    generation: NwpGeneration,
    opcode: u16,
    head: Head,
    payload: &[u8],
) -> Vec<u8> {
    let mut rest = vec![head.pool, head.status];
    match generation {
        NwpGeneration::First if opcode == INIT_COMPLETE => {
            // The count of buffers and the bits of sockets are not valid here.
            rest = vec![0xff, 0xff, 0, 0];
        }
        NwpGeneration::First => rest.extend([head.failed as u8, head.non_blocking as u8]),
        NwpGeneration::Second => {
            rest.extend(generation.facts().buffer.to_le_bytes());
            rest.extend(head.failed.to_le_bytes());
            rest.extend(head.non_blocking.to_le_bytes());
        }
    }
    let mut bytes = MESSAGE_SYNC.to_vec();
    bytes.extend(opcode.to_le_bytes());
    bytes.extend(((rest.len() + payload.len()) as u16).to_le_bytes());
    bytes.extend(rest);
    bytes.extend(payload);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

/// Returns the abort message, whose header is short.
pub(super) fn abort(kind: u32) -> Vec<u8> {
    let mut bytes = MESSAGE_SYNC.to_vec();
    bytes.extend([0x0c, 0, 8, 0]);
    bytes.extend(kind.to_le_bytes());
    bytes.extend([0; 4]);
    bytes
}

/// A reader of fields from the front of `0`; missing bytes count as 0.
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Fields<'a> {
    pub(super) fn take(&mut self, count: usize) -> &'a [u8] {
        let (now, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        now
    }

    pub(super) fn u8(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or(0)
    }

    pub(super) fn u16(&mut self) -> u16 {
        u16::from(self.u8()) | u16::from(self.u8()) << 8
    }

    pub(super) fn u32(&mut self) -> u32 {
        u32::from(self.u16()) | u32::from(self.u16()) << 16
    }

    /// Returns the text up to a NUL.
    pub(super) fn text(&mut self) -> String {
        let end = self.0.iter().position(|byte| *byte == 0);
        let text = self.take(end.unwrap_or(self.0.len()));
        String::from_utf8_lossy(text).into_owned()
    }
}

#[cfg(test)]
#[path = "../../../modems/cc3200/src/nwp/vectors.rs"]
mod vectors;

#[cfg(test)]
mod tests {
    use super::vectors::{FIRST, SECOND, Vector, hex};
    use super::*;

    /// Compares every message of sheet 3.7, as it is on a UART.
    fn check(generation: NwpGeneration, pool: u8, vectors: &[Vector]) {
        for vector in vectors {
            let mut expected = hex(vector.bytes);
            expected[0] = 0xba;
            let head = Head {
                pool,
                // Not before it has started.
                status: u8::from(vector.opcode != INIT_COMPLETE),
                failed: 0,
                non_blocking: 0,
            };
            let message = message(generation, vector.opcode, head, &hex(vector.payload));
            assert_eq!(message, expected, "{:04x}", vector.opcode);
        }
    }

    #[test]
    fn messages_of_the_first_generation_are_those_of_the_sheet() {
        assert_eq!(FIRST.len(), 14);
        check(NwpGeneration::First, 10, FIRST);
    }

    #[test]
    fn messages_of_the_second_generation_are_those_of_the_sheet() {
        assert_eq!(SECOND.len(), 18);
        check(NwpGeneration::Second, 15, SECOND);
    }

    #[test]
    fn numbers_of_the_first_generation_are_those_of_the_sheet() {
        let first = |code| NwpGeneration::First.code(code);
        for (second, expected) in [
            (-10_341, -11),
            (-10_365, -50),
            (-655, -155),
            (-722, -222),
            (-453, -453),
            (-340, -340),
            (0, 0),
            (17, 17),
        ] {
            assert_eq!(first(second), expected);
            assert_eq!(NwpGeneration::Second.code(second), second);
        }
    }
}
