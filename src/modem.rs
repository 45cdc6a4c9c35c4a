//! What a backend supplies. Everything here is for authors of backends; a firmware only names the
//! backend's type.

use core::convert::Infallible;

use embassy_time::Duration;

use crate::capabilities::{Capabilities, Verification};
use crate::cellular::Number;
use crate::clock::DateTime;
use crate::credentials::{Accepts, Comparison, Elsewhere, Kind, Proof, Source, Stored, Tag};
use crate::engine::At;
pub use crate::engine::{Question, apart};
use crate::error::{AtError, BringUpError, Code, ConnectError, CredentialError};
use crate::power::Power;
use crate::power_saving::{Edrx, PowerSaving};
use crate::raw::Forbidden;
use crate::status::{SimCard, Status, Technology};
use crate::tls::{ServerName, TlsConfig};

/// What one line from the modem is, in its dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Line {
    /// A final result.
    Final(Final),
    /// Information text of the running command. Without one it is ignored.
    Info,
    /// Announces this many raw bytes directly behind its line end, if a receive is running;
    /// otherwise it is ignored.
    Payload(usize),
    /// Unsolicited, and `len` raw bytes from the peer of socket `id` are directly behind its line end.
    Push {
        /// The modem's id of the socket.
        id: u8,
        /// How many bytes.
        len: usize,
    },
    /// Unsolicited.
    Urc(Urc),
}

/// The end of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Final {
    /// Data may follow: `CONNECT`.
    Connect,
    /// It was refused.
    Error(Code),
    /// `OK`.
    Ok,
    /// The modem has taken the payload: `SEND OK`.
    SendOk,
    /// The modem has no room for the payload and has not taken it: `SEND FAIL`.
    SendFail,
}

/// An unsolicited result code, as far as the engine acts on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Urc {
    /// The modem finished its start; only bring-up waits for it.
    Booted,
    /// The peer closed socket `id`; unread data may be left.
    Closed {
        /// The modem's id of the socket.
        id: u8,
    },
    /// The data connection is gone, and every socket with it.
    NetworkLost,
    /// The result of opening socket `id`; 0 is success.
    Opened {
        /// The modem's id of the socket.
        id: u8,
        /// The vendor's number.
        result: u16,
    },
    /// Known, and of no consequence for the engine. Seen by whoever watches for it, see
    /// [`At::watch`].
    Other,
    /// Socket `id` has data to fetch.
    Readable {
        /// The modem's id of the socket.
        id: u8,
    },
    /// The modem restarted or is going down: whatever was known of it is void.
    Restarted,
    /// The modem goes into power saving mode: the same, but it is to be left there until it is needed.
    Saving,
}

/// What a modem was waiting for when an exchange did not end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Phase {
    /// It counts bytes; this many were announced and not yet sent.
    Counted {
        /// Bytes still to come.
        left: usize,
    },
    /// Data mode: everything that is sent goes to a peer or into a file. The engine never asks for it;
    /// a command of the user's own may.
    Data,
    /// A frame of a binary protocol whose length was announced, for modems that have one.
    Frame {
        /// Bytes still to come.
        left: usize,
    },
    /// A command line was sent in full; the modem is in line mode.
    Line,
    /// A command that asks for data was sent and no prompt came: it may come late, and then it would
    /// swallow the next command as data.
    Prompt,
    /// An argument in quotes was begun and not closed, for modems that take payload so.
    Quoted,
}

/// How to get back into line mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Abort {
    /// `+++` between two silences of a second, then synchronise.
    Escape,
    /// Feed the missing bytes as filler, then synchronise.
    Filler,
    /// Empty the modem's line of what a quoted argument has put there, close the quote, synchronise.
    Quote,
    /// Bring the modem up anew.
    Restart,
    /// The modem is in line mode: send [`Modem::SYNC`] and skip everything up to its answer.
    Synchronise,
}

/// What ends a command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Terminator {
    /// CR, as V.250 says.
    Cr,
    /// CR LF, adjacent.
    CrLf,
    /// LF.
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

/// Where the engine looks for data that no notice announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Polling {
    /// The first look after traffic; the pause doubles with each that finds nothing.
    pub first: Duration,
    /// The longest pause.
    pub longest: Duration,
}

/// Fixed figures of a backend.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Socket ids are 0 to `ids - 1`.
    pub ids: u8,
    /// The most bytes of one fetch.
    pub max_receive: usize,
    /// The most bytes of one send.
    pub max_send: usize,
    /// TLS sockets at a time.
    pub sockets: usize,
}

/// A query whose answer cannot be anyone else's, used for nothing but synchronising.
#[derive(Clone, Copy, Debug)]
pub struct Sync {
    /// How its information text begins.
    pub answer: &'static str,
    /// The command line with its CR.
    pub command: &'static str,
}

/// A connection to open. Everything is checked text; the ids are this connection's alone.
#[derive(Clone, Copy, Debug)]
pub struct Open<'a> {
    /// Policy and tag.
    pub config: &'a TlsConfig,
    /// The TLS context or profile to use, 0 to [`Limits::sockets`]` - 1`.
    pub context: u8,
    /// The socket id to use.
    pub id: u8,
    /// Whom to connect to.
    pub name: ServerName<'a>,
    /// The TCP port.
    pub port: u16,
    /// Where [`At::opened`] finds the result.
    pub slot: Slot,
}

/// An entry of the engine's socket table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot(pub(crate) u8);

/// Moves up to `len` bytes between a socket's ring and the modem.
#[derive(Clone, Copy, Debug)]
pub struct Transfer {
    /// The modem's id of the socket.
    pub id: u8,
    /// Bytes to send exactly, or to fetch at most.
    pub len: usize,
    /// Whose ring.
    pub slot: Slot,
}

/// What became of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Sent {
    /// The modem has it.
    Accepted,
    /// The modem has no room now and has taken nothing.
    Busy,
    /// The modem did not take all of it, and does not say why. Nothing more is sent on the socket, and the
    /// fetches that follow find out: one that is [`Empty`](Received::Empty) means that the connection is lost.
    Failed,
    /// The modem says that the peer has closed; it has taken nothing.
    NotConnected,
}

/// What a fetch brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Received {
    /// This many bytes are in the ring.
    Data(usize),
    /// The modem has none.
    Empty,
    /// The peer closed, and everything it sent was fetched.
    End,
    /// The modem says that the socket is not connected.
    NotConnected,
    /// The modem gave the connection up over a TLS record larger than it takes.
    TooLarge,
}

/// One modem family: its dialect and its flows. It does no I/O of its own; a flow is an async fn
/// over [`At`].
///
/// Flows may be dropped at any await point. A flow that changes something in the modem outside a
/// socket must be safe to repeat.
#[allow(async_fn_in_trait)]
pub trait Modem {
    /// What credentials it takes.
    const ACCEPTS: Accepts;
    /// How many line ends (CR LF) stand between payload that was fetched for a socket and the `OK` behind
    /// it; one fewer where the announced payload is empty. 0 where that is not known, and then any will do.
    /// By these bytes it is seen when noise has altered the announced count, or shifted the payload.
    const PAYLOAD_ENDS: u8 = 0;
    /// What a [comparison](Self::compare) that finds the same rests on.
    const PROOF: Proof = Proof::ReadBack;
    /// Fixed figures.
    const LIMITS: Limits;
    /// The modem's name, as in the host tool's `--modem`.
    const NAME: &'static str;
    /// How long the modem may take to switch itself off.
    const POWER_OFF_LIMIT: Duration;
    /// The vendor's own numbers of `+CME ERROR`, in their order, for whoever explains them.
    const CODES: &'static [Number] = &[];
    /// What [`Control::raw_at`](crate::Control::raw_at) refuses.
    const FORBIDDEN: &'static [Forbidden];
    /// Names of commands whose arguments are masked in traces.
    const SECRET: &'static [&'static str];
    /// See [`Sync`].
    const SYNC: Sync;
    /// The modem repeats commands until it is told not to: one that does it again has restarted. `false`
    /// for one that never does, where such a line is an answer.
    const ECHOES: bool = true;

    /// What `line` is. `asked` is the name of the running command, for instance `+CEREG`, and empty
    /// when none is running: some lines are an answer or a URC depending on it.
    fn line(&self, line: &[u8], asked: &[u8]) -> Line;

    /// The most bytes that the modem pushes at once, with [`Line::Push`], on sockets that are opened from
    /// now on; `None` when their data is fetched.
    ///
    /// A pushing modem needs hardware flow control: it is held back while a ring is full.
    fn push_unit(&self) -> Option<usize> {
        None
    }

    /// The least room in a ring that a fetch needs, where a fetch cannot be told how much it may bring.
    /// A connect with smaller rings is refused.
    fn fetch_unit(&self) -> usize {
        1
    }

    /// For sockets that are opened from now on: how they are looked after where the modem gives no
    /// notice of data; `None` where it does, and a look is only for notices that were missed.
    fn polling(&self) -> Option<Polling> {
        None
    }

    /// How to get out of `phase`.
    fn abort(&self, phase: Phase) -> Abort;

    /// Brings the modem from any state to one where sockets can be opened: nothing of an earlier
    /// life of the MCU is open any more.
    async fn bring_up(&self, at: &mut At<'_>, power: &mut dyn Power) -> Result<(), BringUpError>;

    /// Removes what a flow left that was dropped or failed: half of a file, an open handle. The runner
    /// calls it once such an exchange has ended; nothing to do must cost no exchange.
    async fn tidy(&self, at: At<'_>) -> Result<(), AtError>;

    /// Refuses a connection that is known to be impossible, before anything is sent for it: a tag that
    /// this modem cannot name, a check that no firmware does, a feature that this one does not have
    /// ([`TlsConfig::check`], [`TlsConfig::suites_for`]). What is Unknown is for [`open`](Self::open) to
    /// try.
    fn admit(&self, config: &TlsConfig) -> Result<(), ConnectError>;

    /// Opens a verified TLS connection that was admitted, and returns what is checked on it. The engine closes the id if
    /// this fails or is dropped.
    ///
    /// Everything that verification depends on is written to the modem anew, whatever was written
    /// before, and [`TlsConfig::check`] decides by the answers. A result that means "connected, but not
    /// verified" is an error.
    async fn open(&self, at: At<'_>, open: Open<'_>) -> Result<Verification, ConnectError>;

    /// Sends `transfer.len` bytes from the ring.
    async fn send(&self, at: At<'_>, transfer: Transfer) -> Result<Sent, AtError>;

    /// Fetches at most `transfer.len` bytes into the ring.
    ///
    /// 0 is asked for only after a send that [`Failed`](Sent::Failed): there is no room now. Then it is
    /// [`Data(0)`](Received::Data) where the peer has closed and what it sent is still to be fetched.
    async fn receive(&self, at: At<'_>, transfer: Transfer) -> Result<Received, AtError>;

    /// Whether the connection of an id still stands, as far as the modem knows. Asked after an empty
    /// fetch, and now and then where data is pushed, when the notice of a close may have been missed.
    async fn is_open(&self, at: At<'_>, id: u8) -> Result<bool, AtError>;

    /// Closes an id, whether or not it is open. `Ok` means that the modem confirmed that it is free.
    async fn close(&self, at: At<'_>, id: u8) -> Result<(), AtError>;

    /// What it has and can, as far as this firmware is known.
    fn capabilities(&self) -> Capabilities;

    /// What is checked of a server, as far as this firmware is known.
    fn verification(&self) -> Verification {
        self.capabilities().verification
    }

    /// The number behind a refusal of the command line `command`, where the modem tells it only when
    /// asked.
    async fn explain(&self, at: At<'_>, command: &str, code: Code) -> Code;

    /// Tells the modem to switch itself off; it agrees, and does so later.
    async fn power_off(&self, at: At<'_>) -> Result<(), AtError>;

    /// Allows the modem to sleep when its sleep pin says so.
    async fn sleep(&self, _at: At<'_>) -> Result<(), AtError> {
        Err(AtError::Unsupported)
    }

    /// It is woken by a pulse of the power key, not by the level of the sleep pin; and then says that it has
    /// started, and not all that it had to say.
    const WAKE_BY_KEY: bool = false;

    /// It was woken, or is to be left alone no longer for another reason.
    fn woken(&self) {}

    /// Asks the network for power saving mode, or gives it up.
    async fn set_power_saving(
        &self,
        at: At<'_>,
        wanted: Option<PowerSaving>,
    ) -> Result<(), AtError>;

    /// What the network granted.
    async fn power_saving(&self, at: At<'_>) -> Result<Option<PowerSaving>, AtError>;

    /// Asks the network for extended discontinuous reception, or gives it up.
    async fn set_edrx(
        &self,
        at: At<'_>,
        technology: Technology,
        wanted: Option<Edrx>,
    ) -> Result<(), AtError>;

    /// What the network granted.
    async fn edrx(&self, at: At<'_>) -> Result<Option<Edrx>, AtError>;

    /// Fills in what this modem can tell; what it refuses stays `None`.
    async fn status(&self, at: At<'_>, status: &mut Status);

    /// Who the SIM is; what the modem refuses to tell is `None`.
    async fn sim(&self, at: At<'_>) -> Result<SimCard, AtError>;

    /// Reads the clock; `None` when the modem has no time at all.
    async fn clock(&self, at: At<'_>) -> Result<Option<DateTime>, AtError>;

    /// Sets the clock.
    async fn set_clock(&self, at: At<'_>, now: DateTime) -> Result<(), AtError>;

    /// Stores `content`, which is in the form that [`ACCEPTS`](Self::ACCEPTS) asks for. What a drop, a
    /// failure or a reset in the middle leaves must not pass for stored. The caller holds the turn of
    /// whoever reads or changes credentials, here and below.
    async fn store<S: Source>(
        &self,
        at: At<'_>,
        tag: Tag,
        kind: Kind,
        content: &mut S,
    ) -> Result<(), CredentialError<S::Error>>;

    /// Reads back what is stored and compares it with `content`, byte for byte.
    async fn compare<S: Source>(
        &self,
        at: At<'_>,
        tag: Tag,
        kind: Kind,
        content: &mut S,
    ) -> Result<Comparison, CredentialError<S::Error>>;

    /// Hands the bytes that are stored to `sink`, in pieces; `false` when there are none.
    async fn read_back(
        &self,
        at: At<'_>,
        tag: Tag,
        kind: Kind,
        sink: &mut dyn FnMut(&[u8]),
    ) -> Result<bool, CredentialError<Infallible>>;

    /// See [`CredentialStore::list`](crate::CredentialStore::list).
    async fn list(
        &self,
        at: At<'_>,
        found: &mut dyn FnMut(Stored),
    ) -> Result<(), CredentialError<Infallible>>;

    /// See [`CredentialStore::list_tag`](crate::CredentialStore::list_tag).
    async fn list_tag(
        &self,
        at: At<'_>,
        tag: Tag,
        found: &mut dyn FnMut(Stored),
    ) -> Result<(), CredentialError<Infallible>> {
        let mut wanted = |stored: Stored| {
            if stored.tag == tag {
                found(stored);
            }
        };
        self.list(at, &mut wanted).await
    }

    /// See [`CredentialStore::elsewhere`](crate::CredentialStore::elsewhere).
    async fn elsewhere(&self, _at: At<'_>, _tag: Tag) -> Result<Option<Elsewhere>, AtError> {
        Ok(None)
    }

    /// See [`CredentialStore::remove`](crate::CredentialStore::remove).
    async fn remove(
        &self,
        at: At<'_>,
        tag: Tag,
        kind: Kind,
    ) -> Result<(), CredentialError<Infallible>>;
}

/// When the runner does what by itself. All have defaults.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Timing {
    /// A written byte waits at most this long for more before it is sent. Default 10 ms.
    pub linger: Duration,
    /// An open socket is asked for data at least this often, though no notice came, and the modem is
    /// asked for a sign of life. Default 60 s.
    pub poll: Duration,
    /// Makes the pauses between attempts to bring the modem up differ between devices, see
    /// [`Backoff::new`](crate::Backoff::new). Default 0.
    pub seed: u32,
}

impl Timing {
    /// The defaults.
    pub const DEFAULT: Self = Self {
        linger: Duration::from_millis(10),
        poll: Duration::from_secs(60),
        seed: 0,
    };

    /// How long after [`poll`](Self::poll) an idle modem that fell silent without a word, as by a
    /// brown-out, is given up at the latest, and every socket reports `ConnectionReset`: one query
    /// without an answer, then three to synchronise. A running command adds its own deadline, which is
    /// the modem's word for how long it may be silent: up to 120 s for a BG96's send.
    pub const SILENCE_LIMIT: Duration = Duration::from_secs(5);
}

impl Default for Timing {
    fn default() -> Self {
        Self::DEFAULT
    }
}
