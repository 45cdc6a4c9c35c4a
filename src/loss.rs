//! The reasons for the loss of a connection.

use core::fmt;

/// The reason why a connection ended with [`ConnectionReset`](crate::SocketError::ConnectionReset), as far as the driver
/// knows it. [`Socket::loss`](crate::Socket::loss) returns it, and [`Control::last_loss`](crate::Control::last_loss) where
/// an MQTT client owns the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Loss {
    /// The modem reports that this connection is gone, or that it broke in a send or a fetch. Other connections are not
    /// affected.
    Connection,
    /// The connection broke, on a modem that gives one error for a reset by the peer and for a TLS record larger than it
    /// takes.
    ResetOrRecord,
    /// The modem refused a send, and says that the connection stands. Other connections are not affected.
    SendRefused,
    /// The modem reports that the PDP context, or the Wi-Fi link, is gone.
    Network,
    /// The modem reports that it has entered power saving mode.
    PowerSaving,
    /// The modem reports that it has restarted.
    Restart,
    /// The modem did not answer, and sent no byte.
    NoAnswer,
    /// The modem did not answer; the bytes that came were no answer of a modem.
    Noise,
    /// An answer of the modem broke the grammar, so the order of the bytes on this connection is not certain.
    Grammar,
    /// The modem answered `ERROR` to everything.
    Refuses,
    /// The modem was brought up anew because it did not confirm the close of another connection.
    NotClosed,
    /// The modem was brought up anew because a command of the application may have changed its settings.
    Command,
    /// The modem was brought up anew for an unknown reason.
    BroughtUpAnew,
    /// The modem's status pin shows that it is off, which no user asked for (`StatusPin`).
    #[cfg(feature = "sleep")]
    WentOff,
    /// The modem was switched off by [`Control::power_off`](crate::Control::power_off).
    PowerOff,
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connection => {
                "the modem says that the server or the network has ended it: connect again"
            }
            Self::ResetOrRecord => {
                "the server has reset it, or sent a TLS record larger than the modem takes: connect again; if it happens again, let the server send less at once"
            }
            Self::SendRefused => {
                "the modem refuses to send, and says that the connection stands: connect again; if that fails too, restart the modem"
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
                "the modem did not confirm a close, so the driver brought it up again: connect again"
            }
            Self::Command => {
                "a typed command may have changed the modem's settings, so the driver brought it up again: connect again"
            }
            Self::BroughtUpAnew => "the driver brought the modem up again: connect again",
            #[cfg(feature = "sleep")]
            Self::WentOff => {
                "the modem went off, by its status pin: check its supply, since transmitting takes up to 2 A, and what else switches it off"
            }
            Self::PowerOff => "the modem was switched off: call power_on",
        })
    }
}
