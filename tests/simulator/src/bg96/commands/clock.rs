//! The clock, sheet section 2.

use embassy_time::{Duration, Timer};
use time::{Date, Month, OffsetDateTime, Time};

use super::super::Bg96;
use super::super::parser::{Args, Fail, Op};
use super::{OK, Outcome, Reply, UNKNOWN};
use crate::clock::EmulatedClock;

/// How long a time server takes that answers, and one that does not.
const NTP_ANSWER: Duration = Duration::from_millis(800);
const NTP_SILENCE: Duration = Duration::from_secs(75);

/// The moment as `AT+CCLK` or the long forms show it: local time, then the zone in quarter hours.
fn show(utc: OffsetDateTime, zone: i8, long_year: bool) -> String {
    let local = utc + time::Duration::minutes(i64::from(zone) * 15);
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

fn show_zone(zone: i8) -> String {
    format!(
        "{}{:02}",
        if zone < 0 { '-' } else { '+' },
        zone.unsigned_abs()
    )
}

/// `yy/MM/dd,hh:mm:ss+zz`, each field with its two digits.
fn read(text: &str) -> Option<(OffsetDateTime, i8)> {
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
    // Two digits: GPS starts in 1980.
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
        OffsetDateTime::new_utc(date, time) - time::Duration::minutes(i64::from(zone) * 15),
        zone,
    ))
}

impl Bg96 {
    pub(super) fn clock(&self, name: &str, op: &Op, reply: &mut Reply) -> Outcome {
        let mut state = self.state.borrow_mut();
        match (name, op) {
            ("CCLK", Op::Read) => reply.line(format!(
                "+CCLK: \"{}\"",
                show(state.clock.now(), state.zone, false)
            )),
            ("CCLK", Op::Set(args)) => {
                args.count(1, 1)?;
                let (utc, zone) = read(args.string(0)?).ok_or(Fail::Error)?;
                state.clock = EmulatedClock::starting_at(utc);
                state.zone = zone;
            }
            ("CTZU", Op::Read) => reply.line(format!("+CTZU: {}", state.nv.auto_zone)),
            ("CTZU", Op::Set(args)) => {
                args.count(1, 1)?;
                state.nv.auto_zone = args.byte(0, 0, 1)?;
            }
            ("CTZR", Op::Read) => reply.line(format!("+CTZR: {}", state.nv.zone_reports)),
            ("CTZR", Op::Set(args)) => {
                args.count(1, 1)?;
                state.nv.zone_reports = args.byte(0, 0, 2)?;
            }
            ("QLTS", Op::Execute | Op::Set(_)) => {
                let mode = match op {
                    Op::Set(args) => {
                        args.count(1, 1)?;
                        args.byte(0, 0, 2)?
                    }
                    _ => 0,
                };
                let network = state.network_clock.filter(|_| state.registered);
                let shown = network.map_or(String::new(), |clock| {
                    let zone = self.options.network_zone;
                    // The time field is local except in mode 1; the DST digit is inside the quotes.
                    let (field, shift) = if mode == 1 { (0, zone) } else { (zone, zone) };
                    let text = show(clock.now(), field, true);
                    format!("{}{},0", &text[..text.len() - 3], show_zone(shift))
                });
                reply.line(format!("+QLTS: \"{shown}\""));
            }
            ("QLTS", Op::Test) => reply.line("+QLTS: (0-2)"),
            ("QNTP", Op::Read) => {
                if let Some((server, port)) = &state.ntp {
                    reply.line(format!("+QNTP: \"{server}\",{port}"));
                }
            }
            ("QNTP", Op::Set(args)) => {
                drop(state);
                return self.ntp(args);
            }
            _ => return UNKNOWN,
        }
        OK
    }

    fn ntp(&self, args: &Args) -> Outcome {
        args.count(2, 4)?;
        let context = args.byte(0, 1, 16)?;
        let server = args.string(1)?.to_owned();
        let port = args.number_or(2, 1, 65535, 123)?;
        // Which default the firmware has is not documented; 1 is what its manual's example behaves like.
        let sets_clock = args.number_or(3, 0, 1, 1)? == 1;
        let network = {
            let mut state = self.state.borrow_mut();
            if !state.active(context) {
                return Err(Fail::Tcp(561));
            }
            if state.ntp.is_some() {
                return Err(Fail::Tcp(568));
            }
            state.ntp = Some((server, port));
            state.network_clock
        };
        let Some(modem) = self.me.upgrade() else {
            return OK;
        };
        let epoch = self.boots.get();
        self.core.spawn(async move {
            Timer::after(if network.is_some() {
                NTP_ANSWER
            } else {
                NTP_SILENCE
            })
            .await;
            if modem.boots.get() != epoch {
                return;
            }
            let result = {
                let mut state = modem.state.borrow_mut();
                state.ntp = None;
                match network {
                    Some(network) => {
                        if sets_clock && modem.options.profile.ntp_sets_clock {
                            state.clock = network;
                        }
                        // TRAP, sheet section 2: the time is UTC although it carries a zone.
                        let zone = state.zone;
                        let field = if modem.options.profile.ntp_time_is_utc {
                            0
                        } else {
                            zone
                        };
                        let long = modem.options.profile.ntp_long_year;
                        let text = show(network.now(), field, long);
                        format!(
                            "+QNTP: 0,\"{}{}\"",
                            &text[..text.len() - 3],
                            show_zone(zone)
                        )
                    }
                    None => "+QNTP: 569,\"\"".to_owned(),
                }
            };
            modem.urc(&result);
        });
        OK
    }
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
