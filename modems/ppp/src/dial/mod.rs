//! From a module that answers AT to a line that speaks PPP: a short dialogue on the UART, before the link.
//!
//! [`Dialogue::new`] takes the UART, [`cellular`] or [`odin_w2`] dial, and [`Dialogue::behind`] is what came behind the answer, for
//! [`Runner::run`](crate::net::Runner::run). No command is sent while the link is up.

mod cellular;
mod dialogue;
mod odin_w2;

pub use cellular::{Cellular, cellular, redial};
pub use dialogue::Dialogue;
pub use odin_w2::{OdinW2, Own, odin_w2};

use sectag::{AtError, BringUpError, Cause, Causes, Code, Refusal};

/// What a refused or unanswered command is to a bring-up.
fn at(command: &'static str) -> impl Fn(AtError) -> BringUpError {
    move |error| BringUpError::At { command, error }
}

/// A dial that the module ended at once.
fn no_carrier() -> BringUpError {
    let causes = Causes::new(&[
        Cause::ApnWrong,
        Cause::DataNotAllowed,
        Cause::DataConnectionDown,
    ]);
    BringUpError::PdpRefused(Refusal::new(
        Code::Here("the module answered the dial with NO CARRIER"),
        causes,
    ))
}

/// A module that has no PPP.
const fn has_none(reason: &'static str) -> BringUpError {
    BringUpError::Firmware { reason }
}
