//! The modem's clock, which decides whether certificates are valid (sheet 2).

use embassy_time::Duration;
use sectag::at::{Fields, answer};
use sectag::clock::{DateTime, MIN_DATE};
use sectag::{At, AtError, Code};

use crate::Bg96;
use crate::commands::{ClockQuery, NetworkTime, Ntp, SetClock, Setting};

/// The manual's limit for QNTP.
const NTP_LIMIT: Duration = Duration::from_secs(125);

pub(crate) async fn read(at: At<'_>) -> Result<DateTime, AtError> {
    // A date that does not exist is a clock that was never set, such as the GPS epoch of 1980.
    shown(at).await.map(|time| time.unwrap_or(NEVER))
}

/// What the clock shows, if that is a date at all.
pub(crate) async fn shown(at: At<'_>) -> Result<Option<DateTime>, AtError> {
    at.send(&ClockQuery).await.map(|time| time.0)
}

pub(crate) async fn set(at: At<'_>, now: DateTime) -> Result<(), AtError> {
    at.send(&SetClock(now)).await.map(|_| ())
}

/// Sets the clock from the network or NTP if it is not set. That neither knows the time is no failure
/// here; a connect reports it.
pub(crate) async fn synchronise(modem: &Bg96, at: At<'_>) -> Result<(), AtError> {
    if !modem.config.set_clock || read(at).await? >= MIN_DATE {
        return Ok(());
    }
    tolerate(at.send(&Setting::ZoneFromNetwork).await.map(|_| ()))?;
    let network = match at.send(&NetworkTime).await {
        Ok(time) => time.0,
        // Refused, or an OK without a time.
        Err(AtError::Refused(_) | AtError::Garbled) => None,
        Err(error) => return Err(error),
    };
    if let Some(now) = network.filter(|now| *now >= MIN_DATE) {
        return set(at, now).await;
    }
    let Some(server) = modem.config.ntp else {
        return Ok(());
    };
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
    // The time in the report is UTC on some firmware and local on others, so the clock counts; the
    // report is for firmware that does not set it.
    if let Some(now) = answered.filter(|now| *now >= MIN_DATE)
        && read(at).await? < MIN_DATE
    {
        set(at, now).await?;
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
    let zone = text.rfind(['+', '-']).unwrap_or(text.len());
    DateTime::parse_local(&text[..zone])
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
