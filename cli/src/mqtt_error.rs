//! Why something over MQTT failed, before it is put into words.

use sectag::SocketError;

/// Why something over MQTT failed.
#[derive(Debug)]
pub(crate) enum Error {
    Transport(SocketError),
    /// The broker has ended the connection.
    Closed,
    /// The broker refused, with this reason code.
    Rejected(u8),
    /// What came is no MQTT, or against its rules.
    NotMqtt,
    /// The broker takes no packet of this length.
    TooLong,
    /// The broker has said at login that it does not have what was asked for.
    Unsupported,
    /// A ping was not answered until the next was due.
    Silent,
    Other(String),
}
