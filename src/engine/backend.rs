//! The trait [`Modem`], which the author of a backend implements for one modem family, and the types of which its
//! scripts are made.
//!
//! A backend is plain data and functions. It never sends and never waits: the engine conducts each flow,
//! which is a *script*, a table of steps in the order in which they go over the wire. A [`Step`] is the text
//! of a command with [arguments](Modem::argument), a time limit, and a *judge*: a function that looks at the
//! answer and says what follows ([`Then`]). The [`World`] tells a judge about the connection, the clock and the
//! pins.

use embassy_time::Duration;

use super::world::World;
use crate::at::framing::Framing;
use crate::at::{Decoder, Fields, Out, answer, decimal};
use crate::capabilities::{Capabilities, Verification};
use crate::error::{AtError, Code, ConnectError};
use crate::numbers::Number;
use crate::tls::TlsConfig;

/// The classification of one line from the modem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Line {
    /// A final result code, which ends the running exchange.
    Final(Final),
    /// Information text, or a line that means nothing to this backend.
    Info,
    /// The header of an answer: this many bytes of payload follow directly.
    Payload(u16),
    /// The header of pushed data, which comes without a fetch.
    Push {
        /// The modem's id of the connection.
        id: u8,
        /// The number of bytes that follow directly.
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
    /// The modem took all of the payload of a send (`SEND OK`).
    SendOk,
    /// The modem took nothing of the payload, for want of room (`SEND FAIL`). The bytes are sent again.
    SendFail,
}

/// An unsolicited result code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Urc {
    /// The modem has started far enough to take commands. It may come late, so it does not prove a restart.
    Booted,
    /// The peer closed; data that it sent before may still be fetched. Also the confirmation of a
    /// [close](Verdict::Closing) that the modem had accepted.
    Closed {
        /// The modem's id of the connection.
        id: u8,
    },
    /// The PDP context, or the Wi-Fi link, of all sockets is gone.
    NetworkLost,
    /// The result of an open.
    Opened {
        /// The modem's id of the connection.
        id: u8,
        /// 0 for success, otherwise the vendor's error number.
        result: u16,
    },
    /// Any other URC. It has no effect.
    Other,
    /// The modem has data to fetch.
    Readable {
        /// The modem's id of the connection.
        id: u8,
    },
    /// A report that a parked flow waits for. The engine keeps the line in [`World::report`].
    Report,
    /// The modem has restarted.
    Restarted,
    /// The modem enters power saving mode and drops its sockets.
    Saving,
}

/// The kind of input that a modem waits for when an exchange did not end as it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Waits {
    /// The rest of an announced number of bytes.
    Counted,
    /// The end of data mode. Until then it takes everything as payload.
    Data,
    /// A command line.
    Line,
    /// Nothing yet: the modem is about to prompt for payload.
    Prompt,
    /// The rest of an argument in quotes.
    Quoted,
}

/// The way to get a modem back to line mode, where it takes command lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Abort {
    /// `+++` between two silences, then [`Synchronise`](Self::Synchronise).
    Escape,
    /// Line ends until the announced number is complete, also where nothing asked for them yet; then
    /// [`Synchronise`](Self::Synchronise).
    Filler,
    /// Backspaces until the modem's line buffer is empty, so that the command which was begun is not completed.
    Quote,
    /// A new bring-up, where nothing less helps.
    Restart,
    /// The query of [`Modem::SYNC`]. Everything up to its answer is skipped.
    Synchronise,
}

/// The characters that end a command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Terminator {
    /// Carriage return.
    Cr,
    /// Carriage return and line feed.
    CrLf,
    /// Line feed.
    Lf,
}

impl Terminator {
    /// Returns the bytes of the terminator.
    pub const fn bytes(self) -> &'static [u8] {
        match self {
            Self::Cr => b"\r",
            Self::CrLf => b"\r\n",
            Self::Lf => b"\n",
        }
    }
}

/// The form of payload that stands in a command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InLine {
    /// In quotes, as it is or as hexadecimal digits.
    Quoted,
    /// As base64, up to the end of the line.
    Base64 {
        /// Characters that are not base64, and for which the modem refuses a line that was cut off anywhere. They are
        /// sent in front of each [`Modem::SYNC`], with a line end, in case only a part of a line has arrived.
        spoils: &'static str,
    },
    /// As it is, behind its length: the line tells the number of bytes, and nothing ends them.
    Counted,
}

/// The polling intervals of a modem that does not announce data, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Polling {
    /// The interval after traffic.
    pub first: u16,
    /// The longest interval. It doubles up to this while nothing is found.
    pub longest: u16,
}

/// The fixed limits of a modem.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The number of socket ids, which begin at 0; at most 32, or the driver does not build. Ids are given out in turn,
    /// so that a late URC about one connection is not taken for one about the next. 0 where the modem chooses the id
    /// and reports it ([`World::take_id`]).
    pub ids: u8,
    /// The largest fetch, in bytes.
    pub max_receive: u16,
    /// The largest send, in bytes.
    pub max_send: u16,
    /// The number of TLS connections that the modem can have open at a time.
    pub sockets: usize,
}

/// The query by which the engine finds its place in the modem's output again. It must be used for nothing else.
#[derive(Clone, Copy, Debug)]
pub struct Sync {
    /// The beginning of the answer.
    pub answer: &'static str,
    /// The command, without the terminator of the line.
    pub command: &'static str,
}

/// The verdict of a judge about a step: what the flow does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// Goes on with the next step of this script. After the last step the flow ends well.
    Next,
    /// Repeats this step.
    Same,
    /// Leaves out the next step, and goes on after it.
    Skip,
    /// Goes on with the first step of another script of the backend, by its [number](Modem::script).
    To(u8),
    /// Parks the flow: other jobs run until the awaited URC has come or [`World::pause`] is over. Then goes on with the
    /// next step.
    Park,
    /// Leaves data mode first, unless the modem is known to be in line mode; then goes on with the next step.
    Escape,
    /// Sends the filler [`World::fill`] first, which completes payload that the host may have announced before it
    /// restarted; then goes on with the next step.
    Fill,
    /// Gets the modem out of a quoted argument first, so that it stores nothing, and
    /// [synchronises](Self::Synchronise); then goes on with the next step.
    Unquote,
    /// Synchronises the channel first; then goes on with the next step. The flow fails where that is not possible,
    /// unless the step is [`Step::even_unanswered`].
    Synchronise,
    /// The flow has ended well.
    End,
    /// The flow has failed, with [`World::failure`].
    Fail,
}

/// The function that decides what follows from a step. It gets the information text of the answer; `None` for a refusal,
/// whose code is [`World::code`].
pub type Judge<M> = fn(&mut M, &mut World<'_>, Option<&[u8]>) -> Then;

/// The function that sees each information line of an answer.
pub type Each<M> = fn(&mut M, &mut World<'_>, &[u8]);

/// A step of a script: one command, its time limit, and the judge of its answer.
#[derive(Debug)]
pub struct Step<M: 'static> {
    /// The command line without its terminator; `{x}` stands for the [argument](Modem::argument) `x`.
    pub(crate) text: &'static str,
    pub(crate) each: Option<Each<M>>,
    pub(crate) judge: Judge<M>,
    /// The time limit for the answer, in tenths of a second.
    pub(crate) limit: u16,
    pub(crate) flags: StepFlags,
}

/// A set of bits that say how the exchange of a step is conducted.
pub(crate) type StepFlags = u16;

/// Nothing is sent: the judge decides at once.
pub(crate) const DECIDES: StepFlags = 1;
/// An answer that breaks the grammar does not end the flow: the judge sees it as a refusal.
pub(crate) const EVEN_GARBLED: StepFlags = 2;
/// A missing answer, or a restart of the modem, does not end the flow: the judge sees it as a refusal.
pub(crate) const EVEN_UNANSWERED: StepFlags = 4;
/// The answer brings payload for a socket's receive ring.
pub(crate) const FETCHES: StepFlags = 8;
/// Payload is sent from a socket's transmit ring, after the prompt.
pub(crate) const SENDS: StepFlags = 16;
/// Payload is sent from a socket's transmit ring as the rest of the line, in the form of [`Modem::IN_LINE`].
pub(crate) const QUOTES: StepFlags = 32;
/// Payload of announced length is sent from a socket's transmit ring, after `OK`.
pub(crate) const COUNTS: StepFlags = 64;
/// Payload is sent from a socket's transmit ring in data mode, which begins with `OK` and ends with `+++`.
pub(crate) const PIPES: StepFlags = 128;
/// Each byte of the payload is sent as two hexadecimal digits.
pub(crate) const HEXES: StepFlags = 1 << 15;

/// Makes a step that sends a command. By default the time limit of the answer is 3 s, and a refusal fails the flow.
pub const fn ask<M>(text: &'static str) -> Step<M> {
    Step {
        text,
        each: None,
        judge: accepted,
        limit: 30,
        flags: 0,
    }
}

/// Makes a step that sends nothing: `judge` decides at once.
pub const fn decide<M>(judge: Judge<M>) -> Step<M> {
    Step {
        text: "",
        each: None,
        judge,
        limit: 0,
        flags: DECIDES,
    }
}

impl<M> Step<M> {
    /// Sets the function that sees each information line. Without it the lines are collected for the judge, up to
    /// [`ANSWER_LIMIT`](crate::ANSWER_LIMIT) bytes in all.
    pub const fn each(mut self, each: Each<M>) -> Self {
        self.each = Some(each);
        self
    }

    /// Sets the judge of the answer.
    pub const fn then(mut self, judge: Judge<M>) -> Self {
        self.judge = judge;
        self
    }

    /// Sets the time limit of the answer, in tenths of a second.
    pub const fn limit(mut self, tenths: u16) -> Self {
        self.limit = tenths;
        self
    }

    /// Has the judge called also for an answer that broke the grammar, which it sees as a refusal.
    pub const fn even_garbled(self) -> Self {
        self.flags(EVEN_GARBLED)
    }

    /// Has the judge called also where the answer broke the grammar, where none came in time, and where the modem
    /// restarted. The judge sees each as a refusal; [`World::ended`] says which it was.
    pub const fn even_unanswered(self) -> Self {
        self.flags(EVEN_GARBLED | EVEN_UNANSWERED)
    }

    /// Makes the step a fetch: its answer brings up to [`World::len`] bytes for the socket. [`World::received`] says how
    /// many came.
    pub const fn fetches(self) -> Self {
        self.flags(FETCHES)
    }

    /// Makes the step a send: [`World::len`] bytes of the socket follow after the modem's prompt.
    /// [`World::send_failed`] tells `SEND FAIL` from success.
    pub const fn sends(self) -> Self {
        self.flags(SENDS)
    }

    /// Makes the step a send of [`World::len`] bytes inside the command line, whose text ends with an open quote.
    pub const fn quotes(self) -> Self {
        self.flags(QUOTES)
    }

    /// Makes the step a send as [`quotes`](Self::quotes), with each byte as two hexadecimal digits, for a modem whose
    /// [`Modem::IN_LINE`] is no other form.
    pub const fn hexes(self) -> Self {
        self.flags(QUOTES | HEXES)
    }

    /// Makes the step a send of [`World::len`] bytes as base64 at the end of the command line, for a modem whose
    /// [`Modem::IN_LINE`] is [`InLine::Base64`]: the form is that constant's, not this method's. The answer to the line is the only confirmation.
    pub const fn base64(self) -> Self {
        self.flags(QUOTES | HEXES)
    }

    /// Makes the step a send of [`World::len`] bytes of the socket's as the rest of the line: for a modem whose
    /// [`Modem::IN_LINE`] is [`InLine::Counted`]. The line tells their number, and nothing ends them.
    pub const fn counted_in_line(self) -> Self {
        self.flags(QUOTES)
    }

    /// Makes the step a send of [`World::len`] bytes after `OK`; the command tells the modem their number.
    ///
    /// The engine sends `+++` where no final result comes within 10 s after the last byte, or the modem itself says
    /// `+++` before: Serial Modem forgets the number when a send fails, and waits for `+++` (nrf9160 sheet, 3.1).
    pub const fn counts(self) -> Self {
        self.flags(COUNTS)
    }

    /// Makes the step a send of [`World::len`] bytes in data mode, with [`World::silence`] before and after them.
    pub const fn pipes(self) -> Self {
        self.flags(PIPES)
    }

    /// Makes a [`decide`] step a send of [`World::len`] bytes in frames, on the channel [`World::id`]. It sends no
    /// command: the judge decides once all bytes are on the UART, since the modem confirms none. The time limit is
    /// 120 s.
    pub const fn in_frames(mut self) -> Self {
        self.limit = 1200;
        self.flags(DECIDES | SENDS)
    }

    const fn flags(mut self, flags: StepFlags) -> Self {
        self.flags |= flags;
        self
    }

    /// Returns whether the judge is called for an exchange that ended with this error.
    pub(crate) fn looks_at(&self, error: AtError) -> bool {
        let looks = match error {
            AtError::Garbled => EVEN_GARBLED,
            _ => EVEN_UNANSWERED,
        };
        self.flags & looks != 0
    }
}

/// A judge for a command that must be accepted: a refusal fails the flow.
pub fn accepted<M>(_: &mut M, world: &mut World<'_>, answer: Option<&[u8]>) -> Then {
    match answer {
        Some(_) => Then::Next,
        None => world.fail(AtError::Refused(world.code)),
    }
}

/// Judges the end of a [send](Step::sends) whose answer says how many bytes the modem took, in the field `index` of the
/// line that begins with `name`.
///
/// If the answer has no information text the modem took nothing, and the bytes are sent again after a pause. If
/// the line cannot be read, or the number is above [`World::len`], the flow fails with [`AtError::Garbled`].
pub fn took(world: &mut World<'_>, text: &[u8], name: &str, index: usize) -> Then {
    let said = answer(text, name).and_then(|line| decimal(Fields::new(line).nth(index)?));
    let taken = said.unwrap_or(0);
    // A damaged line does not mean that nothing was taken; bytes that were taken would be sent twice.
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

/// A judge for a command that some firmware does not know: a refusal is ignored.
pub fn either_way<M>(_: &mut M, _: &mut World<'_>, _: Option<&[u8]>) -> Then {
    Then::Next
}

/// The outcome of a script that sends, fetches, closes, or looks whether a connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A fetch: the connection broke. The modem gives one error for a reset and for a record that is too large.
    Broken,
    /// A send: the modem took [`World::taken`] bytes. A fetch: it brought bytes.
    Done,
    /// A send: the modem has no room at the moment.
    Busy,
    /// A close: the modem has accepted the command, and frees the id with [`Urc::Closed`]. After that URC, or after
    /// 10 s without it, the engine runs the script again, which then says whether the id is free.
    Closing,
    /// A fetch: the modem has no data.
    Empty,
    /// A fetch: the peer has closed, and everything before was fetched.
    End,
    /// A send: it failed, and the next fetch finds out the reason.
    Failed,
    /// A look: the connection is gone.
    Gone,
    /// The modem says that there is no such connection.
    NotConnected,
    /// A look: the connection stands.
    Standing,
    /// A fetch: the peer sent a TLS record larger than the modem's buffer.
    TooLarge,
}

/// The script that brings the modem from any state to one where sockets can be opened.
pub const BRING_UP: u8 = 0;
/// The script that opens the connection of [`World::open`], and sets its `verified`.
pub const OPEN: u8 = 1;
/// The script that sends [`World::len`] bytes on [`World::id`], and sets [`World::verdict`].
pub const SEND: u8 = 2;
/// The script that fetches up to [`World::len`] bytes from [`World::id`], and sets [`World::verdict`]. A length of 0
/// only asks why a send failed.
pub const FETCH: u8 = 3;
/// The script that asks whether [`World::id`] still stands, and sets [`World::verdict`].
pub const LOOK: u8 = 4;
/// The script that closes [`World::id`].
pub const CLOSE: u8 = 5;
/// The script that asks for a sign of life, after a long silence. Only whether the modem answers counts.
pub const LIVENESS: u8 = 6;
/// The script that removes leftovers of a change of credentials.
pub const CLEANUP: u8 = 7;
/// The script that switches the modem off.
pub const POWER_OFF: u8 = 8;
/// The script that lets the modem enter light sleep.
pub const SLEEP: u8 = 9;
/// The number of the first script that is the backend's own.
pub const OWN: u8 = 10;

/// The backend of one modem family that speaks AT: its dialect, its scripts and its limits.
pub trait Modem: Sized + 'static {
    /// The name of the family in reports, such as `bg96`.
    const NAME: &'static str;
    /// The modem's limits.
    const LIMITS: Limits;
    /// The query that synchronises the channel. The default is 3GPP's `AT+CMEE?`, which every modem answers, with a
    /// line that no other command brings.
    const SYNC: Sync = Sync {
        command: "AT+CMEE?",
        answer: "+CMEE:",
    };
    /// The framing below the lines; [`Plain`](crate::modem::Plain) where there is none.
    type Framing: Framing;

    /// Classifies a line. `asked` is the name of the running command, without its `AT`.
    fn line(&mut self, line: &[u8], asked: &[u8]) -> Line;
    /// Returns the script of a number: one of [`BRING_UP`] to [`SLEEP`], or the backend's own from [`OWN`] on.
    /// A script without steps ends well at once.
    fn script(number: u8) -> &'static [Step<Self>];
    /// Refuses a policy that this modem cannot fulfil, before anything is sent. The default refuses one that requires a
    /// check which the modem is not known to do.
    ///
    /// # Errors
    /// The reason why the modem cannot open such a connection.
    fn admit(&self, config: &TlsConfig) -> Result<(), ConnectError> {
        config.check(&self.verification())
    }
    /// Returns the modem's capabilities as far as they are known. The default knows none.
    fn capabilities(&self) -> Capabilities {
        Capabilities::UNKNOWN
    }

    /// Writes the argument `name` of a step's text.
    fn argument(&self, _name: u8, _world: &World<'_>, _out: &mut Out<'_>) {}
    /// Returns the way to get a modem that waits for this input back to line mode.
    fn abort(_waits: Waits) -> Abort {
        Abort::Synchronise
    }
    /// Called when an open has ended: `done`, or with [`World::failure`]. A backend may count failures here.
    fn opened(&mut self, _world: &mut World<'_>, _done: bool) {}
    /// Called when light sleep ends.
    fn woken(&mut self) {}
    /// Returns whether the modem is in its framed mode: output is sent in frames, and input between frames is a fault.
    fn is_framed(&self) -> bool {
        Self::Framing::FRAMES
    }
    /// Classifies a frame that carries neither text nor data.
    fn frame(&mut self, _world: &mut World<'_>, _event: &[u8]) -> Urc {
        Urc::Other
    }
    /// Returns what the modem verifies of a server.
    fn verification(&self) -> Verification {
        self.capabilities().verification
    }
    /// The time in milliseconds within which the answer to a fetch begins; 0 where it may take until the limit of its step.
    /// A fetch of which nothing is heard so long has got lost if the modem then answers the synchronising query, as the
    /// first characters behind a silence do on a modem in light sleep; it is asked again, twice at most.
    const FETCH_PATIENCE: u16 = 0;
    /// The number of CR LFs between fetched payload and `OK`; 0 where it is not checked. A mismatch means that the
    /// announced length was corrupted on the UART.
    const PAYLOAD_ENDS: u8 = 0;
    /// Whether scripts send payload in other ways than after a prompt: inside quotes, counted after `OK`, or in data
    /// mode. If `false`, the engine's code for that is not linked, and a step that needs it fails.
    const SENDS_WITHOUT_PROMPT: bool = true;
    /// The form of payload in a command line, for the steps [`Step::quotes`] and [`Step::base64`], and for
    /// [`At::quote`](crate::At::quote).
    const IN_LINE: InLine = InLine::Quoted;
    /// The names, in any case, of commands such as `+Connect` that the modem answers with two `OK`: the first accepts
    /// the command, the second is its final result. A refusal is final at any time.
    const TWICE: &'static [&'static str] = &[];
    /// Whether the modem may push data, as [`Line::Push`]. If `false`, the engine's code for that is not linked, and
    /// such a line breaks the grammar.
    const PUSHES: bool = true;
    /// Whether users may exchange commands over an [`At`](crate::At): commands of their own, credentials, status and
    /// clock. If `false`, the engine's code for that is not linked, and a use of it does not compile.
    const GUESTS: bool = true;
    /// Whether the modem echoes after power-on. Bring-up turns echo off, so a later echo means a restart.
    const ECHOES: bool = true;
    /// The names of commands whose arguments are secret.
    const SECRET: &'static [&'static str] = &[];
    /// The vendor's own numbers of `+CME ERROR`, ascending, with the texts for error messages.
    const CODES: &'static [Number] = &[];
    /// The commands that [`Control::raw_at`](crate::Control::raw_at) refuses, beside those that it refuses on every
    /// modem.
    const FORBIDDEN: &'static [Forbidden] = &[];
    /// The names of commands without `?` that leave every connection and every setting as it was. See
    /// [`Control::raw_at`](crate::Control::raw_at).
    const HARMLESS: &'static [&'static str] = &[];
    /// The time limit for the modem to confirm that it is off.
    const POWER_OFF_LIMIT: Duration = Duration::from_secs(30);
    /// Whether a pulse of the power key wakes the modem from light sleep, instead of the level of the sleep pin. For a
    /// backend of several firmwares: whether this holds for any of them.
    const WAKE_BY_KEY: bool = false;
    /// Returns whether a pulse of the power key wakes the modem, with the firmware that was found.
    fn wakes_by_key(&self) -> bool {
        Self::WAKE_BY_KEY
    }
    /// The silence, in milliseconds, that the modem needs between a result or URC and the next command. For a family of
    /// several models this is the longest. The engine's time is truncated to milliseconds, so a backend gives one
    /// millisecond more than the modem needs, here and for the pauses below.
    const GAP: u16 = 0;
    /// Returns the gap of the model that was found, in milliseconds: at most [`GAP`](Self::GAP).
    fn gap(&self) -> u16 {
        Self::GAP
    }
    /// The character by which the modem prompts for the payload of a send.
    const PROMPT: u8 = b'>';
    /// The pause between the prompt and the first byte of payload, in milliseconds.
    const PROMPT_PAUSE: u16 = 0;
    /// The character, at the start of a line, by which the modem prompts for the bytes of a credential; `None` where it
    /// says `CONNECT`.
    const UPLOAD_PROMPT: Option<u8> = None;
    /// The pause between the upload prompt and the first byte, in milliseconds.
    const UPLOAD_PAUSE: u16 = 0;
    /// The final result of a send: [`Final::SendOk`] where it confirms all of the payload, or [`Final::Ok`] after a line
    /// that says how much was taken, see [`took`].
    const SEND_ENDS: Final = Final::SendOk;
    /// The byte in front of fetched payload that begins inside a line, such as an open quote; the same byte also closes
    /// the payload. After each such byte of an answer to a fetch the engine calls [`line`](Self::line) with the line so
    /// far, which returns [`Line::Payload`] where payload begins. `None` where payload begins after a line end.
    const PAYLOAD_CUE: Option<u8> = None;
    /// The decoder of a modem that writes payload as text, such as hexadecimal digits; the lengths in its headers are
    /// those of the text. The decoder belongs to the backend, which may choose it by firmware.
    const DECODER: Option<fn(&mut Self) -> &mut Decoder> = None;
}

/// A command that users may not send, because the driver neither notices its effect nor undoes it: the driver would not
/// find the modem again, or not with the settings that it needs.
#[derive(Clone, Copy, Debug)]
pub struct Forbidden {
    /// The name, such as `+QPOWD`; with `*` at its end it covers every name that begins so.
    pub name: &'static str,
    /// Whether reading (`?`) and testing (`=?`) are forbidden too, because they hang the modem.
    pub queries: bool,
    /// The part of the driver's API to use instead, for the error message.
    pub instead: &'static str,
}

impl Forbidden {
    /// Forbids setting the command, and allows reading and testing it.
    pub const fn new(name: &'static str, instead: &'static str) -> Self {
        Self {
            name,
            queries: false,
            instead,
        }
    }

    /// The text for a command whose work a socket does.
    pub const SOCKET: &'static str = "Control::connect, and the Socket's read, write and close";
    /// The text for a command whose work the credential store does.
    pub const STORE: &'static str = "Control::store, ensure, list and remove";
    /// The text for a command that has no replacement.
    pub const NONE: &'static str = "nothing, since the driver would not find the modem again";
    /// The text for a command that changes a setting of the driver.
    pub const OURS: &'static str = "nothing, since the driver needs this setting as it made it";
}

/// The times by which the engine sends, checks the modem and gives up.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Timing {
    /// The time that written bytes wait for more, unless they are flushed or fill a frame. Rounded up to milliseconds,
    /// and cut to 2^30 ms (12 days).
    pub linger: Duration,
    /// The time of silence after which the modem is asked for a sign of life. Rounded up to milliseconds, and cut to
    /// 2^30 ms (12 days).
    pub poll: Duration,
    /// The seed of the random part of the pauses between bring-ups.
    pub seed: u32,
    /// The time that a caller waits for a modem that does not come up. A bring-up that fails earlier gives the caller no
    /// error, since the next one may succeed, except where only a change helps ([`BringUpError::is_lasting`]). A
    /// bring-up that is under way at the end of this time is waited for. A BG96 is an exception: once a bring-up has tried
    /// every means to get an answer from it, and nothing has answered since, the next one is not waited for. The `patience` of a single handle overrides it.
    ///
    /// [`BringUpError::is_lasting`]: crate::BringUpError::is_lasting
    pub patience: Duration,
}

impl Timing {
    /// Times that suit most applications: linger 10 ms, poll 60 s, patience 30 s.
    pub const DEFAULT: Self = Self {
        linger: Duration::from_millis(10),
        poll: Duration::from_secs(60),
        seed: 0,
        patience: Duration::from_secs(30),
    };
    /// The time beyond [`poll`](Self::poll) for which a dead modem may go unnoticed on the backends that speak AT: they
    /// wait this long for the sign of life and for the recovery after it. CC3120, CC3130 and CC3135 get 10 s
    /// (`sectag-cc3200`).
    pub const SILENCE_LIMIT: Duration = Duration::from_secs(5);
}

impl Default for Timing {
    fn default() -> Self {
        Self::DEFAULT
    }
}
