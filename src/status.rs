//! The status of a modem and its network, in the terms that are common to all modems.

use core::fmt;

#[cfg(feature = "sleep")]
use embassy_time::Duration;
use heapless::String;

use crate::capabilities::Capabilities;
use crate::clock::DateTime;
use crate::engine::Counters;
#[cfg(feature = "sleep")]
use crate::engine::{NEVER, NO_PIN};
use crate::error::BringUpError;
use crate::wifi::Association;

/// The status of a modem, from [`Control::status`](crate::Control::status). A field that the modem does not report, or
/// refused to report, is `None`; the others are not affected.
///
/// No field identifies the subscriber; [`Control::sim`](crate::Control::sim) reads those numbers. The IMEI identifies the
/// device.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Status {
    /// The reason why the modem is not on the network now; `None` while it is up. With some reasons the modem still
    /// answers, and the other fields are filled in.
    pub problem: Option<BringUpError>,
    /// The manufacturer.
    pub manufacturer: Option<String<24>>,
    /// The model.
    pub model: Option<String<24>>,
    /// The firmware's full version.
    pub firmware: Option<String<48>>,
    /// The IMEI, the number of the device, 15 digits.
    pub imei: Option<String<16>>,
    /// The state of the SIM.
    pub sim: Option<SimState>,
    /// The registration on the network.
    pub registration: Option<Registration>,
    /// The operator's name, or its numeric code (MCC and MNC) where the modem shows that.
    pub operator: Option<String<32>>,
    /// The radio technology in use.
    pub technology: Option<Technology>,
    /// The band in use, in the modem's words.
    pub band: Option<String<24>>,
    /// The strength of the radio signal.
    pub signal: Signal,
    /// The Wi-Fi network that the modem has joined.
    pub wifi: Option<Association>,
    /// The modem's clock in UTC; `None` also where it shows no valid date.
    pub clock: Option<DateTime>,
    /// The IP address of the data connection; `None` also without one.
    pub address: Option<String<40>>,
    /// The modem's capabilities, as far as its firmware is known.
    pub capabilities: Capabilities,
    /// The number of sockets in use, with those that are being closed.
    pub sockets_open: u8,
    /// The most sockets at a time: the number of sockets of the [`State`](crate::State), which is never above the number
    /// of the modem's TLS contexts.
    pub sockets_limit: u8,
    /// The counters of the traffic with the modem since the start.
    pub counters: Counters,
    /// The supervision of a modem that sleeps while it is idle; `None` without a [`NoticePin`](crate::NoticePin).
    #[cfg(feature = "sleep")]
    pub light_sleep: Option<LightSleep>,
}

impl Status {
    /// Makes a status with these fields and nothing else known.
    pub const fn new(capabilities: Capabilities, counters: Counters) -> Self {
        Self {
            problem: None,
            manufacturer: None,
            model: None,
            firmware: None,
            imei: None,
            sim: None,
            registration: None,
            operator: None,
            technology: None,
            band: None,
            signal: Signal {
                rssi: None,
                rsrp: None,
                rsrq: None,
                sinr: None,
            },
            wifi: None,
            clock: None,
            address: None,
            capabilities,
            sockets_open: 0,
            sockets_limit: 0,
            counters,
            #[cfg(feature = "sleep")]
            light_sleep: None,
        }
    }
}

/// The supervision of a modem with a [`NoticePin`](crate::NoticePin) while it sleeps. `Display` says which faults are
/// noticed late.
#[cfg(feature = "sleep")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct LightSleep {
    /// The time after which a sleeping modem is woken and asked for a sign of life; `None` where it never is.
    pub liveness: Option<Duration>,
}

#[cfg(feature = "sleep")]
impl LightSleep {
    pub(crate) fn of(liveness: u32) -> Option<Self> {
        let liveness = match liveness {
            NO_PIN => return None,
            NEVER => None,
            span => Some(Duration::from_millis(span.into())),
        };
        Some(Self { liveness })
    }
}

#[cfg(feature = "sleep")]
impl fmt::Display for LightSleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.liveness {
            Some(span) => write!(
                f,
                "asleep while idle, woken by its pin and every {} s: a reset that the pin does not tell is seen by then",
                span.as_millis().div_ceil(1000)
            ),
            None => f.write_str(
                "asleep while idle, woken by its pin alone: a reset that the pin does not tell is seen at the next use only",
            ),
        }
    }
}

/// The strength of the radio signal. The fields that are known depend on the technology: GSM and Wi-Fi have only the
/// first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Signal {
    /// Received power over the whole channel, in dBm. Below -105 is poor; for Wi-Fi, below -80.
    pub rssi: Option<i16>,
    /// Reference signal received power, in dBm (LTE). Below -115 is poor.
    pub rsrp: Option<i16>,
    /// Reference signal received quality, in dB (LTE).
    pub rsrq: Option<i16>,
    /// Signal to interference and noise, in dB, rounded down (LTE).
    pub sinr: Option<i16>,
}

/// The registration of the modem on the network, by 3GPP's `<stat>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Registration {
    /// Not registered, and not looking for a network.
    NotSearching,
    /// Registered with the SIM's own operator.
    Home,
    /// Looking for a network.
    Searching,
    /// A network was found and refused this SIM or device.
    Denied,
    /// The modem reports that it does not know.
    Unknown,
    /// Registered with another operator.
    Roaming,
}

impl Registration {
    /// Converts `<stat>` of `+CREG`, `+CGREG` or `+CEREG`.
    pub const fn from_stat(stat: u8) -> Self {
        match stat {
            0 => Self::NotSearching,
            1 => Self::Home,
            2 => Self::Searching,
            3 => Self::Denied,
            5 => Self::Roaming,
            _ => Self::Unknown,
        }
    }

    /// Returns whether the modem is registered, at home or roaming.
    pub const fn is_registered(self) -> bool {
        matches!(self, Self::Home | Self::Roaming)
    }
}

impl fmt::Display for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotSearching => "not searching",
            Self::Home => "home network",
            Self::Searching => "searching",
            Self::Denied => "denied",
            Self::Unknown => "unknown",
            Self::Roaming => "roaming",
        })
    }
}

/// A radio technology.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Technology {
    /// LTE category M1 (LTE-M).
    CatM1,
    /// LTE category NB1 (NB-IoT).
    CatNb1,
    /// 2G, with GPRS or EDGE.
    Gsm,
    /// LTE of category 1 and up.
    Lte,
    /// 3G.
    Umts,
}

impl fmt::Display for Technology {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CatM1 => "LTE Cat M1",
            Self::CatNb1 => "LTE Cat NB1",
            Self::Gsm => "GSM",
            Self::Lte => "LTE",
            Self::Umts => "UMTS",
        })
    }
}

/// The state of the SIM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum SimState {
    /// The modem is locked to another operator's SIMs.
    Foreign,
    /// No SIM is inserted.
    Missing,
    /// The SIM was not read yet, or cannot be read.
    NotReady,
    /// The SIM needs its PIN.
    Pin,
    /// The SIM needs its PUK, after too many wrong PINs.
    Puk,
    /// The SIM may be used.
    Ready,
}

impl fmt::Display for SimState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Foreign => "modem locked to another operator",
            Self::Missing => "missing",
            Self::NotReady => "not ready",
            Self::Pin => "PIN needed",
            Self::Puk => "PUK needed",
            Self::Ready => "ready",
        })
    }
}

/// The numbers of the SIM, from [`Control::sim`](crate::Control::sim). They identify the subscriber: treat them as
/// personal data. `Debug` shows none of them.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SimCard {
    /// The ICCID, the number of the card, 19 or 20 digits.
    pub iccid: Option<String<22>>,
    /// The IMSI, the number of the subscriber, up to 15 digits.
    pub imsi: Option<String<16>>,
}

impl SimCard {
    /// The value in which nothing is known.
    pub const UNKNOWN: Self = Self {
        iccid: None,
        imsi: None,
    };
}

impl fmt::Debug for SimCard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SimCard(..)")
    }
}
