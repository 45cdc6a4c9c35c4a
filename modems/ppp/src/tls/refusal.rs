//! Failures of a handshake as errors and causes of the core.

use embedded_tls::TlsError;
use embedded_tls::alert::AlertDescription;
use sectag::{Cause, Causes, Code, ConnectError, Meaning, Refusal};
use webpki::Error;

use super::gate::Foul;
use super::verifier::Problem;

/// Returns a refusal without a modem's number.
pub(crate) const fn refused(found: &'static str, causes: &'static [Cause]) -> ConnectError {
    ConnectError::Refused(Refusal::new(
        Code::Here(Meaning::new(found)),
        Causes::new(causes),
    ))
}

/// Returns the error for a problem of the server.
pub(crate) fn of_problem(problem: Problem) -> ConnectError {
    use Cause::*;
    match problem {
        Problem::Root => refused(
            "a root under the tag is not a certificate in DER",
            &[CaUnreadable],
        ),
        Problem::NameInSubjectOnly => refused(
            "the server's certificate has no subject alternative name, and a name in its subject alone counts no more",
            &[NameMismatch],
        ),
        Problem::LeafTooLong => refused(
            "the server's certificate is longer than 2048 bytes",
            &[ChainTooLong],
        ),
        Problem::ChainTooLong => refused(
            "the server sends more than four certificates beside its own",
            &[ChainTooLong],
        ),
        Problem::KeyOfAnotherKind => refused(
            "the server's key is of a kind that is not built in: P-384 and RSA are features, Ed25519 is not known",
            &[ServerKeyUnsupported],
        ),
        Problem::Scheme => refused(
            "the server's signature is of a kind that its key cannot make, or that was not offered",
            &[ServerKeyUnproven],
        ),
        Problem::Signature => refused(
            "the server's signature is not of its certificate's key",
            &[ServerKeyUnproven],
        ),
        Problem::Order => refused(
            "the server showed no certificate, or no proof of its key, or not in their order",
            &[ServerKeyUnproven],
        ),
        Problem::Chain(error) => of_chain(error),
    }
}

fn of_chain(error: Error) -> ConnectError {
    use Cause::*;
    match error {
        Error::CertExpired { .. } => refused(
            "a certificate of the server's chain is past its last date",
            &[CertificateExpired],
        ),
        Error::CertNotValidYet { .. } => refused(
            "a certificate of the server's chain is before its first date",
            &[CertificateNotYetValid],
        ),
        Error::CertNotValidForName(_) => refused(
            "none of the names in the server's certificate is the one asked for",
            &[NameMismatch],
        ),
        Error::MalformedDnsIdentifier => {
            refused("the server's name is not a host name", &[NameMismatch])
        }
        Error::UnknownIssuer | Error::InvalidSignatureForPublicKey => refused(
            "the server's chain leads to none of the roots",
            &[CaMismatch],
        ),
        Error::EndEntityUsedAsCa
        | Error::PathLenConstraintViolated
        | Error::NameConstraintViolation => refused(
            "a certificate of the server's chain is signed by a certificate that is not a CA for it",
            &[ChainUnsound],
        ),
        Error::CaUsedAsEndEntity => refused(
            "the server shows a CA's certificate as its own",
            &[CertificateNotForServers],
        ),
        Error::RequiredEkuNotFoundContext(_) | Error::EmptyEkuExtension => refused(
            "the server's certificate is for another purpose than servers",
            &[CertificateNotForServers],
        ),
        _ if is_of_another_kind(&error) => refused(
            "the server's chain has a key or signature of a kind that is not built in: P-384 and RSA are features",
            &[ServerKeyUnsupported],
        ),
        _ => refused(
            "the server's certificate cannot be understood",
            &[ChainUnsound],
        ),
    }
}

/// webpki has renamed these errors within one minor version.
#[allow(deprecated)]
fn is_of_another_kind(error: &Error) -> bool {
    matches!(
        error,
        Error::UnsupportedSignatureAlgorithm
            | Error::UnsupportedSignatureAlgorithmForPublicKey
            | Error::UnsupportedSignatureAlgorithmContext(_)
            | Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_)
    )
}

/// Returns the error for a violation in a record's header.
pub(crate) fn of_foul(foul: Foul) -> ConnectError {
    match foul {
        Foul::NotTls => refused("the server's answer is no TLS", &[Cause::NotTls]),
        Foul::Unexpected => refused(
            "a record came in clear that has to be encrypted, or empty",
            &[Cause::ServerKeyUnproven],
        ),
        Foul::TooLarge => refused(
            "the server sent a record larger than the buffer",
            &[Cause::ChainTooLong],
        ),
    }
}

/// Returns the error for a failure of TLS itself.
pub(crate) fn of_tls(error: TlsError) -> ConnectError {
    use Cause::*;
    match error {
        TlsError::HandshakeAborted(_, alert) => of_alert(alert),
        // A ServerHello of an older version fails by the extension that it lacks.
        TlsError::InvalidSupportedVersions
        | TlsError::InvalidKeyShare
        | TlsError::InvalidCipherSuite
        | TlsError::InvalidHandshake => refused(
            "the server does not speak TLS 1.3 with AES-128-GCM and P-256, and nothing else is built in",
            &[NoCommonSuite],
        ),
        TlsError::InsufficientSpace | TlsError::OutOfMemory => refused(
            "a message of the handshake is larger than the buffer",
            &[ChainTooLong],
        ),
        TlsError::InvalidSignature | TlsError::CryptoError => refused(
            "the server's handshake was changed on the way, or is not of its keys",
            &[ServerKeyUnproven],
        ),
        TlsError::Io(_) | TlsError::IoError | TlsError::ConnectionClosed => refused(
            "the server closed the connection during the handshake",
            &[PeerClosed, NotTls],
        ),
        _ => refused(
            "the server's handshake cannot be understood",
            &[NoCommonSuite, NotTls],
        ),
    }
}

fn of_alert(alert: AlertDescription) -> ConnectError {
    use AlertDescription as Alert;
    use Cause::*;
    match alert {
        Alert::ProtocolVersion => refused(
            "the server does not speak TLS 1.3, and TLS 1.2 is not built in",
            &[NoCommonSuite],
        ),
        Alert::HandshakeFailure | Alert::InsufficientSecurity | Alert::IllegalParameter => refused(
            "the server has nothing in common with TLS 1.3, AES-128-GCM, P-256 and an ECDSA key",
            &[NoCommonSuite],
        ),
        Alert::UnrecognizedName => refused("the server does not know this name", &[NameMismatch]),
        Alert::CertificateRequired => refused(
            "the server wants a client certificate",
            &[ClientCertificateNeeded],
        ),
        Alert::BadCertificate
        | Alert::UnsupportedCertificate
        | Alert::CertificateRevoked
        | Alert::CertificateExpired
        | Alert::CertificateUnknown
        | Alert::UnknownCa
        | Alert::AccessDenied
        | Alert::DecryptError => refused(
            "the server refused the client certificate",
            &[ClientCertificateRefused],
        ),
        Alert::NoApplicationProtocol => refused(
            "the server does not speak the application protocol that was asked for",
            &[NoCommonSuite],
        ),
        _ => refused("the server ended the handshake", &[PeerClosed]),
    }
}
