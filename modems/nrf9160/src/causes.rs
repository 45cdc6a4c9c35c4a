//! Nordic's own numbers of `+CME ERROR`, and the causes of an open that failed without one.

use sectag::Cause::*;
use sectag::cellular::Number;
use sectag::{Causes, Code, Meaning, Refusal};

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

/// Returns the refusal of a connect: a bare `ERROR` for all failures (sheet 4.3). `shows` is whether
/// the modem shows a client certificate to a server that asks.
pub(crate) fn open_refused(code: Code, shows: bool) -> Refusal {
    let causes = Causes::new(&[
        CaMismatch,
        NameMismatch,
        NameUnknown,
        Unreachable,
        ClientCertificateNeeded,
        ClientCertificateRefused,
        ClientKeyMismatch,
        CertificateExpired,
        CertificateNotYetValid,
        ChainIncomplete,
        NotTls,
        PeerClosed,
        NoCommonSuite,
        ServerKeyUnsupported,
        ChainTooLong,
        CaUnreadable,
        SniNeeded,
        NetworkSlow,
    ]);
    let refusal = Refusal::new(code, causes);
    if shows {
        refusal.without(ClientCertificateNeeded)
    } else {
        refusal
            .without(ClientCertificateRefused)
            .without(ClientKeyMismatch)
    }
}

/// Returns the refusal of an open in which the modem core crashed with this reason. A chain that is too long crashes it at
/// each try, a bad supply at random moments (sheet 1.5).
pub(crate) fn core_crashed(reason: u32) -> Refusal {
    let reason = u16::try_from(reason).unwrap_or(u16::MAX);
    let code = Code::Vendor(reason, Meaning::new("the modem core crashed"));
    Refusal::new(code, Causes::new(&[ChainTooLong, ModemReset]))
}

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
