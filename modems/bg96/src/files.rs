//! Credentials as files in the modem's flash (sheet 3).
//!
//! A modem that loses its host in the middle of an upload keeps what it has, and after a reset of the
//! MCU alone even fills it up with whatever the new firmware says. So that half a file never passes
//! for a credential, an upload is surrounded by a *marker*: a file of one byte whose name says which
//! file is being written. It is there before the first byte of the upload and goes when the modem has
//! confirmed the last. A file with a marker counts as absent, and bring-up deletes both.

use core::cell::Cell;
use core::convert::Infallible;
use core::fmt::Write;

use embassy_time::{Duration, with_timeout};
use sectag::at::{Fields, InvalidInput, answer};
use sectag::{
    ANSWER_LIMIT, At, AtError, Code, Comparison, CredentialError, Kind, Source, Stored, Tag, Upload,
};
use zeroize::Zeroizing;

use crate::Bg96;
use crate::commands::{FileEnd, FileList, FileOpen, FileRead, FileUpload, FreeSpace, OpenFiles};

/// 8.3 names are strongly recommended; names are global to the modem, so ours say whose they are.
pub(crate) type FileName = heapless::String<12>;

/// The largest tag whose file name is 8.3.
const MAX_TAG: u32 = 999_999;
/// Far above any certificate or key, and below any BG96's free flash.
const MAX_LEN: usize = 32 * 1024;
const CHUNK: usize = 128;
/// The modem gives up after the 5 s of [`FileUpload`].
const SOURCE_LIMIT: Duration = Duration::from_secs(4);

/// Extensions of a credential's file and of its marker.
const EXTENSIONS: [(Kind, [&str; 2]); 3] = [
    (Kind::Ca, ["ca", "xca"]),
    (Kind::ClientCertificate, ["crt", "xcr"]),
    (Kind::PrivateKey, ["key", "xke"]),
];
/// What a marker contains.
const MARK: &[u8] = b"x";
const FILE: usize = 0;
const MARKER: usize = 1;

/// What a flow that was dropped, failed or lost its MCU left in the modem.
pub(crate) struct Remains {
    /// A file whose upload has begun and not ended.
    unfinished: Cell<Option<(Tag, Kind)>>,
    /// A file that was opened and not closed.
    handle: Cell<Option<u32>>,
    /// A file may be open whose handle is not known.
    open: Cell<bool>,
    /// An earlier life of the MCU may have left anything.
    unknown: Cell<bool>,
}

impl Remains {
    pub(crate) const fn new() -> Self {
        Self {
            unfinished: Cell::new(None),
            handle: Cell::new(None),
            open: Cell::new(true),
            unknown: Cell::new(true),
        }
    }
}

pub(crate) fn name(tag: Tag, kind: Kind) -> Result<FileName, InvalidInput> {
    named(tag, kind, FILE)
}

fn named(tag: Tag, kind: Kind, what: usize) -> Result<FileName, InvalidInput> {
    let mut name = FileName::new();
    let known = EXTENSIONS.iter().find(|(known, _)| *known == kind);
    match known {
        Some((_, extensions))
            if tag.0 <= MAX_TAG && write!(name, "st{tag}.{}", extensions[what]).is_ok() =>
        {
            Ok(name)
        }
        _ => Err(InvalidInput::OutOfRange { limit: MAX_TAG }),
    }
}

/// The inverse of [`named`]; `None` for files of others.
fn parse(name: &[u8]) -> Option<(Tag, Kind, usize)> {
    // A sibling lists files with their drive (sheet 3).
    let name = name.strip_prefix(b"UFS:").unwrap_or(name);
    let name = name.strip_prefix(b"st")?;
    let dot = name.iter().position(|&byte| byte == b'.')?;
    let (digits, extension) = (&name[..dot], &name[dot + 1..]);
    // As it is written: without leading zeros.
    if digits.is_empty() || digits.len() > 6 || (digits.len() > 1 && digits[0] == b'0') {
        return None;
    }
    let mut tag = 0;
    for digit in digits {
        tag = tag * 10 + u32::from(digit.checked_sub(b'0').filter(|digit| *digit < 10)?);
    }
    for (kind, extensions) in EXTENSIONS {
        for (what, known) in extensions.iter().enumerate() {
            if known.as_bytes() == extension {
                return Some((Tag(tag), kind, what));
            }
        }
    }
    None
}

pub(crate) async fn store<S: Source>(
    modem: &Bg96,
    at: At<'_>,
    tag: Tag,
    kind: Kind,
    content: &mut S,
) -> Result<(), CredentialError<S::Error>> {
    let name = name(tag, kind).map_err(CredentialError::InvalidInput)?;
    let len = content.len();
    if len == 0 {
        return Err(CredentialError::InvalidInput(InvalidInput::Empty));
    }
    if len > MAX_LEN {
        return Err(CredentialError::InvalidInput(InvalidInput::TooLong {
            limit: MAX_LEN,
        }));
    }
    let mut others = None;
    let result = write(modem, at, tag, kind, &name, content, &mut others).await;
    let Err(error) = result else {
        return Ok(());
    };
    tidy_if_possible(modem, at).await?;
    // No room, or such a name is there: then nothing was written.
    let unwritten = matches!(
        error,
        CredentialError::At(AtError::Refused(Code::Cme(403 | 407 | 420 | 423)))
    );
    if let (Some(others), false) = (others, unwritten) {
        // Where it cannot, the modem is not well, and what was wrong before says more.
        let _ = sweep(at, (tag, kind), others).await;
    }
    Err(match error {
        CredentialError::At(error) => refusal(at, error, len).await,
        error => error,
    })
}

async fn write<S: Source>(
    modem: &Bg96,
    at: At<'_>,
    tag: Tag,
    kind: Kind,
    name: &FileName,
    content: &mut S,
    others: &mut Option<u32>,
) -> Result<(), CredentialError<S::Error>> {
    let marker = named(tag, kind, MARKER).map_err(CredentialError::InvalidInput)?;
    *others = Some(prepare(modem, at, (tag, kind), name).await?);
    // From here on, whoever ends this deletes both.
    modem.files.unfinished.set(Some((tag, kind)));
    let mut sum = Checksum::default();
    sum.add(MARK);
    match begin(at, &marker, MARK.len()).await {
        Ok(mut upload) => {
            upload.write(MARK).await?;
            if !confirmed(at, upload, (tag, kind, MARKER), MARK.len(), sum).await? {
                return Err(CredentialError::Corrupted);
            }
        }
        // One that could not be deleted marks as well.
        Err(AtError::Refused(Code::Cme(407))) => {}
        Err(error) => return Err(error.into()),
    }

    let len = content.len();
    let mut upload = begin(at, name, len).await?;
    let sum = copy(&mut upload, content).await?;
    if !confirmed(at, upload, (tag, kind, FILE), len, sum).await? {
        return Err(CredentialError::Corrupted);
    }
    // It was confirmed: without its marker the file counts.
    at.send(&FileEnd::Delete(marker)).await?;
    // Noise on the UART may have made another name of one of these.
    let mut found = [None; 2];
    entries(at, &mut |entry_tag, entry_kind, what, size| {
        if (entry_tag, entry_kind) == (tag, kind) {
            found[what] = Some(size.unwrap_or(len));
        }
    })
    .await?;
    if found != [Some(len), None] {
        return Err(CredentialError::Corrupted);
    }
    modem.files.unfinished.set(None);
    Ok(())
}

/// Makes room for an upload: one over an existing name is refused (407). Returns the sum of what else is
/// there, see [`sum_of_others`].
async fn prepare(
    modem: &Bg96,
    at: At<'_>,
    own: (Tag, Kind),
    name: &FileName,
) -> Result<u32, AtError> {
    tidy_if_possible(modem, at).await?;
    let (others, exists) = sum_of_others(at, own).await?;
    if exists {
        delete(at, name).await?;
    }
    Ok(others)
}

/// All files of ours but one as a number, and whether that one exists. The modem refuses an upload over a
/// name that exists, so that one whose name noise altered adds a file: its [`number`] is what the sum then
/// has more.
async fn sum_of_others(at: At<'_>, own: (Tag, Kind)) -> Result<(u32, bool), AtError> {
    let mut sum = 0u32;
    let mut exists = false;
    entries(at, &mut |tag, kind, what, _| {
        if (tag, kind) != own {
            sum = sum.wrapping_add(number(tag, kind, what));
        } else {
            exists |= what == FILE;
        }
    })
    .await?;
    Ok((sum, exists))
}

/// Not 0, and different for each file.
fn number(tag: Tag, kind: Kind, what: usize) -> u32 {
    let kind = EXTENSIONS.iter().position(|(known, _)| *known == kind);
    1 + tag.0 * 6 + kind.unwrap_or(0) as u32 * 2 + what as u32
}

/// After an upload that failed: deletes the file that it may have become under another name.
async fn sweep(at: At<'_>, own: (Tag, Kind), others: u32) -> Result<(), AtError> {
    let added = sum_of_others(at, own).await?.0.wrapping_sub(others);
    let mut found = None;
    entries(at, &mut |tag, kind, what, _| {
        if number(tag, kind, what) == added {
            found = named(tag, kind, what).ok();
        }
    })
    .await?;
    match found {
        Some(name) => delete(at, &name).await,
        None => Ok(()),
    }
}

/// What a refused upload means.
async fn refusal<E>(at: At<'_>, error: AtError, needed: usize) -> CredentialError<E> {
    match error {
        // Drive full, no space, too large.
        AtError::Refused(Code::Cme(403 | 420 | 423)) => match at.send(&FreeSpace).await {
            Ok(free) => CredentialError::NoSpace {
                needed,
                free: free.0 as usize,
            },
            Err(error) => error.into(),
        },
        error => error.into(),
    }
}

async fn begin<'a>(at: At<'a>, name: &FileName, len: usize) -> Result<Upload<'a>, AtError> {
    let command = FileUpload {
        name,
        len: len as u32,
    };
    at.upload(&command, len).await
}

/// Sends all of `content` and returns its checksum.
async fn copy<S: Source>(
    upload: &mut Upload<'_>,
    content: &mut S,
) -> Result<Checksum, CredentialError<S::Error>> {
    let len = content.len();
    let mut sum = Checksum::default();
    let mut chunk = Zeroizing::new([0; CHUNK]);
    let mut sent = 0;
    while sent < len {
        let wanted = (len - sent).min(CHUNK);
        let count = with_timeout(SOURCE_LIMIT, content.read_at(sent, &mut chunk[..wanted]))
            .await
            .map_err(|_| CredentialError::SourceTooSlow)?
            .map_err(CredentialError::Source)?;
        if count == 0 {
            return Err(CredentialError::SourceTooShort);
        }
        sum.add(&chunk[..count]);
        upload.write(&chunk[..count]).await?;
        sent += count;
    }
    Ok(sum)
}

/// Waits for the modem's word, and returns whether it has stored just that.
async fn confirmed(
    at: At<'_>,
    upload: Upload<'_>,
    file: (Tag, Kind, usize),
    len: usize,
    sum: Checksum,
) -> Result<bool, AtError> {
    let mut stored = None;
    let ended = upload
        .finish(&mut |line| stored = stored.or_else(|| report(line)))
        .await;
    match ended {
        Ok(()) => Ok(stored == Some((len as u32, sum.value()))),
        // The report may come very late; then the size has to do (sheet 3, [jcm]).
        Err(AtError::Timeout) => {
            entries(at, &mut |tag, kind, what, found| {
                if (tag, kind, what) == file {
                    stored = found.map(|found| (found as u32, 0));
                }
            })
            .await?;
            Ok(stored.map(|(found, _)| found) == Some(len as u32))
        }
        // It waited for bytes that had all been sent.
        Err(AtError::Refused(Code::Cme(421))) => Ok(false),
        Err(error) => Err(error),
    }
}

/// `+QFUPL: <size>,<checksum>`, the checksum in hex without leading zeros (sheet 3).
fn report(line: &[u8]) -> Option<(u32, u16)> {
    let mut fields = Fields::new(answer(line, "+QFUPL:")?);
    Some((fields.int()?, u16::from_str_radix(fields.text()?, 16).ok()?))
}

/// 16-bit XOR over big-endian pairs; an odd last byte is a high byte (sheet 3, verified with T8).
#[derive(Default)]
struct Checksum {
    value: u16,
    odd: bool,
}

impl Checksum {
    fn add(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.value ^= if self.odd {
                byte.into()
            } else {
                u16::from(byte) << 8
            };
            self.odd = !self.odd;
        }
    }

    fn value(&self) -> u16 {
        self.value
    }
}

/// Deletes what an upload left that did not end, and closes what was left open. After a start of MCU
/// or modem it looks for both.
pub(crate) async fn tidy(modem: &Bg96, at: At<'_>) -> Result<(), AtError> {
    let Remains {
        unfinished,
        handle,
        unknown,
        ..
    } = &modem.files;
    // What is known to be unfinished first, then what is found.
    let mut found = heapless::Vec::<_, 4>::new();
    found.extend(unfinished.get());
    let mut looked = false;
    let mut done = 0;
    loop {
        let command = if let Some(handle) = handle.get() {
            FileEnd::Close(handle)
        } else if let Some(&(tag, kind)) = found.get(done / 2) {
            // First the file, then the marker that says that it is none.
            let name = named(tag, kind, [FILE, MARKER][done % 2]);
            done += 1;
            let Ok(name) = name else { continue };
            FileEnd::Delete(name)
        } else {
            unfinished.set(None);
            if looked || !unknown.get() {
                unknown.set(false);
                return Ok(());
            }
            found = markers(at).await?;
            looked = true;
            done = 0;
            continue;
        };
        end(at, &command).await?;
        if let FileEnd::Close(_) = command {
            handle.set(None);
        }
    }
}

/// The credentials that are marked. There is one at a time; of what several resets left, the first
/// few.
async fn markers(at: At<'_>) -> Result<heapless::Vec<(Tag, Kind), 4>, AtError> {
    let mut markers = heapless::Vec::new();
    entries(at, &mut |tag, kind, what, _| {
        if what == MARKER {
            let _ = markers.push((tag, kind));
        }
    })
    .await?;
    Ok(markers)
}

/// Closes the file that was being read.
async fn release(modem: &Bg96, at: At<'_>) -> Result<(), AtError> {
    if let Some(handle) = modem.files.handle.get() {
        end(at, &FileEnd::Close(handle)).await?;
        modem.files.handle.set(None);
    }
    Ok(())
}

/// What cannot be deleted must not stop what can be stored.
async fn tidy_if_possible(modem: &Bg96, at: At<'_>) -> Result<(), AtError> {
    match tidy(modem, at).await {
        Err(AtError::Refused(_)) => {
            // So that it is looked for again.
            modem.files.unknown.set(true);
            Ok(())
        }
        result => result,
    }
}

/// Deletes or closes a file, which may not be there or not be open any more.
async fn end(at: At<'_>, command: &FileEnd) -> Result<(), AtError> {
    let mut again = matches!(command, FileEnd::Delete(_));
    loop {
        let code = match at.send(command).await {
            Ok(_) => return Ok(()),
            Err(AtError::Refused(code)) => code,
            Err(error) => return Err(error),
        };
        match (command, code) {
            // Some firmware says only ERROR. So does one that still had bytes of a broken upload in front
            // of the command, and then the file is there all the same.
            (_, Code::Plain) if again => again = false,
            // 405: it was not there.
            (FileEnd::Close(_), _) | (_, Code::Plain | Code::Cme(405)) => return Ok(()),
            _ => return Err(AtError::Refused(code)),
        }
    }
}

async fn delete(at: At<'_>, name: &FileName) -> Result<(), AtError> {
    end(at, &FileEnd::Delete(name.clone())).await
}

/// What compares, reads or removes starts with this. Whoever only stores never opens a file, and need
/// not have this in its flash.
async fn ready(modem: &Bg96, at: At<'_>) -> Result<(), AtError> {
    tidy_if_possible(modem, at).await?;
    // Left open by an earlier life of the MCU, or a flow that was dropped before it had the handle: it
    // could not be opened again, nor deleted (426).
    if modem.files.open.get() {
        match close_all(at).await {
            Ok(()) | Err(AtError::Refused(_)) => modem.files.open.set(false),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Closes every file of ours that is open.
async fn close_all(at: At<'_>) -> Result<(), AtError> {
    // More cannot be open at a time on any firmware seen.
    let mut open = heapless::Vec::<u32, 10>::new();
    let mut sink = |line: &[u8]| {
        let Some(text) = answer(line, "+QFOPEN:") else {
            return;
        };
        let mut fields = Fields::new(text);
        if let (Some(_), Some(handle)) = (entry(&mut fields), fields.int()) {
            let _ = open.push(handle);
        }
    };
    at.lines(&OpenFiles, &mut sink).await?;
    for handle in open {
        end(at, &FileEnd::Close(handle)).await?;
    }
    Ok(())
}

pub(crate) async fn compare<S: Source>(
    modem: &Bg96,
    at: At<'_>,
    tag: Tag,
    kind: Kind,
    content: &mut S,
) -> Result<Comparison, CredentialError<S::Error>> {
    let name = name(tag, kind).map_err(CredentialError::InvalidInput)?;
    ready(modem, at).await?;
    let found = find(at, tag, kind).await?;
    match found {
        None => Ok(Comparison::Absent),
        // None that is listed without its length is trusted to have the right one.
        Some(len) if len != Some(content.len()) => Ok(Comparison::Differs),
        Some(_) => is_same(modem, at, &name, content).await,
    }
}

/// Compares the file with `content`, which is as long.
async fn is_same<S: Source>(
    modem: &Bg96,
    at: At<'_>,
    name: &FileName,
    content: &mut S,
) -> Result<Comparison, CredentialError<S::Error>> {
    let len = content.len();
    let Some(handle) = open(modem, at, name).await? else {
        return Ok(Comparison::Unreadable);
    };
    let mut theirs = Zeroizing::new([0; CHUNK]);
    let mut ours = Zeroizing::new([0; CHUNK]);
    let mut read = 0;
    let mut same = true;
    while same && read < len {
        let wanted = (len - read).min(CHUNK);
        let count = piece(at, handle, &mut theirs[..wanted]).await?;
        let mut have = 0;
        while have < count {
            let now = content.read_at(read + have, &mut ours[have..count]).await;
            match now.map_err(CredentialError::Source)? {
                0 => return Err(CredentialError::SourceTooShort),
                now => have += now,
            }
        }
        same = count > 0 && theirs[..count] == ours[..count];
        read += count;
    }
    release(modem, at).await?;
    Ok(if same {
        Comparison::Same
    } else {
        Comparison::Differs
    })
}

pub(crate) async fn read_back(
    modem: &Bg96,
    at: At<'_>,
    tag: Tag,
    kind: Kind,
    sink: &mut dyn FnMut(&[u8]),
) -> Result<bool, CredentialError<Infallible>> {
    let name = name(tag, kind).map_err(CredentialError::InvalidInput)?;
    ready(modem, at).await?;
    let Some(len) = find(at, tag, kind).await? else {
        return Ok(false);
    };
    let handle = open(modem, at, &name)
        .await?
        .ok_or(CredentialError::Unreadable)?;
    let mut chunk = Zeroizing::new([0; ANSWER_LIMIT]);
    let mut left = len.unwrap_or(0);
    while left > 0 {
        let wanted = left.min(ANSWER_LIMIT);
        let count = piece(at, handle, &mut chunk[..wanted]).await?;
        if count == 0 {
            return Err(CredentialError::Corrupted);
        }
        sink(&chunk[..count]);
        left -= count;
    }
    release(modem, at).await?;
    Ok(true)
}

/// Opens a file for reading; whoever ends this [tidies](tidy). `None`: the modem refuses.
async fn open(modem: &Bg96, at: At<'_>, name: &FileName) -> Result<Option<u32>, AtError> {
    let Remains {
        handle: known,
        open,
        ..
    } = &modem.files;
    open.set(true);
    match at.send(&FileOpen(name)).await {
        Ok(handle) => {
            known.set(Some(handle.0));
            open.set(false);
            Ok(Some(handle.0))
        }
        Err(AtError::Refused(_)) => {
            open.set(false);
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// The next bytes of an open file, as many as the modem gives; 0 at its end.
async fn piece(at: At<'_>, handle: u32, buf: &mut [u8]) -> Result<usize, AtError> {
    let command = FileRead {
        handle,
        len: buf.len() as u32,
    };
    match at.fetch(&command, buf).await {
        Ok(count) => count.ok_or(AtError::Garbled),
        // "Read zero byte".
        Err(AtError::Refused(Code::Cme(402))) => Ok(0),
        Err(error) => Err(error),
    }
}

pub(crate) async fn list(
    modem: &Bg96,
    at: At<'_>,
    found: &mut dyn FnMut(Stored),
) -> Result<(), CredentialError<Infallible>> {
    let Remains {
        unfinished,
        unknown,
        ..
    } = &modem.files;
    // A marker may stand before or behind its file: they are looked for first, if there can be any.
    let markers = if unfinished.get().is_some() || unknown.get() {
        markers(at).await?
    } else {
        heapless::Vec::new()
    };
    entries(at, &mut |tag, kind, what, len| {
        if what == FILE && !markers.contains(&(tag, kind)) {
            found(Stored::new(tag, kind, len));
        }
    })
    .await?;
    Ok(())
}

pub(crate) async fn remove(
    modem: &Bg96,
    at: At<'_>,
    tag: Tag,
    kind: Kind,
) -> Result<(), CredentialError<Infallible>> {
    let name = name(tag, kind).map_err(CredentialError::InvalidInput)?;
    ready(modem, at).await?;
    delete(at, &name).await.map_err(CredentialError::At)
}

/// Which of the kinds are there under `tag`, whole, in the order of [`Kind::ALL`].
pub(crate) async fn present(at: At<'_>, tag: Tag) -> Result<[bool; 3], AtError> {
    let mut present = [false; 3];
    let mut marked = [false; 3];
    entries(at, &mut |found, kind, what, len| {
        let index = EXTENSIONS.iter().position(|(known, _)| *known == kind);
        if let (true, Some(index)) = (found == tag, index) {
            match what {
                FILE => present[index] |= len != Some(0),
                _ => marked[index] = true,
            }
        }
    })
    .await?;
    for (present, marked) in present.iter_mut().zip(marked) {
        *present &= !marked;
    }
    Ok(present)
}

/// The length of a file that is there, whole; `None` inside if it is listed without.
async fn find(at: At<'_>, tag: Tag, kind: Kind) -> Result<Option<Option<usize>>, AtError> {
    let mut found = None;
    let mut marked = false;
    entries(at, &mut |other, of, what, len| {
        if (other, of) == (tag, kind) {
            match what {
                FILE => found = Some(len),
                _ => marked = true,
            }
        }
    })
    .await?;
    Ok(found.filter(|_| !marked))
}

/// The file that the next field names, if it is ours.
fn entry(fields: &mut Fields<'_>) -> Option<(Tag, Kind, usize)> {
    let quoted = fields.next()?;
    parse(quoted.strip_prefix(b"\"")?.strip_suffix(b"\"")?)
}

/// Lists our files and markers.
async fn entries(
    at: At<'_>,
    found: &mut dyn FnMut(Tag, Kind, usize, Option<usize>),
) -> Result<(), AtError> {
    let mut sink = |line: &[u8]| {
        let Some(text) = answer(line, "+QFLST:") else {
            return;
        };
        let mut fields = Fields::new(text);
        if let Some((tag, kind, what)) = entry(&mut fields) {
            found(tag, kind, what, fields.int().map(|len| len as usize));
        }
    };
    match at.lines(&FileList, &mut sink).await {
        // An empty file system is an error to some firmware.
        Ok(()) | Err(AtError::Refused(Code::Cme(405) | Code::Plain)) => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;

    #[test]
    fn names_are_8_3_and_parse_back() {
        for kind in Kind::ALL {
            for tag in [0, 7, 42, MAX_TAG] {
                for what in [FILE, MARKER] {
                    let name = named(Tag(tag), kind, what).unwrap();
                    assert_eq!(
                        parse(name.as_bytes()),
                        Some((Tag(tag), kind, what)),
                        "{name}"
                    );
                }
            }
        }
        assert_eq!(
            name(Tag(MAX_TAG + 1), Kind::Ca),
            Err(InvalidInput::OutOfRange { limit: MAX_TAG })
        );
    }

    #[test]
    fn each_file_has_a_number_of_its_own() {
        let mut numbers = std::collections::BTreeSet::from([0]);
        for tag in [0, 1, 9, 99, MAX_TAG - 1, MAX_TAG] {
            for kind in Kind::ALL {
                for what in [FILE, MARKER] {
                    assert!(numbers.insert(number(Tag(tag), kind, what)));
                }
            }
        }
    }

    #[test]
    fn files_of_others_are_not_ours() {
        for other in [
            "rootCA.pem",
            "st.ca",
            "st1.pem",
            "st01.ca",
            "st+1.ca",
            "st1.ca.bak",
            "st1000000.ca",
            "st0000001.ca",
            "security/",
        ] {
            assert_eq!(parse(other.as_bytes()), None, "{other}");
        }
        assert_eq!(parse(b"UFS:st1.ca"), Some((Tag(1), Kind::Ca, FILE)));
    }

    #[test]
    fn upload_report_is_a_number_in_hex() {
        assert_eq!(report(b"+QFUPL: 1267,f5f"), Some((1267, 0x0f5f)));
        assert_eq!(report(b"+QFUPL: 300,B34A"), Some((300, 0xB34A)));
        assert_eq!(report(b"+QFUPL: 300"), None);
    }

    #[test]
    fn checksum_does_not_depend_on_chunks() {
        let bytes = b"abcdefg";
        let mut whole = Checksum::default();
        whole.add(bytes);
        for cut in 0..bytes.len() {
            let mut parts = Checksum::default();
            parts.add(&bytes[..cut]);
            parts.add(&bytes[cut..]);
            assert_eq!(parts.value(), whole.value());
        }
        assert_eq!(whole.value(), 0x6162 ^ 0x6364 ^ 0x6566 ^ 0x6700);
    }
}
