//! Sends on a connection, in the form that the bytes need (sheet 3 to 5).

use sectag::AtError;
use sectag::modem::{Then, Verdict, World, ask, decide};

use crate::commands::{QUICK, SEND, last};
use crate::forms::{self, Form};
use crate::sockets::{ERR, IN, NVAL, polled};
use crate::{Family, Nrf9160, Script, script};

/// The time of a send, in milliseconds, that means it failed: the firmware silently gives a flush up
/// after 30 s (sheet 4.4).
const GIVEN_UP: u32 = 29_000;
/// The size of the chunks in which waiting payload is examined, in bytes.
const CHUNK: usize = 64;

impl<F: Family> Nrf9160<F> {
    /// Sends piece by piece, each in the form that its bytes need. After a piece that failed, the rest
    /// is not sent.
    pub(crate) const SEND: Script<F> = &[decide(|modem, world, _| {
        modem.transfer.total = world.len;
        modem.select(world.id, script::SEND_AS)
    })];

    pub(crate) const SEND_AS: Script<F> = &[decide(send_as)];

    /// Sends a quoted string. The modem reports how much of it was sent.
    pub(crate) const SEND_TEXT: Script<F> = &[ask("AT#XSEND={x}\"")
        .limit(SEND)
        .quotes()
        .even_garbled()
        .then(text_sent)];

    /// Sends a string of hex digits (SM).
    pub(crate) const SEND_HEX: Script<F> = &[ask("AT#XSEND={h},1,0,\"")
        .limit(SEND)
        .hexes()
        .even_garbled()
        .then(text_sent)];

    /// Sends in data mode with an announced length (SM). Firmware that cannot send all of it answers
    /// `+++`, and stays in data mode until it receives `+++` or all that was announced (sheet 3.1). A
    /// `+++` behind the length is ignored.
    pub(crate) const SEND_COUNTED: Script<F> = &[ask("AT#XSEND={h},2,0,{l}")
        .limit(SEND)
        .counts()
        .even_garbled()
        .then(sent)];

    /// Sends in data mode that `+++` ends (SLM). At most 1024 bytes go at a time. That keeps away from
    /// the end of the 4096-byte ring, where 2.0 to 2.4 do not recognise the terminator, and makes it
    /// one send of the modem. The firmware sends what it has in the silence that follows. So the driver
    /// sees when firmware cannot send and leaves data mode, and a terminator that arrives in parts does
    /// not begin as payload (sheet 3.2).
    pub(crate) const SEND_DATA: Script<F> = &[
        ask("AT#XSEND")
            .limit(SEND)
            .pipes()
            .even_garbled()
            .then(data_sent),
        decide(|modem, _, _| {
            if modem.watches() {
                modem.unwatch(script::CHECK_SENT)
            } else {
                Then::To(script::CHECK_SENT)
            }
        }),
    ];

    /// Polls after a piece in data mode. The poll shows an error, since bytes that could not be sent are
    /// dropped silently (sheet 3).
    pub(crate) const CHECK_SENT: Script<F> = &[ask("AT#XPOLL=0,{h}")
        .limit(QUICK)
        .each(polled)
        .even_garbled()
        .then(judge_sent)];

    /// Synchronises after a late end of data mode, so that the refusal of a stray terminator is not
    /// taken for another answer. The connection is given up.
    pub(crate) const SEND_LEFT_LATE: Script<F> = &[
        decide(|_, _, _| Then::Synchronise),
        decide(|modem, world, _| not_sent(modem, world, true)),
    ];
}

/// The payload that waits to be sent on a socket, read in chunks.
struct Waiting<'w, 'a> {
    world: &'w World<'a>,
    /// The offset of the bytes behind `chunk`.
    offset: usize,
    end: usize,
    chunk: [u8; CHUNK],
    filled: usize,
    read: usize,
}

impl Iterator for Waiting<'_, '_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        if self.read == self.filled {
            let wanted = self.end.saturating_sub(self.offset);
            let wanted = &mut self.chunk[..wanted.min(CHUNK)];
            self.filled = self.world.payload(self.offset, wanted);
            self.offset += self.filled;
            self.read = 0;
        }
        let byte = *self.chunk.get(..self.filled)?.get(self.read)?;
        self.read += 1;
        Some(byte)
    }
}

fn send_as<F: Family>(modem: &mut Nrf9160<F>, world: &mut World<'_>, _: Option<&[u8]>) -> Then {
    if !modem.is_selected() {
        return not_sent(modem, world, false);
    }
    let waiting = Waiting {
        world,
        offset: world.offset.into(),
        end: modem.transfer.total.into(),
        chunk: [0; CHUNK],
        filled: 0,
        read: 0,
    };
    let piece = forms::first_piece(modem.firmware().data_end(), waiting);
    if piece.len == 0 {
        // An empty string would begin data mode.
        return world.fail(AtError::Garbled);
    }
    world.len = piece.len as u16;
    modem.transfer.since = world.now;
    let form = match piece.form {
        Form::Text => script::SEND_TEXT,
        Form::Hex => script::SEND_HEX,
        Form::Counted => script::SEND_COUNTED,
        Form::Data => script::SEND_DATA,
    };
    modem.tell_last(world, form)
}

/// Ends a send that failed. A refusal carries no cause (sheet 1.3). If the answer was garbled, the
/// modem may have left data mode by itself, as firmware up to 2.4 does when it cannot send.
fn not_sent<F: Family>(modem: &mut Nrf9160<F>, world: &mut World<'_>, garbled: bool) -> Then {
    world.verdict = Verdict::Failed;
    if modem.watches() {
        // The fetch that finds out the reason is to poll.
        modem.reports.add(modem.transfer.handle, IN);
    }
    if garbled {
        return modem.judge_loss(Then::End);
    }
    Then::End
}

/// Notes that the modem has taken the piece, and sends the next one.
fn next_piece<F: Family>(modem: &mut Nrf9160<F>, world: &mut World<'_>) -> Then {
    modem.watch.traffic();
    world.offset += world.len;
    world.taken = world.offset;
    world.verdict = Verdict::Done;
    if world.offset < modem.transfer.total {
        Then::To(script::SEND_AS)
    } else {
        Then::End
    }
}

/// Judges a string: the number of bytes that the modem reports (`<bytes>`, or
/// `<handle>,<type>,<bytes>`) must be the whole length.
fn text_sent<F: Family>(
    modem: &mut Nrf9160<F>,
    world: &mut World<'_>,
    answer: Option<&[u8]>,
) -> Then {
    let Some(text) = answer else {
        return not_sent(modem, world, world.ended.is_some());
    };
    if last(text, "#XSEND:") != Some(world.len.into()) {
        return not_sent(modem, world, true);
    }
    next_piece(modem, world)
}

fn sent<F: Family>(modem: &mut Nrf9160<F>, world: &mut World<'_>, answer: Option<&[u8]>) -> Then {
    if answer.is_none() {
        return not_sent(modem, world, world.ended.is_some());
    }
    if world.escapes > 0 {
        // A byte was lost and the modem still waited for it: a `+` of the terminator may have taken its
        // place.
        return not_sent(modem, world, true);
    }
    next_piece(modem, world)
}

/// Judges a piece in data mode. If the modem gave it up, there may be room again, and the next bytes
/// would follow a gap.
fn data_sent<F: Family>(
    modem: &mut Nrf9160<F>,
    world: &mut World<'_>,
    answer: Option<&[u8]>,
) -> Then {
    if answer.is_none() {
        return not_sent(modem, world, world.ended.is_some());
    }
    if world.escapes > 1 && modem.firmware().release().drops_input_while_busy {
        // The end of data mode came late. Bytes of the first terminator may have gone to the peer as
        // payload, and a second terminator stands in front of the next command (sheet 3.2).
        return Then::To(script::SEND_LEFT_LATE);
    }
    if world.now.wrapping_sub(modem.transfer.since) >= GIVEN_UP {
        return not_sent(modem, world, false);
    }
    modem.transfer.bits = 0;
    Then::Next
}

/// Judges a piece by the poll that follows. The next fetch finds out the reason, and whether the
/// network is lost, since notices are not sent in data mode. A close that arrives meanwhile, such as
/// the answer to a farewell, is the peer's: the bytes were taken, as TCP takes them.
fn judge_sent<F: Family>(
    modem: &mut Nrf9160<F>,
    world: &mut World<'_>,
    answer: Option<&[u8]>,
) -> Then {
    if answer.is_none() {
        modem.poll_refused();
    }
    if answer.is_none() || modem.transfer.bits & (ERR | NVAL) != 0 {
        return not_sent(modem, world, world.ended.is_some());
    }
    next_piece(modem, world)
}
