//! Data, and the end of connections (sheet A.4.2, A.5).

use sectag::AtError;
use sectag::at::{Fields, answer};
use sectag::modem::{Then, Verdict, World, ask, decide, either_way};

use super::dialect::error;
use super::peers::Standing;
use super::{Script, ShortRange, script};

/// How often a close is put off, 10 s apart, before the peer's other number is taken for lost.
const PATIENCE: u8 = 2;

/// The peer that the current flow is about.
#[derive(Debug)]
pub(super) struct PeerScratch {
    pub(super) handle: u32,
    /// Whether the handle is in the module's list of peers.
    seen: bool,
}

impl PeerScratch {
    pub(super) const NEW: Self = Self {
        handle: 0,
        seen: false,
    };
}

impl ShortRange {
    /// Sends a frame. The module answers nothing to it.
    pub(super) const SEND: Script = &[decide(|_, world, _| {
        world.verdict = Verdict::Done;
        Then::End
    })
    .in_frames()];

    /// Never has anything to fetch, since data is pushed.
    pub(super) const FETCH: Script = &[decide(|_, world, _| {
        world.verdict = Verdict::Empty;
        Then::End
    })];

    /// Asks for the module's list of peers.
    pub(super) const LOOK: Script = &[
        decide(|modem, world, _| {
            modem.peer_scratch.seen = false;
            match modem.peers.handle_of(world.id) {
                Some(handle) => {
                    modem.peer_scratch.handle = handle;
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
                modem.peer_scratch.seen |= handle == Some(modem.peer_scratch.handle);
            })
            .then(|modem, world, answer| {
                if answer.is_none() {
                    return world.fail(error(world));
                }
                world.verdict = if modem.peer_scratch.seen {
                    Verdict::Standing
                } else {
                    Verdict::Gone
                };
                Then::End
            }),
    ];

    pub(super) const CLOSE: Script = &[decide(close)];

    /// Closes a peer. Its slot is free once both sides have reported the end.
    pub(super) const CLOSE_PEER: Script = &[ask("AT+UDCPC={h}").then(|modem, world, answer| {
        if world.ended.is_some() {
            return world.fail(error(world));
        }
        if answer.is_none() {
            // A refusal means that the peer does not exist any more.
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

    /// Closes peers of the module that no slot knows, because a report about them was lost.
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

    /// Removes what an interrupted upload may have left. A refusal means that there is nothing.
    pub(super) const REMOVE_HALF: Script = &[ask("AT+USECMNG=2,{r}").then(|modem, world, _| {
        if world.ended.is_some() {
            return world.fail(error(world));
        }
        modem.half = None;
        Then::To(script::CLEANUP)
    })];

    /// Always fails: the module can neither be switched off nor sent to sleep by a command; `+CPWROFF`
    /// restarts it (sheet A.1.2).
    pub(super) const POWER_OFF: Script = &[decide(|_, world, _| world.fail(AtError::Unsupported))];

    pub(super) const SLEEP: Script = Self::POWER_OFF;
}

fn close(modem: &mut ShortRange, world: &mut World<'_>, _: Option<&[u8]>) -> Then {
    match modem.peers.of_channel(world.id) {
        Standing::Unknown => Then::End,
        Standing::Whole => closes(modem, world),
        // One of its numbers, or one of its ends, has not been reported yet.
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
            modem.peer_scratch.handle = handle;
            Then::To(script::CLOSE_PEER)
        }
        // The handle was reported gone, or never reported at all.
        None => {
            modem.peers.forget(world.id);
            modem.lost = true;
            world.cleanup = true;
            Then::End
        }
    }
}
