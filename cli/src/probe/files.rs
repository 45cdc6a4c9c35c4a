//! Certificates and keys as files, as far as this tool was given them.

use sectag::Kind;

use crate::credential_file::CredentialFile;

/// A CA, and what belongs to a client.
#[derive(Clone, Debug, Default)]
pub(crate) struct Files {
    pub(crate) ca: Option<Vec<u8>>,
    /// Certificate and private key.
    pub(crate) client: Option<(Vec<u8>, Vec<u8>)>,
}

impl Files {
    pub(crate) fn of(read: &[CredentialFile]) -> Self {
        let find = |kind| {
            let file = read.iter().find(|file| file.kind == kind);
            file.map(|file| file.content().to_vec())
        };
        Self {
            ca: find(Kind::Ca),
            client: find(Kind::ClientCertificate).zip(find(Kind::PrivateKey)),
        }
    }
}
