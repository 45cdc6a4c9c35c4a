//! Names, numbers and limits of the demo's world.

use embassy_time::Duration;
use sectag::Tag;
use sectag::wifi::WifiConfig;

pub(super) const HOST: &str = "broker.sectag.test";
pub(super) const PORT: u16 = 8883;
pub(super) const BAUD: u32 = 115_200;
pub(super) const TURNAROUND_MS: u64 = 20;
pub(super) const TAG: Tag = Tag(1);
/// A simulated network needs no longer.
pub(super) const REGISTRATION: Duration = Duration::from_secs(10);

/// The network of the demo's access point.
pub(super) const WIFI: WifiConfig = match WifiConfig::wpa2("workshop", "correct horse battery") {
    Ok(wifi) => wifi,
    Err(_) => panic!("no name or passphrase of a network"),
};
