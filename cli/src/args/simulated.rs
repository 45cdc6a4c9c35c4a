//! The demo and the simulated modem.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use sectag::clock::DateTime;
use sectag_simulator::{
    LeftOn, Nrf9160Profile, NwpGeneration, Profile, ShortRangeProfile, UbloxProfile,
};

use super::values::Server;
use crate::failure::Failure;
use crate::families::ModemName;

/// A firmware or model of one of the modems.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Dialect {
    Nrf9160(Nrf9160Profile),
    Nwp(NwpGeneration),
    ShortRange(ShortRangeProfile),
    Ublox(UbloxProfile),
}

impl Dialect {
    fn named(name: &str) -> Result<Self, String> {
        match name {
            "g1" => return Ok(Self::Nwp(NwpGeneration::First)),
            "g2" => return Ok(Self::Nwp(NwpGeneration::Second)),
            _ => {}
        }
        if let Ok(profile) = ShortRangeProfile::named(name) {
            return Ok(Self::ShortRange(profile));
        }
        let ublox = match UbloxProfile::named(name) {
            Ok(profile) => return Ok(Self::Ublox(profile)),
            Err(error) => error,
        };
        Nrf9160Profile::named(name)
            .map(Self::Nrf9160)
            .map_err(|error| {
                format!(
                    "ublox-shortrange has odin and nina; cc31xx g1 and g2; nrf9160: {error}; ublox-cellular: {ublox}"
                )
            })
    }

    /// For a modem that has none.
    ///
    /// # Errors
    /// One was given.
    pub(crate) fn refused_by(modem: ModemName, dialect: Option<Self>) -> Result<(), Failure> {
        match dialect {
            None => Ok(()),
            Some(_) => Err(Failure::new(format!(
                "--dialect: {} has no dialects",
                modem.as_str()
            ))),
        }
    }

    /// The generation of a network processor.
    ///
    /// # Errors
    /// It is another modem's, or the generation whose TLS this build does not have.
    pub(crate) fn nwp(dialect: Option<Self>) -> Result<NwpGeneration, Failure> {
        match dialect {
            None => Ok(NwpGeneration::Second),
            Some(Self::Nwp(NwpGeneration::First)) if !cfg!(feature = "openssl") => {
                Err(Failure::new(
                    "--dialect g1: the TLS of a CC3100 has CBC and RC4 suites alone, and this tool was built without the feature openssl, which simulates them",
                )
                .hint("build it with --features openssl, for which libssl-dev and pkg-config must be installed; g2, a CC3120 or later, needs neither"))
            }
            Some(Self::Nwp(generation)) => Ok(generation),
            Some(_) => Err(another("cc31xx")),
        }
    }

    /// Sees to it that a network processor is one that the tool's own driver is for.
    ///
    /// # Errors
    /// See [`nwp`](Self::nwp), and that it is the first generation.
    pub(crate) fn second_generation(dialect: Option<Self>) -> Result<(), Failure> {
        match Self::nwp(dialect)? {
            NwpGeneration::Second => Ok(()),
            NwpGeneration::First => Err(Failure::new(
                "--dialect g1: the demo's driver is one of the second generation",
            )
            .hint("sectag simulate --modem cc31xx --dialect g1 is for a firmware with a driver of the first")),
        }
    }

    /// # Errors
    /// It is another modem's.
    pub(crate) fn nrf9160(dialect: Option<Self>) -> Result<Option<Nrf9160Profile>, Failure> {
        match dialect {
            None => Ok(None),
            Some(Self::Nrf9160(profile)) => Ok(Some(profile)),
            Some(_) => Err(another("nrf9160")),
        }
    }

    /// # Errors
    /// It is another modem's.
    pub(crate) fn ublox(dialect: Option<Self>) -> Result<Option<UbloxProfile>, Failure> {
        match dialect {
            None => Ok(None),
            Some(Self::Ublox(profile)) => Ok(Some(profile)),
            Some(_) => Err(another("ublox-cellular")),
        }
    }

    /// # Errors
    /// It is another modem's.
    pub(crate) fn short_range(dialect: Option<Self>) -> Result<Option<ShortRangeProfile>, Failure> {
        match dialect {
            None => Ok(None),
            Some(Self::ShortRange(profile)) => Ok(Some(profile)),
            Some(_) => Err(another("ublox-shortrange")),
        }
    }
}

fn another(modem: &str) -> Failure {
    Failure::new(format!("--dialect: it is none of a {modem}"))
}

#[derive(Args)]
pub(crate) struct Demo {
    /// The modem to simulate
    #[arg(long, value_name = "NAME", default_value = "bg96")]
    pub(crate) modem: ModemName,

    /// The firmware of an nrf9160 or the model of a ublox-cellular or ublox-shortrange, as for simulate
    #[arg(long, value_name = "D", value_parser = Dialect::named)]
    pub(crate) dialect: Option<Dialect>,

    /// What is wrong with the simulated world [default: nothing]
    #[arg(long, value_name = "NAME")]
    pub(crate) scenario: Option<Scenario>,
}

/// Things that go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scenario {
    /// The modem is given another CA than the server's
    WrongCa,
    /// The server's certificate has expired
    Expired,
    /// Nobody tells the modem the time
    ClockUnset,
    /// The server's certificate is for another name
    WrongHost,
    /// The server demands a client certificate, and there is none
    NoClientCert,
    /// The server has only an ECDSA key
    EcdsaServer,
    /// The broker does not know the login
    RefusedLogin,
    /// The modem restarts in the middle; the demo recovers
    Reset,
    /// There is no network
    NoRegistration,
    /// There is no SIM
    SimMissing,
    /// The network gives no data connection
    PdpRefused,
    /// The broker's name does not exist
    Dns,
}

impl Scenario {
    /// As the option calls it.
    pub(crate) fn word(self) -> String {
        self.to_possible_value()
            .map_or_else(String::new, |value| value.get_name().into())
    }
}

#[derive(Args)]
#[command(group = clap::ArgGroup::new("where").args(["link", "tcp"]).required(true))]
pub(crate) struct Simulate {
    /// The modem to be
    #[arg(long, value_name = "NAME")]
    pub(crate) modem: ModemName,

    /// The firmware to be, of an nrf9160: a release of the Serial LTE Modem (2.0, 2.1, ... 2.7, 3.1), with -native behind it for a native TLS build, or sm for the Serial Modem; the model, of a ublox-shortrange: odin or nina [default: 2.1, odin]. The model, of a ublox-cellular: sara-r5, sara-r4-02b, sara-r4-01b, sara-r422, sara-u201, lara-r6, lena-r8, lexi-r10, unknown [default: sara-r5]
    #[arg(long, value_name = "D", value_parser = Dialect::named)]
    pub(crate) dialect: Option<Dialect>,

    /// The firmware to be, of a bg96: later, which does not check the server's name, checks-name, v1 (the first manual's: no SNI) or eg25 (a relative) [default: later]
    #[arg(long, value_name = "NAME", value_parser = Profile::named)]
    pub(crate) profile: Option<Profile>,

    /// Make a pseudo terminal, and this link to it
    #[arg(long, value_name = "PATH")]
    pub(crate) link: Option<PathBuf>,

    /// Listen on this port of 127.0.0.1; 0 takes a free one
    #[arg(long, value_name = "PORT")]
    pub(crate) tcp: Option<u16>,

    /// Where a server that the modem connects to is found (repeatable); nothing else exists but localhost
    #[arg(long, value_name = "HOST:PORT=127.0.0.1:PORT")]
    pub(crate) map: Vec<Mapping>,

    /// Speed of the simulated line; 0: as fast as possible
    #[arg(long, value_name = "N", default_value_t = 115_200, value_parser = parse_line_speed)]
    pub(crate) baud: u32,

    /// Delay before each command is answered, an hour at most
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=3_600_000))]
    pub(crate) turnaround_ms: u64,

    /// Cut what the modem sends into pieces of N bytes; with --seed, of 1 to N bytes
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) chunk: Option<u32>,

    /// Where random pieces start
    #[arg(long, value_name = "N", requires = "chunk")]
    pub(crate) seed: Option<u64>,

    /// Keep what the modem stores, its files and credentials, in this file, and begin with what is there
    #[arg(long, value_name = "FILE")]
    pub(crate) state: Option<PathBuf>,

    /// What is wrong around the modem, as for demo: clock-unset (the network tells no time), no-registration, sim-missing or pdp-refused
    #[arg(long, value_name = "NAME")]
    pub(crate) scenario: Option<Scenario>,

    /// What befalls a command, and which: silent, error, garbage or reset; every one, the K-th, or the K-th that begins so
    #[arg(long, value_name = "NAME[@K[:BEGINNING]]", value_parser = parse_fault)]
    pub(crate) fault: Option<String>,

    /// What an earlier host has left on in a bg96: slow-clock, psm, cmux, cmux-stuck (a multiplexer that nothing ends), atv0 or atq1
    #[arg(long, value_name = "NAME", value_parser = LeftOn::named)]
    pub(crate) left_on: Option<LeftOn>,

    /// What the modem's clock shows at the start (UTC, 2026-11-20T12:00:00Z), or `unset`
    #[arg(long, value_name = "ISO|unset", default_value = "unset")]
    pub(crate) clock: ClockSetting,
}

/// One entry of the simulated network.
#[derive(Clone, Debug)]
pub(crate) struct Mapping {
    pub(crate) server: Server,
    pub(crate) target: SocketAddr,
}

impl std::str::FromStr for Mapping {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (server, target) = text
            .split_once('=')
            .ok_or("HOST:PORT=127.0.0.1:PORT is needed")?;
        let target: SocketAddr = target
            .parse()
            .map_err(|_| format!("{target:?} is not an address with a port"))?;
        if !target.ip().is_loopback() {
            return Err(format!(
                "{target} is not on this computer, and simulated connections never leave it"
            ));
        }
        if target.port() == 0 {
            return Err("0 is not a port number".into());
        }
        Ok(Self {
            server: server.parse()?,
            target,
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClockSetting {
    At(DateTime),
    Unset,
}

impl std::str::FromStr for ClockSetting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "unset" {
            return Ok(Self::Unset);
        }
        parse_iso(text).map(Self::At).ok_or_else(|| {
            "a UTC date and time such as 2026-11-20T12:00:00Z is needed, or `unset`".into()
        })
    }
}

fn parse_iso(text: &str) -> Option<DateTime> {
    let (date, time) = text.strip_suffix('Z').unwrap_or(text).split_once('T')?;
    let date = fields(date, '-', [4, 2, 2])?;
    let time = fields(time, ':', [2, 2, 2])?;
    let small = |number: u16| u8::try_from(number).ok();
    DateTime::new(
        date[0],
        small(date[1])?,
        small(date[2])?,
        small(time[0])?,
        small(time[1])?,
        small(time[2])?,
    )
}

/// Three numbers of fixed widths.
fn fields(text: &str, separator: char, widths: [usize; 3]) -> Option<[u16; 3]> {
    let mut parts = text.split(separator);
    let mut numbers = [0; 3];
    for (number, width) in numbers.iter_mut().zip(widths) {
        let part = parts.next()?;
        if part.len() != width || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        *number = part.parse().ok()?;
    }
    parts.next().is_none().then_some(numbers)
}

fn parse_line_speed(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(baud @ (0 | 300..=50_000_000)) => Ok(baud),
        _ => Err("0, or 300 to 50000000 baud".into()),
    }
}

/// Made again where it is used: a script counts, and cannot be copied.
fn parse_fault(text: &str) -> Result<String, String> {
    sectag_simulator::fault(text).map(|_| text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mappings_stay_on_this_computer() {
        assert!("broker.example:8883=127.0.0.1:1".parse::<Mapping>().is_ok());
        assert!(
            "broker.example:8883=192.0.2.1:1"
                .parse::<Mapping>()
                .is_err()
        );
        assert!("broker.example=127.0.0.1:1".parse::<Mapping>().is_err());
        assert!(
            "broker.example:8883=127.0.0.1:0"
                .parse::<Mapping>()
                .is_err()
        );
    }

    #[test]
    fn clocks_are_iso_or_unset() {
        let noon = DateTime::new(2026, 11, 20, 12, 0, 0).unwrap();
        let clock = |text: &str| text.parse::<ClockSetting>();
        assert_eq!(clock("2026-11-20T12:00:00Z"), Ok(ClockSetting::At(noon)));
        assert_eq!(clock("unset"), Ok(ClockSetting::Unset));
        for bad in [
            "",
            "2026-11-20",
            "2026-13-01T00:00:00Z",
            "2026-11-20T12:00:00+01:00",
        ] {
            assert!(clock(bad).is_err(), "{bad}");
        }
    }
}
