//! Closes of connections, also of those that no slot knows (sheet 4, 5).

use sectag::modem::{Then, World, ask, decide};

use crate::commands::{QUICK, SLOW, error, fields};
use crate::sockets::SOCKETS;
use crate::{Family, Nrf9160, Script, script};

/// The state of a flow that closes sockets.
pub(crate) struct Closing {
    bring_up: bool,
    /// Whether the sockets were listed.
    has_listed: bool,
    /// Sockets that no slot knows.
    strays: heapless::Vec<u8, SOCKETS>,
}

impl Closing {
    pub(crate) const NEW: Self = Self {
        bring_up: false,
        has_listed: false,
        strays: heapless::Vec::new(),
    };
    /// Closes every socket, in a bring-up.
    pub(crate) const BRING_UP: Self = Self {
        bring_up: true,
        has_listed: false,
        strays: heapless::Vec::new(),
    };
}

impl<F: Family> Nrf9160<F> {
    pub(crate) const CLOSE: Script<F> = &[decide(close)];

    pub(crate) const CLOSE_CURRENT: Script<F> = &[
        decide(is_current),
        ask("AT#XSOCKET=0").limit(SLOW).then(closed),
    ];

    pub(crate) const CLOSE_HANDLE: Script<F> = &[ask("AT#XCLOSE={h}").limit(SLOW).then(closed)];

    pub(crate) const LIST_CURRENT: Script<F> = &[ask("AT#XSOCKETSELECT?")
        .limit(QUICK)
        .each(current_listed)
        .then(listed)];

    /// Lists the TLS sockets; SM lists plain ones apart.
    pub(crate) const LIST_HANDLES: Script<F> = &[ask("AT#XSSOCKET?")
        .limit(QUICK)
        .each(handle_listed)
        .then(listed)];

    /// Cleans up: returns to the network after a change of credentials, and closes sockets whose handle
    /// was lost.
    pub(crate) const CLEANUP: Script<F> = &[decide(|modem, _, _| {
        if modem.offline {
            modem.join(script::TIDIED)
        } else {
            Then::To(script::TIDIED)
        }
    })];

    pub(crate) const TIDIED: Script<F> = &[decide(close_lost)];

    fn list(&self) -> Then {
        Then::To(if self.has_handles() {
            script::LIST_HANDLES
        } else {
            script::LIST_CURRENT
        })
    }

    fn close_this(&mut self, handle: u8) -> Then {
        let then = if self.has_handles() {
            script::CLOSE_HANDLE
        } else {
            script::CLOSE_CURRENT
        };
        self.select(handle, then)
    }

    /// Closes the next socket that no slot knows.
    fn close_next(&mut self) -> Then {
        if !self.closing.strays.is_empty() {
            let handle = self.closing.strays.remove(0);
            return self.close_this(handle);
        }
        if self.closing.bring_up {
            return Then::To(script::END_NOTICES);
        }
        if self.closing.has_listed {
            self.lost = false;
        } else if self.lost {
            // The answer to an open was lost, so the sockets are listed.
            return self.list();
        }
        Then::End
    }
}

fn close<F: Family>(modem: &mut Nrf9160<F>, world: &mut World<'_>, _: Option<&[u8]>) -> Then {
    // A check may have failed before its poll.
    modem.checked(world, false);
    modem.closing = Closing::NEW;
    modem.close_this(world.id)
}

/// Closes the current socket. One that cannot be selected does not exist any more.
fn is_current<F: Family>(modem: &mut Nrf9160<F>, world: &mut World<'_>, _: Option<&[u8]>) -> Then {
    if modem.is_selected() {
        Then::Next
    } else {
        closed(modem, world, None)
    }
}

/// Goes on after a close. A refusal means that the socket does not exist any more.
fn closed<F: Family>(modem: &mut Nrf9160<F>, _: &mut World<'_>, _: Option<&[u8]>) -> Then {
    // The firmware makes another socket the current one.
    modem.current = None;
    modem.reports.end(modem.transfer.handle);
    modem.close_next()
}

fn close_lost<F: Family>(modem: &mut Nrf9160<F>, _: &mut World<'_>, _: Option<&[u8]>) -> Then {
    modem.closing = Closing::NEW;
    modem.close_next()
}

fn current_listed<F: Family>(modem: &mut Nrf9160<F>, world: &mut World<'_>, line: &[u8]) {
    one_listed(modem, world, line, "#XSOCKETSELECT:");
}

fn handle_listed<F: Family>(modem: &mut Nrf9160<F>, world: &mut World<'_>, line: &[u8]) {
    one_listed(modem, world, line, "#XSSOCKET:");
}

fn one_listed<F: Family>(modem: &mut Nrf9160<F>, world: &mut World<'_>, line: &[u8], prefix: &str) {
    // The line of the current socket has only its handle.
    let mut fields = fields(line, prefix);
    if let (Some(handle), Some(_)) = (fields.byte(), fields.next())
        && !world.knows(handle)
    {
        let _ = modem.closing.strays.push(handle);
    }
}

fn listed<F: Family>(modem: &mut Nrf9160<F>, world: &mut World<'_>, answer: Option<&[u8]>) -> Then {
    if answer.is_none() {
        if modem.closing.bring_up {
            return world.fail(error(world));
        }
        // The next close lists again.
        return Then::End;
    }
    modem.closing.has_listed = true;
    modem.close_next()
}
