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

/// Replaces the set under a tag by one under another, once a connection with it over the modem's link has worked.
///
/// # Errors
/// Of this computer's files; within, why the rotation was refused or did not succeed.
pub(crate) async fn rotate(
    args: &RotateCredentials,
    files: &[CredentialFile],
    report: &Report,
) -> Result<Result<(), RotateError<Infallible, Failure>>, Failure> {
    let tls = args.tls();
    let target = Target {
        host: &args.host.host,
        port: args.host.port,
        tag: args.new_tag,
        modem: Some(&args.modem),
    };
    let dial = Dial::from_args(&args.modem, report)?;
    replace(args, files, async |set: &Set| {
        link::on_port(&args.modem, &dial, set, report, async |link| {
            let config = config(set, &tls, report);
            connect(link.sockets, &config, &target, report)
                .await
                .map(drop)
        })
        .await
    })
    .await
}

/// Replaces a set as `Control::rotate` does in a modem: each file is there whole or not at all, and the old ones go last,
/// once `probe` has worked, so that one of the two sets connects at any moment.
async fn replace(
    args: &RotateCredentials,
    files: &[CredentialFile],
    probe: impl AsyncFnOnce(&Set) -> Result<(), Failure>,
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
    if let Err(failure) = probe(&set).await {
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

#[cfg(test)]
mod tests {
    use clap::Parser;
    use embassy_futures::block_on;
    use sectag_test_support::pki::Pki;

    use super::*;
    use crate::args::{Cli, Command, Credentials};
    use crate::credential_file;
    use crate::ppp::credentials::in_test;

    const KINDS: [Kind; 3] = [Kind::Ca, Kind::ClientCertificate, Kind::PrivateKey];
    const OLD: Tag = Tag(5);
    const NEW: Tag = Tag(7);

    /// What the store has under a tag: CA, certificate, key.
    fn contents(tag: Tag) -> [Option<String>; 3] {
        stored(tag)
            .unwrap()
            .map(|path| path.map(|path| fs::read_to_string(path).unwrap()))
    }

    /// Whether its probe works or not: one of the two sets is whole at any moment.
    #[test]
    fn a_rotation_that_was_cut_off_behind_any_file_may_be_given_again() {
        let dir = tempfile::tempdir().unwrap();
        in_test::keep_in(&dir.path().join("store"));
        let pki = Pki::shared();
        let [old, new] = ["old", "new"].map(|name| {
            let client = pki.issue_client_ecdsa(name);
            [pki.ca_pem(), client.cert_pem, client.key_pem]
        });
        let mut line: Vec<String> = "sectag credentials rotate --modem ublox-ppp --port /nowhere --tag 5 --new-tag 7 --host broker.sectag.test"
            .split(' ')
            .map(String::from)
            .collect();
        for (option, content) in ["ca", "cert", "key"].iter().zip(&new) {
            let path = dir.path().join(option);
            fs::write(&path, content).unwrap();
            line.extend([format!("--{option}"), path.to_str().unwrap().to_owned()]);
        }
        let Command::Credentials(Credentials::Rotate(args)) =
            Cli::try_parse_from(line).unwrap().command
        else {
            unreachable!("it is what was asked for");
        };
        let files = credential_file::read(args.files.paths(), args.modem.modem);
        let files = block_on(files).unwrap();
        let whole = |set: &[String; 3]| set.clone().map(Some);

        for (old_from, new_until) in [(0, 0), (0, 1), (0, 2), (0, 3), (1, 3), (2, 3), (3, 3)] {
            for works in [false, true] {
                let cut = format!("{old_from} {new_until} {works}");
                let mut before = [whole(&old), whole(&new)];
                before[0][..old_from].fill(None);
                before[1][new_until..].fill(None);
                for (tag, set) in [(OLD, &before[0]), (NEW, &before[1])] {
                    let at = folder(tag).unwrap();
                    let _ = fs::remove_dir_all(&at);
                    for (kind, content) in KINDS.into_iter().zip(set) {
                        if let Some(content) = content {
                            write(&at, &at.join(name(kind)), content.as_bytes()).unwrap();
                        }
                    }
                }
                let probe = async |set: &Set| {
                    assert!(set.has_client(), "{cut}");
                    assert_eq!(contents(NEW), whole(&new), "{cut}");
                    assert_eq!(contents(OLD), before[0], "{cut}");
                    if works {
                        Ok(())
                    } else {
                        Err(Failure::new("no connection"))
                    }
                };
                let done = block_on(replace(&args, &files, probe)).unwrap();
                if works {
                    assert!(done.is_ok(), "{cut}");
                    assert_eq!(contents(NEW), whole(&new), "{cut}");
                    assert_eq!(contents(OLD), [const { None }; 3], "{cut}");
                } else {
                    assert!(matches!(done, Err(RotateError::Probe(_))), "{cut}");
                    assert_eq!([contents(OLD), contents(NEW)], before, "{cut}");
                }
            }
        }
    }
}
