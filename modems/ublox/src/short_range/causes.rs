//! The causes of an open that failed: the modules give no number.

use sectag::Cause::*;
use sectag::{Causes, Code, Meaning, Refusal, TlsConfig};

/// Returns the refusal of a connect, with one list of causes for name, TCP and TLS.
pub(super) fn open_refused(config: &TlsConfig) -> Refusal {
    let causes = Causes::new(&[
        NameUnknown,
        Unreachable,
        CaMismatch,
        NotTls,
        ClientCertificateNeeded,
        ClientCertificateRefused,
        NoCommonSuite,
        NameMismatch,
        CertificateExpired,
        ChainTooLong,
        NetworkSlow,
    ]);
    let refusal = Refusal::new(Code::Word(Meaning::new("+UUDPD")), causes);
    if config.has_client_certificate() {
        refusal.without(ClientCertificateNeeded)
    } else {
        refusal.without(ClientCertificateRefused)
    }
}
