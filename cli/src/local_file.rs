//! A credential on this computer that nothing is done with but to look: for doctor and probe.

use std::fmt::Display;
use std::path::Path;

use sectag::Kind;
use sectag::clock::DateTime;
use sectag::inspect::{Content, Inspector, Material, check, check_pair};

use crate::hints::Failure;

pub(crate) struct LocalFile {
    pub(crate) kind: Kind,
    pub(crate) content: Vec<u8>,
    material: Material,
}

impl LocalFile {
    /// The day on which a certificate that is no longer valid at `now` ended.
    pub(crate) fn expired(&self, now: DateTime) -> Option<DateTime> {
        match self.material.content {
            Content::Certificate(certificate) => certificate.not_after.filter(|end| *end < now),
            Content::PrivateKey(_) => None,
        }
    }
}

pub(crate) fn read(path: &Path, kind: Kind) -> Result<LocalFile, Failure> {
    let shown = path.display();
    let content = std::fs::read(path)
        .map_err(|error| Failure::new(format!("cannot read {shown}: {error}")))?;
    let mut inspector = Inspector::new();
    inspector.feed(&content);
    let material = inspector
        .finish()
        .map_err(|reason| failure(&shown, &reason))?;
    // The modem's CA file holds one root; how long a client's chain may be is in no manual (bg96
    // sheet, section 3).
    let allowed = if kind == Kind::Ca { 1 } else { u16::MAX };
    check(kind, &material, allowed).map_err(|reason| failure(&shown, &reason))?;
    Ok(LocalFile {
        kind,
        content,
        material,
    })
}

/// Whether the private key is the certificate's, if both are among `files`.
pub(crate) fn check_together(files: &[LocalFile]) -> Result<(), Failure> {
    let find = |kind| files.iter().find(|file| file.kind == kind);
    let (Some(certificate), Some(key)) = (find(Kind::ClientCertificate), find(Kind::PrivateKey))
    else {
        return Ok(());
    };
    check_pair(&certificate.material, &key.material)
        .map_err(|reason| failure(&"--cert and --key", &reason))
}

/// The inspection says the cause, a colon, and the next step.
fn failure(shown: &dyn Display, reason: &dyn Display) -> Failure {
    let reason = reason.to_string();
    match reason.split_once(": ") {
        Some((cause, step)) => Failure::new(format!("{shown}: {cause}")).hint(step),
        None => Failure::new(format!("{shown}: {reason}")),
    }
}

#[cfg(test)]
mod tests {
    use sectag_test_support::pki::Pki;

    use super::*;

    fn try_read(content: &str, kind: Kind) -> Result<LocalFile, Failure> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        read(file.path(), kind)
    }

    #[test]
    fn each_file_goes_where_it_belongs() {
        let pki = Pki::shared();
        let (ca, client) = (pki.ca_pem(), pki.client());
        assert!(try_read(&ca, Kind::Ca).is_ok());
        assert!(try_read(&client.cert_pem, Kind::ClientCertificate).is_ok());
        assert!(try_read(&client.key_pem, Kind::PrivateKey).is_ok());
        for (content, kind) in [
            (&client.cert_pem, Kind::Ca),
            (&client.key_pem, Kind::Ca),
            (&ca, Kind::ClientCertificate),
            (&ca, Kind::PrivateKey),
            (&String::new(), Kind::Ca),
            (&"hello".into(), Kind::Ca),
            (&format!("{ca}{ca}"), Kind::Ca),
        ] {
            assert!(try_read(content, kind).is_err(), "{kind}: {content}");
        }
    }

    #[test]
    fn key_of_another_certificate_is_refused() {
        let pki = Pki::shared();
        let files = |key: &str| {
            vec![
                try_read(&pki.client().cert_pem, Kind::ClientCertificate).unwrap(),
                try_read(key, Kind::PrivateKey).unwrap(),
            ]
        };
        assert!(check_together(&files(&pki.client().key_pem)).is_ok());
        assert!(check_together(&files(&pki.server().key_pem)).is_err());
    }
}
