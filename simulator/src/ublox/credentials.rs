//! The conversion of imported credentials (ublox sheet, B.2.1).

use md5::{Digest, Md5};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// The names of the types in a list.
pub(super) const TYPES: [&str; 6] = ["CA", "CC", "PK", "SC", "VC", "PU"];

/// Returns the DER form of an import; `None` if it contains none, or not all of one.
pub(super) fn der(of: u8, content: &[u8], wants_lines: bool) -> Option<Vec<u8>> {
    if wants_lines && !content.contains(&b'\n') {
        return None;
    }
    // Noise inside the base64 is refused, since no parser skips it.
    if of == 2 {
        let key = PrivateKeyDer::from_pem_slice(content).ok()?;
        Some(key.secret_der().to_vec())
    } else {
        let certificate = CertificateDer::from_pem_slice(content).ok()?;
        Some(certificate.to_vec())
    }
}

/// Returns an MD5 in the form in which it is printed.
pub(super) fn digest(der: &[u8], other: bool) -> String {
    let mut md5 = Md5::new();
    md5.update(der);
    if other {
        md5.update(b"in another form");
    }
    md5.finalize()
        .iter()
        .map(|byte| format!("{byte:02X}"))
        .collect()
}
