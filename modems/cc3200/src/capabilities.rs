//! What the network processor checks and has, whichever way it is driven.

use sectag::{Capabilities, Flush, SuiteSet, Support};

/// With whether it is known to check names, its suites, and how many TLS sockets it has.
pub(crate) fn capabilities(names: Support, suites: SuiteSet, sockets: u8) -> Capabilities {
    let mut has = Capabilities::UNKNOWN;
    has.verification.chain = Support::Yes;
    has.verification.dates = Support::Yes;
    has.verification.name = names;
    has.verification.sni = names;
    has.verification.suites = Support::Yes;
    has.verification.client_certificate = Support::Yes;
    has.suites = suites;
    // The second generation has an option for it, for which AT has no word (sheet 1.8), and which is not set natively.
    has.alpn = Support::No;
    has.psk = Support::No;
    has.resumption = Support::No;
    has.roots = Some(1);
    has.client_chain = Some(1);
    has.sockets = sockets;
    has.flush = Flush::LeftTheMcu;
    has
}
