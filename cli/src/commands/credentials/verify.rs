use sectag::modem::Modem;
use sectag::{Comparison, Control, CredentialStore, Sockets};

use super::word;
use crate::args::VerifyCredentials;
use crate::credential_file::{self, CredentialFile};
use crate::hints::{self, Failure};
use crate::report::Report;
use crate::session::{self, Job};

pub(super) async fn run(args: &VerifyCredentials, report: &Report) -> Result<(), Failure> {
    let files = credential_file::read(args.files.paths(), args.modem.modem).await?;
    let job = Verify {
        args,
        files,
        report,
    };
    session::run(&args.modem, report, job).await
}

struct Verify<'a> {
    args: &'a VerifyCredentials,
    files: Vec<CredentialFile>,
    report: &'a Report,
}

impl Job for Verify<'_> {
    type Output = ();

    async fn run<M: Modem>(
        self,
        control: Control<'_, M>,
        _sockets: Sockets<'_, M>,
    ) -> Result<(), Failure> {
        let Self {
            args,
            files,
            report,
        } = self;
        let tag = args.tag;
        let mut wrong = Vec::new();
        for file in &files {
            let kind = file.kind;
            let step = report.bytes(format!("comparing the {kind}"), file.len());
            let found = control.compare(tag, kind, file.source(&step)).await;
            let found = found
                .map_err(|error| hints::credential(&format!("comparing the {kind}"), &error))?;
            drop(step);
            let result = match found {
                Comparison::Same => "same",
                Comparison::Differs => "differs",
                Comparison::Absent => "missing",
                Comparison::Unreadable => "unreadable",
            };
            if found != Comparison::Same {
                wrong.push(format!("--{}", word(kind)));
            }
            report.result(&format!("{tag}\t{kind}\t{result}"), |object| {
                object
                    .number("tag", tag.0.into())
                    .text("kind", word(kind))
                    .text("result", result)
            })?;
        }
        if wrong.is_empty() {
            return Ok(());
        }
        let options = wrong.join(", ");
        Err(Failure::new(format!(
            "what the modem has under tag {tag} is not proved to be what is in the files: {options}"
        ))
        .hint(format!(
            "store it: sectag credentials store with the same options (of them, {options} would be sent)"
        )))
    }
}
