//! The numbers of the TCP/IP and SSL commands.

use sectag::Code;

/// What a number of `+QSSLOPEN` or `+QIGETERROR` means (sheet 4.6). Numbers above 574 are in no
/// manual.
pub const fn meaning(code: u16) -> &'static str {
    match code {
        550 => "unknown error",
        551 => "operation blocked",
        552 => "invalid parameters",
        553 => "memory not enough",
        554 => "create socket failed",
        555 => "operation not supported",
        556 => "socket bind failed",
        557 => "socket listen failed",
        558 => "socket write failed",
        559 => "socket read failed",
        560 => "socket accept failed",
        561 => "open PDP context failed",
        562 => "close PDP context failed",
        563 => "socket identity has been used",
        564 => "DNS busy",
        565 => "DNS parse failed: the name does not resolve",
        // The modem gives this one number for an unreachable port and for every certificate failure.
        566 => "socket connect failed: port unreachable, or TLS handshake or certificate refused",
        567 => "socket has been closed",
        568 => "operation busy",
        569 => "operation timeout",
        570 => "PDP context break down",
        571 => "cancel send",
        572 => "operation not allowed",
        573 => "APN not configured",
        574 => "port busy",
        _ => "not in the manual",
    }
}

pub(crate) const fn vendor(code: u16) -> Code {
    Code::Vendor(code, meaning(code))
}
