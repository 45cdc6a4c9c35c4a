//! Files that options name: a path, `@PATH` as the secret options have it, or `-` for standard input. None is read
//! without an end.

use std::fs::File;
use std::io::{self, BufRead, Read};
use std::path::Path;
use std::sync::Mutex;

use crate::failure::Failure;

/// The longest payload of a message that is published.
pub(crate) const PAYLOAD_LIMIT: usize = 1024 * 1024;

/// What a file is read for, which says how long it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A certificate, a chain, or a key.
    Credential,
    /// A password or a PIN, in one line.
    Secret,
    /// Lines of a table.
    Manifest,
    /// What an MQTT message carries.
    Payload,
    /// What a simulated modem has stored.
    #[cfg(feature = "demo")]
    State,
}

impl Purpose {
    /// In bytes: far more than the largest that is of use.
    pub(crate) const fn limit(self) -> usize {
        match self {
            Self::Credential => 1024 * 1024,
            Self::Secret => 64 * 1024,
            Self::Manifest => 16 * 1024 * 1024,
            Self::Payload => PAYLOAD_LIMIT,
            #[cfg(feature = "demo")]
            Self::State => 64 * 1024 * 1024,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Credential => "a credential",
            Self::Secret => "a secret",
            Self::Manifest => "a manifest",
            Self::Payload => "a message",
            #[cfg(feature = "demo")]
            Self::State => "the state of a modem",
        }
    }
}

/// All of it, and what to call it in messages.
pub(crate) fn read(path: &Path, purpose: Purpose) -> Result<(Vec<u8>, String), Failure> {
    let given = path.display().to_string();
    if given == "-" {
        STDIN.take_all(purpose.name())?;
        let shown = "standard input".to_owned();
        let content = limited(io::stdin().lock(), &shown, purpose)?;
        return Ok((content, shown));
    }
    let shown = given.strip_prefix('@').unwrap_or(&given).to_owned();
    let file = File::open(&shown)
        .map_err(|error| Failure::new(format!("cannot read {shown}: {error}")))?;
    let content = limited(file, &shown, purpose)?;
    Ok((content, shown))
}

/// One line of standard input, with its end; what follows stays for the next that is asked for.
pub(crate) fn line(option: &str) -> Result<String, Failure> {
    STDIN.take_line(option)?;
    let failed = |error: &dyn std::fmt::Display| Failure::new(format!("{option} -: {error}"));
    line_of(&mut io::stdin().lock()).map_err(|error| failed(&error))
}

/// A line that is longer than a secret may be is refused, since its beginning alone would be another secret.
fn line_of(input: &mut impl BufRead) -> io::Result<String> {
    let limit = Purpose::Secret.limit();
    let mut line = String::new();
    input.take(limit as u64 + 1).read_line(&mut line)?;
    if line.len() > limit {
        return Err(io::Error::other(format!(
            "its line is longer than {limit} bytes, which is the most that {} may have here",
            Purpose::Secret.name()
        )));
    }
    Ok(line)
}

fn limited(input: impl Read, shown: &str, purpose: Purpose) -> Result<Vec<u8>, Failure> {
    let limit = purpose.limit();
    let mut content = Vec::new();
    input
        .take(limit as u64 + 1)
        .read_to_end(&mut content)
        .map_err(|error| Failure::new(format!("cannot read {shown}: {error}")))?;
    if content.len() > limit {
        return Err(Failure::new(format!(
            "{shown}: longer than {limit} bytes, which is the most that {} may have here",
            purpose.name()
        ))
        .hint("check that it is the file that was meant"));
    }
    Ok(content)
}

/// Who reads standard input: it can be given to one that reads all of it, or to several that read a line each.
static STDIN: Stdin = Stdin(Mutex::new(None));

struct Stdin(Mutex<Option<Reader>>);

#[derive(Clone)]
struct Reader {
    what: String,
    all: bool,
}

impl Stdin {
    fn take_all(&self, what: &str) -> Result<(), Failure> {
        self.take(what, true)
    }

    fn take_line(&self, option: &str) -> Result<(), Failure> {
        self.take(option, false)
    }

    fn take(&self, what: &str, all: bool) -> Result<(), Failure> {
        // A panic elsewhere does not change what was read.
        let mut taken = match self.0.lock() {
            Ok(taken) => taken,
            Err(poisoned) => poisoned.into_inner(),
        };
        match &*taken {
            Some(earlier) if all || earlier.all => Err(Failure::new(format!(
                "{what} and {} cannot both come from standard input",
                if earlier.what == what {
                    "another"
                } else {
                    &earlier.what
                }
            ))
            .hint("give one of them as a file: secret options, too, take @FILE")),
            _ => {
                let what = what.to_owned();
                *taken = Some(Reader { what, all });
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_at_sign_may_stand_in_front() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), b"content").unwrap();
        let path = file.path().to_str().unwrap();
        for given in [path.to_owned(), format!("@{path}")] {
            let (content, shown) = read(Path::new(&given), Purpose::Credential).unwrap();
            assert_eq!((&content[..], shown.as_str()), (&b"content"[..], path));
        }
        let missing = read(Path::new("@/nowhere/at/all"), Purpose::Secret).unwrap_err();
        assert!(
            missing
                .observed()
                .starts_with("cannot read /nowhere/at/all: ")
        );
    }

    #[test]
    fn nothing_is_read_without_an_end() {
        for purpose in [Purpose::Credential, Purpose::Secret, Purpose::Manifest] {
            let endless = read(Path::new("/dev/zero"), purpose).unwrap_err();
            let limit = format!("/dev/zero: longer than {} bytes", purpose.limit());
            assert!(endless.observed().starts_with(&limit), "{endless:?}");
        }
    }

    #[test]
    fn standard_input_has_one_reader_of_all_or_several_of_lines() {
        let stdin = || Stdin(Mutex::new(None));
        let lines = stdin();
        lines.take_line("--sim-pin").unwrap();
        lines.take_line("--password").unwrap();
        let both = lines.take_all("a message").unwrap_err();
        assert_eq!(
            both.observed(),
            "a message and --password cannot both come from standard input"
        );
        let all = stdin();
        all.take_all("a message").unwrap();
        assert!(all.take_line("--password").is_err());
        assert!(all.take_all("a credential").is_err());
        let twice = all.take_all("a message").unwrap_err();
        assert_eq!(
            twice.observed(),
            "a message and another cannot both come from standard input"
        );
    }

    #[test]
    fn a_line_ends_where_it_ends() {
        let mut input: &[u8] = b"1234\nrest";
        assert_eq!(line_of(&mut input).unwrap(), "1234\n");
        assert_eq!(input, b"rest");
    }

    #[test]
    fn a_line_without_an_end_is_refused_and_not_cut() {
        let limit = Purpose::Secret.limit();
        let longest = "a".repeat(limit);
        assert_eq!(line_of(&mut longest.as_bytes()).unwrap(), longest);
        let refused = line_of(&mut io::BufReader::new(io::repeat(b'a')));
        let told = refused.unwrap_err().to_string();
        let expected = format!("its line is longer than {limit} bytes");
        assert!(told.starts_with(&expected), "{told}");
    }
}
