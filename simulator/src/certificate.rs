//! What modems tell of a stored certificate: its serial number and its dates.

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// Returns serial number, begin and end of the first certificate of a PEM; times are `yyyymmddhhmmssZ`.
pub(crate) fn dates(content: &[u8]) -> Option<(String, String, String)> {
    let certificate = CertificateDer::from_pem_slice(content).ok()?;
    let (_, certificate, _) = value(&certificate)?;
    let (_, body, _) = value(certificate)?;
    let (tag, _, rest) = value(body)?;
    // The version may be missing.
    let rest = if tag == 0xa0 { rest } else { body };
    let (_, serial, rest) = value(rest)?;
    let (_, _, rest) = value(rest)?;
    let (_, _, rest) = value(rest)?;
    let (_, validity, _) = value(rest)?;
    let (from_tag, from, rest) = value(validity)?;
    let (to_tag, to, _) = value(rest)?;
    // A UTCTime has two digits of the year (RFC 5280 section 4.1.2.5.1).
    let text = |tag: u8, time: &[u8]| {
        let time = String::from_utf8_lossy(time).into_owned();
        match tag {
            0x17 if time.as_str() < "50" => format!("20{time}"),
            0x17 => format!("19{time}"),
            _ => time,
        }
    };
    let serial = serial.iter().map(|byte| format!("{byte:02X}")).collect();
    Some((serial, text(from_tag, from), text(to_tag, to)))
}

/// Reads a DER value; returns its tag, its content and the rest.
fn value(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = der.split_first()?;
    let (len, rest) = match rest {
        [len @ 0..=0x7f, rest @ ..] => (usize::from(*len), rest),
        [0x81, len, rest @ ..] => (usize::from(*len), rest),
        [0x82, high, low, rest @ ..] => (usize::from(u16::from_be_bytes([*high, *low])), rest),
        _ => return None,
    };
    let (content, behind) = rest.split_at_checked(len)?;
    Some((*tag, content, behind))
}
