//! The capabilities of the network processor, for both ways to drive it.

use sectag::{Capabilities, Flush, SuiteSet, Support};

/// Returns the capabilities of a chip by whether it checks names, its suites, and its number of TLS
/// sockets.
pub(crate) fn capabilities(names: Support, suites: SuiteSet, sockets: u8) -> Capabilities {
    let mut has = Capabilities::UNKNOWN;
    has.verification.chain = Support::Yes;
    has.verification.dates = Support::Yes;
    has.verification.name = names;
    has.verification.sni = names;
    has.verification.suites = Support::Yes;
    has.verification.client_certificate = Support::Yes;
    has.suites = suites;
    // The second generation has an option for ALPN. AT has no command for it (sheet 1.8), and the
    // native driver does not set it.
    has.alpn = Support::No;
    has.psk = Support::No;
    has.resumption = Support::No;
    has.roots = Some(1);
    has.client_chain = Some(1);
    has.sockets = sockets;
    has.flush = Flush::LeftTheMcu;
    has
}
