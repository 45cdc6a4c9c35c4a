use core::fmt;

use super::material::{Content, Material};
use crate::Kind;

/// The error for a credential that cannot be the wanted part of the set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Misplaced {
    /// A CA certificate was given as the client certificate.
    CaForClient,
    /// A certificate was given as the private key.
    CertificateForKey,
    /// A private key was given as a certificate.
    KeyForCertificate {
        /// The part of the set that was to be stored.
        wanted: Kind,
    },
    /// A certificate was given as the CA that is no CA certificate, and was issued by another.
    NotCa {
        /// The number of the certificate in the file, from 1.
        number: u16,
    },
    /// A certificate was given as the CA that another CA issued, and the modem takes none but a root that signed itself.
    NotRoot,
    /// The private key belongs to another certificate.
    OtherKey,
    /// The client certificate stands after a CA certificate.
    Order {
        /// The number of the client certificate in the file, from 1.
        number: u16,
    },
    /// The file has more certificates than the modem takes.
    TooMany {
        /// The number of certificates in the file.
        found: u16,
        /// The number of certificates that the modem takes.
        allowed: u16,
    },
}

impl fmt::Display for Misplaced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CaForClient => {
                "this is a CA's certificate, not the client's: store the one that was issued to the device (if that is self-signed, make it with basicConstraints=CA:FALSE)"
            }
            Self::CertificateForKey => {
                "this is a certificate, not a private key: store the key that its request was made with"
            }
            Self::KeyForCertificate { wanted } => {
                return write!(
                    f,
                    "this is a private key, not a {wanted}: give the certificate, and keep the key secret"
                );
            }
            Self::NotCa { number } => {
                return write!(
                    f,
                    "certificate {number} in the file is not a CA's and cannot vouch for a server: store the certificate of the CA that issued the server's"
                );
            }
            Self::NotRoot => {
                "this CA's certificate was issued by another CA, an intermediate or a cross-signed root, and this modem trusts no chain that ends in one: store the self-signed root at the end of the server's chain"
            }
            Self::OtherKey => {
                "the private key is not the one of the client certificate: store the two that were made together"
            }
            Self::Order { number } => {
                return write!(
                    f,
                    "the client's certificate is number {number} in the file: put it first, and each one's issuer behind it"
                );
            }
            Self::TooMany { found, allowed } => {
                return write!(
                    f,
                    "there are {found} certificates in the file and this modem takes {allowed}: keep those that are needed"
                );
            }
        })
    }
}

impl core::error::Error for Misplaced {}

/// Checks whether `material` can be the `kind` of a set. `allowed` is the number of certificates that the modem takes in
/// one file of that kind.
///
/// Doubtful cases are allowed: a certificate of version 1 does not say whether it is one of a CA, and a certificate that
/// is its own issuer may be stored as the CA of the server that presents it.
///
/// A client certificate that says it is a CA is refused. A self-signed one that was made by `openssl req -x509` without
/// further options says so too, but far more often it is the wrong file.
///
/// # Errors
/// The reason why it cannot be.
pub fn check(kind: Kind, material: &Material, allowed: u16) -> Result<(), Misplaced> {
    let certificate = match (&material.content, kind) {
        (Content::PrivateKey(_), Kind::PrivateKey) => return Ok(()),
        (Content::PrivateKey(_), wanted) => return Err(Misplaced::KeyForCertificate { wanted }),
        (Content::Certificate(_), Kind::PrivateKey) => return Err(Misplaced::CertificateForKey),
        (Content::Certificate(certificate), _) => certificate,
    };
    match (kind, material.first_leaf) {
        (Kind::Ca, Some(1)) if certificate.self_issued && material.blocks == 1 => {}
        (Kind::Ca, Some(number)) => return Err(Misplaced::NotCa { number }),
        (Kind::ClientCertificate, leaf) if certificate.is_ca == Some(true) => {
            return Err(match leaf {
                Some(number) => Misplaced::Order { number },
                None => Misplaced::CaForClient,
            });
        }
        _ => {}
    }
    if material.blocks > allowed {
        return Err(Misplaced::TooMany {
            found: material.blocks,
            allowed,
        });
    }
    Ok(())
}

/// Checks whether `key` may be the key of `certificate`, see [`Material::matches`].
///
/// # Errors
/// [`Misplaced::OtherKey`] where it certainly is not.
pub fn check_pair(certificate: &Material, key: &Material) -> Result<(), Misplaced> {
    match certificate.matches(key) {
        Some(false) => Err(Misplaced::OtherKey),
        Some(true) | None => Ok(()),
    }
}
