//! Wi-Fi for all modems that have it: the network to join, the failures of a join, and the network that was joined.

use core::fmt;

use heapless::String;

use crate::at::{InvalidInput, Text};
use crate::cause::{Cause, Causes};
use crate::secret::Secret;

/// The shortest passphrase in characters, by IEEE 802.11.
const PASSPHRASE_MIN: usize = 8;
/// The longest passphrase in characters; 64 hexadecimal digits are the key itself.
const PASSPHRASE_MAX: usize = 63;

/// The security of a Wi-Fi network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Security {
    /// An open network without a passphrase. Connections are still protected by TLS.
    Open,
    /// WPA or WPA2 personal, with a passphrase or key that all stations share.
    Wpa2,
}

/// The Wi-Fi network to join. Its texts are checked when it is made, or when the firmware is built where it is a `const`.
/// `Debug` does not show the key.
///
/// ```
/// use sectag::wifi::WifiConfig;
///
/// const WIFI: WifiConfig = match WifiConfig::wpa2("workshop", "correct horse battery") {
///     Ok(wifi) => wifi,
///     Err(_) => panic!("no name or passphrase of a network"),
/// };
/// ```
#[derive(Clone, Copy, Debug)]
pub struct WifiConfig {
    ssid: Text<'static, 32>,
    security: Security,
    key: Secret<Text<'static, 64>>,
}

impl WifiConfig {
    /// Makes an open network, without a passphrase. Its name (SSID) has 1 to 32 bytes.
    ///
    /// # Errors
    /// [`InvalidInput`] where the name is empty, too long, or could break a command.
    pub const fn open(ssid: &'static str) -> Result<Self, InvalidInput> {
        Self::new(ssid, Security::Open, "")
    }

    /// Makes a network of WPA or WPA2 personal. Its name (SSID) has 1 to 32 bytes; its passphrase has 8 to 63 printable
    /// ASCII characters, or is the key as 64 hexadecimal digits.
    ///
    /// # Errors
    /// [`InvalidInput`] where one of them is empty, too short or too long, or could break a command.
    pub const fn wpa2(ssid: &'static str, passphrase: &'static str) -> Result<Self, InvalidInput> {
        let bytes = passphrase.as_bytes();
        if bytes.len() < PASSPHRASE_MIN {
            return Err(InvalidInput::TooShort {
                least: PASSPHRASE_MIN,
            });
        }
        let mut at = 0;
        while at < bytes.len() {
            if !bytes[at].is_ascii() {
                return Err(InvalidInput::ForbiddenCharacter { at });
            }
            if bytes.len() > PASSPHRASE_MAX && !bytes[at].is_ascii_hexdigit() {
                return Err(InvalidInput::TooLong {
                    limit: PASSPHRASE_MAX,
                });
            }
            at += 1;
        }
        Self::new(ssid, Security::Wpa2, passphrase)
    }

    const fn new(
        ssid: &'static str,
        security: Security,
        key: &'static str,
    ) -> Result<Self, InvalidInput> {
        if ssid.is_empty() {
            return Err(InvalidInput::Empty);
        }
        match (Text::new(ssid), Secret::text(key)) {
            (Ok(ssid), Ok(key)) => Ok(Self {
                ssid,
                security,
                key,
            }),
            (Err(error), _) | (_, Err(error)) => Err(error),
        }
    }

    /// Returns the network's name (SSID).
    pub const fn ssid(&self) -> &'static str {
        self.ssid.as_str()
    }

    /// Returns the security of the network.
    pub const fn security(&self) -> Security {
        self.security
    }

    /// Returns the passphrase or key, for a backend; empty for an open network.
    pub const fn key(&self) -> &Secret<Text<'static, 64>> {
        &self.key
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for WifiConfig {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(
            f,
            "WifiConfig({=str}, {}, (secret))",
            self.ssid(),
            self.security
        );
    }
}

/// The stage at which a join failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum JoinFailure {
    /// No access point of this name was joined, and none refused the key.
    NotFound,
    /// The access point refused the passphrase, or the kind of security.
    Refused,
    /// The access point accepted the station, but no IP address came.
    NoAddress,
}

impl JoinFailure {
    /// Returns the possible causes, the likeliest first.
    pub const fn causes(self) -> Causes {
        Causes::new(match self {
            Self::NotFound => &[Cause::WifiNotFound, Cause::WifiSecurityMismatch],
            Self::Refused => &[Cause::PassphraseRefused, Cause::WifiSecurityMismatch],
            Self::NoAddress => &[Cause::NoAddress],
        })
    }
}

impl fmt::Display for JoinFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotFound => "no access point of the Wi-Fi network was joined",
            Self::Refused => "the access point of the Wi-Fi network refused this station",
            Self::NoAddress => "the Wi-Fi network was joined, and gave no address",
        })
    }
}

/// The Wi-Fi network that a modem has joined, as far as the modem reports it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Association {
    /// The network's name (SSID).
    pub ssid: Option<String<32>>,
    /// The address of the access point (BSSID), 12 hex digits.
    pub access_point: Option<String<12>>,
    /// The radio channel.
    pub channel: Option<u8>,
    /// The modem's own address on the air (MAC), 12 hex digits.
    pub station: Option<String<12>>,
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::format;

    use super::*;

    #[test]
    fn networks_that_cannot_be_are_refused() {
        let refused = |config: Result<WifiConfig, _>| config.err();
        assert_eq!(refused(WifiConfig::open("")), Some(InvalidInput::Empty));
        assert_eq!(
            refused(WifiConfig::open("123456789012345678901234567890123")),
            Some(InvalidInput::TooLong { limit: 32 })
        );
        assert_eq!(
            refused(WifiConfig::wpa2("net", "1234567")),
            Some(InvalidInput::TooShort { least: 8 })
        );
        assert_eq!(
            refused(WifiConfig::wpa2("net", "12345678\r")),
            Some(InvalidInput::ForbiddenCharacter { at: 8 })
        );
        assert_eq!(
            refused(WifiConfig::wpa2("net", "pässword")),
            Some(InvalidInput::ForbiddenCharacter { at: 1 })
        );
        const HEX: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
        const LONG: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdeg";
        assert!(WifiConfig::wpa2("net", HEX).is_ok());
        assert_eq!(
            refused(WifiConfig::wpa2("net", LONG)),
            Some(InvalidInput::TooLong { limit: 63 })
        );
    }

    #[test]
    fn the_key_is_not_shown() {
        let wifi = WifiConfig::wpa2("net", "correct horse").unwrap();
        let shown = format!("{wifi:?}");
        assert!(shown.contains("net") && !shown.contains("horse"), "{shown}");
        assert_eq!(wifi.key().expose().as_str(), "correct horse");
        assert_eq!(WifiConfig::open("net").unwrap().security(), Security::Open);
    }
}
