//! SAS tokens, which Azure's IoT Hub and Event Hubs take as a password: an HMAC-SHA256 with a shared key.

use core::fmt;

use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::base64url::decimal;
use super::{Invalid, Token, check_lifetime};
use crate::SecretBuf;
use crate::clock::{DateTime, MIN_DATE};
use crate::inspect::{Base64, encode};

/// The longest key in bytes; Azure's keys have 32 or 64.
const MAX_KEY: usize = 64;

/// A shared access key. It is wiped from memory when it is dropped.
pub struct Key(SecretBuf<MAX_KEY>);

impl Key {
    /// Makes a key of 1 to 64 bytes from base64, the form in which Azure shows it.
    ///
    /// # Errors
    /// [`Invalid::Key`] where it is not that.
    pub fn from_base64(text: &str) -> Result<Self, Invalid> {
        let mut key = SecretBuf::new();
        let mut decoder = Base64::new();
        for character in text.bytes() {
            if let Some(byte) = decoder.push(character).map_err(|_| Invalid::Key)?
                && !key.push(&[byte])
            {
                return Err(Invalid::Key);
            }
        }
        if !decoder.is_whole() || key.expose().is_empty() {
            return Err(Invalid::Key);
        }
        Ok(Self(key))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(secret)")
    }
}

/// Makes a token `SharedAccessSignature sr=..&sig=..&se=..` in `out` that is valid for `lifetime` seconds from `now` on,
/// at most [`MAX_LIFETIME`](super::MAX_LIFETIME).
///
/// `resource` is `HUB.azure-devices.net/devices/ID` for a device; it is escaped here. `policy` names the key (`skn`) where
/// it is not the device's own.
///
/// # Errors
/// The reason why no token can be made.
pub fn sign<'b>(
    key: &Key,
    resource: &str,
    policy: Option<&str>,
    lifetime: u32,
    now: DateTime,
    out: &'b mut [u8],
) -> Result<Token<'b>, Invalid> {
    if !now.is_plausible(MIN_DATE) {
        return Err(Invalid::ClockNotSet { now: Some(now) });
    }
    check_lifetime(lifetime)?;
    if resource.is_empty() {
        return Err(Invalid::NoAudience);
    }
    let mut digits = [0; 10];
    let expiry = decimal(now.to_unix() as u32 + lifetime, &mut digits);
    // HMAC takes a key of any length.
    let mut mac = Hmac::<Sha256>::new_from_slice(key.0.expose()).map_err(|_| Invalid::Key)?;
    escape(resource.as_bytes(), |bytes| mac.update(bytes));
    mac.update(b"\n");
    mac.update(expiry);
    let mut signature = [0; 44];
    encode(&mac.finalize().into_bytes(), &mut signature);

    let mut text = Text { out, len: 0 };
    text.put(b"SharedAccessSignature sr=");
    escape(resource.as_bytes(), |bytes| text.put(bytes));
    text.put(b"&sig=");
    escape(&signature, |bytes| text.put(bytes));
    text.put(b"&se=");
    text.put(expiry);
    if let Some(policy) = policy {
        text.put(b"&skn=");
        escape(policy.as_bytes(), |bytes| text.put(bytes));
    }
    let Text { out, len } = text;
    let all = out.get(..len);
    let all = all.ok_or(Invalid::BufferTooSmall { needed: len })?;
    // All bytes that were put are ASCII.
    Ok(Token::new(
        core::str::from_utf8(all).unwrap_or_default(),
        now,
        lifetime,
    ))
}

/// Escapes bytes for a URL: all but letters, digits, `-`, `.`, `_` and `~` become `%` and two hexadecimal digits.
fn escape(bytes: &[u8], mut put: impl FnMut(&[u8])) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            put(&[byte]);
        } else {
            let [high, low] = [byte >> 4, byte & 15].map(|digit| HEX[usize::from(digit)]);
            put(&[b'%', high, low]);
        }
    }
}

struct Text<'b> {
    out: &'b mut [u8],
    /// The number of bytes so far, with those that did not fit.
    len: usize,
}

impl Text<'_> {
    fn put(&mut self, bytes: &[u8]) {
        let end = self.len + bytes.len();
        if let Some(room) = self.out.get_mut(self.len..end) {
            room.copy_from_slice(bytes);
        }
        self.len = end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: DateTime = match DateTime::new(2026, 11, 28, 12, 0, 0) {
        Some(now) => now,
        None => panic!("it exists"),
    };

    /// The signature was computed with Python's hmac, base64 and urllib, as Azure's documentation shows it.
    #[test]
    fn a_token_is_what_python_makes() {
        let key = Key::from_base64("c2VjdGFnIGtleSBvZiB0aGlydHktdHdvIGJ5dGVzISE=").unwrap();
        let mut out = [0; 256];
        let token = sign(
            &key,
            "hub.azure-devices.net/devices/pump 17",
            None,
            3600,
            NOW,
            &mut out,
        );
        assert_eq!(token.unwrap().expose(), include_str!("sas.txt").trim_end());
        let token = sign(&key, "hub", Some("device"), 60, NOW, &mut out).unwrap();
        assert!(
            token.expose().ends_with("&se=1795867260&skn=device"),
            "{}",
            token.expose()
        );
    }

    #[test]
    fn bad_input_is_refused_by_name() {
        for bad in ["", "QQ=", "a b=", "-_-_", &"QUJD".repeat(22)] {
            assert_eq!(Key::from_base64(bad).err(), Some(Invalid::Key), "{bad}");
        }
        let key = Key::from_base64("QUJD").unwrap();
        let mut out = [0; 64];
        let mut refused =
            |resource, lifetime, now| sign(&key, resource, None, lifetime, now, &mut out).err();
        assert_eq!(refused("", 1, NOW), Some(Invalid::NoAudience));
        assert_eq!(
            refused("a", 86_401, NOW),
            Some(Invalid::Lifetime { seconds: 86_401 })
        );
        let early = DateTime::new(2026, 10, 31, 0, 0, 0).unwrap();
        assert_eq!(
            refused("a", 1, early),
            Some(Invalid::ClockNotSet { now: Some(early) })
        );
        assert!(matches!(
            refused("a", 1, NOW),
            Some(Invalid::BufferTooSmall { needed: 84..=100 })
        ));
    }
}
