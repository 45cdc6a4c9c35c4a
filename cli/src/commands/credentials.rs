//! `sectag credentials`: what is stored in the modem, by tag.

use std::convert::Infallible;

use sectag::modem::Modem;
use sectag::{Control, CredentialStore, Kind, Sockets, Source, Stored, Tag};

use crate::args::{Credentials, ListCredentials, RemoveCredentials, StoreCredentials};
use crate::credential_file::{self, CredentialFile};
use crate::hints::{self, Failure};
use crate::report::{Report, Step};
use crate::session::{self, Job};

pub(crate) async fn run(args: &Credentials, report: &Report) -> Result<(), Failure> {
    match args {
        Credentials::Store(args) => {
            let files = read(args, report)?;
            let tag = args.tag;
            session::run(&args.modem, report, Store { tag, files, report }).await
        }
        Credentials::List(args) => session::run(&args.modem, report, List { args, report }).await,
        Credentials::Remove(args) => {
            session::run(&args.modem, report, Remove { args, report }).await
        }
    }
}

/// All of them before the first is sent: a mistake in the last file leaves the modem as it was.
fn read(args: &StoreCredentials, report: &Report) -> Result<Vec<CredentialFile>, Failure> {
    let mut files = Vec::new();
    for (kind, path) in [
        (Kind::Ca, &args.ca),
        (Kind::ClientCertificate, &args.cert),
        (Kind::PrivateKey, &args.key),
    ] {
        let Some(path) = path else { continue };
        let file = credential_file::read(path, kind)?;
        if !file.is_pem() {
            report.warn(&format!(
                "{} is DER, which not every firmware accepts; PEM is safer",
                path.display()
            ));
        }
        files.push(file);
    }
    credential_file::check_together(&files)?;
    Ok(files)
}

struct Store<'a> {
    tag: Tag,
    files: Vec<CredentialFile>,
    report: &'a Report,
}

impl Job for Store<'_> {
    type Output = ();

    async fn run<M: Modem>(
        self,
        control: Control<'_, M>,
        _sockets: Sockets<'_, M>,
    ) -> Result<(), Failure> {
        let Self { tag, files, report } = self;
        for file in files {
            let kind = file.kind;
            let len = file.content.len();
            let step = report.bytes(format!("storing the {kind}"), len);
            let source = Counted {
                left: &file.content,
                step: &step,
            };
            control
                .store(tag, kind, source)
                .await
                .map_err(|error| hints::credential(&format!("storing the {kind}"), &error))?;
            let took = step.elapsed();
            drop(step);
            let text = format!(
                "stored the {kind} under tag {tag}: {len} bytes ({:.1} s)",
                took.as_secs_f64()
            );
            report.result(&text, |object| {
                object
                    .number("tag", tag.0.into())
                    .text("kind", word(kind))
                    .number("bytes", len as u64)
                    .number("ms", took.as_millis() as u64)
            })?;
        }
        Ok(())
    }
}

/// Moves a bar as the driver takes bytes.
struct Counted<'a> {
    left: &'a [u8],
    step: &'a Step,
}

impl Source for Counted<'_> {
    type Error = Infallible;

    fn len(&self) -> usize {
        self.left.len()
    }

    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, Infallible> {
        let count = self.left.read(buf).await?;
        self.step.advance(count);
        Ok(count)
    }
}

struct List<'a> {
    args: &'a ListCredentials,
    report: &'a Report,
}

impl Job for List<'_> {
    type Output = ();

    async fn run<M: Modem>(
        self,
        control: Control<'_, M>,
        _sockets: Sockets<'_, M>,
    ) -> Result<(), Failure> {
        let Self { args, report } = self;
        let found = stored(control, args.tag).await?;
        if found.is_empty() {
            match args.tag {
                Some(tag) => report.note(&format!("nothing is stored under tag {tag}")),
                None => report.note("nothing is stored"),
            }
        }
        for Stored { tag, kind, len, .. } in found {
            let size = len.map_or_else(|| "?".into(), |len| len.to_string());
            report.result(&format!("{tag}\t{kind}\t{size} bytes"), |object| {
                let object = object.number("tag", tag.0.into()).text("kind", word(kind));
                match len {
                    Some(len) => object.number("bytes", len as u64),
                    None => object,
                }
            })?;
        }
        Ok(())
    }
}

struct Remove<'a> {
    args: &'a RemoveCredentials,
    report: &'a Report,
}

impl Job for Remove<'_> {
    type Output = ();

    async fn run<M: Modem>(
        self,
        control: Control<'_, M>,
        _sockets: Sockets<'_, M>,
    ) -> Result<(), Failure> {
        let Self { args, report } = self;
        let found = stored(control, Some(args.tag)).await?;
        if found.is_empty() {
            report.note(&format!("nothing is stored under tag {}", args.tag));
        }
        for Stored { tag, kind, .. } in found {
            control
                .remove(tag, kind)
                .await
                .map_err(|error| hints::credential(&format!("removing the {kind}"), &error))?;
            report.result(&format!("removed the {kind} under tag {tag}"), |object| {
                object
                    .number("tag", tag.0.into())
                    .text("removed", word(kind))
            })?;
        }
        Ok(())
    }
}

/// What is stored, all of it or under one tag, in the order of tags.
async fn stored<M: Modem>(
    control: Control<'_, M>,
    only: Option<Tag>,
) -> Result<Vec<Stored>, Failure> {
    let mut found = Vec::new();
    control
        .list(&mut |entry| {
            if only.is_none_or(|tag| tag == entry.tag) {
                found.push(entry);
            }
        })
        .await
        .map_err(|error| hints::credential("listing the credentials", &error))?;
    found.sort_by_key(|entry| entry.tag);
    Ok(found)
}

/// As the options are called.
fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::ClientCertificate => "cert",
        Kind::PrivateKey => "key",
        _ => "ca",
    }
}
