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

    /// Notes that this time has come. Call it at least every 24 days, since the time wraps: a date that was not kept up
    /// so is forgotten, or is wrong after 50 days.
    pub(crate) fn keep_up(&mut self, now: u32) {
        *self = match (self.0, self.at(now)) {
            (Some((_, then)), Some(date)) => {
                let rest = now.wrapping_sub(then) % 1000;
                Self::set(date, now.wrapping_sub(rest))
            }
            _ => Self::UNKNOWN,
        };
    }

    /// Returns the date at the time `now`; `None` where it was not kept up for more than 24 days.
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

    /// The time of the driver wraps after 50 days, in the middle of a year on.
    #[test]
    fn a_date_that_is_kept_up_goes_on_for_a_year() {
        let mut date = Date::set(NOON, 500);
        let day: u64 = 86_400_000;
        for days in 1..=365 {
            date.keep_up((500 + days * day + 999) as u32);
        }
        let now = (500 + 365 * day) as u32;
        let year = DateTime::new(2027, 3, 9, 12, 0, 5).unwrap();
        assert_eq!(date.at(now.wrapping_add(999)), Some(year));
        date.keep_up(now.wrapping_add(1 << 31));
        assert_eq!(date.at(now), None);
    }
}
