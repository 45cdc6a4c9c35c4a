//! What goes wrong with a dialogue, in the words of the core.

use sectag::{AtError, BringUpError, Cause, Causes, Code, Meaning, Refusal};

/// What a refused or unanswered command is to a bring-up.
pub(super) fn at(command: &'static str) -> impl Fn(AtError) -> BringUpError {
    move |error| BringUpError::At { command, error }
}

/// A dial that the module ended at once.
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

/// A module that has no PPP.
pub(super) const fn has_none(reason: &'static str) -> BringUpError {
    BringUpError::Firmware { reason }
}
