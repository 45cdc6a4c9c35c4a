//! The serial ports of this computer, and who has them open.

use std::path::Path;

use tokio_serial::SerialPortInfo;

use crate::processes::Process;

/// The serial ports of this computer; none where it does not tell.
pub(crate) fn list() -> Vec<SerialPortInfo> {
    // The library panics where this is missing: in a container, for instance.
    if cfg!(target_os = "linux") && !Path::new("/sys/class/tty").is_dir() {
        return Vec::new();
    }
    tokio_serial::available_ports().unwrap_or_default()
}

/// The programs that have a device open, as far as this user may know: names and process ids. The one that has made a pseudo terminal is not
/// among them: it is the modem, and has the host's end open so that the terminal stays.
pub(crate) fn occupants(device: &str) -> Option<String> {
    let found = holders(Path::new(device)).filter(|(_, makes)| !makes);
    let found: Vec<String> = found.map(|(program, _)| program.shown()).collect();
    (!found.is_empty()).then(|| found.join(" and "))
}

/// The program whose pseudo terminal this is, while it runs.
#[cfg(feature = "demo")]
pub(crate) fn maker(device: &Path) -> Option<Process> {
    let found = holders(device).find(|(_, makes)| *makes);
    found.map(|(program, _)| program)
}

/// Who has a device open, without this process, and whether that program has made it.
fn holders(device: &Path) -> impl Iterator<Item = (Process, bool)> {
    let device = std::fs::canonicalize(device).ok();
    // Others, such as /dev/null, are open everywhere and belong to nobody.
    let device = device
        .filter(|device| device.to_string_lossy().starts_with("/dev/tty") || is_pseudo(device));
    device.into_iter().flat_map(|device| {
        let is_pseudo = is_pseudo(&device);
        let open = Process::others().filter(move |program| program.has_open(&device));
        open.map(move |program| {
            let makes = is_pseudo && program.makes_terminals();
            (program, makes)
        })
    })
}

fn is_pseudo(device: &Path) -> bool {
    device.starts_with("/dev/pts")
}
