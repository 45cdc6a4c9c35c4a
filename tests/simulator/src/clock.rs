//! A clock that runs on `embassy_time`, so that virtual time moves it too.

use embassy_time::Instant;
use time::{Duration, OffsetDateTime};

/// UTC at an instant, from which the present follows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EmulatedClock {
    base: OffsetDateTime,
    since: Instant,
}

impl EmulatedClock {
    pub(crate) fn starting_at(base: OffsetDateTime) -> Self {
        Self {
            base,
            since: Instant::now(),
        }
    }

    pub(crate) fn now(&self) -> OffsetDateTime {
        let elapsed = Instant::now().saturating_duration_since(self.since);
        self.base + Duration::microseconds(elapsed.as_micros() as i64)
    }
}
