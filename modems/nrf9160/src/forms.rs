//! Which form carries which bytes to `#XSEND`: plain functions of the bytes alone, so that payload is never a
//! command, whatever becomes of pauses on the way (sheet 3, 3.1, 4.4).

/// How a piece of payload is handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// A string in quotes. The modem tells how much of it was sent.
    Text,
    /// Hex digits in quotes, which tell the same (SM).
    Hex,
    /// Data mode of an announced length (SM).
    Counted,
    /// Data mode that `+++` ends (SLM).
    Data,
}

/// What a firmware makes of payload in data mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ways {
    /// SLM: `+++` ends it, up to 2.4 at the end of what is sent in one go, from 2.5 on anywhere and in spite of
    /// pauses. Up to 2.4 a send that fails ends it too, and what of the payload comes then is a command.
    Ends,
    /// SM: the length is announced. After a send that fails it is forgotten, and `+++` in the rest ends it.
    Counts,
}

/// The beginning of what is to be sent, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) form: Form,
    pub(crate) len: usize,
}

/// TRAP, sheet 3: a run of so many ends data mode wherever a pause falls; and so may fewer of them, when the
/// driver's own follow.
const TERMINATOR: usize = 3;

/// Whether it may stand in a quoted string: Nordic excludes commas too (sheet 4.4).
const fn is_plain(byte: u8) -> bool {
    matches!(byte, 0x20..=0x7e) && !matches!(byte, b'"' | b',')
}

/// The first piece of `bytes`, which are all that is to be sent; empty only if they are.
///
/// A piece for data mode holds no `+++` and, but for one of announced length, ends in no `+`, which could
/// become the beginning of the driver's own terminator should the pause in front of that be lost. No rest of
/// it begins like a command: a modem that restarts takes for one what RTS held back, and SLM
/// up to 2.4 what follows a send that failed. What cannot be sent so is plain text.
pub(crate) fn first_piece(ways: Ways, bytes: impl Iterator<Item = u8>) -> Piece {
    let mut len = 0;
    // So many at the beginning are plain.
    let mut plain = 0;
    // The `+` in a row that end here.
    let mut row = 0;
    let mut line = Line::default();
    // Where a run of `+` begins, and where what is in front of it would become a command.
    let mut run = None;
    let mut command = None;
    for byte in bytes {
        if plain == len && is_plain(byte) {
            plain += 1;
        }
        row = if byte == b'+' { row + 1 } else { 0 };
        if row == TERMINATOR {
            run = run.or(Some(len + 1 - TERMINATOR));
        }
        if line.begins_command(byte) {
            command = command.or(Some(len));
        }
        line.add(byte);
        len += 1;
        // Nothing behind a border matters, but how far plain text goes; of hex there is none.
        let bordered = command.is_some() || run.is_some() && ways != Ways::Counts;
        if bordered && plain < len {
            break;
        }
    }
    if plain == len {
        return Piece {
            form: Form::Text,
            len,
        };
    }
    let (form, data) = match (ways, run, command) {
        (Ways::Counts, Some(run), border) if border.is_none_or(|border| run < border) => {
            return Piece {
                form: Form::Hex,
                len,
            };
        }
        (Ways::Counts, _, border) => (Form::Counted, border.unwrap_or(len)),
        (Ways::Ends, Some(run), Some(command)) => (Form::Data, run.min(command)),
        (Ways::Ends, run, command) => (Form::Data, run.or(command).unwrap_or(len - row)),
    };
    if data > plain {
        Piece { form, len: data }
    } else {
        Piece {
            form: Form::Text,
            len: plain,
        }
    }
}

/// What a character may be of a command's beginning.
const OTHER: u32 = 0;
const A: u32 = 1;
const T: u32 = 2;
/// Two bits each.
const REMEMBERED: u8 = 16;

/// The last characters of a command line, were it one: as the line editor of the firmware leaves them, for which 8
/// and 127 delete the one before (sheet 1.4).
#[derive(Default)]
struct Line {
    /// The last one in the lowest bits.
    kinds: u32,
    known: u8,
    /// There were more than can be remembered.
    more: bool,
}

impl Line {
    fn add(&mut self, byte: u8) {
        let kind = match byte {
            0x08 | 0x7f => {
                self.kinds >>= 2;
                self.known = self.known.saturating_sub(1);
                return;
            }
            b'A' | b'a' => A,
            b'T' | b't' => T,
            _ => OTHER,
        };
        self.kinds = self.kinds << 2 | kind;
        if self.known < REMEMBERED {
            self.known += 1;
        } else {
            self.more = true;
        }
    }

    /// Whether `next` would make a command of `AT` in front of it. What was forgotten may be anything.
    fn begins_command(&self, next: u8) -> bool {
        matches!(next, b'+' | b'%' | b'#' | b'\r' | b'\n' | 0)
            && match self.known {
                0 => self.more,
                1 => self.more && self.kinds == T,
                _ => self.kinds & 0b1111 == A << 2 | T,
            }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::vec::Vec;

    use super::*;

    const ALL: [Ways; 2] = [Ways::Ends, Ways::Counts];

    fn pieces(ways: Ways, mut bytes: &[u8]) -> Vec<(Form, &[u8])> {
        let mut found = Vec::new();
        while !bytes.is_empty() {
            let piece = first_piece(ways, bytes.iter().copied());
            assert!(piece.len > 0, "{ways:?} {bytes:?}");
            found.push((piece.form, &bytes[..piece.len]));
            bytes = &bytes[piece.len..];
        }
        found
    }

    #[test]
    fn plain_text_is_a_string() {
        for ways in ALL {
            for text in [&b"hello"[..], b"+", b"++++++", b"a+++b", b"AT+CFUN=0"] {
                assert_eq!(pieces(ways, text), [(Form::Text, text)]);
            }
        }
        for binary in [&b"a,b"[..], b"\"", b"\0", b"\r\n", b"\x7f", b"\x80"] {
            assert_eq!(pieces(Ways::Ends, binary), [(Form::Data, binary)]);
            assert_eq!(pieces(Ways::Counts, binary), [(Form::Counted, binary)]);
        }
    }

    #[test]
    fn runs_of_plus_are_strings_or_hex() {
        let runs = pieces(Ways::Ends, b"\0++\x01+++++abc\x02+++");
        assert_eq!(
            runs,
            [
                (Form::Data, &b"\0++\x01"[..]),
                (Form::Text, b"+++++abc"),
                (Form::Data, b"\x02"),
                (Form::Text, b"+++"),
            ]
        );
        // The pause in front of the terminator may be lost.
        assert_eq!(
            pieces(Ways::Ends, b"\0++"),
            [(Form::Data, &b"\0"[..]), (Form::Text, b"++")]
        );
        assert_eq!(
            pieces(Ways::Ends, b"ab+++\0"),
            [(Form::Text, &b"ab+++"[..]), (Form::Data, b"\0")]
        );
        assert_eq!(
            pieces(Ways::Counts, b"\0++"),
            [(Form::Counted, &b"\0++"[..])]
        );
        assert_eq!(pieces(Ways::Counts, b"\0+++"), [(Form::Hex, &b"\0+++"[..])]);
    }

    /// A restart, and up to 2.4 a send that fails, makes the next byte the first of a command line.
    #[test]
    fn no_rest_of_a_piece_is_a_command() {
        assert_eq!(
            pieces(Ways::Ends, b"\0\r\nat+CFUN=0\r\nAT\r\n"),
            [
                (Form::Data, &b"\0\r\nat"[..]),
                (Form::Data, b"+CFUN=0\r\nAT"),
                (Form::Data, b"\r\n"),
            ]
        );
        // Deleted by the line editor.
        let corrected = b"\0Axy\x08\x7fT%X\r\n";
        assert_eq!(
            pieces(Ways::Ends, corrected),
            [(Form::Data, &corrected[..7]), (Form::Data, &corrected[7..])]
        );
        let far = [&b"\0AT"[..], &[b'x'; 40], &[8; 40], b"#X\r\n"].concat();
        assert_eq!(pieces(Ways::Ends, &far)[0].1.len(), 83);
        for harmless in [
            &b"\0data, thaw\r\n"[..],
            b"\0A\x08T+",
            b"\0ATx\r\n",
            b"\0T+\r\n",
        ] {
            let joined = pieces(Ways::Ends, harmless);
            let data = |piece: &&(Form, &[u8])| piece.0 == Form::Data;
            assert_eq!(joined.iter().filter(data).count(), 1, "{joined:?}");
        }
        assert_eq!(
            pieces(Ways::Counts, b"\0AT+CFUN=0\r\n+++"),
            [
                (Form::Counted, &b"\0AT"[..]),
                (Form::Hex, b"+CFUN=0\r\n+++"),
            ]
        );
    }

    /// As the line editor would have it, by the plainest means.
    fn edited(bytes: &[u8]) -> Vec<u8> {
        let mut line = Vec::new();
        for byte in bytes {
            match byte {
                8 | 127 => drop(line.pop()),
                byte => line.push(byte.to_ascii_uppercase()),
            }
        }
        line
    }

    #[test]
    fn whatever_the_bytes_are() {
        let mut seed = 1_u32;
        let mut below = |limit: u32| {
            seed ^= seed << 13;
            seed ^= seed >> 17;
            seed ^= seed << 5;
            (seed % limit) as usize
        };
        for _ in 0..2_000 {
            let alphabet = b"++++AaTt\r\n\x08\x7f%#\0,\"xyz";
            let len = below(60);
            let bytes: Vec<u8> = (0..len)
                .map(|_| alphabet[below(alphabet.len() as u32)])
                .collect();
            for ways in ALL {
                let pieces = pieces(ways, &bytes);
                let whole: Vec<u8> = pieces
                    .iter()
                    .flat_map(|(_, piece)| *piece)
                    .copied()
                    .collect();
                assert_eq!(whole, bytes);
                for (form, piece) in pieces {
                    let runs = piece.windows(3).any(|three| three == b"+++");
                    match form {
                        Form::Text => assert!(piece.iter().all(|byte| is_plain(*byte))),
                        Form::Hex => assert_eq!(ways, Ways::Counts),
                        Form::Counted => assert!(ways == Ways::Counts && !runs, "{piece:?}"),
                        Form::Data => {
                            assert!(ways != Ways::Counts && !runs, "{piece:?}");
                            assert_ne!(piece.last(), Some(&b'+'), "{piece:?}");
                        }
                    }
                    if matches!(form, Form::Data | Form::Counted) {
                        for cut in 0..piece.len() {
                            for end in cut..=piece.len() {
                                let line = edited(&piece[cut..end]);
                                let command = line.windows(3).any(|three| {
                                    three.starts_with(b"AT") && b"+%#\r\n\0".contains(&three[2])
                                });
                                assert!(!command, "{piece:?}");
                            }
                        }
                    }
                }
            }
        }
    }
}
