//! Scripts for an open TLS socket: send, fetch, look, close (sheet 4).

use sectag::AtError;
use sectag::at::{Fields, answer};
use sectag::modem::{Then, Verdict, World, ask, decide, either_way};

use crate::{Bg96, LOST, Options, Script, data_connection};

/// How long a close waits for the peer, in seconds, because the whole channel waits with it; the modem's
/// default is 10 (sheet 4.6).
pub(crate) const CLOSE_LIMIT: u32 = 3;

impl<O: Options> Bg96<O> {
    /// Sends a frame. Other drivers wait up to 50 s for the result; the sibling's manual says 120
    /// (sheet 4.3).
    pub(crate) const SEND: Script<O> = &[ask("AT+QSSLSEND={i},{l}")
        .sends()
        .limit(1200)
        .then(Self::sent)];

    /// Fetches received bytes; the modem sends as many as it has, up to the length that is asked for
    /// (sheet 4.4).
    pub(crate) const FETCH: Script<O> = &[
        ask("AT+QSSLRECV={i},{l}")
            .fetches()
            .limit(500)
            .then(Self::fetched),
        decide(Self::fetched_nothing),
    ];

    /// Asks for the state of a socket. A sibling's form of the answer and an empty one are understood
    /// (sheet 4.6).
    pub(crate) const LOOK: Script<O> = &[ask("AT+QSSLSTATE={i}").then(Self::stands)];

    /// Asks for the data connection after a socket was found closed: by the peer, or by the end of a
    /// data connection that was not reported.
    pub(crate) const LOST: Script<O> = &[ask("AT+QIACT?")
        .limit(1500)
        .then(Self::data_connection_stands)];

    /// Closes a socket. `ERROR` on an id that is not open is normal (sheet 4.6). The number is
    /// [`CLOSE_LIMIT`].
    pub(crate) const CLOSE: Script<O> = &[ask("AT+QSSLCLOSE={i},3").limit(150).then(either_way)];

    /// Asks whether the modem is alive; one that is on answers within 300 ms (sheet 1.1).
    pub(crate) const LIVENESS: Script<O> = &[ask("AT").limit(10).then(either_way)];

    fn sent(&mut self, world: &mut World<'_>, answer: Option<&[u8]>) -> Then {
        world.verdict = match answer {
            Some(_) if world.send_failed => Verdict::Busy,
            Some(_) => Verdict::Done,
            None => Verdict::NotConnected,
        };
        Then::End
    }

    fn fetched(&mut self, world: &mut World<'_>, answer: Option<&[u8]>) -> Then {
        world.verdict = match (answer, world.received) {
            (Some(_), Some(0)) => Verdict::Empty,
            (Some(_), Some(_)) => Verdict::Done,
            // The refusal may belong to something else, for instance to the rest of a send whose length
            // noise has shortened. The answer to this command then still comes. It does not say whose
            // bytes it carries and would be taken for another socket's.
            (None, _) => {
                world.verdict = Verdict::NotConnected;
                return Then::Synchronise;
            }
            (Some(_), None) => {
                world.verdict = Verdict::Gone;
                return Then::Synchronise;
            }
        };
        Then::End
    }

    fn fetched_nothing(&mut self, world: &mut World<'_>, _: Option<&[u8]>) -> Then {
        if world.verdict == Verdict::NotConnected {
            return Then::End;
        }
        world.fail(AtError::Garbled)
    }

    /// Judges whether the socket is open. Only the states 0 and 4, and an empty answer, mean that it is
    /// not: an open one was seen with an odd number (sheet 4.8). A firmware that refuses the query is
    /// believed to have it open.
    fn stands(&mut self, world: &mut World<'_>, text: Option<&[u8]>) -> Then {
        let stands = text.is_none_or(|text| {
            // `<id>,"SSLClient","<ip>",<rport>,<lport>,<state>,...`; a closed socket is not listed.
            let state = answer(text, "+QSSLSTATE:").or(answer(text, "+QISTATE:"));
            state
                .and_then(|text| Fields::new(text).nth(5))
                .is_some_and(|state| !matches!(state, b"0" | b"4"))
        });
        if stands {
            world.verdict = Verdict::Standing;
            return Then::End;
        }
        world.verdict = Verdict::Gone;
        Then::To(LOST)
    }

    fn data_connection_stands(&mut self, world: &mut World<'_>, text: Option<&[u8]>) -> Then {
        match text {
            Some(text) if data_connection::is_active(text) => {}
            Some(_) => {
                self.context_lost = true;
                world.network_lost = true;
            }
            None => return world.fail(AtError::Refused(world.code)),
        }
        Then::End
    }
}
