use sectag_nrf9160::{DeviceKeys, KEY_BUFFER, KeyError, KeyRequest, Nrf9160};

use crate::args::CsrCredentials;
use crate::hints::{self, Failure};
use crate::modems::{self, ModemName};
use crate::report::Report;
use crate::session::{self, Session};

/// Room for a subject of 200 bytes beside the rest.
const BUFFER: usize = KEY_BUFFER + 256;

pub(super) async fn run(args: &CsrCredentials, report: &Report) -> Result<(), Failure> {
    let request = match &args.subject {
        None => KeyRequest::csr(),
        Some(name) => KeyRequest::csr()
            .subject(name)
            .map_err(|error| Failure::new(format!("--subject: {error}")))?,
    };
    // One that was named is not opened in vain.
    if let Some(name) = args.modem.modem.0 {
        makes_keys(args, name)?;
    }
    let (name, opened, modem) = session::open(&args.modem, report).await?;
    makes_keys(args, name)?;
    let driver = modems::nrf9160(&modem, report)?;
    let work = async |session: Session<'_, Nrf9160>| generate(args, &request, session).await;
    session::attach(name, driver, opened, &modem, report, work).await
}

fn makes_keys(args: &CsrCredentials, name: ModemName) -> Result<(), Failure> {
    if name == ModemName::Nrf9160 {
        return Ok(());
    }
    let name = name.as_str();
    Err(outside(
        args,
        Failure::new(format!(
            "a {name} makes no keys, so it cannot make a signing request either"
        )),
    ))
}

async fn generate(
    args: &CsrCredentials,
    request: &KeyRequest<'_>,
    session: Session<'_, Nrf9160>,
) -> Result<(), Failure> {
    session.bring_up().await?;
    let (tag, report) = (args.tag, session.report);
    let step = report.spin("the modem makes a key");
    let mut buffer = [0; BUFFER];
    let key = session
        .control
        .generate_key(tag, request, &mut buffer)
        .await
        .map_err(|error| failure(args, &error, &session.tried()))?;
    step.done(
        report,
        &format!("the modem has made a key under tag {tag}; it cannot be read out"),
    );
    let pem = key.pem().to_string();
    report.result(pem.trim_end(), |object| {
        object.number("tag", tag.0.into()).text("csr", &pem)
    })?;
    report.note(&format!(
        "when the CA has signed it, store the certificate: sectag credentials store --tag {tag} --cert client.pem"
    ));
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
        KeyError::Exists => failure.hint(format!(
            "to remove all that is under it: sectag credentials remove --tag {}",
            args.tag
        )),
        KeyError::Invisible => outside(args, failure),
        _ => failure,
    }
}

/// A key that the modem has no part in.
fn outside(args: &CsrCredentials, failure: Failure) -> Failure {
    failure
        .hint("make both on this computer: openssl req -new -newkey rsa:2048 -noenc -keyout client.key -out client.csr")
        .hint(format!(
            "when the CA has signed it, store key and certificate: sectag credentials store --tag {} --cert client.pem --key client.key",
            args.tag
        ))
}
