/// A fingerprint of a public key, by which a certificate and a private key can be compared without holding either in
/// memory.
///
/// It is FNV-1a with 128 bits, over the modulus of an RSA key or the point of another key. Two keys that were not made to
/// collide have equal fingerprints with a probability of about 2^-128. It is *not* cryptographic: it finds mistakes of
/// users among their own keys, and must not be used to decide whether a stranger's key is the expected one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Fingerprint([u8; 16]);

impl Fingerprint {
    /// Makes the fingerprint of no bytes.
    pub(super) const fn new() -> Self {
        Self(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d_u128.to_le_bytes())
    }

    pub(super) fn push(&mut self, byte: u8) {
        let mixed = u128::from_le_bytes(self.0) ^ u128::from(byte);
        // The product with the prime 2^88 + 0x13b.
        let product = (mixed << 88).wrapping_add(mixed.wrapping_mul(0x13b));
        self.0 = product.to_le_bytes();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_vectors() {
        let hash = |text: &[u8]| {
            let mut hash = Fingerprint::new();
            text.iter().for_each(|byte| hash.push(*byte));
            u128::from_le_bytes(hash.0)
        };
        assert_eq!(hash(b"a"), 0xd228_cb69_6f1a_8caf_7891_2b70_4e4a_8964);
        assert_eq!(hash(b"foobar"), 0x343e_1662_793c_64bf_6f0d_3597_ba44_6f18);
    }
}
