//! What makes no sense with a modem that speaks a binary protocol and no AT, and what to do instead.

use crate::args::Command;
use crate::failure::Failure;
use crate::families::{Choice, ModemName};

/// # Errors
/// The command is about lines of AT, and the user has named a modem that takes none. Nobody else can tell: such a modem does not
/// say who it is.
pub(super) fn admits(command: &Command) -> Result<(), Failure> {
    let refused = |name: ModemName, what: &str, hint: &str| {
        Err(Failure::new(format!("{}: {what}", name.as_str())).hint(hint))
    };
    match command {
        Command::At(args) if let Some(name) = binary(args.modem.modem) => refused(
            name,
            "it speaks a protocol of its own and no AT, so nothing can be typed",
            "sectag status tells who it is; -v shows each command and answer by name",
        ),
        Command::Record(args) if let Some(name) = binary(args.modem) => refused(
            name,
            "a recording is of AT text, and it speaks a protocol of its own",
            "give -v to the command itself: it shows each command and answer by name, without contents",
        ),
        _ => Ok(()),
    }
}

fn binary(choice: Choice) -> Option<ModemName> {
    choice.0.filter(|name| !name.speaks_at())
}
