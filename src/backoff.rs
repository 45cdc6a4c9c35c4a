//! Exponential backoff for applications that reconnect.

use embassy_time::Duration;

/// Exponential backoff with jitter: waits that double from a minimum to a maximum, each drawn at
/// random from the upper half of its step, so that a thousand devices which lost one broker at
/// one moment do not all come back at once.
///
/// The runner repeats the bring-up of the modem by itself; an application repeats its own connect:
///
/// ```no_run
/// use embassy_time::{Duration, Timer};
/// use sectag::{Backoff, SecureConnect, ServerName, TlsConfig};
///
/// # const HOST: ServerName<'static> = match ServerName::new("broker.example") { Ok(name) => name, Err(_) => panic!() };
/// async fn session<C: SecureConnect>(sockets: &C, config: &TlsConfig, serial_number: u32) {
///     let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(300), serial_number);
///     loop {
///         match sockets.connect(HOST, 8883, config).await {
///             Ok(socket) => {
///                 // Log in with it, then `backoff.reset()`, and work until an error ends it.
///             }
///             // An error that no repetition cures, such as a missing credential, is to be shown.
///             Err(error) => {}
///         }
///         Timer::after(backoff.next()).await;
///     }
/// }
/// ```
///
/// Call [`reset`](Self::reset) when the server has accepted the login, and not already when the connection stands: a
/// server that accepts connections and closes them at once would otherwise be asked without a pause.
#[derive(Clone, Debug)]
pub struct Backoff {
    min: Duration,
    max: Duration,
    /// The longest wait of the present step; the next step is twice as long.
    step: Duration,
    random: u32,
}

impl Backoff {
    /// Makes a backoff with waits between `min` and `max`. `seed` makes devices differ: a serial number, an ADC's noise,
    /// an RNG's word. Any value will do; equal seeds give equal waits.
    pub const fn new(min: Duration, max: Duration, seed: u32) -> Self {
        Self {
            min,
            max,
            step: min,
            // The seed is mixed, so that neighbouring serial numbers differ from the start; 0 is xorshift's fixed point.
            random: match seed.wrapping_mul(0x9e37_79b9) ^ 0x85eb_ca6b {
                0 => 1,
                mixed => mixed,
            },
        }
    }

    /// Returns the next wait: first between once and twice the minimum, at last between half the maximum and the maximum.
    // `Backoff` is no iterator, since its waits never end.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Duration {
        let (min, max) = (self.min.as_ticks(), self.max.as_ticks());
        let high = self.step.as_ticks().max(1).saturating_mul(2).min(max);
        let low = (high / 2).max(min).min(high);
        self.step = Duration::from_ticks(high);
        // The wait is a fraction of the width in 1/65536, so that no division is needed: a Cortex-M0 has none.
        let fraction = u64::from(self.draw() >> 16);
        let width = high - low;
        Duration::from_ticks(low + (width >> 16) * fraction + (((width & 0xffff) * fraction) >> 16))
    }

    /// Makes the next wait short again, after a success.
    pub fn reset(&mut self) {
        self.step = self.min;
    }

    /// Returns the next random word, by xorshift32.
    fn draw(&mut self) -> u32 {
        let mut x = self.random;
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        self.random = x;
        x
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::collections::BTreeSet;
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    fn waits(backoff: &mut Backoff, count: usize) -> Vec<u64> {
        (0..count).map(|_| backoff.next().as_millis()).collect()
    }

    #[test]
    fn waits_double_up_to_the_maximum_and_begin_anew_after_a_success() {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(30), 7);
        for _ in 0..2 {
            let steps = [(1, 2), (2, 4), (4, 8), (8, 16), (15, 30), (15, 30)];
            for (wait, (low, high)) in waits(&mut backoff, 6).into_iter().zip(steps) {
                assert!((low * 1000..=high * 1000).contains(&wait), "{wait}");
            }
            backoff.reset();
        }
    }

    #[test]
    fn neighbouring_devices_do_not_come_back_together() {
        let firsts: BTreeSet<u64> = (0..1000)
            .map(|seed| Backoff::new(Duration::from_secs(1), Duration::from_secs(30), seed).next())
            .map(|wait| wait.as_millis() / 10)
            .collect();
        // A thousand draws hit nearly every one of the hundred slots of 10 ms.
        assert!(firsts.len() > 90, "{}", firsts.len());
    }

    #[test]
    fn limits_without_sense_do_not_panic() {
        for (min, max) in [
            (0, 0),
            (0, 10),
            (10, 10),
            (10, 1),
            (0, u64::MAX),
            (u64::MAX, u64::MAX),
        ] {
            let mut backoff = Backoff::new(Duration::from_ticks(min), Duration::from_ticks(max), 0);
            for _ in 0..100 {
                assert!(backoff.next().as_ticks() <= max);
            }
        }
    }

    proptest! {
        #[test]
        fn every_wait_is_within_the_limits(
            min in 1u64..1 << 40, more in 0u64..1 << 40, seed: u32, resets in prop::collection::vec(any::<bool>(), 1..80),
        ) {
            let max = min + more;
            let mut backoff = Backoff::new(Duration::from_ticks(min), Duration::from_ticks(max), seed);
            let mut ceiling = min;
            for reset in resets {
                let wait = backoff.next().as_ticks();
                ceiling = (ceiling * 2).min(max);
                prop_assert!((min..=max).contains(&wait));
                prop_assert!(wait <= ceiling);
                prop_assert!(wait >= ceiling / 2);
                if reset {
                    backoff.reset();
                    ceiling = min;
                }
            }
        }
    }
}
