//! The keys of a TLS context and which of them this firmware knows (sheet 4.1).

use sectag::at::{Fields, answer};
use sectag::modem::{Modem, Then, World, ask};
use sectag::{Capabilities, Flush, SuiteSet, Support, TlsVersion, Verification};

use crate::sockets::CLOSE_LIMIT;
use crate::{All, Bg96, Options, Script};

/// A key of `AT+QSSLCFG`, in the order in which an open writes them.
#[expect(clippy::enum_variant_names, reason = "the vendor's names")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    SslVersion,
    CipherSuite,
    CaCert,
    ClientCert,
    ClientKey,
    SecLevel,
    IgnoreCertItem,
    IgnoreCertSign,
    IgnoreCertChain,
    IgnoreLocalTime,
    NegotiateTime,
    Sni,
    SessionCache,
    Alpn,
    Psk,
    /// Never written: how it is cleared is UNCONFIRMED (sheet 4.11).
    CaCertEx,
}

impl Key {
    pub(crate) const ALL: [Self; 16] = [
        Self::SslVersion,
        Self::CipherSuite,
        Self::CaCert,
        Self::ClientCert,
        Self::ClientKey,
        Self::SecLevel,
        // Written before the next key, which may be two bits of this one (sheet 4.11).
        Self::IgnoreCertItem,
        Self::IgnoreCertSign,
        Self::IgnoreCertChain,
        Self::IgnoreLocalTime,
        Self::NegotiateTime,
        Self::Sni,
        Self::SessionCache,
        Self::Alpn,
        Self::Psk,
        Self::CaCertEx,
    ];

    pub(crate) const fn name(self) -> &'static str {
        NAMES[self as usize]
    }

    pub(crate) const fn bit(self) -> u16 {
        1 << self as u16
    }

    #[inline(never)]
    pub(crate) fn named(name: &[u8]) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|key| name.eq_ignore_ascii_case(key.name().as_bytes()))
    }
}

static NAMES: [&str; 16] = [
    "sslversion",
    "ciphersuite",
    "cacert",
    "clientcert",
    "clientkey",
    "seclevel",
    "ignorecertitem",
    "ignoreinvalidcertsign",
    "ignoremulticertchainverify",
    "ignorelocaltime",
    "negotiatetime",
    "sni",
    "session_cache",
    "alpn",
    "psk",
    "cacertex",
];

/// Keys that are not in the V1.0 manual, so that a firmware that does not list one does not have it. A
/// list without a key of that manual is more likely damaged; those keys are written on every open, and
/// the answer decides.
const LATER: u16 = Key::Sni.bit()
    | Key::SessionCache.bit()
    | Key::Alpn.bit()
    | Key::Psk.bit()
    | LOOSENS
    | Key::CaCertEx.bit();

/// Keys of relatives that switch checks off (sheet 4.11). The strict value is 0.
const LOOSENS: u16 =
    Key::IgnoreCertItem.bit() | Key::IgnoreCertSign.bit() | Key::IgnoreCertChain.bit();

/// The keys on which verification and secrecy depend. They are read back before each open.
pub(crate) const PROVEN: u16 = Key::SslVersion.bit()
    | Key::CipherSuite.bit()
    | Key::CaCert.bit()
    | Key::ClientCert.bit()
    | Key::ClientKey.bit()
    | Key::SecLevel.bit()
    | LOOSENS
    | Key::IgnoreLocalTime.bit()
    | Key::Sni.bit();

/// The suites in the V1.0 manual: RSA keys only.
const V1_SUITES: SuiteSet = SuiteSet::of(&[
    0x0035, 0x002F, 0x0005, 0x0004, 0x000A, 0x003D, 0xC011, 0xC012, 0xC013, 0xC014, 0xC027, 0xC028,
    0xC02F,
]);

/// What is known of this firmware's keys, as bit sets, and of its cipher suites.
#[derive(Clone, Copy)]
pub(crate) struct Keys {
    /// Keys that the modem has listed, or accepted at an open.
    yes: u16,
    /// Keys that the modem refused at the last open that wrote them.
    no: u16,
    /// Keys that are not in the modem's list.
    absent: u16,
    suites: SuiteSet,
}

impl Keys {
    /// The state before the modem was asked. The suites are the manual's, until the modem lists its
    /// own.
    pub(crate) const UNKNOWN: Self = Self {
        yes: 0,
        no: 0,
        absent: 0,
        suites: V1_SUITES,
    };

    pub(crate) const fn of(self, key: Key) -> Support {
        if self.no & key.bit() != 0 {
            Support::No
        } else if self.yes & key.bit() != 0 {
            Support::Yes
        } else if self.absent & key.bit() != 0 {
            Support::No
        } else {
            Support::Unknown
        }
    }

    /// Returns whether the modem listed or accepted this key, regardless of later refusals.
    pub(crate) const fn lists(self, key: Key) -> bool {
        self.yes & key.bit() != 0
    }

    /// Notes the modem's answer to a key.
    pub(crate) const fn learn(&mut self, key: Key, accepted: bool) {
        if accepted {
            self.yes |= key.bit();
            self.no &= !key.bit();
        } else {
            self.no |= key.bit();
        }
    }

    /// Returns the keys without their refusals. Noise on the UART must not shut out a key for good, so
    /// that a listed one is tried again.
    pub(crate) const fn listed(self) -> Self {
        Self { no: 0, ..self }
    }

    pub(crate) const fn verification(self) -> Verification {
        let mut verification = Verification::UNKNOWN;
        verification.chain = self.of(Key::CaCert).and(self.of(Key::SecLevel));
        verification.dates = self.of(Key::IgnoreLocalTime);
        verification.sni = self.of(Key::Sni);
        verification.client_certificate = self
            .of(Key::ClientCert)
            .and(self.of(Key::ClientKey))
            .and(self.of(Key::SecLevel));
        // A name check is in no BG96 manual; a sibling does one at seclevel 1 (sheet T10). The meaning
        // of the key `checkhost`, which two drivers write, is unknown as well.
        verification.name = Support::Unknown;
        verification.suites = self.of(Key::CipherSuite);
        verification
    }

    pub(crate) fn capabilities(self) -> Capabilities {
        let mut capabilities = Capabilities::UNKNOWN;
        capabilities.verification = self.verification();
        // SSL 3 to TLS 1.2; no 1.3 on any relative (sheet 4.1).
        capabilities.versions = (TlsVersion::Tls10, TlsVersion::Tls12);
        capabilities.suites = self.suites;
        capabilities.alpn = self.of(Key::Alpn);
        capabilities.psk = self.of(Key::Psk);
        capabilities.resumption = self.of(Key::SessionCache);
        // "May hold one root"; more, and the lengths of chains, are UNCONFIRMED (sheet 3).
        capabilities.roots = Some(1);
        capabilities.sockets = Bg96::<All>::LIMITS.sockets as u8;
        capabilities.flush = Flush::ModemAccepted;
        // The modem answers an open at once and reports later, but it answers a close only when it is
        // done.
        capabilities.connect_blocks_ms = 0;
        capabilities.close_blocks_ms = CLOSE_LIMIT * 1000;
        capabilities
    }
}

impl<O: Options> Bg96<O> {
    /// Asks the modem for the list of its keys: twenty lines on a relative, some of over 200 bytes
    /// (sheet T16). A firmware that does not answer the test command leaves everything Unknown.
    pub(crate) const KEYS: Script<O> = &[ask("AT+QSSLCFG=?")
        .each(Self::key_listed)
        .then(Self::keys_listed)];

    fn key_listed(&mut self, _: &mut World<'_>, line: &[u8]) {
        self.keys.list(line);
    }

    fn keys_listed(&mut self, world: &mut World<'_>, answer: Option<&[u8]>) -> Then {
        let before = self.bring_up.suites;
        let again = before.is_some();
        self.keys.suites = self.keys.suites.union(before.unwrap_or(SuiteSet::EMPTY));
        if answer.is_none() {
            self.keys = Keys::UNKNOWN;
        } else if !again && self.keys.suites.modern().is_empty() {
            // A list without a suite with authenticated encryption is more likely noise on the UART,
            // and would hold until the next start.
            self.bring_up.suites = Some(self.keys.suites);
            self.keys.suites = V1_SUITES;
            return Then::Same;
        } else if self.keys.yes != 0 {
            // An `OK` without a list says nothing.
            self.keys.absent = LATER & !self.keys.yes;
        }
        Self::close_stale_sockets(world)
    }
}

impl Keys {
    /// Notes a line `+QSSLCFG: "<key>",(0-5),<values>`.
    fn list(&mut self, line: &[u8]) {
        let Some(text) = answer(line, "+QSSLCFG:") else {
            return;
        };
        let Some(name) = Fields::new(text).unquoted() else {
            return;
        };
        if let Some(key) = Key::named(name) {
            self.yes |= key.bit();
            if key == Key::CipherSuite {
                self.list_suites(text);
            }
        }
    }

    /// Notes the suites of a line `...,(0X0035,0X002F,...,0XFFFF)`.
    fn list_suites(&mut self, text: &[u8]) {
        let mut listed = SuiteSet::EMPTY;
        let separators = |&byte: &u8| matches!(byte, b',' | b'(' | b')' | b'"');
        for word in text.split(separators) {
            let number = match word.trim_ascii() {
                [b'0', b'X' | b'x', digits @ ..] if digits.len() == 4 => hex(digits),
                _ => None,
            };
            if let Some(number) = number {
                listed = listed.with(number);
            }
        }
        // The framer cuts a line at 256 bytes. Any suite of the manual may have been in the lost part.
        if !text.ends_with(b")") {
            listed = listed.union(V1_SUITES);
        }
        if !listed.is_empty() {
            self.suites = listed;
        }
    }
}

/// Reads up to four hexadecimal digits.
pub(crate) fn hex(digits: &[u8]) -> Option<u16> {
    digits.iter().try_fold(0, |value, digit| {
        let digit = match digit {
            b'0'..=b'9' => digit - b'0',
            b'A'..=b'F' | b'a'..=b'f' => (digit | 0x20) - b'a' + 10,
            _ => return None,
        };
        Some(value << 4 | u16::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use sectag::ServerKey;

    use super::*;

    /// The lines of sheet T16 that matter here.
    const EG25: [&str; 8] = [
        "+QSSLCFG: \"sslversion\",(0-5),(0-4)",
        "+QSSLCFG: \"dtls\",(0-5),(0,1)",
        "+QSSLCFG: \"ciphersuite\",(0-5),(0X0035,0X002F,0X0005,0X000A,0X003D,0XC003,0XC004,0XC005,0XC008,0XC009,0XC00A,0XC012,0XC013,0XC014,0XC00D,0XC00E,0XC00F,0XC023,0XC024,0XC025,0XC026,0XC027,0XC028,0XC029,0XC02A,0XC02F,0XC030,0XFFFF)",
        "+QSSLCFG: \"clientkey\",(0-5),<client_key_path>,<key_pwd>",
        "+QSSLCFG: \"sni\",(0-5),(0,1)",
        "+QSSLCFG: \"psk\",(0-5),<identity>,<key>",
        "+QSSLCFG: \"session_cache\",(0-5),(0,1)",
        "+QSSLCFG: \"alpn\",(0-5),<protocolname>",
    ];

    #[test]
    fn names_stand_in_the_order_of_the_keys() {
        for (index, key) in Key::ALL.into_iter().enumerate() {
            assert_eq!(key as usize, index);
        }
        assert_eq!(Key::IgnoreLocalTime.name(), "ignorelocaltime");
        assert_eq!(Key::Psk.name(), "psk");
    }

    #[test]
    fn list_of_a_relative_is_read() {
        let mut keys = Keys::UNKNOWN;
        for line in EG25 {
            keys.list(line.as_bytes());
        }
        for key in [
            Key::SslVersion,
            Key::Sni,
            Key::Psk,
            Key::SessionCache,
            Key::Alpn,
        ] {
            assert_eq!(keys.of(key), Support::Yes, "{key:?}");
        }
        assert_eq!(keys.of(Key::CaCert), Support::Unknown);
        let capabilities = keys.capabilities();
        assert!(capabilities.speaks_to(ServerKey::Ecdsa));
        assert_eq!(capabilities.suites.iter().count(), 27);
        assert_eq!(
            (
                capabilities.suites.contains(0xC02F),
                capabilities.suites.contains(0x0004)
            ),
            (true, false)
        );
    }

    #[test]
    fn cut_or_empty_list_of_suites_takes_nothing_away() {
        let mut keys = Keys::UNKNOWN;
        keys.list(b"+QSSLCFG: \"ciphersuite\",(0-5),(0XC02B,0XC0");
        assert!(keys.suites.contains(0xC02B) && keys.suites.contains(0xC02F));
        let mut keys = Keys::UNKNOWN;
        keys.list(b"+QSSLCFG: \"ciphersuite\",(0-5),()");
        assert!(keys.suites == V1_SUITES);
        assert!(!keys.capabilities().speaks_to(ServerKey::Ecdsa));
    }

    #[test]
    fn refusal_counts_until_the_key_is_accepted() {
        let mut keys = Keys::UNKNOWN;
        keys.learn(Key::CaCert, true);
        keys.learn(Key::SecLevel, false);
        assert_eq!(keys.verification().chain, Support::No);
        assert_eq!(keys.listed().verification().chain, Support::Unknown);
        keys.learn(Key::SecLevel, true);
        assert_eq!(keys.verification().chain, Support::Yes);
        assert_eq!(keys.verification().name, Support::Unknown);
    }
}
