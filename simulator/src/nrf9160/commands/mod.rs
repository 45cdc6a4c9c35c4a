//! The commands of the unit. Those with `#` are the firmware's own; all others go to the modem core.

mod clock;
mod credentials;
mod keys;
mod native;
mod options;
mod poll;
mod radio;
mod sockets;
mod system;
mod transfer;

use std::rc::Rc;

use super::Nrf9160;
use crate::syntax::{Command, Fail, Op};

pub(super) use clock::network_time;
pub(super) use radio::registration_urc;

/// The size of the buffer for an answer of the modem core (sheet 1.4).
const RESPONSE_LIMIT: usize = 4096;

/// The end of a firmware command that succeeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Done {
    Ok,
    /// The command has sent its own final result, or sends none.
    Answered,
}

type Outcome = Result<Done, Fail>;

const OK: Outcome = Ok(Done::Ok);
const UNKNOWN: Outcome = Err(Fail::Unknown);

/// The information lines of the modem core.
type Lines = Vec<String>;
type ModemOutcome = Result<(), Fail>;

impl Nrf9160 {
    pub(super) async fn execute(self: &Rc<Self>, command: Command) {
        let Command { name, op } = command;
        if let Some(name) = name.strip_prefix('#') {
            return match self.own_command(name, &op).await {
                Ok(Done::Ok) => self.ok(),
                Ok(Done::Answered) => {}
                // The reason is only in the firmware's own log (sheet 1.3).
                Err(_) => self.error(),
            };
        }
        if self.options.profile.serial_modem {
            match self.serial_modem_command(&name, &op) {
                Ok(Done::Ok) => return self.ok(),
                Ok(Done::Answered) => return,
                Err(Fail::Unknown) => {}
                Err(_) => return self.error(),
            }
        }
        let mut lines = Lines::new();
        self.answering.set(true);
        let outcome = if name.is_empty() {
            Ok(())
        } else {
            self.modem_command(&name, &op, &mut lines)
        };
        let cmee = self.state.borrow().modem.cmee;
        let result = match outcome {
            Ok(()) => "OK".to_owned(),
            Err(Fail::Cme(code)) if cmee > 0 => format!("+CME ERROR: {code}"),
            Err(_) => "ERROR".to_owned(),
        };
        lines.push(result);
        let text: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
        if text.len() > RESPONSE_LIMIT {
            self.error();
        } else {
            self.core.send(&frame(&text));
        }
        self.answering.set(false);
        // Notices that the command has caused follow its answer.
        let after = self.after.take();
        after.iter().for_each(|urc| self.urc_bytes(urc));
    }

    async fn own_command(self: &Rc<Self>, name: &str, op: &Op) -> Outcome {
        if let Op::Set(args) = op {
            // Sheet 1.4; SM leaves out handles.
            if !self.options.profile.serial_modem {
                args.none_empty()?;
            }
        }
        macro_rules! try_chapters {
            ($($outcome:expr),*) => {$(
                match $outcome {
                    Err(Fail::Unknown) => {}
                    outcome => return outcome,
                }
            )*};
        }
        try_chapters!(
            self.system(name, op).await,
            self.native(name, op),
            self.socket_commands(name, op).await,
            self.option_commands(name, op),
            self.transfers(name, op).await,
            self.polls(name, op).await
        );
        UNKNOWN
    }

    fn modem_command(&self, name: &str, op: &Op, lines: &mut Lines) -> ModemOutcome {
        for chapter in [
            Self::radio,
            Self::clock,
            Self::credentials,
            Self::key_commands,
        ] {
            match chapter(self, name, op, lines) {
                Err(Fail::Unknown) => {}
                outcome => return outcome,
            }
        }
        Err(Fail::Unknown)
    }
}

/// Frames an answer (sheet 1.2): CR LF in front, and another one before the final result. TRAP: the
/// firmware finds the final result by the last `OK`, so an error behind a text with `OK` gets its CR LF
/// in the wrong place.
fn frame(text: &str) -> Vec<u8> {
    let result = ["OK\r\n", "ERROR\r\n", "+CME ERROR:", "+CMS ERROR:"]
        .iter()
        .find_map(|result| text.rfind(result))
        .unwrap_or(0);
    let between = if result == 0 { "" } else { "\r\n" };
    format!("\r\n{}{between}{}", &text[..result], &text[result..]).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn framing() {
        let framed = |text: &str| String::from_utf8(frame(text)).unwrap();
        assert_eq!(framed("OK\r\n"), "\r\nOK\r\n");
        assert_eq!(framed("+CFUN: 1\r\nOK\r\n"), "\r\n+CFUN: 1\r\n\r\nOK\r\n");
        assert_eq!(framed("+CME ERROR: 513\r\n"), "\r\n+CME ERROR: 513\r\n");
        assert_eq!(
            framed("%X: \"BOOK\r\n\"\r\nERROR\r\n"),
            "\r\n%X: \"BO\r\nOK\r\n\"\r\nERROR\r\n"
        );
    }
}
