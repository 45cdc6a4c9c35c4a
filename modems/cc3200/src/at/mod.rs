//! CC3220 and CC3235 with TI's AT application on their own processor: text over a UART of three wires.
//!
//! | | |
//! |---|---|
//! | TLS | 1.2 only; its suites are chosen by the policy |
//! | chain, name, SNI, dates | checked; the date is read before each connect |
//! | client certificate | yes |
//! | connected, and not verified | a refusal: the socket is closed |
//! | a connect blocks others | yes, for as long as the handshake takes |
//! | data | is asked for: the application tells of none |
//! | `flush` means | the chip has taken the bytes |
//!
//! There is no such application for a bare CC3200, CC3100, CC3120 or CC3135: see [`nwp`](crate::nwp) for the latter three.
//!
//! Every command comes back as an echo, and is compared with what was sent: what verification rests on cannot be
//! read back from a socket, but a command that was altered on its way is found out.
//!
//! The CA and the certificate are plain files, which are read back and compared; the key is a secure file, which nobody
//! can read: [`ensure_recorded`](sectag::Control::ensure_recorded) knows whether it is there already. A token is presented
//! only where it is known to be right, since wrong ones lock the device for good.

mod bring_up;
mod clock;
mod config;
mod dialect;
mod files;
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

/// All scripts, with their numbers in the order in which they stand here.
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

/// The most bytes of one send or fetch: as base64 they fit the application's buffer with the command (sheet 1.6).
const MOST: u16 = 720;

/// Suites of the chip that are offered: all but those of finite-field Diffie-Hellman (bits 3, 14, 15, 22), whose names would make
/// the line longer than the driver's.
const SUITES: u32 = suites::SECOND & !(1 << 3 | 1 << 14 | 1 << 15 | 1 << 22);

/// Ends a line of which only a part may have come: no base64, and as many commas as stand in front of any data, without which
/// the application runs past its buffer (sheet 1.2).
const SPOILS: &str = ",,,,,";

/// The backend. Give it to [`sectag::State::new`].
pub struct Cc32xx {
    config: Config,
    /// The driver relies on the network.
    up: bool,
    /// The access point has taken the station in.
    associated: bool,
    /// There is an address.
    address: bool,
    /// Why the network was left.
    left: Option<u16>,
    /// Attempts to be heard, in a bring-up.
    tries: u8,
    /// When joining began.
    since: u32,
    /// Whether names are checked and sent, which an old service pack does not.
    names: Support,
    /// The files of the open's credentials that were listed, as bits in the order of `Kind::ALL`.
    listed: u8,
    /// The chip said of the connection that is opened that dates were not verified, and the policy accepts that.
    undated: bool,
    /// The address of the server that is connected to.
    server: [u8; 4],
    /// Sockets whose peer has gone over to plain text.
    plain: u32,
    version: [u8; 4],
    /// The date as it was set.
    date: Date,
    file: open_file::OpenFile,
    decoder: sectag::modem::Decoder,
}

impl Cc32xx {
    /// A backend with this configuration.
    pub const fn new(config: Config) -> Self {
        Self {
            config,
            up: false,
            associated: false,
            address: false,
            left: None,
            tries: 0,
            since: 0,
            // All of this generation has it; a service pack that has not is found out at the first connect.
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
        // The chip chooses.
        ids: 0,
        max_receive: MOST,
        max_send: MOST,
        sockets: 6,
    };
    // Nothing else uses it; `AT+Test` has no answer of its own.
    const SYNC: Sync = Sync {
        command: "AT+NetCfgGet=ipv4_sta_addr",
        answer: "+netcfgget:",
    };
    // 2 ms behind the first line of an answer (sheet 1.1), or behind the prompt, and one more as `GAP` wants it. The
    // prompt of 1.1.1 comes 1 ms later.
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

/// What nobody may type, see [`sectag::Control::raw_at`].
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
