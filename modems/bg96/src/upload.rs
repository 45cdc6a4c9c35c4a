//! The upload of a credential: with a marker beside it, so that half a file never counts, and compared with the modem's
//! report. How files are kept is described in [`files`](crate::files).

use embassy_time::{Duration, with_timeout};
use sectag::at::{Fields, answer};
use sectag::{At, AtError, Code, CredentialError, Source, Upload};
use zeroize::Zeroizing;

use crate::file_system::{
    CHUNK, File, FileEnd, FileUpload, FreeSpace, check, clean_up, delete, entries,
};
use crate::files::MARKERS;
use crate::keys::hex;
use crate::{Bg96, Options};

/// The time limit of a read from the source. The modem gives up after the 5 s of [`FileUpload`].
const SOURCE_LIMIT: Duration = Duration::from_secs(4);
/// The content of a marker.
const MARK: &[u8] = b"x";

pub(crate) async fn store<O: Options, S: Source>(
    at: &At<'_, Bg96<O>>,
    file: File,
    content: &mut S,
) -> Result<(), CredentialError<S::Error>> {
    check(file)?;
    let len = content.len();
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

#[cfg(test)]
mod tests {
    extern crate std;

    use sectag::Tag;

    use super::*;
    use crate::files::MAX_TAG;

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
