//! The parts of a set of credentials.

use core::fmt;

/// A part of a set of credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Kind {
    /// The certificate of the authority that signed the server's.
    Ca,
    /// This device's certificate.
    ClientCertificate,
    /// This device's private key.
    PrivateKey,
}

impl Kind {
    /// All parts, in the order in which they are stored.
    pub const ALL: [Self; 3] = [Self::Ca, Self::ClientCertificate, Self::PrivateKey];

    /// Returns the index of this part in [`ALL`](Self::ALL).
    pub const fn index(self) -> usize {
        match self {
            Self::Ca => 0,
            Self::ClientCertificate => 1,
            Self::PrivateKey => 2,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ca => "CA certificate",
            Self::ClientCertificate => "client certificate",
            Self::PrivateKey => "private key",
        })
    }
}
