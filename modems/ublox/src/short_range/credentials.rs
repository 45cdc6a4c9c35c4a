//! Certificates and keys in the module's store (sheet A.4.1).
//!
//! They are stored in DER, so that the MD5 which the module reports is the MD5 of what was sent. A
//! module that keeps them in another form reports another MD5. Then a second upload shows whether that
//! MD5 is always the same one, and whether a credential is there already has to come from a
//! [`ProvisionRecord`](sectag::ProvisionRecord).

use core::convert::Infallible;

use embassy_time::{Duration, with_timeout};
use sectag::at::{AtatCmd, CommandLine, Done, Fields, answer};
use sectag::inspect::Container;
use sectag::modem::{Credentials, Out};
use sectag::{
    Accepts, At, AtError, Comparison, CredentialError, Feature, Kind, Md5, Proof, Source, Stored,
    Tag,
};
use zeroize::Zeroizing;

use super::ShortRange;

/// The longest credential, in bytes (sheet A.4.1).
const LIMIT: usize = 8192;
const CHUNK: usize = 128;
const SOURCE_LIMIT: Duration = Duration::from_secs(10);
/// The time limit of an import, in milliseconds (sheet A.4.1).
const STORE: u32 = 10_000;
const QUICK: u32 = 3_000;

/// Each kind with its `<type>`, its ending in names, and its name in lists.
const TYPES: [(Kind, u32, &str, &[u8]); 3] = [
    (Kind::Ca, 0, "ca", b"CA"),
    (Kind::ClientCertificate, 1, "cc", b"CC"),
    (Kind::PrivateKey, 2, "pk", b"PK"),
];

fn row(kind: Kind) -> (Kind, u32, &'static str, &'static [u8]) {
    let row = TYPES.into_iter().find(|row| row.0 == kind);
    row.unwrap_or(TYPES[0])
}

/// Writes the name of a credential, `st42ca`, of up to 14 bytes. Each kind has names of its own,
/// because no source says whether names of different kinds may be equal.
pub(super) fn name(tag: Tag, kind: Kind, out: &mut Out<'_>) {
    out.bytes(b"st");
    out.int(tag.0);
    out.bytes(row(kind).2.as_bytes());
}

/// Writes `<type>,"<name>"`.
pub(super) fn place(tag: Tag, kind: Kind, out: &mut Out<'_>) {
    out.int(row(kind).1);
    out.bytes(b",\"");
    name(tag, kind, out);
    out.byte(b'"');
}

/// A command about credentials: `AT+USECMNG=<op>,<type>,"<name>"[,<size>]`, or `=3` for the list.
struct Manage<const MS: u32> {
    op: u32,
    item: Option<(Tag, Kind)>,
    size: Option<usize>,
}

impl<const MS: u32> AtatCmd for Manage<MS> {
    type Response = Done;
    const MAX_TIMEOUT_MS: u32 = MS;

    fn write(&self, buf: &mut [u8]) -> usize {
        let mut line = CommandLine::new(buf, "+USECMNG").int(self.op);
        if let Some((tag, kind)) = self.item {
            let mut room = [0; 24];
            let mut out = Out::new(&mut room);
            name(tag, kind, &mut out);
            let len = out.len();
            let name = room
                .get(..len)
                .and_then(|name| core::str::from_utf8(name).ok());
            line = line.int(row(kind).1).quoted(name.unwrap_or_default());
        }
        if let Some(size) = self.size {
            line = line.int(size as u32);
        }
        line.finish()
    }

    fn parse(
        &self,
        answer: Result<&[u8], sectag::__atat::InternalError<'_>>,
    ) -> Result<Done, sectag::__atat::Error> {
        answer.map(|_| Done).map_err(Into::into)
    }
}

/// Reads the MD5 of `+USECMNG:<op>,<type>,"<name>","<32 hex digits>"`. Another name or type shows that
/// the command was altered on its way; the result is then `None`.
fn digest(line: &[u8], tag: Tag, kind: Kind) -> Option<[u8; 16]> {
    let mut fields = Fields::new(answer(line, "+USECMNG:")?);
    let of = fields.nth(1)?;
    let mut room = [0; 24];
    let mut out = Out::new(&mut room);
    name(tag, kind, &mut out);
    let len = out.len();
    let named = fields.unquoted()? == room.get(..len)?;
    if !named || sectag::at::decimal(of) != Some(row(kind).1) {
        return None;
    }
    let hex = fields.unquoted()?;
    if hex.len() != 32 {
        return None;
    }
    let mut bytes = [0; 16];
    for (byte, digits) in bytes.iter_mut().zip(hex.chunks(2)) {
        for digit in digits {
            *byte = *byte << 4 | char::from(*digit).to_digit(16)? as u8;
        }
    }
    Some(bytes)
}

/// Reads `"CA","st42ca",..`, a line of the list.
fn listed(line: &[u8]) -> Option<(Tag, Kind)> {
    let mut fields = Fields::new(line);
    let short = fields.unquoted()?;
    let row = TYPES.into_iter().find(|row| row.3 == short)?;
    let name = fields.unquoted()?;
    let digits = name.strip_prefix(b"st")?.strip_suffix(row.2.as_bytes())?;
    Some((Tag(sectag::at::decimal(digits)?), row.0))
}

type Guest<'a> = At<'a, ShortRange>;

/// Returns the MD5 that the module reports; `None` if it has no credential of this name. Any refusal
/// means that (sheet A.4.1).
async fn digest_of(at: &Guest<'_>, tag: Tag, kind: Kind) -> Result<Option<[u8; 16]>, AtError> {
    let ask = Manage::<QUICK> {
        op: 4,
        item: Some((tag, kind)),
        size: None,
    };
    let mut found = None;
    match at
        .lines(&ask, &mut |line| found = found.or(digest(line, tag, kind)))
        .await
    {
        Ok(()) => found.map(Some).ok_or(AtError::Garbled),
        Err(AtError::Refused(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Reads the next bytes of the source, at least one; `left` bytes of the announced length are left.
async fn read<S: Source>(
    content: &mut S,
    at: usize,
    left: usize,
    chunk: &mut [u8],
) -> Result<usize, CredentialError<S::Error>> {
    let wanted = left.min(CHUNK);
    let count = with_timeout(SOURCE_LIMIT, content.read_at(at, &mut chunk[..wanted]))
        .await
        .map_err(|_| CredentialError::SourceTooSlow)?
        .map_err(CredentialError::Source)?;
    if count == 0 {
        return Err(CredentialError::SourceTooShort);
    }
    Ok(count)
}

async fn md5<S: Source>(content: &mut S) -> Result<[u8; 16], CredentialError<S::Error>> {
    let mut hasher = Md5::new();
    let mut chunk = Zeroizing::new([0; CHUNK]);
    let len = content.len();
    let mut at = 0;
    while at < len {
        let count = read(content, at, len - at, &mut chunk[..]).await?;
        hasher.update(&chunk[..count]);
        at += count;
    }
    Ok(hasher.finish())
}

/// Uploads a credential. Returns the MD5 of what was sent, and the one that the module reports.
async fn upload<S: Source>(
    at: &Guest<'_>,
    tag: Tag,
    kind: Kind,
    content: &mut S,
) -> Result<([u8; 16], [u8; 16]), CredentialError<S::Error>> {
    let len = content.len();
    let import = Manage::<STORE> {
        op: 0,
        item: Some((tag, kind)),
        size: Some(len),
    };
    let mut upload = at.upload(&import, len).await?;
    let mut hasher = Md5::new();
    let mut chunk = Zeroizing::new([0; CHUNK]);
    let mut sent = 0;
    while sent < len {
        let count = read(content, sent, len - sent, &mut chunk[..]).await?;
        hasher.update(&chunk[..count]);
        upload.write(&chunk[..count]).await?;
        sent += count;
    }
    let mut found = None;
    upload
        .finish(&mut |line| found = found.or(digest(line, tag, kind)))
        .await?;
    let found = found.ok_or(CredentialError::At(AtError::Garbled))?;
    Ok((hasher.finish(), found))
}

async fn remove(at: &Guest<'_>, tag: Tag, kind: Kind) -> Result<(), AtError> {
    let remove = Manage::<STORE> {
        op: 2,
        item: Some((tag, kind)),
        size: None,
    };
    match at.send(&remove).await {
        // A refusal means that there is none.
        Ok(_) | Err(AtError::Refused(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

impl Credentials for ShortRange {
    const ACCEPTS: Accepts = Accepts {
        container: Some(Container::Der),
        roots: 1,
        chain: 1,
        len: LIMIT,
        self_signed_root: false,
    };
    const PROOF: Proof = Proof::Md5;

    async fn store<S: Source>(
        at: &Guest<'_>,
        tag: Tag,
        kind: Kind,
        content: &mut S,
    ) -> Result<(), CredentialError<S::Error>> {
        // Without flow control bytes may be lost, which only shows at the end.
        if !at.modem(|modem| modem.config.flow_control) {
            return Err(CredentialError::Lacks(Feature::FlowControl));
        }
        // What an interrupted upload has left would be forgotten otherwise: there is room for the name of one.
        if at.modem(|modem| modem.half.is_some()) {
            at.clean_up().await?;
        }
        let _exclusive = at.exclusive().await;
        // Set before the first await, so that `CLEANUP` removes the rest if this future is dropped.
        at.modem(|modem| modem.half = Some((tag, kind)));
        let (sent, kept) = upload(at, tag, kind, content).await?;
        let mut whole = sent == kept;
        if !whole {
            // Bytes were lost, or the module keeps another form. In the second case a second upload
            // gives an equal MD5.
            let (sent, again) = upload(at, tag, kind, content).await?;
            whole = again == sent || again == kept;
        }
        if !whole {
            remove(at, tag, kind).await?;
        }
        at.modem(|modem| modem.half = None);
        if whole {
            Ok(())
        } else {
            Err(CredentialError::Corrupted)
        }
    }

    async fn compare<S: Source>(
        at: &Guest<'_>,
        tag: Tag,
        kind: Kind,
        content: &mut S,
    ) -> Result<Comparison, CredentialError<S::Error>> {
        let Some(theirs) = digest_of(at, tag, kind).await? else {
            return Ok(Comparison::Absent);
        };
        // Another MD5 may be that of another form of this credential.
        Ok(if md5(content).await? == theirs {
            Comparison::Same
        } else {
            Comparison::Unreadable
        })
    }

    /// Always fails with `Unreadable`: no command reads a credential back.
    async fn read_back(
        _at: &Guest<'_>,
        _tag: Tag,
        _kind: Kind,
        _sink: &mut dyn FnMut(&[u8]),
    ) -> Result<bool, CredentialError<Infallible>> {
        Err(CredentialError::Unreadable)
    }

    async fn list(
        at: &Guest<'_>,
        found: &mut dyn FnMut(Stored),
    ) -> Result<(), CredentialError<Infallible>> {
        let list = Manage::<QUICK> {
            op: 3,
            item: None,
            size: None,
        };
        let mut each = |line: &[u8]| {
            if let Some((tag, kind)) = listed(line) {
                found(Stored::new(tag, kind, None));
            }
        };
        Ok(at.lines(&list, &mut each).await?)
    }

    /// Asks for each kind, because the layout of the list is UNCONFIRMED on these modules (sheet
    /// A.4.1).
    async fn list_tag(
        at: &Guest<'_>,
        tag: Tag,
        found: &mut dyn FnMut(Stored),
    ) -> Result<(), CredentialError<Infallible>> {
        for kind in Kind::ALL {
            if digest_of(at, tag, kind).await?.is_some() {
                found(Stored::new(tag, kind, None));
            }
        }
        Ok(())
    }

    async fn remove(
        at: &Guest<'_>,
        tag: Tag,
        kind: Kind,
    ) -> Result<(), CredentialError<Infallible>> {
        let _exclusive = at.exclusive().await;
        Ok(remove(at, tag, kind).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sheet B.2.1 and E.5, without the space.
    #[test]
    fn answers_are_read() {
        let line = b"+USECMNG:4,1,\"st42cc\",\"779F57D926322E562A0DBDDFD9D3652D\"";
        let of = |line: &[u8], tag, kind| digest(line, Tag(tag), kind);
        let cert = Kind::ClientCertificate;
        assert_eq!(of(line, 42, cert).unwrap()[..2], [0x77, 0x9f]);
        assert_eq!(of(b"+USECMNG:4,1,\"st42cc\"", 42, cert), None);
        // A line about another credential.
        assert_eq!(of(line, 43, cert), None);
        assert_eq!(of(line, 42, Kind::Ca), None);
        let list = |text: &str| listed(text.as_bytes());
        assert_eq!(
            list("\"CA\",\"st42ca\",\"Root\",\"2030/05/30\""),
            Some((Tag(42), Kind::Ca))
        );
        assert_eq!(list("\"PK\",\"st42pk\""), Some((Tag(42), Kind::PrivateKey)));
        assert_eq!(list("\"CA\",\"st42cc\""), None);
        assert_eq!(
            list("\"CA\",\"AddTrustCA\",\"AddTrust\",\"2020/05/30\""),
            None
        );
    }

    #[test]
    fn commands_are_written() {
        let import = Manage::<STORE> {
            op: 0,
            item: Some((Tag(u32::MAX), Kind::PrivateKey)),
            size: Some(1223),
        };
        let mut buf = [0; 64];
        let len = import.write(&mut buf);
        assert_eq!(&buf[..len], b"AT+USECMNG=0,2,\"st4294967295pk\",1223\r");
    }
}
