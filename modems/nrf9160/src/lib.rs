//! Nordic nRF9160 and its kin for [`sectag`], with the firmwares Serial LTE Modem (SLM) 2.0 to 3.1 and
//! Serial Modem (SM), which is found out at run time: TLS sockets with verification on.
//!
//! What the modem does is cited as "sheet", with the number of a heading of `FACTS.md` beside this crate's
//! sources, which names manual, source file or question for each fact.
//!
//! | | modem TLS | native TLS build, 2.6 and later |
//! |---|---|---|
//! | TLS | 1.2 | 1.2 |
//! | chain, name | checked; the name only because this driver sets it on every socket | checked |
//! | dates | UNCONFIRMED, so the clock must be set | UNCONFIRMED |
//! | credentials | `%CMNG`, proved by digest; the modem leaves the network for a change | `#XCMNG`, no digest |
//! | record limit | 2048 bytes | 4096; 8192 from 3.1 on |
//! | a connect blocks others | yes: the whole channel, up to two minutes | yes, up to 30 s |
//! | data is announced | SM only; SLM is asked, every 20 ms to 1 s | asked |
//! | `flush` means | the modem has taken the bytes | the same |
//!
//! Native builds of 2.0 to 2.5 have a defect that corrupts their heap: credentials are managed, and
//! connections refused, unless [`Config::patched_native`] declares the fix.
//!
//! Firmware that is only ever used with one of the [families](Family) can say so in the backend's type, and
//! then does not link the code for the others: [`Nrf9160::of_family`].
//!
//! Keys can be made in the modem and tokens be signed there: [`DeviceKeys`]. Pins: the power key of
//! [`Pins`](sectag::Pins) is the modem's wake pin (active low, so [`active_low`](sectag::Pins::active_low)
//! when it is wired directly), which ends `Control::sleep` (SLM's `#XSLEEP=2`) and `Control::power_off`. On a
//! pulse of the indicate pin the application calls `Control::wake`.
//!
//! Cipher suites cannot be chosen. Where the one that is used can be read, which is with native TLS from 2.6
//! on and on the nRF91x1, it is judged before anything is sent; elsewhere the modem uses any that it has, and
//! `verified()` says so. The modem shows the client certificate under the tag to a server
//! that asks, whether or not the policy says so, and `verified()` tells.
//!
//! Payload goes as a quoted string where it is printable and without `"` and `,`: the modem tells how much of it
//! was sent. Otherwise it goes through data mode, but for runs of three and more `+`, which would end that, and with
//! Serial Modem as hex if there are such. TRAP: SLM 2.5 to 3.1 drop what they cannot send in data mode without a word.
//! The connection is ended when the socket shows an error, or when the send took as long as the firmware waits; a
//! send that is refused at once on a connection that goes on leaves a hole that no driver sees.
//!
//! RTS and CTS must be wired: up to 2.4 the firmware does not listen while a command runs, and nothing is
//! done with it that could lose bytes until [`Config::flow_control`] says that they are. With SLM the
//! receive rings must hold 1240 bytes (2.0 to 2.2) or 2048: a fetch cannot be told how much it may bring.
#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod base64url;
mod bring_up;
mod clock;
mod codes;
mod commands;
mod config;
mod credentials;
mod dialect;
mod families;
mod forms;
mod keys;
mod marks;
mod network;
mod open;
mod power;
mod power_saving;
mod raw;
mod release;
mod requester;
mod sockets;
mod status;

pub use config::Config;
pub use families::{
    AnyFirmware, Family, ReleaseAssistance, SerialModem, SlmModemTls, SlmNativeTls, SocketsOnly,
};
pub use keys::{
    DeviceKeys, GeneratedKey, KEY_BUFFER, KeyError, KeyRequest, KeyUse, TOKEN_BUFFER, TokenRequest,
};
pub use requester::ModemKey;

use core::marker::PhantomData;

use embassy_time::Duration;
use sectag::cellular::{Number, SimEntry};
use sectag::clock::DateTime;
use sectag::modem::{
    Abort, Limits, Line, Modem, Out, Plain, Step, Sync, Terminator, Urc, Waits, World,
};
use sectag::{Capabilities, ConnectError, Flush, Forbidden, SuiteSet, Support, TlsConfig};

use dialect::{Firmware, Store};

/// A table of steps.
pub(crate) type Script<F> = &'static [Step<Nrf9160<F>>];

/// All scripts, with their numbers in the order in which they stand here; and for which firmware each is.
macro_rules! scripts {
    ($($family:ident $name:ident,)*) => {
        /// The numbers of the scripts.
        pub(crate) mod script {
            #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
            enum Number { $($name,)* }

            $(pub(crate) const $name: u8 = Number::$name as u8;)*
        }

        impl<F: Family> Nrf9160<F> {
            const SCRIPTS: &'static [Script<F>] = &[
                $(if families::$family::<F>() { Self::$name } else { &[] },)*
            ];
        }
    };
}

scripts! {
    any BRING_UP,
    any OPEN,
    any SEND,
    any FETCH,
    any LOOK,
    any CLOSE,
    any LIVENESS,
    any CLEANUP,
    any POWER_OFF,
    sleeps SLEEP,
    any MEANS,
    any ATTENTION,
    any SETTINGS,
    any ENDS_IN_CR,
    any ENDS_IN_CR_LF,
    slm IDENTIFY,
    sm IDENTIFY_SERIAL_MODEM,
    any BUILD,
    sm BEGIN_NOTICES,
    slm END_NOTICES,
    any NETWORK,
    any APN,
    any SET_APN,
    any ONLINE,
    any SIM,
    any ENTER_PIN,
    any COUNT_TRIES,
    any REGISTRATION,
    any LOSS,
    any CLOCK,
    any SET_CLOCK,
    any CREDENTIALS,
    native SETTINGS_STORE,
    any ELSEWHERE,
    any PRESENT,
    slm MODEL,
    any CREATE,
    any CONNECT,
    any SUITE,
    slm SELECT,
    any SEND_AS,
    release TELL_LAST,
    release TELL_LAST_BY_NAME,
    release ASSIST,
    any SEND_TEXT,
    sm SEND_HEX,
    sm SEND_COUNTED,
    slm SEND_DATA,
    slm SEND_LEFT_LATE,
    slm POLL,
    slm_sleeps UNWATCH,
    any READ,
    any RECEIVE,
    slm WHY_BROKEN,
    slm LOOK_BY_POLL,
    sm LOOK_BY_NOTICE,
    sm LIST_HANDLES,
    slm LIST_CURRENT,
    sm CLOSE_HANDLE,
    slm CLOSE_CURRENT,
    any TIDIED,
    sm SHUT_DOWN,
    slm SYSTEM_OFF,
}

const _: () = {
    use sectag::modem;
    assert!(script::BRING_UP == modem::BRING_UP && script::OPEN == modem::OPEN);
    assert!(script::SEND == modem::SEND && script::FETCH == modem::FETCH);
    assert!(script::LOOK == modem::LOOK && script::CLOSE == modem::CLOSE);
    assert!(script::LIVENESS == modem::LIVENESS && script::CLEANUP == modem::CLEANUP);
    assert!(script::POWER_OFF == modem::POWER_OFF && script::SLEEP == modem::SLEEP);
    assert!(script::MEANS == modem::OWN);
};

/// Silence in milliseconds after which data mode sends what it has: 32 ms at 115200, up to 276 with a slow
/// line or a large buffer, until the modem has told (sheet 3).
pub(crate) const SILENCE: u16 = 276;
/// The first look for data after traffic, in milliseconds.
pub(crate) const FIRST_POLL: u16 = 20;

/// What restarted, by the modem's own words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Restart {
    /// The whole unit (`Ready`): a reset, a crash of its application, or its supply.
    Application,
    /// The modem core alone, which crashed (`#XMODEM: FAULT`); the application started it again.
    ModemCore {
        /// The vendor's reason: 4 is seen with certificate chains that are too long (sheet 7.5).
        reason: u32,
    },
}

/// The backend. Give it to [`sectag::State::new`].
///
/// ```no_run
/// use sectag::State;
/// use sectag_nrf9160::{Config, Nrf9160};
///
/// // One socket. This modem hands over up to 2 KiB at once, and RTS and CTS are wired.
/// let mut state = State::<Nrf9160, 1, 2048, 1024>::new(Nrf9160::new(Config::new().flow_control()));
/// # let _ = &mut state;
/// ```
pub struct Nrf9160<F: Family = AnyFirmware> {
    firmware: Firmware,
    /// What ends a line, once it is known.
    terminator: Option<Terminator>,
    /// The place among the modem's speeds of the UART's, where that can be changed.
    speed: u8,
    /// The current socket (SLM), where that is known.
    current: Option<u8>,
    /// A socket may be open whose handle nobody knows.
    lost: bool,
    /// The modem was taken off the network, to change credentials.
    offline: bool,
    /// `#XSLEEP=2` was sent: the next `Ready` may be of its end (sheet 1.5).
    idle: bool,
    /// `#XAPOLL` runs, so that `#XPOLL` is refused (SLM, sheet 4.4).
    watches: bool,
    /// The board can wake or reset it.
    wired: bool,
    /// The SIM refused the configured PIN.
    sim: SimEntry,
    /// Inactivity limit of data mode.
    silence: u16,
    /// The chip is an nRF91x1, and not an nRF9160; `None` until it was asked.
    is_91x1: Option<bool>,
    /// What `#XAPOLL` has told of each handle (SM).
    reports: sockets::PollReports,
    /// What was last said of a restart.
    restart: Option<Restart>,
    /// What `%XTIME` said last.
    network_time: Option<DateTime>,
    // What belongs to one flow; none of them is ever parked.
    waking: bring_up::Waking,
    joining: network::Joining,
    setting: clock::Setting,
    opening: open::Opening,
    moving: sockets::Moving,
    closing: sockets::Closing,
    config: Config,
    marks: F::Marks,
    family: PhantomData<F>,
}

impl Nrf9160 {
    /// A backend with this configuration, for any firmware.
    pub const fn new(config: Config) -> Self {
        Self::of_family(config)
    }
}

impl<F: Family> Nrf9160<F> {
    /// A backend with this configuration, for one family of firmwares:
    /// `Nrf9160::<SerialModem>::of_family(config)`.
    pub const fn of_family(config: Config) -> Self {
        Self {
            firmware: Firmware::UNKNOWN,
            terminator: None,
            speed: 0,
            current: None,
            lost: false,
            offline: false,
            idle: false,
            watches: false,
            wired: false,
            sim: SimEntry::NEW,
            silence: SILENCE,
            is_91x1: None,
            reports: sockets::PollReports::NOTHING,
            restart: None,
            network_time: None,
            waking: bring_up::Waking::NEW,
            joining: network::Joining::NEW,
            setting: clock::Setting::NEW,
            opening: open::Opening::NEW,
            moving: sockets::Moving::NEW,
            closing: sockets::Closing::NEW,
            config,
            marks: <F::Marks as marks::Marks>::NONE,
            family: PhantomData,
        }
    }

    /// Whether the modem is off the network at the moment, because credentials are being changed. It comes
    /// back by itself when they are; a connect waits for that.
    pub fn is_offline(&self) -> bool {
        self.offline
    }

    /// What the modem last said when it restarted; `None` when it never did, or did so without a word.
    pub fn last_restart(&self) -> Option<Restart> {
        self.restart
    }

    /// Which firmware it is, as far as it is known.
    fn firmware(&self) -> Firmware {
        self.firmware.of::<F>()
    }

    /// Every command carries a handle (SM).
    fn has_handles(&self) -> bool {
        self.firmware().has_handles()
    }

    /// What this firmware needs to lose no byte is there.
    fn hears_all(&self) -> bool {
        self.config.flow_control || !self.firmware().release().deaf
    }
}

impl<F: Family> Modem for Nrf9160<F> {
    const NAME: &'static str = "nrf9160";
    type Framing = Plain;
    const PUSHES: bool = false;
    const GUESTS: bool = F::COMMANDS;
    const POWER_OFF_LIMIT: Duration = Duration::from_secs(10);
    const LIMITS: Limits = Limits {
        // The modem chooses.
        ids: 0,
        max_receive: 2048,
        // A string of 2.3 and later (sheet 0.1), and far from the end of data mode's ring (sheet 3).
        max_send: 1024,
        sockets: 3,
    };
    const FORBIDDEN: &'static [Forbidden] = &raw::FORBIDDEN;
    const HARMLESS: &'static [&'static str] = &raw::HARMLESS;
    const CODES: &'static [Number] = &codes::CODES;
    const SECRET: &'static [&'static str] = &["%CMNG=0", "#XCMNG=0", "%JWT", "#XMQTTCON", "%XSUDO"];
    // Off by default where there is one (sheet 1.2), and `#XCLAC` lists itself.
    const ECHOES: bool = false;
    // Bring-up sets it; one that says 0 has restarted meanwhile.
    const SYNC: Sync = Sync {
        command: "AT+CMEE?",
        answer: "+CMEE: 1",
    };
    const WAKE_BY_KEY: bool = true;

    fn line(&mut self, line: &[u8], asked: &[u8]) -> Line {
        if let Some((handle, bits)) = dialect::events(line) {
            // A close is found by reading up to it.
            return Line::Urc(if self.reports.add(handle, bits) || self.watches {
                Urc::Readable { id: handle }
            } else {
                Urc::Other
            });
        }
        if let Some(time) = dialect::network_time(line) {
            self.network_time = Some(time);
        }
        let kind = dialect::line(line, asked);
        if kind != Line::Urc(Urc::Restarted) {
            return kind;
        }
        match dialect::restart(line) {
            // The query that follows tells waking from a restart.
            Some(Restart::Application) if self.idle => Line::Urc(Urc::Booted),
            restart => {
                self.restart = restart.or(self.restart);
                self.opening.restarted(restart);
                kind
            }
        }
    }

    fn script(number: u8) -> Script<F> {
        Self::SCRIPTS
            .get(usize::from(number))
            .copied()
            .unwrap_or(&[])
    }

    fn argument(&self, name: u8, world: &World<'_>, out: &mut Out<'_>) {
        commands::argument(self, name, world, out);
    }

    fn abort(waits: Waits) -> Abort {
        match waits {
            Waits::Line => Abort::Synchronise,
            Waits::Counted => Abort::Filler,
            Waits::Data => Abort::Escape,
            Waits::Quoted => Abort::Quote,
            // The `OK` that begins data mode may come late, and then commands would go to the peer.
            Waits::Prompt => Abort::Escape,
        }
    }

    fn admit(&self, config: &TlsConfig) -> Result<(), ConnectError> {
        open::admit(self, config)
    }

    fn opened(&mut self, world: &mut World<'_>, done: bool) {
        if !done {
            world.failure = self.opening.judge_failure(world.failure);
        }
        // There may be a socket of which nobody knows.
        world.cleanup |= self.lost;
        if <F::Marks as marks::Marks>::KEPT
            && let Some(open) = &world.open
        {
            marks::Marks::begin(&mut self.marks, open.context, world.id);
        }
    }

    fn woken(&mut self) {
        self.idle = false;
    }

    fn capabilities(&self) -> Capabilities {
        let firmware = self.firmware();
        let modem_tls = firmware.store() == Store::Modem;
        let mut capabilities = Capabilities::UNKNOWN;
        let verification = &mut capabilities.verification;
        // `peer_verify` 2, and TLS_HOSTNAME on every socket (sheet 4.1, 4.2).
        verification.chain = Support::Yes;
        verification.name = Support::Yes;
        // Both UNCONFIRMED (sheet 2a, 7.5).
        verification.dates = Support::Unknown;
        verification.sni = Support::Unknown;
        verification.suites = self.tells_suite();
        verification.client_certificate = Support::Yes;
        // UNCONFIRMED which there are (sheet 13); these any TLS 1.2 of its age has.
        capabilities.suites = SuiteSet::of(&[0xC02B, 0xC02F]);
        capabilities.alpn = Support::No;
        capabilities.psk = Support::No;
        capabilities.resumption = if modem_tls { Support::Yes } else { Support::No };
        capabilities.record_limit = Some(firmware.record_limit());
        // 3 are usually quoted for the modem, 2 contexts are in a native build, of which up to 2.5 one is
        // safe (sheet 7.2, 7.5).
        capabilities.sockets = match firmware.store() {
            Store::Modem => 3,
            Store::Mapped => 1,
            Store::Settings => 2,
        };
        capabilities.flush = Flush::ModemAccepted;
        capabilities.connect_blocks_ms = u32::from(commands::CONNECT) * 100;
        capabilities.close_blocks_ms = 10_000;
        capabilities
    }
}
