//! The reasons why a link ends.

use core::fmt;

use super::Phase;

/// The reason why a link ended, or was not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Ended {
    /// It was closed from this side.
    Closed,
    /// The peer refused user name and password, three times or by ending the link.
    LoginRefused,
    /// The peer asked for a login and never answered it.
    LoginUnanswered,
    /// Everything that was sent came back: there is no PPP peer, and the line echoes.
    Loopback,
    /// The peer assigned no address.
    NoAddress,
    /// Nothing answered PPP on this line for 30 s.
    NoAnswer,
    /// The modem has reported the end of the call.
    NoCarrier,
    /// The peer answered, but the negotiation did not succeed.
    NotAgreed,
    /// The peer sent nothing for 40 s, in spite of three echoes.
    PeerSilent,
    /// The peer ended the link.
    Terminated {
        /// The phase of the link. In `Network`, the usual reason is an access point that the network
        /// does not allow.
        during: Phase,
    },
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "the PPP link was closed from here",
            Self::LoginRefused => {
                "the PPP peer refused the login: check user name and password of the access point"
            }
            Self::LoginUnanswered => {
                "the PPP peer asked for a login and did not answer it: dial again"
            }
            Self::Loopback => {
                "what is sent on this line comes back: no PPP peer is there, and the modem echoes commands"
            }
            Self::NoAddress => {
                "the PPP peer gave no address: check the access point, then attach to the network anew"
            }
            Self::NoAnswer => "nothing answers PPP on this line: dial again, then restart the modem",
            Self::NoCarrier => "the modem ended the data call: check the signal, then dial again",
            Self::NotAgreed => {
                "no agreement with the PPP peer: dial again, and look at a trace if it stays so"
            }
            Self::PeerSilent => {
                "the PPP peer fell silent for 40 s: check the signal and the wiring, then dial again"
            }
            Self::Terminated {
                during: Phase::Authenticate,
            } => "the PPP peer hung up at the login: check user name and password",
            Self::Terminated {
                during: Phase::Network,
            } => {
                "the PPP peer hung up before it gave an address: check the access point (APN) and the subscription"
            }
            Self::Terminated { .. } => "the PPP peer ended the link: dial again",
        })
    }
}

impl core::error::Error for Ended {}
