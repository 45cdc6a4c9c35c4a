//! The modem's clock, which decides whether certificates are valid (sheet 2).

use sectag::at::{Fields, answer};
use sectag::clock::{DateTime, MIN_DATE};
use sectag::{At, AtError, Code};

use crate::Bg96;
use crate::commands::{ClockQuery, PDP_CONTEXT, SetClock, date, time};
use crate::steps::{Answer, Flow, Forgives, Step, Then, optional, refuse};

pub(crate) async fn read(modem: &Bg96, at: At<'_>) -> Result<DateTime, AtError> {
    modem.clock_floor.set(None);
    // A date that does not exist is a clock that was never set, such as the GPS epoch of 1980.
    let now = shown(at).await?.unwrap_or(NEVER);
    remember(modem, now);
    Ok(now)
}

/// What the clock shows, if that is a date at all.
pub(crate) async fn shown(at: At<'_>) -> Result<Option<DateTime>, AtError> {
    at.send(&ClockQuery).await.map(|time| time.0)
}

pub(crate) async fn set(modem: &Bg96, at: At<'_>, now: DateTime) -> Result<(), AtError> {
    modem.clock_floor.set(None);
    at.send(&SetClock(now)).await?;
    remember(modem, now);
    Ok(())
}

fn remember(modem: &Bg96, now: DateTime) {
    if now.is_plausible(MIN_DATE) {
        modem.clock_floor.set(Some(now));
    }
}

/// Whether the clock needs no look: it was not before `min` earlier in this life of the modem, and it
/// runs as long as the modem is powered (sheet 2). Only the network and another host could set it
/// back; then the modem, which compares by itself, refuses what is not yet valid, and the connect after
/// one that failed looks again.
pub(crate) fn is_known_set(modem: &Bg96, min: DateTime) -> bool {
    modem.clock_floor.get().is_some_and(|seen| seen >= min)
}

/// What bring-up ends with.
pub(crate) fn at_bring_up(flow: &mut Flow<'_>) -> Then {
    if flow.modem.config.set_clock {
        ask(flow, &LOOK)
    } else {
        Then::Done
    }
}

/// Reads the clock for a connection that needs it not before `min`; tries to set one that is not, for
/// the network may know by now what it did not at bring-up.
pub(crate) async fn require(modem: &Bg96, at: At<'_>, min: DateTime) -> Result<DateTime, AtError> {
    let mut flow = Flow::new(modem, at, min);
    flow.again = true;
    let first = ask(&mut flow, &LOOK);
    flow.run(first).await?;
    Ok(flow.now)
}

/// Reads the clock, and when it is too early tries to set it. That neither network nor NTP know the time
/// is no failure here; a connect reports it.
pub(crate) static LOOK: Step = Step::new("AT+CCLK", "+CCLK?", |flow, answer| {
    match seen(flow.modem, answer) {
        Ok(now) => flow.now = now,
        Err(error) => return Then::Fail(error),
    }
    if flow.now.is_plausible(flow.min) || !flow.modem.config.set_clock || flow.tried {
        return Then::Done;
    }
    flow.tried = true;
    Then::Ask(&ZONE_FROM_NETWORK)
});

static ZONE_FROM_NETWORK: Step = Step {
    next: Some(&NETWORK_TIME),
    ..Step::new("AT+CCLK", "+CTZU=1", tolerated)
};

/// Local time with its zone, as the network told it; mode 1 is GMT by the manual but carries the zone
/// all the same (sheet 2).
static NETWORK_TIME: Step = Step {
    // An OK without a time, too.
    forgives: Forgives::Garbled,
    ..Step::new("AT+CCLK", "+QLTS=2", |flow, text| {
        let told = text.ok().and_then(|text| time(answer(text, "+QLTS:")?));
        if let Some(now) = told.filter(|now| now.is_plausible(flow.min)) {
            return write(flow, now);
        }
        if flow.modem.config.ntp.is_none() {
            return finish(flow);
        }
        // The time in the report is UTC on some firmware and local on others (sheet 2). With the zone at
        // 0, as a clock that is not set is made to have it, they are the same.
        if flow.modem.clock_floor.get().is_none() {
            flow.date = NEVER;
            return Then::Ask(&SET_NEVER);
        }
        ask_ntp(flow)
    })
};

static SET_NEVER: Step = Step {
    arguments: |flow, line| date(flow.date, line),
    ..Step::new("AT+CCLK", "+CCLK", |flow, answer| {
        match tolerated(flow, answer) {
            Then::Done => ask_ntp(flow),
            failed => failed,
        }
    })
};

fn ask_ntp(flow: &mut Flow<'_>) -> Then {
    flow.at.watch("+QNTP:");
    Then::Ask(&NTP)
}

/// Asks an NTP server and sets the clock; the result comes as a URC.
static NTP: Step = Step {
    arguments: |flow, line| {
        let server = flow.modem.config.ntp.as_ref();
        line.int(PDP_CONTEXT)
            .quoted(server.map_or("", |server| server.as_str()))
            .int(123)
            .int(1)
    },
    ..Step::new("AT+CCLK", "+QNTP", |flow, answer| {
        match tolerated(flow, answer) {
            Then::Done if answer.is_err() => finish(flow),
            Then::Done => Then::Report(judge_report),
            failed => failed,
        }
    })
};

/// The report is for firmware that does not set the clock.
fn judge_report(flow: &mut Flow<'_>, said: Option<DateTime>) -> Then {
    match said.filter(|now| now.is_plausible(flow.min)) {
        Some(now) => {
            flow.date = now;
            ask(flow, &LOOK_AFTER_NTP)
        }
        None => finish(flow),
    }
}

static LOOK_AFTER_NTP: Step = Step::new("AT+CCLK", "+CCLK?", |flow, answer| {
    match seen(flow.modem, answer) {
        Ok(now) if now.is_plausible(flow.min) => finish(flow),
        Ok(_) => write(flow, flow.date),
        Err(error) => Then::Fail(error),
    }
});

fn write(flow: &mut Flow<'_>, now: DateTime) -> Then {
    flow.date = now;
    ask(flow, &SET)
}

static SET: Step = Step {
    arguments: |flow, line| date(flow.date, line),
    ..Step::new("AT+CCLK", "+CCLK", |flow, answer| match answer {
        Ok(_) => {
            remember(flow.modem, flow.date);
            finish(flow)
        }
        Err(code) => refuse(code),
    })
};

/// Looks again at what was set, if it is to.
fn finish(flow: &mut Flow<'_>) -> Then {
    if flow.again {
        ask(flow, &LOOK)
    } else {
        Then::Done
    }
}

/// Until it is answered nothing is known of the clock.
fn ask(flow: &mut Flow<'_>, step: &'static Step) -> Then {
    flow.modem.clock_floor.set(None);
    Then::Ask(step)
}

/// What an answer to `AT+CCLK?` shows. A date that does not exist is a clock that was never set, such as
/// the GPS epoch of 1980.
fn seen(modem: &Bg96, text: Answer<'_>) -> Result<DateTime, AtError> {
    let text = answer(text.map_err(AtError::Refused)?, "+CCLK:").ok_or(AtError::Garbled)?;
    let now = time(text).unwrap_or(NEVER);
    remember(modem, now);
    Ok(now)
}

/// That the modem refuses is here an answer like another.
fn tolerated(flow: &mut Flow<'_>, answer: Answer<'_>) -> Then {
    match answer {
        Ok(_) | Err(Code::Plain | Code::Cme(_)) => optional(flow, answer),
        Err(code) => refuse(code),
    }
}

/// The date that stands for a clock that prints none.
pub(crate) const NEVER: DateTime = match DateTime::new(2000, 1, 1, 0, 0, 0) {
    Some(date) => date,
    None => panic!("2000-01-01 exists"),
};

/// `+QNTP: 0,"2026/08/06,12:40:04+32"`, where the time is UTC although it carries a zone (sheet 2).
pub(crate) fn reported(text: &[u8]) -> Option<DateTime> {
    let mut fields = Fields::new(answer(text, "+QNTP:")?);
    if fields.int() != Some(0) {
        return None;
    }
    let text = fields.text()?;
    // Without its zone it is taken as UTC.
    let zone = text.bytes().rposition(|byte| matches!(byte, b'+' | b'-'));
    DateTime::parse_local(text.get(..zone.unwrap_or(text.len()))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ntp_report_is_utc_whatever_the_zone_says() {
        let expected = DateTime::new(2026, 8, 6, 12, 40, 4);
        assert_eq!(reported(b"+QNTP: 0,\"2026/08/06,12:40:04+32\""), expected);
        assert_eq!(reported(b"+QNTP: 0,\"26/08/06,12:40:04\""), expected);
        assert_eq!(reported(b"+QNTP: 565"), None);
        assert_eq!(reported(b"+QNTP: 565,\"2026/08/06,12:40:04+32\""), None);
    }
}
