//! Files that this tool writes: each is whole under its name, or as it was before.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Who may read a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Readers {
    /// The user alone: private keys are in it.
    User,
    /// As the user's umask has it.
    Umask,
}

impl Readers {
    const fn mode(self) -> u32 {
        match self {
            Self::User => 0o600,
            Self::Umask => 0o666,
        }
    }
}

/// Writes a file anew in one go: a process that is killed, or a full disk, leaves the file of before. What does not
/// come to its end is removed.
pub(crate) fn replace(path: &Path, content: &[u8], readers: Readers) -> io::Result<()> {
    replace_prepared(path, content, readers, |_| Ok(())).map(drop)
}

/// As [`replace`], with the new file locked before it has its name. Who keeps the returned file has the lock.
#[cfg(feature = "demo")]
pub(crate) fn replace_locked(path: &Path, content: &[u8], readers: Readers) -> io::Result<File> {
    replace_prepared(path, content, readers, |file| {
        file.try_lock().map_err(io::Error::from)
    })
}

fn replace_prepared(
    path: &Path,
    content: &[u8],
    readers: Readers,
    prepare: fn(&File) -> io::Result<()>,
) -> io::Result<File> {
    // Through a link, so that the link stays one.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let part = part(&path);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(readers.mode());
    let file = fill(&part, &options, content)?;
    let placed = prepare(&file).and_then(|()| fs::rename(&part, &path));
    placed.inspect_err(|_| remove(&part))?;
    Ok(file)
}

/// Writes a new file, never over one that is there. What does not come to its end is removed, so that it is in nobody's
/// way.
pub(crate) fn create(path: &Path, content: &[u8], readers: Readers) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(readers.mode());
    fill(path, &options, content).map(drop)
}

fn fill(path: &Path, options: &OpenOptions, content: &[u8]) -> io::Result<File> {
    let mut file = options.open(path)?;
    let written = write(&mut file, content);
    written.inspect_err(|_| remove(path))?;
    Ok(file)
}

fn write(file: &mut File, content: &[u8]) -> io::Result<()> {
    file.write_all(content)?;
    // A full disk may be told only now.
    file.sync_all()
}

fn remove(path: &Path) {
    // It is reported why there is no file; that a part of it stays is the lesser evil.
    let _ = fs::remove_file(path);
}

/// A name beside the file's that no other process takes.
fn part(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap().flatten();
        let mut names: Vec<_> = entries
            .map(|entry| entry.file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn nothing_but_the_file_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        for content in ["first", "second"] {
            replace(&path, content.as_bytes(), Readers::User).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
        }
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert!(create(&path, b"third", Readers::User).is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "second");
        create(&dir.path().join("other"), b"", Readers::User).unwrap();
        assert_eq!(names(dir.path()), ["file", "other"]);
    }

    #[test]
    fn a_full_disk_leaves_no_part() {
        let mut full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        assert!(write(&mut full, b"content").is_err());
        let dir = tempfile::tempdir().unwrap();
        // A folder cannot be replaced by a file, which is seen only when the part is written.
        let folder = dir.path().join("folder");
        fs::create_dir(&folder).unwrap();
        assert!(replace(&folder, b"content", Readers::Umask).is_err());
        assert_eq!(names(dir.path()), ["folder"]);
    }

    #[test]
    fn a_link_stays_a_link() {
        let dir = tempfile::tempdir().unwrap();
        let (file, link) = (dir.path().join("file"), dir.path().join("link"));
        fs::write(&file, "first").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        replace(&link, b"second", Readers::Umask).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&file).unwrap(), "second");
    }
}
