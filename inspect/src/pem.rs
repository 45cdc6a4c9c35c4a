use super::base64::Base64;
use super::label::{Announced, Label};
use super::unsuitable::Unsuitable;

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----END ";
const DASHES: &[u8] = b"-----";

/// The longest boundary in bytes, with room for every label that is in use.
const BOUNDARY_LIMIT: usize = BEGIN.len() + 28 + DASHES.len();

/// The beginning of the line `Proc-Type: 4,ENCRYPTED`, with which an encrypted key of the traditional format goes on. The
/// dash is not base64, so these five characters are enough.
const ENCRYPTED: &[u8] = b"Proc-";

/// A scanner that finds the PEM blocks in a text and decodes them.
///
/// Lines end with LF, CRLF or CR, and text outside of blocks is skipped, as in OpenSSL. Base64 lines may have any length.
pub(super) struct Scanner {
    /// The number of the line, from 1.
    line: u32,
    /// The beginning of the line, from its first character that is not blank.
    start: [u8; BOUNDARY_LIMIT],
    len: u8,
    /// The line goes on after `start` with something that is not blank.
    long: bool,
    /// The line starts with a blank.
    indented: bool,
    /// A blank stood after the line's first character.
    gap: bool,
    /// The last byte was CR, so that a LF belongs to it.
    behind_cr: bool,
    /// The last character was a backslash: `\n` for a line end, as in a JSON string.
    escaped: bool,
    /// The text has only blanks and line ends so far.
    blank: bool,
    block: Option<Label>,
    base64: Base64,
}

/// An event of the scanner.
#[derive(Clone, Copy)]
pub(super) enum Event {
    Begin(Announced),
    Byte(u8),
    End,
}

impl Scanner {
    pub(super) const fn new() -> Self {
        Self {
            line: 1,
            start: [0; BOUNDARY_LIMIT],
            len: 0,
            long: false,
            indented: false,
            gap: false,
            behind_cr: false,
            escaped: false,
            blank: true,
            block: None,
            base64: Base64::new(),
        }
    }

    /// Returns whether the text has only white space.
    pub(super) fn is_blank(&self) -> bool {
        self.blank
    }

    /// Returns whether a block has begun and not ended.
    pub(super) fn is_in_block(&self) -> bool {
        self.block.is_some()
    }

    /// Takes a byte. The two characters `\n`, which a JSON string has for a line end, count as one: a backslash is no part
    /// of base64 or of a boundary, so they can mean nothing else.
    pub(super) fn push(&mut self, byte: u8) -> Result<Option<Event>, Unsuitable> {
        match (core::mem::replace(&mut self.escaped, false), byte) {
            (false, b'\\') => {
                self.escaped = true;
                Ok(None)
            }
            (true, b'n') => self.text_byte(b'\n'),
            (true, b'r') => self.text_byte(b'\r'),
            (true, _) => {
                self.blank = false;
                self.character(b'\\')?;
                self.text_byte(byte)
            }
            (false, _) => self.text_byte(byte),
        }
    }

    fn text_byte(&mut self, byte: u8) -> Result<Option<Event>, Unsuitable> {
        let behind_cr = core::mem::replace(&mut self.behind_cr, byte == b'\r');
        match byte {
            b'\n' if behind_cr => Ok(None),
            b'\n' | b'\r' => {
                let event = self.end_of_line()?;
                self.line = self.line.saturating_add(1);
                self.len = 0;
                self.long = false;
                self.indented = false;
                self.gap = false;
                Ok(event)
            }
            b' ' | b'\t' => {
                if self.len == 0 {
                    self.indented = true;
                } else {
                    self.gap = true;
                    self.keep(byte);
                }
                Ok(None)
            }
            _ => {
                self.blank = false;
                self.character(byte)
            }
        }
    }

    /// Ends the text, whose last line may lack a line end.
    pub(super) fn finish(&mut self) -> Result<Option<Event>, Unsuitable> {
        let text = self.text();
        let cut = match self.block {
            // A few dashes may also be the end of a text.
            None => text.len() > DASHES.len() && BEGIN.starts_with(text),
            Some(_) => !text.is_empty() && DASHES.starts_with(text),
        };
        if cut {
            return Err(Unsuitable::Truncated);
        }
        match self.end_of_line() {
            // The text was cut off inside a boundary.
            Err(Unsuitable::BadBoundary { .. }) if !self.long && !self.indented => {
                Err(Unsuitable::Truncated)
            }
            event => event,
        }
    }

    fn character(&mut self, byte: u8) -> Result<Option<Event>, Unsuitable> {
        let first = if self.len == 0 { byte } else { self.start[0] };
        if self.block.is_none() || first == b'-' {
            self.long |= !self.keep(byte);
            return Ok(None);
        }
        if usize::from(self.len) < ENCRYPTED.len() {
            self.keep(byte);
        }
        let decoded = match self.base64.push(byte) {
            Ok(decoded) if !self.indented && !self.gap => decoded,
            Err(_) if self.text() == ENCRYPTED => return Err(Unsuitable::EncryptedKey),
            _ => return Err(Unsuitable::BadBase64 { line: self.line }),
        };
        Ok(decoded.map(Event::Byte))
    }

    /// Keeps a byte of the line. Returns `false` where there is no room.
    fn keep(&mut self, byte: u8) -> bool {
        let free = self.start.get_mut(usize::from(self.len));
        let fits = free.is_some();
        if let Some(free) = free {
            *free = byte;
            self.len += 1;
        }
        fits
    }

    /// Returns the part of the line that was kept, without trailing blanks.
    fn text(&self) -> &[u8] {
        let text = self.start.get(..usize::from(self.len));
        text.unwrap_or_default().trim_ascii_end()
    }

    fn end_of_line(&mut self) -> Result<Option<Event>, Unsuitable> {
        let text = self.text();
        let boundary = if self.block.is_some() {
            text.starts_with(DASHES)
        } else {
            // Other lines that begin with dashes are common in text.
            text.starts_with(BEGIN) || text.starts_with(END)
        };
        if !boundary {
            return if self.block.is_some() && text.starts_with(b"-") {
                Err(Unsuitable::BadBase64 { line: self.line })
            } else {
                Ok(None)
            };
        }
        let bad = Unsuitable::BadBoundary { line: self.line };
        if self.long || self.indented {
            return Err(bad);
        }
        let label = |prefix| text.strip_prefix(prefix)?.strip_suffix(DASHES);
        let event = match (label(BEGIN), label(END), self.block) {
            (Some(label), _, None) => {
                let label = Label::new(label);
                self.block = Some(label);
                self.base64 = Base64::new();
                Event::Begin(label.announced())
            }
            (_, Some(label), Some(open)) if Label::new(label) == open => {
                if !self.base64.is_whole() {
                    return Err(Unsuitable::BadBase64 { line: self.line });
                }
                self.block = None;
                Event::End
            }
            // The END of the last block, or the BEGIN of this one, is missing.
            (Some(_), _, Some(_)) | (_, Some(_), None) => return Err(Unsuitable::Truncated),
            _ => return Err(bad),
        };
        Ok(Some(event))
    }
}
