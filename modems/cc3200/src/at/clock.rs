//! The chip's date.

use sectag::at::{Done, Fields, answer, decimal};
use sectag::clock::DateTime;
use sectag::modem::{HasClock, Out};
use sectag::{At, AtError};

use super::Cc32xx;
use super::files::Ask;

/// A date as it was set, and when: the module loses it with its power.
#[derive(Clone, Copy, Debug)]
pub(super) struct Date {
    set: Option<(u64, u32)>,
}

impl Date {
    pub(super) const UNKNOWN: Self = Self { set: None };

    /// What it is now. What was set more than 24 days ago is not known any more: the time wraps.
    pub(super) fn at(&self, now: u32) -> Option<DateTime> {
        let (seconds, then) = self.set?;
        let passed = now.wrapping_sub(then);
        if passed >= 1 << 31 {
            return None;
        }
        DateTime::from_unix(seconds + u64::from(passed / 1000))
    }

    /// As the command has it.
    pub(super) fn write(&self, now: u32, out: &mut Out<'_>) {
        if let Some(date) = self.at(now) {
            write(date, out);
        }
    }
}

/// Hour, minute, second, day, month, year, without leading zeros, which would make them octal (sheet 1.2).
fn write(date: DateTime, out: &mut Out<'_>) {
    // "yy/MM/dd,hh:mm:ss+zz".
    let text = date.to_cclk();
    let two = |at: usize| u32::from(text[at] - b'0') * 10 + u32::from(text[at + 1] - b'0');
    let fields = [two(9), two(12), two(15), two(6), two(3), 2000 + two(0)];
    for (index, field) in fields.into_iter().enumerate() {
        if index > 0 {
            out.byte(b',');
        }
        out.int(field);
    }
}

/// `+get:<hour>,<minute>,<second>,<day>,<month>,<year>`; what is before this century is its beginning, and `None` is no
/// such answer.
pub(super) fn read(text: &[u8]) -> Option<DateTime> {
    let mut fields = Fields::new(answer(text, "+get:")?);
    let mut next = || fields.next().and_then(decimal);
    let [hour, minute, second, day, month, year] =
        [next()?, next()?, next()?, next()?, next()?, next()?];
    let small = |field| u8::try_from(field).unwrap_or(u8::MAX);
    let year = u16::try_from(year).unwrap_or(0);
    let date = DateTime::new(
        year,
        small(month),
        small(day),
        small(hour),
        small(minute),
        small(second),
    );
    date.or(DateTime::new(2000, 1, 1, 0, 0, 0))
}

impl HasClock for Cc32xx {
    async fn clock(at: &At<'_, Self>) -> Result<Option<DateTime>, AtError> {
        let mut found = None;
        let command = Ask::<3_000>::new(format_args!("+Get=general,time"));
        at.lines(&command, &mut |line| found = found.or(read(line)))
            .await?;
        let date = found.ok_or(AtError::Garbled)?;
        // What was never set.
        let set = DateTime::new(2001, 1, 1, 0, 0, 0);
        Ok(set.filter(|set| !date.is_before(*set)).map(|_| date))
    }

    async fn set_clock(at: &At<'_, Self>, now: DateTime) -> Result<(), AtError> {
        let mut room = [0; 32];
        let mut out = Out::new(&mut room);
        write(now, &mut out);
        let len = out.len();
        let text = core::str::from_utf8(room.get(..len).unwrap_or_default());
        let text = text.unwrap_or_default();
        let command = Ask::<3_000>::new(format_args!("+Set=general,time,{text}"));
        let _: Done = at.send(&command).await?;
        // Read back: dates of certificates are judged by it.
        let kept = Self::clock(at).await?.ok_or(AtError::Garbled)?;
        if kept.to_unix().abs_diff(now.to_unix()) > TOLERANCE {
            return Err(AtError::Garbled);
        }
        let set = (
            now.to_unix(),
            embassy_time::Instant::now().as_millis() as u32,
        );
        at.modem(|modem| modem.date = Date { set: Some(set) });
        Ok(())
    }
}

/// Seconds between setting and reading back.
const TOLERANCE: u64 = 10;

#[cfg(test)]
mod tests {
    use super::*;

    const EARLY: DateTime = match DateTime::new(2025, 11, 2, 7, 30, 5) {
        Some(date) => date,
        None => panic!("it is a date"),
    };

    #[test]
    fn dates_go_both_ways_without_leading_zeros() {
        let mut room = [0; 32];
        let mut out = Out::new(&mut room);
        write(EARLY, &mut out);
        let len = out.len();
        assert_eq!(&room[..len], b"7,30,5,2,11,2025");
        assert_eq!(read(b"+get:7,30,5,2,11,2025"), Some(EARLY));
        assert_eq!(
            read(b"+get:0,0,0,1,1,1970"),
            DateTime::new(2000, 1, 1, 0, 0, 0)
        );
        assert_eq!(read(b"+get:0,0"), None);
    }
}
