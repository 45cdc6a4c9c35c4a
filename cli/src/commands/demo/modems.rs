//! The modems that the demo can show. What differs between them is here, and the flow is one.

use std::rc::Rc;

use clap::ValueEnum;
use embassy_time::Duration;
use sectag_simulator::{
    Boot, Cc32xxOptions, LoopbackNetwork, NativeStore, Nrf9160Options, Nrf9160Profile, NwpOptions,
    Options, ShortRangeOptions, ShortRangeProfile, Simulator, UbloxOptions, UbloxProfile,
};
use time::OffsetDateTime;

use super::setting::{BAUD, TURNAROUND_MS, WIFI};
use crate::args::{Demo, Dialect, Scenario};
use crate::commands::surroundings::Surroundings;
use crate::failure::Failure;
use crate::families::ModemName;

/// The modem that is shown.
#[derive(Clone, Copy)]
pub(super) enum Shown {
    Bg96,
    Nrf9160(Nrf9160Profile),
    ShortRange(ShortRangeProfile),
    Ublox(UbloxProfile),
    /// A network processor that speaks its own protocol.
    Nwp,
    /// A module with TI's AT application.
    Cc32xx,
    /// A module as a link, with TLS on the host.
    Ppp(Link),
}

/// Which module gives the link.
#[derive(Clone, Copy)]
pub(super) enum Link {
    ShortRange,
    Cellular(UbloxProfile),
}

/// Scenarios that mean nothing to a modem, and why.
type Absent = &'static [(Scenario, &'static str)];

const NRF9160_ABSENT: Absent = &[
    (
        Scenario::EcdsaServer,
        "its TLS has suites for ECDSA keys, so nothing is wrong with such a server",
    ),
    (
        Scenario::PdpRefused,
        "it gets its data connection when it registers, and not by a command that could be refused",
    ),
];

const SHORT_RANGE_ABSENT: Absent = &[
    (
        Scenario::EcdsaServer,
        "its TLS has suites for ECDSA keys, so nothing is wrong with such a server",
    ),
    (
        Scenario::PdpRefused,
        "it is on Wi-Fi, which has no data connections",
    ),
    (Scenario::SimMissing, "it is on Wi-Fi, and has no SIM"),
    (
        Scenario::ClockUnset,
        "it has no clock, and is not known to check dates",
    ),
    (Scenario::Expired, "it is not known to check dates"),
    (
        Scenario::WrongHost,
        "it is not known to check names: its CA must be private",
    ),
];

const NWP_ABSENT: Absent = &[
    (
        Scenario::EcdsaServer,
        "its TLS has suites for ECDSA keys, so nothing is wrong with such a server",
    ),
    (
        Scenario::PdpRefused,
        "it is on Wi-Fi, which has no data connections",
    ),
    (Scenario::SimMissing, "it is on Wi-Fi, and has no SIM"),
];

const PPP_ABSENT: Absent = &[
    (
        Scenario::EcdsaServer,
        "TLS on the host has suites for ECDSA keys, so nothing is wrong with such a server",
    ),
    (
        Scenario::PdpRefused,
        "see ublox-cellular: the dial fails as its data connection does",
    ),
    (
        Scenario::SimMissing,
        "see ublox-cellular: the SIM is the module's",
    ),
    (
        Scenario::NoRegistration,
        "see ublox-cellular and ublox-shortrange: the network is the module's",
    ),
    (
        Scenario::Reset,
        "a link that is lost is dialled anew by the application, which the demo's is not",
    ),
];

const UBLOX_ABSENT: Absent = &[(
    Scenario::EcdsaServer,
    "its TLS has suites for ECDSA keys, so nothing is wrong with such a server",
)];

impl Shown {
    /// # Errors
    /// A dialect or a scenario that this modem does not have.
    pub(super) fn from_args(args: &Demo) -> Result<Self, Failure> {
        let shown = match (args.modem, args.dialect) {
            (ModemName::Bg96, dialect) => {
                Dialect::refused_by(ModemName::Bg96, dialect)?;
                Self::Bg96
            }
            (ModemName::Cc31xx, dialect) => {
                Dialect::second_generation(dialect)?;
                Self::Nwp
            }
            (ModemName::Cc32xx, dialect) => {
                Dialect::refused_by(ModemName::Cc32xx, dialect)?;
                Self::Cc32xx
            }
            (ModemName::Nrf9160, dialect) => {
                let profile = Dialect::nrf9160(dialect)?;
                Self::Nrf9160(profile.unwrap_or(Nrf9160Options::default().profile))
            }
            (ModemName::UbloxCellular, dialect) => {
                let profile = Dialect::ublox(dialect)?;
                Self::Ublox(profile.unwrap_or(UbloxOptions::default().profile))
            }
            (ModemName::ShortRange, dialect) => {
                let profile = Dialect::short_range(dialect)?;
                Self::ShortRange(profile.unwrap_or(ShortRangeProfile::ODIN))
            }
            (ModemName::Ppp, dialect) => Self::Ppp(match dialect {
                Some(Dialect::Ublox(profile)) => Link::Cellular(profile),
                other => match Dialect::short_range(other)? {
                    Some(profile) if !profile.ppp => {
                        return Err(Failure::new(
                            "--dialect: only odin has PPP among the short-range modules",
                        )
                        .hint("sectag demo --modem ublox-shortrange shows the TLS inside a nina"));
                    }
                    _ => Link::ShortRange,
                },
            }),
        };
        let Some(scenario) = args.scenario else {
            return Ok(shown);
        };
        let absent = shown.absent();
        match absent.iter().find(|(absent, _)| *absent == scenario) {
            None => Ok(shown),
            Some((_, reason)) => {
                let there: Vec<String> = Scenario::value_variants()
                    .iter()
                    .filter(|scenario| absent.iter().all(|(absent, _)| absent != *scenario))
                    .map(|scenario| scenario.word())
                    .collect();
                Err(Failure::new(format!(
                    "{} has no scenario {}: {reason}",
                    args.modem.as_str(),
                    scenario.word()
                ))
                .hint(format!("it has {}", there.join(", "))))
            }
        }
    }

    fn absent(&self) -> Absent {
        match self {
            Self::Bg96 => &[],
            Self::Nrf9160(_) => NRF9160_ABSENT,
            Self::ShortRange(_) => SHORT_RANGE_ABSENT,
            Self::Ublox(_) => UBLOX_ABSENT,
            Self::Nwp | Self::Cc32xx => NWP_ABSENT,
            Self::Ppp(_) => PPP_ABSENT,
        }
    }

    /// TLS is not in the modem.
    pub(super) fn has_tls_on_host(&self) -> bool {
        matches!(self, Self::Ppp(_))
    }

    /// In words.
    pub(super) fn what(&self) -> String {
        match self {
            Self::Bg96 => "bg96".into(),
            Self::Nrf9160(profile) if profile.serial_modem => "nrf9160, Serial Modem".into(),
            Self::Nrf9160(profile) => {
                let native = match profile.native {
                    Some(_) => ", native TLS",
                    None => "",
                };
                format!("nrf9160, SLM {}{native}", profile.name)
            }
            Self::ShortRange(profile) => format!("ublox-shortrange, {}", profile.model),
            Self::Ublox(profile) => format!("ublox-cellular, {}", profile.model),
            Self::Nwp => "cc31xx, second generation".into(),
            Self::Cc32xx => "cc32xx, AT application 1.1.1".into(),
            Self::Ppp(Link::ShortRange) => format!("ublox-ppp, {}", ShortRangeProfile::ODIN.model),
            Self::Ppp(Link::Cellular(profile)) => format!("ublox-ppp, {}", profile.model),
        }
    }

    /// By what an upload is known to be whole.
    pub(super) fn proof(&self) -> &'static str {
        match self {
            Self::Bg96 => "checksum confirmed",
            Self::Nrf9160(profile) => match profile.native.map(|native| native.store) {
                None => "digest confirmed",
                Some(NativeStore::Mapped) => "kept as tag x 10 + type, digest confirmed",
                Some(NativeStore::Settings) => "listed; this firmware tells no digest",
            },
            Self::ShortRange(_) | Self::Ublox(_) => "MD5 of the DER form confirmed",
            Self::Nwp | Self::Cc32xx => "as a file, closed in order",
            Self::Ppp(_) => "on the host",
        }
    }

    /// It has an idea of the time that nobody but the application gives it.
    pub(super) fn is_told_the_time(&self) -> bool {
        matches!(self, Self::Nwp | Self::Cc32xx)
    }

    /// A pin holds it in reset, and it has no power key.
    pub(super) fn has_reset_pin(&self) -> bool {
        matches!(self, Self::Nwp | Self::Cc32xx)
    }

    /// How its command begins that sends payload; `None` where payload goes in frames, which are no commands.
    pub(super) fn send(&self) -> Option<&'static [u8]> {
        Some(match self {
            Self::Bg96 => b"AT+QSSLSEND=",
            Self::Nrf9160(_) => b"AT#XSEND",
            Self::Ublox(_) => b"AT+USOWR=",
            // The number of the command, little endian.
            Self::Nwp => b"\x0c\x94",
            Self::Cc32xx => b"AT+Send=",
            Self::ShortRange(_) | Self::Ppp(_) => return None,
        })
    }

    /// Switched off, or where it has no switch just supplied, and without any idea of the time.
    pub(super) fn simulator(
        &self,
        surroundings: Surroundings,
        network: Rc<LoopbackNetwork>,
    ) -> Simulator {
        let baud = Some(BAUD);
        let turnaround = Duration::from_millis(TURNAROUND_MS);
        let network_time = surroundings.time.then(OffsetDateTime::now_utc);
        let registration_delay = surroundings.registration_delay();
        match self {
            Self::Bg96 => {
                let options = Options {
                    baud,
                    turnaround,
                    boot: Boot::Off,
                    network_time,
                    registration_delay,
                    sim: surroundings.sim,
                    pdp_refusal: surroundings.pdp_refusal,
                    ..Options::default()
                };
                Simulator::bg96(options, network)
            }
            Self::Nrf9160(profile) => {
                let options = Nrf9160Options {
                    profile: *profile,
                    baud,
                    turnaround,
                    boot: Boot::Booting,
                    network_time,
                    registration_delay,
                    sim: surroundings.sim,
                    checks_dates: surroundings.checks_dates,
                    ..Nrf9160Options::default()
                };
                Simulator::nrf9160(options, network)
            }
            Self::Ublox(profile) | Self::Ppp(Link::Cellular(profile)) => {
                let options = UbloxOptions {
                    profile: *profile,
                    baud,
                    turnaround,
                    boot: Boot::Booting,
                    network_time,
                    registration_delay,
                    sim: surroundings.sim,
                    refuses_data: surroundings.pdp_refusal.is_some(),
                    ..UbloxOptions::default()
                };
                Simulator::ublox(options, network)
            }
            Self::ShortRange(_) | Self::Ppp(Link::ShortRange) => {
                let profile = match self {
                    Self::ShortRange(profile) => profile,
                    _ => &ShortRangeProfile::ODIN,
                };
                let mut options = ShortRangeOptions {
                    profile: *profile,
                    baud,
                    turnaround,
                    boot: Boot::Booting,
                    network_time,
                    ..ShortRangeOptions::default()
                };
                if !surroundings.coverage {
                    options.access_point = None;
                }
                Simulator::short_range(options, network)
            }
            Self::Cc32xx => {
                let options = Cc32xxOptions {
                    ssid: WIFI.ssid().into(),
                    key: WIFI.key().expose().as_str().into(),
                    baud,
                    command_time: turnaround,
                    ..Cc32xxOptions::default()
                };
                let modem = Simulator::cc32xx(options, network);
                modem.set_registered(surroundings.coverage);
                modem
            }
            Self::Nwp => {
                let options = NwpOptions {
                    ssid: WIFI.ssid().into(),
                    key: WIFI.key().expose().as_str().into(),
                    baud,
                    turnaround,
                    ..NwpOptions::default()
                };
                let modem = Simulator::nwp(options, network);
                modem.set_registered(surroundings.coverage);
                modem
            }
        }
    }
}
