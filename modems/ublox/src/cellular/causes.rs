//! The numbers of socket errors: their meaning, and the possible causes of a connect that ends with one
//! (sheet B.2.5).

use sectag::{Cause, Causes, Code, Meaning, Refusal};

/// A number, its meaning, and the causes of a connect that ends with it, the likeliest first.
type Row = (u16, &'static str, &'static [Cause]);

/// Every cause of TLS and TCP: the modules have no number for a failed handshake (UNCONFIRMED, sheet
/// B.2.5).
static ANY: [Cause; 16] = {
    use Cause::*;
    [
        CaMismatch,
        NameMismatch,
        NameNotCommon,
        ClientCertificateNeeded,
        Unreachable,
        CertificateExpired,
        ClientCertificateRefused,
        ClientKeyMismatch,
        ChainIncomplete,
        NoCommonSuite,
        ServerKeyUnsupported,
        SniNeeded,
        CertificateNotYetValid,
        NameUnknown,
        NotTls,
        PeerClosed,
    ]
};

#[rustfmt::skip]
static ROWS: [Row; 22] = {
    use Cause::*;
    [
        (0, "no error", &ANY),
        (5, "I/O error", &ANY),
        (9, "bad descriptor", &[ModemReset, Unknown]),
        // Also seen after a failed connect, whatever the reason (sheet E.10).
        (11, "try again", &ANY),
        (12, "out of memory", &[OutOfMemory]),
        (22, "invalid argument", &[BadParameter]),
        (32, "broken pipe", &ANY),
        (65, "end of file", &[PeerClosed]),
        (97, "address family not supported", &[NameUnknownHere, BadParameter]),
        (98, "address in use", &[ModemBusy]),
        (100, "network is down", &[DataConnectionDown]),
        (101, "network is unreachable", &[DataConnectionDown, Unreachable]),
        (103, "connection aborted", &ANY),
        (104, "connection reset", &ANY),
        (105, "no buffer space", &[OutOfMemory]),
        (106, "already connected", &[IdInUse]),
        (107, "not connected", &ANY),
        (110, "timed out", &[NetworkSlow, Unreachable, NotTls]),
        (111, "connection refused", &[Unreachable]),
        // Also for a name without an address: no other number is known for that.
        (113, "host is unreachable", &[NameUnknown, Unreachable]),
        (114, "already in progress", &[ModemBusy]),
        (115, "in progress", &[ModemBusy]),
    ]
};

fn row(code: u16) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.0 == code)
}

/// Returns the meaning of a number of `+USOER`, `+USOCTL=<s>,1` or `+UUSOCO`, or "not in the manual".
pub fn meaning(code: u16) -> &'static str {
    row(code).map_or("not in the manual", |row| row.1)
}

/// Returns the possible causes of a connect that ended with this number, before anything is ruled out.
/// It is for tools that explain a log. A connect also rules out causes that it knows not to apply, see
/// [`ConnectError::Refused`](sectag::ConnectError::Refused).
pub fn refusal(code: u16) -> Refusal {
    connect_refused(vendor(code))
}

pub(crate) fn vendor(code: u16) -> Code {
    Code::Vendor(code, Meaning::new(meaning(code)))
}

/// Returns the refusal of a connect that ended with `code`.
pub(crate) fn connect_refused(code: Code) -> Refusal {
    let causes = match code {
        Code::Vendor(code, _) => row(code).map_or(&ANY[..], |row| row.2),
        _ => &ANY,
    };
    Refusal::new(code, Causes::new(causes))
}

/// Returns the refusal of a data connection whose activation ended with `code`.
pub(crate) fn activation_refused(code: Code) -> Refusal {
    use Cause::*;
    Refusal::new(
        code,
        Causes::new(&[ApnMissing, ApnWrong, ApnLoginWrong, DataNotAllowed]),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_in_order_and_say_something() {
        assert!(ROWS.is_sorted_by(|a, b| a.0 < b.0));
        assert!(ROWS.iter().all(|row| !row.2.is_empty()));
        assert!(refusal(111).causes.eq([Cause::Unreachable]));
        assert_eq!(refusal(7).causes.next(), Some(Cause::CaMismatch));
        assert_eq!(meaning(111), "connection refused");
        assert_eq!(meaning(7), "not in the manual");
    }
}
