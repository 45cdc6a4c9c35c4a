//! What a modem says of itself and its surroundings, in words that fit every modem.

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

/// What [`Control::status`](crate::Control::status) found. What this modem cannot tell, or refused to
/// tell just now, is `None`: one refused question does not lose the others.
///
/// Nothing in it names the subscriber; that is asked for separately, with
/// [`Control::sim`](crate::Control::sim). The IMEI names the device.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Status {
    /// Why the modem is not on the network now. With some of these it still answers, and the rest of
    /// the status tells more.
    pub problem: Option<BringUpError>,
    /// Who made it.
    pub manufacturer: Option<String<24>>,
    /// Which model.
    pub model: Option<String<24>>,
    /// The firmware's full version.
    pub firmware: Option<String<48>>,
    /// The device's number, 15 digits.
    pub imei: Option<String<16>>,
    /// Whether the SIM may be used.
    pub sim: Option<SimState>,
    /// Whether and where it is registered.
    pub registration: Option<Registration>,
    /// The operator's name, or its numeric code (MCC and MNC) where the modem shows that.
    pub operator: Option<String<32>>,
    /// The radio technology in use.
    pub technology: Option<Technology>,
    /// The band in use, in the modem's words.
    pub band: Option<String<24>>,
    /// How well the network is received.
    pub signal: Signal,
    /// The Wi-Fi network that it has joined.
    pub wifi: Option<Association>,
    /// The modem's clock; `None` also when it shows no date that exists.
    pub clock: Option<DateTime>,
    /// The address of the data connection; `None` also without one.
    pub address: Option<String<40>>,
    /// What it has and can, as far as this firmware is known.
    pub capabilities: Capabilities,
    /// Sockets in use, also those that are being closed.
    pub sockets_open: u8,
    /// The most sockets at a time: as many as there is memory for, see [`State`](crate::State). It is never more than the
    /// modem has TLS contexts.
    pub sockets_limit: u8,
    /// Exchanges, bytes, restarts and what was dropped, since the start.
    pub counters: Counters,
    /// The modem is let sleep while nothing is to do, and woken by its pin; `None` without a
    /// [`NoticePin`](crate::NoticePin).
    #[cfg(feature = "sleep")]
    pub light_sleep: Option<LightSleep>,
}

impl Status {
    /// Nothing known yet but these.
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

/// How a modem with a [`NoticePin`](crate::NoticePin) is watched over while it sleeps. Shown, it says what is
/// not seen meanwhile.
#[cfg(feature = "sleep")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct LightSleep {
    /// After so long it is woken and asked for a sign of life; `None`: never.
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

/// How well the network is received. Which figures there are depends on the technology: GSM has only
/// the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Signal {
    /// Received power over the whole channel, in dBm. Below -105 is poor, of Wi-Fi below -80.
    pub rssi: Option<i16>,
    /// Reference signal received power, in dBm (LTE). Below -115 is poor.
    pub rsrp: Option<i16>,
    /// Reference signal received quality, in dB (LTE).
    pub rsrq: Option<i16>,
    /// Signal to interference and noise, in dB, rounded down (LTE).
    pub sinr: Option<i16>,
}

/// Whether and where the modem is registered, as 3GPP numbers it.
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
    /// The modem does not know.
    Unknown,
    /// Registered with another operator.
    Roaming,
}

impl Registration {
    /// From `<stat>` of `+CREG`, `+CGREG` or `+CEREG`.
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

    /// Home or roaming.
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

/// Whether a SIM may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum SimState {
    /// The modem is locked to another operator's SIMs.
    Foreign,
    /// Not there.
    Missing,
    /// Not read yet, or not readable.
    NotReady,
    /// It wants its PIN.
    Pin,
    /// Too many wrong PINs: it wants its PUK.
    Puk,
    /// It may be used.
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

/// What [`Control::sim`](crate::Control::sim) found. These numbers name the subscriber: treat them as
/// personal data. `Debug` shows none of them.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SimCard {
    /// The card's number, 19 or 20 digits.
    pub iccid: Option<String<22>>,
    /// The subscriber's number, up to 15 digits.
    pub imsi: Option<String<16>>,
}

impl SimCard {
    /// Nothing known.
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
