//! The chip's negative numbers: their meaning and their possible causes, by kind of call (sheet 5).

use sectag::Cause::{self, *};
use sectag::modem::World;
use sectag::{Causes, Code, Meaning, Refusal};

/// A number of the chip, its meaning, and its possible causes.
type Row = (i16, &'static str, &'static [Cause]);

/// The numbers of sockets and TLS (sheet 5.1). Those of the TLS library are written as in the second
/// generation, which are those of the first less 500 (sheet 5.2).
static SOCKET: [Row; 43] = [
    (-10, "no more sockets", &[OutOfMemory]),
    (-12, "out of memory", &[OutOfMemory]),
    (-101, "unreachable", &[Unreachable]),
    (-105, "no buffers", &[OutOfMemory]),
    (-110, "timed out", &[NetworkSlow, Unreachable]),
    (-111, "refused", &[Unreachable]),
    (-310, "alert: unexpected message", &[NotTls]),
    (
        -340,
        "alert: handshake failed",
        &[NoCommonSuite, ClientCertificateNeeded],
    ),
    (-341, "alert: no certificate", &[ClientCertificateNeeded]),
    (
        -342,
        "alert: bad certificate",
        &[ClientCertificateRefused, ClientCertificateNeeded],
    ),
    (
        -343,
        "alert: unsupported certificate",
        &[ClientCertificateRefused],
    ),
    (
        -344,
        "alert: certificate revoked",
        &[ClientCertificateRefused],
    ),
    (
        -345,
        "alert: certificate expired",
        &[ClientCertificateRefused],
    ),
    (
        -346,
        "alert: certificate unknown",
        &[ClientCertificateRefused],
    ),
    (-348, "alert: unknown CA", &[ClientCertificateRefused]),
    (-349, "alert: access denied", &[ClientCertificateRefused]),
    (-351, "alert: decrypt error", &[ClientKeyMismatch]),
    (-370, "alert: protocol version", &[NoCommonSuite]),
    (-371, "alert: insufficient security", &[NoCommonSuite]),
    (-412, "alert: unrecognized name", &[NameMismatch]),
    (-452, "TLS closed by the peer", &[PeerClosed]),
    (
        -453,
        "connected, and the server not verified",
        &[CredentialMissing],
    ),
    (-454, "CA file not found", &[CredentialMissing]),
    (-455, "no memory for TLS", &[OutOfMemory]),
    (
        -456,
        "bad CA file: its format, its name, or the slot",
        &[CaUnreadable],
    ),
    (
        -457,
        "bad certificate file",
        &[CredentialMissing, CredentialUnsuitable],
    ),
    (
        -458,
        "bad private key file",
        &[CredentialMissing, CredentialUnsuitable],
    ),
    (-460, "too many TLS sockets", &[OutOfMemory]),
    (
        -461,
        "connected, and the dates not verified",
        &[ClockNotSet],
    ),
    (-462, "handshake timed out", &[NetworkSlow, NotTls]),
    (
        -467,
        "a certificate of the chain is revoked",
        &[CertificateRevoked],
    ),
    (
        -468,
        "connected, and the root is not in the chip's catalog",
        &[RootNotInCatalog],
    ),
    (-650, "certificate not valid yet", &[CertificateNotYetValid]),
    (-651, "certificate expired", &[CertificateExpired]),
    (-655, "the CA did not sign this chain", &[CaMismatch]),
    (-660, "critical extension", &[]),
    (-688, "no signer of this chain", &[CaMismatch]),
    (-708, "TLS socket error", &[PeerClosed]),
    (-717, "no private key", &[CredentialMissing]),
    (
        -722,
        "the certificate is not for this name",
        &[NameMismatch],
    ),
    (-757, "not the certificate of a CA", &[CaUnreadable]),
    (-768, "chain too long", &[ChainTooLong]),
    (-790, "unsupported suite", &[NoCommonSuite]),
];

/// Returns the refusal for a negative number of a socket.
pub(crate) fn of_socket(code: i16) -> Refusal {
    // A number of the first generation is turned into that of the second.
    let place = if (-291..=-130).contains(&code) {
        code - 500
    } else {
        code
    };
    let row = SOCKET.iter().find(|row| row.0 == place);
    let (meaning, causes) = row.map_or(("", [].as_slice()), |row| (row.1, row.2));
    Refusal::new(
        Code::Signed(code, Meaning::new(meaning)),
        Causes::new(causes),
    )
}

/// Returns the refusal for a failed DNS query, and has the network joined anew where it is gone: the chip's word about that may be
/// lost on its way. Not while another connection stands.
pub(crate) fn lookup_refused(world: &mut World<'_>, code: i16) -> Refusal {
    let is_gone = matches!(code, -6152 | -6162 | -161);
    world.network_lost |= is_gone && !world.has_other_sockets();
    of_lookup(code)
}

/// Returns the refusal for a failed DNS query. The numbers differ between generations and say little.
fn of_lookup(code: i16) -> Refusal {
    let causes: &'static [Cause] = match code {
        -6150 | -6153 | -159 => &[NetworkSlow],
        -6152 | -6162 | -161 => &[DataConnectionDown],
        _ => &[NameUnknown],
    };
    Refusal::new(
        Code::Signed(code, Meaning::new("lookup")),
        Causes::new(causes),
    )
}

/// The number for "invalid token" in the second generation.
pub(crate) const INVALID_TOKEN: i32 = -10_302;

/// Returns a number of the file system with its meaning (sheet 5.4).
pub(crate) fn of_file(code: i32) -> Code {
    Code::Signed(code as i16, Meaning::new(meaning_of_file(code)))
}

/// Returns whether a number of the file system has a meaning, which says what is wrong.
pub(crate) fn is_explained(code: i32) -> bool {
    !meaning_of_file(code).is_empty()
}

fn meaning_of_file(code: i32) -> &'static str {
    match code {
        -10_341 | -11 => "file does not exist",
        INVALID_TOKEN | -50 => "wrong token",
        -10_365 => "wrong token: a security alert",
        -10_322 | -30 => "not enough space",
        -10_318 | -34 => "too many files",
        -10_310 | -42 => "the file's size is exceeded",
        -10_288 | -64 => "file was not closed",
        -10_299 | -53 => "the device is locked",
        -10_300 | -52 => "security alert",
        -10_247 => "the device is not secured",
        _ => "",
    }
}

/// Returns whether the number means a wrong token, which must not be presented again.
pub(crate) fn is_token(code: i32) -> bool {
    matches!(code, INVALID_TOKEN | -10_365 | -50 | -52 | -10_300)
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::string::ToString;

    use super::*;

    #[test]
    fn numbers_of_both_generations_mean_the_same() {
        assert!(of_socket(-155).causes.eq(of_socket(-655).causes));
        assert!(of_socket(-222).causes.eq([NameMismatch]));
        assert!(of_socket(-453).causes.eq([CredentialMissing]));
    }

    #[test]
    fn the_chips_own_number_is_told() {
        let text = of_socket(-468).to_string();
        assert!(text.contains("-468") && text.contains("catalog"), "{text}");
        assert!(of_socket(-999).to_string().contains("-999"));
    }

    #[test]
    fn no_number_stands_twice() {
        for (index, row) in SOCKET.iter().enumerate() {
            assert!(
                SOCKET[..index].iter().all(|other| other.0 != row.0),
                "{}",
                row.0
            );
            assert!(!(-291..=-130).contains(&row.0));
        }
    }
}
