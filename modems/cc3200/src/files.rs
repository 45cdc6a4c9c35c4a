//! Credentials as files of the chip: what they are called, how long they may be, and in which form they are (sheet 4.5).

use core::fmt::Write;

use sectag::at::InvalidInput;
use sectag::inspect::Container;
use sectag::{Accepts, CredentialError, Kind, Source, Tag};

/// `/cert/4294967295_cert.der`.
pub(crate) type FileName = heapless::String<32>;

/// Far above any certificate or key.
const MAX_LEN: usize = 16 * 1024;

/// What all of the chips take.
pub(crate) const ACCEPTS: Accepts = Accepts {
    // The first generation takes nothing else.
    container: Some(Container::Der),
    // One root per socket.
    roots: 1,
    chain: 1,
};

/// The name of a credential's file.
pub(crate) fn name_of(tag: Tag, kind: Kind) -> FileName {
    let mut name = FileName::new();
    // It has room for any number.
    let _ = write!(name, "/cert/{tag}_{}.der", word(kind));
    name
}

/// The credential that a file is, by its name.
pub(crate) fn credential_of(name: &[u8]) -> Option<(Tag, Kind)> {
    let name = core::str::from_utf8(name).ok()?;
    let (tag, kind) = name
        .strip_prefix("/cert/")?
        .strip_suffix(".der")?
        .split_once('_')?;
    let found = (
        Tag(tag.parse().ok()?),
        Kind::ALL.into_iter().find(|&known| word(known) == kind)?,
    );
    // No other spelling of the number.
    (name_of(found.0, found.1) == name).then_some(found)
}

const fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Ca => "ca",
        Kind::ClientCertificate => "cert",
        _ => "key",
    }
}

/// The length of a credential's content, if it can be one.
pub(crate) fn len_of<S: Source>(content: &mut S) -> Result<usize, CredentialError<S::Error>> {
    match content.len() {
        0 => Err(CredentialError::InvalidInput(InvalidInput::Empty)),
        len if len > MAX_LEN => Err(CredentialError::InvalidInput(InvalidInput::TooLong {
            limit: MAX_LEN,
        })),
        len => Ok(len),
    }
}

/// Reads as much as fits, from `offset` on.
pub(crate) async fn fill<S: Source>(
    content: &mut S,
    offset: usize,
    into: &mut [u8],
) -> Result<(), CredentialError<S::Error>> {
    let mut filled = 0;
    while filled < into.len() {
        let read = content.read_at(offset + filled, &mut into[filled..]);
        match read.await.map_err(CredentialError::Source)? {
            0 => return Err(CredentialError::SourceTooShort),
            count => filled += count,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for kind in Kind::ALL {
            for tag in [Tag(0), Tag(7), Tag(u32::MAX)] {
                let name = name_of(tag, kind);
                assert_eq!(credential_of(name.as_bytes()), Some((tag, kind)), "{name}");
            }
        }
        assert_eq!(
            name_of(Tag(u32::MAX), Kind::ClientCertificate),
            "/cert/4294967295_cert.der"
        );
        for other in [
            "/cert/07_ca.der",
            "/cert/7_ca.pem",
            "/cert/7_dh.der",
            "cert/7_ca.der",
            "/cert/_ca.der",
        ] {
            assert_eq!(credential_of(other.as_bytes()), None, "{other}");
        }
    }
}
