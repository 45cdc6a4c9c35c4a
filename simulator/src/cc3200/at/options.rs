//! The settings of a simulated CC3220 or CC3235 with TI's AT application, and of its surroundings.

use embassy_time::Duration;
use time::OffsetDateTime;

use crate::options::Chunk;

/// The version of TI's AT application (sheet 1.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AtVersion {
    /// 1.1.1: the application echoes, prompts before every command, and ends lines with LF CR.
    #[default]
    First,
    /// 1.1.2: the UART's driver echoes, the application prompts once, and lines end with CR LF CR.
    Second,
    /// A port of 1.1.2: lines end with CR LF, and one that is too long is dropped silently.
    Port,
}

/// The settings of a simulated CC3220 or CC3235 with the AT application.
#[derive(Clone, Debug)]
pub struct Cc32xxOptions {
    /// The version of the application.
    pub version: AtVersion,
    /// The name of the network in reach.
    pub ssid: String,
    /// The passphrase of the network; empty if it is open.
    pub key: String,
    /// The time from power-on to the banner.
    pub boot_time: Duration,
    /// The time that the application takes for a command. Input is lost meanwhile, unless the UART
    /// keeps it.
    pub command_time: Duration,
    /// The time from the command to the network.
    pub join_time: Duration,
    /// The time from the network to an address.
    pub address_time: Duration,
    /// The clock at the start. `None` is a clock that is not set, as after power-on.
    pub clock: Option<OffsetDateTime>,
    /// The number of wrong tokens after which the device locks itself. No document gives it; this one
    /// is low.
    pub alerts_until_locked: u32,
    /// Whether the server's root is missing in the catalog of trusted roots, so that the chip reports
    /// that for each connection.
    pub unknown_to_catalog: bool,
    /// Whether the firmware lacks the option that sets the name to verify.
    pub old_service_pack: bool,
    /// The line rate, if the line is paced.
    pub baud: Option<u32>,
    /// The form in which bytes towards the host are cut.
    pub chunk: Chunk,
    /// The seed of random pieces.
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
