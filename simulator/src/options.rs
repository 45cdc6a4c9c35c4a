//! What a test or the demo can choose about the simulated unit and its surroundings.

use embassy_time::Duration;
use time::OffsetDateTime;

use crate::profile::Profile;

/// How the bytes towards the host are cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Chunk {
    /// Everything that waits goes out in one write.
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

/// The SIM as the modem finds it at boot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Sim {
    /// No PIN asked for.
    #[default]
    Ready,
    /// This PIN must be entered after every boot.
    PinRequired(String),
    /// All tries are used up: only the PUK helps.
    PukRequired,
    /// Of another operator than the one the modem is locked to.
    Foreign,
    /// Empty holder.
    Missing,
}

/// When the result of an open is printed. A real modem does either, depending on how fast the network is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenResultTiming {
    /// `OK` and `+QSSLOPEN:` leave in one burst, once the connection stands or failed.
    WithOk,
    /// `OK` at once; the result when it is known, but no sooner than this.
    Delayed(Duration),
}

/// What an earlier life of the host, or another host, left of the data connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PdpLeft {
    /// The network took context 1 and said so to a host that did not live to deactivate it: nothing lists it, and it
    /// can be neither set up nor activated before that is done.
    Lost,
    /// Context 1 is up, and `AT+QIACT?` does not list it.
    Hidden,
    /// As lost, and `AT+QIDEACT` fails as well: only a restart of the modem helps.
    Stuck,
    /// Three other contexts are up, which is as many as there can be.
    Others,
}

/// Whether the modem is on when the host first attaches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Boot {
    /// On since long ago: no banner will ever come by itself.
    #[default]
    AlreadyOn,
    /// Off, until [`Simulator::power_key`](crate::Simulator::power_key) is held long enough.
    Off,
    /// Power key was released at the moment of creation: the banner comes after [`Options::boot_time`].
    Booting,
}

/// Everything adjustable. `Default` is a unit that is on, registered and unpaced, with factory settings and no idea of the date.
#[derive(Clone, Debug)]
pub struct Options {
    /// Firmware behaviour.
    pub profile: Profile,
    /// Line rate of the port in both directions (10 bits a byte); `None`: as fast as the host reads and writes.
    pub baud: Option<u32>,
    /// Delay before each command is answered.
    pub turnaround: Duration,
    /// How output is cut.
    pub chunk: Chunk,
    /// Seed of every random choice.
    pub seed: u64,
    /// UTC that the modem's clock shows at creation; `None`: never set.
    pub clock: Option<OffsetDateTime>,
    /// UTC that the network knows at creation (NITZ and NTP); `None`: the network tells no time.
    pub network_time: Option<OffsetDateTime>,
    /// The network's zone in quarter hours, as NITZ reports it.
    pub network_zone: i8,
    /// From a ready SIM to registration; also applies at creation.
    pub registration_delay: Duration,
    /// The SIM.
    pub sim: Sim,
    /// From `RDY` to a SIM that answers (`+CME ERROR: 14` until then); does not apply when already on.
    pub sim_init: Duration,
    /// The unit lost its calibration and identity, as one did that was flashed again (sheet T3): it does not know its
    /// IMEI and cannot switch its radio on.
    pub lost_nv: bool,
    /// PDP context 1 is already up, as after an MCU-only reset.
    pub pdp_active: bool,
    /// The data connections are not as they should be, as after an MCU-only reset at a bad moment.
    pub pdp_left: Option<PdpLeft>,
    /// The network refuses every context: `AT+QIACT` answers `ERROR`, and `AT+QIGETERROR` this number.
    pub pdp_refusal: Option<u16>,
    /// How long `AT+QIACT` blocks.
    pub activation_delay: Duration,
    /// On, off or booting.
    pub boot: Boot,
    /// From the end of the power key pulse to `RDY`.
    pub boot_time: Duration,
    /// From a reset to `RDY`.
    pub reset_time: Duration,
    /// When open results are printed.
    pub open_result_timing: OpenResultTiming,
    /// URCs also come between a command and its answer, and between information lines and `OK` (never inside payload).
    pub urc_inside_responses: bool,
    /// The peer never acknowledges a FIN: every close blocks for its whole timeout.
    pub silent_close: bool,
    /// Most TLS sockets at a time.
    pub tls_limit: usize,
    /// Bytes of unread payload at which a socket stops reading from its peer.
    pub receive_buffer: usize,
    /// Bytes of unsent payload above which a send answers `SEND FAIL`.
    pub send_buffer: usize,
    /// Size of the file system in bytes.
    pub flash: usize,
    /// From the last byte of an upload to `+QFUPL:` (sheet 3: it may come late).
    pub upload_result_delay: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            profile: Profile::BG96_LATER,
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
