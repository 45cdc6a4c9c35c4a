//! Time as the engine has it: milliseconds that wrap after 49 days. What is compared is never 24 days
//! apart.

use embassy_time::Instant;

/// Milliseconds, wrapping.
pub(crate) type Ms = u32;

/// The longest time that anything waits for: longer ones are looked at again on the way.
pub(crate) const LONGEST: Ms = 1 << 30;

/// `now` and a time span, the latter cut to [`LONGEST`].
pub(crate) const fn after(now: Ms, span: Ms) -> Ms {
    now.wrapping_add(if span < LONGEST { span } else { LONGEST })
}

/// Whether `at` has come.
pub(crate) const fn past(now: Ms, at: Ms) -> bool {
    now.wrapping_sub(at) as i32 >= 0
}

/// The one of two times that comes first.
#[inline(never)] // It is used in many places.
pub(crate) const fn sooner(now: Ms, a: Ms, b: Ms) -> Ms {
    if (a.wrapping_sub(now) as i32) < (b.wrapping_sub(now) as i32) {
        a
    } else {
        b
    }
}

/// A duration in milliseconds, rounded up, cut to [`LONGEST`].
pub(crate) fn millis(duration: embassy_time::Duration) -> Ms {
    let span = duration.as_micros().div_ceil(1000);
    if span < LONGEST.into() {
        span as Ms
    } else {
        LONGEST
    }
}

/// The time for the engine, wrapping.
pub(crate) fn now() -> Ms {
    #[cfg(test)]
    if let Some(now) = test_clock::get() {
        return now;
    }
    Instant::now().as_millis() as Ms
}

/// The time of a test that has no executor.
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

    /// In this thread it is `now`, until it is set again.
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
