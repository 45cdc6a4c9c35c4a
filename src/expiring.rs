//! The event before the day on which a certificate ends.

use core::convert::Infallible;

use embassy_time::{Duration, Timer};

use crate::clock::MIN_DATE;
use crate::control::Control;
use crate::credentials::{Credentials, Expiry};
use crate::error::CredentialError;
use crate::modem::HasClock;
use crate::tag::Tag;

/// Between two looks, where nothing is due sooner: the set may have been replaced, and the modem's clock been set.
const A_DAY: u64 = 86_400;
/// Before the next look, where the modem could not tell.
const AN_HOUR: u64 = 3600;

impl<M: Credentials + HasClock> Control<'_, M> {
    /// Waits until a certificate under `tag` ends within `days` days or has ended, and returns when they end: the event upon
    /// which an application fetches a new set and [rotates](Self::rotate) to it.
    ///
    /// The modem's clock and its certificates are looked at once a day, which takes a few exchanges and wakes a modem that
    /// sleeps, and again when the time has come. Nothing is remembered between two looks, so that a set which was replaced meanwhile counts
    /// as it is. A modem that is not up, that has no time, or that holds nothing under `tag` which ends is looked at again after an
    /// hour, for as long as it takes: no event does not mean that all is well. [`expires`](Self::expires) tells at once.
    ///
    /// May be dropped at any time. Without a modem's clock, an application compares with its own: [`Expiry::is_due`].
    ///
    /// ```
    /// use sectag::modem::{Credentials, HasClock};
    /// use sectag::{Control, Tag};
    ///
    /// /// A task beside the application's others.
    /// async fn renew<M: Credentials + HasClock>(control: Control<'_, M>, tag: Tag) {
    ///     match control.expiring(tag, 30).await {
    ///         Ok(expiry) => { /* Fetch a new set, and rotate to it. */ let _ = expiry.soonest(); }
    ///         // This modem never tells: the application keeps the day in mind that `inspect` showed it.
    ///         Err(error) => { let _ = error; }
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    /// What waiting does not mend: [`CredentialError::Unreadable`] where the modem neither tells when a certificate ends nor lets it be
    /// read, and [`CredentialError::InvalidInput`] where it has no such tag.
    pub async fn expiring(
        &self,
        tag: Tag,
        days: u16,
    ) -> Result<Expiry, CredentialError<Infallible>> {
        loop {
            let pause = match self.look_at_expiry(tag, days).await? {
                Look::Due(expiry) => return Ok(expiry),
                Look::After(seconds) => seconds,
            };
            Timer::after(Duration::from_secs(pause)).await;
        }
    }

    async fn look_at_expiry(
        &self,
        tag: Tag,
        days: u16,
    ) -> Result<Look, CredentialError<Infallible>> {
        let expiry = match self.expires(tag).await {
            Ok(expiry) => expiry,
            Err(CredentialError::At(_) | CredentialError::BringUp(_)) => {
                return Ok(Look::After(AN_HOUR));
            }
            Err(error) => return Err(error),
        };
        let now = self.clock().await.ok().flatten();
        let now = now.filter(|now| now.is_plausible(MIN_DATE));
        let (Some(now), Some(end)) = (now, expiry.soonest()) else {
            return Ok(Look::After(AN_HOUR));
        };
        if expiry.is_due(now, days) {
            return Ok(Look::Due(expiry));
        }
        let due = end.to_unix() - u64::from(days) * A_DAY;
        Ok(Look::After((due - now.to_unix()).clamp(1, A_DAY)))
    }
}

/// What one look has shown.
enum Look {
    /// One ends soon, or has ended.
    Due(Expiry),
    /// The next look is after so many seconds.
    After(u64),
}
