//! The wait for the day before which a certificate is to be replaced.

use core::convert::Infallible;

use embassy_time::{Duration, Timer};

use crate::clock::MIN_DATE;
use crate::control::Control;
use crate::credentials::{Credentials, Expiry};
use crate::error::CredentialError;
use crate::modem::HasClock;
use crate::tag::Tag;

/// The longest time between two checks, in seconds: meanwhile the set may be replaced, or the modem's clock set.
const A_DAY: u64 = 86_400;
/// The time before the next check, in seconds, where the modem could not report clock or dates.
const AN_HOUR: u64 = 3600;

impl<M: Credentials + HasClock> Control<'_, M> {
    /// Waits until a certificate under `tag` ends within `days` days, or has ended, and returns the end dates. An application
    /// then fetches a new set and [rotates](Self::rotate) to it.
    ///
    /// The modem's clock and its certificates are checked once a day, which takes a few exchanges and wakes a modem that
    /// sleeps, and again when the time has come. Nothing is remembered between two checks, so a set that was replaced
    /// meanwhile counts as it is. A modem that is not up, has no time, or has no end date under `tag` is checked again after
    /// an hour, without a limit: while this waits, not all need be well. [`expires`](Self::expires) returns at once.
    ///
    /// May be dropped at any time. An application with a clock of its own can use [`Expiry::is_due`] instead.
    ///
    /// ```
    /// use sectag::modem::{Credentials, HasClock};
    /// use sectag::{Control, Tag};
    ///
    /// /// A task beside the application's others.
    /// async fn renew<M: Credentials + HasClock>(control: Control<'_, M>, tag: Tag) {
    ///     match control.expiring(tag, 30).await {
    ///         Ok(expiry) => { /* Fetch a new set, and rotate to it. */ let _ = expiry.soonest(); }
    ///         // This modem never reports dates: the application keeps those that `inspect` showed it.
    ///         Err(error) => { let _ = error; }
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    /// The errors that waiting does not mend: [`CredentialError::Unreadable`] where the modem neither reports end dates nor
    /// lets certificates be read, and [`CredentialError::InvalidInput`] where it has no such tag.
    pub async fn expiring(
        &self,
        tag: Tag,
        days: u16,
    ) -> Result<Expiry, CredentialError<Infallible>> {
        loop {
            let pause = match self.expires(tag).await {
                Ok(expiry) => {
                    let now = self.clock().await.ok().flatten();
                    let now = now.filter(|now| now.is_plausible(MIN_DATE));
                    match (now, expiry.soonest()) {
                        (Some(now), Some(_)) if expiry.is_due(now, days) => return Ok(expiry),
                        (Some(now), Some(end)) => {
                            let due = end.to_unix() - u64::from(days) * A_DAY;
                            (due - now.to_unix()).clamp(1, A_DAY)
                        }
                        _ => AN_HOUR,
                    }
                }
                Err(error @ (CredentialError::Unreadable | CredentialError::InvalidInput(_))) => {
                    return Err(error);
                }
                Err(_) => AN_HOUR,
            };
            Timer::after(Duration::from_secs(pause)).await;
        }
    }
}
