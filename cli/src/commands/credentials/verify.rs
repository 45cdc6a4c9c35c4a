use sectag::modem::Full;
use sectag::{Comparison, Kind};

use super::files::{Filed, word};
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
        let mut failure = if wrong.is_empty() {
            let hidden = hidden.join(", ");
            Failure::new(format!(
                "the modem does not tell what it holds under tag {tag}: {hidden}"
            ))
        } else {
            let wrong = wrong.join(", ");
            Failure::new(format!(
                "the modem does not hold under tag {tag} what is in the files: {wrong}"
            ))
            .hint(format!(
                "to store it: sectag credentials store with the same options, which sends {wrong} alone"
            ))
        };
        if !hidden.is_empty() {
            failure = failure.hint(format!(
                "the modem lets nobody read {}: a connection that succeeds is the proof, as sectag doctor --host makes one",
                hidden.join(", ")
            ));
        }
        if hidden.contains(&format!("--{}", word(Kind::PrivateKey))) {
            failure = failure
                .hint("a key that was made in the modem is in no file: verify without --key");
        }
        Err(failure)
    }
}
