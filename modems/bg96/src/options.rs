//! What a firmware can do without, chosen by type.

/// Which parts of the backend a firmware has. What is not chosen is not linked, and asking for it in the
/// configuration is an error when the firmware is built.
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
    /// Commands of the application's own, and what is done by commands of the handles': credentials, status, signal,
    /// clock. Without, sockets are what there is; the rest does not compile.
    const COMMANDS: bool = true;
    /// The keys of TLS contexts that relatives of the BG96 have beyond its first manual are looked for at
    /// each start, and their cipher suites. Without, the manual's are taken for granted, and the rest is
    /// found out by each connection.
    const DISCOVERY: bool = true;
    /// Failures in a row are answered with a new data connection, and then with a restart of the modem.
    /// Without, what the modem does not get out of by itself is for the application to notice.
    const ESCALATION: bool = true;
    /// [`Config::ntp`](crate::Config::ntp).
    const NTP: bool = true;
    /// [`Config::pin`](crate::Config::pin).
    const PIN: bool = true;
    /// The power key, reset and status pins of the board are used. Without, only a modem that answers
    /// can be brought up.
    const PINS: bool = true;
    /// [`Config::direct_push`](crate::Config::direct_push).
    const PUSH: bool = true;
}

/// All parts; the default.
pub struct All;

impl Options for All {}

/// No part that can be left out.
pub struct Least;

impl Options for Least {
    const COMMANDS: bool = false;
    const DISCOVERY: bool = false;
    const ESCALATION: bool = false;
    const NTP: bool = false;
    const PIN: bool = false;
    const PINS: bool = false;
    const PUSH: bool = false;
}
