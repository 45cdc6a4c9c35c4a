//! The whole driver of an nRF9160, SLM 2.5 or Serial Modem, against a modem that says anything, in virtual
//! time. What it is held to is what `engine` holds a BG96's to; here no payload may end data mode, and none
//! may be left of it.
//!
//! Input: see `sectag_fuzz::script`; what chooses pushing for a BG96 chooses Serial Modem here.
#![no_main]

use embassy_time::Duration;
use libfuzzer_sys::fuzz_target;
use sectag_fuzz::nrf9160::Nrf9160;
use sectag_fuzz::play::{pipes, play};
use sectag_fuzz::script;
use sectag_nrf9160::Config;
use sectag_simulator::time::VirtualClock;

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
    let modem = Nrf9160::new(&to_modem, &to_driver, options.push());
    let driver = sectag_nrf9160::Nrf9160::new(Config::new().flow_control());
    // A fetch of SLM brings up to 2048 bytes.
    play::<_, 2048>(options, script, (&to_modem, &to_driver), &modem, driver).await;
}
