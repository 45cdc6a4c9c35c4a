//! What an import makes of its content (ublox sheet, B.2.1).

use md5::{Digest, Md5};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// How types are called in a list.
pub(super) const TYPES: [&str; 6] = ["CA", "CC", "PK", "SC", "VC", "PU"];

/// The DER form; `None` where there is no such thing in it, or not all of it.
pub(super) fn der(of: u8, content: &[u8], wants_lines: bool) -> Option<Vec<u8>> {
    if wants_lines && !content.contains(&b'\n') {
        return None;
    }
    // Noise inside of the base64 is skipped by no parser.
    if of == 2 {
        let key = PrivateKeyDer::from_pem_slice(content).ok()?;
        Some(key.secret_der().to_vec())
    } else {
        let certificate = CertificateDer::from_pem_slice(content).ok()?;
        Some(certificate.to_vec())
    }
}

/// MD5 as it is printed.
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
