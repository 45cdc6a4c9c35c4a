use std::convert::Infallible;

use sectag::modem::Full;
use sectag::{RotateError, TlsConfig};

use super::files::{Filed, word};
use crate::args::{ModemArgs, RotateCredentials};
use crate::credential_file::{self, CredentialFile};
use crate::hints::{self, Failure, Target};
use crate::ppp;
use crate::report::Report;
use crate::route::Route;
use crate::session::{Job, Session};
use crate::tls;

impl Job for Filed<'_, RotateCredentials> {
    async fn run<M: Full>(self, session: Session<'_, M>) -> Result<(), Failure> {
        let (Self { args, files }, control, report) = (self, session.control, session.report);
        credential_file::check(&files, &M::ACCEPTS).await?;
        let (old, new) = (args.tag, args.new_tag);
        let tls = args.tls();
        // What the policy forbids is forbidden whatever is stored: nothing is sent in vain.
        let wanted = tls::policy(TlsConfig::new(new), &tls, None);
        if let Err(error) = session.control.admit(&wanted) {
            let target = Target {
                host: &args.host.host,
                port: args.host.port,
                tag: new,
                modem: Some(session.modem),
            };
            return Err(hints::connect(&error, &target));
        }
        let probe = async || {
            let server = (args.host.host.as_str(), args.host.port);
            let socket = session.secure(&tls, server, None).await?;
            // It has served its purpose; a close that fails is the driver's to repeat.
            let _ = socket.close().await;
            Ok(())
        };
        let mut set = credential_file::set(&files);
        if args.drop_client_cert {
            set = set.drop_client_certificate();
        }
        match control.rotate(old, new, set, probe).await {
            Ok(()) => replaced(args, report),
            Err(error) => Err(failure(args, session.modem, &files, report, error)),
        }
    }
}

/// Rotation in this computer's store, for a modem that is only a link.
pub(super) async fn here(args: &RotateCredentials, report: &Report) -> Result<(), Failure> {
    let modem = &args.modem;
    let files = credential_file::read(args.files.paths(), modem.modem).await?;
    match ppp::rotate(args, &files, report).await? {
        Ok(()) => replaced(args, report),
        Err(error) => Err(failure(args, modem, &files, report, error)),
    }
}

fn replaced(args: &RotateCredentials, report: &Report) -> Result<(), Failure> {
    let (old, new) = (args.tag, args.new_tag);
    report.result(
        &format!("tag {new} is the one to use from now on; tag {old} is empty"),
        |object| {
            object
                .number("tag", new.0.into())
                .number("removed_tag", old.0.into())
        },
    )
}

/// Why a rotation did not come to its end, and what to do.
fn failure(
    args: &RotateCredentials,
    modem: &ModemArgs,
    files: &[CredentialFile],
    report: &Report,
    error: RotateError<Infallible, Failure>,
) -> Failure {
    let (old, new) = (args.tag, args.new_tag);
    match error {
        RotateError::Incomplete(kind) => Failure::new(format!("the {kind} is missing")).hint(
            "a set that replaces another needs --ca, and --cert and --key or neither of them",
        ),
        RotateError::Ask(tag, error) => {
            hints::credential(&format!("reading what is stored under tag {tag}"), &error)
        }
        RotateError::Fewer(kind) => Failure::new(format!(
            "tag {old} holds a {kind} and the new set has none: without it the server would see no client certificate"
        ))
        .hint("give the new one: --cert and --key")
        .hint("if the device is to do without from now on, say so: --drop-client-cert"),
        RotateError::InUse(kind) => Failure::new(format!(
            "tag {new} is in use: it holds a {kind} that is not known to be the one of --{}",
            word(kind)
        ))
        .hint("give a --new-tag under which nothing is stored: sectag credentials list shows all that is")
        .hint(format!(
            "if nothing needs what is there: sectag credentials remove{} --tag {new}",
            hints::place(modem)
        )),
        RotateError::NothingOld => Failure::new(format!(
            "nothing is stored under tag {old}, so there is nothing to replace"
        ))
        .hint("sectag credentials list shows the tags in use; what is new is stored by sectag credentials store"),
        RotateError::SameTag => Failure::new("--tag and --new-tag are the same").hint(
            "the old credentials stay until the new ones have worked, so these need a tag of their own",
        ),
        RotateError::Store(error) => credential_file::failure(files, &error),
        RotateError::Probe(failure) => {
            report.note(&format!(
                "the new credentials did not work, and what was sent was removed again; tag {old} is as it was"
            ));
            failure
        }
        RotateError::Remove(error) => {
            let doing = format!("removing the old {} under tag {old}", error.kind);
            hints::credential(&doing, &error.error).hint(format!(
                "the new ones are in place: remove the old by sectag credentials remove --tag {old}"
            ))
        }
        _ => Failure::new("the credentials were not replaced"),
    }
}
