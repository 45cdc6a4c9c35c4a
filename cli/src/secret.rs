//! Secret options: a file, standard input or the environment keep them out of the process list.

use std::ffi::OsString;

use crate::hints::Failure;
use crate::input::{self, Purpose};
use crate::report::Report;

/// The secret that `--option` names, or the environment variable's when the option is not given.
///
/// # Errors
/// It cannot be read, or it is empty: nobody means an empty one, and a variable of a script that was not set gives it.
pub(crate) fn resolve(
    option: &str,
    given: Option<&str>,
    variable: &str,
    report: &Report,
) -> Result<Option<String>, Failure> {
    let Some(given) = given else {
        return of_environment(variable, std::env::var_os(variable));
    };
    let secret = if given == "-" {
        input::line(option)?
    } else if let Some(path) = given.strip_prefix('@') {
        let (content, shown) =
            input::read(path.as_ref(), Purpose::Secret).map_err(|failure| failure.at(option))?;
        String::from_utf8(content)
            .map_err(|_| Failure::new(format!("{option} @{shown}: it is not UTF-8")))?
    } else {
        if !given.is_empty() {
            report.warn(&format!(
                "{option} is visible to every user of this computer in the process list; use {option} @FILE, {option} - or {variable}"
            ));
        }
        given.to_owned()
    };
    let end = secret.trim_end_matches(['\r', '\n']).len();
    if end == 0 {
        let what = match given {
            "" => option.to_owned(),
            "-" => format!("{option} -: the line of standard input"),
            file => format!("{option} {file}: the file"),
        };
        return Err(Failure::new(format!("{what} is empty"))
            .hint(format!("leave {option} out if there is none")));
    }
    Ok(Some(secret[..end].into()))
}

fn of_environment(variable: &str, value: Option<OsString>) -> Result<Option<String>, Failure> {
    let Some(value) = value else {
        return Ok(None);
    };
    let value = value
        .into_string()
        .map_err(|_| Failure::new(format!("the environment variable {variable} is not UTF-8")))?;
    if value.is_empty() {
        return Err(
            Failure::new(format!("the environment variable {variable} is empty"))
                .hint(format!("if there is no such secret: unset {variable}")),
        );
    }
    Ok(Some(value))
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use super::*;

    fn of_file(content: &[u8]) -> Result<Option<String>, Failure> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        let given = format!("@{}", file.path().display());
        let report = Report::new(false, false);
        resolve("--password", Some(&given), "SECTAG_TEST_UNSET", &report)
    }

    #[test]
    fn a_file_loses_its_line_end_only() {
        let secret = of_file(b" 12 34 \r\n");
        assert_eq!(secret.ok().flatten().as_deref(), Some(" 12 34 "));
        let report = Report::new(false, false);
        assert!(resolve("--password", Some("@/nowhere"), "X", &report).is_err());
    }

    #[test]
    fn nothing_becomes_an_empty_secret() {
        for content in [&b""[..], b"\n", b"\xff\n"] {
            assert!(of_file(content).is_err(), "{content:?}");
        }
        let report = Report::new(false, false);
        let empty = resolve("--password", Some(""), "X", &report).unwrap_err();
        assert_eq!(empty.observed(), "--password is empty");
        assert_eq!(of_environment("X", None), Ok(None));
        assert_eq!(of_environment("X", Some("1".into())), Ok(Some("1".into())));
        for value in [OsString::new(), OsString::from_vec(vec![0xff])] {
            let failure = of_environment("SECTAG_X", Some(value)).unwrap_err();
            assert!(failure.observed().contains("SECTAG_X is "), "{failure:?}");
        }
    }
}
