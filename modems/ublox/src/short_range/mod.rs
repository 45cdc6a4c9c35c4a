//! Wi-Fi modules with u-connectXpress software of the first generation (ODIN-W2, NINA-W13, NINA-W15),
//! over extended data mode (EDM).
//!
//! | | |
//! |---|---|
//! | TLS | up to 1.2; older versions are switched off where the software has a switch for that (`+UWCFG=24`) |
//! | chain | checked, because a CA is named for each connection |
//! | name, dates, SNI | unknown: no source says whether they are checked (sheet A.4.2). There is no clock |
//! | cipher suites | cannot be chosen, and the module does not report which is used |
//! | client certificate | yes |
//! | a failed connect | the module gives no reason: one list of causes for name, TCP and TLS |
//! | a connect blocks others | no; one at a time |
//! | data | is pushed |
//! | `flush` means | the bytes have left the MCU; nothing confirms them |
//!
//! So a connect is refused unless the CA is declared private
//! ([`CaScope::Private`](sectag::CaScope::Private)) or [`dangerous`](sectag::TlsConfig::dangerous)
//! names the check that may be missing. One suite alone ([`Suites::Only`](sectag::Suites::Only)) is
//! refused.
//!
//! RTS and CTS must be wired, and declared by [`Config::flow_control`]: extended data mode has no other
//! way to hold either side back. The receive rings must hold 2048 bytes, the largest frame that other
//! drivers send; with 4096 bytes they hold any possible frame. Server name, port and credentials go
//! into one URL of at most 128 bytes.
//!
//! Certificates and keys are stored as `st<tag>ca`, `st<tag>cc` and `st<tag>pk`, in DER.

mod bring_up;
mod causes;
mod config;
mod credentials;
mod dialect;
mod edm;
#[cfg(test)]
mod edm_tests;
mod open;
mod peers;
mod raw;
mod sockets;
mod station;
mod status;

pub use config::Config;
pub use edm::{Edm, Endpoint, Event, Protocol};

use sectag::modem::{
    Abort, Full, Limits, Line, Modem, NotThere, Out, Step, Sync, There, Urc, Waits, World,
};
use sectag::{
    Capabilities, ConnectError, Flush, Forbidden, SuiteSet, Support, TlsConfig, TlsVersion,
};

/// A table of steps.
type Script = &'static [Step<ShortRange>];

/// Lists all scripts, numbered in this order.
macro_rules! scripts {
    ($($name:ident,)*) => {
        /// The numbers of the scripts.
        mod script {
            #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
            enum Number { $($name,)* }

            $(pub(super) const $name: u8 = Number::$name as u8;)*
        }

        impl ShortRange {
            const SCRIPTS: &'static [Script] = &[$(Self::$name,)*];
        }
    };
}

scripts! {
    BRING_UP,
    OPEN,
    SEND,
    FETCH,
    LOOK,
    CLOSE,
    LIVENESS,
    CLEANUP,
    POWER_OFF,
    SLEEP,
    MEANS,
    ATTENTION,
    CONFIRM,
    LEAVE_PPP,
    STATION,
    DEACTIVATE,
    KEY,
    JOIN,
    WAIT_JOINED,
    ADDRESS,
    NOT_JOINED,
    FRAMES,
    FRAMED,
    STALE_PEER,
    WAIT_OPEN,
    WHY,
    ABORT_OPEN,
    CLOSE_PEER,
    REMOVE_HALF,
    SWEEP,
    OLD_TLS,
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

/// The backend of u-blox Wi-Fi modules. Give it to [`sectag::new`].
///
/// ```no_run
/// use sectag::State;
/// use sectag::wifi::WifiConfig;
/// use sectag_ublox::short_range::{Config, ShortRange};
///
/// # fn example() -> Result<(), sectag::at::InvalidInput> {
/// let wifi = WifiConfig::wpa2("workshop", "correct horse battery")?;
/// // RTS and CTS are wired.
/// let backend = ShortRange::new(Config::new(wifi).flow_control());
/// let mut state = State::<ShortRange, 1, 2048, 1024>::new();
/// # let _ = (&mut state, backend);
/// # Ok(())
/// # }
/// ```
pub struct ShortRange {
    config: Config,
    /// Whether the module speaks in frames; `None` while that is not known.
    mode: Option<bool>,
    /// Whether commands go out in frames: by the mode, or by the mode that is being tried.
    framed: bool,
    /// The module has reported the start of extended data mode.
    started: bool,
    /// The bring-up is complete, so that a loss of the network matters.
    up: bool,
    /// Whether the module refuses TLS below 1.2; `None` while it was not asked.
    tls12: Option<bool>,
    /// The credential that is being stored, of which a part may be there.
    half: Option<(sectag::Tag, sectag::Kind)>,
    /// The module may have a peer that no slot knows.
    lost: bool,
    peers: peers::Peers,
    station: station::Station,
    waking: bring_up::Waking,
    opening: open::Opening,
    peer_scratch: sockets::PeerScratch,
}

impl ShortRange {
    /// Returns a backend with this configuration.
    pub const fn new(config: Config) -> Self {
        Self {
            config,
            mode: None,
            framed: false,
            started: false,
            up: false,
            tls12: None,
            half: None,
            lost: false,
            peers: peers::Peers::NEW,
            station: station::Station::NEW,
            waking: bring_up::Waking::NEW,
            opening: open::Opening::NEW,
            peer_scratch: sockets::PeerScratch::NEW,
        }
    }

    /// Returns whether the module speaks extended data mode now.
    pub fn is_in_frames(&self) -> bool {
        self.mode == Some(true)
    }
}

impl Modem for ShortRange {
    const NAME: &'static str = "ublox-shortrange";
    type Framing = Edm;
    const LIMITS: Limits = Limits {
        // 0, because the module chooses the number, which is the channel.
        ids: 0,
        max_receive: RECEIVE_UNIT,
        // The largest frame that other drivers send (sheet A.5).
        max_send: 2048,
        sockets: 4,
    };
    // A query that nothing else uses; there is no `+CMEE` (sheet A.1.1, A.1.2).
    const SYNC: Sync = Sync {
        command: "AT+UMSM?",
        answer: "+UMSM:",
    };
    // The 20 ms between the end of a response and the next command (sheet A.1.1), and one more as `GAP`
    // requires.
    const GAP: u16 = 21;
    const UPLOAD_PROMPT: Option<u8> = Some(b'>');
    // Sheet A.4.1: 50 ms, and one more.
    const UPLOAD_PAUSE: u16 = 51;
    const SENDS_WITHOUT_PROMPT: bool = false;
    // The passphrase, and the URL of a connection.
    const SECRET: &'static [&'static str] = &["+UWSC=0,8", "+UDCP="];
    const FORBIDDEN: &'static [Forbidden] = &raw::FORBIDDEN;

    fn line(&mut self, line: &[u8], asked: &[u8]) -> Line {
        dialect::line(self, line, asked)
    }

    fn script(number: u8) -> Script {
        Self::SCRIPTS
            .get(usize::from(number))
            .copied()
            .unwrap_or(&[])
    }

    fn argument(&self, name: u8, world: &World<'_>, out: &mut Out<'_>) {
        dialect::argument(self, name, world, out);
    }

    fn abort(waits: Waits) -> Abort {
        match waits {
            Waits::Line => Abort::Synchronise,
            // The rest of an upload, or all of it if the prompt was lost.
            Waits::Counted | Waits::Prompt => Abort::Filler,
            Waits::Data | Waits::Quoted => Abort::Restart,
        }
    }

    fn admit(&self, config: &TlsConfig) -> Result<(), ConnectError> {
        open::admit(self, config)
    }

    fn opened(&mut self, world: &mut World<'_>, done: bool) {
        self.lost |= !done && self.opening.may_stand();
        world.cleanup |= self.lost;
        self.opening = open::Opening::NEW;
    }

    fn is_framed(&self) -> bool {
        self.framed
    }

    fn frame(&mut self, world: &mut World<'_>, event: &[u8]) -> Urc {
        dialect::event(self, world, event)
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::UNKNOWN;
        // A CA in the URL switches the check of the chain on. No source says anything about the other
        // checks (sheet A.4.2).
        capabilities.verification.chain = Support::Yes;
        capabilities.verification.client_certificate = Support::Yes;
        // Suites can neither be chosen nor read (sheet A.4.2).
        capabilities.verification.suites = Support::No;
        let oldest = match self.tls12 {
            Some(true) => TlsVersion::Tls12,
            _ => TlsVersion::Tls10,
        };
        capabilities.versions = (oldest, TlsVersion::Tls12);
        // UNCONFIRMED which suites there are; any TLS 1.2 of this age has these two.
        capabilities.suites = SuiteSet::of(&[0xC02B, 0xC02F]);
        // No option of the URL is known for ALPN (sheet A.4.2).
        capabilities.alpn = Support::No;
        capabilities.psk = Support::No;
        capabilities.resumption = Support::No;
        capabilities.sockets = Self::LIMITS.sockets as u8;
        capabilities.flush = Flush::LeftTheMcu;
        capabilities
    }
}

impl Full for ShortRange {
    type Clock = NotThere;
    type Sim = NotThere;
    type Lines = There;
}

/// What a ring must take at once, in bytes: the largest frame that other drivers send (sheet A.5). The
/// size of the module's own frames is UNCONFIRMED; up to 4092 is possible.
const RECEIVE_UNIT: u16 = 2048;
