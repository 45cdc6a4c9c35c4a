//! Nordic nRF9160 and its kin for [`sectag`], with the firmwares Serial LTE Modem (SLM) 2.0 to 3.1 and
//! Serial Modem (SM), which is found out at run time: TLS sockets with verification on.
//!
//! What the modem does and how it is known is cited as "sheet", with the section: the project's nRF9160
//! fact sheet.
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
//! Keys can be made in the modem and tokens be signed there: [`DeviceKeys`]. Pins: the power key of
//! [`Pins`](sectag::Pins) is the modem's wake pin (active low, so [`active_low`](sectag::Pins::active_low)
//! when it is wired directly), which ends `Control::sleep` (SLM's `#XSLEEP=2`) and `Control::power_off`. On a
//! pulse of the indicate pin the application calls `Control::wake`.
//!
//! Cipher suites cannot be chosen. Where the one that is used can be read, which is with native TLS from 2.6
//! on and on the nRF91x1, it is judged before anything is sent; elsewhere the policy must be
//! [`Suites::All`](sectag::Suites::All). The modem shows the client certificate under the tag to a server
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
mod forms;
mod keys;
mod raw;
mod sockets;
mod status;

pub use config::Config;
pub use keys::{
    DeviceKeys, GeneratedKey, KEY_BUFFER, KeyError, KeyRequest, KeyUse, TOKEN_BUFFER, TokenRequest,
};

use core::cell::Cell;
use core::convert::Infallible;

use embassy_time::Duration;
use sectag::cellular::Number;
use sectag::clock::DateTime;
use sectag::inspect::Container;
use sectag::modem::{
    Abort, Limits, Line, Modem, Open, Phase, Polling, Received, Sent, Sync, Terminator, Transfer,
    Urc,
};
use sectag::{
    Accepts, At, AtError, BringUpError, Capabilities, Code, Comparison, ConnectError,
    CredentialError, Edrx, Elsewhere, Flush, Forbidden, Kind, Power, PowerSaving, Proof, SimCard,
    Source, Status, Stored, SuiteSet, Support, Tag, Technology, TlsConfig, Verification,
};

use dialect::{Firmware, Store};

/// The engine's ids; each stands for a handle of the modem's.
const IDS: usize = 8;
/// Silence after which data mode sends what it has: 32 ms at 115200, up to 276 with a slow line or a
/// large buffer, until the modem has told (sheet 3).
const SILENCE: Duration = Duration::from_millis(276);
const FIRST_POLL: Duration = Duration::from_millis(20);

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
pub struct Nrf9160 {
    config: Config,
    firmware: Cell<Firmware>,
    /// What ends a line, once it is known.
    terminator: Cell<Option<Terminator>>,
    /// The place among the modem's speeds of the UART's, where that can be changed.
    speed: Cell<u8>,
    /// Inactivity limit of data mode.
    silence: Cell<Duration>,
    /// The modem's handle of each id.
    handles: Cell<[Option<u8>; IDS]>,
    /// What `#XAPOLL` has told of each id (SM).
    told: Cell<[u8; IDS]>,
    /// The current socket (SLM), where that is known.
    current: Cell<Option<u8>>,
    /// A socket may be open whose handle nobody knows.
    lost: Cell<bool>,
    /// The modem was taken off the network, to change credentials.
    offline: Cell<bool>,
    /// `#XSLEEP=2` was sent: the next `Ready` may be of its end (sheet 1.5).
    idle: Cell<bool>,
    /// The board can wake or reset it.
    wired: Cell<bool>,
    /// What was last said of a restart.
    restart: Cell<Option<Restart>>,
    /// What `%XTIME` said last.
    network_time: Cell<Option<DateTime>>,
    /// The SIM refused the configured PIN.
    pin_refused: Cell<bool>,
}

impl Nrf9160 {
    /// A backend with this configuration.
    pub const fn new(config: Config) -> Self {
        Self {
            config,
            firmware: Cell::new(Firmware::UNKNOWN),
            terminator: Cell::new(None),
            speed: Cell::new(0),
            silence: Cell::new(SILENCE),
            handles: Cell::new([None; IDS]),
            told: Cell::new([0; IDS]),
            current: Cell::new(None),
            lost: Cell::new(false),
            offline: Cell::new(false),
            idle: Cell::new(false),
            wired: Cell::new(false),
            restart: Cell::new(None),
            network_time: Cell::new(None),
            pin_refused: Cell::new(false),
        }
    }

    /// Whether the modem is off the network at the moment, because credentials are being changed. It comes
    /// back by itself when they are; a connect waits for that.
    pub fn is_offline(&self) -> bool {
        self.offline.get()
    }

    /// What the modem last said when it restarted; `None` when it never did, or did so without a word.
    pub fn last_restart(&self) -> Option<Restart> {
        self.restart.get()
    }

    /// A new life of the modem.
    fn forget(&self) {
        self.handles.set([None; IDS]);
        self.told.set([0; IDS]);
        self.current.set(None);
        self.lost.set(false);
    }

    fn handle(&self, id: u8) -> Option<u8> {
        self.handles.get().get(usize::from(id)).copied().flatten()
    }

    fn set_handle(&self, id: u8, handle: Option<u8>) {
        let (mut handles, mut told) = (self.handles.get(), self.told.get());
        if let (Some(place), Some(bits)) = (
            handles.get_mut(usize::from(id)),
            told.get_mut(usize::from(id)),
        ) {
            *place = handle;
            *bits = 0;
        }
        self.handles.set(handles);
        self.told.set(told);
    }

    /// The modem has given this handle to `id`: whoever had it before is closed, though nothing was heard
    /// of it, and must not close it again.
    fn take_handle(&self, id: u8, handle: u8) {
        for other in 0..IDS as u8 {
            if self.handle(other) == Some(handle) {
                self.set_handle(other, None);
            }
        }
        self.set_handle(id, Some(handle));
    }

    fn knows(&self, handle: u8) -> bool {
        self.handles.get().contains(&Some(handle))
    }

    fn told(&self, id: u8) -> u8 {
        self.told.get().get(usize::from(id)).copied().unwrap_or(0)
    }

    /// A notice of `#XAPOLL`.
    fn event(&self, handle: u8, bits: u8) -> Urc {
        let position = self
            .handles
            .get()
            .iter()
            .position(|known| *known == Some(handle));
        let Some(index) = position else {
            return Urc::Other;
        };
        let mut told = self.told.get();
        told[index] |= bits;
        self.told.set(told);
        // A close is found by reading up to it.
        Urc::Readable { id: index as u8 }
    }

    /// What this firmware needs to lose no byte is there.
    fn hears_all(&self) -> bool {
        self.config.flow_control || !self.firmware.get().release().deaf
    }

    fn capabilities_now(&self) -> Capabilities {
        let firmware = self.firmware.get();
        let modem_tls = firmware.store() == Store::Modem;
        let mut capabilities = Capabilities::UNKNOWN;
        let verification = &mut capabilities.verification;
        // `peer_verify` 2, and TLS_HOSTNAME on every socket (sheet 4.1, 4.2).
        verification.chain = Support::Yes;
        verification.name = Support::Yes;
        // Both UNCONFIRMED (sheet 2a, 7.5).
        verification.dates = Support::Unknown;
        verification.sni = Support::Unknown;
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
        capabilities.connect_blocks_ms = commands::CONNECT;
        capabilities.close_blocks_ms = 10_000;
        capabilities
    }
}

impl Modem for Nrf9160 {
    const ACCEPTS: Accepts = Accepts {
        container: Some(Container::Pem),
        // How many is UNCONFIRMED, so any.
        roots: u16::MAX,
        chain: u16::MAX,
    };
    const PROOF: Proof = Proof::Digest;
    const NAME: &'static str = "nrf9160";
    const POWER_OFF_LIMIT: Duration = Duration::from_secs(10);
    const LIMITS: Limits = Limits {
        ids: IDS as u8,
        max_receive: 2048,
        // A string of 2.3 and later (sheet 0.1), and far from the end of data mode's ring (sheet 3).
        max_send: 1024,
        sockets: 3,
    };
    const CODES: &'static [Number] = &codes::CODES;
    const FORBIDDEN: &'static [Forbidden] = &raw::FORBIDDEN;
    const SECRET: &'static [&'static str] =
        &["+CPIN", "%CMNG=0", "#XCMNG=0", "%JWT", "+CPWD", "+CLCK"];
    // Off by default where there is one (sheet 1.2), and `#XCLAC` lists itself.
    const ECHOES: bool = false;
    // Bring-up sets it; one that says 0 has restarted meanwhile.
    const SYNC: Sync = Sync {
        command: "AT+CMEE?\r",
        answer: "+CMEE: 1",
    };

    fn line(&self, line: &[u8], asked: &[u8]) -> Line {
        if let Some((handle, bits)) = dialect::events(line) {
            return Line::Urc(self.event(handle, bits));
        }
        if let Some(time) = dialect::network_time(line) {
            self.network_time.set(Some(time));
        }
        let kind = dialect::line(line, asked);
        if kind != Line::Urc(Urc::Restarted) {
            return kind;
        }
        match dialect::restart(line) {
            // The query that follows tells waking from a restart.
            Some(Restart::Application) if self.idle.get() => Line::Urc(Urc::Booted),
            restart => {
                self.restart.set(restart.or(self.restart.get()));
                kind
            }
        }
    }

    const WAKE_BY_KEY: bool = true;

    async fn sleep(&self, at: At<'_>) -> Result<(), AtError> {
        bring_up::idle(self, at).await
    }

    fn woken(&self) {
        self.idle.set(false);
    }

    fn fetch_unit(&self) -> usize {
        self.firmware.get().release().unit
    }

    fn polling(&self) -> Option<Polling> {
        let polling = Polling {
            first: FIRST_POLL,
            longest: self.config.poll,
        };
        Some(polling).filter(|_| !self.firmware.get().has_handles())
    }

    fn abort(&self, phase: Phase) -> Abort {
        match phase {
            Phase::Line => Abort::Synchronise,
            Phase::Counted { .. } => Abort::Filler,
            Phase::Data => Abort::Escape,
            Phase::Quoted => Abort::Quote,
            // The `OK` that begins data mode may come late, and then commands would go to the peer.
            Phase::Prompt | Phase::Frame { .. } => Abort::Escape,
        }
    }

    async fn bring_up(&self, at: &mut At<'_>, power: &mut dyn Power) -> Result<(), BringUpError> {
        bring_up::run(self, at, power).await
    }

    async fn tidy(&self, at: At<'_>) -> Result<(), AtError> {
        credentials::tidy(self, at).await
    }

    fn admit(&self, config: &TlsConfig) -> Result<(), ConnectError> {
        sockets::admit(self, config)
    }

    async fn open(&self, at: At<'_>, open: Open<'_>) -> Result<Verification, ConnectError> {
        sockets::open(self, at, open).await
    }

    async fn send(&self, at: At<'_>, transfer: Transfer) -> Result<Sent, AtError> {
        sockets::send(self, at, transfer).await
    }

    async fn receive(&self, at: At<'_>, transfer: Transfer) -> Result<Received, AtError> {
        sockets::receive(self, at, transfer).await
    }

    async fn is_open(&self, at: At<'_>, id: u8) -> Result<bool, AtError> {
        sockets::is_open(self, at, id).await
    }

    async fn close(&self, at: At<'_>, id: u8) -> Result<(), AtError> {
        sockets::close(self, at, id).await
    }

    fn capabilities(&self) -> Capabilities {
        self.capabilities_now()
    }

    /// The firmware's own commands say `ERROR` and no more (sheet 1.3).
    async fn explain(&self, _at: At<'_>, _command: &str, code: Code) -> Code {
        code
    }

    /// System OFF, out of which only a pin leads back.
    async fn power_off(&self, at: At<'_>) -> Result<(), AtError> {
        bring_up::system_off(self, at).await
    }

    async fn set_power_saving(
        &self,
        _at: At<'_>,
        _wanted: Option<PowerSaving>,
    ) -> Result<(), AtError> {
        Err(AtError::Unsupported)
    }

    async fn power_saving(&self, _at: At<'_>) -> Result<Option<PowerSaving>, AtError> {
        Err(AtError::Unsupported)
    }

    async fn set_edrx(
        &self,
        _at: At<'_>,
        _technology: Technology,
        _wanted: Option<Edrx>,
    ) -> Result<(), AtError> {
        Err(AtError::Unsupported)
    }

    async fn edrx(&self, _at: At<'_>) -> Result<Option<Edrx>, AtError> {
        Err(AtError::Unsupported)
    }

    async fn status(&self, at: At<'_>, status: &mut Status) {
        status::read(at, status).await;
    }

    async fn sim(&self, at: At<'_>) -> Result<SimCard, AtError> {
        status::sim(at).await
    }

    async fn clock(&self, at: At<'_>) -> Result<Option<DateTime>, AtError> {
        clock::read(at).await
    }

    async fn set_clock(&self, at: At<'_>, now: DateTime) -> Result<(), AtError> {
        clock::set(at, now).await
    }

    async fn store<S: Source>(
        &self,
        at: At<'_>,
        tag: Tag,
        kind: Kind,
        content: &mut S,
    ) -> Result<(), CredentialError<S::Error>> {
        credentials::store(self, at, tag, kind, content).await
    }

    async fn compare<S: Source>(
        &self,
        at: At<'_>,
        tag: Tag,
        kind: Kind,
        content: &mut S,
    ) -> Result<Comparison, CredentialError<S::Error>> {
        credentials::compare(self, at, tag, kind, content).await
    }

    /// Not done: a digest tells all that is asked of it, see [`compare`](Self::compare).
    async fn read_back(
        &self,
        _at: At<'_>,
        _tag: Tag,
        _kind: Kind,
        _sink: &mut dyn FnMut(&[u8]),
    ) -> Result<bool, CredentialError<Infallible>> {
        Err(CredentialError::Unreadable)
    }

    async fn list(
        &self,
        at: At<'_>,
        found: &mut dyn FnMut(Stored),
    ) -> Result<(), CredentialError<Infallible>> {
        credentials::list(self, at, found).await
    }

    async fn list_tag(
        &self,
        at: At<'_>,
        tag: Tag,
        found: &mut dyn FnMut(Stored),
    ) -> Result<(), CredentialError<Infallible>> {
        credentials::list_tag(self, at, tag, found).await
    }

    async fn elsewhere(&self, at: At<'_>, tag: Tag) -> Result<Option<Elsewhere>, AtError> {
        credentials::elsewhere(self, at, tag).await
    }

    async fn remove(
        &self,
        at: At<'_>,
        tag: Tag,
        kind: Kind,
    ) -> Result<(), CredentialError<Infallible>> {
        credentials::remove(self, at, tag, kind).await
    }
}
