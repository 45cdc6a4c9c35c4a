//! Send, fetch, look and close on a connection (sheet B.2.3, B.2.4).

use sectag::AtError;
use sectag::at::{Fields, answer, decimal};
use sectag::cellular::registration;
use sectag::modem::{Then, Verdict, World, ask, decide, either_way, took};

use super::{Script, UbloxCellular, script};

/// The number of sockets; they are numbered from 0.
pub(crate) const SOCKETS: u8 = 7;
/// The socket error of a full send queue (sheet B.2.3).
const QUEUE_FULL: u32 = 11;
/// The state of an open connection.
const ESTABLISHED: u32 = 4;

/// The driver's record of the module's sockets.
pub(crate) struct Sockets {
    /// A socket may be open whose number is not known.
    pub(crate) lost: bool,
    /// The number of bytes that each socket has taken, wrapping.
    taken: [u32; SOCKETS as usize],
    /// The socket from which data is fetched.
    pub(crate) fetched: u8,
    /// The number of bytes that the module reports it took of the current send.
    claimed: u16,
}

impl Sockets {
    pub(crate) const NEW: Self = Self {
        lost: false,
        taken: [0; SOCKETS as usize],
        fetched: 0,
        claimed: 0,
    };

    /// Notes that a connection has this number now.
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
    /// Sends a frame. The payload follows the prompt, and cannot be interrupted.
    pub(crate) const SEND: Script = &[ask("AT+USOWR={i},{l}").sends().limit(1200).then(Self::sent)];

    /// Asks for the total after a send that was taken in part, or not at all: if noise altered the
    /// reported number, bytes would be sent twice.
    pub(crate) const SENT: Script = &[ask("AT+USOCTL={i},2").then(Self::total_told)];

    /// Asks for the error of a write of which nothing was taken.
    pub(crate) const NOT_SENT: Script = &[ask("AT+USOCTL={i},1")
        .even_unanswered()
        .then(Self::error_told)];

    /// Fetches received bytes; the module sends as many as it has, up to the length that is asked for.
    pub(crate) const FETCH: Script = &[
        decide(Self::begin_fetch),
        ask("AT+USORD={i},{l}")
            .fetches()
            .limit(100)
            .then(Self::fetched),
        decide(Self::fetched_nothing),
    ];

    /// Asks how many bytes can be fetched.
    pub(crate) const COUNT: Script = &[ask("AT+USORD={i},0").limit(100).then(Self::counted)];

    /// Asks for the state of a connection that is closed or lost, so that the URC which reports the
    /// close comes first.
    pub(crate) const GONE: Script = &[
        ask("AT+USOCTL={i},10").even_unanswered().then(either_way),
        decide(Self::is_gone),
    ];

    /// Asks for the state of a connection.
    pub(crate) const LOOK: Script = &[ask("AT+USOCTL={i},10").then(Self::state_told)];

    /// Asks for the registration after a connection was found closed.
    pub(crate) const LOST: Script = &[
        ask("AT+CEREG?").then(Self::lte_told),
        ask("AT+CGREG?").then(Self::network_told),
    ];

    /// Closes a connection. The answer waits for the peer, unless the model can report the end later.
    pub(crate) const CLOSE: Script = &[decide(|modem, _, _| {
        Then::To(if modem.row().closes_later {
            script::CLOSE_LATER
        } else {
            script::CLOSE_NOW
        })
    })];

    /// Closes a connection and waits. One that is closed already is refused (sheet E.11).
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
                // The module may have taken a part, so nothing is sent again.
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
        if world.taken < world.len {
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

    /// Judges `+USOCTL: <s>,2,<n>`.
    fn total_told(&mut self, world: &mut World<'_>, text: Option<&[u8]>) -> Then {
        let told = text.and_then(|text| control(text, world.id, 2));
        let before = self.sockets.taken(world.id).copied().unwrap_or(0);
        // Another total may be counted in another way, so the first report is kept.
        world.taken = if told == Some(before.wrapping_add(world.len.into())) {
            world.len
        } else {
            self.sockets.claimed
        };
        world.verdict = if world.taken > 0 {
            Verdict::Done
        } else {
            Verdict::Busy
        };
        self.note_taken(world);
        Then::End
    }

    /// Judges the error of a write. SARA-R410 refuses to send while received data can be fetched (sheet
    /// D 4).
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
            // The connection does not exist, or not any more.
            (None, _) => return Then::To(script::GONE),
            // This was the answer to something else.
            (Some(_), None) => return Then::Synchronise,
        };
        Then::End
    }

    fn fetched_nothing(&mut self, world: &mut World<'_>, _: Option<&[u8]>) -> Then {
        world.fail(AtError::Garbled)
    }

    /// Judges `+USORD: <s>,<n>`.
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

    /// Judges `+USOCTL: <s>,10,<state>`. In any state but "established", at most received data is left.
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

/// Returns the value of `+USOCTL: <s>,<what>,<value>`.
fn control(text: &[u8], id: u8, what: u32) -> Option<u32> {
    let mut fields = Fields::new(answer(text, "+USOCTL:")?);
    let is = fields.byte() == Some(id) && fields.int() == Some(what);
    let value = decimal(fields.next()?);
    value.filter(|_| is)
}
