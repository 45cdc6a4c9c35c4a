//! What makes no sense with `--modem ublox-ppp`: why, and what to do instead. Said before anything is opened.

use crate::args::Command;
use crate::failure::Failure;
use crate::families::ModemName;

const PPP: Option<ModemName> = Some(ModemName::Ppp);
/// The drivers of the same modules that speak AT.
const AT: &str = "for AT, name the module by --modem ublox-cellular or --modem ublox-shortrange";

/// # Errors
/// The command is about what such a modem does not have.
pub(crate) fn admits(command: &Command) -> Result<(), Failure> {
    let refused =
        |what: &str, hint: &str| Err(Failure::new(format!("ublox-ppp: {what}")).hint(hint));
    match command {
        Command::At(args) if args.modem.modem.0 == PPP => refused(
            "its line is PPP's while the link is up, so nothing can be typed",
            AT,
        ),
        Command::Restart(args) if args.modem.modem.0 == PPP => refused(
            "it is restarted as the module that it is",
            "name that by --modem ublox-cellular or --modem ublox-shortrange",
        ),
        Command::Record(args) if args.modem.0 == PPP => {
            refused("a recording is of AT text, and its line carries frames", AT)
        }
        Command::Provision(args) if args.modem.0 == PPP => refused(
            "nothing is stored in it: TLS is on the host, and so are its credentials",
            "give --ca, --cert and --key to the command that connects, or store them on this computer: sectag credentials store --modem ublox-ppp",
        ),
        _ => Ok(()),
    }
}
