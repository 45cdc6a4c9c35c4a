//! TLS versions, types of server keys, and small sets of cipher suites by their IANA numbers.

use core::fmt;

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum TlsVersion {
    /// TLS 1.0, out of use since 2021.
    Tls10,
    /// TLS 1.1, out of use since 2021.
    Tls11,
    /// TLS 1.2.
    Tls12,
    /// TLS 1.3.
    Tls13,
}

impl fmt::Display for TlsVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tls10 => "1.0",
            Self::Tls11 => "1.1",
            Self::Tls12 => "1.2",
            Self::Tls13 => "1.3",
        })
    }
}

/// The type of key in a server's certificate. Below TLS 1.3 a cipher suite is for one type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ServerKey {
    /// An elliptic curve.
    Ecdsa,
    /// RSA.
    Rsa,
}

/// The suites that can be in a [`SuiteSet`], grouped by the server's key; in each group the modern ones stand first, in
/// order of preference. A number that is missing here is unknown to sectag, so no policy can decide about it.
static KNOWN: [u16; 56] = [
    // RSA key, forward secrecy and authenticated encryption.
    0xC02F, 0xC030, 0xCCA8, 0x009E, 0x009F, 0xCCAA, //
    // RSA key, not modern: ECDHE and DHE with CBC, plain RSA, 3DES, RC4.
    0xC028, 0xC027, 0xC014, 0xC013, 0x006B, 0x0067, 0x0039, 0x0033, 0x009D, 0x009C, 0x003D, 0x003C,
    0x0035, 0x002F, 0xC012, 0x000A, 0xC011, 0x0005, 0x0004, //
    // EC key, forward secrecy and authenticated encryption.
    0xC02B, 0xC02C, 0xCCA9, 0xC0AC, 0xC0AE, //
    // EC key, not modern; C003 to C005, C00D to C00F, C025, C026, C029 and C02A are static ECDH.
    0xC024, 0xC023, 0xC00A, 0xC009, 0xC008, 0xC026, 0xC025, 0xC02A, 0xC029, 0xC005, 0xC004, 0xC003,
    0xC00F, 0xC00E, 0xC00D, //
    // Either key: TLS 1.3, which negotiates the key separately.
    0x1301, 0x1302, 0x1303, //
    // Pre-shared key instead of a certificate, modern ones first.
    0xD001, 0xCCAC, 0x00A8, 0xC0A8, 0xC0A4, 0x00AE, 0x008C, 0x008D,
];

/// Returns a mask of `count` bits from bit `first` on.
const fn bits(first: u32, count: u32) -> u64 {
    ((1 << count) - 1) << first
}

const MODERN: u64 = bits(0, 6) | bits(25, 5) | bits(45, 3) | bits(48, 2);
const RSA: u64 = bits(0, 25) | TLS13;
const ECDSA: u64 = bits(25, 20) | TLS13;
const TLS13: u64 = bits(45, 3);
const PSK: u64 = bits(48, 8);

/// A set of cipher suites, eight bytes large. Suites that sectag does not know cannot be in it.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct SuiteSet(u64);

impl SuiteSet {
    /// The empty set.
    pub const EMPTY: Self = Self(0);

    /// Makes a set of these IANA numbers. Unknown ones are left out.
    pub const fn of(numbers: &[u16]) -> Self {
        let mut set = Self::EMPTY;
        let mut at = 0;
        while at < numbers.len() {
            set = set.with(numbers[at]);
            at += 1;
        }
        set
    }

    /// Adds a suite by its IANA number, where sectag knows it.
    pub const fn with(self, number: u16) -> Self {
        Self(self.0 | bit(number))
    }

    /// Returns whether the suite of this IANA number is in the set.
    pub const fn contains(self, number: u16) -> bool {
        self.0 & bit(number) != 0
    }

    /// Returns whether the set is empty.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Returns the suites with forward secrecy and authenticated encryption.
    pub const fn modern(self) -> Self {
        Self(self.0 & MODERN)
    }

    /// Returns the suites for a server whose certificate has this type of key.
    pub const fn for_key(self, key: ServerKey) -> Self {
        Self(
            self.0
                & match key {
                    ServerKey::Ecdsa => ECDSA,
                    ServerKey::Rsa => RSA,
                },
        )
    }

    /// Returns the suites that authenticate both sides by a pre-shared key.
    pub const fn for_psk(self) -> Self {
        Self(self.0 & PSK)
    }

    /// Returns the suites that are in either set.
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Returns the suites that are in both sets.
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Returns the IANA numbers, the preferred one first.
    pub fn iter(self) -> impl Iterator<Item = u16> {
        KNOWN
            .iter()
            .enumerate()
            .filter(move |(index, _)| self.0 >> index & 1 != 0)
            .map(|(_, &number)| number)
    }
}

#[inline(never)]
const fn bit(number: u16) -> u64 {
    let mut at = 0;
    while at < KNOWN.len() {
        if KNOWN[at] == number {
            return 1 << at;
        }
        at += 1;
    }
    0
}

impl fmt::Debug for SuiteSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(Hex)).finish()
    }
}

/// A number that prints as `0xC02F`, in the form of the IANA registry.
struct Hex(u16);

impl fmt::Debug for Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#06X}", self.0)
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for SuiteSet {
    fn format(&self, f: defmt::Formatter<'_>) {
        for number in self.iter() {
            defmt::write!(f, "{=u16:04X} ", number);
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::format;
    use std::vec::Vec;

    use super::*;

    #[test]
    fn groups_are_where_the_masks_say() {
        let all = SuiteSet::of(&KNOWN);
        assert_eq!(all.iter().count(), KNOWN.len(), "no number twice");
        // The key exchange in the IANA name decides to which group a suite belongs.
        for (number, rsa, ecdsa, psk, modern) in [
            (0xC02F, true, false, false, true),
            (0xCCAA, true, false, false, true),
            (0xC028, true, false, false, false),
            (0x0004, true, false, false, false),
            (0x009C, true, false, false, false),
            (0xC02B, false, true, false, true),
            (0xC0AE, false, true, false, true),
            (0xC024, false, true, false, false),
            (0xC00D, false, true, false, false),
            (0x1301, true, true, false, true),
            (0x1303, true, true, false, true),
            (0xD001, false, false, true, true),
            (0xCCAC, false, false, true, true),
            (0x00A8, false, false, true, false),
            (0x008D, false, false, true, false),
        ] {
            let one = SuiteSet::EMPTY.with(number);
            assert!(one.contains(number) && all.contains(number));
            let found = (
                !one.for_key(ServerKey::Rsa).is_empty(),
                !one.for_key(ServerKey::Ecdsa).is_empty(),
                !one.for_psk().is_empty(),
                !one.modern().is_empty(),
            );
            assert_eq!(found, (rsa, ecdsa, psk, modern), "{number:04X}");
        }
    }

    #[test]
    fn unknown_numbers_are_in_no_set() {
        assert!(SuiteSet::EMPTY.with(0xFFFF).is_empty());
        assert!(!SuiteSet::of(&KNOWN).contains(0xFFFF));
    }

    #[test]
    fn preferred_comes_first_and_shows_as_the_registry_writes_it() {
        let set = SuiteSet::of(&[0x0005, 0xC030, 0xC02F]);
        assert_eq!(set.iter().collect::<Vec<_>>(), [0xC02F, 0xC030, 0x0005]);
        assert_eq!(format!("{set:?}"), "{0xC02F, 0xC030, 0x0005}");
    }
}
