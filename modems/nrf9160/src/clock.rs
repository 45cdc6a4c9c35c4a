//! The modem's clock (sheet 2a). Whether the modem's TLS compares certificates with it is UNCONFIRMED,
//! so it must be right.

use sectag::at::answer;
use sectag::clock::{DateTime, MIN_DATE};
use sectag::modem::{HasClock, Then, World, ask};
use sectag::{At, AtError, ConnectError};

use crate::commands::{Arg, Command, GUEST_QUICK, QUICK, error};
use crate::{Family, Nrf9160, Script, script};

/// Scratch of a flow that reads the clock.
pub(crate) struct Setting {
    /// The earliest date that a connect accepts; `None` in a bring-up.
    min: Option<DateTime>,
    /// The date to which the clock is set.
    to: Option<DateTime>,
}

impl Setting {
    pub(crate) const NEW: Self = Self {
        min: None,
        to: None,
    };

    pub(crate) fn text(&self) -> [u8; 20] {
        self.to.unwrap_or(NEVER).to_cclk()
    }
}

/// The date that stands for a clock that shows no date.
const NEVER: DateTime = match DateTime::new(2000, 1, 1, 0, 0, 0) {
    Some(date) => date,
    None => panic!("2000-01-01 exists"),
};

impl<F: Family> Nrf9160<F> {
    /// Reads the clock. `%CCLK?` is refused if the clock was never set, where `+CCLK?` would show
    /// nonsense.
    pub(crate) const CLOCK: Script<F> = &[ask("AT%CCLK?").limit(QUICK).then(shown)];

    pub(crate) const SET_CLOCK: Script<F> = &[ask("AT%CCLK={d}").limit(QUICK).then(set)];

    /// Reads the clock, and sets it to the time that the network sent at registration if it is not set:
    /// for a connect that needs `min` or later, or as the last part of a bring-up.
    pub(crate) fn look_at_clock(&mut self, min: Option<DateTime>) -> Then {
        self.setting.min = min;
        Then::To(script::CLOCK)
    }

    /// Returns the date to which a clock that shows `now` should be set, if any. The network sends its
    /// time with each registration, so it is seconds old when it matters.
    fn better_time(&self, now: DateTime, min: DateTime) -> Option<DateTime> {
        if now.is_plausible(min) || !self.config.set_clock {
            return None;
        }
        self.network_time.filter(|time| time.is_plausible(min))
    }
}

/// Reads `%CCLK: "yy/MM/dd,hh:mm:ss±zz",..`.
fn parse(text: &[u8]) -> Option<DateTime> {
    DateTime::parse_local_bytes(answer(text, "%CCLK:")?)
}

fn shown<F: Family>(modem: &mut Nrf9160<F>, world: &mut World<'_>, answer: Option<&[u8]>) -> Then {
    let now = answer.and_then(parse).unwrap_or(NEVER);
    match modem.better_time(now, modem.setting.min.unwrap_or(MIN_DATE)) {
        None => go_on(modem, world, now),
        better => {
            modem.setting.to = better;
            Then::To(script::SET_CLOCK)
        }
    }
}

fn set<F: Family>(modem: &mut Nrf9160<F>, world: &mut World<'_>, answer: Option<&[u8]>) -> Then {
    match answer {
        Some(_) => go_on(modem, world, modem.setting.to.unwrap_or(NEVER)),
        None => world.fail(error(world)),
    }
}

fn go_on<F: Family>(modem: &mut Nrf9160<F>, world: &mut World<'_>, now: DateTime) -> Then {
    match modem.setting.min {
        // The end of a bring-up.
        None => Then::End,
        Some(min) if now.is_plausible(min) => modem.list_credentials(world),
        Some(_) => world.fail(ConnectError::ClockNotSet { now }),
    }
}

/// Reads the clock for a guest, and sets it if it is before `min` and the network's time is known.
pub(crate) async fn require<F: Family>(
    at: &At<'_, Nrf9160<F>>,
    min: DateTime,
) -> Result<DateTime, AtError> {
    let now = Nrf9160::clock(at).await?.unwrap_or(NEVER);
    match at.modem(|modem| modem.better_time(now, min)) {
        Some(time) => Nrf9160::set_clock(at, time).await.map(|()| time),
        None => Ok(now),
    }
}

impl<F: Family> HasClock for Nrf9160<F> {
    async fn clock(at: &At<'_, Self>) -> Result<Option<DateTime>, AtError> {
        let query = Command::<GUEST_QUICK>::new("%CCLK?", &[]);
        let mut now = None;
        match at
            .lines(&query, &mut |line| now = now.or(parse(line)))
            .await
        {
            Ok(()) | Err(AtError::Refused(_)) => Ok(now),
            Err(error) => Err(error),
        }
    }

    async fn set_clock(at: &At<'_, Self>, now: DateTime) -> Result<(), AtError> {
        let text = now.to_cclk();
        let args = [Arg::Quoted(core::str::from_utf8(&text).unwrap_or_default())];
        let command = Command::<GUEST_QUICK>::new("%CCLK", &args);
        at.send(&command).await.map(|_| ())
    }
}
