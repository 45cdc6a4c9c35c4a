//! Nordic nRF9160 and its relatives for [`sectag`]: TLS sockets with verification on. The firmwares are
//! Serial LTE Modem (SLM) 2.0 to 3.1 and Serial Modem (SM); the driver finds out at run time which one
//! it talks to.
//!
//! A citation "sheet 4.1" names a heading of `FACTS.md` beside this crate's sources, which gives the
//! manual, source file or forum question of each fact.
//!
//! | | modem TLS | native TLS build, 2.6 and later |
//! |---|---|---|
//! | TLS | 1.2 | 1.2 |
//! | chain, name | checked; the name only because this driver sets it on every socket | checked |
//! | dates | UNCONFIRMED, so the clock must be set | UNCONFIRMED |
//! | credentials | `%CMNG`, proved by digest; the modem leaves the network for a change | `#XCMNG`, no digest |
//! | record limit | 2048 bytes | 4096; 8192 from 3.1 on |
//! | a connect blocks others | yes: the whole channel, up to two minutes | yes, up to 30 s |
//! | data is announced | SM, and SLM from 3.1 on (2.9 and 3.0 if they accept `#XAPOLL`); older SLM is polled, every 20 ms to 1 s | as SLM beside |
//! | `flush` means | the modem has taken the bytes | the modem has taken the bytes |
//!
//! Native builds of 2.0 to 2.5 have a defect that corrupts their heap: credentials are managed, and
//! connections refused, unless [`Config::patched_native`] declares the fix.
//!
//! An application that only ever meets one of the [families](Family) of firmware can say so in the
//! backend's type; the code for the others is then not linked: [`Nrf9160::of_family`].
//!
//! Keys can be made in the modem, and tokens be signed there: [`DeviceKeys`]. Pins: the power key of
//! [`Pins`](sectag::Pins) is the modem's wake pin. It is active low, so use
//! [`active_low`](sectag::Pins::active_low) when it is wired directly. It ends `Control::power_off` and, with
//! SLM, `Control::sleep` (`#XSLEEP=2`). SM sleeps by DTR ([`Pins::with_dtr`](sectag::Pins::with_dtr)),
//! which switches its UART off while it is high. A `NoticePin` waits for SLM's indicate pin or SM's RI;
//! without one, the application calls `Control::wake`.
//!
//! Cipher suites cannot be chosen. With native TLS from 2.6 on, and on the nRF91x1, the suite in use
//! can be read, and it is judged before anything is sent. Elsewhere the modem uses any suite that it
//! has, and `verified()` says so. The modem shows the client certificate under the tag to a server that
//! asks, whether or not the policy wants that, and `verified()` says so, too.
//!
//! Payload that is printable and without `"` and `,` goes as a quoted string, and the modem reports how
//! much of it was sent. Other payload goes through data mode. Runs of three and more `+`, which would
//! end data mode, go as a string, or with Serial Modem as hex. TRAP: SLM 2.5 to 3.1 silently drop what
//! they cannot send in data mode. The driver ends the connection when the socket shows an error, or
//! when the send took as long as the firmware waits. A send that is refused at once on a connection
//! that goes on leaves a gap in the data that no driver sees.
//!
//! RTS and CTS must be wired. Firmware up to 2.4 does not listen while a command runs, and the driver
//! does nothing with it that could lose bytes until [`Config::flow_control`] declares the wires. With
//! SLM the receive rings must hold 1240 bytes (2.0 to 2.2) or 2048, since a fetch cannot be limited.
#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod base64url;
mod bring_up;
mod causes;
mod clock;
mod closing;
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
mod receiving;
mod release;
mod requester;
mod sending;
mod sockets;
mod status;
mod watch;

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

/// Lists all scripts, numbered in this order, each with the firmwares that need it.
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
    slm CHECK_SENT,
    slm SEND_LEFT_LATE,
    slm POLL,
    slm_sleeps IDLE,
    slm WATCH,
    slm UNWATCH,
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

/// The silence, in milliseconds, after which data mode sends what it has: 32 ms at 115200 baud, up to
/// 276 on a slow line or with a large buffer. This is the value until the modem has reported its own
/// (sheet 3).
pub(crate) const SILENCE: u16 = 276;
/// The time from traffic to the first poll for data, in milliseconds.
pub(crate) const FIRST_POLL: u16 = 20;

/// The part of the modem that restarted, by the modem's own report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Restart {
    /// The whole unit (`Ready`): a reset, a crash of its application, or a loss of its supply.
    Application,
    /// The modem core alone (`#XMODEM: FAULT`): it crashed, and the application started it again.
    ModemCore {
        /// The vendor's reason. 4 is seen with certificate chains that are too long (sheet 7.5).
        reason: u32,
    },
}

/// The backend of Nordic's SLM and SM firmwares. Give it to [`sectag::new`].
///
/// ```no_run
/// use sectag::State;
/// use sectag_nrf9160::{Config, Nrf9160};
///
/// // One socket. This modem hands over up to 2 KiB at once, and RTS and CTS are wired.
/// let mut state = State::<Nrf9160, 1, 2048, 1024>::new();
/// let backend = Nrf9160::new(Config::new().flow_control());
/// # let _ = (&mut state, backend);
/// ```
pub struct Nrf9160<F: Family = AnyFirmware> {
    firmware: Firmware,
    /// The character or characters that end a line, once known.
    terminator: Option<Terminator>,
    /// The index of the UART's speed in the list of the modem's speeds, where the speed can be changed.
    speed: u8,
    /// The handle of the current socket, where it is known (SLM).
    current: Option<u8>,
    /// A socket may be open whose handle is not known.
    lost: bool,
    /// The modem was taken off the network so that credentials can be changed.
    offline: bool,
    /// `#XSLEEP=2` was sent: the next `Ready` may be the end of that sleep (sheet 1.5).
    idle: bool,
    /// The notices of data (SLM).
    watch: watch::Watch,
    /// The board can wake or reset the modem by a pin.
    wired: bool,
    /// The state of SIM and PIN. A PIN that the SIM refused is not entered again.
    sim: SimEntry,
    /// The inactivity limit of data mode, in milliseconds.
    silence: u16,
    /// The chip is an nRF91x1 (true) or an nRF9160 (false); `None` until it was asked.
    is_91x1: Option<bool>,
    /// The events that `#XAPOLL` has reported for each handle.
    reports: sockets::PollReports,
    /// The last restart that the modem reported.
    restart: Option<Restart>,
    /// The last time of day that `%XTIME` reported.
    network_time: Option<DateTime>,
    // Scratch of one flow each. None of these flows is ever parked.
    waking: bring_up::Waking,
    joining: network::Joining,
    setting: clock::Setting,
    opening: open::Opening,
    transfer: sockets::Transfer,
    closing: closing::Closing,
    config: Config,
    marks: F::Marks,
    family: PhantomData<F>,
}

impl Nrf9160 {
    /// Returns a backend with this configuration, for any firmware.
    pub const fn new(config: Config) -> Self {
        Self::of_family(config)
    }
}

impl<F: Family> Nrf9160<F> {
    /// Returns a backend with this configuration, for one family of firmwares:
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
            watch: watch::Watch::NEW,
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
            transfer: sockets::Transfer::NEW,
            closing: closing::Closing::NEW,
            config,
            marks: <F::Marks as marks::Marks>::NONE,
            family: PhantomData,
        }
    }

    /// Returns whether the modem is off the network because credentials are being changed. It returns
    /// to the network by itself afterwards; a connect waits for that.
    pub fn is_offline(&self) -> bool {
        self.offline
    }

    /// Returns the last restart that the modem reported; `None` if it reported none, even if it
    /// restarted.
    pub fn last_restart(&self) -> Option<Restart> {
        self.restart
    }

    /// Returns the firmware, as far as it is known.
    fn firmware(&self) -> Firmware {
        self.firmware.of::<F>()
    }

    /// Returns whether every command carries a handle (SM).
    fn has_handles(&self) -> bool {
        self.firmware().has_handles()
    }

    /// Returns whether no byte is lost on the UART: the firmware always listens, or flow control is
    /// wired.
    fn loses_no_bytes(&self) -> bool {
        self.config.flow_control || !self.firmware().release().drops_input_while_busy
    }
}

impl<F: Family> Modem for Nrf9160<F> {
    const NAME: &'static str = "nrf9160";
    type Framing = Plain;
    const PUSHES: bool = false;
    const GUESTS: bool = F::COMMANDS;
    const POWER_OFF_LIMIT: Duration = Duration::from_secs(10);
    const LIMITS: Limits = Limits {
        // 0, because the modem chooses the handles.
        ids: 0,
        max_receive: 2048,
        // The longest string of 2.3 and later (sheet 0.1), and far from the end of data mode's ring
        // (sheet 3).
        max_send: 1024,
        sockets: 3,
    };
    const FORBIDDEN: &'static [Forbidden] = &raw::FORBIDDEN;
    const HARMLESS: &'static [&'static str] = &raw::HARMLESS;
    const CODES: &'static [Number] = &causes::CODES;
    const SECRET: &'static [&'static str] = &["%CMNG=0", "#XCMNG=0", "%JWT", "#XMQTTCON", "%XSUDO"];
    // Echo is off by default where the firmware has it (sheet 1.2), and the answer to `#XCLAC` begins
    // with its own name.
    const ECHOES: bool = false;
    // Bring-up sets 1, so a modem that says 0 has restarted since.
    const SYNC: Sync = Sync {
        command: "AT+CMEE?",
        answer: "+CMEE: 1",
    };
    // SLM by its wake pin, SM by DTR (sheet 1.5, 1.6).
    const WAKE_BY_KEY: bool = !matches!(F::HANDLES, Some(true));
    fn wakes_by_key(&self) -> bool {
        !self.has_handles()
    }

    fn line(&mut self, line: &[u8], asked: &[u8]) -> Line {
        if let Some((handle, bits)) = dialect::events(line) {
            // A close is reported as readable, and found by reading up to it.
            return Line::Urc(if self.reports.add(handle, bits) {
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
            // The query that follows shows whether the modem woke up or restarted.
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
            // The `OK` that begins data mode may come late, and commands would then go to the peer.
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
        // An open that failed may have left a socket whose handle is not known.
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
        // UNCONFIRMED which suites there are (sheet 13); any TLS 1.2 of this age has these two.
        capabilities.suites = SuiteSet::of(&[0xC02B, 0xC02F]);
        capabilities.alpn = Support::No;
        capabilities.psk = Support::No;
        capabilities.resumption = if modem_tls { Support::Yes } else { Support::No };
        capabilities.record_limit = Some(firmware.record_limit());
        // Usually 3 are quoted for the modem. A native build has 2 contexts, of which one is safe up to
        // 2.5 (sheet 7.2, 7.5).
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
