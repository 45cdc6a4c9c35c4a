//! Conversions of ECDSA signatures on P-256 between their two forms, and of P-256 public keys to DER.

use core::fmt;

/// The longest signature in DER: two numbers of 33 bytes with two bytes each in front, and two more.
#[cfg(test)]
const MAX_ECDSA_DER: usize = 72;

/// The error for bytes that are no ECDSA signature of P-256 in DER.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Malformed;

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "this is not an ECDSA signature of P-256 in DER: check what the key store answers",
        )
    }
}

impl core::error::Error for Malformed {}

/// Makes the SubjectPublicKeyInfo in DER of a P-256 key from the coordinates x and y of its point, 32 bytes each. Key
/// stores that return 65 bytes have a 4 in front of them.
pub fn p256_public_key(point: &[u8; 64]) -> [u8; 91] {
    // SEQUENCE { SEQUENCE { id-ecPublicKey, prime256v1 }, BIT STRING { 4, x, y } } (RFC 5480).
    const HEAD: &[u8; 27] = b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00\x04";
    let mut info = [0; 91];
    info[..27].copy_from_slice(HEAD);
    info[27..].copy_from_slice(point);
    info
}

/// Converts a signature, r and s, to the SEQUENCE of two INTEGERs of X.509 (RFC 3279 section 2.2.3), and returns the
/// length of that.
pub fn ecdsa_to_der(signature: &[u8; 64], out: &mut [u8; 72]) -> usize {
    let mut len = 2;
    for number in signature.chunks_exact(32) {
        let zeros = number.iter().take(31).take_while(|byte| **byte == 0);
        let number = &number[zeros.count()..];
        // A zero byte keeps the first bit from being read as the sign.
        let pad = usize::from(number[0] >= 0x80);
        out[len] = 2;
        out[len + 1] = (number.len() + pad) as u8;
        out[len + 2] = 0;
        len += 2 + pad;
        out[len..len + number.len()].copy_from_slice(number);
        len += number.len();
    }
    out[0] = 0x30;
    out[1] = (len - 2) as u8;
    len
}

/// Converts a signature in DER to r and s, for a key store that returns DER.
///
/// # Errors
/// [`Malformed`] where it is no such signature.
pub fn ecdsa_from_der(der: &[u8]) -> Result<[u8; 64], Malformed> {
    let Some(([0x30, len], mut rest)) = der.split_first_chunk() else {
        return Err(Malformed);
    };
    if rest.len() != usize::from(*len) {
        return Err(Malformed);
    }
    let mut signature = [0; 64];
    for room in signature.chunks_exact_mut(32) {
        let Some(([2, len], behind)) = rest.split_first_chunk() else {
            return Err(Malformed);
        };
        let (number, behind) = behind.split_at_checked((*len).into()).ok_or(Malformed)?;
        let number = match number {
            [0, number @ ..] if number.len() == 32 => number,
            number => number,
        };
        let at = 32_usize.checked_sub(number.len()).ok_or(Malformed)?;
        room[at..].copy_from_slice(number);
        rest = behind;
    }
    if rest.is_empty() {
        Ok(signature)
    } else {
        Err(Malformed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Short numbers, and numbers with the first bit set, survive the conversion to DER and back.
    #[test]
    fn numbers_have_no_more_bytes_than_they_need() {
        let mut signature = [0; 64];
        signature[31] = 1;
        signature[32] = 0x80;
        let mut out = [0; 72];
        let len = ecdsa_to_der(&signature, &mut out);
        assert_eq!(out[..5], [0x30, 38, 2, 1, 1]);
        assert_eq!(out[5..9], [2, 33, 0, 0x80]);
        assert_eq!(len, 40);
        assert_eq!(ecdsa_from_der(&out[..len]), Ok(signature));
        let longest = [0xff; 64];
        assert_eq!(ecdsa_to_der(&longest, &mut out), MAX_ECDSA_DER);
        assert_eq!(ecdsa_from_der(&out), Ok(longest));
        let zero = [0; 64];
        let len = ecdsa_to_der(&zero, &mut out);
        assert_eq!(out[..len], [0x30, 6, 2, 1, 0, 2, 1, 0]);
    }

    #[test]
    fn a_signature_that_is_cut_or_too_long_is_refused() {
        let mut out = [0; 72];
        let len = ecdsa_to_der(&[0x7f; 64], &mut out);
        for cut in 0..len {
            assert_eq!(ecdsa_from_der(&out[..cut]), Err(Malformed), "{cut}");
        }
        assert_eq!(ecdsa_from_der(&out[..len + 1]), Err(Malformed));
    }
}
