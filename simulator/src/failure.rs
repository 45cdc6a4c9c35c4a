//! Ways in which a unit fails by itself, and when.

/// A fault of the modem. In every case its unsent output is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It resets; the banner comes after [`Options::reset_time`](crate::Options::reset_time).
    Reset,
    /// It resets, and says `POWERED DOWN` first.
    PoweredDown,
    /// The supply dips: it starts anew with its default settings, and nothing at all says so.
    BrownOut,
    /// It neither listens nor speaks any more, until it is switched off by its power key, or reset.
    Hang,
    /// It goes to PSM: says so, and is off until its power key is pressed (BG96); or its core sleeps, and its
    /// application, AT interface and sockets stay (nRF9160).
    PowerSaving,
}

/// When it does, in bytes on its UART from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// It has received this many more.
    Received(u64),
    /// It has sent this many more.
    Sent(u64),
}
