//! The modem's file system: its commands, and the credentials' files in it, listed, opened, read, closed and deleted.

use sectag::at::{AtatResp, CommandLine, Fields, answer, at_command};
use sectag::{At, AtError, Code, CredentialError, Tag};

use crate::files::{MARKERS, check_tag, entry, is_empty, listed, write_name};
use crate::{Bg96, Options};

/// The longest credential, in bytes: far above any certificate or key, and below the free flash of any
/// BG96.
pub(crate) const MAX_LEN: usize = 32 * 1024;
/// The number of bytes that are compared or sent at a time.
pub(crate) const CHUNK: usize = 128;
/// The time limit of most commands, in milliseconds: the manual says 300, the rest is for a slow UART
/// and a busy modem.
const QUICK: u32 = 3000;

/// A tag and the number of one of its files, see [`files`](crate::files).
pub(crate) type File = (Tag, u8);

/// Refuses a tag whose file names would not be 8.3.
pub(crate) fn check<E>((tag, _): File) -> Result<(), CredentialError<E>> {
    check_tag(tag).map_err(CredentialError::InvalidInput)
}

/// Has the runner remove what an earlier upload left. A file that cannot be deleted must not keep
/// another one from being stored; the next cleanup looks for it again.
pub(crate) async fn clean_up<O: Options>(at: &At<'_, Bg96<O>>) -> Result<(), AtError> {
    match at.clean_up().await {
        Err(AtError::Refused(_)) => Ok(()),
        result => result,
    }
}

/// Lists our files and markers.
pub(crate) async fn entries<O: Options>(
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

/// Returns the markers in the file system. Normally there is one at most; after several resets, the
/// first few.
pub(crate) async fn markers<O: Options>(
    at: &At<'_, Bg96<O>>,
) -> Result<heapless::Vec<File, 4>, AtError> {
    let mut markers = heapless::Vec::new();
    entries(at, &mut |entry, _| {
        if entry.1 >= MARKERS {
            let _ = markers.push(entry);
        }
    })
    .await?;
    Ok(markers)
}

/// Returns the length of a file that exists and is whole; the inner `None` is a file that is listed
/// without its length.
pub(crate) async fn find<O: Options>(
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

/// Cleans up before credentials are compared, read or removed. A firmware that only stores never opens
/// a file and does not link this.
pub(crate) async fn ready<O: Options>(at: &At<'_, Bg96<O>>) -> Result<(), AtError> {
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

/// Opens a file for reading and returns its handle, or `None` if the modem refuses. If the caller
/// fails, the [cleanup](clean_up) closes the file.
pub(crate) async fn open<O: Options>(
    at: &At<'_, Bg96<O>>,
    file: File,
) -> Result<Option<u32>, AtError> {
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
pub(crate) async fn piece<O: Options>(
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

/// Closes the file that is being read.
pub(crate) async fn release<O: Options>(at: &At<'_, Bg96<O>>) -> Result<(), AtError> {
    if let Some(handle) = at.modem(|modem| modem.leftovers.handle) {
        end(at, &FileEnd::Close(handle)).await?;
        at.modem(|modem| modem.leftovers.handle = None);
    }
    Ok(())
}

/// Deletes or closes a file. It is no error if the file does not exist or is not open.
pub(crate) async fn end<O: Options>(
    at: &At<'_, Bg96<O>>,
    command: &FileEnd,
) -> Result<(), AtError> {
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

pub(crate) async fn delete<O: Options>(at: &At<'_, Bg96<O>>, file: File) -> Result<(), AtError> {
    end(at, &FileEnd::Delete(file)).await
}

/// Writes the name of a file as a quoted argument.
fn quoted<'b>(line: CommandLine<'b>, (tag, file): File) -> CommandLine<'b> {
    line.quoted_by(|out| write_name(tag, file, out))
}

/// A number in an answer.
pub(crate) struct Number(pub(crate) u32);
impl AtatResp for Number {}

struct FileList;
at_command!(FileList, QUICK, "+QFLST=\"*\"", |self, line| line);

/// The command that deletes or closes a file.
pub(crate) enum FileEnd {
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
pub(crate) struct FileUpload {
    pub(crate) file: File,
    pub(crate) len: u32,
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
pub(crate) struct FreeSpace;
at_command!(
    FreeSpace,
    QUICK,
    "+QFLDS",
    |self, line| line.quoted("UFS"),
    Number,
    |text| { Fields::new(answer(text, "+QFLDS:")?).int().map(Number) }
);
