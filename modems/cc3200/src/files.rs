//! Credentials as files of the chip: their names, their longest length, and their form (sheet 4.5).

use core::fmt::Write;

use sectag::inspect::Container;
use sectag::{Accepts, CredentialError, Kind, Source, Tag};

/// The name of a credential's file, such as `/cert/4294967295_cert.der`.
pub(crate) type FileName = heapless::String<32>;

/// The longest credential, in bytes: far above any certificate or key.
pub(crate) const MAX_LEN: usize = 16 * 1024;

/// The form of credentials that all chips accept.
pub(crate) const ACCEPTS: Accepts = Accepts {
    // The first generation accepts only DER.
    container: Some(Container::Der),
    // A socket has one root.
    roots: 1,
    chain: 1,
    len: MAX_LEN,
    // Another is answered -688 by a connect (sheet 4.5).
    self_signed_root: true,
};

/// Returns the name of a credential's file.
pub(crate) fn name_of(tag: Tag, kind: Kind) -> FileName {
    let mut name = FileName::new();
    // The name has room for any number.
    let _ = write!(name, "/cert/{tag}_{}.der", word(kind));
    name
}

/// Returns the credential whose file has this name; a NUL ends the name.
pub(crate) fn credential_of(name: &[u8]) -> Option<(Tag, Kind)> {
    let name = name.split(|byte| *byte == 0).next()?;
    let name = core::str::from_utf8(name).ok()?;
    let stem = name.strip_prefix("/cert/")?.strip_suffix(".der")?;
    let (tag, word_of_kind) = stem.split_once('_')?;
    let tag = Tag(tag.parse().ok()?);
    let kinds = [Kind::Ca, Kind::ClientCertificate, Kind::PrivateKey];
    let kind = kinds.into_iter().find(|kind| word(*kind) == word_of_kind)?;
    // A file such as `/cert/007_ca.der` is not one of ours.
    (name_of(tag, kind) == name).then_some((tag, kind))
}

const fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Ca => "ca",
        Kind::ClientCertificate => "cert",
        _ => "key",
    }
}

/// Fills `into` with the content from `offset` on.
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

    #[test]
    fn names_are_told_from_those_of_others() {
        let of = |name: &str| credential_of(name.as_bytes());
        for (tag, kind) in [
            (Tag(u32::MAX), Kind::ClientCertificate),
            (Tag(0), Kind::PrivateKey),
        ] {
            assert_eq!(of(&name_of(tag, kind)), Some((tag, kind)));
        }
        assert_eq!(of("/cert/7_ca.der\0rest"), Some((Tag(7), Kind::Ca)));
        for other in [
            "",
            "/cert/007_ca.der",
            "/cert/+7_ca.der",
            "/cert/7_ca.pem",
            "/cert/7_dh.der",
            "/sys/mcuimg.bin",
        ] {
            assert_eq!(of(other), None, "{other}");
        }
    }
}
