//! The names in a certificate: who it is about, and who signed it.

use sectag::inspect::{self, Content};

use crate::credential_file::material;

/// 2.5.4.3 and 2.5.4.10.
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
const ORGANISATION: &[u8] = &[0x55, 0x04, 0x0a];

/// Issuer and subject, in DER.
#[derive(Clone, Copy)]
pub(super) struct Names<'a> {
    pub(super) issuer: Name<'a>,
    pub(super) subject: Name<'a>,
}

/// A distinguished name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Name<'a>(&'a [u8]);

impl<'a> Names<'a> {
    pub(super) fn of(certificate: &'a [u8]) -> Option<Self> {
        let (_, certificate, _) = tlv(certificate)?;
        let (_, mut rest, _) = tlv(certificate)?;
        // Version, which may be absent, serial number and algorithm come first.
        let before = if rest.first() == Some(&0xa0) { 3 } else { 2 };
        for _ in 0..before {
            (_, _, rest) = tlv(rest)?;
        }
        let (_, issuer, rest) = tlv(rest)?;
        let (_, _validity, rest) = tlv(rest)?;
        let (_, subject, _) = tlv(rest)?;
        Some(Self {
            issuer: Name(issuer),
            subject: Name(subject),
        })
    }
}

impl<'a> Name<'a> {
    /// For people: its common name, or its organisation.
    pub(super) fn shown(self) -> String {
        let part = self.part(COMMON_NAME).or(self.part(ORGANISATION));
        part.map_or("nobody".into(), |part| {
            String::from_utf8_lossy(part).into_owned()
        })
    }

    /// Both are of one organisation, which they name.
    pub(super) fn is_of_the_house_of(self, other: Self) -> bool {
        let own = self.part(ORGANISATION);
        own.is_some() && own == other.part(ORGANISATION)
    }

    fn part(self, kind: &[u8]) -> Option<&'a [u8]> {
        let mut rest = self.0;
        while !rest.is_empty() {
            let (_, set, more) = tlv(rest)?;
            let (_, pair, _) = tlv(set)?;
            let (_, found, value) = tlv(pair)?;
            if found == kind {
                return tlv(value).map(|value| value.1);
            }
            rest = more;
        }
        None
    }
}

/// Whether a certificate is a CA's.
pub(super) fn is_ca(certificate: &[u8]) -> bool {
    let found = material(certificate).map(|material| material.content);
    matches!(
        found,
        Some(Content::Certificate(inspect::Certificate {
            is_ca: Some(true),
            ..
        }))
    )
}

/// Tag, value, and what stands behind.
fn tlv(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, mut rest) = rest.split_first()?;
    let mut length = usize::from(first);
    if first >= 0x80 {
        let (digits, behind) = rest.split_at_checked(usize::from(first & 0x7f))?;
        // Longer ones are no certificate's.
        if digits.len() > 3 {
            return None;
        }
        length = digits
            .iter()
            .fold(0, |length, &digit| length << 8 | usize::from(digit));
        rest = behind;
    }
    let (value, behind) = rest.split_at_checked(length)?;
    Some((tag, value, behind))
}

#[cfg(test)]
mod tests {
    use sectag_test_support::pki::Pki;

    use super::*;

    #[test]
    fn names_are_read_from_a_certificate_and_from_nothing_else() {
        let pki = Pki::shared();
        let (ca, server) = (pki.ca_der(), pki.server().cert_der());
        let (root, leaf) = (Names::of(&ca).unwrap(), Names::of(&server).unwrap());
        assert!(root.issuer == root.subject && leaf.issuer == root.subject);
        assert!(leaf.subject != root.subject);
        assert_eq!(leaf.subject.shown(), "localhost");
        assert!(is_ca(&ca) && !is_ca(&server));
        for end in 0..60 {
            let _ = Names::of(&server[..end]);
        }
        assert!(Names::of(b"").is_none());
        assert!(Names::of(b"0\x84\xff\xff\xff\xff").is_none());
    }
}
