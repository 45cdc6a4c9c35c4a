//! Why a link ended.

use core::fmt;

use super::Phase;

/// Why a link ended, or did not come about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Ended {
    /// It was asked to end here.
    Closed,
    /// The peer refused user name and password, three times or for good.
    LoginRefused,
    /// The peer asked for a login and never said what it thinks of it.
    LoginUnanswered,
    /// Everything that was sent came back: no PPP peer is there, and the line has an echo.
    Loopback,
    /// The peer gave no address.
    NoAddress,
    /// Nothing answered PPP on this line for 30 s.
    NoAnswer,
    /// The modem has said that the call has ended.
    NoCarrier,
    /// The peer answered, and no agreement came about.
    NotAgreed,
    /// The peer said nothing for 40 s, three echoes included.
    PeerSilent,
    /// The peer ended the link.
    Terminated {
        /// How far it was. In `Network` it is mostly the access point that the network does not allow.
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
