//! The two halves of a negotiation: what we ask for, and what the peer asks for.

use super::packet::{Control, Item, Items, Packet, code};

/// How many proposals of ours may be turned down before it is given up: each is answered at once, so that two
/// that never agree would fill the line.
const ROUNDS: u8 = 16;
/// How often something else is proposed to the peer before its wish is refused (Max-Failure of RFC 1661, 4.6).
const PROPOSALS: u8 = 5;

/// Where a negotiation stands; LCP and IPCP have one each.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Negotiation {
    /// The number of our last request.
    pub(crate) id: u8,
    /// The peer agrees to what we asked for.
    pub(crate) ours: bool,
    /// We agree to what the peer asked for.
    pub(crate) theirs: bool,
    /// Kinds of options that the peer does not take, one bit each of what we ask for.
    pub(crate) refused: u8,
    rounds: u8,
    proposals: u8,
}

/// What came of a packet of the negotiation.
pub(crate) enum Answered {
    /// Nothing: it was about an earlier request, or made no sense.
    Nothing,
    /// The peer agrees.
    Agreed,
    /// Ask again: something was turned down.
    Again,
    /// It leads nowhere.
    Never,
}

/// What we think of an option that the peer asks for.
pub(crate) enum Opinion {
    Fine,
    /// Something else is proposed, of at most 4 bytes.
    Rather([u8; 4], usize),
    No,
}

impl Negotiation {
    pub(crate) const fn new() -> Self {
        Self {
            id: 0,
            ours: false,
            theirs: false,
            refused: 0,
            rounds: 0,
            proposals: 0,
        }
    }

    /// Begins anew. The number goes on, so that a late answer is not taken for one to the next request.
    pub(crate) fn restart(&mut self) {
        *self = Self {
            id: self.id.wrapping_add(1),
            ..Self::new()
        };
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.ours && self.theirs
    }

    /// What an answer of the peer means; `sent` is the request as it was made. What a Nak or a Reject lists
    /// goes to `turned_down`.
    pub(crate) fn answered(
        &mut self,
        control: &Control<'_>,
        sent: &Packet,
        mut turned_down: impl FnMut(&mut Self, Item<'_>, bool),
    ) -> Answered {
        if control.id != self.id || self.ours {
            return Answered::Nothing;
        }
        let Some(items) = Items::parse(control.data) else {
            return Answered::Nothing;
        };
        match control.code {
            code::CONFIGURE_ACK if control.data == sent.data() => {
                self.ours = true;
                Answered::Agreed
            }
            code::CONFIGURE_ACK => Answered::Nothing,
            _ if self.rounds == ROUNDS => Answered::Never,
            _ => {
                self.rounds += 1;
                self.id = self.id.wrapping_add(1);
                for item in items {
                    turned_down(self, item, control.code == code::CONFIGURE_REJECT);
                }
                Answered::Again
            }
        }
    }

    /// The answer to a request of the peer, and whether it is agreement. `None`: it makes no sense, or is so long that an
    /// answer would not fit.
    pub(crate) fn judge<'p>(
        &mut self,
        protocol: u16,
        control: &Control<'p>,
        mut opinion: impl FnMut(Item<'p>) -> Opinion,
    ) -> Option<(Packet, bool)> {
        let items = Items::parse(control.data)?;
        let may_propose = self.proposals < PROPOSALS;
        let answer = |code| Packet::new(protocol, code, control.id);
        let (mut no, mut rather) = (answer(code::CONFIGURE_REJECT), answer(code::CONFIGURE_NAK));
        for item in items {
            // What does not fit any more is refused when the peer asks again without the first ones.
            match opinion(item) {
                Opinion::Fine => {}
                Opinion::Rather(value, len) if may_propose => {
                    rather.option(item.kind, &value[..len]);
                }
                Opinion::No | Opinion::Rather(..) => {
                    no.put(item.raw);
                }
            }
        }
        self.theirs = false;
        if !no.is_bare() {
            return Some((no.sealed(), false));
        }
        if !rather.is_bare() {
            self.proposals += 1;
            return Some((rather.sealed(), false));
        }
        let mut yes = answer(code::CONFIGURE_ACK);
        if !yes.put(control.data) {
            return None;
        }
        self.theirs = true;
        Some((yes.sealed(), true))
    }
}
