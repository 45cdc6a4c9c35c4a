//! A clock that was slowed down before its first use. What is compared with the computer's time is a least, so how busy
//! the computer is does not matter.

use embassy_time::{Duration, Instant, Timer};
use sectag_host_clock::HostClock;

sectag_host_clock::time_driver!();

#[test]
fn a_slow_second_lasts_longer_and_the_first_use_decides() {
    let begin = std::time::Instant::now();
    assert!(HostClock::slow_down(20));
    assert!(!HostClock::slow_down(1), "it is in use");
    assert!(HostClock::slow_down(20));
    let wait = Timer::after(Duration::from_millis(5));
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(wait);
    let elapsed = begin.elapsed();
    assert!(elapsed >= std::time::Duration::from_millis(100));
    assert!(Instant::now().as_micros() <= begin.elapsed().as_micros() as u64 / 20);
}
