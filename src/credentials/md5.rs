//! MD5, for modems that tell no better digest.

use ::md5::Digest as _;

/// MD5 over bytes that come piece by piece. It tells apart what was lost, cut or mixed up, and not what somebody
/// has made to look alike.
#[derive(Clone, Default)]
pub struct Md5(::md5::Md5);

impl Md5 {
    /// Over nothing so far.
    pub fn new() -> Self {
        Self(::md5::Md5::new())
    }

    /// Takes in the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Over all of them.
    pub fn finish(self) -> [u8; 16] {
        self.0.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 1321, A.5.
    #[test]
    fn it_is_the_one_of_the_rfc() {
        let mut md5 = Md5::new();
        md5.update(b"message ");
        md5.update(b"digest");
        assert_eq!(
            u128::from_be_bytes(md5.finish()),
            0xf96b_697d_7cb7_938d_525a_2f31_aaf1_61d0
        );
    }
}
