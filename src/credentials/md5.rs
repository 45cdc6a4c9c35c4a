//! MD5, for modems that report no better digest.

use ::md5::Digest as _;

/// A hasher that computes the MD5 of bytes that come in pieces. MD5 detects lost, cut or mixed-up bytes, but not content
/// that was made on purpose to have one MD5.
#[derive(Clone, Default)]
pub struct Md5(::md5::Md5);

impl Md5 {
    /// Makes a hasher that has seen no bytes.
    pub fn new() -> Self {
        Self(::md5::Md5::new())
    }

    /// Takes in the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Returns the MD5 of all bytes.
    pub fn finish(self) -> [u8; 16] {
        self.0.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The test suite of RFC 1321, A.5.
    #[test]
    fn digests_are_those_of_the_rfc() {
        let mut md5 = Md5::new();
        md5.update(b"message ");
        md5.update(b"digest");
        assert_eq!(
            u128::from_be_bytes(md5.finish()),
            0xf96b_697d_7cb7_938d_525a_2f31_aaf1_61d0
        );
    }
}
