//! The numbers of the TCP/IP, SSL and file commands: their meaning and their possible causes.

use sectag::cellular::Number;
use sectag::{Cause, Causes, Code, Meaning, Refusal};

/// The number of the first row of the tables; the rows that follow count up. Numbers above 574 are in
/// no manual.
const FIRST: u16 = 550;

/// The meaning of each number of `+QSSLOPEN` or `+QIGETERROR` (sheet 4.6).
#[rustfmt::skip]
static MEANINGS: [&str; 25] = [
    /* 550 */ "unknown error",
    /* 551 */ "operation blocked",
    /* 552 */ "invalid parameters",
    /* 553 */ "memory not enough",
    /* 554 */ "create socket failed",
    /* 555 */ "operation not supported",
    /* 556 */ "socket bind failed",
    /* 557 */ "socket listen failed",
    /* 558 */ "socket write failed",
    /* 559 */ "socket read failed",
    /* 560 */ "socket accept failed",
    /* 561 */ "open PDP context failed",
    /* 562 */ "close PDP context failed",
    /* 563 */ "socket identity has been used",
    /* 564 */ "DNS busy",
    /* 565 */ "DNS parse failed",
    /* 566 */ "socket connect failed",
    /* 567 */ "socket has been closed",
    /* 568 */ "operation busy",
    /* 569 */ "operation timeout",
    /* 570 */ "PDP context break down",
    /* 571 */ "cancel send",
    /* 572 */ "operation not allowed",
    /* 573 */ "APN not configured",
    /* 574 */ "port busy",
];

/// The possible causes of an open that ends with such a number, the likeliest first. They are a table
/// apart from the texts, so that a firmware that prints nothing links no texts.
#[rustfmt::skip]
static CAUSES: [&[Cause]; 25] = {
    use Cause::*;
    [
        /* 550 */ &[Unknown],
        /* 551 */ &[ModemBusy],
        /* 552 */ &[BadParameter],
        /* 553 */ &[OutOfMemory],
        /* 554 */ &[OutOfMemory, BadParameter],
        /* 555 */ &[BadParameter],
        /* 556 */ &[OutOfMemory, IdInUse],
        /* 557 */ &[OutOfMemory],
        /* 558 */ &[PeerClosed, DataConnectionDown],
        /* 559 */ &[PeerClosed, DataConnectionDown],
        /* 560 */ &[OutOfMemory],
        /* 561 */ &[DataConnectionDown],
        /* 562 */ &[DataConnectionDown],
        /* 563 */ &[IdInUse],
        /* 564 */ &[ModemBusy, NetworkSlow],
        /* 565 */ &[NameUnknown, NameUnknownHere],
        // One number for an unreachable port and for every certificate failure (sheet 4.6, T10).
        /* 566 */ &[
            CaMismatch, ClientCertificateNeeded, Unreachable, CertificateExpired, NameMismatch,
            ServerKeyUnsupported, ClientCertificateRefused, ClientKeyMismatch, ChainIncomplete, NoCommonSuite,
            SniNeeded, CertificateNotYetValid, CaUnreadable, NotTls, PeerClosed,
        ],
        /* 567 */ &[PeerClosed],
        /* 568 */ &[ModemBusy],
        /* 569 */ &[NetworkSlow, Unreachable, NotTls],
        /* 570 */ &[DataConnectionDown],
        /* 571 */ &[Unknown],
        /* 572 */ &[PeerClosed, DataConnectionDown],
        /* 573 */ &[ApnMissing],
        /* 574 */ &[ModemBusy],
    ]
};

/// Quectel's own numbers of `+CME ERROR`, which are about files (sheet 3). Further ones are in no
/// manual of this modem.
pub(crate) static FILES: [Number; 21] = {
    use Cause::*;
    [
        Number::new(400, "invalid input", &[BadParameter]),
        Number::new(401, "larger than the file", &[BadParameter]),
        Number::new(402, "read nothing", &[Unknown]),
        Number::new(403, "drive full", &[StorageFull]),
        Number::new(405, "file not found", &[CredentialMissing]),
        Number::new(406, "invalid file name", &[BadParameter]),
        Number::new(407, "file exists already", &[ModemBusy]),
        Number::new(409, "write failed", &[StorageFull, Unknown]),
        Number::new(410, "open failed", &[ModemBusy, Unknown]),
        Number::new(411, "read failed", &[Unknown]),
        Number::new(413, "too many open files", &[ModemBusy]),
        Number::new(414, "file is read-only", &[SettingRefused]),
        Number::new(416, "no such open file", &[ModemReset]),
        Number::new(417, "list failed", &[Unknown]),
        Number::new(418, "delete failed", &[ModemBusy, Unknown]),
        Number::new(419, "no information about the disk", &[Unknown]),
        Number::new(420, "no space", &[StorageFull]),
        Number::new(421, "timeout", &[LineFault]),
        Number::new(423, "file too large", &[StorageFull]),
        Number::new(425, "invalid parameter", &[BadParameter]),
        Number::new(426, "file is open already", &[ModemBusy]),
    ]
};

fn row<T: Copy>(rows: &'static [T], code: u16) -> Option<T> {
    rows.get(usize::from(code.checked_sub(FIRST)?)).copied()
}

/// Returns the meaning of a number of `+QSSLOPEN` or `+QIGETERROR`, or "not in the manual".
pub fn meaning(code: u16) -> &'static str {
    row(&MEANINGS, code).unwrap_or("not in the manual")
}

/// Returns the possible causes of an open that ended with this number of `+QSSLOPEN`, before anything
/// is ruled out. It is for tools that explain a log. A connect also rules out causes that it knows not
/// to apply, see [`ConnectError::Refused`](sectag::ConnectError::Refused).
pub fn refusal(code: u16) -> Refusal {
    open_refused(vendor(code))
}

pub(crate) fn vendor(code: u16) -> Code {
    Code::Vendor(code, Meaning::new(meaning(code)))
}

/// Returns the refusal of an open that ended with `code`.
pub(crate) fn open_refused(code: Code) -> Refusal {
    let causes = match code {
        Code::Vendor(code, _) => row(&CAUSES, code),
        _ => None,
    };
    Refusal::new(code, Causes::new(causes.unwrap_or(&[Cause::Unknown])))
}

/// Returns the refusal of a data connection whose activation ended with `code`.
pub(crate) fn activation_refused(code: Code) -> Refusal {
    use Cause::*;
    Refusal::new(
        code,
        Causes::new(match code {
            // The network allows one context, and it is up elsewhere (sheet 4.6, T14).
            Code::Vendor(572, _) => &[ContextInUse],
            // Some firmware also says this after the context was deactivated.
            Code::Vendor(570, _) => &[DataConnectionDown],
            Code::Vendor(573, _) => &[ApnMissing],
            Code::Vendor(552, _) => &[ApnWrong, BadParameter],
            Code::Vendor(551 | 568 | 574, _) => &[ModemBusy],
            Code::Vendor(569, _) => &[NetworkSlow, ApnWrong],
            _ => &[ApnMissing, ApnWrong, ApnLoginWrong, DataNotAllowed],
        }),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_of_the_manual_has_a_row() {
        for (code, row) in (FIRST..).zip(&CAUSES) {
            assert!(!row.is_empty() && row.len() <= 32, "{row:?}");
            assert_eq!(open_refused(vendor(code)).causes.count(), row.len());
        }
        assert!(FILES.is_sorted_by(|a, b| a.code < b.code));
        assert!(
            FILES
                .iter()
                .all(|row| sectag::cellular::cme(row.code).is_none())
        );
        assert_eq!(meaning(550), "unknown error");
        assert_eq!(meaning(566), "socket connect failed");
        assert_eq!(meaning(574), "port busy");
        assert_eq!(meaning(549), "not in the manual");
        assert_eq!(meaning(575), "not in the manual");
        assert!(open_refused(vendor(575)).causes.eq([Cause::Unknown]));
        for (code, causes) in [
            (551, &[Cause::ModemBusy][..]),
            (552, &[Cause::ApnWrong, Cause::BadParameter]),
            (568, &[Cause::ModemBusy]),
            (569, &[Cause::NetworkSlow, Cause::ApnWrong]),
            (570, &[Cause::DataConnectionDown]),
            (572, &[Cause::ContextInUse]),
            (573, &[Cause::ApnMissing]),
        ] {
            let refusal = activation_refused(vendor(code));
            assert!(refusal.causes.eq(causes.iter().copied()), "{refusal:?}");
        }
    }
}
