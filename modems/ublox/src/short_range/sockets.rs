//! Data, and the end of connections (sheet A.4.2, A.5).

use sectag::AtError;
use sectag::at::{Fields, answer};
use sectag::modem::{Then, Verdict, World, ask, decide, either_way};

use super::dialect::error;
use super::peers::Standing;
use super::{Script, ShortRange, script};

/// After so many closes that had to be put off, 10 s apart, the peer's other number does not come any more.
const PATIENCE: u8 = 2;

/// What a flow about a connection keeps.
#[derive(Debug)]
pub(super) struct Moving {
    pub(super) handle: u32,
    /// It is listed.
    seen: bool,
}

impl Moving {
    pub(super) const NEW: Self = Self {
        handle: 0,
        seen: false,
    };
}

impl ShortRange {
    /// Nothing is answered to it.
    pub(super) const SEND: Script = &[decide(|_, world, _| {
        world.verdict = Verdict::Done;
        Then::End
    })
    .in_frames()];

    /// Data comes by itself.
    pub(super) const FETCH: Script = &[decide(|_, world, _| {
        world.verdict = Verdict::Empty;
        Then::End
    })];

    /// What the module lists it still has.
    pub(super) const LOOK: Script = &[
        decide(|modem, world, _| {
            modem.moving.seen = false;
            match modem.peers.handle_of(world.id) {
                Some(handle) => {
                    modem.moving.handle = handle;
                    Then::Next
                }
                None => {
                    world.verdict = Verdict::Gone;
                    Then::End
                }
            }
        }),
        ask("AT+UDLP?")
            .each(|modem: &mut Self, _, line| {
                let handle = answer(line, "+UDLP:").and_then(|line| Fields::new(line).int());
                modem.moving.seen |= handle == Some(modem.moving.handle);
            })
            .then(|modem, world, answer| {
                if answer.is_none() {
                    return world.fail(error(world));
                }
                world.verdict = if modem.moving.seen {
                    Verdict::Standing
                } else {
                    Verdict::Gone
                };
                Then::End
            }),
    ];

    pub(super) const CLOSE: Script = &[decide(close)];

    /// It is free once both of its ends were told.
    pub(super) const CLOSE_PEER: Script = &[ask("AT+UDCPC={h}").then(|modem, world, answer| {
        if world.ended.is_some() {
            return world.fail(error(world));
        }
        if answer.is_none() {
            // There is no such peer any more.
            modem.peers.forget(world.id);
        } else if modem.peers.of_channel(world.id) != Standing::Unknown {
            world.verdict = Verdict::Closing;
        }
        Then::End
    })];

    pub(super) const LIVENESS: Script = &[ask("AT").limit(10).then(either_way)];

    pub(super) const CLEANUP: Script = &[decide(|modem, _, _| match (modem.half, modem.lost) {
        (Some(_), _) => Then::To(script::REMOVE_HALF),
        (None, true) => Then::To(script::SWEEP),
        (None, false) => Then::End,
    })];

    /// Closes what the module has, and nobody knows of: what was told of it was lost.
    pub(super) const SWEEP: Script = &[
        decide(|modem, _, _| {
            modem.waking.stale.clear();
            Then::Next
        }),
        ask("AT+UDLP?")
            .each(Self::peer_listed)
            .then(|modem, world, answer| {
                if answer.is_none() {
                    return world.fail(error(world));
                }
                modem.lost = false;
                Then::To(script::STALE_PEER)
            }),
    ];

    /// What a store that was given up may have left; refused, there is none.
    pub(super) const REMOVE_HALF: Script = &[ask("AT+USECMNG=2,{r}").then(|modem, world, _| {
        if world.ended.is_some() {
            return world.fail(error(world));
        }
        modem.half = None;
        Then::To(script::CLEANUP)
    })];

    /// It can neither be switched off nor be let sleep by a command: `+CPWROFF` restarts it (sheet A.1.2).
    pub(super) const POWER_OFF: Script = &[decide(|_, world, _| world.fail(AtError::Unsupported))];

    pub(super) const SLEEP: Script = Self::POWER_OFF;
}

fn close(modem: &mut ShortRange, world: &mut World<'_>, _: Option<&[u8]>) -> Then {
    match modem.peers.of_channel(world.id) {
        Standing::Unknown => Then::End,
        Standing::Whole => closes(modem, world),
        // Its other number, or its other end, is still to be told.
        Standing::Half | Standing::Ending => {
            if modem.peers.put_off(world.id) > PATIENCE {
                return closes(modem, world);
            }
            world.verdict = Verdict::Closing;
            Then::End
        }
    }
}

fn closes(modem: &mut ShortRange, world: &mut World<'_>) -> Then {
    match modem.peers.handle_of(world.id) {
        Some(handle) => {
            modem.moving.handle = handle;
            Then::To(script::CLOSE_PEER)
        }
        // Its handle was told gone, or never told at all.
        None => {
            modem.peers.forget(world.id);
            modem.lost = true;
            world.cleanup = true;
            Then::End
        }
    }
}
