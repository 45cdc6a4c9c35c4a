//! DER printed as PEM, for requests and public keys that a modem makes.

use core::fmt;

use super::base64::encode;

/// The number of bytes on a line of 64 characters.
const LINE: usize = 48;

/// DER whose `Display` is PEM, with LF line ends and one after the last line.
#[derive(Clone, Copy)]
pub struct Pem<'a> {
    label: &'static str,
    der: &'a [u8],
}

impl<'a> Pem<'a> {
    /// Wraps DER. `label` stands after `BEGIN`, for instance `CERTIFICATE REQUEST`.
    pub const fn new(label: &'static str, der: &'a [u8]) -> Self {
        Self { label, der }
    }
}

impl fmt::Display for Pem<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "-----BEGIN {}-----", self.label)?;
        for bytes in self.der.chunks(LINE) {
            let mut text = [0; 64];
            let len = encode(bytes, &mut text);
            f.write_str(core::str::from_utf8(&text[..len]).unwrap_or_default())?;
            f.write_str("\n")?;
        }
        writeln!(f, "-----END {}-----", self.label)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::string::ToString;

    use super::*;

    #[test]
    fn lines_have_64_characters() {
        let text = Pem::new("X", &[b'A'; 49]).to_string();
        let lines: std::vec::Vec<_> = text.lines().collect();
        assert_eq!(lines[0], "-----BEGIN X-----");
        assert_eq!((lines[1].len(), lines[2]), (64, "QQ=="));
        assert_eq!(lines[3], "-----END X-----");
        assert!(text.ends_with("-----\n"));
    }
}
