//! Whether another link may do better.

use crate::cause::Cause;
use crate::error::ConnectError;

/// Whether the link, or the modem that makes it, can be to blame. Where several causes are left, one that is the link's will do: the
/// second link verifies the server as well as the first.
pub(super) fn is_links(error: &ConnectError) -> bool {
    match error {
        ConnectError::At(_) | ConnectError::BringUp(_) | ConnectError::TimedOut => true,
        // The other has sockets of its own.
        ConnectError::TooManySockets => true,
        // The other has a clock of its own.
        ConnectError::ClockNotSet { .. } => true,
        ConnectError::Refused(refusal) => {
            let mut causes = refusal.causes.peekable();
            causes.peek().is_none() || causes.any(is_of_link)
        }
        _ => false,
    }
}

fn is_of_link(cause: Cause) -> bool {
    use Cause::*;
    !matches!(
        cause,
        // The server and its certificate.
        CaMismatch
            | CaUnreadable
            | CertificateExpired
            | CertificateNotYetValid
            | CertificateNotForServers
            | ChainIncomplete
            | ChainTooLong
            | ChainUnsound
            | ClientCertificateNeeded
            | ClientCertificateRefused
            | ClientKeyMismatch
            | NameMismatch
            | NameNotCommon
            | NoCommonSuite
            | NotTls
            | PeerClosed
            | ServerKeyUnproven
            | ServerKeyUnsupported
            | SniNeeded
            // What was asked for.
            | BadParameter
            | CredentialInOtherStore
            | CredentialMissing
            | CredentialUnsuitable
            | SettingRefused
            // The broker.
            | BrokerBusy
            | BrokerMoved
            | ClientIdRefused
            | LoginRefused
            | NotAllowed
            | NotMqtt
            | ProtocolVersion
    )
}
