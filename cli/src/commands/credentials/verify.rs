use sectag::Comparison;
use sectag::modem::Full;

use super::files::Filed;
use super::word;
use crate::args::VerifyCredentials;
use crate::credential_file;
use crate::hints::{self, Failure};
use crate::session::{Job, Session};

impl Job for Filed<'_, VerifyCredentials> {
    async fn run<M: Full>(self, session: Session<'_, M>) -> Result<(), Failure> {
        let (Self { args, files }, control, report) = (self, session.control, session.report);
        credential_file::check(&files, &M::ACCEPTS).await?;
        let tag = args.tag;
        let (mut wrong, mut hidden) = (Vec::new(), Vec::new());
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
            match found {
                Comparison::Same => {}
                Comparison::Unreadable => hidden.push(format!("--{}", word(kind))),
                Comparison::Differs | Comparison::Absent => wrong.push(format!("--{}", word(kind))),
            }
            report.result(&format!("{tag}\t{kind}\t{result}"), |object| {
                object
                    .number("tag", tag.0.into())
                    .text("kind", word(kind))
                    .text("result", result)
            })?;
        }
        if wrong.is_empty() && hidden.is_empty() {
            return Ok(());
        }
        let stores = wrong.join(", ");
        let open = [&wrong[..], &hidden].concat().join(", ");
        let mut failure = Failure::new(format!(
            "what the modem has under tag {tag} is not proved to be what is in the files: {open}"
        ));
        if !hidden.is_empty() {
            failure = failure.hint(format!(
                "the modem shows nobody what it has in place of {}: a connection proves it, as sectag doctor makes one",
                hidden.join(", ")
            ));
        }
        if !wrong.is_empty() {
            failure = failure.hint(format!(
                "store it: sectag credentials store with the same options (of them, {stores} would be sent)"
            ));
        }
        Err(failure)
    }
}
