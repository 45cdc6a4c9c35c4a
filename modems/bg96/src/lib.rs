//! Quectel BG96 for [`sectag`]: the modem's own TLS sockets, in buffer mode, with verification on.
//!
//! What the modem does and how it is known is cited as "sheet", with the section: the BG96 fact sheet
//! of the project, which names manual and chapter for each fact.
//!
//! | | BG96 |
//! |---|---|
//! | TLS | up to 1.2, RSA certificates only: it has no ECDSA suites (sheet 4.1) |
//! | chain, dates | checked; the factory default is off for both and is overridden on every open |
//! | name | not documented as checked: a public CA is refused unless that is accepted |
//! | SNI | sent where the firmware knows the key `sni` |
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
mod files;
mod sockets;

pub use codes::meaning;
pub use config::{Auth, Config};

use core::cell::Cell;
use core::convert::Infallible;

use sectag::clock::DateTime;
use sectag::inspect::Container;
use sectag::modem::{Abort, Limits, Line, Modem, Open, Phase, Received, Sent, Sync, Transfer};
use sectag::{
    Accepts, At, AtError, BringUpError, Comparison, ConnectError, CredentialError, Kind, Power,
    Source, Stored, Support, Tag, Verification,
};

/// The backend. Give it to [`sectag::State::new`].
pub struct Bg96 {
    config: Config,
    facts: Cell<Facts>,
    /// What a flow over files left to be done, see [`files::tidy`].
    files: files::Remains,
    /// The modem said `pdpdeact`: the context must be deactivated before it can be activated again
    /// (sheet 1.6).
    context_lost: Cell<bool>,
    /// The SIM refused the configured PIN: another try would bring it nearer to being locked.
    pin_refused: Cell<bool>,
}

/// What this firmware was found to do.
#[derive(Clone, Copy)]
struct Facts {
    chain: Support,
    dates: Support,
    sni: Support,
}

impl Facts {
    const UNKNOWN: Self = Self {
        chain: Support::Unknown,
        dates: Support::Unknown,
        sni: Support::Unknown,
    };
    const ALL: Self = Self {
        chain: Support::Yes,
        dates: Support::Yes,
        sni: Support::Yes,
    };

    fn verification(self) -> Verification {
        let mut verification = Verification::UNKNOWN;
        verification.chain = self.chain;
        verification.dates = self.dates;
        verification.sni = self.sni;
        // A name check is in no BG96 manual; a sibling does one at seclevel 1 (sheet T10).
        verification.name = Support::Unknown;
        verification
    }
}

impl Bg96 {
    /// A backend with this configuration.
    pub const fn new(config: Config) -> Self {
        Self {
            config,
            facts: Cell::new(Facts::UNKNOWN),
            files: files::Remains::new(),
            context_lost: Cell::new(false),
            pin_refused: Cell::new(false),
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
    const LIMITS: Limits = Limits {
        // SSL contexts 0-5, client ids 0-11 (sheet 4).
        sockets: 6,
        ids: 12,
        max_receive: 1500,
        // The manual says 1460 in one place and 1500 in another (sheet 4.3).
        max_send: 1460,
    };
    const SECRET: &'static [&'static str] = &["+CPIN", "+QICSGP"];
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
            // The prompt may come late and swallow the next command as data.
            Phase::Prompt => Abort::Restart,
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

    fn open(&self, at: At<'_>, open: Open<'_>) -> impl Future<Output = Result<(), ConnectError>> {
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
        sockets::is_open(at, id)
    }

    fn close(&self, at: At<'_>, id: u8) -> impl Future<Output = Result<(), AtError>> {
        sockets::close(at, id)
    }

    fn verification(&self) -> Verification {
        self.facts.get().verification()
    }

    async fn clock(&self, at: At<'_>) -> Result<Option<DateTime>, AtError> {
        clock::read(at).await.map(Some)
    }

    fn set_clock(&self, at: At<'_>, now: DateTime) -> impl Future<Output = Result<(), AtError>> {
        clock::set(at, now)
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
