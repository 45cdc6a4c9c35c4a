//! The commands of the BG96, with one file per chapter of the manuals. A command that no chapter has
//! answers `ERROR`.

mod clock;
mod files;
mod identity;
mod pdp;
mod power;
mod radio;
mod settings;
mod sim;
mod ssl;
mod tcp;
mod transparent;

use std::rc::Rc;

use super::Bg96;
use super::parser::{Command, Fail, Op};

pub(super) use radio::{DOMAINS as REGISTRATION_DOMAINS, registration_urc};

/// The information lines of an answer.
#[derive(Default)]
pub(super) struct Reply {
    lines: Vec<String>,
}

impl Reply {
    fn line(&mut self, line: impl Into<String>) {
        self.lines.push(line.into());
    }
}

/// The end of a command that succeeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Done {
    /// `OK`, after the last command of the line.
    Ok,
    /// The command has sent its own final result; the rest of the line is not executed.
    Answered,
}

type Outcome = Result<Done, Fail>;

const OK: Outcome = Ok(Done::Ok);
const UNKNOWN: Outcome = Err(Fail::Unknown);

impl Bg96 {
    pub(super) async fn execute(self: &Rc<Self>, commands: Vec<Command>) {
        let mut reply = Reply::default();
        for command in commands {
            let outcome = match command {
                Command::Basic(name, None | Some(0)) if name == "O" => self.resume().await,
                Command::Basic(name, number) => self.basic(&name, number, &mut reply),
                Command::Extended(name, op) => self.extended(&name, &op, &mut reply).await,
            };
            match outcome {
                Ok(Done::Ok) => {}
                Ok(Done::Answered) => return,
                Err(fail) => {
                    self.send_lines(&mut reply);
                    return self.refuse(fail);
                }
            }
        }
        self.send_lines(&mut reply);
        self.finish("OK", 0);
    }

    async fn extended(self: &Rc<Self>, name: &str, op: &Op, reply: &mut Reply) -> Outcome {
        let outcome = self.chapters(name, op, reply).await;
        // `AT+QIGETERROR` reports the error of the last command of the TCP/IP and SSL chapters (sheet
        // 4.6).
        if (name.starts_with("QI") || name.starts_with("QSSL"))
            && !matches!(name, "QIGETERROR" | "QINISTAT" | "QINDCFG")
        {
            self.state.borrow_mut().last_error = match outcome {
                Ok(_) => 0,
                Err(Fail::Tcp(code)) => code,
                Err(_) => 552,
            };
        }
        outcome
    }

    async fn chapters(self: &Rc<Self>, name: &str, op: &Op, reply: &mut Reply) -> Outcome {
        for chapter in [
            Self::identity,
            Self::sim,
            Self::radio,
            Self::settings,
            Self::clock,
        ] {
            match chapter(self, name, op, reply) {
                Err(Fail::Unknown) => {}
                outcome => return outcome,
            }
        }
        macro_rules! try_chapter {
            ($($chapter:ident),*) => {$(
                match self.$chapter(name, op, reply).await {
                    Err(Fail::Unknown) => {}
                    outcome => return outcome,
                }
            )*};
        }
        try_chapter!(power, pdp, file_command, ssl, tcp);
        UNKNOWN
    }

    /// Sends the information lines, framed as in T2: `\r\n+A\r\n+B\r\n`.
    fn send_lines(&self, reply: &mut Reply) {
        if reply.lines.is_empty() {
            return;
        }
        let mut text = String::from("\r\n");
        for line in reply.lines.drain(..) {
            text.push_str(&line);
            text.push_str("\r\n");
        }
        self.core.send(text.as_bytes());
        if self.options.urc_inside_responses {
            self.flush_urcs();
        }
    }

    /// Sends a final result as a word, or with `ATV0` as a number.
    fn finish(&self, word: &str, number: u8) {
        let state = self.state.borrow();
        if state.user.quiet {
            return;
        }
        if state.user.verbose {
            self.core.send(format!("\r\n{word}\r\n").as_bytes());
        } else {
            self.core.send(format!("{number}\r").as_bytes());
        }
    }

    pub(super) fn refuse(&self, fail: Fail) {
        let cmee = self.state.borrow().user.cmee;
        match fail {
            Fail::Cme(code) if cmee > 0 => {
                // Some texts stay numbers even with CMEE=2 (sheet section 3).
                match (cmee, cme_text(code)) {
                    (2, Some(text)) => self.finish(&format!("+CME ERROR: {text}"), 4),
                    _ => self.finish(&format!("+CME ERROR: {code}"), 4),
                }
            }
            _ => self.finish("ERROR", 4),
        }
    }
}

/// Returns the text of a CME error (sheet 1.4 and 3).
fn cme_text(code: u16) -> Option<&'static str> {
    Some(match code {
        0 => "phone failure",
        3 => "operation not allowed",
        4 => "operation not supported",
        10 => "SIM not inserted",
        11 => "SIM PIN required",
        12 => "SIM PUK required",
        13 => "SIM failure",
        14 => "SIM busy",
        15 => "SIM wrong",
        16 => "incorrect password",
        30 => "no network service",
        405 => "file not found",
        407 => "file already exist",
        _ => return None,
    })
}

/// Returns the text of a TCP/IP error (sheet 4.6); `AT+QIGETERROR` spells it in lower case.
fn tcp_error_text(code: u16) -> &'static str {
    match code {
        0 => "operate successfully",
        551 => "operation blocked",
        552 => "invalid parameters",
        553 => "memory not enough",
        554 => "create socket failed",
        555 => "operation not supported",
        558 => "socket write failed",
        559 => "socket read failed",
        561 => "open pdp context failed",
        563 => "socket identity has been used",
        565 => "dns parse failed",
        566 => "socket connect failed",
        567 => "socket has been closed",
        569 => "operation timeout",
        570 => "pdp context break down",
        571 => "cancel send",
        572 => "operation not allowed",
        573 => "apn not configured",
        _ => "unknown error",
    }
}
