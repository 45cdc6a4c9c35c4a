//! Secrets: PINs, passwords and keys, which no log shows.

use core::fmt;

use zeroize::Zeroize;

use crate::at::Text;

/// A secret value that no log shows: it has no `Display`, and `Debug` and defmt print `(secret)`. It is for values that
/// live in flash or are borrowed; [`SecretBuf`] owns its bytes and wipes them.
///
/// It is a [`Source`](crate::Source), so a key in it can be stored:
/// `control.store(tag, Kind::PrivateKey, Secret::new(KEY))`.
#[derive(Clone, Copy)]
pub struct Secret<T>(T);

impl<T> Secret<T> {
    /// Wraps a value.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// Returns the value unprotected: keep it out of logs and traces.
    pub const fn expose(&self) -> &T {
        &self.0
    }
}

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

#[cfg(feature = "defmt")]
impl<T> defmt::Format for Secret<T> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "(secret)");
    }
}

impl<'a, const MAX: usize> Secret<Text<'a, MAX>> {
    /// Makes a secret of a checked text. It is `const`, as [`Text::new`] is.
    ///
    /// # Errors
    /// Those of [`Text::new`].
    pub const fn text(text: &'a str) -> Result<Self, crate::at::InvalidInput> {
        match Text::new(text) {
            Ok(text) => Ok(Self(text)),
            Err(error) => Err(error),
        }
    }
}

impl<'a, const MAX: usize> Secret<Text<'a, MAX>> {
    /// Makes a secret of a SIM's PIN, of 4 to 8 digits (3GPP TS 31.101, 9.5.1).
    ///
    /// # Errors
    /// [`InvalidInput`](crate::at::InvalidInput) where it is shorter or longer, or has another character: entered, such a
    /// PIN would use up one of three attempts.
    pub const fn pin(pin: &'a str) -> Result<Self, crate::at::InvalidInput> {
        use crate::at::InvalidInput;
        let mut at = 0;
        while at < pin.len() {
            if !pin.as_bytes()[at].is_ascii_digit() {
                return Err(InvalidInput::NoDigit { at });
            }
            at += 1;
        }
        if at < 4 {
            return Err(InvalidInput::TooShort { least: 4 });
        }
        if at > 8 {
            return Err(InvalidInput::TooLong { limit: 8 });
        }
        Self::text(pin)
    }
}

/// A buffer of up to `N` secret bytes, for instance read from flash or a console. `Debug` and defmt show only their
/// number.
///
/// The bytes are overwritten when the buffer is dropped, by the `zeroize` crate, which the compiler cannot leave out.
/// Copies that were made by moving the value, and bytes in the buffers of a UART, are not overwritten; a `static` is
/// never dropped.
pub struct SecretBuf<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> SecretBuf<N> {
    /// Makes an empty buffer.
    pub const fn new() -> Self {
        Self {
            bytes: [0; N],
            len: 0,
        }
    }

    /// Appends `bytes`. Returns `false`, and appends nothing, where they do not fit.
    pub fn push(&mut self, bytes: &[u8]) -> bool {
        let end = self.len.saturating_add(bytes.len());
        let room = self.bytes.get_mut(self.len..end);
        let fits = room.is_some();
        if let Some(room) = room {
            room.copy_from_slice(bytes);
            self.len = end;
        }
        fits
    }

    /// Overwrites all bytes, and makes the buffer empty.
    pub fn clear(&mut self) {
        self.bytes.zeroize();
        self.len = 0;
    }

    /// Returns the bytes unprotected: keep them out of logs and traces.
    pub fn expose(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl<const N: usize> Default for SecretBuf<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> Drop for SecretBuf<N> {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

impl<const N: usize> fmt::Debug for SecretBuf<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({} secret bytes)", self.len)
    }
}

#[cfg(feature = "defmt")]
impl<const N: usize> defmt::Format for SecretBuf<N> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "({=usize} secret bytes)", self.len);
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::format;

    use super::*;

    #[test]
    fn a_pin_has_four_to_eight_digits() {
        use crate::at::InvalidInput;
        let refused = |pin| Secret::<Text<'_, 8>>::pin(pin).map(drop);
        for pin in ["0000", "12345678"] {
            assert_eq!(refused(pin), Ok(()), "{pin}");
        }
        for (pin, error) in [
            ("", InvalidInput::TooShort { least: 4 }),
            ("123", InvalidInput::TooShort { least: 4 }),
            ("123456789", InvalidInput::TooLong { limit: 8 }),
            ("12a4", InvalidInput::NoDigit { at: 2 }),
            (" 1234", InvalidInput::NoDigit { at: 0 }),
            ("1234\"", InvalidInput::NoDigit { at: 4 }),
        ] {
            assert_eq!(refused(pin), Err(error), "{pin}");
        }
    }

    #[test]
    fn nothing_of_the_content_is_shown() {
        let mut buf = SecretBuf::<8>::new();
        assert!(buf.push(b"hunter2"));
        assert!(!buf.push(b"hu"));
        assert_eq!(buf.expose(), b"hunter2");
        assert_eq!(format!("{buf:?}"), "(7 secret bytes)");
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "(secret)");
        buf.clear();
        assert_eq!((buf.expose(), buf.bytes), (&b""[..], [0; 8]));
    }
}
