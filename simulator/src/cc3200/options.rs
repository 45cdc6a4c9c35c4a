//! The options of a simulated network processor, and of the network around it.

use embassy_time::Duration;
use time::OffsetDateTime;

use super::generation::NwpGeneration;
use super::spi::NwpSpiOptions;
use crate::options::Chunk;

/// Options of a simulated network processor, on a UART unless an SPI is asked for.
#[derive(Clone, Debug)]
pub struct NwpOptions {
    /// The generation of the chip; the default is the second.
    pub generation: NwpGeneration,
    /// The name (SSID) of the only Wi-Fi network.
    pub ssid: String,
    /// The passphrase of the network; empty for an open one.
    pub key: String,
    /// The time from power, or from the end of hibernation, to the message that the chip has started.
    pub boot_time: Duration,
    /// The time from the command to join to the event that the network was joined.
    pub join_time: Duration,
    /// The time from that event to the one with the IPv4 address.
    pub address_time: Duration,
    /// The clock at the start; `None` leaves it unset, as after power.
    pub clock: Option<OffsetDateTime>,
    /// The number of wrong tokens after which the device locks itself. No document tells it; the default is low.
    pub alerts_until_locked: u32,
    /// Whether the root is missing in the catalog of trusted roots, which the chip then reports of each connection.
    pub unknown_to_catalog: bool,
    /// Whether the firmware lacks the socket option that sets the name to be verified.
    pub old_service_pack: bool,
    /// Whether provisioning runs after each start, until the host stops it.
    pub provisions: bool,
    /// The number of free buffers of an idle chip.
    pub buffers: u8,
    /// The number of TLS sockets, where something else in the chip has some; `None` for all of the generation.
    pub sockets: Option<u8>,
    /// The time from the answer to a close to the events that end it, until which the socket is in use.
    pub close_time: Duration,
    /// The opcode of messages that come without their payload, as behind a damaged length.
    pub cut: Option<u16>,
    /// The options of its SPI.
    pub spi: NwpSpiOptions,
    /// The line rate of the UART in baud; `None` for no pacing.
    pub baud: Option<u32>,
    /// The delay before each command is executed.
    pub turnaround: Duration,
    /// The way in which bytes towards the host are cut into pieces.
    pub chunk: Chunk,
    /// The seed of random pieces.
    pub seed: u64,
}

impl Default for NwpOptions {
    fn default() -> Self {
        Self {
            generation: NwpGeneration::Second,
            ssid: "lab".into(),
            key: "S3cretKey".into(),
            boot_time: Duration::from_millis(300),
            join_time: Duration::from_millis(500),
            address_time: Duration::from_millis(300),
            clock: None,
            alerts_until_locked: 3,
            unknown_to_catalog: false,
            old_service_pack: false,
            provisions: false,
            buffers: 15,
            sockets: None,
            close_time: Duration::from_millis(0),
            cut: None,
            spi: NwpSpiOptions::default(),
            baud: None,
            turnaround: Duration::from_millis(0),
            chunk: Chunk::Whole,
            seed: 0,
        }
    }
}
