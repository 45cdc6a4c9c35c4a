//! Credentials as files (sheet 1.9): CA and certificate are plain, the key is secure and cannot be
//! read.

use core::convert::Infallible;
use core::fmt::{Arguments, Write};

use embassy_time::{Duration, with_timeout};
use sectag::at::{AtatCmd, Done, Fields, answer};
use sectag::inspect::{Base64, encode};
use sectag::modem::Credentials;
use sectag::{Accepts, At, AtError, Code, CredentialError, Kind, Source, Stored, Tag};
use zeroize::{Zeroize, Zeroizing};

use crate::causes;
use crate::files::{self, FileName, MAX_LEN, fill, name_of};

use super::Cc32xx;
use super::dialect::number;
use super::open_file::OpenFile;

/// The time limit of file commands, in milliseconds: TI's own limit (sheet 2).
const FILE: u32 = 65_500;
/// The most bytes of one write: whole blocks of the encryption, and one line (sheet 1.6).
const WRITE: usize = 528;
/// The number of bytes that are encoded at a time.
const PIECE: usize = 192;
const PIECE_TEXT: usize = PIECE / 3 * 4;
const SOURCE_LIMIT: Duration = Duration::from_secs(10);
/// The number for a read behind the end of a file (sheet 5.4).
const PAST_END: i16 = -10_337;
/// The numbers for an earlier file that was not closed.
const ALREADY_OPEN: [i16; 2] = [-10_369, -10_370];
const NO_SUCH_FILE: i16 = -10_341;
const SECURE_ALERT: i16 = -10_365;

/// A command with its parameters; its time limit is `MS` milliseconds.
pub(super) struct Ask<const MS: u32>(heapless::String<160>);

impl<const MS: u32> Ask<MS> {
    /// Returns the command with this text, which is without its `AT`. It fits, since names of files are
    /// short.
    pub(super) fn new(text: Arguments<'_>) -> Self {
        let mut whole = heapless::String::new();
        let _ = whole.write_fmt(text);
        Self(whole)
    }
}

impl<const MS: u32> AtatCmd for Ask<MS> {
    type Response = Done;
    const MAX_TIMEOUT_MS: u32 = MS;

    fn write(&self, buf: &mut [u8]) -> usize {
        let len = 2 + self.0.len();
        if let Some(room) = buf.get_mut(..len) {
            room[..2].copy_from_slice(b"AT");
            room[2..].copy_from_slice(self.0.as_bytes());
        }
        len
    }

    fn parse(
        &self,
        answer: Result<&[u8], sectag::__atat::InternalError<'_>>,
    ) -> Result<Done, sectag::__atat::Error> {
        answer.map(|_| Done).map_err(Into::into)
    }
}

type Guest<'a> = At<'a, Cc32xx>;

/// Returns an error with the meaning of the chip's number.
fn explained(error: AtError) -> AtError {
    match error {
        AtError::Refused(Code::Signed(code, _)) => AtError::Refused(causes::of_file(code.into())),
        error => error,
    }
}

fn code_of(error: AtError) -> Option<i16> {
    match error {
        AtError::Refused(code) => number(code),
        _ => None,
    }
}

/// Returns the flags by which a file of this kind is created. All files are fail-safe: the old content
/// stays until the new one is closed.
fn flags(kind: Kind) -> &'static str {
    match kind {
        Kind::PrivateKey => {
            "CREATE|OVERWRITE|CREATE_FAILSAFE|CREATE_SECURE|CREATE_NOSIGNATURE|CREATE_PUBLIC_WRITE"
        }
        _ => "CREATE|OVERWRITE|CREATE_FAILSAFE",
    }
}

/// Opens a file, and returns its number, which the dialect notes as well.
async fn open(at: &Guest<'_>, command: Arguments<'_>) -> Result<u32, AtError> {
    let mut id = None;
    let each = &mut |line: &[u8]| {
        if let Some(text) = answer(line, "+fileopen:") {
            id = Fields::new(text).int();
        }
    };
    let opened = at.lines(&Ask::<FILE>::new(command), each).await;
    match opened.and(id.ok_or(AtError::Garbled)) {
        Ok(id) => Ok(id),
        Err(error) => {
            let code = code_of(error);
            let is_open = code.is_some_and(|code| ALREADY_OPEN.contains(&code));
            if code.is_none() || is_open {
                // The file is open, or may be, under a number that was not reported.
                at.modem(|modem| modem.file = OpenFile::Unknown);
            }
            Err(explained(error))
        }
    }
}

async fn close(at: &Guest<'_>, id: u32, signature: &str) -> Result<(), AtError> {
    let command = Ask::<FILE>::new(format_args!("+FileClose={id},,{signature}"));
    at.send(&command).await.map(drop).map_err(explained)
}

/// Writes as much content as fits into one line, from `offset` on, of the `left` bytes that are to come; returns
/// how much.
async fn write<S: Source>(
    at: &Guest<'_>,
    id: u32,
    content: &mut S,
    offset: usize,
    left: usize,
) -> Result<usize, CredentialError<S::Error>> {
    let len = left.min(WRITE);
    let text = len.div_ceil(3) * 4;
    let command = Ask::<FILE>::new(format_args!("+FileWrite={id},{offset},1,{text},"));
    // The first part is read before the line begins, so that a slow source does not keep a begun line
    // waiting.
    let mut piece = Zeroizing::new([0; PIECE]);
    let mut characters = Zeroizing::new([0; PIECE_TEXT]);
    let mut count = len.min(PIECE);
    read(content, offset, &mut piece[..count]).await?;
    let mut line = at.quote(&command, text).await?;
    let mut done = 0;
    loop {
        let length = encode(&piece[..count], &mut characters[..]);
        line.write(&characters[..length]).await?;
        done += count;
        if done == len {
            break;
        }
        count = (len - done).min(PIECE);
        read(content, offset + done, &mut piece[..count]).await?;
    }
    let mut written = None;
    let each = &mut |line: &[u8]| {
        written = written.or(answer(line, "+filewrite:").and_then(sectag::at::decimal));
    };
    line.finish(each).await.map_err(explained)?;
    if written != Some(text as u32) {
        return Err(CredentialError::Corrupted);
    }
    Ok(len)
}

async fn read<S: Source>(
    content: &mut S,
    offset: usize,
    into: &mut [u8],
) -> Result<(), CredentialError<S::Error>> {
    with_timeout(SOURCE_LIMIT, fill(content, offset, into))
        .await
        .map_err(|_| CredentialError::SourceTooSlow)?
}

/// Writes all of the content, `len` bytes as they were announced, into the open file.
async fn write_all<S: Source>(
    at: &Guest<'_>,
    id: u32,
    content: &mut S,
    len: usize,
) -> Result<(), CredentialError<S::Error>> {
    let mut offset = 0;
    while offset < len {
        offset += write(at, id, content, offset, len - offset).await?;
    }
    Ok(())
}

/// Reads a plain file to its end. A file that is longer than a credential can be is none of ours, and is not read to
/// its end, which may never come.
async fn read_all(
    at: &Guest<'_>,
    id: u32,
    sink: &mut dyn FnMut(&[u8]),
) -> Result<(), CredentialError<Infallible>> {
    let mut offset = 0;
    let mut text = Zeroizing::new([0; PIECE_TEXT]);
    loop {
        if offset > MAX_LEN {
            return Err(CredentialError::Unreadable);
        }
        let command = Ask::<FILE>::new(format_args!("+FileRead={id},{offset},1,{PIECE}"));
        let count = match at.fetch(&command, &mut text[..]).await {
            Ok(Some(count)) => count,
            Ok(None) => return Err(AtError::Garbled.into()),
            // The file ended with the last whole chunk.
            Err(error) if code_of(error) == Some(PAST_END) => return Ok(()),
            Err(error) => return Err(explained(error).into()),
        };
        let mut decoder = Base64::new();
        let mut bytes = Zeroizing::new([0; PIECE]);
        let mut len = 0;
        for &character in &text[..count] {
            if let Some(byte) = decoder.push(character).map_err(|_| AtError::Garbled)? {
                *bytes.get_mut(len).ok_or(AtError::Garbled)? = byte;
                len += 1;
            }
        }
        if !decoder.is_whole() {
            return Err(AtError::Garbled.into());
        }
        sink(&bytes[..len]);
        bytes.zeroize();
        offset += len;
        if len < PIECE {
            return Ok(());
        }
    }
}

/// Calls `found` with the name of each file of the chip. Listing needs no token.
async fn each_file(at: &Guest<'_>, found: &mut dyn FnMut(&[u8])) -> Result<(), AtError> {
    let each = &mut |line: &[u8]| {
        if let Some(text) = answer(line, "+filegetfilelist:") {
            found(Fields::new(text).next().unwrap_or_default());
        }
    };
    let command = Ask::<FILE>::new(format_args!("+FileGetFileList"));
    at.lines(&command, each).await.map_err(explained)
}

async fn is_there(at: &Guest<'_>, name: &FileName) -> Result<bool, AtError> {
    let mut there = false;
    each_file(at, &mut |listed| {
        there |= listed.eq_ignore_ascii_case(name.as_bytes());
    })
    .await?;
    Ok(there)
}

/// Returns the credential of a file name such as `/cert/<tag>_ca.der`.
fn credential(name: &[u8]) -> Option<(Tag, Kind)> {
    let text = core::str::from_utf8(name).ok()?;
    let digits = text.strip_prefix("/cert/")?.split('_').next()?;
    let tag = Tag(digits.parse().ok()?);
    let kinds = Kind::ALL.into_iter();
    let mut kinds = kinds.filter(|kind| name_of(tag, *kind).eq_ignore_ascii_case(text));
    Some((tag, kinds.next()?))
}

impl Credentials for Cc32xx {
    const ACCEPTS: Accepts = files::ACCEPTS;

    async fn store<S: Source>(
        at: &Guest<'_>,
        tag: Tag,
        kind: Kind,
        content: &mut S,
    ) -> Result<(), CredentialError<S::Error>> {
        let len = content.len();
        // An upload whose future was dropped has left its file open.
        at.clean_up().await?;
        let _exclusive = at.exclusive().await;
        let name = name_of(tag, kind);
        let flags = flags(kind);
        let id = open(at, format_args!("+FileOpen={name},{flags},{len}")).await?;
        let written = write_all(at, id, content, len).await;
        // Content that is not whole is not kept.
        let signature = if written.is_ok() { "" } else { "A" };
        let closed = close(at, id, signature).await;
        if closed.is_ok() {
            at.modem(|modem| modem.file = OpenFile::None);
        }
        written?;
        Ok(closed?)
    }

    async fn read_back(
        at: &Guest<'_>,
        tag: Tag,
        kind: Kind,
        sink: &mut dyn FnMut(&[u8]),
    ) -> Result<bool, CredentialError<Infallible>> {
        at.clean_up().await?;
        let _exclusive = at.exclusive().await;
        let name = name_of(tag, kind);
        if !is_there(at, &name).await? {
            return Ok(false);
        }
        if kind == Kind::PrivateKey {
            // The file's token is not known, and a wrong one counts towards the lock.
            return Err(CredentialError::Unreadable);
        }
        let id = match open(at, format_args!("+FileOpen={name},READ,")).await {
            Ok(id) => id,
            // A secure file under one of our names is not opened again.
            Err(error) => match code_of(error) {
                Some(NO_SUCH_FILE) => return Ok(false),
                Some(SECURE_ALERT) => return Err(CredentialError::Unreadable),
                _ => return Err(error.into()),
            },
        };
        let read = read_all(at, id, sink).await;
        let closed = close(at, id, "").await;
        if closed.is_ok() {
            at.modem(|modem| modem.file = OpenFile::None);
        }
        read?;
        closed?;
        Ok(true)
    }

    async fn list(
        at: &Guest<'_>,
        found: &mut dyn FnMut(Stored),
    ) -> Result<(), CredentialError<Infallible>> {
        let each = &mut |name: &[u8]| {
            if let Some((tag, kind)) = credential(name) {
                found(Stored::new(tag, kind, None));
            }
        };
        Ok(each_file(at, each).await?)
    }

    /// Removes a credential. The token of a key is not known any more, so its content is overwritten
    /// and its file stays.
    async fn remove(
        at: &Guest<'_>,
        tag: Tag,
        kind: Kind,
    ) -> Result<(), CredentialError<Infallible>> {
        at.clean_up().await?;
        let name = name_of(tag, kind);
        if !is_there(at, &name).await? {
            return Ok(());
        }
        if kind == Kind::PrivateKey {
            let mut nothing: &[u8] = &[0; 16];
            return Self::store(at, tag, kind, &mut nothing).await;
        }
        let _exclusive = at.exclusive().await;
        let command = Ask::<FILE>::new(format_args!("+FileDel={name},"));
        match at.send(&command).await {
            Ok(_) => Ok(()),
            Err(error) if code_of(error) == Some(NO_SUCH_FILE) => Ok(()),
            Err(error) => Err(explained(error).into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_a_list_are_read() {
        assert_eq!(credential(b"/cert/7_ca.der"), Some((Tag(7), Kind::Ca)));
        assert_eq!(credential(b"/CERT/42_KEY.DER"), None);
        assert_eq!(
            credential(b"/cert/42_key.DER"),
            Some((Tag(42), Kind::PrivateKey))
        );
        assert_eq!(credential(b"/cert/x_ca.der"), None);
        assert_eq!(credential(b"/sys/mcuimg.bin"), None);
    }

    #[test]
    fn the_longest_command_fits() {
        let name = name_of(Tag(u32::MAX), Kind::ClientCertificate);
        let flags = flags(Kind::PrivateKey);
        let command = Ask::<1>::new(format_args!("+FileOpen={name},{flags},16384"));
        assert!(command.0.ends_with(",16384"));
    }
}
