//! The date of the chip: reading it and setting it.

use sectag::at::{Done, Fields, answer, decimal};
use sectag::clock::DateTime;
use sectag::modem::{HasClock, Out};
use sectag::{At, AtError};

use super::Cc32xx;
use super::credentials::Ask;
use super::dialect::write_date;
use crate::date::Date;

/// Reads `+get:<hour>,<minute>,<second>,<day>,<month>,<year>`; `None` for another answer. A date that
/// does not exist, or that `DateTime` does not hold, becomes the beginning of 2000.
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
        // A date before 2001 was never set.
        let set = DateTime::new(2001, 1, 1, 0, 0, 0);
        Ok(set.filter(|set| !date.is_before(*set)).map(|_| date))
    }

    async fn set_clock(at: &At<'_, Self>, now: DateTime) -> Result<(), AtError> {
        let mut room = [0; 32];
        let mut out = Out::new(&mut room);
        write_date(now, &mut out);
        let len = out.len();
        let text = core::str::from_utf8(room.get(..len).unwrap_or_default());
        let text = text.unwrap_or_default();
        let command = Ask::<3_000>::new(format_args!("+Set=general,time,{text}"));
        let _: Done = at.send(&command).await?;
        // The date is read back, since the chip judges certificates by it.
        let kept = Self::clock(at).await?.ok_or(AtError::Garbled)?;
        if kept.to_unix().abs_diff(now.to_unix()) > TOLERANCE {
            return Err(AtError::Garbled);
        }
        let then = embassy_time::Instant::now().as_millis() as u32;
        at.modem(|modem| modem.date = Date::set(now, then));
        Ok(())
    }
}

/// The allowed difference between the date that was set and the one read back, in seconds.
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
        write_date(EARLY, &mut out);
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
