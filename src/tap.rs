//! The tap: an observer of the UART for recordings, which gets every byte with its classification by the engine.

/// The classification of bytes to the modem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Sent {
    /// A part of a command line.
    Command,
    /// Filler that completes an exchange that was given up, or `+++`. It has no content of users.
    Filler,
    /// Payload of the socket with this number, from 0.
    Payload(u8),
    /// A part of a command line whose arguments are secret, such as a PIN.
    SecretCommand,
    /// A part of an upload: a credential.
    Upload,
}

/// The classification of bytes from the modem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Received {
    /// A part of a credential that is read back.
    Credential,
    /// A line with its line ends, or a prompt.
    Line,
    /// Bytes out of place, which may be a part of a payload or of a secret.
    Noise,
    /// Payload of the socket with this number, from 0.
    Payload(u8),
    /// The beginning of a line that is not complete. The next bytes bring its classification.
    Pending,
    /// A line of the answer to a command whose arguments are secret.
    SecretLine,
}

/// An observer of every byte on the UART. It gets secrets too, marked as such: mask them before they are stored.
///
/// Its methods are called from within the runner. They must not block, and must not call into the driver.
pub trait Tap {
    /// Called for bytes that the UART has sent.
    fn sent(&self, what: Sent, bytes: &[u8]);
    /// Called for bytes that have come, in order, cut anywhere.
    fn received(&self, what: Received, bytes: &[u8]);
    /// Called when a new connection begins on the socket with this number.
    fn opening(&self, socket: u8);
    /// Called before the bytes by which the modem says that it has restarted or goes down.
    fn restarted(&self);
}
