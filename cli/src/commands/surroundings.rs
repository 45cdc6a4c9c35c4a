//! What is around a simulated modem.

use embassy_time::Duration;
use sectag_simulator::Sim;

/// What is around the modem.
pub(super) struct Surroundings {
    /// The network tells the time.
    pub(super) time: bool,
    /// There is a network.
    pub(super) coverage: bool,
    pub(super) sim: Sim,
    /// What the network answers instead of a data connection.
    pub(super) pdp_refusal: Option<u16>,
    /// The modem checks dates, where the firmware decides that.
    pub(super) checks_dates: bool,
}

impl Surroundings {
    /// Without a network, none is found within anybody's patience.
    pub(super) fn registration_delay(&self) -> Duration {
        Duration::from_secs(if self.coverage { 0 } else { 1_000_000 })
    }
}

impl Default for Surroundings {
    fn default() -> Self {
        Self {
            time: true,
            coverage: true,
            sim: Sim::Ready,
            pdp_refusal: None,
            checks_dates: false,
        }
    }
}
