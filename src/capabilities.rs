//! What a modem checks of the server, as far as it is known.

use core::fmt;

/// Whether this modem, with this firmware, does something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Support {
    /// It does not; for instance it answered `ERROR` to the configuration key.
    No,
    /// Neither the manual nor the modem says.
    Unknown,
    /// It does.
    Yes,
}

/// One thing that can be checked of, or shown to, a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Check {
    /// The server's certificate leads to the tag's CA.
    Chain,
    /// Now is within the validity of the certificates.
    Dates,
    /// The server's certificate is for the name that was asked for.
    Name,
    /// The name is sent in the handshake (Server Name Indication).
    Sni,
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Chain => "certificate chain",
            Self::Dates => "certificate dates",
            Self::Name => "name",
            Self::Sni => "SNI",
        })
    }
}

/// What is checked on a connection, or what a modem can check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Verification {
    /// See [`Check::Chain`].
    pub chain: Support,
    /// See [`Check::Dates`].
    pub dates: Support,
    /// See [`Check::Name`].
    pub name: Support,
    /// See [`Check::Sni`].
    pub sni: Support,
}

impl Verification {
    /// Nothing known yet.
    pub const UNKNOWN: Self = Self {
        chain: Support::Unknown,
        dates: Support::Unknown,
        name: Support::Unknown,
        sni: Support::Unknown,
    };

    /// The entry for `check`.
    pub const fn of(&self, check: Check) -> Support {
        match check {
            Check::Chain => self.chain,
            Check::Dates => self.dates,
            Check::Name => self.name,
            Check::Sni => self.sni,
        }
    }
}
