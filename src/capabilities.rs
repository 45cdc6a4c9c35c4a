//! What a modem can and checks, as far as it is known: data, found at run time where firmwares differ.

use core::fmt;

use crate::suites::{ServerKey, SuiteSet, TlsVersion};

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

impl Support {
    /// Of two things that are both needed.
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
    /// The connection's cipher suite is one that [`TlsConfig::suites`](crate::TlsConfig::suites) allows: the modem
    /// offers no other, or tells which one it uses.
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
    /// See [`Check::Suites`]. Of a connection: also `No` when it was made with [`Suites::All`](crate::Suites::All).
    pub suites: Support,
    /// The device's own certificate is shown to a server that asks for it. Of a connection: `No` when
    /// it was made without [`client_certificate`](crate::TlsConfig::client_certificate).
    pub client_certificate: Support,
    /// Of a connection whose dates were checked by a time that is known to come from somewhere: where from.
    pub time: Option<TimeSource>,
}

/// Where a time comes from. How far it can be trusted is how far dates were checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum TimeSource {
    /// The cellular network.
    Network,
    /// This board's own clock, or the server that set it.
    Host,
    /// SNTP over the link, which nobody has signed.
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
    /// Nothing known yet.
    pub const UNKNOWN: Self = Self {
        chain: Support::Unknown,
        dates: Support::Unknown,
        name: Support::Unknown,
        sni: Support::Unknown,
        suites: Support::Unknown,
        client_certificate: Support::Unknown,
        time: None,
    };

    /// The entry for `check`.
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

/// What `flush` of a socket waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Flush {
    /// The modem has said that it accepted the bytes.
    ModemAccepted,
    /// The bytes have left the MCU; the modem says nothing about them.
    LeftTheMcu,
}

/// Something of TLS that a policy can ask for and a modem may not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Feature {
    /// [`TlsConfig::alpn`](crate::TlsConfig::alpn).
    Alpn,
    /// [`TlsConfig::client_certificate`](crate::TlsConfig::client_certificate).
    ClientCertificate,
    /// A firmware that loses no byte which comes while it is busy. With hardware flow control the host
    /// does not send any.
    FlowControl,
    /// [`TlsConfig::psk`](crate::TlsConfig::psk).
    Psk,
    /// [`TlsConfig::session_resumption`](crate::TlsConfig::session_resumption).
    Resumption,
    /// A suite of those allowed for a server with this kind of key.
    ServerKey(ServerKey),
    /// A way to choose cipher suites, or at least to tell which one a connection uses, as
    /// [`Suites::Only`](crate::Suites::Only) needs.
    SuiteChoice,
    /// A suite that the policy allows, with the version it asks for.
    Suites,
    /// [`TlsConfig::min_version`](crate::TlsConfig::min_version).
    Version(TlsVersion),
    /// A way to refuse versions of TLS that are older than what the policy allows.
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

/// What a modem has, with the firmware that it was found to run. `Unknown` and `None` mean that
/// neither the manual nor the modem says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Capabilities {
    /// What is checked of a server, and shown to it.
    pub verification: Verification,
    /// Oldest and newest TLS version.
    pub versions: (TlsVersion, TlsVersion),
    /// Its cipher suites, as far as sectag knows their numbers. Which keys a server may have follows:
    /// see [`speaks_to`](Self::speaks_to).
    pub suites: SuiteSet,
    /// Application-layer protocol negotiation.
    pub alpn: Support,
    /// Pre-shared keys.
    pub psk: Support,
    /// Session resumption, by id or ticket.
    pub resumption: Support,
    /// Root certificates in one CA.
    pub roots: Option<u8>,
    /// Certificates of a client's chain.
    pub client_chain: Option<u8>,
    /// Certificates between the server's and the root.
    pub chain_depth: Option<u8>,
    /// The longest TLS record it can take, in bytes of content.
    pub record_limit: Option<u16>,
    /// TLS sockets at a time.
    pub sockets: u8,
    /// What `flush` waits for.
    pub flush: Flush,
    /// How long one connect can keep the other sockets waiting, in milliseconds.
    pub connect_blocks_ms: u32,
    /// How long one close can keep the other sockets waiting, in milliseconds.
    pub close_blocks_ms: u32,
}

impl Capabilities {
    /// A modem of TLS 1.2 of which nothing else is known; a backend fills in what is.
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

    /// Whether there is a cipher suite for a server with this kind of key.
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
