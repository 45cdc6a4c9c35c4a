//! What the user decides.

use embassy_time::Duration;
use sectag::wifi::WifiConfig;

/// Half of what the driver's clock goes round in: 24 days, in milliseconds.
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
    /// In milliseconds.
    pub(super) join: u32,
    pub(super) flow_control: bool,
}

impl Config {
    /// Joins this network, with an address by DHCP, within 20 s.
    pub const fn new(wifi: WifiConfig) -> Self {
        Self {
            wifi,
            join: 20_000,
            flow_control: false,
        }
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

    /// Declares that RTS and CTS are wired and that the MCU's UART minds them. Extended data mode acknowledges
    /// nothing, so that without it nothing is connected or stored:
    /// [`Feature::FlowControl`](sectag::Feature::FlowControl).
    pub const fn flow_control(mut self) -> Self {
        self.flow_control = true;
        self
    }
}
