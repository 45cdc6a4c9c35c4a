//! Watching the UART, for recordings: every byte with what it is, which only the engine knows.

/// What bytes to the modem are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Sent {
    /// Of a command line.
    Command,
    /// What completes an exchange that was given up: no content of anybody's.
    Filler,
    /// Payload of the socket with this number, from 0.
    Payload(u8),
    /// Of a command line whose arguments are secret, such as a PIN.
    SecretCommand,
    /// A credential.
    Upload,
}

/// What bytes from the modem are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Received {
    /// A credential that is read back.
    Credential,
    /// A line with its line ends, or a prompt.
    Line,
    /// Out of place: perhaps a part of a payload or a secret that was not counted as such.
    Noise,
    /// Payload of the socket with this number, from 0.
    Payload(u8),
    /// Of a line that is not complete: what they are is told with the next bytes.
    Pending,
    /// A line of the answer to a command whose arguments are secret.
    SecretLine,
}

/// Sees every byte on the UART. It gets secrets too, marked as such: mask them before they are stored.
///
/// Called from within the runner; must not block and must not call into the driver.
pub trait Tap {
    /// These bytes are on the UART.
    fn sent(&self, what: Sent, bytes: &[u8]);
    /// These bytes came, in order, however they were cut.
    fn received(&self, what: Received, bytes: &[u8]);
    /// The socket with this number begins a new life, with a new connection.
    fn opening(&self, socket: u8);
    /// The next bytes say that the modem restarted or goes down.
    fn restarted(&self);
}
