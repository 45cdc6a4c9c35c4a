//! What is done with a connection: send, fetch, look, close (sheet B.2.3, B.2.4).

use sectag::AtError;
use sectag::at::{Fields, answer, decimal};
use sectag::cellular::registration;
use sectag::modem::{Then, Verdict, World, ask, decide, either_way, took};

use super::{Script, UbloxCellular, script};

/// They are numbered from 0.
pub(crate) const SOCKETS: u8 = 7;
/// The queue of what is sent is full (sheet B.2.3).
const QUEUE_FULL: u32 = 11;
/// A connection that stands.
const ESTABLISHED: u32 = 4;

/// What is known of the module's sockets.
pub(crate) struct Sockets {
    /// There may be one that nobody knows.
    pub(crate) lost: bool,
    /// What each has taken, in bytes, wrapping.
    taken: [u32; SOCKETS as usize],
    /// The one that is being fetched from.
    pub(crate) fetched: u8,
    /// The module said that it took so much of a send.
    claimed: u16,
}

impl Sockets {
    pub(crate) const NEW: Self = Self {
        lost: false,
        taken: [0; SOCKETS as usize],
        fetched: 0,
        claimed: 0,
    };

    /// A connection has this number now.
    pub(crate) fn begin(&mut self, id: u8) {
        if let Some(taken) = self.taken.get_mut(usize::from(id)) {
            *taken = 0;
        }
    }

    fn taken(&mut self, id: u8) -> Option<&mut u32> {
        self.taken.get_mut(usize::from(id))
    }
}

impl UbloxCellular {
    /// The payload follows its cue, and cannot be interrupted.
    pub(crate) const SEND: Script = &[ask("AT+USOWR={i},{l}").sends().limit(1200).then(Self::sent)];

    /// What was taken in part is asked for once more: were the number altered on its way, the rest would be sent
    /// twice.
    pub(crate) const SENT: Script = &[ask("AT+USOCTL={i},2").then(Self::total_told)];

    /// Why a write was refused that nothing was taken of.
    pub(crate) const NOT_SENT: Script = &[ask("AT+USOCTL={i},1")
        .even_unanswered()
        .then(Self::error_told)];

    /// As many bytes as there are, up to what is asked for.
    pub(crate) const FETCH: Script = &[
        decide(Self::begin_fetch),
        ask("AT+USORD={i},{l}")
            .fetches()
            .limit(100)
            .then(Self::fetched),
        decide(Self::fetched_nothing),
    ];

    /// Only how much there is.
    pub(crate) const COUNT: Script = &[ask("AT+USORD={i},0").limit(100).then(Self::counted)];

    /// The peer has closed, or the connection is lost: by the time that this is answered it was told.
    pub(crate) const GONE: Script = &[
        ask("AT+USOCTL={i},10").even_unanswered().then(either_way),
        decide(Self::is_gone),
    ];

    /// The state of a connection.
    pub(crate) const LOOK: Script = &[ask("AT+USOCTL={i},10").then(Self::state_told)];

    /// It does not stand: whether the network does.
    pub(crate) const LOST: Script = &[
        ask("AT+CEREG?").then(Self::lte_told),
        ask("AT+CGREG?").then(Self::network_told),
    ];

    /// Its answer waits for the peer, unless the model can tell the end later.
    pub(crate) const CLOSE: Script = &[decide(|modem, _, _| {
        Then::To(if modem.row().closes_later {
            script::CLOSE_LATER
        } else {
            script::CLOSE_NOW
        })
    })];

    /// One that is closed already is refused (sheet E.11).
    pub(crate) const CLOSE_NOW: Script = &[ask("AT+USOCL={i}").limit(1200).then(either_way)];

    pub(crate) const CLOSE_LATER: Script = &[ask("AT+USOCL={i},1").limit(100).then(Self::closing)];

    pub(crate) const LIVENESS: Script = &[ask("AT").limit(10).then(either_way)];

    fn closing(&mut self, world: &mut World<'_>, answer: Option<&[u8]>) -> Then {
        world.verdict = match answer {
            Some(_) => Verdict::Closing,
            None => Verdict::Done,
        };
        Then::End
    }

    fn sent(&mut self, world: &mut World<'_>, text: Option<&[u8]>) -> Then {
        let Some(text) = text else {
            if world.prompted {
                // It may have some of it: nothing is sent again.
                world.verdict = Verdict::Failed;
                return Then::End;
            }
            return Then::To(script::NOT_SENT);
        };
        if let Some(said) = answer(text, "+USOWR:")
            && Fields::new(said).byte() != Some(world.id)
        {
            return world.fail(AtError::Garbled);
        }
        let then = took(world, text, "+USOWR:", 1);
        if then == Then::Fail {
            return then;
        }
        if world.taken > 0 && world.taken < world.len {
            self.sockets.claimed = world.taken;
            return Then::To(script::SENT);
        }
        self.note_taken(world);
        then
    }

    fn note_taken(&mut self, world: &World<'_>) {
        if let (Some(total), Verdict::Done) = (self.sockets.taken(world.id), world.verdict) {
            *total = total.wrapping_add(world.taken.into());
        }
    }

    /// `+USOCTL: <s>,2,<n>`.
    fn total_told(&mut self, world: &mut World<'_>, text: Option<&[u8]>) -> Then {
        let told = text.and_then(|text| control(text, world.id, 2));
        let before = self.sockets.taken(world.id).copied().unwrap_or(0);
        // What it says otherwise it may count in another way.
        world.taken = if told == Some(before.wrapping_add(world.len.into())) {
            world.len
        } else {
            self.sockets.claimed
        };
        world.verdict = Verdict::Done;
        self.note_taken(world);
        Then::End
    }

    /// SARA-R410 refuses to send while there is something to be fetched (sheet D 4).
    fn error_told(&mut self, world: &mut World<'_>, text: Option<&[u8]>) -> Then {
        let error = text.and_then(|text| control(text, world.id, 1));
        world.verdict = match error {
            Some(0 | QUEUE_FULL) => Verdict::Busy,
            _ => Verdict::NotConnected,
        };
        Then::End
    }

    fn begin_fetch(&mut self, world: &mut World<'_>, _: Option<&[u8]>) -> Then {
        self.sockets.fetched = world.id;
        if world.len > 0 {
            Then::Next
        } else {
            Then::To(script::COUNT)
        }
    }

    fn fetched(&mut self, world: &mut World<'_>, answer: Option<&[u8]>) -> Then {
        world.verdict = match (answer, world.received) {
            (Some(_), Some(0)) => Verdict::Empty,
            (Some(_), Some(_)) => Verdict::Done,
            // There is no such connection, or not any more.
            (None, _) => return Then::To(script::GONE),
            // The answer to something else.
            (Some(_), None) => return Then::Synchronise,
        };
        Then::End
    }

    fn fetched_nothing(&mut self, world: &mut World<'_>, _: Option<&[u8]>) -> Then {
        world.fail(AtError::Garbled)
    }

    /// `+USORD: <s>,<n>`.
    fn counted(&mut self, world: &mut World<'_>, text: Option<&[u8]>) -> Then {
        let Some(text) = text else {
            return Then::To(script::GONE);
        };
        let count = answer(text, "+USORD:").and_then(|text| {
            let mut fields = Fields::new(text);
            Some((fields.byte()?, fields.int()?))
        });
        world.verdict = match count {
            Some((id, 0)) if id == world.id => Verdict::Empty,
            Some((id, _)) if id == world.id => Verdict::Done,
            _ => return world.fail(AtError::Garbled),
        };
        Then::End
    }

    fn is_gone(&mut self, world: &mut World<'_>, _: Option<&[u8]>) -> Then {
        world.verdict = Verdict::NotConnected;
        Then::To(script::LOST)
    }

    /// `+USOCTL: <s>,10,<state>`. In any other state than this one there is at most something to be fetched.
    fn state_told(&mut self, world: &mut World<'_>, text: Option<&[u8]>) -> Then {
        let state = match text {
            Some(text) => match control(text, world.id, 10) {
                None => return world.fail(AtError::Garbled),
                state => state,
            },
            None => None,
        };
        if state == Some(ESTABLISHED) {
            world.verdict = Verdict::Standing;
            return Then::End;
        }
        world.verdict = Verdict::Gone;
        Then::To(script::LOST)
    }

    fn lte_told(&mut self, _: &mut World<'_>, text: Option<&[u8]>) -> Then {
        if is_registered(text, "+CEREG:") {
            Then::End
        } else {
            Then::Next
        }
    }

    fn network_told(&mut self, world: &mut World<'_>, text: Option<&[u8]>) -> Then {
        if !is_registered(text, "+CGREG:") {
            world.network_lost = true;
        }
        Then::End
    }
}

fn is_registered(text: Option<&[u8]>, name: &str) -> bool {
    let stat = text.and_then(|text| registration(text, name));
    matches!(stat, Some(1 | 5))
}

/// The value of `+USOCTL: <s>,<what>,<value>`.
fn control(text: &[u8], id: u8, what: u32) -> Option<u32> {
    let mut fields = Fields::new(answer(text, "+USOCTL:")?);
    let is = fields.byte() == Some(id) && fields.int() == Some(what);
    let value = decimal(fields.next()?);
    value.filter(|_| is)
}
