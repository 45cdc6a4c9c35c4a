//! A check of each record's header before embedded-tls reads it.
//!
//! A header is not encrypted, and embedded-tls 0.19 trusts it too much (sheet C.3): after keys are
//! agreed on, any host on the way could end the connection or make the client panic by a record that is
//! not encrypted, or is empty.

use embedded_io_async::{ErrorType, Read};

use super::suite::{OPEN, VERSION};

const CHANGE_CIPHER_SPEC: u8 = 20;
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;

/// The length of the shortest encrypted record: a tag of 16 bytes, and the byte of its type.
const LEAST_ENCRYPTED: usize = 17;

/// A violation that a header shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Foul {
    /// The bytes are not a TLS record.
    NotTls,
    /// The record should have been encrypted, or is too short for its content.
    Unexpected,
    /// The record does not fit the buffer.
    TooLarge,
}

/// The stage of the connection, which decides which records may come unencrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Hello,
    Handshake,
    Open,
}

/// A reader that passes bytes on while the records are allowed.
pub(crate) struct Gate<R> {
    inner: R,
    stage: Stage,
    /// The longest record, without its header, in bytes.
    limit: usize,
    header: [u8; 5],
    /// The number of bytes of the header that have come.
    have: usize,
    /// The number of bytes of the header that were passed on.
    given: usize,
    /// The number of bytes of the record that are still to come.
    left: usize,
    foul: Option<Foul>,
}

impl<R: Read> Gate<R> {
    pub(crate) fn new(inner: R, limit: usize) -> Self {
        Self {
            inner,
            stage: Stage::Hello,
            limit,
            header: [0; 5],
            have: 0,
            given: 0,
            left: 0,
            foul: None,
        }
    }

    /// Notes that the handshake is complete. From now on all records are encrypted, and a mark in each
    /// header tells the cipher so.
    pub(crate) fn opened(&mut self) {
        self.stage = Stage::Open;
    }

    /// Returns the violation that was found, if any. Reading has ended then.
    pub(crate) fn foul(&self) -> Option<Foul> {
        self.foul
    }

    fn judge(&mut self) -> Option<Foul> {
        let [kind, major, _, high, low] = self.header;
        let len = usize::from(u16::from_be_bytes([high, low]));
        if major != 3 || !(CHANGE_CIPHER_SPEC..=APPLICATION_DATA).contains(&kind) {
            return Some(match self.stage {
                Stage::Hello => Foul::NotTls,
                _ => Foul::Unexpected,
            });
        }
        if len > self.limit {
            return Some(Foul::TooLarge);
        }
        let allowed = match (kind, self.stage) {
            (HANDSHAKE, Stage::Hello) => len >= 4,
            (ALERT, Stage::Hello) => len == 2,
            (CHANGE_CIPHER_SPEC, Stage::Handshake) => len == 1,
            (APPLICATION_DATA, Stage::Handshake | Stage::Open) => len >= LEAST_ENCRYPTED,
            _ => false,
        };
        if !allowed {
            return Some(Foul::Unexpected);
        }
        match self.stage {
            Stage::Hello if kind == HANDSHAKE => self.stage = Stage::Handshake,
            Stage::Open => self.header[VERSION] |= OPEN,
            _ => {}
        }
        self.left = len;
        None
    }
}

impl<R: Read> ErrorType for Gate<R> {
    type Error = R::Error;
}

impl<R: Read> Read for Gate<R> {
    /// Reads like the inner reader. A violation is an end of input to the caller. Cancel-safe if the
    /// inner reader is.
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, R::Error> {
        if buf.is_empty() || self.foul.is_some() {
            return Ok(0);
        }
        while self.left == 0 && self.have < 5 {
            let count = self.inner.read(&mut self.header[self.have..]).await?;
            if count == 0 {
                return Ok(0);
            }
            self.have += count;
            if self.have == 5 {
                self.foul = self.judge();
                if self.foul.is_some() {
                    return Ok(0);
                }
            }
        }
        if self.given < self.have {
            let count = buf.len().min(self.have - self.given);
            buf[..count].copy_from_slice(&self.header[self.given..][..count]);
            self.given += count;
            return Ok(count);
        }
        let count = buf.len().min(self.left);
        let count = self.inner.read(&mut buf[..count]).await?;
        self.left -= count;
        if self.left == 0 {
            self.have = 0;
            self.given = 0;
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use embassy_futures::block_on;
    use std::vec::Vec;

    use super::*;

    /// Returns the bytes that pass the gate, and the violation.
    fn through(bytes: &[u8], open: bool, room: usize) -> (Vec<u8>, Option<Foul>) {
        let mut gate = Gate::new(bytes, 64);
        if open {
            gate.opened();
        }
        let mut all = Vec::new();
        let mut piece = [0; 16];
        loop {
            let count = block_on(gate.read(&mut piece[..room])).unwrap();
            if count == 0 {
                return (all, gate.foul());
            }
            all.extend_from_slice(&piece[..count]);
        }
    }

    #[test]
    fn what_may_come_passes_unchanged() {
        let mut bytes = b"\x16\x03\x03\x00\x04abcd\x14\x03\x03\x00\x01\x01".to_vec();
        bytes.extend_from_slice(b"\x17\x03\x03\x00\x11");
        bytes.extend_from_slice(&[7; 17]);
        for room in [1, 3, 5, 16] {
            assert_eq!(through(&bytes, false, room), (bytes.clone(), None));
        }
    }

    #[test]
    fn what_may_not_come_ends_there() {
        let hello = b"\x16\x03\x03\x00\x04abcd";
        for (bytes, foul) in [
            (&b"HTTP/1.1 400"[..], Foul::NotTls),
            (b"\x17\x03\x03\x00\x11", Foul::Unexpected),
            (b"\x16\x03\x03\x00\x41", Foul::TooLarge),
            (b"\x15\x03\x03\x00\x00", Foul::Unexpected),
        ] {
            assert_eq!(through(bytes, false, 16), (Vec::new(), Some(foul)));
        }
        for record in [
            // Unencrypted records behind the hello: a handshake message, an alert, an empty record, a
            // ChangeCipherSpec of wrong length.
            &b"\x16\x03\x03\x00\x04\x14\x00\x00\x00"[..],
            b"\x15\x03\x03\x00\x02\x01\x00",
            b"\x17\x03\x03\x00\x10",
            b"\x17\x03\x03\x00\x00",
            b"\x14\x03\x03\x00\x00",
            b"\x14\x03\x03\x00\x02",
            b"\x00\x03\x03\x00\x01",
        ] {
            let bytes = [hello, record].concat();
            assert_eq!(
                through(&bytes, false, 16),
                (hello.to_vec(), Some(Foul::Unexpected))
            );
            assert_eq!(
                through(record, true, 16),
                (Vec::new(), Some(Foul::Unexpected))
            );
        }
        assert_eq!(
            through(b"\x14\x03\x03\x00\x01\x01", true, 16).1,
            Some(Foul::Unexpected)
        );
    }
}
