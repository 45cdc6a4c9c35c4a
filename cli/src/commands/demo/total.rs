//! What a run of the demo took in all.

use sectag::Counters;

/// What it took in all.
pub(super) struct Total {
    pub(super) counters: Counters,
    /// Of a driver with TLS in the modem.
    pub(super) memory: Option<Memories>,
    /// The modem checks the server's name.
    pub(super) checks_name: bool,
    /// It can neither be told which cipher suites to use nor tell which one it uses.
    pub(super) hides_suites: bool,
    /// Its exchanges are of AT.
    pub(super) speaks_at: bool,
}

pub(super) struct Memories {
    /// Bytes of the driver's state, and of these its rings.
    pub(super) state: usize,
    pub(super) rings: usize,
}
