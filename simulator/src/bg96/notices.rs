//! Unsolicited lines: to which port they go, and when.

use embassy_time::Duration;

use super::{Bg96, multiplexer};

/// How long RI is active for an unsolicited line. UNCONFIRMED: no source of the sheet gives a number.
const RING_PULSE: Duration = Duration::from_millis(120);

impl Bg96 {
    /// Queues a line that is sent only if URCs are routed to this port.
    pub(super) fn urc(&self, text: &str) {
        self.urc_bytes(text.as_bytes());
    }

    pub(super) fn urc_bytes(&self, body: &[u8]) {
        // TRAP, sheet section 0: one port only, and by default not this one.
        let here = {
            let state = self.state.borrow();
            state.nv.urc_port == "uart1" && state.nv.urc_switches.get("all") != Some(&0)
        };
        if here {
            self.queue_urc(body);
        }
    }

    /// Queues a line that is sent on every port.
    pub(super) fn system_urc(&self, text: &str) {
        self.queue_urc(text.as_bytes());
    }

    fn queue_urc(&self, body: &[u8]) {
        let mut line = [b"\r\n", body, b"\r\n"].concat();
        if self.state.borrow().multiplexes {
            line = multiplexer::frame(1, &line);
        }
        self.state.borrow_mut().urcs.push_back(line);
        self.core.touch();
    }

    /// Returns the number of bytes on their way to the host.
    pub(super) fn waiting_output(&self) -> usize {
        let urcs: usize = self.state.borrow().urcs.iter().map(Vec::len).sum();
        urcs + self.core.waiting_output()
    }

    /// Sends the queued URCs. The caller must not be inside an answer.
    pub(super) fn flush_urcs(&self) {
        while let Some(urc) = { self.state.borrow_mut().urcs.pop_front() } {
            self.core.send(&urc);
            self.core.notice.pulse(RING_PULSE);
        }
    }
}
