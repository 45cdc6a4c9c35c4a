//! Fetches from a connection, and looks whether it still exists (sheet 4.4, 4.5).

use sectag::AtError;
use sectag::modem::{Then, Verdict, World, ask, decide};

use crate::commands::{QUICK, error, last};
use crate::sockets::{ERR, HUP, NVAL, polled};
use crate::{Family, Nrf9160, Script, script};

/// The errno for a message that is too large (sheet 9).
const EMSGSIZE: u32 = 122;

impl<F: Family> Nrf9160<F> {
    /// Fetches received bytes. SM has announced them already; SLM is polled first.
    pub(crate) const FETCH: Script<F> = &[decide(fetch)];

    /// Polls a socket. It never waits, since every other exchange would wait with it.
    pub(crate) const POLL: Script<F> = &[ask("AT#XPOLL=0,{h}")
        .limit(QUICK)
        .each(polled)
        .then(fetch_polled)];

    pub(crate) const READ: Script<F> = &[decide(read)];

    pub(crate) const RECEIVE: Script<F> =
        &[ask("AT#XRECV={r}").limit(QUICK).fetches().then(received)];

    /// Asks why the current socket is broken, on firmware that reports it.
    pub(crate) const WHY_BROKEN: Script<F> = &[ask("AT#XSOCKETOPT=0,4").limit(QUICK).then(errno)];

    pub(crate) const LOOK: Script<F> = &[decide(look)];

    pub(crate) const LOOK_BY_POLL: Script<F> = &[ask("AT#XPOLL=0,{h}")
        .limit(QUICK)
        .each(polled)
        .then(looked_by_poll)];

    /// Asks for notices again, so that events that were missed are repeated (sheet 4.4).
    pub(crate) const LOOK_BY_NOTICE: Script<F> = &[ask("AT#XAPOLL={h},1,1")
        .limit(QUICK)
        .even_unanswered()
        .then(notices_repeated)];
}

fn fetch<F: Family>(modem: &mut Nrf9160<F>, world: &mut World<'_>, _: Option<&[u8]>) -> Then {
    if modem.watches() {
        if modem.watch.is_on() && modem.reports.of(world.id) == 0 {
            // Data would have been announced.
            world.verdict = Verdict::Empty;
            return Then::End;
        }
        return modem.unwatch(script::FETCH);
    }
    modem.transfer.handle = world.id;
    modem.transfer.bits = 0;
    if modem.has_handles() {
        modem.transfer.bits = modem.reports.of(world.id);
        return Then::To(script::READ);
    }
    Then::To(script::POLL)
}

fn fetch_polled<F: Family>(
    modem: &mut Nrf9160<F>,
    world: &mut World<'_>,
    answer: Option<&[u8]>,
) -> Then {
    let bits = modem.transfer.bits;
    if answer.is_none() {
        modem.poll_refused();
    }
    if answer.is_none() || bits & NVAL != 0 {
        return modem.is_gone(world);
    }
    if bits == 0 {
        world.verdict = Verdict::Empty;
        return modem.polled_in_vain();
    }
    modem.watch.traffic();
    modem.select(world.id, script::READ)
}

fn read<F: Family>(modem: &mut Nrf9160<F>, world: &mut World<'_>, _: Option<&[u8]>) -> Then {
    if !modem.is_selected() {
        return modem.is_gone(world);
    }
    if world.len > 0 {
        return Then::To(script::RECEIVE);
    }
    // There is no room: the caller only wants to know why a send failed.
    match modem.transfer.bits {
        0 => world.verdict = Verdict::Empty,
        bits if bits & (ERR | NVAL) == 0 => world.verdict = Verdict::Done,
        _ => return broken(modem, world),
    }
    Then::End
}

fn received<F: Family>(
    modem: &mut Nrf9160<F>,
    world: &mut World<'_>,
    answer: Option<&[u8]>,
) -> Then {
    world.verdict = match (answer, world.received) {
        (Some(_), Some(0)) => Verdict::Empty,
        (Some(_), Some(_)) => Verdict::Done,
        (Some(b""), None) => Verdict::End,
        // The header has lost a byte, and the payload follows it.
        (Some(_), None) => return world.fail(AtError::Garbled),
        (None, _) => {
            // A notice may have come in the meantime.
            modem.transfer.bits |= modem.reports.of(world.id);
            // The poll shows whether there is no data yet or the connection is broken.
            if modem.transfer.bits & (ERR | HUP | NVAL) != 0 {
                return broken(modem, world);
            }
            Verdict::Empty
        }
    };
    Then::End
}

fn broken<F: Family>(modem: &mut Nrf9160<F>, world: &mut World<'_>) -> Then {
    if modem.firmware().release().errno {
        return Then::To(script::WHY_BROKEN);
    }
    if modem.transfer.bits & (ERR | HUP | NVAL) == ERR {
        // A peer or LTE that is gone also hangs up (sheet 4.5), so TLS alone has failed. After a
        // complete handshake that is a record larger than the modem's buffer (sheet 7.5). UNCONFIRMED
        // which bits it sets.
        world.verdict = Verdict::TooLarge;
        return modem.judge_loss(Then::End);
    }
    if modem.transfer.bits & (ERR | HUP | NVAL) == ERR | HUP {
        // A peer that resets the connection, or LTE that is gone.
        world.verdict = Verdict::Broken;
        return modem.judge_loss(Then::End);
    }
    modem.is_gone(world)
}

fn errno<F: Family>(modem: &mut Nrf9160<F>, world: &mut World<'_>, answer: Option<&[u8]>) -> Then {
    if answer.and_then(|text| last(text, "#XSOCKETOPT:")) == Some(EMSGSIZE) {
        world.verdict = Verdict::TooLarge;
        return Then::End;
    }
    modem.is_gone(world)
}

fn look<F: Family>(modem: &mut Nrf9160<F>, world: &mut World<'_>, _: Option<&[u8]>) -> Then {
    if modem.watches() {
        return modem.unwatch_to_check(script::LOOK);
    }
    modem.transfer.handle = world.id;
    modem.transfer.bits = 0;
    Then::To(if modem.has_handles() {
        script::LOOK_BY_NOTICE
    } else {
        script::LOOK_BY_POLL
    })
}

fn looked<F: Family>(modem: &mut Nrf9160<F>, world: &mut World<'_>, answer: Option<&[u8]>) -> Then {
    if answer.is_none() {
        return world.fail(error(world));
    }
    world.verdict = if modem.transfer.bits & (ERR | NVAL) == 0 {
        Verdict::Standing
    } else {
        Verdict::Gone
    };
    Then::End
}

/// Judges a look by a poll. What the poll reports, also that the socket is gone, the next fetch judges
/// with its reason: a socket that does not exist any more was not closed by the peer.
fn looked_by_poll<F: Family>(
    modem: &mut Nrf9160<F>,
    world: &mut World<'_>,
    answer: Option<&[u8]>,
) -> Then {
    if answer.is_none() {
        modem.poll_refused();
        return world.fail(error(world));
    }
    world.verdict = Verdict::Standing;
    modem.checked(world, modem.transfer.bits == 0)
}

/// Judges the repeated notices. A refusal means that the socket does not exist any more. The peer has
/// not closed it, since it would exist then.
fn notices_repeated<F: Family>(
    modem: &mut Nrf9160<F>,
    world: &mut World<'_>,
    answer: Option<&[u8]>,
) -> Then {
    if answer.is_none() {
        let end = world.fail(error(world));
        return modem.judge_loss(end);
    }
    modem.transfer.bits = modem.reports.of(world.id);
    looked(modem, world, answer)
}
