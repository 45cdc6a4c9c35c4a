use super::material::KeyFormat;
use super::unsuitable::{Block, Unsuitable};

/// The label of a PEM block, as an index into [`LABELS`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Label(u8);

/// The content that a label announces.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Announced {
    Certificate,
    PrivateKey(KeyFormat),
    /// A block that may stand beside a credential, and is skipped.
    Nothing,
    Bad(Unsuitable),
}

use Announced::{Bad, Certificate, Nothing, PrivateKey};

const LABELS: [(&[u8], Announced); 20] = [
    (b"CERTIFICATE", Certificate),
    // OpenSSL's old name of a certificate.
    (b"X509 CERTIFICATE", Certificate),
    (b"PRIVATE KEY", PrivateKey(KeyFormat::Pkcs8)),
    (b"RSA PRIVATE KEY", PrivateKey(KeyFormat::Pkcs1)),
    (b"EC PRIVATE KEY", PrivateKey(KeyFormat::Sec1)),
    (b"EC PARAMETERS", Nothing),
    (b"ENCRYPTED PRIVATE KEY", Bad(Unsuitable::EncryptedKey)),
    (b"CERTIFICATE REQUEST", Bad(Unsuitable::CertificateRequest)),
    (
        b"NEW CERTIFICATE REQUEST",
        Bad(Unsuitable::CertificateRequest),
    ),
    (b"PUBLIC KEY", Bad(Unsuitable::PublicKeyOnly)),
    (b"RSA PUBLIC KEY", Bad(Unsuitable::PublicKeyOnly)),
    (b"EC PUBLIC KEY", Bad(Unsuitable::PublicKeyOnly)),
    (b"PKCS7", Bad(Unsuitable::Archive)),
    (b"PKCS #7 SIGNED DATA", Bad(Unsuitable::Archive)),
    (b"CMS", Bad(Unsuitable::Archive)),
    (
        b"TRUSTED CERTIFICATE",
        Bad(Unsuitable::WrongBlock(Block::TrustedCertificate)),
    ),
    (
        b"OPENSSH PRIVATE KEY",
        Bad(Unsuitable::WrongBlock(Block::OpensshPrivateKey)),
    ),
    (
        b"DSA PRIVATE KEY",
        Bad(Unsuitable::WrongBlock(Block::DsaPrivateKey)),
    ),
    (b"X509 CRL", Bad(Unsuitable::WrongBlock(Block::X509Crl))),
    // Any other label.
    (b"", Bad(Unsuitable::WrongBlock(Block::Other))),
];

impl Label {
    pub(super) fn new(text: &[u8]) -> Self {
        let index = LABELS.iter().position(|(label, _)| *label == text);
        Self(index.unwrap_or(LABELS.len() - 1) as u8)
    }

    pub(super) fn announced(self) -> Announced {
        let entry = LABELS.get(usize::from(self.0));
        entry.map_or(Nothing, |(_, announced)| *announced)
    }
}
