//! The modem's clock (sheet 2a). Whether its TLS compares certificates with it is UNCONFIRMED, so it must
//! be right.

use sectag::at::Fields;
use sectag::clock::{DateTime, MIN_DATE};
use sectag::{At, AtError};

use crate::Nrf9160;
use crate::commands::{Arg, Command, QUICK, ask};

/// `None` when it was never set; `+CCLK` would show nonsense then.
pub(crate) async fn read(at: At<'_>) -> Result<Option<DateTime>, AtError> {
    let query = Command::<QUICK>::new("%CCLK?", &[]);
    let shown = |fields: &mut Fields<'_>| fields.text().and_then(DateTime::parse_local);
    match ask(at, &query, "%CCLK:", shown).await {
        Err(AtError::Refused(_)) => Ok(None),
        result => result,
    }
}

pub(crate) async fn set(at: At<'_>, now: DateTime) -> Result<(), AtError> {
    let text = now.to_cclk();
    let args = [Arg::Quoted(core::str::from_utf8(&text).unwrap_or_default())];
    at.send(&Command::<QUICK>::new("%CCLK", &args))
        .await
        .map(|_| ())
}

pub(crate) async fn bring_up(modem: &Nrf9160, at: At<'_>) -> Result<(), AtError> {
    require(modem, at, MIN_DATE).await.map(|_| ())
}

/// Reads the clock; sets one that is not set from what the network said at registration.
pub(crate) async fn require(
    modem: &Nrf9160,
    at: At<'_>,
    min: DateTime,
) -> Result<DateTime, AtError> {
    let now = read(at).await?.unwrap_or(NEVER);
    if now.is_plausible(min) || !modem.config.set_clock {
        return Ok(now);
    }
    match modem
        .network_time
        .get()
        .filter(|time| time.is_plausible(min))
    {
        // Seconds old at most when it matters: it comes with each registration.
        Some(time) => set(at, time).await.map(|()| time),
        None => Ok(now),
    }
}

/// Stands for a clock that shows nothing.
const NEVER: DateTime = match DateTime::new(2000, 1, 1, 0, 0, 0) {
    Some(date) => date,
    None => panic!("2000-01-01 exists"),
};
