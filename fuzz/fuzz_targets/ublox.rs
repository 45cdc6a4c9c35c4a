//! The whole driver of a u-blox module, cellular or Wi-Fi, against a module that says anything, in virtual time. What it is
//! held to is what `engine` holds a BG96's to.
//!
//! Over frames nothing is confirmed and nothing has a checksum: what was sent is what has left the MCU, and a frame that
//! what was lost or altered makes of others is believed by anybody, so that nothing read or sent proves anything then.
//!
//! Input: see `sectag_fuzz::script`; what chooses pushing for a BG96 chooses Wi-Fi here, and the two highest bits one of four
//! cellular models, or how a Wi-Fi module begins and tells of peers.
#![no_main]

use embassy_time::Duration;
use libfuzzer_sys::fuzz_target;
use sectag::wifi::WifiConfig;
use sectag_fuzz::play::{pipes, play};
use sectag_fuzz::script;
use sectag_fuzz::ublox_cellular::UbloxCellular;
use sectag_fuzz::ublox_short_range::UbloxShortRange;
use sectag_simulator::time::VirtualClock;
use sectag_ublox::{cellular, short_range};

fuzz_target!(|input: &[u8]| {
    VirtualClock::new()
        .poll_limit(100_000)
        .time_limit(Duration::from_secs(2 * 3600))
        .run(run(input));
});

async fn run(input: &[u8]) {
    let Some((options, script)) = script::parse(input) else {
        return;
    };
    let (to_modem, to_driver) = pipes(options);
    let ends = (&to_modem, &to_driver);
    if options.push() {
        let modem = UbloxShortRange::new(&to_modem, &to_driver, options.variant());
        let wifi = WifiConfig::wpa2("workshop", "correct horse battery").expect("a network");
        let config = short_range::Config::new(wifi).flow_control();
        let driver = short_range::ShortRange::new(config);
        // As large as what other drivers send in one frame.
        play::<_, 2048>(options, script, ends, &modem, driver).await;
    } else {
        let modem = UbloxCellular::new(&to_modem, &to_driver, options.variant());
        let driver = cellular::UbloxCellular::new(cellular::Config::new());
        // Small rings wrap often.
        play::<_, 256>(options, script, ends, &modem, driver).await;
    }
}
