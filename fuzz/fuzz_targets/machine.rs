//! The engine itself, without runner, executor and handles, under the driver of either modem: bytes and the time go in,
//! bytes come out, and after every step the world is looked at.
//!
//! Here the input decides what the runner decides elsewhere: how much is taken in at a time, when the UART says that
//! something is out, and how late a due time is noticed. The clock starts anywhere, or a second before it wraps.
//!
//! It always comes to rest at any one time; sockets and ids never contradict each other; what is read and sent is what
//! `engine` holds it to; and once the modem behaves, a fresh connection works.
//!
//! Input: see `sectag_fuzz::machine`.
#![no_main]

use embassy_time::Duration;
use libfuzzer_sys::fuzz_target;
use sectag_fuzz::machine::run;
use sectag_simulator::time::VirtualClock;

fuzz_target!(|input: &[u8]| {
    VirtualClock::new()
        .poll_limit(100_000)
        .time_limit(Duration::from_secs(2 * 3600))
        .run(run(input));
});
