//! Credentials as files of the chip: their names, their tokens, and how they are written and read (sheet 4.9).

use core::convert::Infallible;

use sectag::modem::Credentials;
use sectag::{Accepts, At, AtError, CredentialError, Kind, Source, Stored, Tag};
use zeroize::Zeroizing;

use crate::causes;
use crate::files::{self, FileName, MAX_LEN, fill, name_of};

use super::Nwp;
use super::command::{
    self, FAIL_SAFE, FILE_CHUNK, NO_SIGNATURE, READ, SECURE, VENDOR_TOKEN, Writer,
};
use super::engine::Engine;
use super::generation::Generation;
use super::opcode::{
    FILE_CLOSE, FILE_DELETE, FILE_INFO, FILE_LIST, FILE_OPEN, FILE_READ, FILE_WRITE,
};

/// The time limit for file commands other than open, in milliseconds (sheet 2).
const FILE_LIMIT: u32 = 65_500;
/// A number of files that no chip can hold (sheet 4.8).
const MOST_FILES: u16 = 512;

impl<G: Generation> Nwp<G> {
    /// Returns the master token of a secure file, made of the secret and the name; TI's own loader makes it of the name
    /// alone (sheet 4.9). 0 where files are plain.
    pub(super) fn token(&self, name: &str) -> u32 {
        let Some(secret) = &self.config.token else {
            return 0;
        };
        // FNV-1a, begun with the secret.
        name.bytes().fold(*secret.expose(), |token, byte| {
            (token ^ u32::from(byte)).wrapping_mul(0x0100_0193)
        })
    }

    fn flags(&self) -> u32 {
        match self.config.token {
            None => FAIL_SAFE,
            Some(_) => FAIL_SAFE | SECURE | NO_SIGNATURE | VENDOR_TOKEN,
        }
    }
}

/// Sends a command about a file, and returns the number at the front of its answer.
async fn file<G: Generation>(
    at: &At<'_, Nwp<G>>,
    opcode: u16,
    limit: u32,
    write: &mut dyn FnMut(&mut Writer<'_>),
    read: &mut dyn FnMut(&[u8]),
) -> Result<i32, AtError> {
    // The status has 16 bits, but 32 for an open and for a list.
    let wide = matches!(opcode, FILE_OPEN | FILE_LIST);
    let code = at
        .conduct(
            &mut |engine: &mut Engine<G>, w| {
                if engine.modem.token_refused {
                    // A second wrong token would be a second security alert.
                    return Err(AtError::Refused(causes::of_file(causes::INVALID_TOKEN)));
                }
                engine.begin_guest(w, opcode, limit, write)
            },
            |engine| {
                let answer = engine.answer();
                let code = match *answer {
                    [a, b, c, d, ..] if wide => i32::from_le_bytes([a, b, c, d]),
                    [a, b, _, _, ..] => i16::from_le_bytes([a, b]).into(),
                    _ => -1,
                };
                read(answer);
                if causes::is_token(code) {
                    engine.modem.token_refused = true;
                }
                code
            },
        )
        .await?;
    Ok(code)
}

/// Returns the error for a code below 0.
fn good(code: i32) -> Result<i32, AtError> {
    if code < 0 {
        Err(AtError::Refused(causes::of_file(code)))
    } else {
        Ok(code)
    }
}

/// Opens a file; `None` if there is no such file.
async fn open<G: Generation>(
    at: &At<'_, Nwp<G>>,
    name: &FileName,
    mode: u32,
) -> Result<Option<u32>, AtError> {
    let token = at.modem(|modem| modem.token(name));
    let code = file(
        at,
        FILE_OPEN,
        G::FACTS.open_file_limit,
        &mut |out| command::file_open(out, mode, token, name),
        &mut |_| {},
    )
    .await?;
    if code == G::FACTS.no_such_file {
        return Ok(None);
    }
    good(code).map(|handle| Some(handle as u32))
}

async fn close<G: Generation>(
    at: &At<'_, Nwp<G>>,
    handle: u32,
    abort: bool,
) -> Result<(), AtError> {
    let code = file(
        at,
        FILE_CLOSE,
        FILE_LIMIT,
        &mut |out| command::file_close(out, handle, abort),
        &mut |_| {},
    )
    .await?;
    good(code).map(|_| ())
}

impl<G: Generation> Credentials for Nwp<G> {
    const ACCEPTS: Accepts = files::ACCEPTS;

    async fn store<S: Source>(
        at: &At<'_, Self>,
        tag: Tag,
        kind: Kind,
        content: &mut S,
    ) -> Result<(), CredentialError<S::Error>> {
        let len = content.len();
        // A call that was dropped before has left its file open.
        at.clean_up().await?;
        let _exclusive = at.exclusive().await;
        let name = name_of(tag, kind);
        let mode = at.modem(|modem| command::create_mode(len as u32, modem.flags()));
        let Some(handle) = open(at, &name, mode).await? else {
            return Err(CredentialError::Corrupted);
        };
        match write(at, handle, content, len).await {
            Ok(()) => Ok(close(at, handle, false).await?),
            Err(error) => {
                close(at, handle, true).await?;
                Err(error)
            }
        }
    }

    async fn read_back(
        at: &At<'_, Self>,
        tag: Tag,
        kind: Kind,
        sink: &mut dyn FnMut(&[u8]),
    ) -> Result<bool, CredentialError<Infallible>> {
        at.clean_up().await?;
        let _exclusive = at.exclusive().await;
        let name = name_of(tag, kind);
        let Some(len) = len_of(at, &name).await? else {
            return Ok(false);
        };
        // No credential is longer. A length that is not true would be read for days.
        if len as usize > MAX_LEN {
            return Err(CredentialError::Unreadable);
        }
        let Some(handle) = open(at, &name, READ).await? else {
            return Ok(false);
        };
        let read = read(at, handle, len, sink).await;
        close(at, handle, false).await?;
        read.map_err(CredentialError::At)?;
        Ok(true)
    }

    async fn list(
        at: &At<'_, Self>,
        found: &mut dyn FnMut(Stored),
    ) -> Result<(), CredentialError<Infallible>> {
        if !G::FACTS.lists_files {
            return Err(AtError::Unsupported.into());
        }
        let mut place = -1;
        // A list that is longer than this is refused.
        for _ in 0..MOST_FILES {
            let mut credential = None;
            let mut next = -1;
            let count = file(
                at,
                FILE_LIST,
                FILE_LIMIT,
                &mut |out| command::file_list(out, place),
                &mut |answer| {
                    if let Some(&[a, b, c, d]) = answer.get(4..8) {
                        next = i32::from_le_bytes([a, b, c, d]);
                    }
                    let name = answer.get(command::LIST_NAME..).unwrap_or(&[]);
                    credential = files::credential_of(name);
                },
            )
            .await?;
            if good(count)? == 0 {
                return Ok(());
            }
            place = next;
            if let Some((tag, kind)) = credential
                && let Some(len) = len_of(at, &name_of(tag, kind)).await?
            {
                found(Stored::new(tag, kind, Some(len as usize)));
            }
        }
        Err(AtError::Garbled.into())
    }

    async fn list_tag(
        at: &At<'_, Self>,
        tag: Tag,
        found: &mut dyn FnMut(Stored),
    ) -> Result<(), CredentialError<Infallible>> {
        for kind in [Kind::Ca, Kind::ClientCertificate, Kind::PrivateKey] {
            let name = name_of(tag, kind);
            if let Some(len) = len_of(at, &name).await? {
                found(Stored::new(tag, kind, Some(len as usize)));
            }
        }
        Ok(())
    }

    async fn remove(
        at: &At<'_, Self>,
        tag: Tag,
        kind: Kind,
    ) -> Result<(), CredentialError<Infallible>> {
        let name = name_of(tag, kind);
        let token = at.modem(|modem| modem.token(&name));
        let code = file(
            at,
            FILE_DELETE,
            FILE_LIMIT,
            &mut |out| command::file_name(out, token, &name),
            &mut |_| {},
        )
        .await?;
        if code != G::FACTS.no_such_file {
            good(code)?;
        }
        Ok(())
    }
}

/// Returns the length of a file's content in bytes; `None` if there is no such file.
async fn len_of<G: Generation>(
    at: &At<'_, Nwp<G>>,
    name: &FileName,
) -> Result<Option<u32>, AtError> {
    let token = at.modem(|modem| modem.token(name));
    let mut len = 0;
    let code = file(
        at,
        FILE_INFO,
        FILE_LIMIT,
        &mut |out| command::file_name(out, token, name),
        &mut |answer| {
            if let Some(&[a, b, c, d]) = answer.get(4..8) {
                len = u32::from_le_bytes([a, b, c, d]);
            }
        },
    )
    .await?;
    if code == G::FACTS.no_such_file {
        return Ok(None);
    }
    good(code)?;
    Ok(Some(len))
}

async fn write<G: Generation, S: Source>(
    at: &At<'_, Nwp<G>>,
    handle: u32,
    content: &mut S,
    len: usize,
) -> Result<(), CredentialError<S::Error>> {
    let mut chunk = Zeroizing::new([0; FILE_CHUNK]);
    let mut offset = 0;
    while offset < len {
        // Every chunk but the last is full, since encrypted files are written in whole blocks.
        let wanted = (len - offset).min(FILE_CHUNK);
        fill(content, offset, &mut chunk[..wanted]).await?;
        let code = file(
            at,
            FILE_WRITE,
            FILE_LIMIT,
            &mut |out| {
                command::file_chunk(out, handle, offset as u32, wanted as u16);
                out.bytes(&chunk[..wanted]);
            },
            &mut |_| {},
        )
        .await?;
        if good(code)? as usize != wanted {
            return Err(CredentialError::Corrupted);
        }
        offset += wanted;
    }
    Ok(())
}

async fn read<G: Generation>(
    at: &At<'_, Nwp<G>>,
    handle: u32,
    len: u32,
    sink: &mut dyn FnMut(&[u8]),
) -> Result<(), AtError> {
    let mut offset = 0;
    while offset < len {
        let wanted = (len - offset).min(FILE_CHUNK as u32) as u16;
        let mut taken = 0;
        let code = file(
            at,
            FILE_READ,
            FILE_LIMIT,
            &mut |out| command::file_chunk(out, handle, offset, wanted),
            &mut |answer| {
                if let Some(bytes) = answer.get(4..4 + usize::from(wanted)) {
                    taken = bytes.len();
                    sink(bytes);
                }
            },
        )
        .await?;
        if good(code)? as usize != taken || taken == 0 {
            return Err(AtError::Garbled);
        }
        offset += taken as u32;
    }
    Ok(())
}
