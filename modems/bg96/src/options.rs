//! The parts of the backend that a firmware can leave out by type.

/// The parts of the backend that a firmware has. A part that is not chosen is not linked, and its
/// setting in the configuration does not compile.
///
/// ```
/// use sectag_bg96::{Bg96, Config, Options};
///
/// /// A device with a SIM without a PIN, whose clock the network sets.
/// pub struct Plain;
///
/// impl Options for Plain {
///     const NTP: bool = false;
///     const PIN: bool = false;
/// }
///
/// const MODEM: Bg96<Plain> = Bg96::new(Config::choosing());
/// ```
pub trait Options: 'static {
    /// Guests on the channel: the application's own commands and the handles' methods for credentials,
    /// status, signal and clock. Without it there are sockets only, and calls of the others do not
    /// compile.
    const COMMANDS: bool = true;
    /// Discovery at each start of the TLS keys that relatives of the BG96 have beyond its first manual,
    /// and of their cipher suites. Without it the manual's suites are assumed, and each connection
    /// finds out about the keys.
    const DISCOVERY: bool = true;
    /// Remedies after several failures in a row: a new data connection, then a restart of the modem.
    /// Without it the application has to notice a modem that does not recover by itself.
    const ESCALATION: bool = true;
    /// Ways out of modes that another host has left on: the multiplexer (`AT+CMUX`), results as numbers or none (`ATV0`,
    /// `ATQ1` in a stored profile), another speed (`AT+IPR`; with [`AnySpeed`](sectag::AnySpeed)). Without it a modem in
    /// such a mode does not answer bring-up.
    const MODES: bool = true;
    /// The setting [`Config::ntp`](crate::Config::ntp).
    const NTP: bool = true;
    /// The setting [`Config::pin`](crate::Config::pin).
    const PIN: bool = true;
    /// Use of the power key, reset and status pins. Without it bring-up needs a modem that answers
    /// already.
    const PINS: bool = true;
    /// The setting [`Config::direct_push`](crate::Config::direct_push).
    const PUSH: bool = true;
}

/// All parts. This is the default.
pub struct All;

impl Options for All {}

/// The smallest backend: no part that can be left out.
pub struct Least;

impl Options for Least {
    const COMMANDS: bool = false;
    const DISCOVERY: bool = false;
    const ESCALATION: bool = false;
    const MODES: bool = false;
    const NTP: bool = false;
    const PIN: bool = false;
    const PINS: bool = false;
    const PUSH: bool = false;
}
