//! What a test or the host tool can choose about the simulated module, and what the sheet leaves open.

use embassy_time::Duration;

use time::OffsetDateTime;

use crate::options::{Boot, Chunk};
use crate::ppp::PppFarEnd;

/// A model with its software, as far as they differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShortRangeProfile {
    /// As the tools name it.
    pub name: &'static str,
    /// `AT+GMM`.
    pub model: &'static str,
    /// `ATI9`.
    pub versions: &'static str,
    /// PPP mode exists (sheet A.0).
    pub ppp: bool,
    /// `+UWCFG` has tags 24 and 25 (sheet A.0).
    pub tls_versions: bool,
    /// The most links that `+UDCFG=2` takes; `None` where it does not know the tag (sheet A.4.2).
    pub links: Option<usize>,
}

impl ShortRangeProfile {
    /// An ODIN-W2 with software 7.1.0.
    pub const ODIN: Self = Self {
        name: "odin",
        model: "ODIN-W2",
        versions: "\"7.1.0-063\",\"ODIN-W2X-7.1.0-063-0-gfb9b8bf3\"",
        ppp: true,
        tls_versions: true,
        links: Some(8),
    };
    /// A NINA-W13 with software 2.1.0 (sheet E.2), which has none of what the sheet knows of later software only.
    pub const NINA: Self = Self {
        name: "nina",
        model: "NINA-W132",
        versions: "\"2.1.0-017\",\"NINA-W13X-2.1.0-017-0-g253211b6\"",
        ppp: false,
        tls_versions: false,
        links: None,
    };
    /// All there are.
    pub const ALL: [Self; 2] = [Self::ODIN, Self::NINA];

    /// The one of this name.
    ///
    /// # Errors
    /// The names that there are.
    pub fn named(name: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|profile| profile.name == name);
        known.ok_or_else(|| "there are odin and nina".into())
    }
}

/// What carries text towards the host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// AT commands in plain text.
    #[default]
    Command,
    /// Raw bytes, to and from all peers.
    Data,
    /// Extended data mode.
    Frames,
    /// PPP.
    Ppp,
}

/// The access point that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessPoint {
    /// Its name.
    pub ssid: String,
    /// Its passphrase, empty where it is open.
    pub passphrase: String,
    /// It gives addresses.
    pub dhcp: bool,
}

impl Default for AccessPoint {
    fn default() -> Self {
        Self {
            ssid: "workshop".into(),
            passphrase: "correct horse battery".into(),
            dhcp: true,
        }
    }
}

/// Everything adjustable. `Default` is an ODIN-W2 that is on, in command mode, near the access point.
#[derive(Clone, Debug)]
pub struct ShortRangeOptions {
    /// Model and software.
    pub profile: ShortRangeProfile,
    /// Line rate of the port; `None`: as fast as the host reads and writes.
    pub baud: Option<u32>,
    /// Delay before each command is answered.
    pub turnaround: Duration,
    /// How output is cut.
    pub chunk: Chunk,
    /// Seed of every random choice.
    pub seed: u64,
    /// On or booting; it has no power key.
    pub boot: Boot,
    /// From a reset to `+STARTUP`.
    pub boot_time: Duration,
    /// The mode that it is in at creation, and after a reset.
    pub mode: Mode,
    /// `+UMSM`.
    pub start_mode: Mode,
    /// The access point near it.
    pub access_point: Option<AccessPoint>,
    /// From the activation to `+UUWLE` (sheet A.2.4).
    pub link_delay: Duration,
    /// From there to `+UUNU`.
    pub address_delay: Duration,
    /// The start event comes before the `OK` of `ATO2` (sheet A.1.3).
    pub starts_before_ok: bool,
    /// There is no `OK` to `ATO2` but the start event (sheet A.1.3).
    pub no_ok: bool,
    /// Frames tell of a connection before URCs do, and of its end (sheet A.5).
    pub frames_first: bool,
    /// The answer to `+UDCP` comes behind the URC of the connection.
    pub late_answer: bool,
    /// Answers are cut into frames of so many bytes (sheet A.5).
    pub answer_cut: usize,
    /// The most data in one frame.
    pub data_unit: usize,
    /// Certificates are checked against the name in the URL. UNCONFIRMED (sheet A.4.2): so it does not.
    pub checks_name: bool,
    /// The name is sent in the handshake. UNCONFIRMED, likewise.
    pub sends_sni: bool,
    /// The MD5 that is told is of another form than what was sent (sheet A.4.1).
    pub other_form: bool,
    /// How many handles were given out before.
    pub first_handle: u32,
    /// What is at the far end of PPP.
    pub ppp: PppFarEnd,
    /// UTC that the network tells by SNTP at creation; `None`: nobody answers.
    pub network_time: Option<OffsetDateTime>,
}

impl Default for ShortRangeOptions {
    fn default() -> Self {
        Self {
            profile: ShortRangeProfile::ODIN,
            baud: None,
            turnaround: Duration::from_ticks(0),
            chunk: Chunk::Whole,
            seed: 1,
            boot: Boot::AlreadyOn,
            boot_time: Duration::from_millis(1000),
            mode: Mode::Command,
            start_mode: Mode::Command,
            access_point: Some(AccessPoint::default()),
            link_delay: Duration::from_millis(2300),
            address_delay: Duration::from_millis(1700),
            starts_before_ok: false,
            no_ok: false,
            frames_first: false,
            late_answer: false,
            answer_cut: usize::MAX,
            data_unit: 2048,
            checks_name: false,
            sends_sni: false,
            other_form: false,
            first_handle: 0,
            ppp: PppFarEnd::Slirp,
            network_time: Some(OffsetDateTime::now_utc()),
        }
    }
}
