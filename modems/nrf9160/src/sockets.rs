//! The socket of a flow: selected, polled, and the events that were reported of it (sheet 3 to 5). SLM has one current
//! socket; SM has a handle in every command.

use sectag::modem::{Then, Verdict, World, ask};

use crate::commands::{QUICK, fields};
use crate::dialect::hex;
use crate::{Family, Nrf9160, Script, script};

// Bits of a poll's result (sheet 4.4).
pub(crate) const IN: u8 = 1;
pub(crate) const ERR: u8 = 8;
pub(crate) const HUP: u8 = 16;
pub(crate) const NVAL: u8 = 32;
/// The number of sockets of the firmware (sheet 4).
pub(crate) const SOCKETS: usize = 8;

/// The events that `#XAPOLL` has reported for each handle.
#[derive(Clone, Copy)]
pub(crate) struct PollReports([Option<(u8, u8)>; SOCKETS]);

impl PollReports {
    pub(crate) const NOTHING: Self = Self([None; SOCKETS]);

    /// Notes that a connection has this handle now, without events.
    pub(crate) fn begin(&mut self, handle: u8) {
        self.end(handle);
        if let Some(place) = self.0.iter_mut().find(|place| place.is_none()) {
            *place = Some((handle, 0));
        }
    }

    pub(crate) fn end(&mut self, handle: u8) {
        for place in &mut self.0 {
            if place.is_some_and(|told| told.0 == handle) {
                *place = None;
            }
        }
    }

    /// Forgets all events, since a poll is to follow, which reports them again.
    pub(crate) fn clear(&mut self) {
        for told in self.0.iter_mut().flatten() {
            told.1 = 0;
        }
    }

    /// Adds events to a handle; returns whether it is one of a connection.
    pub(crate) fn add(&mut self, handle: u8, bits: u8) -> bool {
        match self.0.iter_mut().flatten().find(|told| told.0 == handle) {
            Some(told) => {
                told.1 |= bits;
                true
            }
            None => false,
        }
    }

    pub(crate) fn of(&self, handle: u8) -> u8 {
        let told = self.0.iter().flatten().find(|told| told.0 == handle);
        told.map_or(0, |told| told.1)
    }
}

/// The connection that the current flow is about.
pub(crate) struct Transfer {
    /// The modem's handle of the connection.
    pub(crate) handle: u8,
    /// The events that a poll or notices have reported.
    pub(crate) bits: u8,
    /// The script that follows when the socket was selected, even in vain (SLM).
    pub(crate) then: u8,
    /// The number of bytes to send, in all pieces.
    pub(crate) total: u16,
    /// The time at which the current piece began.
    pub(crate) since: u32,
}

impl Transfer {
    pub(crate) const NEW: Self = Self {
        handle: 0,
        bits: 0,
        then: 0,
        total: 0,
        since: 0,
    };
}

impl<F: Family> Nrf9160<F> {
    /// Makes a socket the current one (SLM).
    pub(crate) const SELECT: Script<F> = &[ask("AT#XSOCKETSELECT={h}").limit(QUICK).then(selected)];

    pub(crate) const LIVENESS: Script<F> = &[ask("AT").limit(10).then(alive)];

    /// Forgets what was known of sockets, after a restart of the modem.
    pub(crate) fn forget(&mut self) {
        self.reports = PollReports::NOTHING;
        self.current = None;
        self.lost = false;
    }

    /// Returns whether the flow's socket can be used now.
    pub(crate) fn is_selected(&self) -> bool {
        self.has_handles() || self.current == Some(self.transfer.handle)
    }

    /// Sets the socket of the flow, and makes it the current one (SLM).
    pub(crate) fn select(&mut self, handle: u8, then: u8) -> Then {
        self.transfer.handle = handle;
        if self.is_selected() {
            return Then::To(then);
        }
        self.current = None;
        self.transfer.then = then;
        Then::To(script::SELECT)
    }

    /// Ends the flow because the connection is gone; the network may be lost as well.
    pub(crate) fn is_gone(&mut self, world: &mut World<'_>) -> Then {
        world.verdict = Verdict::NotConnected;
        self.judge_loss(Then::End)
    }
}

fn selected<F: Family>(modem: &mut Nrf9160<F>, _: &mut World<'_>, answer: Option<&[u8]>) -> Then {
    modem.current = answer.map(|_| modem.transfer.handle);
    Then::To(modem.transfer.then)
}

/// Notes a line `#XPOLL: <handle>,"0x0011"`.
pub(crate) fn polled<F: Family>(modem: &mut Nrf9160<F>, _: &mut World<'_>, line: &[u8]) {
    let mut fields = fields(line, "#XPOLL:");
    if fields.byte() == Some(modem.transfer.handle)
        && let Some([b'0', b'x', digits @ ..]) = fields.unquoted()
        && let Some(bits) = hex(digits)
    {
        modem.transfer.bits |= bits as u8;
    }
}

/// Accepts any answer, also a refusal.
fn alive<F: Family>(_: &mut Nrf9160<F>, _: &mut World<'_>, _: Option<&[u8]>) -> Then {
    Then::End
}
