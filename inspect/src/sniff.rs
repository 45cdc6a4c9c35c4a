/// The number of bytes that are enough to tell DER from text: a credential is a SEQUENCE, and its first four bytes have a
/// length above 127, or the tag or length of a small element, none of which is a printable character.
const ENOUGH: usize = 4;

/// A guesser of the container by the first bytes of the content.
#[derive(Clone, Copy)]
pub(super) struct Sniffer {
    bytes: [u8; ENOUGH],
    len: u8,
}

#[derive(Clone, Copy)]
pub(super) enum Guess {
    /// A byte order mark of UTF-8 or UTF-16.
    ByteOrderMark,
    Der,
    /// A JSON object, array or string.
    Json,
    Text,
}

impl Sniffer {
    pub(super) const fn new() -> Self {
        Self {
            bytes: [0; ENOUGH],
            len: 0,
        }
    }

    /// Takes a byte, and returns a guess once there are enough bytes for one.
    pub(super) fn push(&mut self, byte: u8) -> Option<Guess> {
        if let Some(free) = self.bytes.get_mut(usize::from(self.len)) {
            *free = byte;
            self.len += 1;
        }
        (usize::from(self.len) == ENOUGH).then(|| self.guess())
    }

    /// Returns the bytes so far.
    pub(super) fn seen(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }

    /// Returns the best guess from the bytes so far.
    pub(super) fn guess(&self) -> Guess {
        match self.seen() {
            [0xef, 0xbb, 0xbf, ..] | [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Guess::ByteOrderMark,
            [0x30, rest @ ..] if rest.iter().any(|byte| !is_text(*byte)) => Guess::Der,
            seen => match seen.trim_ascii_start() {
                [b'{' | b'[' | b'"', ..] => Guess::Json,
                _ => Guess::Text,
            },
        }
    }
}

fn is_text(byte: u8) -> bool {
    byte.is_ascii_graphic() || matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}
