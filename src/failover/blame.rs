//! The decision whether a failed connect may succeed over another link.

use crate::cause::Cause;
use crate::error::ConnectError;

/// Returns whether the link, or its modem, can be to blame for a failed connect. If several causes are possible, one of
/// the link is enough: a try over the second link does no harm, since that verifies the server as well.
pub(super) fn is_links(error: &ConnectError) -> bool {
    match error {
        ConnectError::At(_) | ConnectError::BringUp(_) | ConnectError::TimedOut => true,
        // The other link has sockets of its own.
        ConnectError::TooManySockets => true,
        // The modem of the other link has a clock of its own.
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
            // The request.
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
