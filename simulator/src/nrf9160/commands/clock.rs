//! The commands of the clock (sheet 2a).

use time::OffsetDateTime;

use super::super::Nrf9160;
use super::{Lines, ModemOutcome};
use crate::clock::{EmulatedClock, read, show};
use crate::syntax::{Fail, Op};

/// The answer to `AT+CCLK?` while the modem does not know the time. A broken one always shows it.
const POWER_ON: &str = "15/02/01,00:00:00";
const BROKEN: &str = "80/01/06,00:20:00+36";

/// Returns a number as semi-octets: the tens are in the low nibble.
fn swapped(number: u8) -> u8 {
    ((number % 10) << 4) | (number / 10)
}

/// Returns a `%XTIME` notice (3GPP TS 24.008): the time is in UTC, and its last octet is the zone in
/// quarter hours, with bit 3 as minus.
pub(in super::super) fn network_time(utc: OffsetDateTime, zone: i8) -> String {
    let zone = swapped(zone.unsigned_abs()) | if zone < 0 { 0x08 } else { 0 };
    let fields = [
        utc.year().rem_euclid(100) as u8,
        utc.month().into(),
        utc.day(),
        utc.hour(),
        utc.minute(),
        utc.second(),
    ];
    let time: String = fields
        .iter()
        .map(|field| format!("{:02X}", swapped(*field)))
        .collect();
    format!("%XTIME: \"{zone:02X}\",\"{time}{zone:02X}\",\"01\"")
}

impl Nrf9160 {
    pub(super) fn clock(&self, name: &str, op: &Op, lines: &mut Lines) -> ModemOutcome {
        let zone = self.state.borrow().modem.zone;
        match (name, op) {
            ("%CCLK", Op::Read) => {
                let now = self.now().ok_or(Fail::Error)?;
                lines.push(format!("%CCLK: \"{}\",0", show(now, zone, false)));
            }
            ("+CCLK", Op::Read) => {
                let shown = match self.now() {
                    _ if self.options.broken_cclk => BROKEN.to_owned(),
                    Some(now) => show(now, zone, false),
                    None => POWER_ON.to_owned(),
                };
                lines.push(format!("+CCLK: \"{shown}\""));
            }
            ("%CCLK" | "+CCLK", Op::Set(args)) => {
                args.count(1, if name == "%CCLK" { 2 } else { 1 })?;
                let (utc, zone) = read(args.string(0)?).ok_or(Fail::Error)?;
                args.number_or(1, 0..=2, 0)?;
                let mut state = self.state.borrow_mut();
                state.modem.clock = Some(EmulatedClock::starting_at(utc));
                state.modem.zone = zone;
            }
            _ => return Err(Fail::Unknown),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use time::{Date, Month, Time};

    use super::*;

    fn utc(year: i32, month: Month, day: u8, time: (u8, u8, u8)) -> OffsetDateTime {
        OffsetDateTime::new_utc(
            Date::from_calendar_date(year, month, day).unwrap(),
            Time::from_hms(time.0, time.1, time.2).unwrap(),
        )
    }

    /// Both vectors of sheet 2a. The first has a minus zero, which no network needs to send.
    #[test]
    fn semi_octets() {
        let first = network_time(utc(2018, Month::January, 29, (15, 17, 24)), 0);
        assert_eq!(first, "%XTIME: \"00\",\"81109251714200\",\"01\"");
        let second = network_time(utc(2026, Month::January, 8, (1, 45, 3)), 4);
        assert_eq!(second, "%XTIME: \"40\",\"62108010543040\",\"01\"");
        assert!(
            network_time(utc(2026, Month::January, 8, (1, 45, 3)), -12)
                .starts_with("%XTIME: \"29\"")
        );
    }
}
