//! How a simulated network processor behaves, and what is around it.

use embassy_time::Duration;
use time::OffsetDateTime;

use super::generation::NwpGeneration;
use super::spi::NwpSpiOptions;
use crate::options::Chunk;

/// Options of a simulated network processor, on a UART unless an SPI is asked for.
#[derive(Clone, Debug)]
pub struct NwpOptions {
    /// What it is: the second generation unless said.
    pub generation: NwpGeneration,
    /// The name of the network that there is.
    pub ssid: String,
    /// Its passphrase; empty where it is open.
    pub key: String,
    /// From power, or from hibernation, to the message that it has started.
    pub boot_time: Duration,
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
    /// Provisioning runs after each start, until it is stopped.
    pub provisions: bool,
    /// Free buffers of an idle chip.
    pub buffers: u8,
    /// How its SPI behaves.
    pub spi: NwpSpiOptions,
    /// Line rate of the UART, when paced.
    pub baud: Option<u32>,
    /// Delay before each command is executed.
    pub turnaround: Duration,
    /// How bytes towards the host are cut.
    pub chunk: Chunk,
    /// Seed of random pieces.
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
            spi: NwpSpiOptions::default(),
            baud: None,
            turnaround: Duration::from_millis(0),
            chunk: Chunk::Whole,
            seed: 0,
        }
    }
}
