//! What is done with a connection: send, fetch, look, close; with one current socket (SLM), or a handle in
//! every command (SM), sheet 3 to 5.

use sectag::AtError;
use sectag::modem::{Then, Verdict, World, ask, decide};

use crate::commands::{QUICK, SEND, SLOW, error, fields, last};
use crate::dialect::hex;
use crate::forms::{self, Form};
use crate::{Family, Nrf9160, Script, script};

/// What poll reports (sheet 4.4).
const ERR: u8 = 8;
const HUP: u8 = 16;
const NVAL: u8 = 32;
/// Sheet 9.
const EMSGSIZE: u32 = 122;
/// A flush that the network does not take is given up after 30 s (sheet 4.4), and not told.
const GIVEN_UP: u32 = 29_000;
/// What waits to be sent is looked at in chunks of this.
const CHUNK: usize = 64;
/// There are no more sockets (sheet 4).
const SOCKETS: usize = 8;

/// What `#XAPOLL` has told of each handle (SM).
#[derive(Clone, Copy)]
pub(crate) struct PollReports([Option<(u8, u8)>; SOCKETS]);

impl PollReports {
    pub(crate) const NOTHING: Self = Self([None; SOCKETS]);

    /// A connection has this handle now, and nothing was told of it.
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

    /// Returns whether there is such a connection.
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

/// What one flow about a connection keeps.
pub(crate) struct Moving {
    /// The modem's handle of it.
    pub(crate) handle: u8,
    /// What poll, or notices, have told.
    bits: u8,
    /// What follows when it is the current one, or cannot be made it (SLM).
    pub(crate) then: u8,
    /// How much is to be sent, in pieces.
    pub(crate) total: u16,
    /// When the piece began.
    since: u32,
}

impl Moving {
    pub(crate) const NEW: Self = Self {
        handle: 0,
        bits: 0,
        then: 0,
        total: 0,
        since: 0,
    };
}

/// What a flow keeps that closes.
pub(crate) struct Closing {
    bring_up: bool,
    /// It was asked which there are.
    has_listed: bool,
    /// Those that nobody knows.
    strays: heapless::Vec<u8, SOCKETS>,
}

impl Closing {
    pub(crate) const NEW: Self = Self {
        bring_up: false,
        has_listed: false,
        strays: heapless::Vec::new(),
    };
    /// All that there are.
    pub(crate) const BRING_UP: Self = Self {
        bring_up: true,
        has_listed: false,
        strays: heapless::Vec::new(),
    };
}

impl<F: Family> Nrf9160<F> {
    /// Sends piece by piece, each in the form that its bytes need. What is left after one that failed is not
    /// sent.
    pub(crate) const SEND: Script<F> = &[decide(|modem, world, _| {
        if modem.watches() {
            return modem.unwatch(script::SEND);
        }
        modem.moving.total = world.len;
        modem.select(world.id, script::SEND_AS)
    })];

    pub(crate) const SEND_AS: Script<F> = &[decide(send_as)];

    /// The modem tells how much of it was sent.
    pub(crate) const SEND_TEXT: Script<F> = &[ask("AT#XSEND={x}\"")
        .limit(SEND)
        .quotes()
        .even_garbled()
        .then(text_sent)];

    /// A string of hex digits (SM).
    pub(crate) const SEND_HEX: Script<F> = &[ask("AT#XSEND={h},1,0,\"")
        .limit(SEND)
        .hexes()
        .even_garbled()
        .then(text_sent)];

    /// Data mode of an announced length (SM). Firmware that cannot send all of it says `+++`, and stays in data
    /// mode until it hears the like, or all that was announced (sheet 3.1); behind the length that is junk,
    /// which it ignores.
    pub(crate) const SEND_COUNTED: Script<F> = &[ask("AT#XSEND={h},2,0,{l}")
        .limit(SEND)
        .counts()
        .even_garbled()
        .then(sent)];

    /// Data mode that `+++` ends (SLM). At most 1024 bytes go at a time, in order to stay away from the end
    /// of the 4096-byte ring, where 2.0 to 2.4 do not recognise it, and to be one send of the modem's. In the
    /// silence behind them it sends what it has: firmware that leaves data mode when it cannot is heard to do
    /// so, and one to which the terminator comes in parts does not take the first of them for payload (sheet
    /// 3.2).
    pub(crate) const SEND_DATA: Script<F> = &[
        ask("AT#XSEND")
            .limit(SEND)
            .pipes()
            .even_garbled()
            .then(data_sent),
        // What could not be sent was dropped without a word (sheet 3).
        ask("AT#XPOLL=0,{h}")
            .limit(QUICK)
            .each(polled)
            .even_garbled()
            .then(judge_sent),
    ];

    /// A refusal of that line is taken for nothing else, and the connection given up.
    pub(crate) const SEND_LEFT_LATE: Script<F> = &[
        decide(|_, _, _| Then::Synchronise),
        decide(|modem, world, _| not_sent(modem, world, true)),
    ];

    /// What SM announces it has told already.
    pub(crate) const FETCH: Script<F> = &[decide(fetch)];

    /// Never waits, since everything else would.
    pub(crate) const POLL: Script<F> = &[ask("AT#XPOLL=0,{h}")
        .limit(QUICK)
        .each(polled)
        .then(fetch_polled)];

    pub(crate) const READ: Script<F> = &[decide(read)];

    pub(crate) const RECEIVE: Script<F> =
        &[ask("AT#XRECV={r}").limit(QUICK).fetches().then(received)];

    /// The current socket is broken: why, where the firmware tells.
    pub(crate) const WHY_BROKEN: Script<F> = &[ask("AT#XSOCKETOPT=0,4").limit(QUICK).then(errno)];

    pub(crate) const LOOK: Script<F> = &[decide(look)];

    pub(crate) const LOOK_BY_POLL: Script<F> =
        &[ask("AT#XPOLL=0,{h}").limit(QUICK).each(polled).then(looked)];

    /// What was told and missed is told again (sheet 4.4).
    pub(crate) const LOOK_BY_NOTICE: Script<F> = &[ask("AT#XAPOLL={h},1,1")
        .limit(QUICK)
        .even_unanswered()
        .then(told_again)];

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

    /// SM lists plain and TLS sockets apart.
    pub(crate) const LIST_HANDLES: Script<F> = &[ask("AT#XSSOCKET?")
        .limit(QUICK)
        .each(handle_listed)
        .then(listed)];

    pub(crate) const LIVENESS: Script<F> = &[ask("AT").limit(10).then(alive)];

    /// Back on the network after a change of credentials; and what was opened and never told of is closed.
    pub(crate) const CLEANUP: Script<F> = &[decide(|modem, _, _| {
        if modem.offline {
            modem.join(script::TIDIED)
        } else {
            Then::To(script::TIDIED)
        }
    })];

    pub(crate) const TIDIED: Script<F> = &[decide(close_lost)];

    /// A new life of the modem.
    pub(crate) fn forget(&mut self) {
        self.reports = PollReports::NOTHING;
        self.current = None;
        self.lost = false;
    }

    /// Whether the flow's socket can be used now.
    fn is_selected(&self) -> bool {
        self.has_handles() || self.current == Some(self.moving.handle)
    }

    /// Makes a socket the one that the flow is about, and the current one (SLM).
    fn select(&mut self, handle: u8, then: u8) -> Then {
        self.moving.handle = handle;
        if self.is_selected() {
            return Then::To(then);
        }
        self.current = None;
        self.moving.then = then;
        Then::To(script::SELECT)
    }

    /// The connection does not stand any more; perhaps the network does not.
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
    modem.current = answer.map(|_| modem.moving.handle);
    Then::To(modem.moving.then)
}

/// What waits to be sent on a socket.
struct Waiting<'w, 'a> {
    world: &'w World<'a>,
    /// What comes after `chunk`, up to `end`.
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
        world.verdict = Verdict::Failed;
        return Then::End;
    }
    let waiting = Waiting {
        world,
        offset: world.offset.into(),
        end: modem.moving.total.into(),
        chunk: [0; CHUNK],
        filled: 0,
        read: 0,
    };
    let piece = forms::first_piece(modem.firmware().ways(), waiting);
    if piece.len == 0 {
        // An empty string would begin data mode.
        return world.fail(AtError::Garbled);
    }
    world.len = piece.len as u16;
    modem.moving.since = world.now;
    let form = match piece.form {
        Form::Text => script::SEND_TEXT,
        Form::Hex => script::SEND_HEX,
        Form::Counted => script::SEND_COUNTED,
        Form::Data => script::SEND_DATA,
    };
    modem.tell_last(world, form)
}

/// No cause is told with a refusal (sheet 1.3). What broke the grammar may be a modem that has left data mode by
/// itself, as it does up to 2.4 when it cannot send.
fn not_sent<F: Family>(modem: &mut Nrf9160<F>, world: &mut World<'_>, garbled: bool) -> Then {
    world.verdict = Verdict::Failed;
    if garbled {
        return modem.judge_loss(Then::End);
    }
    Then::End
}

/// The modem has the piece.
fn next_piece<F: Family>(modem: &Nrf9160<F>, world: &mut World<'_>) -> Then {
    world.offset += world.len;
    world.taken = world.offset;
    world.verdict = Verdict::Done;
    if world.offset < modem.moving.total {
        Then::To(script::SEND_AS)
    } else {
        Then::End
    }
}

/// What the modem says that it has sent must be all: `<bytes>`, or `<handle>,<type>,<bytes>`.
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
        // A `+` of what should end data mode may stand where a byte was lost that the modem still waited for.
        return not_sent(modem, world, true);
    }
    next_piece(modem, world)
}

/// After a send that the modem gave up there may be room again, and the next bytes would follow a hole.
fn data_sent<F: Family>(
    modem: &mut Nrf9160<F>,
    world: &mut World<'_>,
    answer: Option<&[u8]>,
) -> Then {
    if answer.is_none() {
        return not_sent(modem, world, world.ended.is_some());
    }
    if world.escapes > 1 && modem.firmware().release().deaf {
        // What came of the first one may have gone to the peer as payload, and a second one too many stands in
        // front of the next command (sheet 3.2).
        return Then::To(script::SEND_LEFT_LATE);
    }
    if world.now.wrapping_sub(modem.moving.since) >= GIVEN_UP {
        return not_sent(modem, world, false);
    }
    modem.moving.bits = 0;
    Then::Next
}

/// `#XPOLL: <handle>,"0x0011"`.
fn polled<F: Family>(modem: &mut Nrf9160<F>, _: &mut World<'_>, line: &[u8]) {
    let mut fields = fields(line, "#XPOLL:");
    if fields.byte() == Some(modem.moving.handle)
        && let Some([b'0', b'x', digits @ ..]) = fields.unquoted()
        && let Some(bits) = hex(digits)
    {
        modem.moving.bits |= bits as u8;
    }
}

/// The next look for data finds out why, and whether it is the network: notices are not told in data mode. A
/// close that comes meanwhile, as after a farewell, is the peer's: the bytes were taken, as TCP takes them.
fn judge_sent<F: Family>(
    modem: &mut Nrf9160<F>,
    world: &mut World<'_>,
    answer: Option<&[u8]>,
) -> Then {
    if answer.is_none() || modem.moving.bits & (ERR | NVAL) != 0 {
        return not_sent(modem, world, world.ended.is_some());
    }
    next_piece(modem, world)
}

fn fetch<F: Family>(modem: &mut Nrf9160<F>, world: &mut World<'_>, _: Option<&[u8]>) -> Then {
    if modem.watches() {
        return modem.unwatch(script::FETCH);
    }
    modem.moving.handle = world.id;
    modem.moving.bits = 0;
    if modem.has_handles() {
        modem.moving.bits = modem.reports.of(world.id);
        return Then::To(script::READ);
    }
    Then::To(script::POLL)
}

fn fetch_polled<F: Family>(
    modem: &mut Nrf9160<F>,
    world: &mut World<'_>,
    answer: Option<&[u8]>,
) -> Then {
    let bits = modem.moving.bits;
    if answer.is_none() || bits & NVAL != 0 {
        return modem.is_gone(world);
    }
    if bits == 0 {
        world.verdict = Verdict::Empty;
        return Then::End;
    }
    modem.select(world.id, script::READ)
}

fn read<F: Family>(modem: &mut Nrf9160<F>, world: &mut World<'_>, _: Option<&[u8]>) -> Then {
    if !modem.is_selected() {
        return modem.is_gone(world);
    }
    if world.len > 0 {
        return Then::To(script::RECEIVE);
    }
    // There is no room, and it is only asked why a send failed.
    match modem.moving.bits {
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
        // A header that lost a byte, with the payload behind it.
        (Some(_), None) => return world.fail(AtError::Garbled),
        (None, _) => {
            // A notice may have come meanwhile.
            modem.moving.bits |= modem.reports.of(world.id);
            // Nothing yet, or broken: poll has told.
            if modem.moving.bits & (ERR | HUP | NVAL) != 0 {
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
    if modem.moving.bits & (ERR | HUP | NVAL) == ERR {
        // A peer that is gone, or LTE, hangs up (sheet 4.5): TLS alone has failed. After a handshake that
        // stood, that is a record larger than its buffer (sheet 7.5). UNCONFIRMED which bits it sets.
        world.verdict = Verdict::TooLarge;
        return modem.judge_loss(Then::End);
    }
    if modem.moving.bits & (ERR | HUP | NVAL) == ERR | HUP {
        // As a peer that resets, or LTE that is gone.
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
        return modem.unwatch(script::LOOK);
    }
    modem.moving.handle = world.id;
    modem.moving.bits = 0;
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
    world.verdict = if modem.moving.bits & (ERR | NVAL) == 0 {
        Verdict::Standing
    } else {
        Verdict::Gone
    };
    Then::End
}

/// Refused, there is no such socket any more: not closed by the peer, for then it would be there still.
fn told_again<F: Family>(
    modem: &mut Nrf9160<F>,
    world: &mut World<'_>,
    answer: Option<&[u8]>,
) -> Then {
    if answer.is_none() {
        let end = world.fail(error(world));
        return modem.judge_loss(end);
    }
    modem.moving.bits = modem.reports.of(world.id);
    looked(modem, world, answer)
}

fn close<F: Family>(modem: &mut Nrf9160<F>, world: &mut World<'_>, _: Option<&[u8]>) -> Then {
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

    /// Closes the next of those that nobody knows.
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
            // The answer to an open was lost.
            return self.list();
        }
        Then::End
    }
}

/// One that cannot be made the current one is not there any more.
fn is_current<F: Family>(modem: &mut Nrf9160<F>, world: &mut World<'_>, _: Option<&[u8]>) -> Then {
    if modem.is_selected() {
        Then::Next
    } else {
        closed(modem, world, None)
    }
}

/// Refused, there is no such socket any more.
fn closed<F: Family>(modem: &mut Nrf9160<F>, _: &mut World<'_>, _: Option<&[u8]>) -> Then {
    // Another one is the current one now.
    modem.current = None;
    modem.reports.end(modem.moving.handle);
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
    // The line of the current one has nothing but its handle.
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
        // Another close asks again.
        return Then::End;
    }
    modem.closing.has_listed = true;
    modem.close_next()
}

/// Whether there is an answer is all that counts.
fn alive<F: Family>(_: &mut Nrf9160<F>, _: &mut World<'_>, _: Option<&[u8]>) -> Then {
    Then::End
}
