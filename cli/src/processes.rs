//! The other programs that run on this computer, as far as this user may know: what they have open, and how they were called.
//!
//! Linux tells it in `/proc`; elsewhere there are none.

use std::fs;
use std::path::{Path, PathBuf};

/// A program that runs.
pub(crate) struct Process {
    /// The process id, as `/proc` writes it.
    id: String,
    /// Where its open files lead: paths, and for sockets `socket:[NUMBER]`.
    files: Vec<PathBuf>,
}

impl Process {
    /// All but this one. Of another user's processes, nothing can be read.
    pub(crate) fn others() -> impl Iterator<Item = Self> {
        let own = std::process::id().to_string();
        let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
        processes.filter_map(move |process| {
            let id = process.file_name().to_string_lossy().into_owned();
            if id == own || !id.bytes().all(|byte| byte.is_ascii_digit()) {
                return None;
            }
            let files = fs::read_dir(process.path().join("fd")).ok()?;
            let links = files.flatten().map(|file| fs::read_link(file.path()));
            let files = links.flatten().collect();
            Some(Self { id, files })
        })
    }

    pub(crate) fn has_open(&self, file: &Path) -> bool {
        self.files.iter().any(|open| open == file)
    }

    /// Whether it has made pseudo terminals.
    pub(crate) fn makes_terminals(&self) -> bool {
        self.files.iter().any(|open| open.ends_with("ptmx"))
    }

    /// Name and process id.
    pub(crate) fn shown(&self) -> String {
        let name = fs::read_to_string(self.told("comm")).unwrap_or_default();
        format!("{} (process {})", name.trim(), self.id)
    }

    /// What it was called with, its own name first.
    #[cfg(feature = "demo")]
    pub(crate) fn arguments(&self) -> Vec<String> {
        let line = fs::read(self.told("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line);
        let line = line.strip_suffix('\0').unwrap_or(&line);
        line.split('\0').map(str::to_owned).collect()
    }

    fn told(&self, file: &str) -> PathBuf {
        Path::new("/proc").join(&self.id).join(file)
    }
}
