//! Cipher suites as bits of the chips' mask (sheet 4.4).

use sectag::SuiteSet;

/// The IANA numbers of the bits of the mask, from bit 0 on.
pub(crate) const SUITES: [u16; 23] = [
    0x0005, 0x0004, 0x0035, 0x0039, 0xc014, 0xc011, 0x003c, 0x003d, 0xc027, 0xc023, 0xc009, 0xc00a,
    0x009c, 0x009d, 0x009e, 0x009f, 0xc02f, 0xc030, 0xc02b, 0xc02c, 0xcca9, 0xcca8, 0xccaa,
];

/// The names of the suites in the AT application, in the order of the bits.
pub(crate) const NAMES: [&str; 23] = [
    "SSL_RSA_WITH_RC4_128_SHA",
    "SSL_RSA_WITH_RC4_128_MD5",
    "TLS_RSA_WITH_AES_256_CBC_SHA",
    "TLS_DHE_RSA_WITH_AES_256_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_RC4_128_SHA",
    "TLS_RSA_WITH_AES_128_CBC_SHA256",
    "TLS_RSA_WITH_AES_256_CBC_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
    "TLS_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_DHE_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
    "TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
];

/// All bits of the first generation.
pub(crate) const FIRST: u32 = 0x03ff;
/// All bits of the second and third generation.
pub(crate) const SECOND: u32 = 0x007f_ffff;

/// Returns the mask of the wanted suites that the chip `has`.
pub(crate) fn mask(has: u32, wanted: SuiteSet) -> u32 {
    let bits = SUITES.iter().enumerate();
    let mask = bits.fold(0, |mask, (bit, number)| {
        mask | u32::from(wanted.contains(*number)) << bit
    });
    mask & has
}

/// Returns the suites of a mask.
pub(crate) const fn of(mask: u32) -> SuiteSet {
    let mut set = SuiteSet::EMPTY;
    let mut bit = 0;
    while bit < SUITES.len() {
        if mask & 1 << bit != 0 {
            set = set.with(SUITES[bit]);
        }
        bit += 1;
    }
    set
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_are_those_of_the_sheet() {
        let modern = SuiteSet::of(&[0xc02f, 0xc02b]);
        assert_eq!(mask(SECOND, modern), 1 << 16 | 1 << 18);
        assert_eq!(mask(FIRST, modern), 0);
        assert!(of(FIRST).contains(0xc027) && !of(FIRST).contains(0xc02f));
        assert!(of(SECOND).contains(0xccaa));
    }
}
