//! Credentials of TLS on this computer: files that the user names, or a store of one folder for each tag.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use sectag::inspect::Container;
use sectag::signer::{Algorithm, P256Key, P256KeyError, Signer};
use sectag::{Digest, Kind, Secret, Tag};
use sectag_ppp::tls::{Credentials, NoKey};

use crate::args::{self, LocalFiles, Paths};
use crate::credential_file::{self, material};
use crate::families::{Choice, ModemName};
use crate::hints::{self, Failure};
use crate::output_file::{self, Readers};
use crate::report::Report;

const CHOICE: Choice = Choice(Some(ModemName::Ppp));
const KINDS: [(Kind, &str); 3] = [
    (Kind::Ca, "ca.pem"),
    (Kind::ClientCertificate, "cert.pem"),
    (Kind::PrivateKey, "key.pem"),
];

/// A set, ready for use.
pub(crate) struct Set {
    credentials: [Credentials; 1],
    /// A key that was looked at.
    key: Option<Secret<Vec<u8>>>,
}

impl Set {
    /// Of the files that are named, and of the store where none is.
    pub(crate) async fn read(tag: Tag, files: &LocalFiles) -> Result<Self, Failure> {
        let named = files.paths();
        if named.iter().any(|(_, path)| path.is_some()) {
            return Self::of(tag, named).await;
        }
        let stored = stored(tag)?;
        let [ca, cert, key] = stored;
        if ca.is_none() {
            return Err(Failure::new(format!(
                "tag {tag} holds no CA in the store of this computer"
            ))
            .hint("TLS is on this computer: give --ca ca.pem (and --cert client.pem --key client.key), or store them once: sectag credentials store --modem ublox-ppp"));
        }
        Self::of(
            tag,
            [
                (Kind::Ca, &ca),
                (Kind::ClientCertificate, &cert),
                (Kind::PrivateKey, &key),
            ],
        )
        .await
    }

    async fn of(tag: Tag, paths: Paths<'_>) -> Result<Self, Failure> {
        let files = credential_file::read(paths, CHOICE).await?;
        let find = |kind| {
            let file = files.iter().find(|file| file.kind == kind);
            file.map(|file| file.content().to_vec())
        };
        Self::new(
            tag,
            find(Kind::Ca),
            find(Kind::ClientCertificate),
            find(Kind::PrivateKey),
        )
    }

    /// Of what such files hold.
    pub(crate) fn new(
        tag: Tag,
        ca: Option<Vec<u8>>,
        certificate: Option<Vec<u8>>,
        key: Option<Vec<u8>>,
    ) -> Result<Self, Failure> {
        let Some(ca) = ca else {
            return Err(Failure::new("ublox-ppp: no CA is given").hint(
                "--ca FILE names the certificate of the authority that signed the server's",
            ));
        };
        if let Some(content) = &key {
            signing_key(content)?;
        }
        // TLS refers to them as firmware does to its flash; this process makes one set and ends.
        let roots: Vec<&'static [u8]> = ders(&ca, Kind::Ca)?
            .into_iter()
            .map(|der| &*der.leak())
            .collect();
        let certificate = match &certificate {
            Some(content) => ders(content, Kind::ClientCertificate)?.into_iter().next(),
            None => None,
        };
        let set = Credentials {
            tag,
            roots: roots.leak(),
            certificate: certificate.map(|der| &*der.leak()),
        };
        Ok(Self {
            credentials: [set],
            key: key.map(Secret::new),
        })
    }

    /// For a link over which nothing is connected to.
    pub(super) fn none(tag: Tag) -> Self {
        Self {
            credentials: [Credentials {
                tag,
                roots: &[],
                certificate: None,
            }],
            key: None,
        }
    }

    pub(super) fn credentials(&self) -> &[Credentials] {
        &self.credentials
    }

    pub(crate) fn has_client(&self) -> bool {
        self.key.is_some() && self.credentials[0].certificate.is_some()
    }

    pub(super) fn key(&self) -> HostSigner {
        let key = self.key.as_ref();
        match key.and_then(|key| P256Key::parse(key.expose()).ok()) {
            Some(key) => HostSigner::Key(key),
            None => HostSigner::None(NoKey),
        }
    }
}

/// A key that TLS can show a certificate with.
pub(super) fn signing_key(content: &[u8]) -> Result<P256Key, Failure> {
    P256Key::parse(content).map_err(|error| match error {
        P256KeyError::WrongType(found) => Failure::new(format!("--key: the key is {found}"))
            .hint("TLS on the host shows client certificates with ECDSA P-256 keys only: openssl ecparam -name prime256v1 -genkey -noout makes one"),
        error => hints::unsuitable("--key", &error),
    })
}

/// The key of the set, if it has one.
pub(super) enum HostSigner {
    Key(P256Key),
    None(NoKey),
}

impl Signer for HostSigner {
    type Error = NoKey;
    type Signature = [u8; 64];
    const ALGORITHM: Algorithm = Algorithm::Es256;

    async fn sign(&mut self, digest: &Digest) -> Result<[u8; 64], NoKey> {
        match self {
            Self::Key(key) => key.sign(digest).await.map_err(|_| NoKey),
            Self::None(none) => none.sign(digest).await,
        }
    }
}

/// The certificates of a file, in DER.
fn ders(content: &[u8], kind: Kind) -> Result<Vec<Vec<u8>>, Failure> {
    if material(content).is_some_and(|found| found.container == Container::Der) {
        return Ok(vec![content.to_vec()]);
    }
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(content).collect();
    let found = found.map_err(|error| Failure::new(format!("{}: {error}", option(kind))))?;
    if found.is_empty() {
        return Err(Failure::new(format!(
            "{}: there is no certificate in it",
            option(kind)
        )));
    }
    Ok(found.into_iter().map(|der| der.to_vec()).collect())
}

// The store.

/// `$SECTAG_STORE`, or where this user's programs keep such things.
fn store() -> Result<PathBuf, Failure> {
    #[cfg(test)]
    if let Some(path) = in_test::place() {
        return Ok(path);
    }
    let of = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    if let Some(path) = of("SECTAG_STORE") {
        return Ok(path.into());
    }
    let data = of("XDG_DATA_HOME").map(PathBuf::from);
    let data = data.or_else(|| Some(PathBuf::from(of("HOME")?).join(".local/share")));
    data.map(|data| data.join("sectag/credentials"))
        .ok_or_else(|| {
            Failure::new("this user has no home for a store of credentials")
                .hint("name a folder by the environment variable SECTAG_STORE")
        })
}

pub(super) fn folder(tag: Tag) -> Result<PathBuf, Failure> {
    Ok(store()?.join(tag.to_string()))
}

/// What is there of a set: CA, certificate, key.
pub(super) fn stored(tag: Tag) -> Result<[Option<PathBuf>; 3], Failure> {
    let folder = folder(tag)?;
    Ok(KINDS.map(|(_, name)| Some(folder.join(name)).filter(|path| path.exists())))
}

/// `sectag credentials`, with this computer's store.
pub(crate) async fn run(args: &args::Credentials, report: &Report) -> Result<(), Failure> {
    match args {
        args::Credentials::Store(args) => {
            let files = credential_file::read(args.files.paths(), CHOICE).await?;
            if let Some(key) = files.iter().find(|file| file.kind == Kind::PrivateKey) {
                // A key that TLS cannot use is refused now.
                signing_key(key.content())?;
            }
            let folder = folder(args.tag)?;
            for file in &files {
                let path = folder.join(name(file.kind));
                write(&folder, &path, file.content()).map_err(|error| unusable(&path, &error))?;
                let text = format!(
                    "stored the {} under tag {}: {} bytes, in {}",
                    file.kind,
                    args.tag,
                    file.len(),
                    path.display()
                );
                report.result(&text, |object| {
                    object
                        .number("tag", args.tag.0.into())
                        .text("kind", word(file.kind))
                        .number("bytes", file.len() as u64)
                        .truth("uploaded", true)
                })?;
            }
            Ok(())
        }
        args::Credentials::Verify(args) => {
            let files = credential_file::read_unchecked(args.files.paths())?;
            let folder = folder(args.tag)?;
            let mut wrong = Vec::new();
            for file in &files {
                let (tag, kind) = (args.tag, file.kind);
                let result = match fs::read(folder.join(name(kind))) {
                    Ok(content) if content == file.content() => "same",
                    Ok(_) => "differs",
                    Err(_) => "missing",
                };
                if result != "same" {
                    wrong.push(option(kind));
                }
                report.result(&format!("{tag}\t{kind}\t{result}"), |object| {
                    object
                        .number("tag", tag.0.into())
                        .text("kind", word(kind))
                        .text("result", result)
                })?;
            }
            if wrong.is_empty() {
                return Ok(());
            }
            Err(Failure::new(format!(
                "what this computer has under tag {} is not what is in the files: {}",
                args.tag,
                wrong.join(", ")
            ))
            .hint("store it: sectag credentials store --modem ublox-ppp with the same options"))
        }
        args::Credentials::List(args) => {
            let tags = match args.tag {
                Some(tag) => vec![tag],
                None => tags()?,
            };
            let mut count = 0;
            for tag in tags {
                for ((kind, _), path) in KINDS.into_iter().zip(stored(tag)?) {
                    let Some(content) = path.and_then(|path| fs::read(path).ok()) else {
                        continue;
                    };
                    let digest = Digest::of(&content);
                    let mut text = format!("{tag}\t{kind}\t{} bytes\t{digest}", content.len());
                    let until = match kind {
                        Kind::PrivateKey => None,
                        _ => Some(credential_file::until(credential_file::ends(&content))),
                    };
                    if let Some(until) = &until {
                        text.push_str("\tuntil ");
                        text.push_str(until);
                    }
                    report.result(&text, |object| {
                        let object = object
                            .number("tag", tag.0.into())
                            .text("kind", word(kind))
                            .number("bytes", content.len() as u64)
                            .text("sha256", &digest.to_string());
                        match &until {
                            Some(until) => object.text("until", until),
                            None => object,
                        }
                    })?;
                    count += 1;
                }
            }
            note_nothing(count, report);
            Ok(())
        }
        args::Credentials::Remove(args) => {
            let tags = match args.tag {
                Some(tag) => vec![tag],
                None => tags()?,
            };
            let mut count = 0;
            for tag in tags {
                remove(tag, |kind| {
                    count += 1;
                    report.result(&format!("removed the {kind} under tag {tag}"), |object| {
                        object
                            .number("tag", tag.0.into())
                            .text("removed", word(kind))
                    })
                })?;
            }
            note_nothing(count, report);
            Ok(())
        }
        args::Credentials::Rotate(_) | args::Credentials::Csr(_) => Err(Failure::new(
            "ublox-ppp: this is done by rotate and keep_key",
        )),
    }
}

/// Removes what is under a tag, and tells of each.
pub(super) fn remove(
    tag: Tag,
    mut removed: impl FnMut(Kind) -> Result<(), Failure>,
) -> Result<(), Failure> {
    for ((kind, _), path) in KINDS.into_iter().zip(stored(tag)?) {
        let Some(path) = path else { continue };
        fs::remove_file(&path).map_err(|error| unusable(&path, &error))?;
        removed(kind)?;
    }
    // Something else in it is somebody else's.
    let _ = fs::remove_dir(folder(tag)?);
    Ok(())
}

/// Where the key of a tag is, or would be.
pub(crate) fn key_file(tag: Tag) -> Result<PathBuf, Failure> {
    Ok(folder(tag)?.join(name(Kind::PrivateKey)))
}

/// Keeps a key that was made here under a tag that has none. Only this user can read it.
pub(crate) fn keep_key(tag: Tag, pem: &str) -> Result<(), Failure> {
    let path = key_file(tag)?;
    let kept = make(&folder(tag)?)
        .and_then(|()| output_file::create(&path, pem.as_bytes(), Readers::User));
    kept.map_err(|error| unusable(&path, &error))
}

/// A file of this computer that cannot be used.
pub(super) fn unusable(path: &Path, error: &io::Error) -> Failure {
    Failure::new(format!("{}: {error}", path.display()))
}

/// Says that there was nothing, where there was.
fn note_nothing(count: usize, report: &Report) {
    if count == 0 {
        report.note("nothing is stored on this computer");
    }
}

/// Readable by this user alone, and whole or not there.
pub(super) fn write(folder: &Path, path: &Path, content: &[u8]) -> io::Result<()> {
    make(folder)?;
    output_file::replace(path, content, Readers::User)
}

fn make(folder: &Path) -> io::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
}

/// The tags that the store has, in order.
fn tags() -> Result<Vec<Tag>, Failure> {
    let Ok(entries) = fs::read_dir(store()?) else {
        return Ok(Vec::new());
    };
    let names = entries.flatten().map(|entry| entry.file_name());
    let numbers = names.filter_map(|name| name.to_str()?.parse().ok());
    let mut tags: Vec<Tag> = numbers.map(Tag).collect();
    tags.sort_unstable();
    Ok(tags)
}

pub(super) fn name(kind: Kind) -> &'static str {
    let found = KINDS.iter().find(|(known, _)| *known == kind);
    found.map_or("ca.pem", |(_, name)| name)
}

/// As the options are called.
fn word(kind: Kind) -> &'static str {
    option(kind).trim_start_matches('-')
}

/// As the options call it.
const fn option(kind: Kind) -> &'static str {
    match kind {
        Kind::ClientCertificate => "--cert",
        Kind::PrivateKey => "--key",
        _ => "--ca",
    }
}

/// For tests: a store of the thread's own, since its environment is the whole process's.
#[cfg(test)]
pub(super) mod in_test {
    use std::cell::RefCell;
    use std::path::{Path, PathBuf};

    thread_local! {
        static PLACE: RefCell<Option<PathBuf>> = const { RefCell::new(None) };
    }

    /// Keeps the store of this thread in a folder.
    pub(in crate::ppp) fn keep_in(folder: &Path) {
        PLACE.replace(Some(folder.to_owned()));
    }

    pub(super) fn place() -> Option<PathBuf> {
        PLACE.with_borrow(Clone::clone)
    }
}
