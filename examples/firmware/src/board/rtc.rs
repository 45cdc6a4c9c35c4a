//! The time of day. The emulated board has no real-time clock: it asks the computer that it runs on, by semihosting.

use cortex_m_semihosting::syscall;

/// Returns the seconds since 1970, in UTC, as the board's real-time clock would.
pub fn unix_seconds() -> u32 {
    // SAFETY: SYS_TIME takes no argument and touches no memory of ours.
    (unsafe { syscall!(TIME) }) as u32
}
