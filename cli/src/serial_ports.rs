//! The serial ports of this computer, and who has them open.

use std::path::{Path, PathBuf};

use tokio_serial::SerialPortInfo;

/// The serial ports of this computer; none where it does not tell.
pub(crate) fn list() -> Vec<SerialPortInfo> {
    // The library panics where this is missing: in a container, for instance.
    if cfg!(target_os = "linux") && !Path::new("/sys/class/tty").is_dir() {
        return Vec::new();
    }
    tokio_serial::available_ports().unwrap_or_default()
}

/// The programs that have a device open, as far as this user may know: names and process ids.
pub(crate) fn occupants(device: &str) -> Option<String> {
    let found = holders(Path::new(device)).into_iter();
    let found: Vec<String> = found
        .filter(|holder| !holder.makes)
        .map(|holder| holder.program)
        .collect();
    (!found.is_empty()).then(|| found.join(" and "))
}

/// The program whose pseudo terminal this is, name and process id, while it runs.
#[cfg(feature = "demo")]
pub(crate) fn maker(device: &Path) -> Option<String> {
    let found = holders(device).into_iter().find(|holder| holder.makes);
    found.map(|holder| holder.program)
}

/// A program that has a device open.
struct Holder {
    program: String,
    /// It has made this pseudo terminal. Then it is the modem, and has the host's end open so that the terminal stays.
    makes: bool,
}

/// Who has a device open, without this process. Of another user's processes, nothing can be read.
fn holders(device: &Path) -> Vec<Holder> {
    let Ok(device) = std::fs::canonicalize(device) else {
        return Vec::new();
    };
    // Others, such as /dev/null, are open everywhere and belong to nobody.
    let is_terminal = device.starts_with("/dev/pts");
    if !is_terminal && !device.to_string_lossy().starts_with("/dev/tty") {
        return Vec::new();
    }
    let Ok(processes) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    let own = std::process::id().to_string();
    let mut found = Vec::new();
    for process in processes.flatten() {
        let id = process.file_name().to_string_lossy().into_owned();
        if id == own || !id.bytes().all(|byte| byte.is_ascii_digit()) {
            continue;
        }
        let Ok(files) = std::fs::read_dir(process.path().join("fd")) else {
            continue;
        };
        let links = files.flatten().map(|file| std::fs::read_link(file.path()));
        let links: Vec<PathBuf> = links.flatten().collect();
        if links.contains(&device) {
            let name = std::fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            found.push(Holder {
                program: format!("{} (process {id})", name.trim()),
                makes: is_terminal && links.iter().any(|target| target.ends_with("ptmx")),
            });
        }
    }
    found
}
