//! Quectel BG96 for [`sectag`]: the modem's own TLS sockets, in buffer mode, with verification on.
//!
//! A citation "sheet 4.1" names a heading of `FACTS.md` beside this crate's sources, which gives the
//! manual and chapter of each fact.
//!
//! | | BG96 |
//! |---|---|
//! | TLS | up to 1.2, RSA certificates only: it has no ECDSA suites (sheet 4.1); relatives list some |
//! | chain, dates | checked; the factory default is off for both and is overridden on every open |
//! | name | not documented as checked: a public CA is refused unless that is accepted |
//! | SNI | sent where the firmware knows the key `sni` |
//! | ALPN, PSK, session resumption | where the firmware lists the key; relatives do |
//! | sockets | 6 with a TLS context of their own |
//! | a connect blocks others | no: the modem answers at once and reports the result later |
//! | a close blocks others | at most 3 s, when the peer does not answer |
//! | `flush` means | the modem has accepted the bytes (`SEND OK`) |
//!
//! Each file begins with the scripts of its flows, written in the order of the manual's dialogue; their
//! judges follow below. A firmware can leave parts of the backend out by type: see [`Options`].
#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod bring_up;
mod causes;
mod clock;
mod config;
mod context;
mod credentials;
mod data_connection;
mod dialect;
mod escalation;
mod file_system;
mod files;
mod keys;
mod open;
mod options;
mod power;
#[cfg(feature = "radio")]
mod radio;
mod raw;
mod sockets;
mod status;
mod upload;
mod waking;

pub use causes::{meaning, refusal};
pub use config::{Auth, Config};
pub use options::{All, Least, Options};
#[cfg(feature = "radio")]
pub use radio::{Lte, Network, Operator, Plmn, Radio, Roaming, Search};

use embassy_time::Duration;
use sectag::cellular::{Number, SimEntry};
use sectag::clock::DateTime;
use sectag::modem::{
    Abort, BRING_UP, CLEANUP, CLOSE, FETCH, LIVENESS, LOOK, Limits, Line, Modem, OPEN, OWN, Out,
    POWER_OFF, Plain, SEND, SLEEP, Sleeps, Step, Sync, Urc, Waits, World,
};
use sectag::{Capabilities, ConnectError, Forbidden, TlsConfig, Verification};

use keys::Keys;

/// The backend of a Quectel BG96. Give it to [`sectag::new`].
///
/// ```no_run
/// use sectag::State;
/// use sectag_bg96::{Bg96, Config};
///
/// // One socket with a receive ring and a transmit ring of 1 KiB each.
/// let mut state = State::<Bg96, 1, 1024, 1024>::new();
/// let backend = Bg96::new(Config::new());
/// # let _ = (&mut state, backend);
/// ```
///
/// The fields are laid out in this order so that small, often used ones are within reach of short
/// instructions; a figure in BENCHMARKS.md checks the gain.
#[repr(C)]
pub struct Bg96<O: Options = All> {
    // Scratch of one flow each; the flow resets it at its start.
    opening: open::Opening,
    waking: waking::Waking,
    bring_up: bring_up::BringUp,
    setting: clock::Setting,
    cleanup: files::Cleanup,
    /// The PDP context must be deactivated before it can be activated again (sheet 1.6): the modem
    /// reported `pdpdeact` or lists the context no longer, or a remedy asks for a new one.
    context_lost: bool,
    /// The next bring-up restarts the modem.
    reboot: bool,
    /// The state of SIM and PIN. A PIN that the SIM refused is not entered again, since each try brings
    /// the SIM nearer to being locked.
    sim: SimEntry,
    /// The radio settings are as configured, so that a later bring-up does not write them again.
    #[cfg(feature = "radio")]
    radio_written: bool,
    /// TLS contexts whose `negotiatetime` was written since the modem's last start, as a bit set. The
    /// time limit has no part in verification: if the modem lost it, its own longer limit applies.
    limited: u8,
    /// TLS contexts that may hold a session cache, ALPN or a pre-shared key of an earlier connection,
    /// as three bit sets of eight bits each. They are forgotten when the MCU alone is reset; that
    /// firmware asks for the settings of the earlier life again, since it is unchanged.
    extended: u32,
    /// The keys of TLS contexts that this firmware knows.
    keys: Keys,
    /// The latest date that the modem's clock showed since the modem's last start. Clocks run forward,
    /// so it is a lower bound of the current date.
    clock_floor: Option<DateTime>,
    escalation: escalation::Escalation,
    /// Files that an interrupted flow left in the modem and `CLEANUP` has to remove.
    leftovers: files::Leftovers,
    config: Config<O>,
}

/// A table of steps.
type Script<O> = &'static [Step<Bg96<O>>];

// Numbers of this backend's own scripts.
const WAKE: u8 = OWN;
const ATTENTION: u8 = OWN + 1;
const REBOOT: u8 = OWN + 2;
const SETTINGS: u8 = OWN + 3;
const KEYS: u8 = OWN + 4;
const STALE_SOCKETS: u8 = OWN + 5;
const DELETE: u8 = OWN + 6;
const LOOK_FOR_MARKERS: u8 = OWN + 7;
const SIM: u8 = OWN + 8;
const ENTER_PIN: u8 = OWN + 9;
#[cfg(feature = "radio")]
const RADIO: u8 = OWN + 10;
#[cfg(feature = "radio")]
const OPERATOR: u8 = OWN + 11;
const REGISTRATION: u8 = OWN + 12;
const DATA_CONNECTION: u8 = OWN + 13;
const DEACTIVATE: u8 = OWN + 14;
const SET_CONTEXT: u8 = OWN + 15;
const ACTIVATE: u8 = OWN + 16;
const WHY_NOT_ACTIVE: u8 = OWN + 17;
const CLOCK: u8 = OWN + 18;
const NTP: u8 = OWN + 19;
const SET_CLOCK: u8 = OWN + 20;
const CONTEXT: u8 = OWN + 21;
const OPEN_REFUSED: u8 = OWN + 22;
const LOST: u8 = OWN + 23;
const STARTING: u8 = OWN + 24;
const CLOSE_FILE: u8 = OWN + 25;
const COUNT_TRIES: u8 = OWN + 26;
const MULTIPLEXER: u8 = OWN + 27;

impl<O: Options> Bg96<O> {
    /// Returns a backend with this configuration.
    pub const fn new(config: Config<O>) -> Self {
        Self {
            context_lost: false,
            reboot: false,
            sim: SimEntry::NEW,
            #[cfg(feature = "radio")]
            radio_written: false,
            limited: 0,
            extended: 0,
            keys: Keys::UNKNOWN,
            clock_floor: None,
            escalation: escalation::Escalation::new(),
            leftovers: files::Leftovers::new(),
            waking: waking::Waking::new(),
            bring_up: bring_up::BringUp::new(),
            setting: clock::Setting::new(),
            opening: open::Opening::new(),
            cleanup: files::Cleanup::new(),
            config,
        }
    }

    /// Returns whether the modem pushes received data (direct push mode).
    const fn pushes(&self) -> bool {
        O::PUSH && self.config.direct_push
    }
}

impl<O: Options> Modem for Bg96<O> {
    const NAME: &'static str = "bg96";
    type Framing = Plain;
    const LIMITS: Limits = Limits {
        // SSL contexts 0-5, client ids 0-11 (sheet 4).
        sockets: 6,
        ids: 12,
        max_receive: 1500,
        // The manual says 1460 in one place and 1500 in another (sheet 4.3).
        max_send: 1460,
    };
    const SYNC: Sync = Sync {
        command: "AT+IPR?",
        answer: "+IPR:",
    };
    // A read takes what is in the modem's buffer, and nothing in the sheet has it wait. The first characters
    // to a modem with a slow clock are lost, and reads are safe to repeat (sheet 1.8).
    const FETCH_PATIENCE: u16 = 1500;
    // Sheet 4.4.
    const PAYLOAD_ENDS: u8 = 2;
    // Payload goes behind the prompt, and files behind `CONNECT`.
    const SENDS_WITHOUT_PROMPT: bool = false;
    const PUSHES: bool = O::PUSH;
    const GUESTS: bool = O::COMMANDS;
    // Up to 60 s for leaving the network (sheet 1.1), and some for the UART.
    const POWER_OFF_LIMIT: Duration = Duration::from_secs(65);
    const CODES: &'static [Number] = &causes::FILES;
    const FORBIDDEN: &'static [Forbidden] = &raw::FORBIDDEN;
    const HARMLESS: &'static [&'static str] = &raw::HARMLESS;
    // Commands with secrets. sectag never sends the last three; a user can type them.
    const SECRET: &'static [&'static str] = &[
        "+QICSGP",
        "+QSSLCFG=\"psk\"",
        "+QMTCONN",
        "+QHTTPCFG=\"auth\"",
        "+QFTPCFG=\"account\"",
    ];

    fn line(&mut self, line: &[u8], asked: &[u8]) -> Line {
        let line = dialect::line(line, asked, self.pushes());
        self.context_lost |= matches!(line, Line::Urc(Urc::NetworkLost));
        line
    }

    fn script(number: u8) -> Script<O> {
        match number {
            BRING_UP => Self::BRING_UP,
            OPEN => Self::OPEN,
            SEND => Self::SEND,
            FETCH => Self::FETCH,
            LOOK => Self::LOOK,
            CLOSE => Self::CLOSE,
            LIVENESS => Self::LIVENESS,
            CLEANUP => Self::CLEANUP,
            POWER_OFF => Self::POWER_OFF,
            SLEEP => Self::SLEEP,
            WAKE => Self::WAKE,
            ATTENTION => Self::ATTENTION,
            STARTING => Self::STARTING,
            MULTIPLEXER if O::MODES => Self::MULTIPLEXER,
            REBOOT => Self::REBOOT,
            SETTINGS => Self::SETTINGS,
            KEYS if O::DISCOVERY => Self::KEYS,
            STALE_SOCKETS => Self::STALE_SOCKETS,
            CLOSE_FILE => Self::CLOSE_FILE,
            DELETE => Self::DELETE,
            LOOK_FOR_MARKERS => Self::LOOK_FOR_MARKERS,
            SIM => Self::SIM,
            ENTER_PIN if O::PIN => Self::ENTER_PIN,
            COUNT_TRIES if O::PIN => Self::COUNT_TRIES,
            #[cfg(feature = "radio")]
            RADIO => Self::RADIO,
            #[cfg(feature = "radio")]
            OPERATOR => Self::OPERATOR,
            REGISTRATION => Self::REGISTRATION,
            DATA_CONNECTION => Self::DATA_CONNECTION,
            DEACTIVATE => Self::DEACTIVATE,
            SET_CONTEXT => Self::SET_CONTEXT,
            ACTIVATE => Self::ACTIVATE,
            WHY_NOT_ACTIVE => Self::WHY_NOT_ACTIVE,
            CLOCK => Self::CLOCK,
            NTP if O::NTP => Self::NTP,
            SET_CLOCK => Self::SET_CLOCK,
            CONTEXT => Self::CONTEXT,
            OPEN_REFUSED => Self::OPEN_REFUSED,
            LOST => Self::LOST,
            _ => &[],
        }
    }

    fn admit(&self, config: &TlsConfig) -> Result<(), ConnectError> {
        self.suite_for(config).map(|_| ())
    }

    fn capabilities(&self) -> Capabilities {
        self.keys.capabilities()
    }

    // A method beside `capabilities`, so that a firmware that needs only this links only this.
    fn verification(&self) -> Verification {
        self.keys.verification()
    }

    fn argument(&self, name: u8, world: &World<'_>, out: &mut Out<'_>) {
        let config = &self.config;
        let text = match name {
            b'b' => return self.write_words(out),
            b'a' => config.apn.as_ref().map_or("", |apn| apn.as_str()),
            b'c' => return out.int(open::context(world).into()),
            b'd' => return out.bytes(&self.setting.date.to_cclk()),
            b'e' if O::MODES => return out.bytes(&waking::CLOSE_DOWN),
            b'f' => return self.write_unwanted_file(out),
            b'g' if O::MODES => return out.bytes(&waking::RESTART),
            b'h' => return world.write_name(out),
            b'i' => return out.int(world.id.into()),
            b'k' => return self.write_key(world, out),
            b'l' => return out.int(world.len.into()),
            b'm' => return out.int(self.pushes().into()),
            b'n' if O::NTP => config.ntp.as_ref().map_or("", |server| server.as_str()),
            b'o' => return out.int(self.leftovers.handle.unwrap_or(0)),
            b'p' => return out.int(open::port(world).into()),
            #[cfg(feature = "radio")]
            b'q' => return self.write_item(out),
            b's' if O::PIN => config.pin.as_ref().map_or("", |pin| pin.expose().as_str()),
            b't' => return Self::write_other_cas(out),
            b'u' => config.user.as_str(),
            #[cfg(feature = "radio")]
            b'v' => return self.write_values(out),
            b'w' => config.password.expose().as_str(),
            b'x' => return out.int(config.auth.code()),
            _ => "",
        };
        out.bytes(text.as_bytes());
    }

    fn abort(waits: Waits) -> Abort {
        match waits {
            Waits::Line => Abort::Synchronise,
            Waits::Counted => Abort::Filler,
            // Sheet 4.7.
            Waits::Data => Abort::Escape,
            // The prompt may come late and would then swallow the next command as data. This modem
            // takes no payload in quotes.
            Waits::Prompt | Waits::Quoted => Abort::Restart,
        }
    }

    fn opened(&mut self, world: &mut World<'_>, done: bool) {
        if !done && self.opening.begun {
            // The clock may be the reason. The next connect reads it again, although it was set before.
            self.clock_floor = None;
        }
        if O::ESCALATION {
            self.judge_open(world, done);
        }
    }
}

impl<O: Options> Sleeps for Bg96<O> {}
