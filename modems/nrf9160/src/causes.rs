//! Nordic's own numbers of `+CME ERROR`.

use sectag::Cause::*;
use sectag::cellular::Number;

/// The meaning given for a number that is on no page of Nordic's that was read (sheet 6).
const UNPUBLISHED: &str = "Nordic's own number, whose meaning is not published";

/// The numbers and their meanings (sheet 6).
pub(crate) static CODES: [Number; 17] = [
    Number::new(513, "not found", &[CredentialMissing]),
    Number::new(514, "no access", &[SettingRefused]),
    Number::new(515, "memory full", &[StorageFull]),
    Number::new(516, UNPUBLISHED, &[Unknown]),
    Number::new(517, UNPUBLISHED, &[Unknown]),
    Number::new(518, "not while the radio is on", &[ModemBusy]),
    Number::new(519, "already exists", &[ModemBusy]),
    Number::new(520, "authentication failed", &[SettingRefused]),
    Number::new(521, UNPUBLISHED, &[Unknown]),
    Number::new(522, UNPUBLISHED, &[Unknown]),
    Number::new(523, "no key was made", &[ModemBusy, Unknown]),
    Number::new(524, UNPUBLISHED, &[Unknown]),
    Number::new(525, "no token was made", &[CredentialMissing, ClockNotSet]),
    Number::new(526, UNPUBLISHED, &[Unknown]),
    Number::new(527, "invalid content", &[CredentialUnsuitable]),
    Number::new(528, "the supply is too low", &[SupplyLow]),
    Number::new(529, "no answer was made", &[Unknown]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_of_the_series_has_a_row() {
        assert!(CODES.iter().map(|row| row.code).eq(513..=529));
    }

    #[test]
    fn rows_are_in_order_and_none_is_3gpps() {
        assert!(CODES.is_sorted_by(|a, b| a.code < b.code));
        assert!(
            CODES
                .iter()
                .all(|row| sectag::cellular::cme(row.code).is_none())
        );
    }
}
