//! What a test or the host tool can choose about the simulated unit.

use embassy_time::Duration;
use time::OffsetDateTime;

use super::dial::DialTrouble;
use super::profile::UbloxProfile;
use crate::options::{Boot, Chunk, Sim};
use crate::ppp::PppFarEnd;

/// Everything adjustable. `Default` is a SARA-R5 that is on, registered and unpaced, with factory settings and no
/// idea of the date until the network tells it.
#[derive(Clone, Debug)]
pub struct UbloxOptions {
    /// Which model.
    pub profile: UbloxProfile,
    /// Line rate of the port in both directions; `None`: as fast as the host reads and writes.
    pub baud: Option<u32>,
    /// Delay before each command is answered.
    pub turnaround: Duration,
    /// How output is cut.
    pub chunk: Chunk,
    /// Seed of every random choice.
    pub seed: u64,
    /// UTC that the modem's clock shows at creation; `None`: 1980, until the network tells the time.
    pub clock: Option<OffsetDateTime>,
    /// UTC that the network knows at creation; `None`: it tells no time.
    pub network_time: Option<OffsetDateTime>,
    /// From a ready SIM to registration.
    pub registration_delay: Duration,
    /// From `+UPSDA` to `+UUPSDA`.
    pub activation_delay: Duration,
    /// The network refuses every data connection.
    pub refuses_data: bool,
    /// The SIM.
    pub sim: Sim,
    /// On, off or booting.
    pub boot: Boot,
    /// From power-on or reset to a UART that answers.
    pub boot_time: Duration,
    /// The server's name is looked for among the alternative names as well. UNCONFIRMED on every model.
    pub looks_at_alternatives: bool,
    /// Imports echo what they take, though echo is off (sheet B.2.1).
    pub echoes_imports: bool,
    /// Imports are not looked into: what is no PEM is kept as it is.
    pub takes_anything: bool,
    /// The MD5 is not the one of the DER form.
    pub other_md5: bool,
    /// Hex mode was switched on in an earlier life, and is remembered (SARA-R5-01B).
    pub hex_mode: bool,
    /// A command that comes too soon behind a result is lost.
    pub strict_gap: bool,
    /// Bytes of unread payload at which a socket stops reading from its peer.
    pub receive_buffer: usize,
    /// Bytes of unsent payload that a socket holds; a write beyond takes a part, or is refused.
    pub send_buffer: usize,
    /// Most TLS sockets at a time.
    pub tls_limit: usize,
    /// What is at the far end of PPP.
    pub ppp: PppFarEnd,
    /// Dials end in `NO CARRIER`, until something is done about it.
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
