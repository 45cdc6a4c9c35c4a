//! A clock that runs on `embassy_time`, and therefore also in virtual time.

use embassy_time::Instant;
use time::{Date, Duration, Month, OffsetDateTime, Time};

/// A date and time in UTC at a known instant, from which the current time follows.
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

/// Formats a time as `AT+CCLK` or the long forms show it: local time, then the zone in quarter hours.
pub(crate) fn show(utc: OffsetDateTime, zone: i8, long_year: bool) -> String {
    let local = utc + Duration::minutes(i64::from(zone) * 15);
    let year = if long_year {
        format!("{:04}", local.year())
    } else {
        format!("{:02}", local.year().rem_euclid(100))
    };
    format!(
        "{year}/{:02}/{:02},{:02}:{:02}:{:02}{}",
        u8::from(local.month()),
        local.day(),
        local.hour(),
        local.minute(),
        local.second(),
        show_zone(zone)
    )
}

pub(crate) fn show_zone(zone: i8) -> String {
    format!(
        "{}{:02}",
        if zone < 0 { '-' } else { '+' },
        zone.unsigned_abs()
    )
}

/// Reads `yy/MM/dd,hh:mm:ss+zz`, each field with two digits.
pub(crate) fn read(text: &str) -> Option<(OffsetDateTime, i8)> {
    let bytes = text.as_bytes();
    if bytes.len() != 20 {
        return None;
    }
    let separators = [(2, b'/'), (5, b'/'), (8, b','), (11, b':'), (14, b':')];
    if separators
        .iter()
        .any(|(index, separator)| bytes[*index] != *separator)
    {
        return None;
    }
    let number = |from: usize| -> Option<u8> {
        let digits = &bytes[from..from + 2];
        digits
            .iter()
            .all(u8::is_ascii_digit)
            .then(|| (digits[0] - b'0') * 10 + digits[1] - b'0')
    };
    let year = i32::from(number(0)?);
    // Two digits of the year: 80 and more are of the last century, since GPS time starts in 1980.
    let year = if year >= 80 { 1900 + year } else { 2000 + year };
    let date =
        Date::from_calendar_date(year, Month::try_from(number(3)?).ok()?, number(6)?).ok()?;
    let time = Time::from_hms(number(9)?, number(12)?, number(15)?).ok()?;
    let zone = match bytes[17] {
        b'+' => number(18)? as i8,
        b'-' => -(number(18)? as i8),
        _ => return None,
    };
    if !(-48..=56).contains(&zone) {
        return None;
    }
    Some((
        OffsetDateTime::new_utc(date, time) - Duration::minutes(i64::from(zone) * 15),
        zone,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_are_quarter_hours_and_the_time_is_local() {
        let (utc, zone) = read("26/08/06,20:40:17+32").unwrap();
        assert_eq!(zone, 32);
        assert_eq!((utc.year(), utc.hour(), utc.minute()), (2026, 12, 40));
        assert_eq!(show(utc, zone, false), "26/08/06,20:40:17+32");
        assert_eq!(show(utc, -20, true), "2026/08/06,07:40:17-20");
    }

    #[test]
    fn malformed_times_are_refused() {
        for text in [
            "2026/08/06,20:40:17+32",
            "26/13/06,20:40:17+32",
            "26/08/06,20:40:17",
            "26/08/06,20:40:17+57",
            "",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
