//! Secret options: a file, standard input or the environment keep them out of the process list.

use std::io::BufRead;

use crate::hints::Failure;
use crate::report::Report;

/// The secret that `--option` names, or the environment variable's when the option is not given.
pub(crate) fn resolve(
    option: &str,
    given: Option<&str>,
    variable: &str,
    report: &Report,
) -> Result<Option<String>, Failure> {
    let secret = match given {
        None => {
            return Ok(std::env::var(variable)
                .ok()
                .filter(|value| !value.is_empty()));
        }
        Some("-") => line(std::io::stdin().lock())
            .map_err(|error| Failure::new(format!("{option} -: {error}")))?,
        Some(given) => match given.strip_prefix('@') {
            Some(path) => std::fs::read_to_string(path)
                .map_err(|error| Failure::new(format!("{option} @{path}: {error}")))?,
            None => {
                report.warn(&format!(
                    "{option} is visible to every user of this computer in the process list; use {option} @FILE, {option} - or {variable}"
                ));
                return Ok(Some(given.into()));
            }
        },
    };
    let end = secret.trim_end_matches(['\r', '\n']).len();
    Ok(Some(secret[..end].into()))
}

/// One line; what follows stays in the buffer, which standard input has only one of.
fn line(mut input: impl BufRead) -> std::io::Result<String> {
    let mut line = String::new();
    input.read_line(&mut line)?;
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_loses_its_line_end_only() {
        let report = Report::new(false, false);
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), " 12 34 \r\n").unwrap();
        let given = format!("@{}", file.path().display());
        let secret = resolve("--password", Some(&given), "SECTAG_TEST_UNSET", &report);
        assert_eq!(secret.ok().flatten().as_deref(), Some(" 12 34 "));
        assert!(resolve("--password", Some("@/nowhere"), "X", &report).is_err());
    }

    #[test]
    fn a_line_ends_where_it_ends() {
        let mut input: &[u8] = b"1234\nrest";
        assert_eq!(line(&mut input).unwrap(), "1234\n");
        assert_eq!(input, b"rest");
    }
}
