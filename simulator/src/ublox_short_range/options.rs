//! The settings of a simulated short-range module, and of facts that the sheet leaves open.

use embassy_time::Duration;

use time::OffsetDateTime;

use crate::options::{Boot, Chunk};
use crate::ppp::PppFarEnd;

/// A model with its software, as far as models differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShortRangeProfile {
    /// The name in the tools.
    pub name: &'static str,
    /// The answer to `AT+GMM`.
    pub model: &'static str,
    /// The answer to `ATI9`.
    pub versions: &'static str,
    /// Whether PPP mode exists (sheet A.0).
    pub ppp: bool,
    /// Whether `+UWCFG` has tags 24 and 25 (sheet A.0).
    pub tls_versions: bool,
    /// The most links that `+UDCFG=2` takes; `None` if the tag does not exist (sheet A.4.2).
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
    /// A NINA-W13 with software 2.1.0 (sheet E.2), which has nothing that the sheet knows only of later
    /// software.
    pub const NINA: Self = Self {
        name: "nina",
        model: "NINA-W132",
        versions: "\"2.1.0-017\",\"NINA-W13X-2.1.0-017-0-g253211b6\"",
        ppp: false,
        tls_versions: false,
        links: None,
    };
    /// All profiles.
    pub const ALL: [Self; 2] = [Self::ODIN, Self::NINA];

    /// Returns the profile of this name.
    ///
    /// # Errors
    /// A text for the user that lists the names, if there is no such profile.
    pub fn named(name: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|profile| profile.name == name);
        known.ok_or_else(|| "there are odin and nina".into())
    }
}

/// The mode of the UART.
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

/// An access point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessPoint {
    /// The name of its network.
    pub ssid: String,
    /// The passphrase of its network; empty if it is open.
    pub passphrase: String,
    /// Whether it assigns addresses.
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

/// The settings of a simulated short-range module. The default is an ODIN-W2 that is on, in command
/// mode, near its access point.
#[derive(Clone, Debug)]
pub struct ShortRangeOptions {
    /// The model and its software.
    pub profile: ShortRangeProfile,
    /// Line rate of the port. `None` is as fast as the host reads and writes.
    pub baud: Option<u32>,
    /// Delay before each command is answered.
    pub turnaround: Duration,
    /// How output is cut.
    pub chunk: Chunk,
    /// Seed of every random choice.
    pub seed: u64,
    /// Whether the module is on or booting; it has no power key.
    pub boot: Boot,
    /// The time from a reset to `+STARTUP`.
    pub boot_time: Duration,
    /// The mode at creation, and after a reset.
    pub mode: Mode,
    /// The start mode that `+UMSM` reports.
    pub start_mode: Mode,
    /// The access point in reach, if there is one.
    pub access_point: Option<AccessPoint>,
    /// The time from the activation to `+UUWLE` (sheet A.2.4).
    pub link_delay: Duration,
    /// The time from `+UUWLE` to `+UUNU`.
    pub address_delay: Duration,
    /// Whether the start event comes before the `OK` of `ATO2` (sheet A.1.3).
    pub starts_before_ok: bool,
    /// Whether `ATO2` is answered only by the start event, without an `OK` (sheet A.1.3).
    pub no_ok: bool,
    /// Whether frames report the begin and end of a connection before URCs do (sheet A.5).
    pub frames_first: bool,
    /// Whether the answer to `+UDCP` comes behind the URC of the connection.
    pub late_answer: bool,
    /// The size of the frames into which answers are cut, in bytes (sheet A.5).
    pub answer_cut: usize,
    /// The most data in one frame, in bytes.
    pub data_unit: usize,
    /// Whether certificates are checked against the name in the URL. UNCONFIRMED (sheet A.4.2): by
    /// default not.
    pub checks_name: bool,
    /// Whether SNI is sent. UNCONFIRMED (sheet A.4.2): by default not.
    pub sends_sni: bool,
    /// Whether the reported MD5 is of another form than the bytes that were sent (sheet A.4.1).
    pub other_form: bool,
    /// The number of handles that were given out before creation; the next one is one higher.
    pub first_handle: u32,
    /// The far end of PPP.
    pub ppp: PppFarEnd,
    /// The UTC that the network sends by SNTP at creation. `None` is a network without a time server.
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
