//! Quectel BG96 for [`sectag`]: the modem's own TLS sockets, in buffer mode, with verification on.
//!
//! What the modem does and how it is known is cited as "sheet", with the section: the BG96 fact sheet
//! of the project, which names manual and chapter for each fact.
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
#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod bring_up;
mod clock;
mod codes;
mod commands;
mod config;
mod dialect;
mod escalation;
mod files;
mod keys;
mod power;
#[cfg(feature = "radio")]
mod radio;
mod raw;
mod sockets;
mod status;
mod steps;
mod writing;

pub use codes::{meaning, refusal};
pub use config::{Auth, Config};
#[cfg(feature = "radio")]
pub use radio::{Lte, Network, Operator, Plmn, Radio, Roaming, Search};

use core::cell::Cell;
use core::convert::Infallible;

use embassy_time::Duration;
use sectag::cellular::Number;
use sectag::clock::DateTime;
use sectag::inspect::Container;
use sectag::modem::{Abort, Limits, Line, Modem, Open, Phase, Received, Sent, Sync, Transfer};
use sectag::{
    Accepts, At, AtError, BringUpError, Capabilities, Code, Comparison, ConnectError,
    CredentialError, Edrx, Forbidden, Kind, Power, PowerSaving, SimCard, Source, Status, Stored,
    Tag, Technology, TlsConfig, Verification,
};

use keys::Keys;

/// The backend. Give it to [`sectag::State::new`].
pub struct Bg96 {
    config: Config,
    /// Which keys this firmware knows.
    keys: Cell<Keys>,
    /// The modem's clock showed this in this life of the modem, and clocks run forward.
    clock_floor: Cell<Option<DateTime>>,
    /// TLS contexts whose `negotiatetime` was written in this life of the modem, as a bit set. It is no
    /// matter of verification, and what is left of a lost one is the modem's longer limit.
    limited: Cell<u8>,
    /// TLS contexts that may hold a session cache, ALPN or a pre-shared key of an earlier connection, as
    /// a bit set of eight each. Not kept over a reset of the MCU alone, whose next life asks for the
    /// same, since the same firmware runs.
    extended: Cell<u32>,
    /// What a flow over files left to be done, see [`files::tidy`].
    files: files::Remains,
    /// The modem said `pdpdeact`: the context must be deactivated before it can be activated again
    /// (sheet 1.6).
    context_lost: Cell<bool>,
    /// Bring-up is to restart the modem.
    reboot: Cell<bool>,
    escalation: escalation::Escalation,
    /// The SIM refused the configured PIN: another try would bring it nearer to being locked.
    pin_refused: Cell<bool>,
    /// The radio is as configured; it is not written twice.
    #[cfg(feature = "radio")]
    radio_written: Cell<bool>,
}

impl Bg96 {
    /// A backend with this configuration.
    pub const fn new(config: Config) -> Self {
        Self {
            config,
            keys: Cell::new(Keys::UNKNOWN),
            clock_floor: Cell::new(None),
            limited: Cell::new(0),
            extended: Cell::new(0),
            files: files::Remains::new(),
            context_lost: Cell::new(false),
            reboot: Cell::new(false),
            escalation: escalation::Escalation::new(),
            pin_refused: Cell::new(false),
            #[cfg(feature = "radio")]
            radio_written: Cell::new(false),
        }
    }
}

// What only hands on is no `async fn`: a future around a future costs 100 bytes of flash, and stack.
impl Modem for Bg96 {
    const ACCEPTS: Accepts = Accepts {
        // DER is UNCONFIRMED (sheet 3), so it is converted.
        container: Some(Container::Pem),
        // "The cacert file may hold one root" (sheet 3); a client's chain is UNCONFIRMED, so any.
        roots: 1,
        chain: u16::MAX,
    };
    const NAME: &'static str = "bg96";
    // Sheet 4.4.
    const PAYLOAD_ENDS: u8 = 2;
    // Sheet 1.1.
    const POWER_OFF_LIMIT: Duration = Duration::from_secs(65);
    const LIMITS: Limits = Limits {
        // SSL contexts 0-5, client ids 0-11 (sheet 4).
        sockets: 6,
        ids: 12,
        max_receive: 1500,
        // The manual says 1460 in one place and 1500 in another (sheet 4.3).
        max_send: 1460,
    };
    const CODES: &'static [Number] = &codes::FILES;
    const FORBIDDEN: &'static [Forbidden] = &raw::FORBIDDEN;
    // The last two can be typed only.
    const SECRET: &'static [&'static str] =
        &["+CPIN", "+QICSGP", "+QSSLCFG=\"psk\"", "+CPWD", "+CLCK"];
    const SYNC: Sync = Sync {
        command: "AT+IPR?\r",
        answer: "+IPR:",
    };

    fn line(&self, line: &[u8], asked: &[u8]) -> Line {
        let line = dialect::line(line, asked, self.config.direct_push);
        if line == Line::Urc(sectag::modem::Urc::NetworkLost) {
            self.context_lost.set(true);
        }
        line
    }

    fn push_unit(&self) -> Option<usize> {
        // No more at once than one fetch could bring (sheet 4.4); the manual names no limit.
        self.config.direct_push.then_some(Self::LIMITS.max_receive)
    }

    fn abort(&self, phase: Phase) -> Abort {
        match phase {
            Phase::Line => Abort::Synchronise,
            Phase::Counted { .. } => Abort::Filler,
            // Sheet 4.7.
            Phase::Data => Abort::Escape,
            // The prompt may come late and swallow the next command as data; this modem has no
            // frames and takes no payload in quotes.
            Phase::Prompt | Phase::Frame { .. } | Phase::Quoted => Abort::Restart,
        }
    }

    fn bring_up(
        &self,
        at: &mut At<'_>,
        power: &mut dyn Power,
    ) -> impl Future<Output = Result<(), BringUpError>> {
        bring_up::run(self, at, power)
    }

    fn tidy(&self, at: At<'_>) -> impl Future<Output = Result<(), AtError>> {
        files::tidy(self, at)
    }

    fn admit(&self, config: &TlsConfig) -> Result<(), ConnectError> {
        sockets::admit(self, config).map(|_| ())
    }

    fn open(
        &self,
        at: At<'_>,
        open: Open<'_>,
    ) -> impl Future<Output = Result<Verification, ConnectError>> {
        sockets::open(self, at, open)
    }

    fn send(&self, at: At<'_>, transfer: Transfer) -> impl Future<Output = Result<Sent, AtError>> {
        sockets::send(at, transfer)
    }

    fn receive(
        &self,
        at: At<'_>,
        transfer: Transfer,
    ) -> impl Future<Output = Result<Received, AtError>> {
        sockets::receive(at, transfer)
    }

    fn is_open(&self, at: At<'_>, id: u8) -> impl Future<Output = Result<bool, AtError>> {
        sockets::is_open(self, at, id)
    }

    fn close(&self, at: At<'_>, id: u8) -> impl Future<Output = Result<(), AtError>> {
        sockets::close(at, id)
    }

    fn capabilities(&self) -> Capabilities {
        self.keys.get().capabilities()
    }

    // Apart, so that a firmware that asks for no more links no more.
    fn verification(&self) -> Verification {
        self.keys.get().verification()
    }

    async fn power_off(&self, at: At<'_>) -> Result<(), AtError> {
        power::off(at).await
    }

    async fn sleep(&self, at: At<'_>) -> Result<(), AtError> {
        power::sleep(at).await
    }

    async fn set_power_saving(
        &self,
        at: At<'_>,
        wanted: Option<PowerSaving>,
    ) -> Result<(), AtError> {
        power::set_saving(at, wanted).await
    }

    async fn power_saving(&self, at: At<'_>) -> Result<Option<PowerSaving>, AtError> {
        power::saving(at).await
    }

    async fn set_edrx(
        &self,
        at: At<'_>,
        technology: Technology,
        wanted: Option<Edrx>,
    ) -> Result<(), AtError> {
        power::set_edrx(at, technology, wanted).await
    }

    async fn edrx(&self, at: At<'_>) -> Result<Option<Edrx>, AtError> {
        power::edrx(at).await
    }

    async fn explain(&self, at: At<'_>, command: &str, code: Code) -> Code {
        // QIGETERROR is about these two families only (sheet 4.6).
        let family = |name: &str| {
            command
                .get(2..2 + name.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(name))
        };
        if code == Code::Plain && (family("+QI") || family("+QSSL")) {
            bring_up::explain(at, code).await
        } else {
            code
        }
    }

    async fn status(&self, at: At<'_>, status: &mut Status) {
        status::read(at, status).await;
    }

    async fn sim(&self, at: At<'_>) -> Result<SimCard, AtError> {
        status::sim(at).await
    }

    async fn clock(&self, at: At<'_>) -> Result<Option<DateTime>, AtError> {
        clock::read(self, at).await.map(Some)
    }

    fn set_clock(&self, at: At<'_>, now: DateTime) -> impl Future<Output = Result<(), AtError>> {
        clock::set(self, at, now)
    }

    fn store<S: Source>(
        &self,
        at: At<'_>,
        tag: Tag,
        kind: Kind,
        content: &mut S,
    ) -> impl Future<Output = Result<(), CredentialError<S::Error>>> {
        files::store(self, at, tag, kind, content)
    }

    fn compare<S: Source>(
        &self,
        at: At<'_>,
        tag: Tag,
        kind: Kind,
        content: &mut S,
    ) -> impl Future<Output = Result<Comparison, CredentialError<S::Error>>> {
        files::compare(self, at, tag, kind, content)
    }

    fn read_back(
        &self,
        at: At<'_>,
        tag: Tag,
        kind: Kind,
        sink: &mut dyn FnMut(&[u8]),
    ) -> impl Future<Output = Result<bool, CredentialError<Infallible>>> {
        files::read_back(self, at, tag, kind, sink)
    }

    fn list(
        &self,
        at: At<'_>,
        found: &mut dyn FnMut(Stored),
    ) -> impl Future<Output = Result<(), CredentialError<Infallible>>> {
        files::list(self, at, found)
    }

    fn remove(
        &self,
        at: At<'_>,
        tag: Tag,
        kind: Kind,
    ) -> impl Future<Output = Result<(), CredentialError<Infallible>>> {
        files::remove(self, at, tag, kind)
    }
}
