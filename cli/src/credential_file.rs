//! Reads credentials and has the driver look whether they are what their options say, before any of it is sent or
//! compared with.

use std::convert::Infallible;
use std::path::Path;

use sectag::clock::DateTime;
use sectag::inspect::{Content, Inspector, Material, Misplaced};
use sectag::{Accepts, CredentialError, CredentialSet, Kind, Secret, SetError, Source};

use crate::args::Paths;
use crate::families::{Choice, ModemName};
use crate::hints::{self, Failure};
use crate::input::{self, Purpose};
use crate::report::Step;

pub(crate) struct CredentialFile {
    pub(crate) kind: Kind,
    path: String,
    content: Secret<Vec<u8>>,
}

impl CredentialFile {
    pub(crate) fn len(&self) -> usize {
        self.content.expose().len()
    }

    /// What to call it in messages: where it was read from.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    pub(crate) fn content(&self) -> &[u8] {
        self.content.expose()
    }

    /// The day on which a certificate that is no longer valid at `now` ended.
    pub(crate) fn expired(&self, now: DateTime) -> Option<DateTime> {
        self.ends().filter(|end| *end < now)
    }

    /// The day on which it ends, of a certificate that says so.
    pub(crate) fn ends(&self) -> Option<DateTime> {
        ends(self.content())
    }

    /// What is to be known of it before it is stored: a modem may take it and fail at every connect.
    pub(crate) fn doubt(&self, now: Option<DateTime>) -> Option<String> {
        let Content::Certificate(certificate) = material(self.content())?.content else {
            return None;
        };
        let path = &self.path;
        if certificate.is_ca.is_none() {
            return Some(format!(
                "{path}: a certificate of X.509 version 1, which many modems refuse at connect; openssl x509 -req makes version 3 with -extfile or -copy_extensions copyall"
            ));
        }
        let (now, from, to) = (now?, certificate.not_before, certificate.not_after);
        if let Some(end) = to.filter(|end| *end < now) {
            Some(format!(
                "{path}: it expired on {end}, and the time is {now}"
            ))
        } else {
            from.filter(|from| *from > now)
                .map(|from| format!("{path}: it is valid from {from} on, and the time is {now}"))
        }
    }

    /// Its bytes, moving a bar as they are taken.
    pub(crate) fn source<'a>(&'a self, step: &'a Step) -> Counted<'a> {
        Counted {
            content: self.content.expose(),
            step,
        }
    }
}

/// All of them before the first is sent: a mistake in the last file leaves the modem as it was.
pub(crate) async fn read(paths: Paths<'_>, modem: Choice) -> Result<Vec<CredentialFile>, Failure> {
    let files = read_unchecked(paths)?;
    // Where the port is yet to be asked who is there, what any modem refuses is refused now, and the rest later.
    let accepts = modem.0.map_or(ANY, ModemName::accepts);
    check(&files, &accepts).await?;
    Ok(files)
}

/// Whatever is in them.
pub(crate) fn read_unchecked(paths: Paths<'_>) -> Result<Vec<CredentialFile>, Failure> {
    let mut files = Vec::new();
    for (kind, path) in paths {
        if let Some(path) = path {
            files.push(read_one(path, kind)?);
        }
    }
    Ok(files)
}

/// Whether the modem takes these files.
pub(crate) async fn check(files: &[CredentialFile], accepts: &Accepts) -> Result<(), Failure> {
    let checked = set(files).check(accepts).await;
    checked.map_err(|error| failure(files, &error))
}

/// Whether a private key in DER is that of this certificate.
pub(crate) async fn is_pair(certificate: &CredentialFile, key: &[u8]) -> bool {
    pair(certificate, key).await.is_ok()
}

/// Whether the key belongs to the certificate.
pub(crate) async fn check_pair(
    certificate: &CredentialFile,
    key: &CredentialFile,
) -> Result<(), Failure> {
    let shown = format!("{} and {}", certificate.path, key.path);
    let checked = pair(certificate, key.content()).await;
    checked.map_err(|error| hints::credential(&shown, &error.error))
}

async fn pair(certificate: &CredentialFile, key: &[u8]) -> Result<(), SetError<Infallible>> {
    let mut pair = CredentialSet::new()
        .client_certificate(certificate.content())
        .private_key(key);
    pair.check(&ANY).await
}

/// A modem that takes whatever is whole.
const ANY: Accepts = Accepts {
    container: None,
    roots: u16::MAX,
    chain: u16::MAX,
    len: usize::MAX,
    self_signed_root: false,
};

/// What it is, if it is something.
pub(crate) fn material(content: &[u8]) -> Option<Material> {
    let mut inspector = Inspector::new();
    inspector.feed(content);
    inspector.finish().ok()
}

/// The day on which a certificate ends, of one that says so.
pub(crate) fn ends(content: &[u8]) -> Option<DateTime> {
    match material(content)?.content {
        Content::Certificate(certificate) => certificate.not_after,
        Content::PrivateKey(_) => None,
    }
}

/// The end of a certificate as lists show it, also where nobody tells it.
pub(crate) fn until(end: Option<DateTime>) -> String {
    end.map_or_else(|| "unknown".into(), |end| end.to_string())
}

fn read_one(path: &Path, kind: Kind) -> Result<CredentialFile, Failure> {
    let (content, path) = input::read(path, Purpose::Credential)?;
    Ok(CredentialFile {
        kind,
        path,
        content: Secret::new(content),
    })
}

pub(crate) fn set(files: &[CredentialFile]) -> CredentialSet<&[u8]> {
    files.iter().fold(CredentialSet::new(), |set, file| {
        set.with(file.kind, &file.content.expose()[..])
    })
}

/// What is wrong with which file.
pub(crate) fn failure(files: &[CredentialFile], error: &SetError<Infallible>) -> Failure {
    let file = files.iter().find(|file| file.kind == error.kind);
    let shown = match (&error.error, file) {
        (CredentialError::Misplaced(Misplaced::OtherKey), _) => "--cert and --key",
        (_, Some(file)) => &file.path,
        (_, None) => "the files",
    };
    hints::credential(shown, &error.error)
}

/// Moves a bar as the driver takes bytes.
pub(crate) struct Counted<'a> {
    content: &'a [u8],
    step: &'a Step,
}

impl Source for Counted<'_> {
    type Error = Infallible;

    fn len(&self) -> usize {
        self.content.len()
    }

    async fn read_at(&mut self, offset: usize, buf: &mut [u8]) -> Result<usize, Infallible> {
        let count = self.content.read_at(offset, buf).await?;
        self.step.reached(offset + count);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use embassy_futures::block_on;
    use sectag_test_support::pki::Pki;

    use super::*;
    use crate::args::CredentialFiles;

    fn try_read(contents: [Option<&str>; 3]) -> Result<Vec<CredentialFile>, Failure> {
        let dir = tempfile::tempdir().unwrap();
        let [ca, cert, key] = ["ca", "cert", "key"].map(|name| dir.path().join(name));
        let write = |content: Option<&str>, path: PathBuf| {
            content.map(|content| {
                std::fs::write(&path, content).unwrap();
                path
            })
        };
        let args = CredentialFiles {
            ca: write(contents[0], ca),
            cert: write(contents[1], cert),
            key: write(contents[2], key),
        };
        block_on(async { read(args.paths(), Choice(Some(ModemName::Bg96))).await })
    }

    #[test]
    fn each_file_goes_where_it_belongs() {
        let pki = Pki::shared();
        let (ca, client) = (pki.ca_pem(), pki.client());
        let (cert, key) = (&*client.cert_pem, &*client.key_pem);
        assert!(try_read([Some(&ca), Some(cert), Some(key)]).is_ok_and(|files| files.len() == 3));
        let twice = format!("{ca}{ca}");
        for contents in [
            [Some(cert), None, None],
            [Some(key), None, None],
            [None, Some(&*ca), None],
            [None, None, Some(&*ca)],
            [Some(""), None, None],
            [Some("hello"), None, None],
            [Some(&*twice), None, None],
            [None, Some(cert), Some(&*pki.server().key_pem)],
        ] {
            assert!(try_read(contents).is_err(), "{contents:?}");
        }
    }
}
