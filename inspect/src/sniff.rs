/// Enough to tell DER from text: a credential is a SEQUENCE, and within its first four bytes stands a
/// length above 127 or the tag or length of a small element, none of which is a printable character.
const ENOUGH: usize = 4;

/// Tells the container by the first bytes.
#[derive(Clone, Copy)]
pub(super) struct Sniffer {
    bytes: [u8; ENOUGH],
    len: u8,
}

#[derive(Clone, Copy)]
pub(super) enum Guess {
    /// Of UTF-8 or UTF-16.
    ByteOrderMark,
    Der,
    /// An object, an array or a string of it.
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

    /// A guess, once there are enough bytes for one.
    pub(super) fn push(&mut self, byte: u8) -> Option<Guess> {
        if let Some(free) = self.bytes.get_mut(usize::from(self.len)) {
            *free = byte;
            self.len += 1;
        }
        (usize::from(self.len) == ENOUGH).then(|| self.guess())
    }

    /// The bytes held back until now.
    pub(super) fn seen(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }

    /// The best guess from what there is.
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
