//! Rotation in this computer's store: the new set stands beside the old one until a connection with it has worked.

use std::convert::Infallible;
use std::fs;
use std::path::PathBuf;

use sectag::{Kind, RotateError, Tag};

use super::connect::{config, connect};
use super::credentials::{Set, folder, name, remove, signing_key, stored, unusable, write};
use super::link::{self, Dial};
use crate::args::RotateCredentials;
use crate::credential_file::CredentialFile;
use crate::hints::{Failure, Target};
use crate::report::Report;

/// Replaces the set under a tag by one under another, as `Control::rotate` does in a modem: each file is there whole or
/// not at all, and the old ones go last, so that one of the two sets connects at any moment.
///
/// # Errors
/// Of this computer's files; within, why the rotation was refused or did not succeed.
pub(crate) async fn rotate(
    args: &RotateCredentials,
    files: &[CredentialFile],
    report: &Report,
) -> Result<Result<(), RotateError<Infallible, Failure>>, Failure> {
    let (old, new) = (args.tag, args.new_tag);
    let given = |kind| files.iter().find(|file| file.kind == kind);
    if let Some(key) = given(Kind::PrivateKey) {
        signing_key(key.content())?;
    }
    if let Err(refused) = admit(args, files)? {
        return Ok(Err(refused));
    }
    let contents = |kind| given(kind).map(|file| file.content().to_vec());
    let [ca, certificate, key] =
        [Kind::Ca, Kind::ClientCertificate, Kind::PrivateKey].map(contents);
    let set = Set::new(new, ca, certificate, key)?;
    let dial = Dial::from_args(&args.modem, report)?;

    // What an earlier try has left is this set's, and stays if this one fails, too.
    let mut written = Vec::new();
    let at = folder(new)?;
    for file in files {
        let path = at.join(name(file.kind));
        if !path.exists() {
            let done = write(&at, &path, file.content());
            done.map_err(|error| unusable(&path, &error))?;
            written.push(path);
        }
    }
    let tls = args.tls();
    let target = Target {
        host: &args.host.host,
        port: args.host.port,
        tag: new,
        modem: Some(&args.modem),
    };
    let probed = link::on_port(&args.modem, &dial, &set, report, async |link| {
        let config = config(&set, &tls, report);
        connect(link.sockets, &config, &target, report)
            .await
            .map(drop)
    })
    .await;
    if let Err(failure) = probed {
        take_back(&written, new)?;
        return Ok(Err(RotateError::Probe(failure)));
    }
    remove(old, |_| Ok(()))?;
    Ok(Ok(()))
}

/// Whether a set may take another's place: refused before anything is written.
fn admit(
    args: &RotateCredentials,
    files: &[CredentialFile],
) -> Result<Result<(), RotateError<Infallible, Failure>>, Failure> {
    let (old, new) = (args.tag, args.new_tag);
    if old == new {
        return Ok(Err(RotateError::SameTag));
    }
    let given = |kind| files.iter().find(|file| file.kind == kind);
    let pair = [Kind::ClientCertificate, Kind::PrivateKey];
    let needed = |kind| kind == Kind::Ca || pair.iter().any(|kind| given(*kind).is_some());
    let replaced = stored(old)?;
    let there = stored(new)?;
    let kinds = [Kind::Ca, Kind::ClientCertificate, Kind::PrivateKey];
    if let Some(kind) = kinds
        .into_iter()
        .find(|kind| needed(*kind) && given(*kind).is_none())
    {
        return Ok(Err(RotateError::Incomplete(kind)));
    }
    // A whole new set without an old one means that the end of a rotation was interrupted.
    let is_whole = kinds
        .into_iter()
        .zip(&there)
        .all(|(kind, path)| path.is_some() || given(kind).is_none());
    if replaced.iter().all(Option::is_none) && !is_whole {
        return Ok(Err(RotateError::NothingOld));
    }
    for (kind, (replaced, there)) in kinds.into_iter().zip(replaced.iter().zip(&there)) {
        if replaced.is_some() && given(kind).is_none() && !args.drop_client_cert {
            return Ok(Err(RotateError::Fewer(kind)));
        }
        let Some(path) = there else { continue };
        let content = fs::read(path).map_err(|error| unusable(path, &error))?;
        if given(kind).is_none_or(|file| file.content() != content) {
            return Ok(Err(RotateError::InUse(kind)));
        }
    }
    Ok(Ok(()))
}

/// Removes what this rotation has written under the new tag.
fn take_back(written: &[PathBuf], new: Tag) -> Result<(), Failure> {
    for path in written {
        fs::remove_file(path).map_err(|error| unusable(path, &error))?;
    }
    // What an earlier rotation left keeps it.
    let _ = fs::remove_dir(folder(new)?);
    Ok(())
}
