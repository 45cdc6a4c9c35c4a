//! The backend of one modem family: the trait that its author implements, and the words that its scripts are
//! made of.
//!
//! A backend is plain data and functions. It never sends and never waits: the engine conducts each flow,
//! which is a *script*, a table of steps in the order in which they go over the wire. A [`Step`] is the text
//! of a command with [arguments](Modem::argument), a time limit, and a *judge*: a function that looks at the
//! answer and says what follows ([`Then`]). What a judge needs to know of the connection, the clock or the
//! pins it finds in the [`World`].

use embassy_time::Duration;

use super::world::World;
use crate::at::framing::Framing;
use crate::at::{Decoder, Fields, Out, answer, decimal};
use crate::capabilities::{Capabilities, Verification};
use crate::error::{AtError, Code, ConnectError};
use crate::numbers::Number;
use crate::tls::TlsConfig;

/// What one line from the modem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Line {
    /// A result code: it ends the running exchange.
    Final(Final),
    /// Information text, or a line that means nothing to this backend.
    Info,
    /// The header of an answer: so many bytes of payload follow directly.
    Payload(u16),
    /// The header of data that was not asked for.
    Push {
        /// Whose they are.
        id: u8,
        /// How many bytes follow directly.
        len: u16,
    },
    /// An unsolicited result code.
    Urc(Urc),
}

/// The result code that ends an exchange, or begins its data phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Final {
    /// `CONNECT`: the modem takes bytes now.
    Connect,
    /// The modem refused.
    Error(Code),
    /// `OK`.
    Ok,
    /// It took the payload, and nothing else is to come.
    SendOk,
    /// It took nothing of the payload, for want of room: the only answer after which bytes are sent again.
    SendFail,
}

/// An unsolicited result code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Urc {
    /// The modem's start has come so far that it takes commands; also said late, so that it is no proof of a
    /// restart.
    Booted,
    /// The peer closed; what it sent before may still be fetched. Or what a [close](Verdict::Closing) waits for.
    Closed {
        /// Whose.
        id: u8,
    },
    /// The data connection of all sockets is gone.
    NetworkLost,
    /// The result of an open.
    Opened {
        /// Whose.
        id: u8,
        /// 0, or the vendor's number.
        result: u16,
    },
    /// Anything else.
    Other,
    /// The modem has data.
    Readable {
        /// Whose.
        id: u8,
    },
    /// What a parked flow waits for, kept in [`World::report`].
    Report,
    /// The modem has restarted.
    Restarted,
    /// It goes to sleep and takes its sockets with it.
    Saving,
}

/// What a modem waits for when an exchange did not end as it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Waits {
    /// The rest of an announced number of bytes.
    Counted,
    /// The end of data mode: everything is payload.
    Data,
    /// A command line.
    Line,
    /// Nothing yet: it is about to ask for payload.
    Prompt,
    /// The rest of an argument in quotes.
    Quoted,
}

/// How to get a modem back to where it takes command lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Abort {
    /// `+++` between two silences, then [`Synchronise`](Self::Synchronise).
    Escape,
    /// Line ends until the announced number is complete, also where nothing asked for them yet; then
    /// [`Synchronise`](Self::Synchronise).
    Filler,
    /// Backspaces until the modem's line buffer is empty, so that what was begun is not completed.
    Quote,
    /// There is no way but to bring it up anew.
    Restart,
    /// The query of [`Modem::SYNC`]; everything up to its answer is skipped.
    Synchronise,
}

/// What ends a command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Terminator {
    /// Carriage return.
    Cr,
    /// Both.
    CrLf,
    /// Line feed.
    Lf,
}

impl Terminator {
    /// Its bytes.
    pub const fn bytes(self) -> &'static [u8] {
        match self {
            Self::Cr => b"\r",
            Self::CrLf => b"\r\n",
            Self::Lf => b"\n",
        }
    }
}

/// In which form payload is the rest of a command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InLine {
    /// Inside quotes, as it is or as hexadecimal digits.
    Quoted,
    /// As base64, up to the end of the line.
    Base64 {
        /// What ends a line of which only a part may have come: characters of no base64, for which the modem refuses it,
        /// wherever it is cut off. They are sent in front of each [`Modem::SYNC`], as a line of their own.
        spoils: &'static str,
    },
}

/// How often a modem that does not announce data is asked for it, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Polling {
    /// After traffic.
    pub first: u16,
    /// After a long silence; it doubles up to this.
    pub longest: u16,
}

/// Fixed figures of a backend.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How many socket ids there are, from 0. They are given out in turn, so that a late word about one
    /// connection finds none of its number. 0 where the modem chooses the id and tells it
    /// ([`World::take_id`]). At most 32, or the driver does not build.
    pub ids: u8,
    /// The most bytes that one fetch brings.
    pub max_receive: u16,
    /// The most bytes that one send takes.
    pub max_send: u16,
    /// TLS connections at a time.
    pub sockets: usize,
}

/// A query that is used for nothing but synchronising.
#[derive(Clone, Copy, Debug)]
pub struct Sync {
    /// How its answer begins.
    pub answer: &'static str,
    /// The command, without what ends the line.
    pub command: &'static str,
}

/// What follows from an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// The next step of this script; behind the last one the flow has ended well.
    Next,
    /// This step again.
    Same,
    /// Goes on behind the next step, which is left out.
    Skip,
    /// The first step of another script of the backend, by its [number](Modem::script).
    To(u8),
    /// Other work goes on until what is waited for was said or [`World::pause`] is over; then the next step.
    Park,
    /// Leaves data mode first, unless the modem is known to be in line mode; then the next step.
    Escape,
    /// Sends [`World::fill`] first, which completes what an earlier life may have announced; then the next
    /// step.
    Fill,
    /// Gets out of a quoted argument first, with nothing stored, and [synchronises](Self::Synchronise);
    /// then the next step.
    Unquote,
    /// Synchronises the channel first; then the next step. The flow fails where that is not possible, unless
    /// the step is [`Step::even_unanswered`].
    Synchronise,
    /// The flow has ended well.
    End,
    /// The flow has failed, with [`World::failure`].
    Fail,
}

/// Looks at the end of a step's exchange: its information text, `None` for a refusal with [`World::code`].
pub type Judge<M> = fn(&mut M, &mut World<'_>, Option<&[u8]>) -> Then;

/// Looks at one information line.
pub type Each<M> = fn(&mut M, &mut World<'_>, &[u8]);

/// One command of a script, and what follows from its answer.
#[derive(Debug)]
pub struct Step<M: 'static> {
    /// The whole line without what ends it; `{x}` stands for the argument `x`.
    pub(crate) text: &'static str,
    pub(crate) each: Option<Each<M>>,
    pub(crate) judge: Judge<M>,
    /// In tenths of a second.
    pub(crate) limit: u16,
    pub(crate) way: StepFlags,
}

/// How an exchange is conducted, as a set of bits.
pub(crate) type StepFlags = u16;

/// Nothing is sent: the judge decides at once.
pub(crate) const DECIDES: StepFlags = 1;
/// The judge sees a refusal in the place of an answer that breaks the grammar,
pub(crate) const EVEN_GARBLED: StepFlags = 2;
/// or of none in time, or of a restart.
pub(crate) const EVEN_UNANSWERED: StepFlags = 4;
/// Payload comes in, to a socket's ring.
pub(crate) const FETCHES: StepFlags = 8;
/// Payload goes out of a socket's ring, once the prompt has come.
pub(crate) const SENDS: StepFlags = 16;
/// Payload goes out of a socket's ring as the rest of the line, which ends with an open quote.
pub(crate) const QUOTES: StepFlags = 32;
/// Payload of announced length goes out of a socket's ring, once `OK` has come.
pub(crate) const COUNTS: StepFlags = 64;
/// Payload goes out of a socket's ring in data mode, which `OK` begins and `+++` ends.
pub(crate) const PIPES: StepFlags = 128;
/// Each byte of the payload goes out as two hexadecimal digits.
pub(crate) const HEXES: StepFlags = 1 << 15;

/// Sends a command. Unless told otherwise its answer is waited for 3 s, and a refusal is the flow's failure.
pub const fn ask<M>(text: &'static str) -> Step<M> {
    Step {
        text,
        each: None,
        judge: accepted,
        limit: 30,
        way: 0,
    }
}

/// Sends nothing: `judge` decides at once.
pub const fn decide<M>(judge: Judge<M>) -> Step<M> {
    Step {
        text: "",
        each: None,
        judge,
        limit: 0,
        way: DECIDES,
    }
}

impl<M> Step<M> {
    /// Who looks at each information line, which are collected for the judge otherwise: up to
    /// [`ANSWER_LIMIT`](crate::ANSWER_LIMIT) bytes in all.
    pub const fn each(mut self, each: Each<M>) -> Self {
        self.each = Some(each);
        self
    }

    /// Who looks at the end of the exchange.
    pub const fn then(mut self, judge: Judge<M>) -> Self {
        self.judge = judge;
        self
    }

    /// How long the answer may take, in tenths of a second.
    pub const fn limit(mut self, tenths: u16) -> Self {
        self.limit = tenths;
        self
    }

    /// The judge also sees, as a refusal, that the answer broke the grammar.
    pub const fn even_garbled(self) -> Self {
        self.way(EVEN_GARBLED)
    }

    /// The judge also sees, as a refusal, that the answer broke the grammar, did not come, or that the modem
    /// restarted instead; [`World::ended`] says which.
    pub const fn even_unanswered(self) -> Self {
        self.way(EVEN_GARBLED | EVEN_UNANSWERED)
    }

    /// The answer brings up to [`World::len`] bytes for the socket; [`World::received`] says how many.
    pub const fn fetches(self) -> Self {
        self.way(FETCHES)
    }

    /// [`World::len`] bytes of the socket's go out behind the prompt; [`World::send_failed`] tells the two
    /// final results apart.
    pub const fn sends(self) -> Self {
        self.way(SENDS)
    }

    /// [`World::len`] bytes of the socket's complete the line, whose text ends with an open quote.
    pub const fn quotes(self) -> Self {
        self.way(QUOTES)
    }

    /// As [`quotes`](Self::quotes), each byte as two hexadecimal digits.
    pub const fn hexes(self) -> Self {
        self.way(QUOTES | HEXES)
    }

    /// [`World::len`] bytes of the socket's are the rest of the line, as base64: for a modem whose [`Modem::IN_LINE`] says
    /// so. An answer to the line is all that the modem says of them.
    pub const fn base64(self) -> Self {
        self.way(QUOTES | HEXES)
    }

    /// [`World::len`] bytes of the socket's go out behind `OK`; the command told the modem how many. Where no
    /// final result comes within 10 s behind the last of them, or the modem says `+++` before, `+++` follows:
    /// Serial Modem forgets the number when a send fails, and waits for that (nrf9160 sheet, 3.1).
    pub const fn counts(self) -> Self {
        self.way(COUNTS)
    }

    /// [`World::len`] bytes of the socket's go out in data mode, with [`World::silence`] before and behind.
    pub const fn pipes(self) -> Self {
        self.way(PIPES)
    }

    /// [`World::len`] bytes of the socket's go out in frames, on the channel [`World::id`], in the place of
    /// a command: a step that [decides](decide) once all are out, which is all that the modem says of them.
    pub const fn in_frames(mut self) -> Self {
        self.limit = 1200;
        self.way(DECIDES | SENDS)
    }

    const fn way(mut self, way: StepFlags) -> Self {
        self.way |= way;
        self
    }

    /// Whether the judge is to see that the exchange ended so.
    pub(crate) fn looks_at(&self, error: AtError) -> bool {
        let looks = match error {
            AtError::Garbled => EVEN_GARBLED,
            _ => EVEN_UNANSWERED,
        };
        self.way & looks != 0
    }
}

/// The judge of a command that must be accepted.
pub fn accepted<M>(_: &mut M, world: &mut World<'_>, answer: Option<&[u8]>) -> Then {
    match answer {
        Some(_) => Then::Next,
        None => world.fail(AtError::Refused(world.code)),
    }
}

/// What follows from the end of a [send](Step::sends) whose answer, on a line that begins with `name`, says in
/// its field `index` how much was taken. Where that line is missing nothing was, and the bytes are sent
/// again after a pause.
pub fn took(world: &mut World<'_>, text: &[u8], name: &str, index: usize) -> Then {
    let said = answer(text, name).and_then(|line| decimal(Fields::new(line).nth(index)?));
    let taken = said.unwrap_or(0);
    // A line that was damaged is no word about nothing: what was taken would be sent twice.
    if said.is_none() && !text.is_empty() || taken > world.len.into() {
        return world.fail(AtError::Garbled);
    }
    world.taken = taken as u16;
    world.verdict = if taken > 0 {
        Verdict::Done
    } else {
        Verdict::Busy
    };
    Then::End
}

/// The judge of a command that some firmware does not know.
pub fn either_way<M>(_: &mut M, _: &mut World<'_>, _: Option<&[u8]>) -> Then {
    Then::Next
}

/// What moving data, or looking after a socket, came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A fetch: the connection broke, and the modem says so of a reset and of a record too large alike.
    Broken,
    /// A send: the modem took [`World::taken`] bytes. A fetch: it brought bytes.
    Done,
    /// A send: the modem has no room at the moment.
    Busy,
    /// A close: the modem has taken the command, and frees the id when [`Urc::Closed`] comes. Then, or 10 s later
    /// if it does not, the id is closed once more, and this script says whether it is free.
    Closing,
    /// A fetch: there is nothing.
    Empty,
    /// A fetch: the peer has closed, and everything before was fetched.
    End,
    /// A send that failed; the next fetch finds out why.
    Failed,
    /// A look: the connection does not stand any more.
    Gone,
    /// There is no such connection (any more).
    NotConnected,
    /// A look: the connection stands.
    Standing,
    /// A fetch: the peer sent a TLS record larger than the modem's buffer.
    TooLarge,
}

/// From any state to one where sockets can be opened.
pub const BRING_UP: u8 = 0;
/// Opens the connection of [`World::open`], and sets its `verified`.
pub const OPEN: u8 = 1;
/// Sends [`World::len`] bytes on [`World::id`]; sets [`World::verdict`].
pub const SEND: u8 = 2;
/// Fetches up to [`World::len`] bytes from [`World::id`]; sets [`World::verdict`]. A length of 0 asks only
/// why a send failed.
pub const FETCH: u8 = 3;
/// Asks whether [`World::id`] still stands; sets [`World::verdict`].
pub const LOOK: u8 = 4;
/// Closes [`World::id`].
pub const CLOSE: u8 = 5;
/// A sign of life, sent after a long silence. Whether the modem answered is all that counts.
pub const LIVENESS: u8 = 6;
/// Removes what a change of credentials left behind.
pub const CLEANUP: u8 = 7;
/// Switches the modem off.
pub const POWER_OFF: u8 = 8;
/// Lets the modem sleep.
pub const SLEEP: u8 = 9;
/// The number of the first script that is the backend's own.
pub const OWN: u8 = 10;

/// One modem family.
pub trait Modem: Sized + 'static {
    /// Its name in reports, such as `bg96`.
    const NAME: &'static str;
    /// See [`Limits`].
    const LIMITS: Limits;
    /// See [`Sync`]. This one is 3GPP's, and every modem has an answer to it that says nothing else.
    const SYNC: Sync = Sync {
        command: "AT+CMEE?",
        answer: "+CMEE:",
    };
    /// What lies below the lines: [`Plain`](crate::modem::Plain) where that is nothing.
    type Framing: Framing;

    /// What `line` is, `asked` being the name of the command that runs, without its `AT`.
    fn line(&mut self, line: &[u8], asked: &[u8]) -> Line;
    /// The script of a number: [`BRING_UP`] and so on, and the backend's own from [`OWN`] on.
    fn script(number: u8) -> &'static [Step<Self>];
    /// Refuses what this modem cannot do, before anything is sent. Of a backend that says nothing else, that is
    /// a policy which requires what is not known to be checked.
    fn admit(&self, config: &TlsConfig) -> Result<(), ConnectError> {
        config.check(&self.verification())
    }
    /// What the modem has, as far as it is known: of a backend that says nothing else, nothing.
    fn capabilities(&self) -> Capabilities {
        Capabilities::UNKNOWN
    }

    /// Writes the argument `name` of a step's text.
    fn argument(&self, _name: u8, _world: &World<'_>, _out: &mut Out<'_>) {}
    /// How to get out of what the modem waits for.
    fn abort(_waits: Waits) -> Abort {
        Abort::Synchronise
    }
    /// An open has ended, well or with [`World::failure`]. A backend that keeps count of failures does it here.
    fn opened(&mut self, _world: &mut World<'_>, _done: bool) {}
    /// Called when light sleep ends.
    fn woken(&mut self) {}
    /// Whether what goes out goes in frames, and what comes between frames is a fault: once the modem is known to
    /// be in the mode where it is so.
    fn is_framed(&self) -> bool {
        Self::Framing::FRAMES
    }
    /// What a frame means that is neither text nor data.
    fn frame(&mut self, _world: &mut World<'_>, _event: &[u8]) -> Urc {
        Urc::Other
    }
    /// What is checked of a server.
    fn verification(&self) -> Verification {
        self.capabilities().verification
    }
    /// CR LFs between fetched payload and `OK`; 0 = not checked. A mismatch means that the announced length was
    /// corrupted on the UART.
    const PAYLOAD_ENDS: u8 = 0;
    /// Payload also goes out in other ways than behind a prompt: inside quotes, counted behind `OK`, or in data
    /// mode. Where it does not, the engine's part for that is not linked, and a step that does so all the same
    /// fails.
    const SENDS_WITHOUT_PROMPT: bool = true;
    /// In which form payload is the rest of a line, for steps that [quote](Step::quotes) it and those that do not
    /// ([`Step::base64`]), and for [`At::quote`](crate::At::quote).
    const IN_LINE: InLine = InLine::Quoted;
    /// Commands that are accepted with an `OK` of its own, by their names in any case, such as `+Connect`: a second `OK` is
    /// their end, and a refusal is at any time.
    const TWICE: &'static [&'static str] = &[];
    /// Data may come without being fetched, as [`Line::Push`]. Where it does not, the engine's part for that is not
    /// linked, and such a line breaks the grammar.
    const PUSHES: bool = true;
    /// A firmware may send commands of its own, read and change credentials, ask for status and clock: all that is
    /// done over an [`At`](crate::At). Where it does not, the engine's part for that is not linked, and a use of it does not
    /// compile.
    const GUESTS: bool = true;
    /// Whether it echoes after power-on. Bring-up turns echo off, so a later echo means a restart.
    const ECHOES: bool = true;
    /// Commands whose arguments are secret, by their names.
    const SECRET: &'static [&'static str] = &[];
    /// The vendor's own numbers of `+CME ERROR`, ascending, with their texts: what error messages are made of.
    const CODES: &'static [Number] = &[];
    /// Commands that [`Control::raw_at`](crate::Control::raw_at) refuses, beside those of every modem.
    const FORBIDDEN: &'static [Forbidden] = &[];
    /// Commands without `?` after which every connection stands and every setting is as it was, by their names:
    /// a short list. See [`Control::raw_at`](crate::Control::raw_at).
    const HARMLESS: &'static [&'static str] = &[];
    /// How long switching off may take until it is confirmed.
    const POWER_OFF_LIMIT: Duration = Duration::from_secs(30);
    /// Whether a pulse of the power key wakes it from light sleep, rather than the level of the sleep pin.
    const WAKE_BY_KEY: bool = false;
    /// Milliseconds of silence that the modem needs behind a result or URC before the next command; of several
    /// models, the most that one needs. The engine's time is cut to milliseconds, so say one more than the modem wants,
    /// here and of the pauses below.
    const GAP: u16 = 0;
    /// The gap of the model that was found, in milliseconds: at most [`GAP`](Self::GAP).
    fn gap(&self) -> u16 {
        Self::GAP
    }
    /// What asks for the payload of a send.
    const PROMPT: u8 = b'>';
    /// Milliseconds between the prompt and the first byte of payload.
    const PROMPT_PAUSE: u16 = 0;
    /// The prompt, at the start of a line, behind which the bytes of a credential go; `None` where that is `CONNECT`.
    const UPLOAD_PROMPT: Option<u8> = None;
    /// Milliseconds between the upload prompt and the first byte.
    const UPLOAD_PAUSE: u16 = 0;
    /// What ends a send: a word that says that all was taken, or the `OK` behind a line that says how much
    /// was, see [`took`].
    const SEND_ENDS: Final = Final::SendOk;
    /// Where fetched payload begins inside a line: the byte in front of it, such as an open quote, which
    /// then closes it too. Behind each such byte of an answer to a fetch, [`line`](Self::line) is asked about
    /// the line so far, and says [`Line::Payload`] where payload begins.
    const PAYLOAD_CUE: Option<u8> = None;
    /// What turns payload into bytes where the modem writes it as text; the lengths in headers are
    /// those of the text. It lives in the backend, which may have another for each firmware.
    const DECODER: Option<fn(&mut Self) -> &mut Decoder> = None;
}

/// A command that nobody may send, because the driver neither notices nor mends what it does: it would not find the modem
/// again, or not as it needs it.
#[derive(Clone, Copy, Debug)]
pub struct Forbidden {
    /// Its name, such as `+QPOWD`; with `*` behind it, every name that begins so.
    pub name: &'static str,
    /// Reading (`?`) and testing (`=?`) it are forbidden too: they hang the modem.
    pub queries: bool,
    /// What to use instead.
    pub instead: &'static str,
}

impl Forbidden {
    /// Setting it is forbidden; reading and testing it are not.
    pub const fn new(name: &'static str, instead: &'static str) -> Self {
        Self {
            name,
            queries: false,
            instead,
        }
    }

    /// What to say where a socket does it.
    pub const SOCKET: &'static str = "Sockets::connect, and the Socket's read, write and close";
    /// What to say where the credential store does it.
    pub const STORE: &'static str = "Control::store, ensure, list and remove";
    /// What to say where nothing does.
    pub const NONE: &'static str = "nothing, since the driver would not find the modem again";
    /// What to say of the driver's own settings.
    pub const OURS: &'static str = "nothing, since the driver needs this setting as it made it";
}

/// How the engine behaves in time.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Timing {
    /// Written bytes wait so long for more, unless they are flushed or fill a frame. Rounded up to milliseconds; more than
    /// 2^30 of them, 12 days, count as that.
    pub linger: Duration,
    /// After this long without a word from the modem it is asked for a sign of life. Rounded and limited likewise.
    pub poll: Duration,
    /// Seed of the random part in pauses between attempts.
    pub seed: u32,
    /// How long a caller waits for a modem that does not come up: an attempt that fails sooner is not told, since the
    /// next one may succeed, except where only a change helps ([`BringUpError::is_lasting`]). An attempt that is under
    /// way at its end is waited for. What a single handle is given with `patience` goes before it.
    ///
    /// [`BringUpError::is_lasting`]: crate::BringUpError::is_lasting
    pub patience: Duration,
}

impl Timing {
    /// What fits most.
    pub const DEFAULT: Self = Self {
        linger: Duration::from_millis(10),
        poll: Duration::from_secs(60),
        seed: 0,
        patience: Duration::from_secs(30),
    };
    /// How much longer than [`poll`](Self::poll) a dead modem may go unnoticed: so long the backends that speak AT wait for the sign
    /// of life, and what is done when it does not come. CC3120, CC3130 and CC3135 are given 10 s (`sectag-cc3200`).
    pub const SILENCE_LIMIT: Duration = Duration::from_secs(5);
}

impl Default for Timing {
    fn default() -> Self {
        Self::DEFAULT
    }
}
