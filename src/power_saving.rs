//! The timers of PSM and eDRX, in the encoding of 3GPP TS 24.008.

use core::fmt;

use embassy_time::Duration;

use crate::at::InvalidInput;

/// The times of power saving mode (PSM): after `active` without traffic the modem practically switches itself off, and
/// every `period` it wakes up to tell the network that it is still there.
///
/// Registration and address stay valid in the network, and files, credentials and clock in the modem. Every socket and
/// TLS session is lost, and so are the settings that the driver writes anew at bring-up. The driver leaves a modem in PSM
/// asleep until it is used next: see [`Control::is_asleep`](crate::Control::is_asleep). To wake it, the power key must be
/// wired to the MCU; without it the modem wakes up only by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct PowerSaving {
    period: Duration,
    active: Duration,
}

impl PowerSaving {
    /// Makes the times of power saving mode. Both are rounded up to the next one that can be encoded: steps of 2 s, 30 s,
    /// 1 min, 10 min, 1 h and 10 h for the period (31 of each), of 2 s, 1 min and 6 min for the active time.
    ///
    /// # Errors
    /// [`InvalidInput::OutOfRange`] for a period above 310 h or an active time above 186 min,
    /// [`InvalidInput::NotBelow`] where the active time is not below the period.
    pub const fn new(period: Duration, active: Duration) -> Result<Self, InvalidInput> {
        if period.as_secs() > 310 * 3600 {
            return Err(InvalidInput::OutOfRange { limit: 310 * 3600 });
        }
        if active.as_secs() > 186 * 60 {
            return Err(InvalidInput::OutOfRange { limit: 186 * 60 });
        }
        if active.as_ticks() >= period.as_ticks() {
            return Err(InvalidInput::NotBelow {
                limit: period.as_secs() as u32,
            });
        }
        Ok(Self { period, active })
    }

    /// Makes times that a network has granted, without a check.
    pub const fn granted(period: Duration, active: Duration) -> Self {
        Self { period, active }
    }

    /// Returns the time from one sign of life to the next (extended T3412).
    pub const fn period(&self) -> Duration {
        self.period
    }

    /// Returns the time that the modem can be reached after the last traffic (T3324).
    pub const fn active(&self) -> Duration {
        self.active
    }

    /// Returns the period as eight binary digits.
    pub fn period_bits(&self) -> Bits {
        const UNITS: [(u32, u8); 6] = [
            (2, 0b011),
            (30, 0b100),
            (60, 0b101),
            (600, 0b000),
            (3600, 0b001),
            (36_000, 0b010),
        ];
        timer(self.period, &UNITS)
    }

    /// Returns the active time as eight binary digits.
    pub fn active_bits(&self) -> Bits {
        const UNITS: [(u32, u8); 3] = [(2, 0b000), (60, 0b001), (360, 0b010)];
        timer(self.active, &UNITS)
    }
}

/// The eight binary digits of an encoded timer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Bits([u8; 8]);

impl Bits {
    fn new(value: u8) -> Self {
        let mut digits = [b'0'; 8];
        for (at, digit) in digits.iter_mut().enumerate() {
            *digit += value >> (7 - at) & 1;
        }
        Self(digits)
    }

    /// Returns all eight digits.
    pub fn as_str(&self) -> &str {
        // Only `0` and `1` are ever put in.
        core::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Returns the last four digits.
    pub fn last_four(&self) -> &str {
        &self.as_str()[4..]
    }
}

impl fmt::Debug for Bits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Encodes a time, rounded up, in the finest unit of which 31 are long enough.
fn timer(time: Duration, units: &[(u32, u8)]) -> Bits {
    let seconds = time.as_ticks().div_ceil(embassy_time::TICK_HZ) as u32;
    for &(unit, code) in units {
        let count = seconds.div_ceil(unit);
        if count <= 31 {
            return Bits::new(code << 5 | count as u8);
        }
    }
    // A time that is too long to encode, which `new` refuses, becomes the longest one.
    let (_, code) = units[units.len() - 1];
    Bits::new(code << 5 | 31)
}

/// The cycle of extended discontinuous reception (eDRX): the modem listens only once per cycle, and keeps its sockets.
/// Data to it waits up to one cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Edrx(u8);

/// The cycles of 3GPP TS 24.008, table 10.5.5.32, in units of 10 ms.
const CYCLES: [u32; 16] = [
    512, 1024, 2048, 4096, 6144, 8192, 10_240, 12_288, 14_336, 16_384, 32_768, 65_536, 131_072,
    262_144, 524_288, 1_048_576,
];

impl Edrx {
    /// Makes the shortest cycle of at least this length. Cycles are 5.12 s, 10.24 s, 20.48 s and so on up to 10485.76 s.
    ///
    /// # Errors
    /// [`InvalidInput::OutOfRange`] above the longest cycle.
    pub const fn at_least(cycle: Duration) -> Result<Self, InvalidInput> {
        let mut value = 0;
        while value < CYCLES.len() {
            if cycle.as_ticks() <= Self(value as u8).cycle().as_ticks() {
                return Ok(Self(value as u8));
            }
            value += 1;
        }
        Err(InvalidInput::OutOfRange { limit: 10_485 })
    }

    /// Makes a cycle from its four binary digits; `None` where the text is not that.
    pub fn from_bits(digits: &str) -> Option<Self> {
        let four = digits.len() == 4 && digits.bytes().all(|digit| matches!(digit, b'0' | b'1'));
        four.then(|| u8::from_str_radix(digits, 2).ok().map(Self))
            .flatten()
    }

    /// Returns the length of the cycle.
    pub const fn cycle(&self) -> Duration {
        Duration::from_millis(CYCLES[(self.0 & 15) as usize] as u64 * 10)
    }

    /// Returns the binary digits, of which the [last four](Bits::last_four) count.
    pub fn bits(&self) -> Bits {
        Bits::new(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn psm(period: u64, active: u64) -> PowerSaving {
        let [period, active] = [period, active].map(Duration::from_secs);
        PowerSaving::granted(period, active)
    }

    #[test]
    fn an_active_time_that_leaves_nothing_to_sleep_is_compared_with_the_period() {
        let [hour, longer] = [3600, 3601].map(Duration::from_secs);
        let refused = |active| PowerSaving::new(hour, active);
        for active in [hour, longer] {
            assert_eq!(refused(active), Err(InvalidInput::NotBelow { limit: 3600 }));
        }
        let limit = 186 * 60;
        let too_long = PowerSaving::new(hour * 100, Duration::from_secs(u64::from(limit) + 1));
        assert_eq!(too_long, Err(InvalidInput::OutOfRange { limit }));
    }

    #[test]
    fn timers_are_rounded_up_in_the_finest_unit() {
        // The example of the bg96 sheet, section 1.7: 40 min is 4 times 10 min there, and 30 s is 15
        // times 2 s. 40 min needs more than 31 of the finer unit of 1 min.
        for (seconds, bits) in [
            (1, "01100001"),
            (62, "01111111"),
            (63, "10000011"),
            (930, "10011111"),
            (931, "10110000"),
            (1860, "10111111"),
            (2400, "00000100"),
            (2401, "00000101"),
            (86_400, "00111000"),
            (310 * 3600, "01011111"),
            (999_999_999, "01011111"),
        ] {
            assert_eq!(psm(seconds, 0).period_bits().as_str(), bits, "{seconds}");
        }
        for (seconds, bits) in [
            (0, "00000000"),
            (30, "00001111"),
            (31, "00010000"),
            (62, "00011111"),
            (63, "00100010"),
            (1860, "00111111"),
            (1861, "01000110"),
            (186 * 60, "01011111"),
        ] {
            assert_eq!(psm(0, seconds).active_bits().as_str(), bits, "{seconds}");
        }
    }

    #[test]
    fn what_cannot_be_written_or_makes_no_sense_is_refused() {
        let new = |period, active| {
            PowerSaving::new(Duration::from_secs(period), Duration::from_secs(active))
        };
        assert!(new(3600, 30).is_ok());
        assert!(new(310 * 3600, 186 * 60).is_ok());
        assert!(new(310 * 3600 + 1, 0).is_err());
        assert!(new(100_000, 186 * 60 + 1).is_err());
        assert!(new(30, 30).is_err());
    }

    #[test]
    fn cycles_are_those_of_the_table() {
        let at_least = |millis| Edrx::at_least(Duration::from_millis(millis));
        for (millis, bits) in [
            (0, "0000"),
            (5120, "0000"),
            (5121, "0001"),
            (81_920, "0101"),
            (100_000, "0110"),
            (10_485_760, "1111"),
        ] {
            let cycle = at_least(millis).unwrap();
            assert_eq!(cycle.bits().last_four(), bits, "{millis}");
            assert_eq!(Edrx::from_bits(bits), Some(cycle));
        }
        assert!(at_least(10_485_761).is_err());
        for bad in ["", "101", "10101", "2000", "+101"] {
            assert_eq!(Edrx::from_bits(bad), None, "{bad}");
        }
    }
}
