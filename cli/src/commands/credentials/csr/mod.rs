//! `sectag credentials csr`: a key for a tag, and a signing request for it.

mod host;
mod messages;

use std::io;

use sectag_nrf9160::{DeviceKeys, KEY_BUFFER, KeyError, KeyRequest, Nrf9160};

use self::host::HostMade;
use self::messages::{note_next, removal, unprinted};
use crate::args::CsrCredentials;
use crate::families::ModemName;
use crate::hints::{self, Failure};
use crate::modems;
use crate::ppp;
use crate::report::Report;
use crate::session::{self, Session};
use crate::start;

/// Room for a subject of 200 bytes beside the rest.
const BUFFER: usize = KEY_BUFFER + 256;

pub(super) async fn run(args: &CsrCredentials, report: &Report) -> Result<(), Failure> {
    // What can be refused is refused before the port is opened.
    let request = match &args.subject {
        None => KeyRequest::csr(),
        Some(name) => KeyRequest::csr()
            .subject(name)
            .map_err(|error| Failure::new(format!("--subject: {error}")))?,
    };
    refuse_file(args)?;
    if let Some(name) = args.modem.modem.0
        && !makes_keys(args, name)
    {
        host::subject(args)?;
    }
    let (name, opened, modem) = start::open(&args.modem, report).await?;
    if !makes_keys(args, name) {
        let made = HostMade::new(args, host::key_type(name))?;
        return start::answering_on(name, opened, &modem, report, made).await;
    }
    let driver = modems::nrf9160(&modem, report)?;
    let work = async |session: Session<'_, Nrf9160>| generate(args, &request, session).await;
    session::attach(name, driver, opened, &modem, report, work).await
}

/// Makes key and request for a modem that is only a link: TLS is on this computer, and so is the key.
pub(super) fn here(args: &CsrCredentials, report: &Report) -> Result<(), Failure> {
    refuse_file(args)?;
    if ppp::key_file(args.tag)?.exists() {
        return Err(host::exists(args));
    }
    HostMade::new(args, host::key_type(ModemName::Ppp))?.finish_here(report)
}

/// A key is written over nothing.
fn refuse_file(args: &CsrCredentials) -> Result<(), Failure> {
    match &args.key_out {
        Some(path) if path.exists() => {
            Err(host::unwritten(path, &io::ErrorKind::AlreadyExists.into()))
        }
        _ => Ok(()),
    }
}

/// Whether the key is to be made in the modem.
fn makes_keys(args: &CsrCredentials, name: ModemName) -> bool {
    name == ModemName::Nrf9160 && args.key_out.is_none()
}

async fn generate(
    args: &CsrCredentials,
    request: &KeyRequest<'_>,
    session: Session<'_, Nrf9160>,
) -> Result<(), Failure> {
    session.answer().await?;
    let (tag, report) = (args.tag, session.report);
    let step = report.spin("the modem makes a key");
    let mut buffer = [0; BUFFER];
    let key = match session
        .control
        .generate_key(tag, request, &mut buffer)
        .await
    {
        Ok(key) => key,
        Err(KeyError::Invisible) => {
            drop(step);
            report.note("this firmware's own TLS does not see keys made in the modem, so the key is made on this computer");
            let made = HostMade::new(args, host::key_type(session.name))?;
            return made.finish(&session).await;
        }
        Err(error) => return Err(failure(args, &error, &session.tried())),
    };
    step.done(
        report,
        &format!("the modem has made a key under tag {tag}; it cannot be read out"),
    );
    let pem = key.pem().to_string();
    let printed = report.result(pem.trim_end(), |object| {
        object
            .number("tag", tag.0.into())
            .text("key_made_in", "modem")
            .text("csr", &pem)
    });
    printed.map_err(|failure| unprinted(args, "in the modem", &failure))?;
    note_next(args, report);
    Ok(())
}

fn failure(args: &CsrCredentials, error: &KeyError, tried: &str) -> Failure {
    const DOING: &str = "making a key";
    let failure = match error {
        KeyError::At(error) => hints::at(DOING, error),
        KeyError::BringUp(error) => hints::bring_up(error, tried),
        error => hints::unsuitable(DOING, error),
    };
    match error {
        KeyError::Exists => failure.hint(removal(args)),
        _ => failure,
    }
}
