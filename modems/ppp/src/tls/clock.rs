//! A clock for boards without one: it is set once, and runs on embassy-time.

use core::cell::Cell;

use embassy_time::Instant;
use sectag::TimeSource;
use sectag::clock::DateTime;

use super::credentials::{Clock, Time};

/// A clock that is set to a time, and runs on with the board's timer. Give `&clock` to
/// [`new`](super::new), and set it when a time is known. Before that, every connection is refused with
/// [`ClockNotSet`](sectag::ConnectError::ClockNotSet).
#[derive(Default)]
pub struct RunningClock(Cell<Option<(u64, Instant, TimeSource)>>);

impl RunningClock {
    /// Returns a clock that is not set.
    pub const fn new() -> Self {
        Self(Cell::new(None))
    }

    /// Sets the clock to this time.
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
