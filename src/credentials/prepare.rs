//! The conversion of a credential from the form that the user gives to the form that the modem takes. The source is
//! inspected in a pass of its own, and converted as it streams.

use core::marker::PhantomData;

use zeroize::Zeroizing;

use super::role::Credentials;
use super::{Accepts, Kind, Source, copy};
use crate::at::InvalidInput;
use crate::error::CredentialError;
use crate::inspect::{
    Blocks, Container, Content, Decoder, Inspector, Material, Misplaced, Part, check, encode,
};

/// The number of DER bytes on a line of PEM.
const LINE: usize = 48;
/// The number of characters on a line of PEM.
const WIDTH: usize = 64;

/// Reads all of `source` and classifies it.
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

/// Checks whether `material` can be the `kind` of a set, in a modem that accepts `accepts`.
fn judge(kind: Kind, material: &Material, accepts: &Accepts) -> Result<(), Misplaced> {
    let allowed = match kind {
        Kind::Ca => accepts.roots,
        _ => accepts.chain,
    };
    check(kind, material, allowed)?;
    match &material.content {
        Content::Certificate(ca)
            if kind == Kind::Ca && accepts.self_signed_root && !ca.self_issued =>
        {
            Err(Misplaced::NotRoot)
        }
        _ => Ok(()),
    }
}

/// Checks whether a source of `len` bytes that was inspected as `material` is a `kind` that such a modem takes.
pub(crate) fn admit<E>(
    kind: Kind,
    material: &Material,
    len: usize,
    accepts: &Accepts,
) -> Result<(), CredentialError<E>> {
    judge(kind, material, accepts).map_err(CredentialError::Misplaced)?;
    fits(converted_len(accepts.container, material, len), accepts)
}

/// Checks the length of a credential in the form that the modem takes.
pub(crate) fn fits<E>(len: usize, accepts: &Accepts) -> Result<(), CredentialError<E>> {
    let limit = accepts.len;
    match len {
        0 => Err(CredentialError::InvalidInput(InvalidInput::Empty)),
        len if len > limit => Err(CredentialError::InvalidInput(InvalidInput::TooLong {
            limit,
        })),
        _ => Ok(()),
    }
}

/// Returns the length of a source of `len` bytes once it is in the form that the modem takes.
fn converted_len(takes: Option<Container>, material: &Material, len: usize) -> usize {
    match (material.container, takes) {
        (Container::Der, None | Some(Container::Der)) => len,
        (Container::Pem, Some(Container::Der)) => material.der_len as usize,
        _ => material.pem_len as usize,
    }
}

/// The container that a modem takes, as a constant of a type, so that a conversion which the modem never needs is not
/// linked.
pub(crate) trait Takes {
    const CONTAINER: Option<Container>;
}

impl<M: Credentials> Takes for M {
    const CONTAINER: Option<Container> = M::ACCEPTS.container;
}

/// A source that reads another one in the form that `M` takes.
pub(crate) struct Prepared<'a, M, S> {
    source: &'a mut S,
    len: usize,
    form: Form,
    takes: PhantomData<M>,
}

/// The conversion of the source. PEM is never sent as it is: text around its blocks, line ends and line lengths depend on
/// the program that wrote it, and modems differ in which they accept.
#[expect(clippy::large_enum_variant, reason = "there is no heap to put it on")]
enum Form {
    /// DER stays DER.
    AsIs,
    ToDer(ToDer),
    ToPem(ToPem),
}

impl<'a, M: Takes, S: Source> Prepared<'a, M, S> {
    const TO_DER: bool = matches!(M::CONTAINER, Some(Container::Der));
    const TO_PEM: bool = !Self::TO_DER;

    /// Makes the converted source of one that was inspected as `material`.
    pub(crate) fn new(source: &'a mut S, material: &Material) -> Self {
        let keeps = matches!(M::CONTAINER, None | Some(Container::Der));
        let form = match material.container {
            Container::Der if keeps => Form::AsIs,
            Container::Pem if Self::TO_DER => Form::ToDer(ToDer::new()),
            _ => Form::ToPem(ToPem::new(material)),
        };
        let len = converted_len(M::CONTAINER, material, source.len());
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

/// The conversion of DER or PEM to PEM as in RFC 7468: 64 characters on a line, LF after each line, no text around the
/// blocks.
struct ToPem {
    /// The label, where the source is DER.
    label: Option<&'static str>,
    der_len: usize,
    blocks: Blocks,
    open: &'static str,
    /// The number of bytes of the source that were read; the last of them are in `chunk`.
    read: usize,
    chunk: Zeroizing<[u8; LINE]>,
    chunk_len: usize,
    chunk_at: usize,
    /// The DER of the line that is being filled.
    der: Zeroizing<[u8; LINE]>,
    filled: usize,
    /// The text from `start` on: one line, and after the last line of a block also the block's end.
    text: Zeroizing<[u8; TEXT]>,
    text_len: usize,
    start: usize,
    over: bool,
}

/// The length of a line and the longest boundary.
const TEXT: usize = WIDTH + 1 + 9 + 15 + 6;

impl ToPem {
    fn new(material: &Material) -> Self {
        Self::of(match material.container {
            Container::Der => Some((material.content.label(), material.der_len as usize)),
            Container::Pem => None,
        })
    }

    fn of(der: Option<(&'static str, usize)>) -> Self {
        Self {
            label: der.map(|(label, _)| label),
            der_len: der.map_or(0, |(_, len)| len),
            blocks: Blocks::new(),
            open: "",
            read: 0,
            chunk: Zeroizing::new([0; LINE]),
            chunk_len: 0,
            chunk_at: 0,
            der: Zeroizing::new([0; LINE]),
            filled: 0,
            text: Zeroizing::new([0; TEXT]),
            text_len: 0,
            start: 0,
            over: false,
        }
    }

    async fn read_at<S: Source>(
        &mut self,
        source: &mut S,
        offset: usize,
        buf: &mut [u8],
    ) -> Result<usize, S::Error> {
        if offset < self.start {
            *self = Self::of(self.label.map(|label| (label, self.der_len)));
        }
        while offset >= self.start + self.text_len {
            self.start += self.text_len;
            self.text_len = 0;
            if self.over {
                return Ok(0);
            }
            while self.text_len == 0 && !self.over {
                let part = self.next_part(source).await?;
                self.take(part);
            }
        }
        let text = &self.text[..self.text_len];
        Ok(copy(text, offset - self.start, buf))
    }

    /// Returns the next part of a block; `None` where a character of the source completes none.
    async fn next_part<S: Source>(&mut self, source: &mut S) -> Result<Option<Part>, S::Error> {
        if let (Some(label), "") = (self.label, self.open) {
            return Ok(Some(Part::Begin(label)));
        }
        if self.chunk_at == self.chunk_len {
            self.chunk_len = source.read_at(self.read, &mut self.chunk[..]).await?;
            self.chunk_at = 0;
            self.read += self.chunk_len;
        }
        let Some(&byte) = self.chunk[..self.chunk_len].get(self.chunk_at) else {
            self.over = true;
            // A source with fewer bytes than it announced ends in the middle of a block.
            return Ok(match self.label {
                Some(_) => (self.read == self.der_len).then_some(Part::End),
                None => self.blocks.finish(),
            });
        };
        self.chunk_at += 1;
        Ok(match self.label {
            Some(_) => Some(Part::Byte(byte)),
            None => self.blocks.push(byte),
        })
    }

    fn take(&mut self, part: Option<Part>) {
        match part {
            Some(Part::Begin(label)) => {
                self.open = label;
                self.boundary("-----BEGIN ");
            }
            Some(Part::Byte(byte)) => {
                if let Some(room) = self.der.get_mut(self.filled) {
                    *room = byte;
                    self.filled += 1;
                }
                if self.filled == LINE {
                    self.line();
                }
            }
            Some(Part::End) => {
                if self.filled > 0 {
                    self.line();
                }
                self.boundary("-----END ");
            }
            None => {}
        }
    }

    fn line(&mut self) {
        let len = encode(&self.der[..self.filled], &mut self.text[..]);
        self.text_len = len;
        self.filled = 0;
        self.add("\n");
    }

    fn boundary(&mut self, first: &str) {
        self.add(first);
        self.add(self.open);
        self.add("-----\n");
    }

    fn add(&mut self, part: &str) {
        let end = self.text_len + part.len();
        if let Some(room) = self.text.get_mut(self.text_len..end) {
            room.copy_from_slice(part.as_bytes());
            self.text_len = end;
        }
    }
}

/// The conversion of PEM to DER: the content of the first block that is a credential.
struct ToDer {
    decoder: Decoder,
    /// The number of characters of PEM that were read.
    read: usize,
    /// The number of bytes of DER that were written.
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
        // A character completes at most one byte, so the bytes of a chunk fit.
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

    /// A source that gives at most `step` bytes at a time, and only in order.
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
        // A second pass reads the bytes of the first.
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
            // The form in which `openssl` writes it, with LF after each line.
            let pem = pem.replace('\r', "");
            for (step, chunk) in [(1, 1), (7, 100), (1000, 5), (64, 128), (1000, 4096)] {
                let der = convert::<Der>(pem.as_bytes(), step, chunk);
                assert_eq!(der[0], 0x30);
                let back = convert::<Pem>(&der, step, chunk);
                assert_eq!(std::str::from_utf8(&back).unwrap().trim(), pem.trim());
                // A modem that takes either container gets each without a conversion.
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

    /// The forms in which openssl, editors, cloud consoles and JSON answers give a file.
    #[test]
    fn pem_of_any_look_is_sent_in_one_form() {
        let pki = Pki::shared();
        let twice = std::format!("{}{}", pki.ca_pem(), pki.server().cert_pem);
        for pem in [pki.ca_pem(), pki.client().key_pem.clone(), twice] {
            let pem = pem.replace('\r', "");
            let parameters =
                "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";
            let looks = [
                pem.clone(),
                pem.replace('\n', "\r\n"),
                pem.replace('\n', "\r"),
                pem.replace('\n', "\\n"),
                pem.replace('\n', "\\r\\n"),
                pem.trim_end().into(),
                pem.replace('\n', "\n\n"),
                pem.replace('\n', " \n"),
                std::format!("{parameters}{pem}"),
                std::format!("{pem}{parameters}"),
                std::format!("Bag Attributes\n    friendlyName: x\n{pem}\n# the end"),
                pem.replace("CERTIFICATE", "X509 CERTIFICATE"),
            ];
            for look in looks {
                for (step, chunk) in [(1, 1), (7, 100), (1000, 5), (64, 128), (4096, 4096)] {
                    let sent = convert::<Pem>(look.as_bytes(), step, chunk);
                    assert_eq!(std::str::from_utf8(&sent).unwrap(), pem, "{look:?}");
                }
                assert_eq!(convert::<Either>(look.as_bytes(), 64, 64), pem.as_bytes());
            }
        }
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
        let mut pem = ToPem::of(Some(("CERTIFICATE", 100)));
        let mut total = 0;
        let mut buf = [0; 16];
        loop {
            match block_on(pem.read_at(&mut Liar, total, &mut buf)).unwrap() {
                0 => break,
                count => total += count,
            }
        }
        // One line of 48 bytes is converted; neither the rest nor the END line.
        assert_eq!(total, "-----BEGIN CERTIFICATE-----\n".len() + 65);
        assert_eq!(
            block_on(inspect(&mut Liar)),
            Err(CredentialError::SourceTooShort)
        );
    }

    proptest! {
        #[test]
        fn der_of_any_length_makes_whole_lines(bytes in prop::collection::vec(any::<u8>(), 1..400), chunk in 1usize..200) {
            let mut source = &bytes[..];
            let mut pem = ToPem::of(Some(("PRIVATE KEY", bytes.len())));
            let mut text = Vec::new();
            let mut buf = vec![0; chunk];
            while let count @ 1.. = block_on(pem.read_at(&mut source, text.len(), &mut buf)).unwrap() {
                text.extend(&buf[..count]);
            }
            let mut decoder = Decoder::new();
            let decoded: Vec<u8> = text.iter().filter_map(|&character| decoder.push(character)).collect();
            prop_assert_eq!(decoded, bytes);
            let text = std::str::from_utf8(&text).unwrap();
            prop_assert!(text.lines().all(|line| line.len() <= WIDTH));
            prop_assert!(text.ends_with("-----END PRIVATE KEY-----\n"));
        }
    }
}
