//! CC3220 and CC3235 with TI's AT application on their own processor: text over a UART without flow
//! control wires.
//!
//! | | |
//! |---|---|
//! | TLS | 1.2 only; its suites are chosen by the policy |
//! | chain, name, SNI, dates | checked; the date is read before each connect |
//! | client certificate | yes |
//! | connected, and not verified | a refusal: the socket is closed |
//! | a connect blocks others | yes, for as long as the handshake takes |
//! | data | is polled: the application does not announce it |
//! | `flush` means | the chip has taken the bytes |
//!
//! TI has no such application for a bare CC3200, CC3100, CC3120 or CC3135. For the latter three see
//! [`nwp`](crate::nwp).
//!
//! The application echoes every command, and the driver compares the echo with what it sent. A socket's
//! settings, on which verification rests, cannot be read back, but so a command that was altered on its
//! way is found out.
//!
//! The CA and the certificate are plain files, which are read back and compared. The key is a secure
//! file, which cannot be read: [`ensure_recorded`](sectag::Control::ensure_recorded) knows whether it
//! is stored already. A token is presented only where it is known to be right, since wrong ones lock
//! the device for good.

mod bring_up;
mod clock;
mod config;
mod credentials;
mod dialect;
mod open;
mod open_file;
mod sockets;
mod status;

pub use self::config::Config;

use sectag::modem::{Echoed, InLine, Limits, Line, Modem, Out, Step, Sync, World};
use sectag::{Capabilities, ConnectError, Forbidden, Support, TlsConfig, TlsVersion};

use crate::capabilities::capabilities;
use crate::date::Date;
use crate::suites;

/// A table of steps.
type Script = &'static [Step<Cc32xx>];

/// Lists all scripts, numbered in this order.
macro_rules! scripts {
    ($($name:ident,)*) => {
        /// The numbers of the scripts.
        mod script {
            #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
            enum Number { $($name,)* }

            $(pub(super) const $name: u8 = Number::$name as u8;)*
        }

        impl Cc32xx {
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
    ATTENTION,
    START,
    DATE,
    JOIN,
    WAIT_JOINED,
    CLIENT,
    CONNECT,
    ABORT_FILE,
}

const _: () = {
    use sectag::modem;
    assert!(script::BRING_UP == modem::BRING_UP && script::OPEN == modem::OPEN);
    assert!(script::SEND == modem::SEND && script::FETCH == modem::FETCH);
    assert!(script::LOOK == modem::LOOK && script::CLOSE == modem::CLOSE);
    assert!(script::LIVENESS == modem::LIVENESS && script::CLEANUP == modem::CLEANUP);
    assert!(script::POWER_OFF == modem::POWER_OFF && script::SLEEP == modem::SLEEP);
    assert!(script::ATTENTION == modem::OWN);
};

/// The most bytes of one send or fetch: as base64 they fit into the application's buffer together with
/// the command (sheet 1.6).
const MOST: u16 = 720;

/// The suites of the chip that are offered: all but those with finite-field Diffie-Hellman (bits 3, 14,
/// 15, 22), whose names would make the command longer than the driver's buffer.
const SUITES: u32 = suites::SECOND & !(1 << 3 | 1 << 14 | 1 << 15 | 1 << 22);

/// The text that ends a line of which a part may have been sent. It is no base64, so the application
/// refuses the line. It has as many commas as stand in front of any data, since with fewer the
/// application overruns its buffer (sheet 1.2).
const SPOILS: &str = ",,,,,";

/// The backend of the AT application. Give it to [`sectag::new`].
pub struct Cc32xx {
    config: Config,
    /// The bring-up is complete, so that a loss of the network matters.
    up: bool,
    /// The access point has accepted the station.
    associated: bool,
    /// The station has an address.
    address: bool,
    /// The reason code with which the network was left.
    left: Option<u16>,
    /// The number of unanswered attempts in a bring-up.
    tries: u8,
    /// The time at which joining began.
    since: u32,
    /// Whether the chip checks names and sends SNI, which an old service pack does not.
    names: Support,
    /// The files of the open's credentials that exist, as bits in the order of `Kind::ALL`.
    listed: u8,
    /// The chip has connected without verifying dates, and the policy accepts that.
    undated: bool,
    /// The address of the server.
    server: [u8; 4],
    /// The sockets whose peer has ended TLS and goes on in plain text, as a bit set.
    plain: u32,
    version: [u8; 4],
    /// The date that was set last.
    date: Date,
    file: open_file::OpenFile,
    decoder: sectag::modem::Decoder,
}

impl Cc32xx {
    /// Returns a backend with this configuration.
    pub const fn new(config: Config) -> Self {
        Self {
            config,
            up: false,
            associated: false,
            address: false,
            left: None,
            tries: 0,
            since: 0,
            // All chips of this generation do; an old service pack is found out at the first connect.
            names: Support::Yes,
            listed: 0,
            undated: false,
            server: [0; 4],
            plain: 0,
            version: [0; 4],
            date: Date::UNKNOWN,
            file: open_file::OpenFile::None,
            decoder: sectag::modem::Decoder::base64(),
        }
    }
}

impl Modem for Cc32xx {
    const NAME: &'static str = "cc32xx";
    type Framing = Echoed;
    const LIMITS: Limits = Limits {
        // 0, because the chip chooses the numbers.
        ids: 0,
        max_receive: MOST,
        max_send: MOST,
        sockets: 6,
    };
    // A query that nothing else uses; `AT+Test` has no answer of its own.
    const SYNC: Sync = Sync {
        command: "AT+NetCfgGet=ipv4_sta_addr",
        answer: "+netcfgget:",
    };
    // The 2 ms after the first line of an answer (sheet 1.1) or after the prompt, and one more as `GAP`
    // requires. The prompt of 1.1.1 comes 1 ms later.
    const GAP: u16 = 4;
    const IN_LINE: InLine = InLine::Base64 { spoils: SPOILS };
    const TWICE: &'static [&'static str] = &["+Connect", "+Recv"];
    const ECHOES: bool = false;
    const PUSHES: bool = false;
    const PAYLOAD_CUE: Option<u8> = Some(b',');
    const DECODER: Option<fn(&mut Self) -> &mut sectag::modem::Decoder> =
        Some(|modem| &mut modem.decoder);
    const SECRET: &'static [&'static str] = &["+WlanConnect", "+WlanProfileAdd"];
    const FORBIDDEN: &'static [Forbidden] = &FORBIDDEN;

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

    fn admit(&self, config: &TlsConfig) -> Result<(), ConnectError> {
        let has = self.capabilities();
        config.check(&has.verification)?;
        config.suites_for(&has).map(|_| ())
    }

    fn capabilities(&self) -> Capabilities {
        let sockets = Self::LIMITS.sockets as u8;
        let mut has = capabilities(self.names, suites::of(SUITES), sockets);
        has.versions = (TlsVersion::Tls12, TlsVersion::Tls12);
        has
    }
}

/// Commands that [`sectag::Control::raw_at`] refuses.
static FORBIDDEN: [Forbidden; 12] = [
    Forbidden::new("+Start", Forbidden::NONE),
    Forbidden::new("+Stop", Forbidden::NONE),
    Forbidden::new("+Socket", Forbidden::SOCKET),
    Forbidden::new("+Connect", Forbidden::SOCKET),
    Forbidden::new("+Send*", Forbidden::SOCKET),
    Forbidden::new("+Recv*", Forbidden::SOCKET),
    Forbidden::new("+Select", Forbidden::SOCKET),
    Forbidden::new("+Close", Forbidden::SOCKET),
    Forbidden::new("+SetSockOpt", Forbidden::SOCKET),
    // A wrong token counts towards the lock of the device.
    Forbidden::new("+File*", Forbidden::STORE),
    Forbidden::new("+WlanConnect", "Config::new"),
    Forbidden::new("+WlanSetMode", Forbidden::OURS),
];
