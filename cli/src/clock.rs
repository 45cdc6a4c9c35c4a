//! The tool's time limits, all of them by the driver's clock: tests slow it down, and nothing may overtake it.

use std::time::Duration;

use embassy_time::{TimeoutError, with_timeout};
use sectag_host_clock::HostClock;

#[cfg(not(test))]
sectag_host_clock::time_driver!();
// In tests: real time, and virtual time for the threads that ask for it.
#[cfg(test)]
sectag_simulator::virtual_clock!();

/// How many seconds a second lasts: for tests, whose modem is another process that a busy computer may hold up.
const FACTOR: &str = "SECTAG_CLOCK_FACTOR";

/// Slows the clock down if the environment wants it, before its first use.
pub(crate) fn set_up() {
    if let Ok(factor) = std::env::var(FACTOR)
        && let Ok(factor) = factor.parse()
    {
        // Nothing has used the clock before.
        HostClock::slow_down(factor);
    }
}

/// For tests that have a simulated modem in this process.
#[cfg(test)]
pub(crate) fn slow_down() {
    assert!(HostClock::slow_down(4), "the clock is in use");
}

/// Ends `work` after `limit`.
pub(crate) async fn timeout<T>(
    limit: Duration,
    work: impl Future<Output = T>,
) -> Result<T, TimeoutError> {
    with_timeout(to_embassy(limit), work).await
}

/// Converts a duration; one that embassy-time cannot hold becomes the longest that it can.
fn to_embassy(limit: Duration) -> embassy_time::Duration {
    embassy_time::Duration::from_micros(u64::try_from(limit.as_micros()).unwrap_or(u64::MAX))
}
