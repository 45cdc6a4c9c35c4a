//! A key that this computer makes because the modem cannot: it goes into the modem, and into no file unless asked.

use std::io;
use std::path::Path;

use rsa::RsaPrivateKey;
use rsa::rand_core::{OsRng, RngCore};
use sectag::csr::{self, Subject};
use sectag::inspect::Pem;
use sectag::modem::Full;
use sectag::signer::P256Key;
use sectag::{Kind, Secret};

use super::messages::{note_next, removal, unprinted};
use crate::args::CsrCredentials;
use crate::families::ModemName;
use crate::hints::{self, Failure};
use crate::output_file::{self, Readers};
use crate::ppp;
use crate::report::Report;
use crate::session::{Job, Session};
use crate::signing::{HostKey, RsaKey};

/// Room for a request with all fields and an RSA key.
const ROOM: usize = csr::ROOM + 1536;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NewKey {
    P256,
    Rsa2048,
}

/// What a modem's TLS can authenticate with.
pub(super) fn key_type(modem: ModemName) -> NewKey {
    match modem {
        // TLS on this computer, as on an MCU, signs with P-256.
        ModemName::Nrf9160 | ModemName::Ppp => NewKey::P256,
        // The BG96 has no suites of ECDSA (sheet 4.1), and RSA is what every modem's TLS takes.
        _ => NewKey::Rsa2048,
    }
}

/// Who the certificate is to be for.
pub(super) fn subject(args: &CsrCredentials) -> Result<Subject<'_>, Failure> {
    let Some(subject) = &args.subject else {
        return Err(Failure::new(
            "--subject is needed: this modem makes no keys and has no name of its own",
        )
        .hint("for instance --subject CN=pump-17,O=Example"));
    };
    Subject::parse(subject).map_err(|error| hints::unsuitable("--subject", &error))
}

/// A key and its request, not stored yet.
pub(super) struct HostMade<'a> {
    args: &'a CsrCredentials,
    /// PKCS#8.
    key: Secret<Vec<u8>>,
    kind: String,
    request: String,
}

impl<'a> HostMade<'a> {
    pub(super) fn new(args: &'a CsrCredentials, new: NewKey) -> Result<Self, Failure> {
        let subject = subject(args)?;
        let mut key = match new {
            NewKey::P256 => HostKey::Ec(P256Key::generate(|bytes| OsRng.fill_bytes(bytes))),
            NewKey::Rsa2048 => {
                let made = RsaPrivateKey::new(&mut OsRng, 2048);
                let made =
                    made.map_err(|error| Failure::new(format!("making an RSA key: {error}")))?;
                HostKey::Rsa(RsaKey(Box::new(made)))
            }
        };
        let kind = key.kind();
        let mut room = [0; ROOM];
        // Neither key waits for anything.
        let request = embassy_futures::block_on(async {
            match &mut key {
                HostKey::Ec(key) => csr::sign(key, &subject, &mut room)
                    .await
                    .map_err(|error| hints::unsuitable("making a request", &error)),
                HostKey::Rsa(key) => csr::sign(key, &subject, &mut room)
                    .await
                    .map_err(|error| hints::unsuitable("making a request", &error)),
            }
        })?;
        let request = request.pem().to_string();
        Ok(Self {
            args,
            key: key.to_pkcs8()?,
            kind,
            request,
        })
    }

    /// Stores the key and prints the request, on a modem that is up.
    pub(super) async fn finish<M: Full>(self, session: &Session<'_, M>) -> Result<(), Failure> {
        let (args, report, control) = (self.args, session.report, session.control);
        let tag = args.tag;
        let mut exists = false;
        let mut look = |stored: sectag::Stored| {
            exists |= stored.kind == Kind::PrivateKey && stored.other_store.is_none();
        };
        let listed = control.list_tag(tag, &mut look).await;
        listed.map_err(|error| hints::credential("listing the credentials", &error))?;
        if exists {
            return Err(self::exists(args));
        }
        // Before it is stored, so that a file that cannot be written leaves nothing in the modem.
        self.write_file()?;
        let step = report.spin("storing the key");
        let content = Secret::new(&self.key.expose()[..]);
        let stored = control.store(tag, Kind::PrivateKey, content).await;
        stored.map_err(|error| hints::credential("storing the key", &error))?;
        let place = match &args.key_out {
            Some(file) => format!(
                "and is in the modem, under tag {tag}, and in {}",
                file.display()
            ),
            None => format!("and is in the modem only, under tag {tag}; it is in no file"),
        };
        step.done(report, &self.made(&place));
        self.print(report, "in the modem")
    }

    /// Keeps the key in this computer's store and prints the request.
    pub(super) fn finish_here(self, report: &Report) -> Result<(), Failure> {
        let tag = self.args.tag;
        // First, so that a file that cannot be written leaves nothing in the store.
        self.write_file()?;
        ppp::keep_key(tag, self.pem().expose())?;
        let kept = ppp::key_file(tag)?;
        let kept = kept.display();
        let place = match &self.args.key_out {
            Some(file) => format!(
                "and is on this computer, under tag {tag}: in {kept}, and in {}",
                file.display()
            ),
            None => {
                format!("and is on this computer, under tag {tag}: in {kept}, and in no other file")
            }
        };
        report.note(&self.made(&place));
        self.print(report, "on this computer")
    }

    fn made(&self, place: &str) -> String {
        format!("a key, {}, was made on this computer {place}", self.kind)
    }

    /// Prints the request of a key that is kept at `place`.
    fn print(&self, report: &Report, place: &str) -> Result<(), Failure> {
        let args = self.args;
        let printed = report.result(self.request.trim_end(), |object| {
            object
                .number("tag", args.tag.0.into())
                .text("key_made_in", "computer")
                .text("key_type", &self.kind)
                .text("csr", &self.request)
        });
        printed.map_err(|failure| unprinted(args, place, &failure))?;
        note_next(args, report);
        Ok(())
    }

    fn pem(&self) -> Secret<String> {
        Secret::new(Pem::new("PRIVATE KEY", self.key.expose()).to_string())
    }

    /// A new file that only its owner reads.
    fn write_file(&self) -> Result<(), Failure> {
        let Some(path) = &self.args.key_out else {
            return Ok(());
        };
        output_file::create(path, self.pem().expose().as_bytes(), Readers::User)
            .map_err(|error| unwritten(path, &error))
    }
}

/// A tag has a key, which a new one would replace.
pub(super) fn exists(args: &CsrCredentials) -> Failure {
    Failure::new(format!(
        "there is a private key under tag {} already",
        args.tag
    ))
    .hint("remove it first if it is not used any more, or take another tag")
    .hint(removal(args))
}

/// Why there is no file with the key.
pub(super) fn unwritten(path: &Path, error: &io::Error) -> Failure {
    let failed =
        |why: &dyn std::fmt::Display| Failure::new(format!("--key-out {}: {why}", path.display()));
    match error.kind() {
        io::ErrorKind::AlreadyExists => failed(&"it is there already")
            .hint("keys are not overwritten: give another name, or remove it first"),
        _ => failed(error),
    }
}

impl Job for HostMade<'_> {
    async fn run<M: Full>(self, session: Session<'_, M>) -> Result<(), Failure> {
        self.finish(&session).await
    }
}
