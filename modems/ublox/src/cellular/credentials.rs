//! Credentials in the module's store: `+USECMNG` (sheet B.2.1).
//!
//! The module converts what it is given, and reports the MD5 of the result. If that is the MD5 of the
//! credential's DER form, the credential is proved to be there; another MD5 proves nothing.

use core::convert::Infallible;

use embassy_time::{Duration, with_timeout};
use sectag::at::{Fields, at_command, decimal};
use sectag::clock::DateTime;
use sectag::inspect::{Container, Decoder};
use sectag::modem::{Credentials, Then, World, ask, decide};
use sectag::{
    Accepts, At, AtError, Comparison, CredentialError, Kind, Md5, Proof, Source, Stored, Tag,
};
use zeroize::Zeroizing;

use super::open::{end_of, number, parse_name, stored};
use super::sockets::SOCKETS;
use super::{Script, UbloxCellular, script};

const MAX_LEN: usize = 8192;
const CHUNK: usize = 128;
const SOURCE_LIMIT: Duration = Duration::from_secs(10);
const QUICK: u32 = 5000;
/// The time limit of an import, in milliseconds; other drivers allow 10 s (sheet B.2.1).
const STORE: u32 = 20_000;

/// The name of a credential, as the module reports it.
type Name = heapless::String<24>;

/// Scratch of the cleanup.
pub(crate) struct Cleanup {
    /// The credential whose import has begun and not ended well.
    pub(crate) unfinished: Option<(Tag, Kind)>,
    /// The number of the socket that is to be closed next; it may not be open.
    stray: u8,
}

impl Cleanup {
    pub(crate) const NEW: Self = Self {
        unfinished: None,
        stray: 0,
    };

    /// Returns the number of the socket to close.
    pub(crate) fn stray(&self) -> u8 {
        self.stray
    }
}

impl UbloxCellular {
    /// Removes what an import left that did not end well, and closes sockets that no slot knows.
    pub(crate) const CLEANUP: Script = &[
        decide(Self::begin_tidy),
        ask("AT+USECMNG=2,{t},{m}")
            .limit(100)
            .then(Self::unfinished_removed),
        decide(|_, _, _| Then::To(script::STRAYS)),
    ];

    pub(crate) const STRAYS: Script = &[
        decide(Self::next_stray),
        ask("AT+USOCL={z}").limit(1200).then(Self::stray_closed),
    ];

    fn begin_tidy(&mut self, _: &mut World<'_>, _: Option<&[u8]>) -> Then {
        self.cleanup.stray = 0;
        if self.cleanup.unfinished.is_some() {
            Then::Next
        } else {
            Then::Skip
        }
    }

    /// Goes on after the removal; a refusal means that there was nothing.
    fn unfinished_removed(&mut self, _: &mut World<'_>, _: Option<&[u8]>) -> Then {
        self.cleanup.unfinished = None;
        Then::Next
    }

    fn next_stray(&mut self, world: &mut World<'_>, _: Option<&[u8]>) -> Then {
        while self.sockets.lost && world.knows(self.cleanup.stray) {
            self.cleanup.stray += 1;
        }
        if !self.sockets.lost || self.cleanup.stray >= SOCKETS {
            self.sockets.lost = false;
            return Then::End;
        }
        Then::Next
    }

    fn stray_closed(&mut self, _: &mut World<'_>, _: Option<&[u8]>) -> Then {
        self.cleanup.stray += 1;
        Then::To(script::STRAYS)
    }
}

type Guest<'a> = At<'a, UbloxCellular>;

fn name_of(tag: Tag, kind: Kind) -> Name {
    use core::fmt::Write;
    let mut name = Name::new();
    // "st", ten digits and at most five more characters fit.
    let _ = write!(name, "st{tag}_{}", end_of(kind));
    name
}

/// A command about one credential: `<op>,<type>,"<name>"`.
struct Manage<'a> {
    op: u32,
    of: u32,
    name: &'a Name,
}
at_command!(Manage<'_>, QUICK, "+USECMNG", |self, line| line
    .int(self.op)
    .int(self.of)
    .quoted(self.name));

/// The import of a credential; its bytes follow the prompt.
struct Import<'a> {
    of: u32,
    name: &'a Name,
    len: u32,
}
at_command!(Import<'_>, STORE, "+USECMNG", |self, line| line
    .int(0)
    .int(self.of)
    .quoted(self.name)
    .int(self.len));

/// Reads the end of a certificate from a line of the list: `YYYY/MM/DD`, which may be followed by
/// ` HH:MM:SS` (sheet B.2.1). A date alone counts from its first second.
fn end_of_certificate(text: &[u8]) -> Option<DateTime> {
    let mut parts = text.split(|byte| b"/ :".contains(byte));
    let year = u16::try_from(decimal(parts.next()?)?).ok()?;
    let mut numbers = [0; 5];
    for (index, number) in numbers.iter_mut().enumerate() {
        match parts.next() {
            Some(part) => *number = u8::try_from(decimal(part)?).ok()?,
            // The date alone.
            None if index == 2 => break,
            None => return None,
        }
    }
    let [month, day, hour, minute, second] = numbers;
    DateTime::new(year, month, day, hour, minute, second).filter(|_| parts.next().is_none())
}

struct List;
at_command!(List, QUICK, "+USECMNG", |self, line| line.int(3));

/// Returns the MD5 of the DER form of a PEM.
async fn md5_of<S: Source>(content: &mut S) -> Result<[u8; 16], CredentialError<S::Error>> {
    let (mut decoder, mut md5) = (Decoder::new(), Md5::new());
    let mut chunk = Zeroizing::new([0; CHUNK]);
    let mut read = 0;
    while read < content.len() {
        let count = next(content, read, &mut chunk[..]).await?;
        for &character in &chunk[..count] {
            if let Some(byte) = decoder.push(character) {
                md5.update(&[byte]);
            }
        }
        read += count;
    }
    Ok(md5.finish())
}

/// Reads the next bytes of the source, at least one.
async fn next<S: Source>(
    content: &mut S,
    at: usize,
    chunk: &mut [u8],
) -> Result<usize, CredentialError<S::Error>> {
    let count = with_timeout(SOURCE_LIMIT, content.read_at(at, chunk))
        .await
        .map_err(|_| CredentialError::SourceTooSlow)?
        .map_err(CredentialError::Source)?;
    if count == 0 {
        return Err(CredentialError::SourceTooShort);
    }
    Ok(count)
}

/// The module's report of an import: type, name and MD5.
#[derive(Default)]
struct Report {
    of: Option<u32>,
    name: Name,
    md5: Option<[u8; 16]>,
}

impl Report {
    fn take(&mut self, line: &[u8]) {
        let Some(text) = sectag::at::answer(line, "+USECMNG:") else {
            return;
        };
        let mut fields = Fields::new(text);
        fields.next();
        self.of = fields.int();
        let name = fields.text().and_then(|name| Name::try_from(name).ok());
        self.name = name.unwrap_or_default();
        self.md5 = stored(line).and_then(|stored| stored.2);
    }
}

/// Imports a credential. Line ends become LF: to a module that does not listen to an import, CR would
/// end a command.
async fn import<S: Source>(
    at: &Guest<'_>,
    of: u32,
    name: &Name,
    content: &mut S,
) -> Result<Report, CredentialError<S::Error>> {
    let len = content.len();
    let command = Import {
        of,
        name,
        len: len as u32,
    };
    let mut upload = at.upload(&command, len).await?;
    let mut chunk = Zeroizing::new([0; CHUNK]);
    let mut sent = 0;
    while sent < len {
        let wanted = (len - sent).min(CHUNK);
        let count = next(content, sent, &mut chunk[..wanted]).await?;
        for byte in &mut chunk[..count] {
            // The length stays; between lines of PEM, blank lines have no meaning.
            if *byte == b'\r' {
                *byte = b'\n';
            }
        }
        upload.write(&chunk[..count]).await?;
        sent += count;
    }
    let mut report = Report::default();
    upload.finish(&mut |line| report.take(line)).await?;
    Ok(report)
}

async fn remove(at: &Guest<'_>, of: u32, name: &Name) -> Result<(), AtError> {
    let command = Manage { op: 2, of, name };
    match at.send(&command).await {
        Ok(_) => Ok(()),
        Err(AtError::Refused(code)) => match find(at, of, name).await? {
            // A refusal may mean that it was not there.
            None => Ok(()),
            Some(_) => Err(AtError::Refused(code)),
        },
        Err(error) => Err(error),
    }
}

/// Looks for a credential: the outer `None` if it is not there, the inner one if its MD5 cannot be
/// read. Any refusal means that it is not there, so the query is sent twice, since noise may cause a
/// refusal.
async fn find(at: &Guest<'_>, of: u32, name: &Name) -> Result<Option<Option<[u8; 16]>>, AtError> {
    let command = Manage { op: 4, of, name };
    for again in [true, false] {
        let mut found = Report::default();
        match at.lines(&command, &mut |line| found.take(line)).await {
            Ok(()) if found.of == Some(of) && found.name == *name => return Ok(Some(found.md5)),
            Ok(()) if again => {}
            Ok(()) => return Err(AtError::Garbled),
            Err(AtError::Refused(_)) if again => {}
            Err(AtError::Refused(_)) => return Ok(None),
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// Has the runner remove what an earlier import left. A credential that cannot be removed must not keep
/// another one from being stored.
async fn clean_up(at: &Guest<'_>) -> Result<(), AtError> {
    match at.clean_up().await {
        Err(AtError::Refused(_)) => Ok(()),
        result => result,
    }
}

impl Credentials for UbloxCellular {
    const ACCEPTS: Accepts = Accepts {
        container: Some(Container::Pem),
        // No source says whether one name can hold more than one certificate.
        roots: 1,
        chain: 1,
        len: MAX_LEN,
        self_signed_root: false,
    };
    const PROOF: Proof = Proof::Md5;

    async fn store<S: Source>(
        at: &Guest<'_>,
        tag: Tag,
        kind: Kind,
        content: &mut S,
    ) -> Result<(), CredentialError<S::Error>> {
        let (of, name) = (number(kind), name_of(tag, kind));
        clean_up(at).await?;
        let wanted = md5_of(content).await?;
        // If this future is dropped from here on, the cleanup removes the credential.
        at.modem(|modem| modem.cleanup.unfinished = Some((tag, kind)));
        let mut before = None;
        for again in [true, true, false] {
            let report = match import(at, of, &name, content).await {
                Ok(report) => report,
                Err(error) => {
                    clean_up(at).await?;
                    return Err(error);
                }
            };
            let ours = report.of == Some(of) && report.name == name;
            if !ours && !report.name.is_empty() {
                // Noise has altered the name in the command, so that the credential is under a wrong one; or only in this report,
                // and what has that name is another tag's.
                let is_stored =
                    report.md5.is_some() && find(at, of, &name).await? == Some(report.md5);
                if let Some(of) = report.of.filter(|_| !is_stored) {
                    remove(at, of, &report.name).await?;
                }
            }
            // An MD5 other than expected is of the module's own form if a second import reports it
            // again.
            let proved = report.md5 == Some(wanted);
            if ours && (proved || report.md5.is_some() && before == Some(report.md5)) {
                at.modem(|modem| modem.cleanup.unfinished = None);
                return Ok(());
            }
            if !again {
                break;
            }
            before = ours.then_some(report.md5);
        }
        clean_up(at).await?;
        Err(CredentialError::Corrupted)
    }

    async fn compare<S: Source>(
        at: &Guest<'_>,
        tag: Tag,
        kind: Kind,
        content: &mut S,
    ) -> Result<Comparison, CredentialError<S::Error>> {
        clean_up(at).await?;
        let Some(told) = find(at, number(kind), &name_of(tag, kind)).await? else {
            return Ok(Comparison::Absent);
        };
        Ok(if told == Some(md5_of(content).await?) {
            Comparison::Same
        } else {
            Comparison::Unreadable
        })
    }

    /// Always fails with `Unreadable`: the module reports only a digest, see
    /// [`compare`](Self::compare).
    async fn read_back(
        _at: &Guest<'_>,
        _tag: Tag,
        _kind: Kind,
        _sink: &mut dyn FnMut(&[u8]),
    ) -> Result<bool, CredentialError<Infallible>> {
        Err(CredentialError::Unreadable)
    }

    /// Lists our credentials from lines `"CA","st7_ca","<common name>","<expiry>"`. They have no
    /// prefix, and not all firmware prints the last two fields.
    async fn list(
        at: &Guest<'_>,
        found: &mut dyn FnMut(Stored),
    ) -> Result<(), CredentialError<Infallible>> {
        clean_up(at).await?;
        let mut sink = |line: &[u8]| {
            let mut fields = Fields::new(line);
            fields.next();
            if let Some((tag, kind)) = fields.unquoted().and_then(parse_name) {
                found(Stored::new(tag, kind, None));
            }
        };
        match at.lines(&List, &mut sink).await {
            // A refusal may mean that the store is empty.
            Ok(()) | Err(AtError::Refused(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Reads the date from the list, in which not all firmware prints it.
    async fn expires(
        at: &Guest<'_>,
        tag: Tag,
        kind: Kind,
    ) -> Result<Option<DateTime>, CredentialError<Infallible>> {
        clean_up(at).await?;
        let mut found = None;
        let mut sink = |line: &[u8]| {
            let mut fields = Fields::new(line);
            fields.next();
            if fields.unquoted().and_then(parse_name) == Some((tag, kind)) {
                fields.next();
                found = Some(fields.unquoted().and_then(end_of_certificate));
            }
        };
        match at.lines(&List, &mut sink).await {
            // A refusal may mean that the store is empty.
            Ok(()) | Err(AtError::Refused(_)) => {}
            Err(error) => return Err(error.into()),
        }
        match found {
            None => Ok(None),
            Some(None) => Err(CredentialError::Unreadable),
            Some(end) => Ok(end),
        }
    }

    async fn remove(
        at: &Guest<'_>,
        tag: Tag,
        kind: Kind,
    ) -> Result<(), CredentialError<Infallible>> {
        clean_up(at).await?;
        Ok(remove(at, number(kind), &name_of(tag, kind)).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sheet B.2.1.
    #[test]
    fn ends_of_certificates_are_read() {
        let at = |hour, minute, second| DateTime::new(2020, 5, 30, hour, minute, second);
        assert_eq!(end_of_certificate(b"2020/05/30"), at(0, 0, 0));
        assert_eq!(end_of_certificate(b"2020/05/30 10:48:38"), at(10, 48, 38));
        for bad in [
            &b""[..],
            b"2020/05",
            b"2020/05/30 10",
            b"2020/05/30 10:48",
            b"2020/05/30 10:48:38:1",
            b"2020/13/30",
            b"2020/05/256",
            b"2020/261/30",
            b"20x0/05/30",
        ] {
            assert_eq!(end_of_certificate(bad), None);
        }
    }
}
