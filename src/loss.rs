//! Why a connection was lost.

use core::fmt;

/// Why a connection ended with [`ConnectionReset`](crate::SocketError::ConnectionReset), as far as it was seen: told by
/// [`Socket::loss`](crate::Socket::loss), and by [`Control::last_loss`](crate::Control::last_loss) where an MQTT client has the
/// socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Loss {
    /// By the modem's word, this connection does not stand any more, or broke while it sent or received. Nothing was
    /// seen that speaks of the others.
    Connection,
    /// The connection broke, on a modem that says of a reset by the peer what it says of a TLS record larger than it
    /// takes.
    ResetOrRecord,
    /// The data connection is gone, by the modem's word.
    Network,
    /// The modem went into power saving mode, by its own word.
    PowerSaving,
    /// The modem has started anew, by its own word.
    Restart,
    /// The modem did not answer, and no byte came from it any more.
    NoAnswer,
    /// The modem did not answer: what came from it was nothing that it says.
    Noise,
    /// An answer of the modem's did not keep to the grammar, so that nothing more on this connection could be
    /// trusted to be in order.
    Grammar,
    /// The modem answered `ERROR` to everything.
    Refuses,
    /// The modem did not confirm that it had closed another connection, so that it was brought up anew.
    NotClosed,
    /// A command of the application's own may have changed the modem's settings, so that it was brought up anew.
    Command,
    /// The modem was brought up anew, and the reason was not seen.
    BroughtUpAnew,
    /// The modem was switched off by [`Control::power_off`](crate::Control::power_off).
    PowerOff,
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connection => {
                "the modem says that the connection does not stand any more: the server or the network has ended it"
            }
            Self::ResetOrRecord => {
                "the connection broke: the server has reset it, or sent a TLS record larger than the modem takes"
            }
            Self::Network => {
                "the modem lost its data connection: check the signal, and that nothing else ends it"
            }
            Self::PowerSaving => {
                "the modem went into power saving mode, which ends connections: ask the network for longer times, or for none"
            }
            Self::Restart => {
                "the modem restarted: if it happens again, check its supply, since transmitting takes up to 2 A"
            }
            Self::NoAnswer => {
                "the modem stopped answering, and nothing comes from it: check its supply and the wiring"
            }
            Self::Noise => {
                "the modem stopped answering, and what comes from it makes no sense: check wiring and speed, and wire RTS and CTS"
            }
            Self::Grammar => {
                "an answer of the modem's was damaged on its way: check wiring and speed, and wire RTS and CTS"
            }
            Self::Refuses => "the modem answers ERROR to everything: restart it",
            Self::NotClosed => {
                "the modem did not confirm a close, so that it was brought up anew: connect again"
            }
            Self::Command => {
                "a typed command may have changed the modem's settings, so that it was brought up anew: connect again"
            }
            Self::BroughtUpAnew => "the modem was brought up anew: connect again",
            Self::PowerOff => "the modem was switched off: call power_on",
        })
    }
}
