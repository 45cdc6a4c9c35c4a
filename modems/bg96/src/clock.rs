//! The modem's clock, which decides whether certificates are valid (sheet 2).

use embassy_time::Duration;
use sectag::at::{Fields, answer};
use sectag::clock::{DateTime, MIN_DATE};
use sectag::{At, AtError, Code};

use crate::Bg96;
use crate::commands::{ClockQuery, NetworkTime, Ntp, SetClock, Setting};

/// The manual's limit for QNTP.
const NTP_LIMIT: Duration = Duration::from_secs(125);

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

pub(crate) async fn bring_up(modem: &Bg96, at: At<'_>) -> Result<(), AtError> {
    if modem.config.set_clock {
        look(modem, at, MIN_DATE, false).await?;
    }
    Ok(())
}

/// Reads the clock for a connection that needs it not before `min`; tries to set one that is not, for
/// the network may know by now what it did not at bring-up.
pub(crate) async fn require(modem: &Bg96, at: At<'_>, min: DateTime) -> Result<DateTime, AtError> {
    look(modem, at, min, true).await
}

/// Reads the clock, and when it is before `min` tries to set it and, if it is to, looks `again`.
async fn look(modem: &Bg96, at: At<'_>, min: DateTime, again: bool) -> Result<DateTime, AtError> {
    let mut tried = false;
    loop {
        let now = read(modem, at).await?;
        if tried || !modem.config.set_clock || now.is_plausible(min) {
            return Ok(now);
        }
        synchronise(modem, at, min).await?;
        if !again {
            return Ok(now);
        }
        tried = true;
    }
}

/// Sets the clock from the network or NTP. That neither knows the time is no failure here; a connect
/// reports it.
async fn synchronise(modem: &Bg96, at: At<'_>, min: DateTime) -> Result<(), AtError> {
    tolerate(at.send(&Setting::ZoneFromNetwork).await.map(|_| ()))?;
    let network = match at.send(&NetworkTime).await {
        Ok(time) => time.0,
        // Refused, or an OK without a time.
        Err(AtError::Refused(_) | AtError::Garbled) => None,
        Err(error) => return Err(error),
    };
    if let Some(now) = network.filter(|now| now.is_plausible(min)) {
        return set(modem, at, now).await;
    }
    let Some(server) = modem.config.ntp else {
        return Ok(());
    };
    // The time in the report is UTC on some firmware and local on others (sheet 2). With the zone at 0,
    // as a clock that is not set is made to have it, they are the same.
    if modem.clock_floor.get().is_none() {
        tolerate(at.send(&SetClock(NEVER)).await.map(|_| ()))?;
    }
    at.watch("+QNTP:");
    if tolerate(at.send(&Ntp(server)).await.map(|_| ()))? {
        return Ok(());
    }
    let answered = match at.watched(NTP_LIMIT, reported).await {
        Ok(time) => time,
        // It keeps its limit in the manual, not in the field.
        Err(AtError::Timeout) => None,
        Err(error) => return Err(error),
    };
    // The report is for firmware that does not set the clock.
    if let Some(now) = answered.filter(|now| now.is_plausible(min))
        && !read(modem, at).await?.is_plausible(min)
    {
        set(modem, at, now).await?;
    }
    Ok(())
}

/// The date that stands for a clock that prints none.
const NEVER: DateTime = match DateTime::new(2000, 1, 1, 0, 0, 0) {
    Some(date) => date,
    None => panic!("2000-01-01 exists"),
};

/// Whether the modem refused, which here is an answer like another.
fn tolerate(result: Result<(), AtError>) -> Result<bool, AtError> {
    match result {
        Ok(()) => Ok(false),
        Err(AtError::Refused(Code::Plain | Code::Cme(_))) => Ok(true),
        Err(error) => Err(error),
    }
}

/// `+QNTP: 0,"2026/08/06,12:40:04+32"`, where the time is UTC although it carries a zone (sheet 2).
fn reported(text: &[u8]) -> Option<DateTime> {
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
