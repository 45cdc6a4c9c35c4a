//! The modem's clock, by which certificates are judged (sheet 2): reading it and setting it.

use sectag::at::{Fields, answer};
use sectag::clock::{DateTime, MIN_DATE};
use sectag::modem::{HasClock, Then, World, ask, decide, either_way};
use sectag::{At, AtError, BringUpError, ConnectError};

use crate::{Bg96, CLOCK, CONTEXT, NTP, Options, SET_CLOCK, Script};

/// The manual's time limit for `AT+QNTP`, in milliseconds.
const NTP_LIMIT: u32 = 125_000;

/// The date that stands for a clock that shows no date.
pub(crate) const NEVER: DateTime = match DateTime::new(2000, 1, 1, 0, 0, 0) {
    Some(date) => date,
    None => panic!("2000-01-01 exists"),
};

/// Scratch of reading and setting the clock. A bring-up and an open share it, since only one of them
/// runs at a time.
pub(crate) struct Setting {
    /// The earliest date that the flow accepts.
    min: DateTime,
    /// The date to which the clock is set.
    pub(crate) date: DateTime,
    /// The flow is part of an open, which fails if the clock cannot be set.
    for_open: bool,
    /// The flow has tried to set the clock.
    tried: bool,
}

impl Setting {
    pub(crate) const fn new() -> Self {
        Self {
            min: MIN_DATE,
            date: NEVER,
            for_open: false,
            tried: false,
        }
    }
}

impl<O: Options> Bg96<O> {
    /// Reads the clock, and tries to set it to the network's time when it is too early. A bring-up does
    /// not fail when neither network nor NTP know the time; an open does.
    pub(crate) const CLOCK: Script<O> = &[
        ask("AT+CCLK?").then(Self::clock_seen),
        ask("AT+CTZU=1").then(either_way),
        // Local time with its time zone, as the network sent it. Mode 1 is GMT by the manual but
        // carries a zone all the same. The modem also answers `OK` without a time.
        ask("AT+QLTS=2").even_garbled().then(Self::network_told),
        ask("AT+CCLK=\"{d}\"").then(|_, _, _| Then::To(NTP)),
    ];

    /// Asks an NTP server and sets the clock; the result comes as a URC. The script sets the clock
    /// itself for firmware that does not.
    pub(crate) const NTP: Script<O> = &[
        ask("AT+QNTP=1,\"{n}\",123,1").then(Self::ntp_asked),
        decide(Self::ntp_told),
        ask("AT+CCLK?").then(Self::clock_seen_after_ntp),
    ];

    /// Sets the clock to the date in `Setting`.
    pub(crate) const SET_CLOCK: Script<O> = &[ask("AT+CCLK=\"{d}\"").then(Self::clock_set)];

    /// Sets the clock as the last part of a bring-up.
    pub(crate) fn clock_at_bring_up(&mut self, _: &mut World<'_>) -> Then {
        if self.config.set_clock {
            self.begin_clock(MIN_DATE, false)
        } else {
            Then::End
        }
    }

    /// Reads the clock and tries to set it if it is before `min`: the network may know the time by now.
    pub(crate) fn begin_clock(&mut self, min: DateTime, for_open: bool) -> Then {
        self.setting = Setting {
            min,
            for_open,
            ..Setting::new()
        };
        self.ask_clock(CLOCK)
    }

    /// Starts a script that reads or sets the clock. Until its answer nothing is known of the clock.
    fn ask_clock(&mut self, script: u8) -> Then {
        self.clock_floor = None;
        Then::To(script)
    }

    fn remember(&mut self, now: DateTime) {
        if now.is_plausible(MIN_DATE) {
            self.clock_floor = Some(now);
        }
    }

    /// Returns whether the clock need not be read again: it showed `min` or later since the modem's
    /// last start, and it runs as long as the modem is powered (sheet 2). Only the network or another
    /// host could set it back. Then the modem, which compares the dates itself, refuses certificates as
    /// not yet valid, and the connect after a failed one reads the clock again.
    pub(crate) fn is_known_set(&self, min: DateTime) -> bool {
        self.clock_floor.is_some_and(|seen| seen.is_plausible(min))
    }

    /// Returns the date in an answer to `AT+CCLK?`. A date that does not exist, such as the GPS epoch
    /// of 1980, is a clock that was never set. Returns `None`, with the failure noted, if there is no
    /// date in the answer.
    fn seen(&mut self, world: &mut World<'_>, text: Option<&[u8]>) -> Option<DateTime> {
        let error = match text.map(|text| answer(text, "+CCLK:")) {
            Some(Some(text)) => {
                let now = DateTime::parse_local_bytes(text).unwrap_or(NEVER);
                self.remember(now);
                return Some(now);
            }
            Some(None) => AtError::Garbled,
            None => AtError::Refused(world.code),
        };
        world.fail(error);
        None
    }

    fn clock_seen(&mut self, world: &mut World<'_>, text: Option<&[u8]>) -> Then {
        let Some(now) = self.seen(world, text) else {
            return Then::Fail;
        };
        let set = now.is_plausible(self.setting.min);
        if !set && self.config.set_clock && !self.setting.tried {
            self.setting.tried = true;
            return Then::Next;
        }
        match (self.setting.for_open, set) {
            (true, true) => Then::To(CONTEXT),
            (true, false) => world.fail(ConnectError::ClockNotSet { now }),
            (false, _) => Then::End,
        }
    }

    /// Takes a time from network or NTP as the one to set, and returns whether it is late enough.
    #[inline(never)]
    fn believes(&mut self, told: Option<&[u8]>) -> bool {
        let now = told.and_then(DateTime::parse_local_bytes);
        let now = now.filter(|now| now.is_plausible(self.setting.min));
        if let Some(now) = now {
            self.setting.date = now;
        }
        now.is_some()
    }

    fn network_told(&mut self, _: &mut World<'_>, text: Option<&[u8]>) -> Then {
        if self.believes(text.and_then(|text| answer(text, "+QLTS:"))) {
            return self.ask_clock(SET_CLOCK);
        }
        if !O::NTP || self.config.ntp.is_none() {
            return self.clock_done();
        }
        // The time in the NTP report is UTC on some firmware and local on others (sheet 2). With the
        // zone at 0 both are equal, so the script first sets an unset clock to a date with zone 0.
        if self.clock_floor.is_some() {
            return Then::To(NTP);
        }
        self.setting.date = NEVER;
        Then::Next
    }

    fn ntp_asked(&mut self, world: &mut World<'_>, answer: Option<&[u8]>) -> Then {
        if answer.is_none() {
            return self.clock_done();
        }
        // The manual's limit; some modems in the field exceed it.
        world.pause = NTP_LIMIT;
        // A boot notice from before the command does not end this wait.
        world.booted = false;
        Then::Park
    }

    fn ntp_told(&mut self, world: &mut World<'_>, _: Option<&[u8]>) -> Then {
        if world.restarted {
            return world.fail(BringUpError::At {
                command: "AT+QNTP",
                error: AtError::ModemReset,
            });
        }
        let text = world.report.0.get(..world.report.1.into());
        if !self.believes(text.and_then(reported)) {
            return self.clock_done();
        }
        self.clock_floor = None;
        Then::Next
    }

    fn clock_seen_after_ntp(&mut self, world: &mut World<'_>, text: Option<&[u8]>) -> Then {
        match self.seen(world, text) {
            Some(now) if now.is_plausible(self.setting.min) => self.clock_done(),
            Some(_) => self.ask_clock(SET_CLOCK),
            None => Then::Fail,
        }
    }

    fn clock_set(&mut self, world: &mut World<'_>, answer: Option<&[u8]>) -> Then {
        if answer.is_none() {
            return world.fail(AtError::Refused(world.code));
        }
        self.remember(self.setting.date);
        self.clock_done()
    }

    /// Reads the clock once more if an open needs it set.
    fn clock_done(&mut self) -> Then {
        if self.setting.for_open {
            self.ask_clock(CLOCK)
        } else {
            Then::End
        }
    }
}

/// Reads `+QNTP: 0,"2026/08/06,12:40:04+32"`. The time is UTC although it carries a zone (sheet 2).
fn reported(text: &[u8]) -> Option<&[u8]> {
    let mut fields = Fields::new(answer(text, "+QNTP:")?);
    if fields.int() != Some(0) {
        return None;
    }
    let text = fields.unquoted()?;
    // The zone is cut off, so that the parser takes the time as UTC.
    let zone = text.iter().rposition(|byte| matches!(byte, b'+' | b'-'));
    text.get(..zone.unwrap_or(text.len()))
}

/// Returns the date that the clock shows, if it is a date that exists.
pub(crate) async fn shown<O: Options>(at: &At<'_, Bg96<O>>) -> Result<Option<DateTime>, AtError> {
    sectag::modem::clock(at).await
}

impl<O: Options> HasClock for Bg96<O> {
    async fn clock(at: &At<'_, Self>) -> Result<Option<DateTime>, AtError> {
        at.modem(|modem| modem.clock_floor = None);
        // A date that does not exist is a clock that was never set, such as the GPS epoch of 1980.
        let now = shown(at).await?.unwrap_or(NEVER);
        at.modem(|modem| modem.remember(now));
        Ok(Some(now))
    }

    async fn set_clock(at: &At<'_, Self>, now: DateTime) -> Result<(), AtError> {
        at.modem(|modem| modem.clock_floor = None);
        sectag::modem::set_clock(at, now).await?;
        at.modem(|modem| modem.remember(now));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ntp_report_is_utc_whatever_the_zone_says() {
        let expected = DateTime::new(2026, 8, 6, 12, 40, 4);
        let reported = |text| reported(text).and_then(DateTime::parse_local_bytes);
        assert_eq!(reported(b"+QNTP: 0,\"2026/08/06,12:40:04+32\""), expected);
        assert_eq!(reported(b"+QNTP: 0,\"26/08/06,12:40:04\""), expected);
        assert_eq!(reported(b"+QNTP: 565"), None);
        assert_eq!(reported(b"+QNTP: 565,\"2026/08/06,12:40:04+32\""), None);
    }
}
