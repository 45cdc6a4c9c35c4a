//! The far end of a PPP link: slirp, or a scripted peer; and the network behind it.

mod ip;
mod link;
mod peer;
mod services;
mod slirp;

pub use self::peer::{Lost, PppAsks, PppPeer, PppScript};
pub use self::slirp::Slirp;

pub(crate) use self::link::{Carrier, carry};
pub(crate) use self::services::{Beside, Services};

/// The far end of a simulated PPP link.
#[derive(Clone, Debug, Default)]
pub enum PppFarEnd {
    /// Debian's `slirp`: an independent implementation of PPP, TCP and NAT, in real time. A connection
    /// of the host by a name of the simulated network leads to the address to which that name is
    /// mapped, and nowhere else.
    #[default]
    Slirp,
    /// A scripted peer, which also works in virtual time. It carries what the simulated network itself
    /// answers (names, the time, AT by UDP), and no TCP.
    Scripted(PppScript),
}
