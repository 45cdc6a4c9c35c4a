//! Command lines: read up to their CR, echoed, and handed to the commands.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use embassy_time::Instant;

use super::parser::{self, Fail};
use super::{Bg96, Power};
use crate::Reaction;

/// The longest command line, in bytes; a longer one answers `ERROR`. UNCONFIRMED: no manual gives a
/// number.
const LINE_LIMIT: usize = 1024;

impl Bg96 {
    pub(super) async fn command_loop(self: &Rc<Self>) {
        loop {
            if self.state.borrow().multiplexes {
                self.serve_frames().await;
            }
            let received = self.read_line().await;
            self.core.drained().await;
            if let Some(line) = parser::find_line(&received) {
                self.execute_line(line).await;
            }
            if self.power.get() != Power::On {
                return;
            }
        }
    }

    /// Reads a line up to the next CR. URCs are sent while there is nothing else to do.
    async fn read_line(&self) -> Vec<u8> {
        poll_fn(|_| {
            loop {
                let mut line = self.line.borrow_mut();
                if line.is_empty() {
                    self.flush_urcs();
                }
                let Some(byte) = self.core.try_read() else {
                    self.flush_urcs();
                    return Poll::Pending;
                };
                // Sheet 1.7: in sleep the first characters are lost.
                if self.sleeps() {
                    self.wakes_by_traffic();
                    continue;
                }
                self.active_at.set(Some(Instant::now()));
                if byte == b'\n' && line.is_empty() {
                    // An LF after CR is tolerated (sheet section 0).
                    continue;
                }
                if self.state.borrow().user.echo {
                    self.core.send(&[byte]);
                }
                if byte == b'\r' {
                    return Poll::Ready(std::mem::take(&mut *line));
                }
                if line.len() <= LINE_LIMIT {
                    line.push(byte);
                }
            }
        })
        .await
    }

    async fn execute_line(self: &Rc<Self>, line: &[u8]) {
        let turnaround = self.options.turnaround;
        let reaction = self.core.record_after(turnaround, line).await;
        if self.options.urc_inside_responses {
            // Sheet 4.5: a `recv` can come between a command and its answer.
            self.flush_urcs();
        }
        match reaction {
            Reaction::Normal => {}
            Reaction::Silent => return,
            Reaction::Reply(bytes) => return self.core.send(&bytes),
            Reaction::Reset => return self.reboot(),
        }
        if line.len() > LINE_LIMIT {
            return self.refuse(Fail::Error);
        }
        let commands = match parser::parse(line) {
            Ok(commands) => commands,
            Err(fail) => return self.refuse(fail),
        };
        self.execute(commands).await;
    }
}
