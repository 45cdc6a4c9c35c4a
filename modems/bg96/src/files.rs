//! Credentials as files in the modem's flash (sheet 3).

use core::convert::Infallible;
use core::fmt::Write;

use embassy_time::{Duration, with_timeout};
use sectag::at::{Fields, InvalidInput, answer};
use sectag::{At, AtError, Code, CredentialError, Kind, Source, Stored, Tag};

use crate::Bg96;
use crate::commands::{FileDelete, FileList, FileUpload, FreeSpace};

/// 8.3 names are strongly recommended; names are global to the modem, so ours say whose they are.
pub(crate) type FileName = heapless::String<12>;

/// The largest tag whose file name is 8.3.
const MAX_TAG: u32 = 999_999;
/// Far above any certificate or key, and below any BG96's free flash.
const MAX_LEN: usize = 32 * 1024;
const CHUNK: usize = 128;
/// The modem gives up after the 5 s of [`FileUpload`].
const SOURCE_LIMIT: Duration = Duration::from_secs(4);

pub(crate) fn name(tag: Tag, kind: Kind) -> Result<FileName, InvalidInput> {
    let extension = match kind {
        Kind::ClientCertificate => "crt",
        Kind::PrivateKey => "key",
        _ => "ca",
    };
    let mut name = FileName::new();
    if tag.0 > MAX_TAG || write!(name, "st{tag}.{extension}").is_err() {
        return Err(InvalidInput::OutOfRange { limit: MAX_TAG });
    }
    Ok(name)
}

/// The inverse of [`name`]; `None` for files of others.
fn parse(name: &str) -> Option<(Tag, Kind)> {
    // A sibling lists them with their drive (sheet 3).
    let name = name.strip_prefix("UFS:").unwrap_or(name);
    let (tag, extension) = name.strip_prefix("st")?.split_once('.')?;
    let kind = match extension {
        "ca" => Kind::Ca,
        "crt" => Kind::ClientCertificate,
        "key" => Kind::PrivateKey,
        _ => return None,
    };
    let canonical = tag == "0" || !tag.starts_with('0');
    let tag = tag
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| tag.parse().ok())
        .flatten()?;
    (canonical && tag <= MAX_TAG).then_some((Tag(tag), kind))
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
    // What an earlier one left that was dropped.
    match tidy(modem, at).await {
        // What cannot be deleted must not stop what can be stored.
        Ok(()) | Err(AtError::Refused(_)) => {}
        Err(error) => return Err(error.into()),
    }
    // An upload over an existing name is refused (407).
    delete(at, &name).await?;
    // Until it is known to be whole, whoever ends this deletes it.
    modem.unfinished.set(Some((tag, kind)));
    let result = upload(at, &name, len, content).await;
    match result {
        Ok(()) => modem.unfinished.set(None),
        Err(_) => tidy(modem, at).await?,
    }
    result
}

async fn upload<S: Source>(
    at: At<'_>,
    name: &FileName,
    len: usize,
    content: &mut S,
) -> Result<(), CredentialError<S::Error>> {
    let mut upload = match at
        .upload(
            &FileUpload {
                name,
                len: len as u32,
            },
            len,
        )
        .await
    {
        Ok(upload) => upload,
        Err(AtError::Refused(Code::Cme(403 | 420))) => {
            let free = at.send(&FreeSpace).await?.0 as usize;
            return Err(CredentialError::NoSpace { needed: len, free });
        }
        Err(error) => return Err(error.into()),
    };
    let mut checksum = Checksum::default();
    let mut left = len;
    let mut chunk = [0; CHUNK];
    while left > 0 {
        let wanted = left.min(CHUNK);
        let count = with_timeout(SOURCE_LIMIT, content.read(&mut chunk[..wanted]))
            .await
            .map_err(|_| CredentialError::SourceTooSlow)?
            .map_err(CredentialError::Source)?;
        if count == 0 {
            return Err(CredentialError::SourceTooShort);
        }
        checksum.add(&chunk[..count]);
        upload.write(&chunk[..count]).await?;
        left -= count;
    }
    let mut stored = None;
    upload
        .finish(&mut |line| stored = stored.or_else(|| report(line)))
        .await?;
    if stored == Some((len as u32, checksum.value())) {
        Ok(())
    } else {
        Err(CredentialError::Corrupted)
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

/// Deletes what an upload left that did not end.
pub(crate) async fn tidy(modem: &Bg96, at: At<'_>) -> Result<(), AtError> {
    let Some((tag, kind)) = modem.unfinished.get() else {
        return Ok(());
    };
    if let Ok(name) = name(tag, kind) {
        delete(at, &name).await?;
    }
    modem.unfinished.set(None);
    Ok(())
}

async fn delete(at: At<'_>, name: &FileName) -> Result<(), AtError> {
    match at.send(&FileDelete(name)).await {
        // 405: it was not there; some firmware says only ERROR.
        Ok(_) | Err(AtError::Refused(Code::Cme(405) | Code::Plain)) => Ok(()),
        Err(error) => Err(error),
    }
}

pub(crate) async fn list(
    at: At<'_>,
    found: &mut dyn FnMut(Stored),
) -> Result<(), CredentialError<Infallible>> {
    entries(at, &mut |name, len| {
        if let Some((tag, kind)) = parse(name) {
            found(Stored::new(tag, kind, len));
        }
    })
    .await
    .map_err(CredentialError::At)
}

pub(crate) async fn remove(
    at: At<'_>,
    tag: Tag,
    kind: Kind,
) -> Result<(), CredentialError<Infallible>> {
    let name = name(tag, kind).map_err(CredentialError::InvalidInput)?;
    delete(at, &name).await.map_err(CredentialError::At)
}

/// Which of `names` are there.
pub(crate) async fn present(at: At<'_>, names: [&FileName; 3]) -> Result<[bool; 3], AtError> {
    let mut present = [false; 3];
    entries(at, &mut |entry, len| {
        let entry = entry.strip_prefix("UFS:").unwrap_or(entry);
        for (name, present) in names.iter().zip(&mut present) {
            *present |= entry == name.as_str() && len != Some(0);
        }
    })
    .await?;
    Ok(present)
}

async fn entries(at: At<'_>, found: &mut dyn FnMut(&str, Option<usize>)) -> Result<(), AtError> {
    let mut sink = |line: &[u8]| {
        let Some(text) = answer(line, "+QFLST:") else {
            return;
        };
        let mut fields = Fields::new(text);
        if let Some(name) = fields.text() {
            found(name, fields.int().map(|len| len as usize));
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
        for kind in [Kind::Ca, Kind::ClientCertificate, Kind::PrivateKey] {
            for tag in [0, 7, 42, MAX_TAG] {
                let name = name(Tag(tag), kind).unwrap();
                assert_eq!(parse(&name), Some((Tag(tag), kind)), "{name}");
            }
        }
        assert_eq!(
            name(Tag(MAX_TAG + 1), Kind::Ca),
            Err(InvalidInput::OutOfRange { limit: MAX_TAG })
        );
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
            "security/",
        ] {
            assert_eq!(parse(other), None, "{other}");
        }
        assert_eq!(parse("UFS:st1.ca"), Some((Tag(1), Kind::Ca)));
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
