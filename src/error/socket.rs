//! The error of an open connection.

use core::fmt;

use embedded_io::ErrorKind;

/// The error of a read or a write. It is final for the socket; a new connect is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum SocketError {
    /// The peer ended TLS with an alert. A TLS 1.3 server checks the client's certificate after the client has finished
    /// its handshake, so this may mean that it refuses the certificate, or needs one.
    Alert,
    /// The peer closed the connection, so nothing can be written.
    BrokenPipe,
    /// The peer closed the connection without having sent a byte: it refused the first data that it got, a login for
    /// instance. See [`mqtt::LoginFailure::Closed`](crate::mqtt::LoginFailure).
    ClosedUnanswered,
    /// The connection was lost: the modem reset, lost the network or the connection, or an exchange of payload broke the
    /// grammar, so that the order of the bytes is not certain. [`Socket::loss`](crate::Socket::loss) and
    /// [`Control::last_loss`](crate::Control::last_loss) have the reason.
    ConnectionReset,
    /// The peer sent a TLS record larger than the modem takes, see
    /// [`Capabilities::record_limit`](crate::Capabilities::record_limit): let the server send smaller messages or
    /// fragments, or use a firmware with a larger limit. If the modem does not report this, it is inferred when TLS
    /// fails while TCP stays up.
    RecordTooLarge,
    /// Pushed data was not read in time, and would have held up other sockets: read faster, give the socket a larger
    /// ring, or configure the modem to have data fetched.
    RxOverrun,
}

impl fmt::Display for SocketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Alert => {
                "the peer ended TLS with an alert: it may want a client certificate, or refuse this one, and its log tells why"
            }
            Self::BrokenPipe => "the peer closed the connection: its log tells why",
            Self::ClosedUnanswered => {
                "the peer closed the connection without an answer: check what was sent first, such as a login"
            }
            Self::ConnectionReset => "the connection was lost: connect again",
            Self::RecordTooLarge => {
                "the peer sent a TLS record larger than the modem takes: let it send smaller messages, or use a firmware of the modem with a larger limit"
            }
            Self::RxOverrun => {
                "pushed data was not read in time, so the connection was given up: read faster or use a larger ring"
            }
        })
    }
}

impl SocketError {
    /// Returns whether the peer closed the connection, as opposed to a fault.
    pub const fn is_closed_by_peer(self) -> bool {
        matches!(self, Self::BrokenPipe | Self::ClosedUnanswered)
    }
}

impl core::error::Error for SocketError {}

impl embedded_io::Error for SocketError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Alert => ErrorKind::ConnectionAborted,
            Self::BrokenPipe | Self::ClosedUnanswered => ErrorKind::BrokenPipe,
            Self::ConnectionReset => ErrorKind::ConnectionReset,
            Self::RecordTooLarge | Self::RxOverrun => ErrorKind::OutOfMemory,
        }
    }
}
