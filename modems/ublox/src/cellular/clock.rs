//! The module's clock: validation level 3 compares dates with it, so it must be right (sheet B.1.4).

use sectag::at::answer;
use sectag::clock::DateTime;
use sectag::modem::{HasClock, Then, World, ask};
use sectag::{At, AtError, ConnectError, MIN_DATE};

use super::{Script, UbloxCellular, script};

/// The date that stands for a clock that shows no date.
const NEVER: DateTime = match DateTime::new(2000, 1, 1, 0, 0, 0) {
    Some(date) => date,
    None => panic!("2000-01-01 exists"),
};

impl UbloxCellular {
    /// Reads the clock. It shows 1980 until the network has sent the time.
    pub(crate) const CLOCK: Script = &[ask("AT+CCLK?").then(Self::clock_shown)];

    /// Returns whether the clock need not be read again: it showed `min` or later since the module's
    /// last start, and clocks run forward.
    pub(crate) fn is_known_set(&self, min: DateTime) -> bool {
        self.clock_floor.is_some_and(|seen| seen.is_plausible(min))
    }

    fn remember(&mut self, now: DateTime) {
        self.clock_floor = Some(now).filter(|now| now.is_plausible(MIN_DATE));
    }

    fn clock_shown(&mut self, world: &mut World<'_>, text: Option<&[u8]>) -> Then {
        let Some(open) = &world.open else {
            return world.fail(AtError::ModemReset);
        };
        let min = open.config.earliest_date();
        let shown = match text {
            Some(text) => answer(text, "+CCLK:"),
            None => return world.fail(AtError::Refused(world.code)),
        };
        let Some(shown) = shown else {
            return world.fail(AtError::Garbled);
        };
        // A date that does not exist means that the clock was never set.
        let now = DateTime::parse_local_bytes(shown).unwrap_or(NEVER);
        self.remember(now);
        if now.is_plausible(min) {
            Then::To(script::CREDENTIALS)
        } else {
            world.fail(ConnectError::ClockNotSet { now })
        }
    }
}

impl HasClock for UbloxCellular {
    async fn clock(at: &At<'_, Self>) -> Result<Option<DateTime>, AtError> {
        at.modem(|modem| modem.clock_floor = None);
        let now = sectag::modem::clock(at).await?.unwrap_or(NEVER);
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
