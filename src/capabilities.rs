//! The capabilities of a modem and the checks that it does, as far as they are known. Where firmwares differ, they are
//! found out at run time.

use core::fmt;

use crate::suites::{ServerKey, SuiteSet, TlsVersion};

/// Whether the modem, with its firmware, supports something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Support {
    /// It is not supported; for instance, the modem answered `ERROR` to the configuration key.
    No,
    /// It is unknown: neither the manual nor the modem says.
    Unknown,
    /// It is supported.
    Yes,
}

impl Support {
    /// Returns the support for two things that are both needed.
    pub const fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::No, _) | (_, Self::No) => Self::No,
            (Self::Unknown, _) | (_, Self::Unknown) => Self::Unknown,
            (Self::Yes, Self::Yes) => Self::Yes,
        }
    }
}

impl fmt::Display for Support {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::No => "no",
            Self::Unknown => "unknown",
            Self::Yes => "yes",
        })
    }
}

/// A check of the server, or of the connection to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Check {
    /// The server's certificate is signed, through its chain, by the CA under the tag.
    Chain,
    /// The current date is within the validity of the certificates.
    Dates,
    /// The server's certificate is for the name that was connected to.
    Name,
    /// The name is sent in the handshake (Server Name Indication).
    Sni,
    /// The connection's cipher suite is one that [`TlsConfig::suites`](crate::TlsConfig::suites) allows: the modem
    /// offers no other, or reports which one it uses.
    Suites,
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Chain => "certificate chain",
            Self::Dates => "certificate dates",
            Self::Name => "name",
            Self::Sni => "SNI",
            Self::Suites => "cipher suite",
        })
    }
}

/// The checks that were done on a connection, or that a modem can do.
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
    /// See [`Check::Suites`]. For a connection with [`Suites::All`](crate::Suites::All) it is `No`.
    pub suites: Support,
    /// Whether the device's certificate is sent to a server that asks for it. For a connection without
    /// [`client_certificate`](crate::TlsConfig::client_certificate) it is `No`.
    pub client_certificate: Support,
    /// The source of the time by which a connection's dates were checked, where it is known.
    pub time: Option<TimeSource>,
}

/// The source of a time. The check of dates is worth as much as this source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum TimeSource {
    /// The cellular network.
    Network,
    /// This board's own clock, or the server that set it.
    Host,
    /// SNTP over the link, which is not authenticated.
    Sntp,
}

impl fmt::Display for TimeSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Network => "the cellular network",
            Self::Host => "the host",
            Self::Sntp => "SNTP, which is not authenticated",
        })
    }
}

impl Verification {
    /// The value in which nothing is known.
    pub const UNKNOWN: Self = Self {
        chain: Support::Unknown,
        dates: Support::Unknown,
        name: Support::Unknown,
        sni: Support::Unknown,
        suites: Support::Unknown,
        client_certificate: Support::Unknown,
        time: None,
    };

    /// Returns the entry for `check`.
    pub const fn of(&self, check: Check) -> Support {
        match check {
            Check::Chain => self.chain,
            Check::Dates => self.dates,
            Check::Name => self.name,
            Check::Sni => self.sni,
            Check::Suites => self.suites,
        }
    }
}

impl fmt::Display for Verification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "chain {}, name {}, dates {}, SNI {}, cipher suite {}, client certificate {}",
            self.chain, self.name, self.dates, self.sni, self.suites, self.client_certificate
        )?;
        match self.time {
            Some(source) => write!(f, ", time from {source}"),
            None => Ok(()),
        }
    }
}

/// The event that `flush` of a socket waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Flush {
    /// The modem has confirmed that it accepted the bytes.
    ModemAccepted,
    /// The bytes have left the MCU; the modem does not confirm them.
    LeftTheMcu,
}

/// A feature that a policy can need and a modem may lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Feature {
    /// [`TlsConfig::alpn`](crate::TlsConfig::alpn).
    Alpn,
    /// [`TlsConfig::client_certificate`](crate::TlsConfig::client_certificate).
    ClientCertificate,
    /// A firmware that loses no byte which arrives while it is busy. With hardware flow control the host sends none
    /// then.
    FlowControl,
    /// [`TlsConfig::psk`](crate::TlsConfig::psk).
    Psk,
    /// [`TlsConfig::session_resumption`](crate::TlsConfig::session_resumption).
    Resumption,
    /// An allowed cipher suite for a server with this type of key.
    ServerKey(ServerKey),
    /// A way to choose cipher suites, or at least to report which one a connection uses, as
    /// [`Suites::Only`](crate::Suites::Only) needs.
    SuiteChoice,
    /// A cipher suite that the policy allows at its TLS version.
    Suites,
    /// [`TlsConfig::min_version`](crate::TlsConfig::min_version).
    Version(TlsVersion),
    /// A setting that refuses TLS versions which are older than the policy allows.
    VersionFloor,
}

impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Alpn => "no ALPN: connect without it, on a port that serves one protocol",
            Self::ClientCertificate => {
                "no client certificates with this firmware: update it, or use a server that logs the device in by password"
            }
            Self::FlowControl => {
                "no buffer for bytes that arrive while a command runs: wire RTS and CTS, switch flow control on in the UART, and declare it with Config::flow_control"
            }
            Self::Psk => "no pre-shared keys: use certificates",
            Self::Resumption => "no session resumption: connect without it",
            Self::ServerKey(ServerKey::Ecdsa) => {
                "no suitable cipher suite for a server with an ECDSA key: give the server an RSA certificate, or allow Suites::All if the modem has older ECDSA suites"
            }
            Self::ServerKey(ServerKey::Rsa) => {
                "no suitable cipher suite for a server with an RSA key: give the server an ECDSA certificate, or allow Suites::All"
            }
            Self::SuiteChoice => {
                "no way to choose its cipher suites, or to tell which one is used: leave out Suites::Only"
            }
            Self::Suites => {
                "none of the cipher suites that the policy allows at its TLS version: allow Suites::All, or raise the version"
            }
            Self::Version(TlsVersion::Tls13) => {
                "no TLS 1.3: let the server also speak TLS 1.2, and ask for that"
            }
            Self::VersionFloor => {
                "no setting that refuses TLS older than 1.2: update its firmware, or allow what it has by min_version(TlsVersion::Tls10)"
            }
            Self::Version(_) => "no such TLS version: ask for one it has",
        })
    }
}

/// The capabilities of a modem with the firmware that it was found to run. `Unknown` and `None` mean that neither the
/// manual nor the modem says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Capabilities {
    /// The checks that the modem can do.
    pub verification: Verification,
    /// The oldest and the newest TLS version.
    pub versions: (TlsVersion, TlsVersion),
    /// The cipher suites, as far as sectag knows their numbers. They decide which types of key a server may have, see
    /// [`speaks_to`](Self::speaks_to).
    pub suites: SuiteSet,
    /// Application-layer protocol negotiation.
    pub alpn: Support,
    /// Pre-shared keys.
    pub psk: Support,
    /// Session resumption, by id or ticket.
    pub resumption: Support,
    /// The most root certificates in one CA credential.
    pub roots: Option<u8>,
    /// The most certificates in a client's chain.
    pub client_chain: Option<u8>,
    /// The most certificates between the server's certificate and the root.
    pub chain_depth: Option<u8>,
    /// The longest TLS record that the modem takes, in bytes of content.
    pub record_limit: Option<u16>,
    /// The most TLS sockets at a time.
    pub sockets: u8,
    /// The event that `flush` waits for.
    pub flush: Flush,
    /// The longest time that one connect keeps the other sockets waiting, in milliseconds.
    pub connect_blocks_ms: u32,
    /// The longest time that one close keeps the other sockets waiting, in milliseconds.
    pub close_blocks_ms: u32,
}

impl Capabilities {
    /// The capabilities of a modem with TLS 1.2 of which nothing else is known. A backend fills in the rest.
    pub const UNKNOWN: Self = Self {
        verification: Verification::UNKNOWN,
        versions: (TlsVersion::Tls12, TlsVersion::Tls12),
        suites: SuiteSet::EMPTY,
        alpn: Support::Unknown,
        psk: Support::Unknown,
        resumption: Support::Unknown,
        roots: None,
        client_chain: None,
        chain_depth: None,
        record_limit: None,
        sockets: 1,
        flush: Flush::LeftTheMcu,
        connect_blocks_ms: 0,
        close_blocks_ms: 0,
    };

    /// Returns whether the modem has a cipher suite for a server with this type of key.
    pub const fn speaks_to(&self, key: ServerKey) -> bool {
        !self.suites.for_key(key).is_empty()
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::string::ToString;

    use super::*;

    #[test]
    fn both_needed_is_as_good_as_the_worse() {
        use Support::{No, Unknown, Yes};
        for (a, b, both) in [
            (Yes, Yes, Yes),
            (Yes, Unknown, Unknown),
            (Unknown, No, No),
            (Yes, No, No),
        ] {
            assert_eq!((a.and(b), b.and(a)), (both, both));
        }
    }

    #[test]
    fn every_missing_feature_has_its_cause_and_next_step() {
        let ecdsa = Feature::ServerKey(ServerKey::Ecdsa).to_string();
        assert!(
            ecdsa.contains("ECDSA key") && ecdsa.contains("give the server an RSA certificate")
        );
        for feature in [
            Feature::Alpn,
            Feature::ClientCertificate,
            Feature::FlowControl,
            Feature::Psk,
            Feature::Resumption,
            Feature::ServerKey(ServerKey::Rsa),
            Feature::SuiteChoice,
            Feature::Suites,
            Feature::Version(TlsVersion::Tls13),
            Feature::Version(TlsVersion::Tls10),
            Feature::VersionFloor,
        ] {
            let text = feature.to_string();
            assert!(text.starts_with("no") && text.contains(": "), "{text}");
        }
    }
}
