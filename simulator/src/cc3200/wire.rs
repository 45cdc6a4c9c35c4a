//! Messages as bytes, and arguments out of them (sheet 3.1, 3.2).

/// The sync word in front of a command, behind four bytes that only a UART has.
pub(super) const COMMAND_SYNC: [u8; 4] = [0x21, 0x43, 0x34, 0x12];
const MESSAGE_SYNC: [u8; 4] = [0xba, 0xdc, 0xcd, 0xab];

/// What stands in each header.
#[derive(Clone, Copy)]
pub(super) struct Head {
    pub(super) pool: u8,
    pub(super) status: u8,
    pub(super) failed: u16,
    pub(super) non_blocking: u16,
}

/// What one buffer takes.
pub(super) const BUFFER: u16 = 1464;

pub(super) fn message(opcode: u16, head: Head, payload: &[u8]) -> Vec<u8> {
    let mut bytes = MESSAGE_SYNC.to_vec();
    bytes.extend(opcode.to_le_bytes());
    bytes.extend((payload.len() as u16 + 8).to_le_bytes());
    bytes.extend([head.pool, head.status]);
    bytes.extend(BUFFER.to_le_bytes());
    bytes.extend(head.failed.to_le_bytes());
    bytes.extend(head.non_blocking.to_le_bytes());
    bytes.extend(payload);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

/// The message that the chip is dead, whose header is short.
pub(super) fn abort(kind: u32) -> Vec<u8> {
    let mut bytes = MESSAGE_SYNC.to_vec();
    bytes.extend([0x0c, 0, 8, 0]);
    bytes.extend(kind.to_le_bytes());
    bytes.extend([0; 4]);
    bytes
}

/// Reads fields off the front; what is missing is 0.
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

    /// Up to a NUL.
    pub(super) fn text(&mut self) -> String {
        let end = self.0.iter().position(|byte| *byte == 0);
        let text = self.take(end.unwrap_or(self.0.len()));
        String::from_utf8_lossy(text).into_owned()
    }
}
