//! What is to be stored where: the lines of the manifest, all of them looked at before the first modem is.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sectag::{Kind, Tag};

use super::csv;
use crate::args::PortName;
use crate::credential_file::{self, CredentialFile};
use crate::failure::Failure;
use crate::families::Choice;
use crate::hints;
use crate::input::{self, Purpose};

/// One line: a set of credentials for one modem.
pub(super) struct Entry {
    /// Where it stands in the manifest.
    pub(super) line: usize,
    /// At least one of the two is there.
    pub(super) port: Option<Place>,
    pub(super) imei: Option<String>,
    pub(super) tag: Tag,
    pub(super) files: Vec<CredentialFile>,
}

/// Where a modem is.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) port: PortName,
    /// The name of the device, which is the same for all links to it.
    pub(super) device: String,
}

impl Place {
    pub(super) fn new(port: PortName) -> Self {
        let real = match &port {
            PortName::Serial(device) => std::fs::canonicalize(device).ok(),
            PortName::Tcp(_) => None,
        };
        let device = real.map_or_else(|| port.to_string(), |real| real.display().to_string());
        Self { port, device }
    }
}

const COLUMNS: &str = "port, imei, tag, ca, cert, key";

/// Reads manifest and files.
pub(super) async fn read(path: &Path, modem: Choice) -> Result<Vec<Entry>, Failure> {
    let failed = |error: String| Failure::new(format!("{}: {error}", path.display()));
    let (content, _) = input::read(path, Purpose::Manifest)?;
    if let Some(doubt) = csv::doubt(&content) {
        return Err(hints::unsuitable(&path.display().to_string(), &doubt));
    }
    let text = String::from_utf8(content)
        .map_err(|_| failed("it is not UTF-8 text".into()).hint("a manifest is a table in CSV"))?;
    let records = csv::read(&text).map_err(failed)?;
    let Some(((_, names), rows)) = records.split_first() else {
        return Err(failed("nothing is in it".into())
            .hint(format!("its first line names the columns, of {COLUMNS}")));
    };
    let names: Vec<String> = names.iter().map(|name| name.to_lowercase()).collect();
    for name in &names {
        if !COLUMNS.split(", ").any(|known| known == name) {
            return Err(failed(format!("no column is called {name:?}"))
                .hint(format!("the first line names the columns, of {COLUMNS}")));
        }
    }
    for (number, name) in names.iter().enumerate() {
        if names[..number].contains(name) {
            return Err(failed(format!("the column {name:?} stands twice"))
                .hint("leave out the one that is not meant"));
        }
    }
    if !names.iter().any(|name| name == "tag") {
        return Err(failed("no column is called \"tag\"".into())
            .hint(format!("the first line names the columns, of {COLUMNS}")));
    }
    // As the paths in it are: beside the file that was read.
    let place = path.to_str().and_then(|path| path.strip_prefix('@'));
    let place = place.map_or(path, Path::new);
    let folder = place.parent().unwrap_or(Path::new(""));
    let mut entries = Vec::new();
    for (line, fields) in rows {
        let field = |name: &str| {
            let column = names.iter().position(|known| known == name)?;
            let field = fields.get(column).filter(|field| !field.is_empty())?;
            Some(field.as_str())
        };
        let wrong = |what: &str| failed(format!("line {line}: {what}"));
        if fields.len() > names.len() {
            return Err(wrong(&format!(
                "it has {} fields, and the first line names {} columns",
                fields.len(),
                names.len()
            ))
            .hint("a comma in a name needs quotes around the whole field"));
        }
        let file = |name| field(name).map(|file| folder.join(file));
        let paths: [(Kind, &Option<PathBuf>); 3] = [
            (Kind::Ca, &file("ca")),
            (Kind::ClientCertificate, &file("cert")),
            (Kind::PrivateKey, &file("key")),
        ];
        let files = credential_file::read(paths, modem)
            .await
            .map_err(|failure| failure.at(&format!("{}, line {line}", path.display())))?;
        let entry = Entry {
            line: *line,
            port: match field("port").map(str::parse) {
                None => None,
                Some(Ok(port)) => Some(Place::new(port)),
                Some(Err(reason)) => return Err(wrong(&format!("port: {reason}"))),
            },
            imei: match field("imei") {
                Some(imei) if !is_imei(imei) => {
                    return Err(wrong(&format!("imei: {imei:?} is none: it has 15 digits")));
                }
                imei => imei.map(str::to_owned),
            },
            tag: field("tag")
                .and_then(|tag| tag.parse().ok())
                .map(Tag)
                .ok_or_else(|| wrong("tag: a number from 0 to 4294967295 is needed"))?,
            files,
        };
        if entry.port.is_none() && entry.imei.is_none() {
            return Err(wrong("neither port nor imei says which modem is meant"));
        }
        if entry.files.is_empty() {
            return Err(wrong("none of ca, cert and key names a file"));
        }
        entries.push(entry);
    }
    if entries.is_empty() {
        return Err(failed("no line stands below the names".into()));
    }
    let place = path.display().to_string();
    contradictions(&entries).map_err(|failure| failure.at(&place))?;
    strangers(&entries)
        .await
        .map_err(|failure| failure.at(&place))?;
    Ok(entries)
}

/// Returns whether this may be an IMEI, which some modems give with the two digits of the software's version.
fn is_imei(text: &str) -> bool {
    (14..=16).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A file of a key pair, with its line.
type Half<'a> = Option<(usize, &'a CredentialFile)>;

/// Refuses a key and a certificate that do not belong together, where two lines give them to one place. Those of one line
/// were checked when they were read.
async fn strangers(entries: &[Entry]) -> Result<(), Failure> {
    let mut halves: BTreeMap<(String, Tag), [Half<'_>; 2]> = BTreeMap::new();
    for entry in entries {
        for modem in modems(entry) {
            let pair = halves.entry((modem, entry.tag)).or_default();
            for file in &entry.files {
                match file.kind {
                    Kind::ClientCertificate => pair[0] = Some((entry.line, file)),
                    Kind::PrivateKey => pair[1] = Some((entry.line, file)),
                    _ => {}
                }
            }
        }
    }
    for ((modem, tag), pair) in halves {
        let [Some((first, certificate)), Some((second, key))] = pair else {
            continue;
        };
        if first != second {
            credential_file::check_pair(certificate, key)
                .await
                .map_err(|failure| {
                    failure.at(&format!("lines {first} and {second}, tag {tag} of {modem}"))
                })?;
        }
    }
    Ok(())
}

/// Returns the names of the modem that a line is for.
fn modems(entry: &Entry) -> impl Iterator<Item = String> {
    let port = entry.port.as_ref().map(|place| place.device.clone());
    let imei = entry.imei.as_ref().map(|imei| format!("IMEI {imei}"));
    port.into_iter().chain(imei)
}

/// Refuses two lines that give one modem different things for one place. Which of the two came last would be an accident.
pub(super) fn contradictions(entries: &[Entry]) -> Result<(), Failure> {
    let mut seen: BTreeMap<(String, Tag, usize), (usize, &[u8])> = BTreeMap::new();
    for entry in entries {
        for modem in modems(entry) {
            for file in &entry.files {
                let kind = Kind::ALL.iter().position(|kind| *kind == file.kind);
                let place = (modem.clone(), entry.tag, kind.unwrap_or_default());
                let (line, content) = *seen.entry(place).or_insert((entry.line, file.content()));
                if content != file.content() {
                    return Err(Failure::new(format!(
                        "line {}: for tag {} of {modem}, line {line} names another {}",
                        entry.line, entry.tag, file.kind
                    ))
                    .hint("leave out the one that is not meant, or give it a tag of its own"));
                }
            }
        }
    }
    Ok(())
}
