//! Why a port cannot be opened.

use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use crate::args::PortName;
use crate::failure::Failure;
use crate::serial_ports;

/// What is observed, and what to do about it.
pub(crate) fn port_failed(name: &PortName, error: &io::Error) -> Failure {
    let failed = |why: &dyn std::fmt::Display| Failure::new(format!("cannot open {name}: {why}"));
    let device = match name {
        PortName::Serial(device) => device,
        PortName::Tcp(_) => {
            return failed(error)
                .hint("check host and port, and that the other side listens (tcp:HOST:PORT)");
        }
    };
    // Whatever the system says of a port that is in use.
    if let Some(programs) = serial_ports::occupants(device) {
        return failed(&format_args!("it is in use by {programs}"))
            .hint("end that first: a port has one user at a time");
    }
    let Ok(found) = std::fs::metadata(device) else {
        return match error.kind() {
            io::ErrorKind::PermissionDenied => failed(error),
            // Also a link whose simulated modem has ended.
            _ if Path::new(device).is_symlink() => failed(&"the link leads nowhere")
                .hint("start the simulated modem whose link it was, or name another port"),
            _ => failed(&"there is no such device").hint(present()),
        };
    };
    let failure = match found.file_type() {
        kind if kind.is_dir() => failed(&"it is a folder"),
        kind if !kind.is_char_device() => failed(&"it is a file, not a serial port"),
        _ if error.kind() == io::ErrorKind::Unsupported => failed(&"it is not a serial port"),
        _ if error.kind() == io::ErrorKind::PermissionDenied => {
            return failed(error).hint(permission(&found));
        }
        _ => {
            return failed(error)
                .hint("check that it is a serial device and that no other program has it open");
        }
    };
    failure.hint(present())
}

/// How a user comes to open a device that the system does not let him open.
fn permission(device: &std::fs::Metadata) -> String {
    const GROUP_MAY: u32 = 0o060;
    let groups = std::fs::read_to_string("/etc/group").unwrap_or_default();
    let name = groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, id) = (fields.next()?, fields.nth(1)?);
        (id.parse() == Ok(device.gid())).then_some(name)
    });
    match name {
        Some(name) if device.mode() & GROUP_MAY == GROUP_MAY && device.gid() != 0 => format!(
            "the group {name} may open it: sudo usermod -aG {name} $USER, then log in again"
        ),
        _ => "only its owner may open it: ls -l shows who that is".into(),
    }
}

/// The ports that there are.
fn present() -> String {
    let names: Vec<String> = serial_ports::list()
        .into_iter()
        .map(|port| port.name)
        .collect();
    if names.is_empty() {
        "this computer has no serial port now: check the cable, and that the modem is powered"
            .into()
    } else {
        format!("serial ports on this computer now: {}", names.join(", "))
    }
}
