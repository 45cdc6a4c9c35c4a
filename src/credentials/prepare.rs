//! From what the user gives to what the modem takes: looked at, and converted as it streams through.

use core::cmp::Ordering;
use core::marker::PhantomData;

use zeroize::Zeroizing;

use super::{Accepts, Kind, Source, copy};
use crate::error::CredentialError;
use crate::inspect::{
    Container, Content, Decoder, Inspector, KeyFormat, Material, Misplaced, check, encode,
};
use crate::modem::Credentials;

/// DER bytes on a line of PEM, and its characters.
const LINE: usize = 48;
const WIDTH: usize = 64;
const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----END ";
const DASHES: &[u8] = b"-----\n";

/// Reads all of `source` and says what it is.
pub(crate) async fn inspect<S: Source>(
    source: &mut S,
) -> Result<Material, CredentialError<S::Error>> {
    let mut inspector = Inspector::new();
    let mut chunk = Zeroizing::new([0; 64]);
    let len = source.len();
    let mut at = 0;
    while at < len {
        let count = source
            .read_at(at, &mut chunk[..])
            .await
            .map_err(CredentialError::Source)?;
        if count == 0 {
            return Err(CredentialError::SourceTooShort);
        }
        inspector.feed(&chunk[..count]);
        at += count;
    }
    inspector.finish().map_err(CredentialError::Unsuitable)
}

/// Whether `material` can be the `kind` of a set in a modem that takes this.
pub(crate) fn judge(kind: Kind, material: &Material, accepts: &Accepts) -> Result<(), Misplaced> {
    let allowed = match kind {
        Kind::Ca => accepts.roots,
        _ => accepts.chain,
    };
    check(kind, material, allowed)
}

/// What a modem takes, as a type: so that a conversion that it never needs is not linked.
pub(crate) trait Takes {
    const CONTAINER: Option<Container>;
}

impl<M: Credentials> Takes for M {
    const CONTAINER: Option<Container> = M::ACCEPTS.container;
}

/// A source in the form that `M` takes.
pub(crate) struct Prepared<'a, M, S> {
    source: &'a mut S,
    len: usize,
    form: Form,
    takes: PhantomData<M>,
}

enum Form {
    AsIs,
    ToDer(ToDer),
    ToPem(ToPem),
}

impl<'a, M: Takes, S: Source> Prepared<'a, M, S> {
    const TO_DER: bool = matches!(M::CONTAINER, Some(Container::Der));
    const TO_PEM: bool = matches!(M::CONTAINER, Some(Container::Pem));

    /// What was found to be `material`.
    pub(crate) fn new(source: &'a mut S, material: &Material) -> Self {
        let (len, form) = match material.container {
            Container::Der if Self::TO_PEM => {
                let pem = ToPem::new(label(&material.content), source.len());
                (pem.len(), Form::ToPem(pem))
            }
            Container::Pem if Self::TO_DER => {
                (material.der_len as usize, Form::ToDer(ToDer::new()))
            }
            _ => (source.len(), Form::AsIs),
        };
        Self {
            source,
            len,
            form,
            takes: PhantomData,
        }
    }
}

impl<M: Takes, S: Source> Source for Prepared<'_, M, S> {
    type Error = S::Error;

    fn len(&self) -> usize {
        self.len
    }

    async fn read_at(&mut self, offset: usize, buf: &mut [u8]) -> Result<usize, S::Error> {
        match &mut self.form {
            Form::ToDer(der) if Self::TO_DER => der.read_at(self.source, offset, buf).await,
            Form::ToPem(pem) if Self::TO_PEM => pem.read_at(self.source, offset, buf).await,
            _ => self.source.read_at(offset, buf).await,
        }
    }
}

/// The label of a PEM block with this in it.
fn label(content: &Content) -> &'static [u8] {
    match content {
        Content::Certificate(_) => b"CERTIFICATE",
        Content::PrivateKey(key) => match key.format {
            KeyFormat::Pkcs1 => b"RSA PRIVATE KEY",
            KeyFormat::Pkcs8 => b"PRIVATE KEY",
            KeyFormat::Sec1 => b"EC PRIVATE KEY",
        },
    }
}

/// DER to PEM, a line at a time, with LF at each line's end.
struct ToPem {
    label: &'static [u8],
    der_len: usize,
    line: Zeroizing<[u8; WIDTH + 1]>,
    line_len: usize,
    /// Which line `line` is: 0 is BEGIN.
    number: usize,
    /// Where it starts.
    start: usize,
}

impl ToPem {
    fn new(label: &'static [u8], der_len: usize) -> Self {
        Self {
            label,
            der_len,
            line: Zeroizing::new([0; WIDTH + 1]),
            line_len: 0,
            number: 0,
            start: 0,
        }
    }

    fn body_lines(&self) -> usize {
        self.der_len.div_ceil(LINE)
    }

    /// The whole length of the text.
    fn len(&self) -> usize {
        let boundaries = BEGIN.len() + END.len() + 2 * (self.label.len() + DASHES.len());
        boundaries + self.der_len.div_ceil(3) * 4 + self.body_lines()
    }

    async fn read_at<S: Source>(
        &mut self,
        source: &mut S,
        offset: usize,
        buf: &mut [u8],
    ) -> Result<usize, S::Error> {
        if offset < self.start || self.line_len == 0 {
            self.start = 0;
            self.number = 0;
            self.boundary(BEGIN);
        }
        while offset >= self.start + self.line_len {
            self.start += self.line_len;
            self.number += 1;
            match self.number.cmp(&(self.body_lines() + 1)) {
                Ordering::Less => {
                    if !self.body(source).await? {
                        // The source has fewer bytes than it said.
                        self.line_len = 0;
                        return Ok(0);
                    }
                }
                Ordering::Equal => self.boundary(END),
                Ordering::Greater => {
                    self.line_len = 0;
                    return Ok(0);
                }
            }
        }
        let line = &self.line[..self.line_len];
        Ok(copy(line, offset - self.start, buf))
    }

    fn boundary(&mut self, first: &'static [u8]) {
        self.line_len = 0;
        for part in [first, self.label, DASHES] {
            let end = self.line_len + part.len();
            if let Some(room) = self.line.get_mut(self.line_len..end) {
                room.copy_from_slice(part);
                self.line_len = end;
            }
        }
    }

    async fn body<S: Source>(&mut self, source: &mut S) -> Result<bool, S::Error> {
        let from = (self.number - 1) * LINE;
        let wanted = (self.der_len - from).min(LINE);
        let mut der = Zeroizing::new([0; LINE]);
        let mut have = 0;
        while have < wanted {
            match source.read_at(from + have, &mut der[have..wanted]).await? {
                0 => return Ok(false),
                count => have += count,
            }
        }
        self.line_len = encode(&der[..wanted], &mut self.line[..]);
        if let Some(end) = self.line.get_mut(self.line_len) {
            *end = b'\n';
            self.line_len += 1;
        }
        Ok(true)
    }
}

/// PEM to DER: the content of the first block of interest.
struct ToDer {
    decoder: Decoder,
    /// Bytes of the text so far, and of the DER.
    read: usize,
    written: usize,
}

impl ToDer {
    fn new() -> Self {
        Self {
            decoder: Decoder::new(),
            read: 0,
            written: 0,
        }
    }

    async fn read_at<S: Source>(
        &mut self,
        source: &mut S,
        offset: usize,
        buf: &mut [u8],
    ) -> Result<usize, S::Error> {
        if offset != self.written {
            *self = Self::new();
        }
        let mut chunk = Zeroizing::new([0; LINE]);
        let mut count = 0;
        // No character makes more than one byte.
        while count < buf.len() {
            let wanted = (buf.len() - count).min(LINE);
            let read = source.read_at(self.read, &mut chunk[..wanted]).await?;
            if read == 0 {
                break;
            }
            self.read += read;
            for &character in &chunk[..read] {
                if let Some(byte) = self.decoder.push(character)
                    && let Some(room) = buf.get_mut(count)
                {
                    *room = byte;
                    count += 1;
                }
            }
        }
        self.written += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::vec;
    use std::vec::Vec;

    use embassy_futures::block_on;
    use proptest::prelude::*;
    use sectag_test_support::pki::Pki;

    use super::*;

    /// Gives at most `step` bytes at a time, and only in order.
    struct Sequential<'a> {
        bytes: &'a [u8],
        step: usize,
        next: usize,
    }

    impl Source for Sequential<'_> {
        type Error = core::convert::Infallible;

        fn len(&self) -> usize {
            self.bytes.len()
        }

        async fn read_at(&mut self, offset: usize, buf: &mut [u8]) -> Result<usize, Self::Error> {
            assert!(offset == self.next || offset == 0, "a gap");
            let room = buf.len().min(self.step);
            let count = copy(self.bytes, offset, &mut buf[..room]);
            self.next = offset + count;
            Ok(count)
        }
    }

    fn sequential(bytes: &[u8], step: usize) -> Sequential<'_> {
        Sequential {
            bytes,
            step,
            next: 0,
        }
    }

    fn read_all(
        source: &mut impl Source<Error = core::convert::Infallible>,
        chunk: usize,
    ) -> Vec<u8> {
        let mut all = Vec::new();
        loop {
            let mut buf = vec![0; chunk];
            let count = block_on(source.read_at(all.len(), &mut buf)).unwrap();
            all.extend(&buf[..count]);
            if count == 0 {
                assert_eq!(all.len(), source.len(), "the announced length");
                return all;
            }
        }
    }

    struct Pem;
    impl Takes for Pem {
        const CONTAINER: Option<Container> = Some(Container::Pem);
    }

    struct Der;
    impl Takes for Der {
        const CONTAINER: Option<Container> = Some(Container::Der);
    }

    struct Either;
    impl Takes for Either {
        const CONTAINER: Option<Container> = None;
    }

    fn convert<M: Takes>(bytes: &[u8], step: usize, chunk: usize) -> Vec<u8> {
        let mut source = sequential(bytes, step);
        let material = block_on(inspect(&mut source)).unwrap();
        let mut prepared = Prepared::<M, _>::new(&mut source, &material);
        let first = read_all(&mut prepared, chunk);
        // Another pass brings the same.
        assert_eq!(read_all(&mut prepared, chunk + 1), first);
        first
    }

    #[test]
    fn both_ways_and_back_for_every_kind() {
        let pki = Pki::shared();
        for pem in [
            pki.ca_pem(),
            pki.client().cert_pem.clone(),
            pki.client().key_pem.clone(),
        ] {
            // As `openssl` writes it: LF, and one at the end.
            let pem = pem.replace('\r', "");
            for (step, chunk) in [(1, 1), (7, 100), (1000, 5), (64, 128), (1000, 4096)] {
                let der = convert::<Der>(pem.as_bytes(), step, chunk);
                assert_eq!(der[0], 0x30);
                let back = convert::<Pem>(&der, step, chunk);
                assert_eq!(std::str::from_utf8(&back).unwrap().trim(), pem.trim());
                // Nothing to do.
                for bytes in [&der[..], pem.as_bytes()] {
                    assert_eq!(convert::<Either>(bytes, step, chunk), bytes);
                }
                assert_eq!(convert::<Der>(&der, step, chunk), der);
                assert_eq!(convert::<Pem>(pem.as_bytes(), step, chunk), pem.as_bytes());
            }
        }
    }

    #[test]
    fn text_around_the_block_and_crlf_are_no_der() {
        let pem = Pki::shared().ca_pem();
        let der = convert::<Der>(pem.as_bytes(), 64, 64);
        let crlf = std::format!("Bag Attributes\r\n{}\r\nbye", pem.replace('\n', "\r\n"));
        assert_eq!(convert::<Der>(crlf.as_bytes(), 64, 64), der);
    }

    #[test]
    fn source_shorter_than_it_says_ends_early() {
        struct Liar;
        impl Source for Liar {
            type Error = core::convert::Infallible;
            fn len(&self) -> usize {
                100
            }
            async fn read_at(
                &mut self,
                offset: usize,
                buf: &mut [u8],
            ) -> Result<usize, Self::Error> {
                Ok(copy(&[0x30; 70], offset, buf))
            }
        }
        let mut pem = ToPem::new(b"CERTIFICATE", 100);
        let mut total = 0;
        let mut buf = [0; 16];
        loop {
            match block_on(pem.read_at(&mut Liar, total, &mut buf)).unwrap() {
                0 => break,
                count => total += count,
            }
        }
        assert!(total < pem.len());
        assert_eq!(
            block_on(inspect(&mut Liar)),
            Err(CredentialError::SourceTooShort)
        );
    }

    proptest! {
        #[test]
        fn formula_of_the_length_holds(bytes in prop::collection::vec(any::<u8>(), 1..400), chunk in 1usize..200) {
            let mut source = &bytes[..];
            let pem = ToPem::new(b"PRIVATE KEY", bytes.len());
            let len = pem.len();
            let mut prepared = Prepared { source: &mut source, len, form: Form::ToPem(pem), takes: PhantomData::<Pem> };
            let text = read_all(&mut prepared, chunk);
            let mut decoder = Decoder::new();
            let decoded: Vec<u8> = text.iter().filter_map(|&character| decoder.push(character)).collect();
            prop_assert_eq!(decoded, bytes);
            let text = std::str::from_utf8(&text).unwrap();
            prop_assert!(text.lines().all(|line| line.len() <= WIDTH));
        }
    }
}
