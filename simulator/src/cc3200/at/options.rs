//! How a simulated CC3220 or CC3235 with TI's AT application behaves, and what is around it.

use embassy_time::Duration;
use time::OffsetDateTime;

use crate::options::Chunk;

/// Which version of TI's AT application runs (sheet 1.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AtVersion {
    /// 1.1.1: it echoes by itself, prompts before every command, ends lines with LF CR.
    #[default]
    First,
    /// 1.1.2: the UART's driver echoes, it prompts once, and lines end with CR LF CR.
    Second,
    /// A port of the second: lines end with CR LF, and one that is too long is dropped without a word.
    Port,
}

/// Options of a simulated CC3220 or CC3235 with the AT application.
#[derive(Clone, Debug)]
pub struct Cc32xxOptions {
    /// Of the application.
    pub version: AtVersion,
    /// The name of the network that there is.
    pub ssid: String,
    /// Its passphrase; empty where it is open.
    pub key: String,
    /// From power to the banner.
    pub boot_time: Duration,
    /// How long the application works at a command, in which input is lost that its UART does not keep.
    pub command_time: Duration,
    /// From the command to the network.
    pub join_time: Duration,
    /// From the network to an address.
    pub address_time: Duration,
    /// The clock at the start; `None` where it is not set, as after power.
    pub clock: Option<OffsetDateTime>,
    /// Wrong tokens until the device locks itself. No document says how many; this is few.
    pub alerts_until_locked: u32,
    /// A root that is not in the catalog of trusted roots, so that the chip says so of each connection.
    pub unknown_to_catalog: bool,
    /// The firmware does not know the option that sets the name to be verified.
    pub old_service_pack: bool,
    /// Line rate, when paced.
    pub baud: Option<u32>,
    /// How bytes towards the host are cut.
    pub chunk: Chunk,
    /// Seed of random pieces.
    pub seed: u64,
}

impl Default for Cc32xxOptions {
    fn default() -> Self {
        Self {
            version: AtVersion::First,
            ssid: "lab".into(),
            key: "S3cretKey".into(),
            boot_time: Duration::from_millis(500),
            command_time: Duration::from_millis(2),
            join_time: Duration::from_millis(500),
            address_time: Duration::from_millis(300),
            clock: None,
            alerts_until_locked: 3,
            unknown_to_catalog: false,
            old_service_pack: false,
            baud: None,
            chunk: Chunk::Whole,
            seed: 0,
        }
    }
}
