//! A negotiation, in both directions: our request to the peer, and the peer's request to us.

use super::packet::{Control, Item, Items, Packet, code};

/// The number of refused requests after which the negotiation is given up. Each is answered at once, so
/// two sides that never agree would fill the line.
const ROUNDS: u8 = 16;
/// The number of proposals in place of an option of the peer, after which it is refused (Max-Failure of
/// RFC 1661, 4.6).
const PROPOSALS: u8 = 5;

/// The state of a negotiation. LCP and IPCP have one each.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Negotiation {
    /// The identifier of our last request.
    pub(crate) id: u8,
    /// The peer has agreed to our request.
    pub(crate) ours: bool,
    /// We have agreed to the peer's request.
    pub(crate) theirs: bool,
    /// The kinds of options that the peer refuses, a bit for each option that we ask for.
    pub(crate) refused: u8,
    rounds: u8,
    proposals: u8,
}

/// The result of a packet of the negotiation.
pub(crate) enum Answered {
    /// The packet had no effect: it was about an earlier request, or malformed.
    Nothing,
    /// The peer has agreed.
    Agreed,
    /// A changed request has to be sent, because the peer has refused a part of it.
    Again,
    /// The negotiation has failed.
    Never,
}

/// The judgement of an option that the peer asks for.
pub(crate) enum Opinion {
    Fine,
    /// The option is answered with this value, of at most 4 bytes, as a proposal.
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

    /// Starts over. The identifier goes on, so that a late answer is not taken for one to the next
    /// request.
    pub(crate) fn restart(&mut self) {
        *self = Self {
            id: self.id.wrapping_add(1),
            ..Self::new()
        };
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.ours && self.theirs
    }

    /// Handles an answer of the peer; `sent` is our request. Each option in a Nak or a Reject is passed
    /// to `turned_down`.
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

    /// Returns the answer to a request of the peer, and whether it is an agreement. Returns `None` if
    /// the request is malformed, or so long that an answer would not fit.
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
            // Options that no longer fit are refused when the peer asks again without the first ones.
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
