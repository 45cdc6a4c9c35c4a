//! The expiry of the certificates of a tag.

use crate::clock::DateTime;

/// The end dates of the certificates of a tag, in UTC. `None` where there is no certificate, or its end is outside the
/// years 2000 to 2099. Of several certificates in one credential the first counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Expiry {
    /// The end of the CA's certificate. After it the modem trusts no server.
    pub ca: Option<DateTime>,
    /// The end of the device's certificate. After it no server trusts the device.
    pub client: Option<DateTime>,
}

impl Expiry {
    /// Returns the earlier end.
    pub fn soonest(&self) -> Option<DateTime> {
        [self.ca, self.client].into_iter().flatten().min()
    }

    /// Returns whether a certificate ends within this number of days from `now`, or has ended, so that it is time to
    /// [rotate](crate::Control::rotate).
    pub fn is_due(&self, now: DateTime, days: u16) -> bool {
        let limit = now.to_unix() + u64::from(days) * 86_400;
        self.soonest().is_some_and(|end| end.to_unix() <= limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sooner_end_is_what_counts() {
        let day = |day| DateTime::new(2027, 1, day, 0, 0, 0);
        let (ca, client) = (day(31), day(20));
        let both = Expiry { ca, client };
        assert_eq!(both.soonest(), client);
        assert_eq!(Expiry { ca, client: None }.soonest(), ca);
        assert!(both.is_due(day(15).unwrap(), 5) && !both.is_due(day(15).unwrap(), 4));
        assert!(both.is_due(day(25).unwrap(), 0));
        let none = Expiry {
            ca: None,
            client: None,
        };
        assert!(!none.is_due(day(1).unwrap(), u16::MAX));
    }
}
