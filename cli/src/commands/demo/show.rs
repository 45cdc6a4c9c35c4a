//! The flow with each modem's driver.

use sectag_bg96::Bg96;
use sectag_cc3200::at::Cc32xx;
use sectag_cc3200::nwp::{G2, Nwp};
use sectag_nrf9160::Nrf9160;
use sectag_ublox::cellular::UbloxCellular;
use sectag_ublox::short_range::ShortRange;

use super::flow;
use super::modems::Shown;
use super::ppp;
use super::setting::{REGISTRATION, WIFI};
use super::steps::Steps;
use super::total::Total;
use super::world::World;
use crate::failure::Failure;

/// The flow with this modem's driver, and with receive rings as large as it demands.
pub(super) async fn run(
    shown: &Shown,
    world: &World,
    steps: &mut Steps<'_>,
) -> Result<Total, Failure> {
    match shown {
        Shown::Bg96 => {
            let config = sectag_bg96::Config::new().registration(REGISTRATION);
            flow::run::<_, 1024>(Bg96::new(config), world, steps).await
        }
        Shown::Nrf9160(_) => {
            let config = sectag_nrf9160::Config::new()
                .flow_control()
                .registration(REGISTRATION);
            flow::run::<_, 2048>(Nrf9160::new(config), world, steps).await
        }
        Shown::Ublox(_) => {
            let config = sectag_ublox::cellular::Config::new().registration(REGISTRATION);
            flow::run::<_, 1024>(UbloxCellular::new(config), world, steps).await
        }
        Shown::ShortRange(_) => {
            let config = sectag_ublox::short_range::Config::new(WIFI)
                .flow_control()
                .join(REGISTRATION);
            flow::run::<_, 2048>(ShortRange::new(config), world, steps).await
        }
        Shown::Cc32xx => {
            let config = sectag_cc3200::at::Config::new(WIFI).join(REGISTRATION);
            flow::run::<_, 1024>(Cc32xx::new(config), world, steps).await
        }
        Shown::Nwp => {
            let limit = REGISTRATION.as_millis() as u32;
            let config = sectag_cc3200::nwp::Config::new(WIFI).join_limit(limit);
            flow::run::<_, 2048>(Nwp::<G2>::new(config), world, steps).await
        }
        Shown::Ppp(link) => ppp::run(*link, world, steps).await,
    }
}
