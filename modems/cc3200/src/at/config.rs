//! What the user decides.

use embassy_time::Duration;
use sectag::wifi::WifiConfig;

/// Half of what the driver's clock goes round in: 24 days, in milliseconds.
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
    /// In milliseconds.
    pub(super) join: u32,
}

impl Config {
    /// Joins this network, with an address by DHCP, within 30 s.
    pub const fn new(wifi: WifiConfig) -> Self {
        Self { wifi, join: 30_000 }
    }

    /// How long to wait for the network and an address before bring-up reports failure and begins anew.
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
