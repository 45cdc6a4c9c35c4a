//! What is at the far end of a PPP link: slirp, or a peer that does as it is told; and the network behind it.

mod ip;
mod link;
mod peer;
mod services;
mod slirp;

pub use self::peer::{Lost, PppAsks, PppPeer, PppScript};
pub use self::slirp::Slirp;

pub(crate) use self::link::{Carrier, carry};
pub(crate) use self::services::{Beside, Services};

/// What is at the far end of a simulated PPP link.
#[derive(Clone, Debug, Default)]
pub enum PppFarEnd {
    /// Debian's `slirp`: PPP, TCP and NAT that are not ours, in real time. What the host connects to by a name of the simulated network leads to
    /// where that name is mapped, and nowhere else.
    #[default]
    Slirp,
    /// A peer that does as it is told, also in virtual time. It carries what the network itself answers (names, the time, AT by UDP), and no TCP.
    Scripted(PppScript),
}
