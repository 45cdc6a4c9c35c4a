//! The whole driver of a BG96 against a modem that says anything, in virtual time.
//!
//! No panic, no deadlock, no livelock; what is read is a prefix of what the peer sent, and what was
//! reported as sent is what the peer received, as long as the modem did not lie about these very bytes;
//! no connection is handed out for which a setting was not sent that verification depends on, and none
//! when the modem refused such a setting; no credential is left, or counts, but those that were stored;
//! every future of the application ends; and once the modem behaves, a fresh connection works.
//!
//! Input: see `sectag_fuzz::script`.
#![no_main]

use embassy_time::Duration;
use libfuzzer_sys::fuzz_target;
use sectag_bg96::Config;
use sectag_fuzz::bg96::Bg96;
use sectag_fuzz::play::{pipes, play};
use sectag_fuzz::script;
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
    let modem = Bg96::new(&to_modem, &to_driver);
    let ends = (&to_modem, &to_driver);
    // Small rings wrap often; what is pushed needs room.
    if options.push() {
        let driver = sectag_bg96::Bg96::new(Config::new().direct_push());
        play::<_, 1536>(options, script, ends, &modem, driver).await;
    } else {
        let driver = sectag_bg96::Bg96::new(Config::new());
        play::<_, 256>(options, script, ends, &modem, driver).await;
    }
}
