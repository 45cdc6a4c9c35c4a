//! The form in which `#XSEND` carries a piece of payload. The functions look at the bytes alone, so
//! that payload never becomes a command, whatever happens to pauses on the way (sheet 3, 3.1, 4.4).

/// The form in which a piece of payload is handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// A string in quotes. The modem reports how much of it was sent.
    Text,
    /// Hex digits in quotes. The modem reports how much of it was sent (SM).
    Hex,
    /// Data mode of an announced length (SM).
    Counted,
    /// Data mode that is ended by `+++` (SLM).
    Data,
}

/// The mark by which the firmware finds the end of payload in data mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DataEnd {
    /// By `+++` (SLM): up to 2.4 at the end of what is sent in one go, from 2.5 on anywhere and in
    /// spite of pauses. Up to 2.4 a send that fails ends data mode, too, and the payload that follows
    /// becomes commands.
    Terminator,
    /// By the announced length (SM). After a send that fails the length is forgotten, and a `+++` in
    /// the rest ends data mode.
    Length,
}

/// The first piece of what is to be sent, and its form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) form: Form,
    pub(crate) len: usize,
}

/// The number of `+` in a row that end data mode. TRAP, sheet 3: they do so wherever a pause falls, and
/// fewer of them may when the driver's own terminator follows.
const TERMINATOR: usize = 3;

/// Returns whether a byte may stand in a quoted string: Nordic excludes commas, too (sheet 4.4).
const fn is_plain(byte: u8) -> bool {
    matches!(byte, 0x20..=0x7e) && !matches!(byte, b'"' | b',')
}

/// Returns the first piece of `bytes`, which are all that is to be sent. It is empty only if `bytes`
/// is.
///
/// A piece for data mode contains no `+++`. Unless its length is announced, it does not end in `+`
/// either, which could become the beginning of the driver's own terminator if the pause before that is
/// lost. No part of the piece begins like a command: a modem that restarts takes the bytes that RTS
/// held back for commands, and SLM up to 2.4 those behind a failed send. Bytes that cannot be sent so
/// are plain text and go as a string.
pub(crate) fn first_piece(data_end: DataEnd, bytes: impl Iterator<Item = u8>) -> Piece {
    let mut len = 0;
    // The number of plain bytes at the beginning.
    let mut plain = 0;
    // The length of the run of `+` that ends here.
    let mut row = 0;
    let mut line = Line::default();
    // The start of the first run of `+`, and the place where the bytes before it would become a
    // command.
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
        // Behind a border only the extent of plain text matters; hex has no border.
        let bordered = command.is_some() || run.is_some() && data_end != DataEnd::Length;
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
    let (form, data) = match (data_end, run, command) {
        (DataEnd::Length, Some(run), border) if border.is_none_or(|border| run < border) => {
            return Piece {
                form: Form::Hex,
                len,
            };
        }
        (DataEnd::Length, _, border) => (Form::Counted, border.unwrap_or(len)),
        (DataEnd::Terminator, Some(run), Some(command)) => (Form::Data, run.min(command)),
        (DataEnd::Terminator, run, command) => (Form::Data, run.or(command).unwrap_or(len - row)),
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

// The kinds of characters that matter for the beginning of a command.
const OTHER: u32 = 0;
const A: u32 = 1;
const T: u32 = 2;
/// The number of characters that fit into `Line::kinds`, two bits each.
const REMEMBERED: u8 = 16;

/// The last characters of the payload if it were a command line, as the firmware's line editor would
/// leave them: 8 and 127 delete the character before (sheet 1.4).
#[derive(Default)]
struct Line {
    /// The kinds of the last characters, the newest in the lowest bits.
    kinds: u32,
    /// How many kinds are known.
    known: u8,
    /// There were more characters than can be remembered.
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

    /// Returns whether `next` would complete the beginning of a command with an `AT` before it. A
    /// character that was forgotten counts as any.
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

    const ALL: [DataEnd; 2] = [DataEnd::Terminator, DataEnd::Length];

    fn pieces(data_end: DataEnd, mut bytes: &[u8]) -> Vec<(Form, &[u8])> {
        let mut found = Vec::new();
        while !bytes.is_empty() {
            let piece = first_piece(data_end, bytes.iter().copied());
            assert!(piece.len > 0, "{data_end:?} {bytes:?}");
            found.push((piece.form, &bytes[..piece.len]));
            bytes = &bytes[piece.len..];
        }
        found
    }

    #[test]
    fn plain_text_is_a_string() {
        for data_end in ALL {
            for text in [&b"hello"[..], b"+", b"++++++", b"a+++b", b"AT+CFUN=0"] {
                assert_eq!(pieces(data_end, text), [(Form::Text, text)]);
            }
        }
        for binary in [&b"a,b"[..], b"\"", b"\0", b"\r\n", b"\x7f", b"\x80"] {
            assert_eq!(pieces(DataEnd::Terminator, binary), [(Form::Data, binary)]);
            assert_eq!(pieces(DataEnd::Length, binary), [(Form::Counted, binary)]);
        }
    }

    #[test]
    fn runs_of_plus_are_strings_or_hex() {
        let runs = pieces(DataEnd::Terminator, b"\0++\x01+++++abc\x02+++");
        assert_eq!(
            runs,
            [
                (Form::Data, &b"\0++\x01"[..]),
                (Form::Text, b"+++++abc"),
                (Form::Data, b"\x02"),
                (Form::Text, b"+++"),
            ]
        );
        // The pause in front of the driver's terminator may be lost.
        assert_eq!(
            pieces(DataEnd::Terminator, b"\0++"),
            [(Form::Data, &b"\0"[..]), (Form::Text, b"++")]
        );
        assert_eq!(
            pieces(DataEnd::Terminator, b"ab+++\0"),
            [(Form::Text, &b"ab+++"[..]), (Form::Data, b"\0")]
        );
        assert_eq!(
            pieces(DataEnd::Length, b"\0++"),
            [(Form::Counted, &b"\0++"[..])]
        );
        assert_eq!(
            pieces(DataEnd::Length, b"\0+++"),
            [(Form::Hex, &b"\0+++"[..])]
        );
    }

    /// A restart, and up to 2.4 a failed send, makes the next byte the first of a command line.
    #[test]
    fn no_rest_of_a_piece_is_a_command() {
        assert_eq!(
            pieces(DataEnd::Terminator, b"\0\r\nat+CFUN=0\r\nAT\r\n"),
            [
                (Form::Data, &b"\0\r\nat"[..]),
                (Form::Data, b"+CFUN=0\r\nAT"),
                (Form::Data, b"\r\n"),
            ]
        );
        // The line editor deletes what precedes 8 and 127.
        let corrected = b"\0Axy\x08\x7fT%X\r\n";
        assert_eq!(
            pieces(DataEnd::Terminator, corrected),
            [(Form::Data, &corrected[..7]), (Form::Data, &corrected[7..])]
        );
        let far = [&b"\0AT"[..], &[b'x'; 40], &[8; 40], b"#X\r\n"].concat();
        assert_eq!(pieces(DataEnd::Terminator, &far)[0].1.len(), 83);
        for harmless in [
            &b"\0data, thaw\r\n"[..],
            b"\0A\x08T+",
            b"\0ATx\r\n",
            b"\0T+\r\n",
        ] {
            let joined = pieces(DataEnd::Terminator, harmless);
            let data = |piece: &&(Form, &[u8])| piece.0 == Form::Data;
            assert_eq!(joined.iter().filter(data).count(), 1, "{joined:?}");
        }
        assert_eq!(
            pieces(DataEnd::Length, b"\0AT+CFUN=0\r\n+++"),
            [
                (Form::Counted, &b"\0AT"[..]),
                (Form::Hex, b"+CFUN=0\r\n+++"),
            ]
        );
    }

    /// A plain model of the line editor.
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
    fn no_piece_of_random_payload_can_become_a_command() {
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
            for data_end in ALL {
                let pieces = pieces(data_end, &bytes);
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
                        Form::Hex => assert_eq!(data_end, DataEnd::Length),
                        Form::Counted => assert!(data_end == DataEnd::Length && !runs, "{piece:?}"),
                        Form::Data => {
                            assert!(data_end != DataEnd::Length && !runs, "{piece:?}");
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
