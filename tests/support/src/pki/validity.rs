use ::time::OffsetDateTime;
use rcgen::date_time_ymd;

/// The dates of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// Valid from this moment.
    pub not_before: OffsetDateTime,
    /// Valid up to this moment.
    pub not_after: OffsetDateTime,
}

impl Default for Validity {
    /// From 2020-01-01 to 2049-12-31, the last year that X.509 writes with two digits.
    fn default() -> Self {
        Self::from_ymd((2020, 1, 1), (2049, 12, 31))
    }
}

impl Validity {
    /// From one midnight (UTC) to another, as (year, month, day).
    ///
    /// # Panics
    /// When a date does not exist.
    pub fn from_ymd(not_before: (i32, u8, u8), not_after: (i32, u8, u8)) -> Self {
        let date = |(year, month, day)| date_time_ymd(year, month, day);
        Self {
            not_before: date(not_before),
            not_after: date(not_after),
        }
    }

    /// Ended in 2021.
    pub fn expired() -> Self {
        Self::from_ymd((2020, 1, 1), (2021, 1, 1))
    }

    /// Begins in 2048.
    pub fn not_yet() -> Self {
        Self::from_ymd((2048, 1, 1), (2049, 12, 31))
    }
}
