use sectag::Kind;

use crate::args::{
    CredentialFiles, ModemArgs, RotateCredentials, StoreCredentials, VerifyCredentials,
};
use crate::credential_file::{self, CredentialFile};
use crate::hints::Failure;
use crate::report::Report;
use crate::session::Job;
use crate::start;

/// A command with the files that it names, as they were before the modem was touched.
pub(super) struct Filed<'a, A> {
    pub(super) args: &'a A,
    pub(super) files: Vec<CredentialFile>,
}

/// Options of a command about files.
pub(super) trait FileArgs {
    fn modem(&self) -> &ModemArgs;
    fn files(&self) -> &CredentialFiles;
    /// What this modem cannot use is stored all the same.
    fn force(&self) -> bool;
    /// The new credentials have to prove themselves at a server.
    fn connects(&self) -> bool;
}

macro_rules! file_args {
    ($($args:ty: $force:expr, $connects:expr;)+) => {
        $(impl FileArgs for $args {
            fn modem(&self) -> &ModemArgs {
                &self.modem
            }
            fn files(&self) -> &CredentialFiles {
                &self.files
            }
            fn force(&self) -> bool {
                let force: fn(&Self) -> bool = $force;
                force(self)
            }
            fn connects(&self) -> bool {
                $connects
            }
        })+
    };
}
file_args!(
    RotateCredentials: |_| false, true;
    StoreCredentials: |args| args.force, false;
    VerifyCredentials: |_| false, false;
);

pub(super) async fn run<'a, A: FileArgs>(args: &'a A, report: &Report) -> Result<(), Failure>
where
    Filed<'a, A>: Job,
{
    let modem = args.modem();
    let paths = args.files().paths();
    let files = if args.force() {
        credential_file::read_unchecked(paths)?
    } else {
        credential_file::read(paths, modem.modem).await?
    };
    let connects = args.connects();
    let filed = Filed { args, files };
    if connects {
        start::run(modem, report, filed).await
    } else {
        start::answering(modem, report, filed).await
    }
}

/// As the options are called.
pub(super) fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::ClientCertificate => "cert",
        Kind::PrivateKey => "key",
        _ => "ca",
    }
}
