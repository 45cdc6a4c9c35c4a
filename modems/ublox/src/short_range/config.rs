//! The configuration of a short-range module.

use embassy_time::Duration;
use sectag::wifi::WifiConfig;

/// The longest time limit, in milliseconds: 24 days, half the period of the driver's clock.
const LONGEST: u64 = u32::MAX as u64 / 2;

/// Configuration of a short-range module.
///
/// ```
/// use sectag::wifi::WifiConfig;
/// use sectag_ublox::short_range::Config;
///
/// const WIFI: WifiConfig = match WifiConfig::wpa2("workshop", "correct horse battery") {
///     Ok(wifi) => wifi,
///     Err(_) => panic!("no name or passphrase of a network"),
/// };
/// const CONFIG: Config = Config::new(WIFI).flow_control();
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Config {
    pub(super) wifi: WifiConfig,
    /// The limit of the wait for network and address, in milliseconds.
    pub(super) join: u32,
    pub(super) flow_control: bool,
}

impl Config {
    /// Returns the configuration for this network, with an address by DHCP and 20 s to join.
    pub const fn new(wifi: WifiConfig) -> Self {
        Self {
            wifi,
            join: 20_000,
            flow_control: false,
        }
    }

    /// Sets how long bring-up waits for the network and an address before it fails and starts over; the
    /// default is 20 s, the longest 24 days.
    pub const fn join(mut self, limit: Duration) -> Self {
        let limit = limit.as_millis();
        self.join = if limit < LONGEST {
            limit as u32
        } else {
            LONGEST as u32
        };
        self
    }

    /// Declares that RTS and CTS are wired and that the MCU's UART uses them. Extended data mode
    /// acknowledges nothing, so every connect and every upload is refused without it:
    /// [`Feature::FlowControl`](sectag::Feature::FlowControl).
    pub const fn flow_control(mut self) -> Self {
        self.flow_control = true;
        self
    }
}
