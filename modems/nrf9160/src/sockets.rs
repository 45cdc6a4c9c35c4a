//! Send, fetch, look and close on a connection (sheet 3 to 5). SLM has one current socket; SM has a
//! handle in every command.

use sectag::AtError;
use sectag::modem::{Then, Verdict, World, ask, decide};

use crate::commands::{QUICK, SEND, SLOW, error, fields, last};
use crate::dialect::hex;
use crate::forms::{self, Form};
use crate::{Family, Nrf9160, Script, script};

// Bits of a poll's result (sheet 4.4).
const IN: u8 = 1;
const ERR: u8 = 8;
const HUP: u8 = 16;
const NVAL: u8 = 32;
/// The errno for a message that is too large (sheet 9).
const EMSGSIZE: u32 = 122;
/// The time of a send, in milliseconds, that means it failed: the firmware silently gives a flush up
/// after 30 s (sheet 4.4).
const GIVEN_UP: u32 = 29_000;
/// The size of the chunks in which waiting payload is examined, in bytes.
const CHUNK: usize = 64;
/// The number of sockets of the firmware (sheet 4).
const SOCKETS: usize = 8;

/// The events that `#XAPOLL` has reported for each handle.
#[derive(Clone, Copy)]
pub(crate) struct PollReports([Option<(u8, u8)>; SOCKETS]);

impl PollReports {
    pub(crate) const NOTHING: Self = Self([None; SOCKETS]);

    /// Notes that a connection has this handle now, without events.
    pub(crate) fn begin(&mut self, handle: u8) {
        self.end(handle);
        if let Some(place) = self.0.iter_mut().find(|place| place.is_none()) {
            *place = Some((handle, 0));
        }
    }

    pub(crate) fn end(&mut self, handle: u8) {
        for place in &mut self.0 {
            if place.is_some_and(|told| told.0 == handle) {
                *place = None;
            }
        }
    }

    /// Forgets all events, since a poll is to follow, which reports them again.
    pub(crate) fn clear(&mut self) {
        for told in self.0.iter_mut().flatten() {
            told.1 = 0;
        }
    }

    /// Adds events to a handle; returns whether it is one of a connection.
    pub(crate) fn add(&mut self, handle: u8, bits: u8) -> bool {
        match self.0.iter_mut().flatten().find(|told| told.0 == handle) {
            Some(told) => {
                told.1 |= bits;
                true
            }
            None => false,
        }
    }

    fn of(&self, handle: u8) -> u8 {
        let told = self.0.iter().flatten().find(|told| told.0 == handle);
        told.map_or(0, |told| told.1)
    }
}

/// Scratch of a flow about one connection.
pub(crate) struct Transfer {
    /// The modem's handle of the connection.
    pub(crate) handle: u8,
    /// The events that a poll or notices have reported.
    bits: u8,
    /// The script that follows when the socket was selected, even in vain (SLM).
    pub(crate) then: u8,
    /// The number of bytes to send, in all pieces.
    pub(crate) total: u16,
    /// The time at which the current piece began.
    since: u32,
}

impl Transfer {
    pub(crate) const NEW: Self = Self {
        handle: 0,
        bits: 0,
        then: 0,
        total: 0,
        since: 0,
    };
}

/// Scratch of a flow that closes sockets.
pub(crate) struct Closing {
    bring_up: bool,
    /// The sockets were listed.
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

    /// Makes a socket the current one (SLM).
    pub(crate) const SELECT: Script<F> = &[ask("AT#XSOCKETSELECT={h}").limit(QUICK).then(selected)];

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

    pub(crate) const LIVENESS: Script<F> = &[ask("AT").limit(10).then(alive)];

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

    /// Forgets what was known of sockets, after a restart of the modem.
    pub(crate) fn forget(&mut self) {
        self.reports = PollReports::NOTHING;
        self.current = None;
        self.lost = false;
    }

    /// Returns whether the flow's socket can be used now.
    fn is_selected(&self) -> bool {
        self.has_handles() || self.current == Some(self.transfer.handle)
    }

    /// Sets the socket of the flow, and makes it the current one (SLM).
    fn select(&mut self, handle: u8, then: u8) -> Then {
        self.transfer.handle = handle;
        if self.is_selected() {
            return Then::To(then);
        }
        self.current = None;
        self.transfer.then = then;
        Then::To(script::SELECT)
    }

    /// Ends the flow because the connection is gone; the network may be lost as well.
    fn is_gone(&mut self, world: &mut World<'_>) -> Then {
        world.verdict = Verdict::NotConnected;
        self.judge_loss(Then::End)
    }

    fn list(&self) -> Then {
        Then::To(if self.has_handles() {
            script::LIST_HANDLES
        } else {
            script::LIST_CURRENT
        })
    }
}

fn selected<F: Family>(modem: &mut Nrf9160<F>, _: &mut World<'_>, answer: Option<&[u8]>) -> Then {
    modem.current = answer.map(|_| modem.transfer.handle);
    Then::To(modem.transfer.then)
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

/// Notes a line `#XPOLL: <handle>,"0x0011"`.
fn polled<F: Family>(modem: &mut Nrf9160<F>, _: &mut World<'_>, line: &[u8]) {
    let mut fields = fields(line, "#XPOLL:");
    if fields.byte() == Some(modem.transfer.handle)
        && let Some([b'0', b'x', digits @ ..]) = fields.unquoted()
        && let Some(bits) = hex(digits)
    {
        modem.transfer.bits |= bits as u8;
    }
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

fn close<F: Family>(modem: &mut Nrf9160<F>, world: &mut World<'_>, _: Option<&[u8]>) -> Then {
    // A check may have failed before its poll.
    modem.checked(world, false);
    modem.closing = Closing::NEW;
    modem.close_this(world.id)
}

impl<F: Family> Nrf9160<F> {
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

/// Accepts any answer, also a refusal.
fn alive<F: Family>(_: &mut Nrf9160<F>, _: &mut World<'_>, _: Option<&[u8]>) -> Then {
    Then::End
}
