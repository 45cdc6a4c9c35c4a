//! Civil time, in the forms that modems print and take.

use core::fmt;

/// The date before which a modem's clock counts as not set, because it cannot be before the firmware was made. It is
/// moved at each release.
pub const MIN_DATE: DateTime = DateTime {
    year: 2026,
    month: 11,
    day: 1,
    hour: 0,
    minute: 0,
    second: 0,
};

/// The number of years after [`MIN_DATE`] from which on a modem's clock counts as not set: no firmware runs for so long
/// without a release, and a wrong year would make every certificate look expired.
const PLAUSIBLE_YEARS: u16 = 30;

/// A date and time in UTC with a resolution of one second, in the years 2000 to 2099.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct DateTime {
    year: u16,
    month: u8,
    day: u8,
    hour: u8,
    minute: u8,
    second: u8,
}

impl DateTime {
    /// Makes a date and time; `None` where it does not exist, or the year is outside 2000 to 2099.
    pub const fn new(
        year: u16,
        month: u8,
        day: u8,
        hour: u8,
        minute: u8,
        second: u8,
    ) -> Option<Self> {
        let sound = year >= 2000
            && year <= 2099
            && month >= 1
            && month <= 12
            && day >= 1
            && day <= days_in(year, month)
            && hour < 24
            && minute < 60
            && second < 60;
        if sound {
            Some(Self {
                year,
                month,
                day,
                hour,
                minute,
                second,
            })
        } else {
            None
        }
    }

    /// Returns whether a clock that shows this time can be right: it is not before `min`, and its year is less than 30
    /// years after that of [`MIN_DATE`].
    pub const fn is_plausible(self, min: Self) -> bool {
        !self.is_before(min) && self.year < MIN_DATE.year + PLAUSIBLE_YEARS
    }

    /// Returns whether this time is before `other`. It is `<` for constants.
    pub const fn is_before(self, other: Self) -> bool {
        self.packed() < other.packed()
    }

    /// Returns a number that orders times.
    const fn packed(self) -> u64 {
        (self.year as u64) << 40
            | (self.month as u64) << 32
            | (self.day as u64) << 24
            | (self.hour as u64) << 16
            | (self.minute as u64) << 8
            | self.second as u64
    }

    /// Converts seconds since 1970-01-01T00:00:00Z; `None` outside the years 2000 to 2099.
    pub fn from_unix(seconds: u64) -> Option<Self> {
        // The last second of 2099 fits in 32 bits, and dividing 64 takes a library function.
        let seconds = u32::try_from(seconds).ok()?;
        Self::from_days(seconds / 86_400, seconds % 86_400)
    }

    /// Converts days since 1970-01-01, and seconds in the day.
    fn from_days(days: u32, in_day: u32) -> Option<Self> {
        let mut days = days.checked_sub(DAYS_TO_2000)?;
        let mut year = 2000;
        while days >= days_in_year(year) {
            days -= days_in_year(year);
            year += 1;
            if year > 2099 {
                return None;
            }
        }
        let mut month = 1;
        while days >= days_in(year, month).into() {
            days -= u32::from(days_in(year, month));
            month += 1;
        }
        Some(Self {
            year,
            month,
            day: days as u8 + 1,
            hour: (in_day / 3600) as u8,
            minute: (in_day / 60 % 60) as u8,
            second: (in_day % 60) as u8,
        })
    }

    /// Returns the seconds since 1970-01-01T00:00:00Z.
    pub fn to_unix(self) -> u64 {
        u64::from(self.seconds())
    }

    fn seconds(self) -> u32 {
        let mut days = DAYS_TO_2000 + u32::from(self.day) - 1;
        for year in 2000..self.year {
            days += days_in_year(year);
        }
        for month in 1..self.month {
            days += u32::from(days_in(self.year, month));
        }
        ((days * 24 + u32::from(self.hour)) * 60 + u32::from(self.minute)) * 60
            + u32::from(self.second)
    }

    /// Parses `yy/MM/dd,hh:mm:ss±zz` or with a four-digit year, as `+CCLK` and `+QNTP` print it: a
    /// local time with the zone in quarter hours after it. Without a zone it is taken as UTC.
    ///
    /// Two- and four-digit years are told apart by the first `/` (bg96 sheet, section 2). Anything
    /// else after the seconds, such as the daylight-saving digit of `+QLTS`, is ignored.
    pub fn parse_local(text: &str) -> Option<Self> {
        Self::parse_local_bytes(text.as_bytes())
    }

    /// Parses bytes as [`parse_local`](Self::parse_local) does. They need not be UTF-8.
    pub fn parse_local_bytes(text: &[u8]) -> Option<Self> {
        let text = text.strip_prefix(b"\"").unwrap_or(text);
        let (century, mut rest) = match text {
            // GPS time began in 1980, and an unset clock may start there.
            [b'8'..=u8::MAX, _, b'/', ..] => return None,
            [_, _, b'/', ..] => (20, text),
            // A year of four digits.
            [_, _, year @ ..] => (u16::from(two_digits(text)?), year),
            _ => return None,
        };
        let mut parts = [0; 6];
        for (index, part) in parts.iter_mut().enumerate() {
            if let Some(end) = b"//,::".get(index.wrapping_sub(1)) {
                let (first, behind) = rest.split_first()?;
                if first != end {
                    return None;
                }
                rest = behind;
            }
            *part = two_digits(rest)?;
            rest = rest.get(2..)?;
        }
        let [year, month, day, hour, minute, second] = parts;
        let year = century * 100 + u16::from(year);
        let local = Self::new(year, month, day, hour, minute, second)?;
        let [sign @ (b'+' | b'-'), zone @ ..] = rest else {
            return Some(local);
        };
        let quarters = i16::from(two_digits(zone)?);
        if quarters > 56 {
            return None;
        }
        local.later(if *sign == b'+' { -quarters } else { quarters })
    }

    /// Returns the time this many quarters of an hour later, at most a day.
    fn later(self, quarters: i16) -> Option<Self> {
        let (mut year, mut month, mut day) = (self.year, self.month, self.day);
        let mut minutes = i16::from(self.hour) * 60 + i16::from(self.minute) + quarters * 15;
        if minutes < 0 {
            minutes += MINUTES;
            day -= 1;
            if day == 0 {
                month -= 1;
                if month == 0 {
                    (year, month) = (year - 1, 12);
                }
                day = days_in(year, month);
            }
        } else if minutes >= MINUTES {
            minutes -= MINUTES;
            day += 1;
            if day > days_in(year, month) {
                (month, day) = (month + 1, 1);
                if month > 12 {
                    (year, month) = (year + 1, 1);
                }
            }
        }
        let (hour, minute) = ((minutes / 60) as u8, (minutes % 60) as u8);
        Self::new(year, month, day, hour, minute, self.second)
    }

    /// Writes `yy/MM/dd,hh:mm:ss+00`, the argument of `AT+CCLK`.
    pub fn to_cclk(self) -> [u8; 20] {
        let mut text = *b"00/00/00,00:00:00+00";
        let parts = [
            (self.year - 2000) as u8,
            self.month,
            self.day,
            self.hour,
            self.minute,
            self.second,
        ];
        for (index, part) in parts.into_iter().enumerate() {
            text[index * 3] = b'0' + part / 10;
            text[index * 3 + 1] = b'0' + part % 10;
        }
        text
    }
}

impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            year,
            month,
            day,
            hour,
            minute,
            second,
        } = self;
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"
        )
    }
}

const DAYS_TO_2000: u32 = 10_957;
/// The number of minutes in a day.
const MINUTES: i16 = 24 * 60;

const fn days_in(year: u16, month: u8) -> u8 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Returns the number of days in a year. The rule is short, since 2000 is a leap year and 2100 is out of range.
const fn days_in_year(year: u16) -> u32 {
    if year.is_multiple_of(4) { 366 } else { 365 }
}

/// Parses the two digits with which `text` begins.
#[inline(never)]
fn two_digits(text: &[u8]) -> Option<u8> {
    match text {
        [tens @ b'0'..=b'9', ones @ b'0'..=b'9', ..] => Some((tens - b'0') * 10 + (ones - b'0')),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utc(year: u16, month: u8, day: u8, hour: u8, minute: u8, second: u8) -> DateTime {
        DateTime::new(year, month, day, hour, minute, second).unwrap()
    }

    #[test]
    fn unix_time_round_trips() {
        for (unix, expected) in [
            (946_684_800, utc(2000, 1, 1, 0, 0, 0)),
            (951_782_399, utc(2000, 2, 28, 23, 59, 59)),
            (951_868_799, utc(2000, 2, 29, 23, 59, 59)),
            (1_795_132_800, utc(2026, 11, 20, 0, 0, 0)),
            (4_102_444_799, utc(2099, 12, 31, 23, 59, 59)),
        ] {
            assert_eq!(DateTime::from_unix(unix), Some(expected));
            assert_eq!(expected.to_unix(), unix);
        }
        assert_eq!(DateTime::from_unix(4_102_444_800), None);
        assert_eq!(DateTime::from_unix(0), None);
    }

    #[test]
    fn zone_is_in_quarter_hours_and_taken_off() {
        assert_eq!(
            DateTime::parse_local("26/08/06,12:40:04+32"),
            Some(utc(2026, 8, 6, 4, 40, 4))
        );
        assert_eq!(
            DateTime::parse_local("\"2026/07/18,16:32:18-20\""),
            Some(utc(2026, 7, 18, 21, 32, 18))
        );
        assert_eq!(
            DateTime::parse_local("2017/01/13,03:41:22+32,0"),
            Some(utc(2017, 1, 12, 19, 41, 22))
        );
        assert_eq!(
            DateTime::parse_local("08/01/04,00:19:43+00"),
            Some(utc(2008, 1, 4, 0, 19, 43))
        );
    }

    #[test]
    fn clock_of_another_age_is_not_plausible() {
        let min = utc(2026, 11, 20, 3, 4, 5);
        for (shown, plausible) in [
            (utc(2026, 11, 20, 3, 4, 4), false),
            (min, true),
            (utc(2026, 12, 1, 0, 0, 0), true),
            (utc(2055, 12, 31, 23, 59, 59), true),
            (utc(2056, 1, 1, 0, 0, 0), false),
            (utc(2099, 1, 1, 0, 0, 0), false),
        ] {
            assert_eq!(shown.is_plausible(min), plausible, "{shown:?}");
            assert_eq!(shown.is_before(min), shown < min);
        }
    }

    #[test]
    fn zones_are_taken_off_over_the_ends_of_day_year_and_range() {
        for (text, expected) in [
            ("26/12/31,23:50:00-01", Some(utc(2027, 1, 1, 0, 5, 0))),
            ("28/03/01,00:10:00+01", Some(utc(2028, 2, 29, 23, 55, 0))),
            ("26/06/01,13:00:00+56", Some(utc(2026, 5, 31, 23, 0, 0))),
            ("26/06/01,12:00:00-48", Some(utc(2026, 6, 2, 0, 0, 0))),
            // The zones of India and Nepal, and a daylight saving digit after the zone.
            ("2026/06/01,05:45:00+23,1", Some(utc(2026, 6, 1, 0, 0, 0))),
            ("2026/06/01,05:30:00+22", Some(utc(2026, 6, 1, 0, 0, 0))),
            // These are outside of the years that can be represented.
            ("2000/01/01,00:00:00+04", None),
            ("2099/12/31,23:59:59-04", None),
            ("2100/01/01,00:00:00+00", None),
        ] {
            assert_eq!(DateTime::parse_local(text), expected, "{text}");
        }
    }

    #[test]
    fn nonsense_is_no_date() {
        for bad in [
            "",
            "\"\"",
            "26/13/01,00:00:00+00",
            "26/02/29,00:00:00+00",
            "26/01/01,24:00:00+00",
            "26/01/01",
            "126/01/01,00:00:00",
            "26/01/01,00:00:00+99",
            "26/01/01,00:00:0ü+00",
        ] {
            assert_eq!(DateTime::parse_local(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn cclk_argument_is_utc_with_two_digit_year() {
        assert_eq!(
            &utc(2026, 11, 20, 3, 4, 5).to_cclk(),
            b"26/11/20,03:04:05+00"
        );
        assert!(utc(2026, 11, 20, 3, 4, 5) > MIN_DATE);
    }
}
