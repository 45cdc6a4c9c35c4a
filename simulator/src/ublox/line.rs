//! The UART: command lines and payload from the host, answers and URCs to it.

use std::rc::Rc;

use embassy_time::{Duration, Instant};

use super::{Power, Ublox, dial};
use crate::Reaction;
use crate::syntax::{self, Fail};

/// The time behind `@` in which bytes are lost (sheet D 3).
const PROMPT_PAUSE: Duration = Duration::from_millis(50);
/// The longest command line, in bytes; the rest is dropped.
const LINE_LIMIT: usize = 2048;

impl Ublox {
    pub(super) fn urc(&self, text: &str) {
        if self.power.get() == Power::On && !self.in_call.get() {
            self.core.send(format!("\r\n{text}\r\n").as_bytes());
        }
    }

    /// Sends an information line.
    pub(super) fn answer(&self, text: &str) {
        let spaced;
        let text = match text.split_once(": ") {
            // Some answers have no space (sheet B).
            Some((name, rest)) if self.options.profile.no_space && is_unspaced(name) => {
                spaced = format!("{name}:{rest}");
                &spaced
            }
            _ => text,
        };
        self.core.send(format!("\r\n{text}\r\n").as_bytes());
    }

    pub(super) fn ok(&self) {
        self.core.send(b"\r\nOK\r\n");
        self.result_at.set(Instant::now());
    }

    pub(super) fn fail(&self, fail: Fail) {
        let cmee = self.state.borrow().now.cmee;
        let text = match (fail, cmee) {
            (Fail::Cme(3), 2) => "+CME ERROR: operation not allowed".to_owned(),
            (Fail::Cme(4) | Fail::Unknown, 2) => "+CME ERROR: operation not supported".to_owned(),
            (Fail::Cme(code), 1) => format!("+CME ERROR: {code}"),
            (Fail::Unknown, 1) => "+CME ERROR: 4".to_owned(),
            _ => "ERROR".to_owned(),
        };
        self.core.send(format!("\r\n{text}\r\n").as_bytes());
        self.result_at.set(Instant::now());
    }

    pub(super) async fn command_loop(self: &Rc<Self>) {
        loop {
            let line = self.read_line().await;
            self.core.drained().await;
            if !line.is_empty() {
                self.execute_line(line).await;
            }
            if self.power.get() != Power::On {
                return;
            }
        }
    }

    /// Reads a line up to CR; line feeds and NULs are ignored.
    pub(super) async fn read_line(&self) -> Vec<u8> {
        let mut line = Vec::new();
        let mut lost = false;
        loop {
            let byte = self.core.read().await;
            if self.state.borrow().now.echo {
                self.core.send(&[byte]);
            }
            match byte {
                b'\r' if lost => (line, lost) = (Vec::new(), false),
                b'\r' => return line,
                b'\n' | 0 => {}
                8 => {
                    line.pop();
                }
                _ => {
                    let early = Instant::now() < self.result_at.get() + self.options.profile.gap;
                    if line.is_empty() && early && self.options.strict_gap {
                        // The line collides with output that the module still sends (sheet B.1.1).
                        lost = true;
                    }
                    if line.len() < LINE_LIMIT {
                        line.push(byte);
                    }
                }
            }
        }
    }

    pub(super) async fn execute_line(self: &Rc<Self>, line: Vec<u8>) {
        let turnaround = self.options.turnaround;
        let reaction = self.core.record_after(turnaround, &line).await;
        match reaction {
            Reaction::Normal => {}
            Reaction::Silent => return,
            Reaction::Reply(bytes) => return self.core.send(&bytes),
            Reaction::Reset => return self.reboot(),
        }
        if let Some(context) = dial::dialled(&line) {
            return self.dial(context).await;
        }
        match syntax::parse(&line) {
            Ok(command) => self.execute(command).await,
            Err(_) => self.fail(Fail::Error),
        }
    }

    /// Reads exactly this many bytes behind a prompt. Bytes that come too soon are lost, and others are
    /// awaited.
    pub(super) async fn take_payload(&self, prompt: &[u8], count: usize, echo: bool) -> Vec<u8> {
        self.core.discard_input();
        self.core.send(b"\r\n");
        self.core.send(prompt);
        let since = Instant::now();
        let mut payload = Vec::with_capacity(count);
        while payload.len() < count {
            let byte = self.core.read().await;
            if Instant::now() >= since + PROMPT_PAUSE {
                payload.push(byte);
                if echo {
                    self.core.send(&[byte]);
                }
            }
        }
        payload
    }
}

/// Returns whether LENA-R8 prints this answer without a space (sheet E.5, E.6).
fn is_unspaced(name: &str) -> bool {
    matches!(name, "+USOCR" | "+CGATT" | "+UDNSRN" | "+CEER")
}
