//! What `credentials csr` says of a key beside its request: what comes next, and what to do where the request was not printed.

use crate::args::CsrCredentials;
use crate::failure::Failure;
use crate::families::ModemName;
use crate::hints;
use crate::report::Report;

/// The key is there, and nobody has its request.
pub(super) fn unprinted(args: &CsrCredentials, place: &str, failure: &Failure) -> Failure {
    let unprinted = Failure::new(format!(
        "the request was not printed ({}), and its key is {place} under tag {}",
        failure.observed(),
        args.tag
    ))
    .hint("a request is not kept: without it the key is of no use, so remove it and start again")
    .hint(removal(args));
    match &args.key_out {
        Some(path) => unprinted.hint(format!(
            "and remove {}, which has the key too",
            path.display()
        )),
        None => unprinted,
    }
}

pub(super) fn note_next(args: &CsrCredentials, report: &Report) {
    report.note(&format!(
        "when the CA has signed it, store the certificate: sectag credentials store{} --tag {} --cert client.pem",
        match args.modem.modem.0 {
            Some(ModemName::Ppp) => " --modem ublox-ppp",
            _ => "",
        },
        args.tag
    ));
}

pub(super) fn removal(args: &CsrCredentials) -> String {
    format!(
        "to remove all that is under it: sectag credentials remove{} --tag {}",
        hints::place(&args.modem),
        args.tag
    )
}
