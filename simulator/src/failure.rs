//! The failures of a simulated unit.

/// A failure of the modem. In every case its unsent output is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// A reset; the banner comes after [`Options::reset_time`](crate::Options::reset_time).
    Reset,
    /// A reset that is announced by `POWERED DOWN`.
    PoweredDown,
    /// A dip of the supply: the modem restarts with its default settings, and nothing reports it.
    BrownOut,
    /// A hang: the modem neither listens nor sends until it is switched off by its power key, or reset.
    Hang,
    /// PSM: the modem announces it and is off until its power key is pressed (BG96); or its core sleeps
    /// while its application, AT interface and sockets stay (nRF9160).
    PowerSaving,
}

/// The time of a failure, in bytes on the modem's UART from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// The modem has received this many more bytes.
    Received(u64),
    /// The modem has sent this many more bytes.
    Sent(u64),
}
