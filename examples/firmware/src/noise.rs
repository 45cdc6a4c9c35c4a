//! Numbers in the place of random ones, for binaries that show what TLS on the MCU takes. A product needs a source of noise.

use sectag_ppp::tls::{CryptoRng, RngCore};

/// A generator of numbers that are not random at all: the board has no source of noise. A byte is that at bit `SHIFT` of the next number.
pub struct NoNoise<const SHIFT: u32>(u32);

impl<const SHIFT: u32> NoNoise<SHIFT> {
    /// Starts at this number; the same seed gives the same numbers.
    pub const fn new(seed: u32) -> Self {
        Self(seed)
    }
}

impl<const SHIFT: u32> RngCore for NoNoise<SHIFT> {
    fn next_u32(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        self.0
    }

    fn next_u64(&mut self) -> u64 {
        u64::from(self.next_u32()) << 32 | u64::from(self.next_u32())
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            *byte = (self.next_u32() >> SHIFT) as u8;
        }
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(bytes);
        Ok(())
    }
}

impl<const SHIFT: u32> CryptoRng for NoNoise<SHIFT> {}
