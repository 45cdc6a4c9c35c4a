//! A clock for boards that have none: set once, then it runs on embassy-time.

use core::cell::Cell;

use embassy_time::Instant;
use sectag::TimeSource;
use sectag::clock::DateTime;

use super::credentials::{Clock, Time};

/// A time that was set, and runs on with the board's timer. Give `&clock` to [`new`](super::new), and set it when a time is known: before
/// that every connection is refused as [`ClockNotSet`](sectag::ConnectError::ClockNotSet).
#[derive(Default)]
pub struct RunningClock(Cell<Option<(u64, Instant, TimeSource)>>);

impl RunningClock {
    /// Not set.
    pub const fn new() -> Self {
        Self(Cell::new(None))
    }

    /// Sets it to this time, which is now.
    pub fn set(&self, time: Time) {
        let unix = time.now.to_unix();
        self.0.set(Some((unix, Instant::now(), time.source)));
    }
}

impl Clock for &RunningClock {
    fn time(&self) -> Option<Time> {
        let (unix, since, source) = self.0.get()?;
        let now = DateTime::from_unix(unix + since.elapsed().as_secs())?;
        Some(Time { now, source })
    }
}
