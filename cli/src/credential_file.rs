//! Reads a credential and looks whether it is what its option says, before any of it is sent.

use std::path::Path;

use sectag::Kind;

use crate::hints::Failure;

pub(crate) struct CredentialFile {
    pub(crate) content: Vec<u8>,
    pub(crate) is_pem: bool,
}

pub(crate) fn read(path: &Path, kind: Kind) -> Result<CredentialFile, Failure> {
    let shown = path.display();
    let content = std::fs::read(path)
        .map_err(|error| Failure::new(format!("cannot read {shown}: {error}")))?;
    let labels = pem_labels(&content);
    let (wanted, fits): (_, fn(&str) -> bool) = match kind {
        Kind::PrivateKey => ("private key", |label| label.ends_with("PRIVATE KEY")),
        _ => ("certificate", |label| label == "CERTIFICATE"),
    };
    if let Some(label) = labels.first()
        && !labels.iter().any(|label| fits(label))
    {
        let failure = Failure::new(format!(
            "{shown} holds a {}, and a {wanted} is needed for the {kind}",
            label.to_lowercase()
        ));
        return Err(match kind {
            Kind::PrivateKey => failure.hint("the key goes to --key, the certificate to --cert"),
            _ => failure.hint("a certificate goes to --ca or --cert, the key to --key"),
        });
    }
    if labels.contains(&"ENCRYPTED PRIVATE KEY") || contains(&content, b"Proc-Type: 4,ENCRYPTED") {
        return Err(Failure::new(format!("the key in {shown} is encrypted"))
            .hint("decrypt it: openssl pkey -in KEY -out PLAIN_KEY"));
    }
    // DER begins with a SEQUENCE.
    if labels.is_empty() && content.first() != Some(&0x30) {
        return Err(
            Failure::new(format!("{shown} is neither PEM nor DER")).hint(
                "a PEM file has a line -----BEGIN CERTIFICATE----- or -----BEGIN PRIVATE KEY-----",
            ),
        );
    }
    Ok(CredentialFile {
        is_pem: !labels.is_empty(),
        content,
    })
}

fn pem_labels(content: &[u8]) -> Vec<&str> {
    content
        .split(|&byte| byte == b'\n')
        .filter_map(|line| {
            std::str::from_utf8(line)
                .ok()?
                .trim()
                .strip_prefix("-----BEGIN ")?
                .strip_suffix("-----")
        })
        .collect()
}

fn contains(content: &[u8], wanted: &[u8]) -> bool {
    content.windows(wanted.len()).any(|part| part == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(content: &[u8], kind: Kind) -> Result<bool, Failure> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        read(file.path(), kind).map(|file| file.is_pem)
    }

    #[test]
    fn the_wrong_kind_is_refused() {
        let certificate = b"-----BEGIN CERTIFICATE-----\r\nAA==\r\n-----END CERTIFICATE-----\r\n";
        let key = b"-----BEGIN RSA PRIVATE KEY-----\nAA==\n-----END RSA PRIVATE KEY-----\n";
        assert_eq!(check(certificate, Kind::Ca), Ok(true));
        assert_eq!(check(key, Kind::PrivateKey), Ok(true));
        assert_eq!(check(&[0x30, 0x82], Kind::Ca), Ok(false));
        assert!(check(certificate, Kind::PrivateKey).is_err());
        assert!(check(key, Kind::ClientCertificate).is_err());
        assert!(check(b"", Kind::Ca).is_err());
        assert!(check(b"hello", Kind::Ca).is_err());
    }

    #[test]
    fn encrypted_keys_are_refused() {
        let new = b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n";
        let old = b"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n";
        assert!(check(new, Kind::PrivateKey).is_err());
        assert!(check(old, Kind::PrivateKey).is_err());
    }
}
