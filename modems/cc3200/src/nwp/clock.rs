//! The chip's date and version, as its answers have them.

use sectag::clock::DateTime;
use sectag::modem::HasClock;
use sectag::{At, AtError, Code, Meaning};

use super::Nwp;
use super::command;
use super::engine::Engine;
use super::generation::Generation;
use super::opcode::{DEVICE_GET, DEVICE_SET};
use crate::date::{Date, fields};

/// The offset of the value in the answer to a device get.
const VALUE: usize = 8;

/// Returns the date in the answer to a device get; a date of the year 2000 where there is none.
pub(super) fn read(answer: &[u8]) -> DateTime {
    let field = |index: usize| {
        let at = VALUE + 4 * index;
        let bytes = answer.get(at..at + 4);
        bytes.map_or(0, |b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]))
    };
    let small = |index: usize| u8::try_from(field(index)).unwrap_or(u8::MAX);
    let year = u16::try_from(field(5)).unwrap_or(0);
    DateTime::new(year, small(4), small(3), small(2), small(1), small(0)).unwrap_or(LONG_AGO)
}

const LONG_AGO: DateTime = match DateTime::new(2000, 1, 1, 0, 0, 0) {
    Some(date) => date,
    None => panic!("it is a date"),
};

/// Returns the version of the network processor's firmware, in four numbers (sheet 3.5).
pub(super) fn version(answer: &[u8]) -> [u8; 4] {
    let Some(value) = answer.get(VALUE..) else {
        return [0; 4];
    };
    // Chip, firmware and PHY stand before it. In the first generation each number has four bytes.
    let (from, step) = if value.len() >= 44 { (24, 4) } else { (12, 1) };
    core::array::from_fn(|index| value.get(from + step * index).copied().unwrap_or(0))
}

impl<G: Generation> HasClock for Nwp<G> {
    async fn clock(at: &At<'_, Self>) -> Result<Option<DateTime>, AtError> {
        let date = at
            .conduct(
                &mut |engine: &mut Engine<G>, w| {
                    engine.begin_guest(w, DEVICE_GET, 0, &mut |out| {
                        command::device_get(out, 1, 11, 44);
                    })
                },
                |engine| read(engine.answer()),
            )
            .await?;
        Ok((date != LONG_AGO).then_some(date))
    }

    async fn set_clock(at: &At<'_, Self>, now: DateTime) -> Result<(), AtError> {
        let code = at
            .conduct(
                &mut |engine: &mut Engine<G>, w| {
                    engine.modem.date = Date::set(now, w.now);
                    engine.begin_guest(w, DEVICE_SET, 0, &mut |out| {
                        command::set_date(out, fields(now));
                    })
                },
                |engine| match *engine.answer() {
                    [low, high, ..] => i16::from_le_bytes([low, high]),
                    _ => -1,
                },
            )
            .await?;
        if code < 0 {
            return Err(AtError::Refused(Code::Signed(
                code,
                Meaning::new("set date"),
            )));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: DateTime = match DateTime::new(2025, 11, 2, 7, 30, 5) {
        Some(date) => date,
        None => panic!("it is a date"),
    };

    #[test]
    fn dates_go_both_ways() {
        assert_eq!(fields(NOON), [5, 30, 7, 2, 11, 2025]);
        let mut answer = [0; VALUE + 44];
        for (at, field) in fields(NOON).into_iter().enumerate() {
            answer[VALUE + 4 * at..][..4].copy_from_slice(&field.to_le_bytes());
        }
        assert_eq!(read(&answer), NOON);
        assert_eq!(read(&[0; 52]), LONG_AGO);
        assert_eq!(read(&[]), LONG_AGO);
    }

    #[test]
    fn versions_are_read_in_both_forms() {
        let mut second = [0; VALUE + 20];
        second[VALUE + 12..][..4].copy_from_slice(&[4, 13, 0, 2]);
        assert_eq!(version(&second), [4, 13, 0, 2]);
        let mut first = [0; VALUE + 44];
        for (at, number) in [2, 11, 0, 1].into_iter().enumerate() {
            first[VALUE + 24 + 4 * at] = number;
        }
        assert_eq!(version(&first), [2, 11, 0, 1]);
    }
}
