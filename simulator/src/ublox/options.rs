//! The settings of a simulated u-blox cellular module.

use embassy_time::Duration;
use time::OffsetDateTime;

use super::dial::DialTrouble;
use super::profile::UbloxProfile;
use crate::options::{Boot, Chunk, Sim};
use crate::ppp::PppFarEnd;

/// The settings of a simulated u-blox cellular module. The default is a SARA-R5 that is on, registered
/// and unpaced, with factory settings and a clock that is not set until the network sends the time.
#[derive(Clone, Debug)]
pub struct UbloxOptions {
    /// The model.
    pub profile: UbloxProfile,
    /// Line rate of the port in both directions. `None` is as fast as the host reads and writes.
    pub baud: Option<u32>,
    /// Delay before each command is answered.
    pub turnaround: Duration,
    /// How output is cut.
    pub chunk: Chunk,
    /// Seed of every random choice.
    pub seed: u64,
    /// The UTC that the module's clock shows at creation. `None` is 1980, until the network sends the
    /// time.
    pub clock: Option<OffsetDateTime>,
    /// The UTC that the network knows at creation. `None` is a network that sends no time.
    pub network_time: Option<OffsetDateTime>,
    /// The time from a ready SIM to registration.
    pub registration_delay: Duration,
    /// The time from `+UPSDA` to `+UUPSDA`.
    pub activation_delay: Duration,
    /// Whether the network refuses every data connection.
    pub refuses_data: bool,
    /// The SIM.
    pub sim: Sim,
    /// The power state at creation.
    pub boot: Boot,
    /// The time from power-on or reset to the first answer.
    pub boot_time: Duration,
    /// Whether the server's name is also compared with alternative names. UNCONFIRMED on every model.
    pub looks_at_alternatives: bool,
    /// Whether imports echo their payload although echo is off (sheet B.2.1).
    pub echoes_imports: bool,
    /// Whether imports are not parsed, so that content that is not PEM is kept as it is.
    pub takes_anything: bool,
    /// Whether the reported MD5 is not that of the DER form.
    pub other_md5: bool,
    /// Whether the list of credentials has the common name and the end of certificates (sheet B.2.1: not on all
    /// models).
    pub lists_ends: bool,
    /// Whether hex mode is on from an earlier life (SARA-R5-01B remembers it).
    pub hex_mode: bool,
    /// Whether a command that comes too soon behind a result is lost.
    pub strict_gap: bool,
    /// The number of unread bytes at which a socket stops reading from its peer.
    pub receive_buffer: usize,
    /// The number of unsent bytes that a socket holds. A longer write is taken in part, or refused.
    pub send_buffer: usize,
    /// The most TLS sockets at a time.
    pub tls_limit: usize,
    /// The far end of PPP.
    pub ppp: PppFarEnd,
    /// The trouble of dials, and the remedy that ends it.
    pub dial_trouble: DialTrouble,
}

impl Default for UbloxOptions {
    fn default() -> Self {
        Self {
            profile: UbloxProfile::SARA_R5,
            baud: None,
            turnaround: Duration::from_ticks(0),
            chunk: Chunk::Whole,
            seed: 1,
            clock: None,
            network_time: Some(OffsetDateTime::now_utc()),
            registration_delay: Duration::from_ticks(0),
            activation_delay: Duration::from_millis(300),
            refuses_data: false,
            sim: Sim::Ready,
            boot: Boot::AlreadyOn,
            boot_time: Duration::from_millis(3000),
            looks_at_alternatives: false,
            echoes_imports: false,
            takes_anything: false,
            other_md5: false,
            lists_ends: false,
            hex_mode: false,
            strict_gap: true,
            receive_buffer: 8192,
            send_buffer: 8192,
            tls_limit: 4,
            ppp: PppFarEnd::Slirp,
            dial_trouble: DialTrouble::None,
        }
    }
}
