//! The role of a credential store: comparing, reading, listing and removing credentials; [`upload`](crate::upload) stores
//! them. How they are kept is described in [`files`](crate::files).

use core::convert::Infallible;

use sectag::inspect::{Container, KeyType};
use sectag::modem::{Credentials, Modem};
use sectag::{
    ANSWER_LIMIT, Accepts, At, Comparison, CredentialError, Kind, ServerKey, Source, Stored, Tag,
};
use zeroize::Zeroizing;

use crate::file_system::{
    CHUNK, File, MAX_LEN, check, delete, entries, find, markers, open, piece, ready, release,
};
use crate::files::MARKERS;
use crate::upload::store;
use crate::{Bg96, Options};

impl<O: Options> Credentials for Bg96<O> {
    const ACCEPTS: Accepts = Accepts {
        // DER is UNCONFIRMED (sheet 3), so it is converted.
        container: Some(Container::Pem),
        // "The cacert file may hold one root" (sheet 3). The length of a client's chain is UNCONFIRMED,
        // so it is not limited.
        roots: 1,
        chain: u16::MAX,
        len: MAX_LEN,
        self_signed_root: false,
    };

    /// "RSA certificates only, no ECDSA suites" (sheet 4.1); relatives that list ECDSA suites can use
    /// ECDSA keys. A CA may have either: the server's certificate that it signs has an RSA key.
    fn uses(&self, kind: Kind, key: KeyType) -> bool {
        match key {
            KeyType::Ed25519 | KeyType::Other => false,
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

/// The number of a credential's file.
fn number(kind: Kind) -> u8 {
    match kind {
        Kind::Ca => 0,
        Kind::ClientCertificate => 1,
        _ => 2,
    }
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

#[cfg(test)]
mod tests {
    use sectag::at::{InvalidInput, Out};

    use super::*;
    use crate::files::{MAX_TAG, parse, write_name};

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
}
