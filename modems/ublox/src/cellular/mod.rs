//! SARA, LARA, LENA and LEXI: the module's own TLS sockets, with verification on.
//!
//! The differences between models are one table, keyed by the answer to `AT+CGMM`: SARA-U201,
//! SARA-R410M, SARA-R412M, SARA-R422, SARA-R5, SARA-R52, LARA-R6, LENA-R8, LEXI-R10, LEXI-R422,
//! LEXI-R52. Another model is not known to check anything, so a connect is refused unless the policy
//! accepts that.
//!
//! | | |
//! |---|---|
//! | TLS | 1.2, written as version 3, which one manual calls the least and another the only one |
//! | chain, dates | checked (validation level 3) |
//! | name | checked against the certificate's common name; whether alternative names are looked at is not known, so the certificate needs the name in both |
//! | SNI | not on SARA-U201 and SARA-R410M-02B; sent on the others, and `verified()` says so |
//! | cipher suites | one, or a list of one for each kind of key (SARA-R5, SARA-R52, LEXI-R52) |
//! | ALPN, PSK, resumption | no |
//! | proof that a credential is there | MD5 of its DER form: equal is proved, another one proves nothing |
//! | a connect blocks others | no; on SARA-U201 and the first SARA-R410M up to 150 s |
//! | a close blocks others | while the peer does not answer, up to 120 s; on SARA-R410M-02B, R412M-02B, R422, R52 and LENA-R8 not |
//! | `flush` means | the module has taken the bytes |
//!
//! Each file begins with the scripts of its flows, written in the order of the manual's dialogue; their
//! judges follow below.

mod bring_up;
mod causes;
mod clock;
mod config;
mod credentials;
mod data_connection;
mod dialect;
mod models;
mod open;
mod power;
mod profile;
mod raw;
mod sockets;
mod status;
mod waking;

pub use causes::{meaning, refusal};
pub use config::{Auth, Config};

use embassy_time::Duration;
use sectag::cellular::SimEntry;
use sectag::clock::DateTime;
use sectag::modem::{Abort, Final, Limits, Line, Modem, Out, Plain, Step, Sync, Waits, World};
use sectag::{Capabilities, ConnectError, Flush, Forbidden, Support, TlsConfig};

use self::models::Model;

/// A table of steps.
type Script = &'static [Step<UbloxCellular>];

/// Lists all scripts, numbered in this order.
macro_rules! scripts {
    ($($name:ident,)*) => {
        /// The numbers of the scripts.
        pub(crate) mod script {
            #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
            enum Number { $($name,)* }

            $(pub(crate) const $name: u8 = Number::$name as u8;)*
        }

        impl UbloxCellular {
            const SCRIPTS: &'static [Script] = &[$(Self::$name),*];
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
    WAKE,
    ATTENTION,
    NUMBERS,
    SETTINGS,
    STALE_SOCKETS,
    SIM,
    ENTER_PIN,
    COUNT_TRIES,
    APN,
    LOGIN,
    RADIO,
    REGISTRATION,
    DATA,
    ATTACHED,
    CONTEXT,
    PROFILE,
    PROFILE_APN,
    ACTIVATE,
    CLOCK,
    CREDENTIALS,
    SETTING,
    SOCKET,
    CONNECT_LATER,
    CONNECT_NOW,
    WHY_NOT,
    SENT,
    NOT_SENT,
    COUNT,
    GONE,
    LOST,
    STRAYS,
    CLOSE_NOW,
    CLOSE_LATER,
}

const _: () = {
    use sectag::modem;
    assert!(script::BRING_UP == modem::BRING_UP && script::OPEN == modem::OPEN);
    assert!(script::SEND == modem::SEND && script::FETCH == modem::FETCH);
    assert!(script::LOOK == modem::LOOK && script::CLOSE == modem::CLOSE);
    assert!(script::LIVENESS == modem::LIVENESS && script::CLEANUP == modem::CLEANUP);
    assert!(script::POWER_OFF == modem::POWER_OFF && script::SLEEP == modem::SLEEP);
    assert!(script::WAKE == modem::OWN);
};

/// The backend of u-blox cellular modules. Give it to [`sectag::new`].
///
/// ```no_run
/// use sectag::State;
/// use sectag_ublox::cellular::{Config, UbloxCellular};
///
/// let mut state = State::<UbloxCellular, 1, 1024, 1024>::new();
/// let backend = UbloxCellular::new(Config::new());
/// # let _ = (&mut state, backend);
/// ```
pub struct UbloxCellular {
    /// The model; `None` while it is not known, and for a model that is not in the table.
    model: Option<&'static Model>,
    /// The state of SIM and PIN. A PIN that the SIM refused is not entered again, since each try brings
    /// the SIM nearer to being locked.
    sim: SimEntry,
    /// The latest date that the module's clock showed since the module's last start. Clocks run
    /// forward, so it is a lower bound of the current date.
    clock_floor: Option<DateTime>,
    sockets: sockets::Sockets,
    cleanup: credentials::Cleanup,
    // Scratch of one flow each; the flow resets it at its start.
    waking: waking::Waking,
    bringing_up: bring_up::BringUp,
    opening: open::Opening,
    config: Config,
}

impl UbloxCellular {
    /// Empty: this backend has no light sleep.
    const SLEEP: Script = &[];

    /// Returns a backend with this configuration.
    pub const fn new(config: Config) -> Self {
        Self {
            model: None,
            sim: SimEntry::NEW,
            clock_floor: None,
            sockets: sockets::Sockets::NEW,
            cleanup: credentials::Cleanup::NEW,
            waking: waking::Waking::NEW,
            bringing_up: bring_up::BringUp::NEW,
            opening: open::Opening::NEW,
            config,
        }
    }

    /// Returns the name of the model's row in the table; `None` if the model is in no row or not known
    /// yet.
    pub fn model(&self) -> Option<&'static str> {
        self.model.map(|model| model.name)
    }
}

impl Modem for UbloxCellular {
    const NAME: &'static str = "ublox-cellular";
    type Framing = Plain;
    const LIMITS: Limits = Limits {
        // 0, because the module chooses the numbers.
        ids: 0,
        max_receive: 1024,
        max_send: 1024,
        // Of the seven sockets, TLS takes four on SARA-R4 (sheet B.2.3).
        sockets: 4,
    };
    const SYNC: Sync = Sync {
        command: "AT+CMEE?",
        answer: "+CMEE:",
    };
    // Sheet B.1.1.
    const POWER_OFF_LIMIT: Duration = Duration::from_secs(40);
    const SENDS_WITHOUT_PROMPT: bool = false;
    const PUSHES: bool = false;
    // One more than the silence that the sheet gives, as `GAP` requires.
    const GAP: u16 = models::UNKNOWN.gap + 1;
    const PROMPT: u8 = b'@';
    // Without this pause payload gets lost (sheet B.2.3, D 3).
    const PROMPT_PAUSE: u16 = 51;
    const UPLOAD_PROMPT: Option<u8> = Some(b'>');
    const UPLOAD_PAUSE: u16 = 51;
    const SEND_ENDS: Final = Final::Ok;
    const PAYLOAD_CUE: Option<u8> = Some(b'"');
    const FORBIDDEN: &'static [Forbidden] = &raw::FORBIDDEN;
    // Commands with secrets. What sectag sends by the last one has none; a line that a user types may.
    const SECRET: &'static [&'static str] = &[
        "+UAUTHREQ",
        "+USECMNG=0",
        // The password of each profile; sectag uses the first.
        "+UPSD=0,3",
        "+UPSD=1,3",
        "+UPSD=2,3",
        "+UPSD=3,3",
        "+UPSD=4,3",
        "+UPSD=5,3",
        "+UPSD=6,3",
    ];

    fn gap(&self) -> u16 {
        self.row().gap + 1
    }

    fn line(&mut self, line: &[u8], asked: &[u8]) -> Line {
        dialect::line(line, asked, self.sockets.fetched)
    }

    fn script(number: u8) -> Script {
        Self::SCRIPTS
            .get(usize::from(number))
            .copied()
            .unwrap_or(&[])
    }

    fn argument(&self, name: u8, world: &World<'_>, out: &mut Out<'_>) {
        let config = &self.config;
        let open = world.open.as_ref();
        let text = match name {
            b'a' => config.apn.as_ref().map_or("", |apn| apn.as_str()),
            b'c' => return out.int(open.map_or(0, |open| open.context).into()),
            b'f' => return out.int(if config.flow_control { 3 } else { 0 }),
            b'h' => return world.write_name(out),
            b'i' => return out.int(world.id.into()),
            b'k' => return out.int(open::number(self.opening.kind())),
            b'l' => return out.int(world.len.into()),
            b'g' => return self.write_login(out),
            b'm' => {
                if let Some((tag, kind)) = self.cleanup.unfinished {
                    open::write_name(tag, kind, out);
                }
                return;
            }
            b'n' => {
                if let Some(open) = open {
                    open::write_name(open.config.tag(), self.opening.kind(), out);
                }
                return;
            }
            b'o' => return out.int(self.row().radio_off.into()),
            b'p' => return self.write_item(world, out),
            b'q' => return out.int(open.map_or(0, |open| open.port).into()),
            b's' => config.pin.as_ref().map_or("", |pin| pin.expose().as_str()),
            b't' => {
                let kind = self.cleanup.unfinished.map_or(sectag::Kind::Ca, |of| of.1);
                return out.int(open::number(kind));
            }
            b'u' => config.user.as_str(),
            b'w' => config.password.expose().as_str(),
            b'x' => return out.int(config.auth.code()),
            b'z' => return out.int(self.cleanup.stray().into()),
            _ => "",
        };
        out.bytes(text.as_bytes());
    }

    fn abort(waits: Waits) -> Abort {
        match waits {
            Waits::Line | Waits::Quoted => Abort::Synchronise,
            // The module cannot be interrupted, and the prompt for payload may have been lost.
            Waits::Counted | Waits::Prompt => Abort::Filler,
            Waits::Data => Abort::Escape,
        }
    }

    fn opened(&mut self, world: &mut World<'_>, done: bool) {
        if !done {
            // The clock may be the reason. The next connect reads it again, although it was set before.
            self.clock_floor = None;
        }
        // An open that failed may have left a socket whose number is not known.
        world.cleanup |= self.sockets.lost;
    }

    fn admit(&self, config: &TlsConfig) -> Result<(), ConnectError> {
        open::admit(self, config)
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = self.profile_capabilities();
        // No setting of any model has it (sheet B.2.2).
        capabilities.alpn = Support::No;
        // Settings 8, 9 and 13 are not written.
        capabilities.psk = Support::No;
        capabilities.resumption = Support::No;
        capabilities.roots = Some(1);
        capabilities.client_chain = Some(1);
        capabilities.sockets = 4;
        capabilities.flush = Flush::ModemAccepted;
        capabilities.connect_blocks_ms = if self.row().connects_later {
            0
        } else {
            u32::from(open::CONNECT_BLOCKS) * 100
        };
        capabilities.close_blocks_ms = if self.row().closes_later { 0 } else { 120_000 };
        capabilities
    }
}

impl UbloxCellular {
    /// Writes user and password; SARA-R4 and LARA-R6 take the password first (sheet B.1.3).
    fn write_login(&self, out: &mut Out<'_>) {
        let user = self.config.user.as_str().as_bytes();
        let password = self.config.password.expose().as_str().as_bytes();
        let (first, second) = if self.row().password_first {
            (password, user)
        } else {
            (user, password)
        };
        out.quoted(first);
        out.byte(b',');
        out.quoted(second);
    }
}
