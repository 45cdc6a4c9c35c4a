//! Files that options name: a path, `@PATH` as the secret options have it, or `-` for standard input.

use std::io::Read;
use std::path::Path;

use crate::failure::Failure;

/// All of it, and what to call it in messages.
pub(crate) fn read(path: &Path) -> Result<(Vec<u8>, String), Failure> {
    let given = path.display().to_string();
    if given == "-" {
        let mut content = Vec::new();
        std::io::stdin()
            .read_to_end(&mut content)
            .map_err(|error| Failure::new(format!("reading standard input: {error}")))?;
        return Ok((content, "standard input".into()));
    }
    let shown = given.strip_prefix('@').unwrap_or(&given).to_owned();
    let content = std::fs::read(&shown)
        .map_err(|error| Failure::new(format!("cannot read {shown}: {error}")))?;
    Ok((content, shown))
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
            let (content, shown) = read(Path::new(&given)).unwrap();
            assert_eq!((&content[..], shown.as_str()), (&b"content"[..], path));
        }
        let missing = read(Path::new("@/nowhere/at/all")).unwrap_err();
        assert!(
            missing
                .observed()
                .starts_with("cannot read /nowhere/at/all: ")
        );
    }
}
