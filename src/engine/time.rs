//! The engine's time: milliseconds that wrap after 49 days. Times that are compared are always less than 24 days apart.

use embassy_time::Instant;

/// A time or a time span in milliseconds. Times wrap.
pub(crate) type Ms = u32;

/// The longest time span, 12 days. A longer wait is checked again after this span.
pub(crate) const LONGEST: Ms = 1 << 30;

/// Returns `now` plus a time span, the span cut to [`LONGEST`].
pub(crate) const fn after(now: Ms, span: Ms) -> Ms {
    now.wrapping_add(if span < LONGEST { span } else { LONGEST })
}

/// Returns whether the time `at` has come.
pub(crate) const fn past(now: Ms, at: Ms) -> bool {
    now.wrapping_sub(at) as i32 >= 0
}

/// Returns the earlier of two times.
#[inline(never)] // It is used in many places.
pub(crate) const fn sooner(now: Ms, a: Ms, b: Ms) -> Ms {
    if (a.wrapping_sub(now) as i32) < (b.wrapping_sub(now) as i32) {
        a
    } else {
        b
    }
}

/// Converts a duration to milliseconds, rounded up and cut to [`LONGEST`].
pub(crate) fn millis(duration: embassy_time::Duration) -> Ms {
    let span = duration.as_micros().div_ceil(1000);
    if span < LONGEST.into() {
        span as Ms
    } else {
        LONGEST
    }
}

/// Returns the current time, wrapping.
pub(crate) fn now() -> Ms {
    #[cfg(test)]
    if let Some(now) = test_clock::get() {
        return now;
    }
    Instant::now().as_millis() as Ms
}

/// The clock of a test that has no executor.
#[cfg(test)]
pub(crate) mod test_clock {
    extern crate std;

    use core::cell::Cell;

    use super::Ms;

    std::thread_local! {
        static NOW: Cell<Option<Ms>> = const { Cell::new(None) };
    }

    pub(super) fn get() -> Option<Ms> {
        NOW.get()
    }

    /// Sets the time of this thread to `now`, until it is set again.
    pub(crate) fn set(now: Ms) {
        NOW.set(Some(now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_compared_across_the_wrap() {
        let now = u32::MAX - 5;
        assert!(past(now, now) && past(now, now - 1) && !past(now, now.wrapping_add(10)));
        assert_eq!(sooner(now, 3, u32::MAX), u32::MAX);
        assert_eq!(sooner(now, now - 7, 3), now - 7);
        assert_eq!(after(now, u32::MAX), now.wrapping_add(LONGEST));
    }
}
