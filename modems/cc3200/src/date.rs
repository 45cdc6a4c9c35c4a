//! The date that the chip was given, and the form of dates in its commands.

use sectag::clock::DateTime;

/// A date that was set, with the time at which it was set, since the chip loses it with its power.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Date(Option<(u64, u32)>);

impl Date {
    pub(crate) const UNKNOWN: Self = Self(None);

    /// Returns a date that is set at the time `then`, in milliseconds.
    pub(crate) fn set(date: DateTime, then: u32) -> Self {
        Self(Some((date.to_unix(), then)))
    }

    /// Returns the date at the time `now`; `None` if it was set more than 24 days ago, since the time
    /// wraps.
    pub(crate) fn at(&self, now: u32) -> Option<DateTime> {
        let (seconds, then) = self.0?;
        let passed = now.wrapping_sub(then);
        if passed >= 1 << 31 {
            return None;
        }
        DateTime::from_unix(seconds + u64::from(passed / 1000))
    }
}

/// Returns second, minute, hour, day, month and year.
pub(crate) fn fields(date: DateTime) -> [u32; 6] {
    // "yy/MM/dd,hh:mm:ss+zz".
    let text = date.to_cclk();
    let two = |at: usize| u32::from(text[at] - b'0') * 10 + u32::from(text[at + 1] - b'0');
    [two(15), two(12), two(9), two(6), two(3), 2000 + two(0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: DateTime = match DateTime::new(2026, 3, 9, 12, 0, 5) {
        Some(date) => date,
        None => panic!("it is a date"),
    };

    #[test]
    fn a_date_goes_on_while_the_chip_is_off() {
        let date = Date::set(NOON, u32::MAX - 999);
        assert_eq!(fields(date.at(4000).unwrap())[0], 10);
        assert_eq!(date.at(u32::MAX - 2000), None);
    }
}
