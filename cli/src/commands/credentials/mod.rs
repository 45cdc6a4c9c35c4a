//! `sectag credentials`: what is stored in the modem, by tag.

mod csr;
mod files;
mod rotate;
mod verify;

use std::collections::BTreeMap;
use std::pin::pin;

use embassy_futures::select::{Either, select};
use sectag::clock::{DateTime, MIN_DATE};
use sectag::modem::Full;
use sectag::{Control, CredentialError, Ensured, Expiry, Kind, Stored, Tag};

use self::files::{Filed, word};
use crate::args::{Credentials, ListCredentials, RemoveCredentials, StoreCredentials};
use crate::credential_file::{self, until};
use crate::families::ModemName;
use crate::hints::{self, Failure};
use crate::ppp;
use crate::report::Report;
use crate::session::{Job, Session};
use crate::start;
use crate::stop::Stop;

pub(crate) async fn run(args: &Credentials, report: &Report) -> Result<(), Failure> {
    if args.modem().modem.0 == Some(ModemName::Ppp) {
        return match args {
            Credentials::Rotate(args) => rotate::here(args, report).await,
            Credentials::Csr(args) => csr::here(args, report),
            args => ppp::credentials(args, report).await,
        };
    }
    match args {
        Credentials::Store(args) => files::run(args, report).await,
        Credentials::List(args) => start::answering(&args.modem, report, args).await,
        Credentials::Verify(args) => files::run(args, report).await,
        Credentials::Remove(args) => start::answering(&args.modem, report, args).await,
        Credentials::Rotate(args) => files::run(args, report).await,
        Credentials::Csr(args) => csr::run(args, report).await,
    }
}

impl Job for Filed<'_, StoreCredentials> {
    async fn run<M: Full>(self, session: Session<'_, M>) -> Result<(), Failure> {
        let (Self { args, files }, control, report) = (self, session.control, session.report);
        match credential_file::check(&files, &M::ACCEPTS).await {
            Err(failure) if args.force => report.warn(failure.observed()),
            checked => checked?,
        }
        let tag = args.tag;
        // Only a modem whose clock is set can say that a certificate is not valid.
        let now = control.clock_if_any().await.ok().flatten();
        let now = now.filter(|now| now.is_plausible(MIN_DATE));
        for file in &files {
            if let Some(doubt) = file.doubt(now) {
                report.warn(&doubt);
            }
        }
        let mut stop = Stop::listen().map_err(|error| Failure::new(error.to_string()))?;
        for (done, file) in files.iter().enumerate() {
            let kind = file.kind;
            let step = report.bytes(format!("storing the {kind}"), file.len());
            let source = file.source(&step);
            let storing = async {
                if args.force {
                    let stored = control.store_as_it_is(tag, kind, source).await;
                    stored.map(|()| Ensured::Stored)
                } else {
                    control.ensure(tag, kind, source).await
                }
            };
            let (result, stopped) = to_the_end(storing, &mut stop, kind, report).await;
            let ensured = result
                .map_err(|error| hints::credential(&format!("storing the {kind}"), &error))?;
            let took = step.elapsed();
            drop(step);
            let len = file.len();
            let seconds = took.as_secs_f64();
            let text = match ensured {
                Ensured::Stored => {
                    format!("stored the {kind} under tag {tag}: {len} bytes ({seconds:.1} s)")
                }
                Ensured::AlreadyThere(_) => format!(
                    "the {kind} is under tag {tag} already: {len} bytes, compared with the modem's ({seconds:.1} s)"
                ),
            };
            report.result(&text, |object| {
                object
                    .number("tag", tag.0.into())
                    .text("kind", word(kind))
                    .number("bytes", len as u64)
                    .truth("uploaded", ensured == Ensured::Stored)
                    .number("ms", took.as_millis() as u64)
            })?;
            let left: Vec<String> = files[done + 1..]
                .iter()
                .map(|file| format!("the {}", file.kind))
                .collect();
            if stopped && !left.is_empty() {
                return Err(Failure::interrupted(format!(
                    "interrupted: not stored under tag {tag}: {}",
                    left.join(", ")
                ))
                .hint("give the command again: what is stored already is not sent again"));
            }
        }
        Ok(())
    }
}

/// Lets an upload end that is under way when Ctrl-C comes: cut in the middle, neither what was there nor what was to
/// come would be whole. A second Ctrl-C ends the process all the same.
async fn to_the_end<T>(
    storing: impl Future<Output = T>,
    stop: &mut Stop,
    kind: Kind,
    report: &Report,
) -> (T, bool) {
    let mut storing = pin!(storing);
    match select(storing.as_mut(), stop.requested()).await {
        Either::First(result) => return (result, false),
        Either::Second(()) => report.note(&format!(
            "the {kind} is stored to its end first; Ctrl-C again stops at once, and it must be stored again then"
        )),
    }
    match select(storing, stop.requested()).await {
        Either::First(result) => (result, true),
        // 128 and SIGINT's number.
        Either::Second(()) => std::process::exit(130),
    }
}

impl Job for &ListCredentials {
    async fn run<M: Full>(self, session: Session<'_, M>) -> Result<(), Failure> {
        let (args, control, report) = (self, session.control, session.report);
        let found = stored(control, args.tag).await?;
        if found.is_empty() {
            report.note(&nothing(args.tag));
        }
        let mut ends = Ends::default();
        for stored in found {
            let Stored { tag, kind, len, .. } = stored;
            let until = match (stored.other_store, kind) {
                (None, Kind::Ca | Kind::ClientCertificate) => {
                    Some(until(ends.of(control, tag, kind).await?))
                }
                _ => None,
            };
            // Where the modem tells it, it need not be read back.
            let digest = match stored.digest {
                Some(digest) => Ok(Some(digest)),
                None => control.digest(tag, kind).await,
            };
            let digest = match digest {
                Ok(digest) => digest.map(|digest| digest.to_string()),
                Err(CredentialError::Unreadable) => None,
                Err(error) => {
                    return Err(hints::credential(&format!("reading the {kind}"), &error));
                }
            };
            let size = len.map_or_else(|| "?".into(), |len| len.to_string());
            let shown = digest.as_deref().unwrap_or("cannot be read back");
            // The number that the modem's own commands show.
            let place = stored
                .place
                .map_or_else(String::new, |place| format!("\t{place}"));
            let unread = stored
                .other_store
                .map_or_else(String::new, |found| format!("\tnot read: {found}"));
            let end = until
                .as_ref()
                .map_or_else(String::new, |until| format!("\tuntil {until}"));
            report.result(
                &format!("{tag}\t{kind}\t{size} bytes\t{shown}{place}{unread}{end}"),
                |object| {
                    let object = object.number("tag", tag.0.into()).text("kind", word(kind));
                    let object = match len {
                        Some(len) => object.number("bytes", len as u64),
                        None => object,
                    };
                    let object = match stored.place {
                        Some(place) => object.number("place", place.into()),
                        None => object,
                    };
                    let object = match stored.other_store {
                        Some(found) => object.text("not_read", &found.to_string()),
                        None => object,
                    };
                    let object = match &digest {
                        Some(digest) => object.text("sha256", digest),
                        None => object,
                    };
                    match &until {
                        Some(until) => object.text("until", until),
                        None => object,
                    }
                },
            )?;
        }
        Ok(())
    }
}

/// When certificates end, asked of the modem once for each tag.
#[derive(Default)]
struct Ends(BTreeMap<Tag, Option<Expiry>>);

impl Ends {
    /// Of one certificate; `None` where neither the modem nor the certificate tells.
    async fn of<M: Full>(
        &mut self,
        control: Control<'_, M>,
        tag: Tag,
        kind: Kind,
    ) -> Result<Option<DateTime>, Failure> {
        let known = match self.0.get(&tag) {
            Some(known) => *known,
            None => {
                let asked = match control.expires(tag).await {
                    Ok(expiry) => Some(expiry),
                    Err(CredentialError::Unreadable) => None,
                    Err(error) => {
                        let what = format!("reading when the certificates under tag {tag} end");
                        return Err(hints::credential(&what, &error));
                    }
                };
                self.0.insert(tag, asked);
                asked
            }
        };
        Ok(known.and_then(|expiry| match kind {
            Kind::Ca => expiry.ca,
            _ => expiry.client,
        }))
    }
}

impl Job for &RemoveCredentials {
    async fn run<M: Full>(self, session: Session<'_, M>) -> Result<(), Failure> {
        let (args, control, report) = (self, session.control, session.report);
        let mut found = stored(control, args.tag).await?;
        // What this firmware's TLS does not read is not its to remove.
        found.retain(|stored| stored.other_store.is_none());
        if found.is_empty() {
            report.note(&nothing(args.tag));
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

fn nothing(tag: Option<Tag>) -> String {
    match tag {
        Some(tag) => format!("nothing is stored under tag {tag}"),
        None => "nothing is stored".into(),
    }
}

/// What is stored, all of it or under one tag, in the order of tags.
async fn stored<M: Full>(
    control: Control<'_, M>,
    only: Option<Tag>,
) -> Result<Vec<Stored>, Failure> {
    let mut found = Vec::new();
    let mut keep = |entry| found.push(entry);
    let listed = match only {
        Some(tag) => control.list_tag(tag, &mut keep).await,
        None => control.list(&mut keep).await,
    };
    listed.map_err(|error| hints::credential("listing the credentials", &error))?;
    found.sort_by_key(|entry| entry.tag);
    Ok(found)
}
