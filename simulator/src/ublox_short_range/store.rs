//! The store of certificates and keys (sheet A.4.1).

use md5::{Digest, Md5};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::ShortRange;

/// The longest content, in bytes.
pub(super) const LIMIT: usize = 8192;
/// The longest name, in bytes.
pub(super) const NAME_LIMIT: usize = 32;

/// An import under way, which takes every byte of the AT channel.
pub(super) struct Upload {
    pub(super) kind: u8,
    pub(super) name: String,
    pub(super) len: usize,
    pub(super) content: Vec<u8>,
}

/// Returns the content in DER, if it is PEM. Other content, or PEM around something else, stays as it
/// is, since no source says that the module parses it.
pub(super) fn der(kind: u8, content: &[u8]) -> Vec<u8> {
    let key = || PrivateKeyDer::from_pem_slice(content).ok();
    let certificate = || CertificateDer::from_pem_slice(content).ok();
    let found = match kind {
        2 => key().map(|key| key.secret_der().to_vec()),
        _ => certificate().map(|certificate| certificate.to_vec()),
    };
    // Certificates and keys are sequences.
    let found = found.filter(|der| der.first() == Some(&0x30));
    found.unwrap_or_else(|| content.to_vec())
}

impl ShortRange {
    pub(super) fn upload_byte(&self, byte: u8) {
        let mut upload = self.upload.borrow_mut();
        let Some(running) = upload.as_mut() else {
            return;
        };
        running.content.push(byte);
        if running.content.len() < running.len {
            return;
        }
        let Some(done) = upload.take() else { return };
        drop(upload);
        let content = der(done.kind, &done.content);
        let told = self.digest(done.kind, &done.name, &content);
        self.store
            .borrow_mut()
            .insert((done.kind, done.name), content);
        self.answer(&format!("+USECMNG:0,{told}"));
        self.ok();
    }

    /// Returns `<type>,"<name>","<MD5>"`.
    pub(super) fn digest(&self, kind: u8, name: &str, content: &[u8]) -> String {
        let mut md5 = Md5::new();
        md5.update(content);
        if self.options.other_form {
            md5.update(b"\n");
        }
        let hex: String = md5
            .finalize()
            .iter()
            .map(|byte| format!("{byte:02X}"))
            .collect();
        format!("{kind},\"{name}\",\"{hex}\"")
    }
}
