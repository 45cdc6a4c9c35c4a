//! The configuration of a CC3220 or CC3235 with the AT application.

use embassy_time::Duration;
use sectag::wifi::WifiConfig;

/// The longest time limit, in milliseconds: 24 days, half the period of the driver's clock.
const LONGEST: u64 = u32::MAX as u64 / 2;

/// Configuration of a CC3220 or CC3235 with the AT application.
///
/// ```
/// use sectag::wifi::WifiConfig;
/// use sectag_cc3200::at::Config;
///
/// const WIFI: WifiConfig = match WifiConfig::wpa2("workshop", "correct horse battery") {
///     Ok(wifi) => wifi,
///     Err(_) => panic!("no name or passphrase of a network"),
/// };
/// const CONFIG: Config = Config::new(WIFI);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Config {
    pub(super) wifi: WifiConfig,
    /// The limit of the wait for network and address, in milliseconds.
    pub(super) join: u32,
}

impl Config {
    /// Returns the configuration for this network, with an address by DHCP and 30 s to join.
    pub const fn new(wifi: WifiConfig) -> Self {
        Self { wifi, join: 30_000 }
    }

    /// Sets how long bring-up waits for the network and an address before it fails and starts over; the
    /// default is 30 s, the longest 24 days.
    pub const fn join(mut self, limit: Duration) -> Self {
        let limit = limit.as_millis();
        self.join = if limit < LONGEST {
            limit as u32
        } else {
            LONGEST as u32
        };
        self
    }
}
