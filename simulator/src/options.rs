//! The settings of a simulated BG96 and of its surroundings.

use embassy_time::Duration;
use time::OffsetDateTime;

use crate::profile::Profile;

/// The form in which bytes towards the host are cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Chunk {
    /// Everything that waits is sent in one write.
    #[default]
    Whole,
    /// Pieces of this many bytes (the last may be shorter).
    Bytes(usize),
    /// Pieces of 1 to `max` bytes, drawn from [`Options::seed`].
    Random {
        /// Largest piece.
        max: usize,
    },
}

/// The state of the SIM at boot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Sim {
    /// The SIM asks for no PIN.
    #[default]
    Ready,
    /// This PIN has to be entered after every boot.
    PinRequired(String),
    /// All tries of the PIN are used up; only the PUK helps.
    PukRequired,
    /// The SIM is of another operator than the one to which the modem is locked.
    Foreign,
    /// There is no SIM.
    Missing,
}

/// The time at which the result of an open is printed. A real modem does either, depending on the
/// network's speed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenResultTiming {
    /// `OK` and `+QSSLOPEN:` are sent in one burst, once the connection stands or has failed.
    WithOk,
    /// `OK` is sent at once, and the result when it is known, but no sooner than this.
    Delayed(Duration),
}

/// The state in which an earlier life of the host, or another host, has left the data connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PdpLeft {
    /// The network has deactivated context 1 and reported it, but the host did not deactivate it. It is
    /// not listed, and can neither be set up nor activated until it is deactivated.
    Lost,
    /// Context 1 is active, but `AT+QIACT?` does not list it.
    Hidden,
    /// Like `Lost`, but `AT+QIDEACT` fails as well; only a restart of the modem helps.
    Stuck,
    /// Three other contexts are active, which is the most that there can be.
    Others,
}

/// The power state of the modem when the host first attaches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Boot {
    /// The modem has been on for long, so that no banner comes by itself.
    #[default]
    AlreadyOn,
    /// Off, until [`Simulator::power_key`](crate::Simulator::power_key) is held long enough.
    Off,
    /// The power key was released at the moment of creation; the banner comes after
    /// [`Options::boot_time`].
    Booting,
}

/// A mode that an earlier host has left on in a BG96 (sheet 1.8).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LeftOn {
    /// None.
    #[default]
    Nothing,
    /// The slow clock (`AT+QSCLK=1`), on a board that does not wire DTR: after
    /// [`SLEEPS_AFTER`](crate::SLEEPS_AFTER) without traffic the modem loses the characters that wake it. It is kept over a
    /// restart (UNCONFIRMED).
    SlowClock,
    /// PSM (`AT+CPSMS=1`), which this network grants: 10 s after the last command the modem switches itself off, unless
    /// PSM was switched off before. [`Boot::Off`] is one that has done so already.
    PowerSaving,
    /// The multiplexer of 27.010 (`AT+CMUX=0`): whatever is not in a frame is dropped, and the modem says nothing outside
    /// of frames. A frame to channel 1 may restart it.
    Multiplexer {
        /// Whether the close-down frame ends it (UNCONFIRMED for a BG96).
        closes: bool,
        /// Whether channel 1 takes a restart, as it does once somebody has opened it.
        restarts: bool,
    },
    /// Results as numbers (`ATV0`), in the profile that `AT&W` stores.
    NumericResults,
    /// No results at all (`ATQ1`), in the profile that `AT&W` stores.
    NoResults,
    /// This speed in baud (`AT+IPR`), in the profile that `AT&W` stores. What comes at another is noise, if
    /// [`Simulator::set_host_rate`](crate::Simulator::set_host_rate) tells the host's.
    Speed(u32),
}

impl LeftOn {
    /// The names that [`named`](Self::named) knows. A speed has none, since a port of a computer does not tell its own.
    pub const NAMES: [(&str, Self); 6] = [
        ("slow-clock", Self::SlowClock),
        ("psm", Self::PowerSaving),
        (
            "cmux",
            Self::Multiplexer {
                closes: true,
                restarts: true,
            },
        ),
        (
            "cmux-stuck",
            Self::Multiplexer {
                closes: false,
                restarts: false,
            },
        ),
        ("atv0", Self::NumericResults),
        ("atq1", Self::NoResults),
    ];

    /// Returns the mode of this name.
    ///
    /// # Errors
    /// A text for the user, if there is none.
    pub fn named(name: &str) -> Result<Self, String> {
        let found = Self::NAMES.iter().find(|(known, _)| *known == name);
        found.map(|(_, mode)| *mode).ok_or_else(|| {
            let known = Self::NAMES.map(|(known, _)| known).join(", ");
            format!("there is no mode {name:?}; there are {known}")
        })
    }
}

/// The settings of a simulated BG96. The default is a unit that is on, registered and unpaced, with
/// factory settings and a clock that was never set.
#[derive(Clone, Debug)]
pub struct Options {
    /// Firmware behaviour.
    pub profile: Profile,
    /// Line rate of the port in both directions (10 bits a byte). `None` is as fast as the host reads
    /// and writes.
    pub baud: Option<u32>,
    /// Delay before each command is answered.
    pub turnaround: Duration,
    /// How output is cut.
    pub chunk: Chunk,
    /// Seed of every random choice.
    pub seed: u64,
    /// The UTC that the modem's clock shows at creation. `None` is a clock that was never set.
    pub clock: Option<OffsetDateTime>,
    /// The UTC that the network knows at creation (NITZ and NTP). `None` is a network that sends no
    /// time.
    pub network_time: Option<OffsetDateTime>,
    /// The network's zone in quarter hours, as NITZ reports it.
    pub network_zone: i8,
    /// The time from a ready SIM to registration; it also applies at creation.
    pub registration_delay: Duration,
    /// The SIM.
    pub sim: Sim,
    /// The time from `RDY` to a SIM that answers (`+CME ERROR: 14` until then); it does not apply to a
    /// unit that is on already.
    pub sim_init: Duration,
    /// The unit has lost its calibration and identity, as one did that was flashed again (sheet T3): it
    /// has no IMEI and cannot switch its radio on.
    pub lost_nv: bool,
    /// PDP context 1 is active at creation, as after a reset of the MCU alone.
    pub pdp_active: bool,
    /// The state of the data connections after a reset of the MCU alone at a bad moment.
    pub pdp_left: Option<PdpLeft>,
    /// The network refuses every context: `AT+QIACT` answers `ERROR`, and `AT+QIGETERROR` returns this
    /// number.
    pub pdp_refusal: Option<u16>,
    /// How long `AT+QIACT` blocks.
    pub activation_delay: Duration,
    /// The mode that an earlier host has left on.
    pub left_on: LeftOn,
    /// The power state at creation.
    pub boot: Boot,
    /// The time from the end of the power key pulse to `RDY`.
    pub boot_time: Duration,
    /// The time from a reset to `RDY`.
    pub reset_time: Duration,
    /// The time at which open results are printed.
    pub open_result_timing: OpenResultTiming,
    /// Whether URCs also come between a command and its answer, and between information lines and `OK`
    /// (never inside payload).
    pub urc_inside_responses: bool,
    /// Whether the peer never acknowledges a FIN, so that every close blocks for its whole timeout.
    pub silent_close: bool,
    /// The most TLS sockets at a time.
    pub tls_limit: usize,
    /// The number of unread bytes at which a socket stops reading from its peer.
    pub receive_buffer: usize,
    /// The number of unsent bytes above which a send answers `SEND FAIL`.
    pub send_buffer: usize,
    /// Size of the file system in bytes.
    pub flash: usize,
    /// The time from the last byte of an upload to `+QFUPL:` (sheet 3: it may come late).
    pub upload_result_delay: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            profile: Profile::BG96,
            baud: None,
            turnaround: Duration::from_ticks(0),
            chunk: Chunk::Whole,
            seed: 1,
            clock: None,
            network_time: Some(OffsetDateTime::now_utc()),
            network_zone: 0,
            registration_delay: Duration::from_ticks(0),
            sim: Sim::Ready,
            sim_init: Duration::from_millis(500),
            lost_nv: false,
            pdp_active: false,
            pdp_left: None,
            pdp_refusal: None,
            // Sheet section 6: 0.71 to 0.83 s on LTE.
            activation_delay: Duration::from_millis(710),
            left_on: LeftOn::Nothing,
            boot: Boot::AlreadyOn,
            // Sheet section 1.1 [HW fig.8].
            boot_time: Duration::from_millis(4900),
            // Sheet T4.
            reset_time: Duration::from_millis(5900),
            open_result_timing: OpenResultTiming::Delayed(Duration::from_ticks(0)),
            urc_inside_responses: false,
            silent_close: false,
            tls_limit: 12,
            receive_buffer: 8192,
            send_buffer: 8192,
            // Sheet section 3, the manual's own example.
            flash: 14_483_456,
            upload_result_delay: Duration::from_ticks(0),
        }
    }
}
