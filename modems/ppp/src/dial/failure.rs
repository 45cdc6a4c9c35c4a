//! Failures of a dialogue as errors of the core.

use sectag::{AtError, BringUpError, Cause, Causes, Code, Meaning, Refusal};

/// Returns the bring-up error for a command that was refused or not answered.
pub(super) fn at(command: &'static str) -> impl Fn(AtError) -> BringUpError {
    move |error| BringUpError::At { command, error }
}

/// Returns the error for a dial that the module ended at once.
pub(super) fn no_carrier() -> BringUpError {
    let causes = Causes::new(&[
        Cause::ApnWrong,
        Cause::DataNotAllowed,
        Cause::DataConnectionDown,
    ]);
    BringUpError::PdpRefused(Refusal::new(
        Code::Here(Meaning::new("the module answered the dial with NO CARRIER")),
        causes,
    ))
}

/// Returns the error for a module without PPP.
pub(super) const fn has_none(reason: &'static str) -> BringUpError {
    BringUpError::Firmware { reason }
}
