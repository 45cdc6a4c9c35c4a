//! Storing, comparing and reading credentials. How they are kept is described in
//! [`files`](crate::files).

use core::convert::Infallible;

use embassy_time::{Duration, with_timeout};
use sectag::at::{AtatResp, CommandLine, Fields, InvalidInput, answer, at_command};
use sectag::inspect::{Container, KeyType};
use sectag::modem::{Credentials, Modem};
use sectag::{
    ANSWER_LIMIT, Accepts, At, AtError, Code, Comparison, CredentialError, Kind, ServerKey, Source,
    Stored, Tag, Upload,
};
use zeroize::Zeroizing;

use crate::files::{MARKERS, check_tag, entry, is_empty, listed, write_name};
use crate::keys::hex;
use crate::{Bg96, Options};

/// The longest credential, in bytes: far above any certificate or key, and below the free flash of any
/// BG96.
const MAX_LEN: usize = 32 * 1024;
const CHUNK: usize = 128;
/// The time limit of a read from the source. The modem gives up after the 5 s of [`FileUpload`].
const SOURCE_LIMIT: Duration = Duration::from_secs(4);
/// The content of a marker.
const MARK: &[u8] = b"x";
/// The time limit of most commands, in milliseconds: the manual says 300, the rest is for a slow UART
/// and a busy modem.
const QUICK: u32 = 3000;

impl<O: Options> Credentials for Bg96<O> {
    const ACCEPTS: Accepts = Accepts {
        // DER is UNCONFIRMED (sheet 3), so it is converted.
        container: Some(Container::Pem),
        // "The cacert file may hold one root" (sheet 3). The length of a client's chain is UNCONFIRMED,
        // so it is not limited.
        roots: 1,
        chain: u16::MAX,
    };

    /// "RSA certificates only, no ECDSA suites" (sheet 4.1); relatives that list ECDSA suites can use
    /// ECDSA keys. A CA may have any key but Ed25519: the server's certificate that it signs has an RSA
    /// key.
    fn uses(&self, kind: Kind, key: KeyType) -> bool {
        match key {
            KeyType::Ed25519 => false,
            KeyType::EcP256 | KeyType::EcP384 | KeyType::EcOther => {
                let suites = self.capabilities().suites;
                kind == Kind::Ca || !suites.for_key(ServerKey::Ecdsa).is_empty()
            }
            _ => true,
        }
    }

    // These are no `async fn`, because a future around a future costs 100 bytes of flash, and stack.
    fn store<S: Source>(
        at: &At<'_, Self>,
        tag: Tag,
        kind: Kind,
        content: &mut S,
    ) -> impl Future<Output = Result<(), CredentialError<S::Error>>> {
        store(at, (tag, number(kind)), content)
    }

    fn compare<S: Source>(
        at: &At<'_, Self>,
        tag: Tag,
        kind: Kind,
        content: &mut S,
    ) -> impl Future<Output = Result<Comparison, CredentialError<S::Error>>> {
        compare(at, (tag, number(kind)), content)
    }

    fn read_back(
        at: &At<'_, Self>,
        tag: Tag,
        kind: Kind,
        sink: &mut dyn FnMut(&[u8]),
    ) -> impl Future<Output = Result<bool, CredentialError<Infallible>>> {
        read_back(at, (tag, number(kind)), sink)
    }

    fn list(
        at: &At<'_, Self>,
        found: &mut dyn FnMut(Stored),
    ) -> impl Future<Output = Result<(), CredentialError<Infallible>>> {
        list(at, found)
    }

    fn remove(
        at: &At<'_, Self>,
        tag: Tag,
        kind: Kind,
    ) -> impl Future<Output = Result<(), CredentialError<Infallible>>> {
        remove(at, (tag, number(kind)))
    }
}

/// A tag and the number of one of its files, see [`files`](crate::files).
type File = (Tag, u8);

/// The number of a credential's file.
fn number(kind: Kind) -> u8 {
    match kind {
        Kind::Ca => 0,
        Kind::ClientCertificate => 1,
        _ => 2,
    }
}

/// Refuses a tag whose file names would not be 8.3.
fn check<E>((tag, _): File) -> Result<(), CredentialError<E>> {
    check_tag(tag).map_err(CredentialError::InvalidInput)
}

/// Has the runner remove what an earlier upload left. A file that cannot be deleted must not keep
/// another one from being stored; the next cleanup looks for it again.
async fn clean_up<O: Options>(at: &At<'_, Bg96<O>>) -> Result<(), AtError> {
    match at.clean_up().await {
        Err(AtError::Refused(_)) => Ok(()),
        result => result,
    }
}

async fn store<O: Options, S: Source>(
    at: &At<'_, Bg96<O>>,
    file: File,
    content: &mut S,
) -> Result<(), CredentialError<S::Error>> {
    check(file)?;
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
    let result = write(at, file, content, &mut others).await;
    let Err(error) = result else {
        return Ok(());
    };
    clean_up(at).await?;
    // The modem has no room, or a file of this name exists: nothing was written.
    let unwritten = matches!(
        error,
        CredentialError::At(AtError::Refused(Code::Cme(403 | 407 | 420 | 423)))
    );
    if let (Some(others), false) = (others, unwritten) {
        // An error of the sweep is ignored: the modem is not well, and the first error says more.
        let _ = sweep(at, file, others).await;
    }
    Err(match error {
        CredentialError::At(error) => refusal(at, error, len).await,
        error => error,
    })
}

async fn write<O: Options, S: Source>(
    at: &At<'_, Bg96<O>>,
    file: File,
    content: &mut S,
    others: &mut Option<u32>,
) -> Result<(), CredentialError<S::Error>> {
    let marker = (file.0, file.1 + MARKERS);
    *others = Some(prepare(at, file).await?);
    // If this future is dropped from here on, the cleanup deletes both files.
    at.modem(|modem| modem.leftovers.unfinished = Some(file));
    let mut sum = Checksum::default();
    sum.add(MARK);
    match begin(at, marker, MARK.len()).await {
        Ok(mut upload) => {
            upload.write(MARK).await?;
            if !confirmed(at, upload, marker, MARK.len(), sum).await? {
                return Err(CredentialError::Corrupted);
            }
        }
        // A marker that could not be deleted serves as this one.
        Err(AtError::Refused(Code::Cme(407))) => {}
        Err(error) => return Err(error.into()),
    }

    let len = content.len();
    let mut upload = begin(at, file, len).await?;
    let sum = copy(&mut upload, content).await?;
    if !confirmed(at, upload, file, len, sum).await? {
        return Err(CredentialError::Corrupted);
    }
    // The upload was confirmed. Once its marker is deleted, the file counts.
    at.send(&FileEnd::Delete(marker)).await?;
    // Noise on the UART may have altered the name of one of these files.
    let mut found = [None; 2];
    entries(at, &mut |entry, size| {
        if entry == file {
            found[0] = Some(size.unwrap_or(len));
        } else if entry == marker {
            found[1] = size.or(Some(0));
        }
    })
    .await?;
    if found != [Some(len), None] {
        return Err(CredentialError::Corrupted);
    }
    at.modem(|modem| modem.leftovers.unfinished = None);
    Ok(())
}

/// Makes room for an upload, since one over an existing name is refused (407). Returns the sum of our
/// other files, see [`sum_of_others`].
async fn prepare<O: Options>(at: &At<'_, Bg96<O>>, own: File) -> Result<u32, AtError> {
    clean_up(at).await?;
    let (others, exists) = sum_of_others(at, own).await?;
    if exists {
        delete(at, own).await?;
    }
    Ok(others)
}

/// Returns the sum of the [`weight`]s of our files other than `own`, and whether `own` exists. The
/// modem refuses an upload over an existing name, so that an upload whose name was altered by noise
/// adds a file, and the sum grows by that file's weight.
async fn sum_of_others<O: Options>(
    at: &At<'_, Bg96<O>>,
    own: File,
) -> Result<(u32, bool), AtError> {
    let mut sum = 0u32;
    let mut exists = false;
    entries(at, &mut |entry, _| {
        exists |= entry == own;
        if entry != own && entry != (own.0, own.1 + MARKERS) {
            sum = sum.wrapping_add(weight(entry));
        }
    })
    .await?;
    Ok((sum, exists))
}

/// A number for each file; it is never 0 and no two files share it.
fn weight((tag, file): File) -> u32 {
    1 + tag.0 * 6 + u32::from(file)
}

/// Deletes a file that a failed upload may have written under another name.
async fn sweep<O: Options>(at: &At<'_, Bg96<O>>, own: File, others: u32) -> Result<(), AtError> {
    let added = sum_of_others(at, own).await?.0.wrapping_sub(others);
    let mut found = None;
    entries(at, &mut |entry, _| {
        if weight(entry) == added {
            found = Some(entry);
        }
    })
    .await?;
    match found {
        Some(file) => delete(at, file).await,
        None => Ok(()),
    }
}

/// Returns the error of a refused upload, with the free space if there was not enough.
async fn refusal<O: Options, E>(
    at: &At<'_, Bg96<O>>,
    error: AtError,
    needed: usize,
) -> CredentialError<E> {
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

async fn begin<'a, O: Options>(
    at: &At<'a, Bg96<O>>,
    file: File,
    len: usize,
) -> Result<Upload<'a, Bg96<O>>, AtError> {
    let command = FileUpload {
        file,
        len: len as u32,
    };
    at.upload(&command, len).await
}

/// Sends all of `content` and returns its checksum.
async fn copy<O: Options, S: Source>(
    upload: &mut Upload<'_, Bg96<O>>,
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

/// Waits for the modem's report, and returns whether length and checksum are those of what was sent.
async fn confirmed<O: Options>(
    at: &At<'_, Bg96<O>>,
    upload: Upload<'_, Bg96<O>>,
    file: File,
    len: usize,
    sum: Checksum,
) -> Result<bool, AtError> {
    let mut stored = None;
    let ended = upload
        .finish(&mut |line| stored = stored.or_else(|| report(line)))
        .await;
    match ended {
        Ok(()) => Ok(stored == Some((len as u32, sum.value()))),
        // The report may come very late; the size in the list has to do then (sheet 3, [jcm]).
        Err(AtError::Timeout) => {
            entries(at, &mut |entry, found| {
                if entry == file {
                    stored = found.map(|found| (found as u32, 0));
                }
            })
            .await?;
            Ok(stored.map(|(found, _)| found) == Some(len as u32))
        }
        // The modem waited for bytes although all had been sent: some were lost.
        Err(AtError::Refused(Code::Cme(421))) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Reads `+QFUPL: <size>,<checksum>`; the checksum is in hex without leading zeros (sheet 3).
fn report(line: &[u8]) -> Option<(u32, u16)> {
    let mut fields = Fields::new(answer(line, "+QFUPL:")?);
    let (len, sum) = (fields.int()?, fields.unquoted()?);
    if !matches!(sum.len(), 1..=4) {
        return None;
    }
    Some((len, hex(sum)?))
}

/// The modem's checksum of an upload: 16-bit XOR over big-endian pairs; an odd last byte is a high byte
/// (sheet 3, verified with T8).
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

/// Returns the markers in the file system. Normally there is one at most; after several resets, the
/// first few.
async fn markers<O: Options>(at: &At<'_, Bg96<O>>) -> Result<heapless::Vec<File, 4>, AtError> {
    let mut markers = heapless::Vec::new();
    entries(at, &mut |entry, _| {
        if entry.1 >= MARKERS {
            let _ = markers.push(entry);
        }
    })
    .await?;
    Ok(markers)
}

/// Closes the file that is being read.
async fn release<O: Options>(at: &At<'_, Bg96<O>>) -> Result<(), AtError> {
    if let Some(handle) = at.modem(|modem| modem.leftovers.handle) {
        end(at, &FileEnd::Close(handle)).await?;
        at.modem(|modem| modem.leftovers.handle = None);
    }
    Ok(())
}

/// Deletes or closes a file. It is no error if the file does not exist or is not open.
async fn end<O: Options>(at: &At<'_, Bg96<O>>, command: &FileEnd) -> Result<(), AtError> {
    let mut again = matches!(command, FileEnd::Delete(_));
    loop {
        let code = match at.send(command).await {
            Ok(_) => return Ok(()),
            Err(AtError::Refused(code)) => code,
            Err(error) => return Err(error),
        };
        match (command, code) {
            // Some firmware says only `ERROR` for a file that does not exist. So does one that still
            // had bytes of a broken upload in front of the command, and then the file is still there.
            (_, Code::Plain) if again => again = false,
            // 405: the file did not exist.
            (FileEnd::Close(_), _) | (_, Code::Plain | Code::Cme(405)) => return Ok(()),
            _ => return Err(AtError::Refused(code)),
        }
    }
}

async fn delete<O: Options>(at: &At<'_, Bg96<O>>, file: File) -> Result<(), AtError> {
    end(at, &FileEnd::Delete(file)).await
}

/// Cleans up before credentials are compared, read or removed. A firmware that only stores never opens
/// a file and does not link this.
async fn ready<O: Options>(at: &At<'_, Bg96<O>>) -> Result<(), AtError> {
    clean_up(at).await?;
    // An earlier life of the MCU, or a flow that was dropped before it had the handle, may have left a
    // file open. It could not be opened again, nor deleted (426).
    if at.modem(|modem| modem.leftovers.open) {
        match close_all(at).await {
            Ok(()) | Err(AtError::Refused(_)) => at.modem(|modem| modem.leftovers.open = false),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Closes every file of ours that is open.
async fn close_all<O: Options>(at: &At<'_, Bg96<O>>) -> Result<(), AtError> {
    // No firmware seen can have more files open at a time.
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

async fn compare<O: Options, S: Source>(
    at: &At<'_, Bg96<O>>,
    file: File,
    content: &mut S,
) -> Result<Comparison, CredentialError<S::Error>> {
    check(file)?;
    ready(at).await?;
    let found = find(at, file).await?;
    match found {
        None => Ok(Comparison::Absent),
        // A file that is listed without its length is compared by its content.
        Some(len) if len != Some(content.len()) => Ok(Comparison::Differs),
        Some(_) => is_same(at, file, content).await,
    }
}

/// Compares the file with `content`, which has the length of the file.
async fn is_same<O: Options, S: Source>(
    at: &At<'_, Bg96<O>>,
    file: File,
    content: &mut S,
) -> Result<Comparison, CredentialError<S::Error>> {
    let len = content.len();
    let Some(handle) = open(at, file).await? else {
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
    release(at).await?;
    Ok(if same {
        Comparison::Same
    } else {
        Comparison::Differs
    })
}

async fn read_back<O: Options>(
    at: &At<'_, Bg96<O>>,
    file: File,
    sink: &mut dyn FnMut(&[u8]),
) -> Result<bool, CredentialError<Infallible>> {
    check(file)?;
    ready(at).await?;
    let Some(len) = find(at, file).await? else {
        return Ok(false);
    };
    // None of ours: a length that is not true would be read for days.
    if len.is_some_and(|len| len > MAX_LEN) {
        return Err(CredentialError::Unreadable);
    }
    let handle = open(at, file).await?.ok_or(CredentialError::Unreadable)?;
    let mut chunk = Zeroizing::new([0; ANSWER_LIMIT]);
    // A file that is listed without its length is read to its end, for which one byte more is asked than it may have.
    let mut left = len.unwrap_or(MAX_LEN + 1);
    while left > 0 {
        let wanted = left.min(ANSWER_LIMIT);
        let count = piece(at, handle, &mut chunk[..wanted]).await?;
        if count == 0 {
            break;
        }
        sink(&chunk[..count]);
        left -= count;
    }
    // It has ended early, or does not end.
    if len.is_some() != (left == 0) {
        return Err(CredentialError::Corrupted);
    }
    release(at).await?;
    Ok(true)
}

/// Opens a file for reading and returns its handle, or `None` if the modem refuses. If the caller
/// fails, the [cleanup](clean_up) closes the file.
async fn open<O: Options>(at: &At<'_, Bg96<O>>, file: File) -> Result<Option<u32>, AtError> {
    at.modem(|modem| modem.leftovers.open = true);
    let handle = match at.send(&FileOpen(file)).await {
        Ok(handle) => Some(handle.0),
        Err(AtError::Refused(_)) => None,
        Err(error) => return Err(error),
    };
    at.modem(|modem| {
        modem.leftovers.handle = handle;
        modem.leftovers.open = false;
    });
    Ok(handle)
}

/// Reads the next bytes of an open file, as many as the modem sends; returns 0 at its end.
async fn piece<O: Options>(
    at: &At<'_, Bg96<O>>,
    handle: u32,
    buf: &mut [u8],
) -> Result<usize, AtError> {
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

async fn list<O: Options>(
    at: &At<'_, Bg96<O>>,
    found: &mut dyn FnMut(Stored),
) -> Result<(), CredentialError<Infallible>> {
    // A marker may be listed before or behind its file, so the markers are read first, if there can be
    // any.
    let marked = at.modem(|modem| modem.leftovers.unfinished.is_some() || modem.leftovers.unknown);
    let markers = if marked {
        markers(at).await?
    } else {
        heapless::Vec::new()
    };
    entries(at, &mut |(tag, file), len| {
        let kind = Kind::ALL.get(usize::from(file));
        if let (Some(&kind), false) = (kind, markers.contains(&(tag, file + MARKERS))) {
            found(Stored::new(tag, kind, len));
        }
    })
    .await?;
    Ok(())
}

async fn remove<O: Options>(
    at: &At<'_, Bg96<O>>,
    file: File,
) -> Result<(), CredentialError<Infallible>> {
    check(file)?;
    ready(at).await?;
    delete(at, file).await.map_err(CredentialError::At)
}

/// Returns the length of a file that exists and is whole; the inner `None` is a file that is listed
/// without its length.
async fn find<O: Options>(
    at: &At<'_, Bg96<O>>,
    file: File,
) -> Result<Option<Option<usize>>, AtError> {
    let mut found = None;
    let mut marked = false;
    entries(at, &mut |entry, len| {
        if entry == file {
            found = Some(len);
        }
        marked |= entry == (file.0, file.1 + MARKERS);
    })
    .await?;
    Ok(found.filter(|_| !marked))
}

/// Lists our files and markers.
async fn entries<O: Options>(
    at: &At<'_, Bg96<O>>,
    found: &mut dyn FnMut(File, Option<usize>),
) -> Result<(), AtError> {
    let mut sink = |line: &[u8]| {
        if let Some((tag, file, len)) = listed(line) {
            found((tag, file), len.map(|len| len as usize));
        }
    };
    match at.lines(&FileList, &mut sink).await {
        // Some firmware reports an empty file system as an error.
        Err(AtError::Refused(code)) if is_empty(code) => Ok(()),
        result => result,
    }
}

/// Writes the name of a file as a quoted argument.
fn quoted<'b>(line: CommandLine<'b>, (tag, file): File) -> CommandLine<'b> {
    line.quoted_by(|out| write_name(tag, file, out))
}

/// A number in an answer.
struct Number(u32);
impl AtatResp for Number {}

struct FileList;
at_command!(FileList, QUICK, "+QFLST=\"*\"", |self, line| line);

/// The command that deletes or closes a file.
enum FileEnd {
    Close(u32),
    Delete(File),
}
at_command!(
    FileEnd,
    QUICK,
    match self {
        Self::Close(_) => "+QFCLOSE",
        Self::Delete(_) => "+QFDEL",
    },
    |self, line| match self {
        Self::Close(handle) => line.int(*handle),
        Self::Delete(file) => quoted(line, *file),
    }
);

/// Starts an upload. The modem leaves data mode when it has `len` bytes or when none came for 5 s.
struct FileUpload {
    file: File,
    len: u32,
}
at_command!(FileUpload, 10_000, "+QFUPL", |self, line| quoted(
    line, self.file
)
.int(self.len)
.int(5));

/// Opens a file for reading only; the answer is its handle.
struct FileOpen(File);
at_command!(
    FileOpen,
    QUICK,
    "+QFOPEN",
    |self, line| quoted(line, self.0).int(2),
    Number,
    |text| Fields::new(answer(text, "+QFOPEN:")?).int().map(Number)
);

/// Lists open files: `+QFOPEN: <name>,<handle>,<mode>` ([FILE] 2.6).
struct OpenFiles;
at_command!(OpenFiles, QUICK, "+QFOPEN?", |self, line| line);

/// Reads from an open file, from where the last read ended.
struct FileRead {
    handle: u32,
    len: u32,
}
at_command!(FileRead, 5000, "+QFREAD", |self, line| line
    .int(self.handle)
    .int(self.len));

/// Asks for the free bytes of the flash file system.
struct FreeSpace;
at_command!(
    FreeSpace,
    QUICK,
    "+QFLDS",
    |self, line| line.quoted("UFS"),
    Number,
    |text| { Fields::new(answer(text, "+QFLDS:")?).int().map(Number) }
);

#[cfg(test)]
mod tests {
    extern crate std;

    use sectag::at::Out;

    use super::*;
    use crate::files::{MAX_TAG, parse};

    #[test]
    fn names_are_8_3_and_parse_back() {
        for (place, kind) in Kind::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(number(kind)), place);
        }
        for tag in [0, 7, 42, MAX_TAG] {
            for file in 0..2 * MARKERS {
                let mut buf = [0; 12];
                let mut out = Out::new(&mut buf);
                write_name(Tag(tag), file, &mut out);
                let len = out.len();
                assert_eq!(parse(&buf[..len]), Some((Tag(tag), file)), "{tag} {file}");
            }
        }
        assert_eq!(
            check::<Infallible>((Tag(MAX_TAG + 1), 0)),
            Err(CredentialError::InvalidInput(InvalidInput::OutOfRange {
                limit: MAX_TAG
            }))
        );
    }

    #[test]
    fn each_file_has_a_number_of_its_own() {
        let mut numbers = std::collections::BTreeSet::from([0]);
        for tag in [0, 1, 9, 99, MAX_TAG - 1, MAX_TAG] {
            for file in 0..2 * MARKERS {
                assert!(numbers.insert(weight((Tag(tag), file))));
            }
        }
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
