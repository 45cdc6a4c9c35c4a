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
