//! The credentials in the modem: whether they are there, are those of the files, and when they end.

use sectag::clock::DateTime;
use sectag::modem::Full;
use sectag::{Comparison, Control, CredentialError, Expiry, Kind, Stored};

use super::Examination;
use crate::args::TlsArgs;
use crate::credential_file::CredentialFile;
use crate::failure::Failure;
use crate::hints;
use crate::tls;

/// A certificate that ends within so many days is named.
const DUE_DAYS: u16 = 30;
/// Nothing to read, here and there.
const UNREADABLE: &str = "not known: the modem does not let certificates be read back (give the files by --ca and --cert)";

impl Examination<'_> {
    /// Presence, and size against the local files: another size is another content, the same size proves nothing.
    pub(super) async fn credentials<M: Full>(
        &self,
        control: Control<'_, M>,
        tls: &TlsArgs,
        now: DateTime,
    ) -> Result<(), Failure> {
        const WHAT: &str = "credentials";
        let tag = tls.tag;
        let mut stored = Vec::new();
        control
            .list_tag(tag, &mut |entry| {
                if entry.other_store.is_none() {
                    stored.push(entry);
                }
            })
            .await
            .map_err(|error| {
                let failure = hints::credential("listing the credentials", &error);
                self.list.fails(WHAT, failure)
            })?;
        let has = |kind| stored.iter().find(|entry| entry.kind == kind);
        // A firmware may well have both.
        let elsewhere = if stored.len() < Kind::ALL.len() {
            control.other_store(tag).await.map_err(|error| {
                let failure = hints::credential("looking for credentials elsewhere", &error);
                self.list.fails(WHAT, failure)
            })?
        } else {
            None
        };
        let others = match has(Kind::Ca) {
            Some(_) => None,
            None => tls::other_tags(control, tag).await,
        };
        let missing = |kind: Kind, option: &str| {
            let failure = match elsewhere {
                Some(found) => hints::unsuitable(&format!("tag {tag} holds no {kind}"), &found),
                None => Failure::new(format!("tag {tag} holds no {kind}")),
            };
            let failure = failure.hint(format!(
                "store it: sectag credentials store{} --tag {tag} {option}",
                hints::place(&self.args.modem)
            ));
            let failure = match &others {
                Some(others) => failure.hint(others.clone()),
                None => failure,
            };
            self.list.fails(WHAT, failure)
        };
        if has(Kind::Ca).is_none() {
            return Err(missing(Kind::Ca, "--ca ca.pem"));
        }
        match (has(Kind::ClientCertificate), has(Kind::PrivateKey)) {
            (Some(_), None) => return Err(missing(Kind::PrivateKey, "--key client.key")),
            (None, Some(_)) => return Err(missing(Kind::ClientCertificate, "--cert client.pem")),
            _ => {}
        }
        for file in &self.local {
            if let Some(end) = file.expired(now) {
                let kind = file.kind;
                let failure = Failure::new(format!("the {kind} of this computer expired at {end}"))
                    .hint("renew it, then store it again");
                return Err(self.list.fails(WHAT, failure));
            }
            let Some(entry) = has(file.kind) else {
                let option = match file.kind {
                    Kind::ClientCertificate => "--cert client.pem",
                    Kind::PrivateKey => "--key client.key",
                    _ => "--ca ca.pem",
                };
                return Err(missing(file.kind, option));
            };
            if let Some(failure) = self.differs(control, file, entry).await? {
                return Err(self.list.fails(WHAT, failure));
            }
        }
        if let Some(found) = elsewhere {
            self.list.line("info", WHAT, &found.to_string())?;
        }
        let kinds: Vec<String> = stored.iter().map(|entry| entry.kind.to_string()).collect();
        self.list
            .ok(WHAT, &format!("tag {tag}: {}", kinds.join(", ")))
    }

    /// When what is stored is not what the file has: by size where it is stored as it is given, else by content.
    async fn differs<M: Full>(
        &self,
        control: Control<'_, M>,
        file: &CredentialFile,
        stored: &Stored,
    ) -> Result<Option<Failure>, Failure> {
        let (tag, kind) = (stored.tag, file.kind);
        let other = |text: String| {
            Failure::new(text)
                .hint("it is another one: store the file, or give the one that was stored")
        };
        if M::ACCEPTS.container.is_none() {
            let (here, there) = (file.len(), stored.len);
            return Ok(there.filter(|there| *there != here).map(|there| {
                other(format!(
                    "the {kind} under tag {tag} has {there} bytes and the file of this computer {here}"
                ))
            }));
        }
        let step = self
            .report
            .bytes(format!("comparing the {kind}"), file.len());
        let found = control.compare(tag, kind, file.source(&step)).await;
        drop(step);
        match found {
            Ok(Comparison::Differs) => Ok(Some(other(format!(
                "the {kind} under tag {tag} is not that of the file of this computer"
            )))),
            Ok(_) => Ok(None),
            Err(error) => {
                let failure = hints::credential(&format!("comparing the {kind}"), &error);
                Err(self.list.fails("credentials", failure))
            }
        }
    }

    /// When the certificates in the modem end; where it does not let them be read, those of the files here.
    pub(super) async fn expiry<M: Full>(
        &self,
        control: Control<'_, M>,
        tls: &TlsArgs,
        now: DateTime,
    ) -> Result<(), Failure> {
        const WHAT: &str = "expiry";
        let tag = tls.tag;
        let (found, place) = match control.expires(tag).await {
            Ok(found) => (found, ""),
            Err(CredentialError::Unreadable) => {
                let end = |kind| {
                    let file = self.local.iter().find(|file| file.kind == kind);
                    file.and_then(CredentialFile::ends)
                };
                let found = Expiry {
                    ca: end(Kind::Ca),
                    client: end(Kind::ClientCertificate),
                };
                if found.soonest().is_none() {
                    return self.list.line("info", WHAT, UNREADABLE);
                }
                (found, " (of the files on this computer)")
            }
            Err(error) => {
                let failure = hints::credential("reading when the certificates end", &error);
                return Err(self.list.fails(WHAT, failure));
            }
        };
        let mut parts = Vec::new();
        for (kind, end) in [
            (Kind::Ca, found.ca),
            (Kind::ClientCertificate, found.client),
        ] {
            let Some(end) = end else { continue };
            if end < now {
                let failure = Failure::new(format!("the {kind} under tag {tag} ended at {end}"))
                    .hint("renew it, then store it again");
                return Err(self.list.fails(WHAT, failure));
            }
            let days = (end.to_unix() - now.to_unix()) / 86_400;
            parts.push(format!("{kind} in {days} days, at {end}"));
        }
        if parts.is_empty() {
            return self
                .list
                .line("info", WHAT, "no certificate says when it ends");
        }
        let soon = if found.is_due(now, DUE_DAYS) {
            ": time to renew what ends first"
        } else {
            ""
        };
        self.list
            .ok(WHAT, &format!("{}{place}{soon}", parts.join("; ")))
    }
}
