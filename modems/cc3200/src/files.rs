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
    fn the_longest_name_fits() {
        let longest = name_of(Tag(u32::MAX), Kind::ClientCertificate);
        assert_eq!(longest, "/cert/4294967295_cert.der");
        assert_eq!(name_of(Tag(7), Kind::Ca), "/cert/7_ca.der");
        assert_eq!(name_of(Tag(0), Kind::PrivateKey), "/cert/0_key.der");
    }
}
