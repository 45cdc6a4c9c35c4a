//! The serial ports of this computer, and who has them open.

use std::path::Path;

use crate::processes::Process;

/// A serial port, and what is told of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SerialPort {
    /// As it is opened.
    pub(crate) name: String,
    /// Such as USB numbers and names; may be empty.
    pub(crate) description: String,
}

/// The serial ports of this computer; none where it does not tell.
#[cfg(target_os = "linux")]
pub(crate) fn list() -> Vec<SerialPort> {
    listed(Path::new("/sys/class/tty"), Path::new("/dev"))
}

/// The serial ports of this computer; none where it does not tell.
#[cfg(not(target_os = "linux"))]
pub(crate) fn list() -> Vec<SerialPort> {
    use serialport::SerialPortType;
    let found = serialport::available_ports().unwrap_or_default();
    let described = found.into_iter().map(|port| SerialPort {
        name: port.port_name,
        description: match port.port_type {
            SerialPortType::UsbPort(usb) => {
                let words = [usb.manufacturer, usb.product, usb.serial_number];
                let words: Vec<String> = words.into_iter().flatten().collect();
                format!("USB {:04x}:{:04x} {}", usb.vid, usb.pid, words.join(" "))
            }
            SerialPortType::PciPort => "built in".into(),
            SerialPortType::BluetoothPort => "Bluetooth".into(),
            SerialPortType::Unknown => String::new(),
        },
    });
    described.collect()
}

/// The ports among the terminals of `class` for which there is a device in `devices`.
#[cfg(target_os = "linux")]
fn listed(class: &Path, devices: &Path) -> Vec<SerialPort> {
    // It is missing in a container, for instance.
    let terminals = std::fs::read_dir(class).into_iter().flatten().flatten();
    let ports = terminals.filter_map(|terminal| {
        let device = devices.join(terminal.file_name());
        let description = describe(&terminal.path())?;
        device.exists().then(|| SerialPort {
            name: device.to_string_lossy().into_owned(),
            description,
        })
    });
    ports.collect()
}

/// In words what a terminal's device is connected to; `None` for what is no serial port: consoles, pseudo
/// terminals, and ports for which a board has room but no chip.
#[cfg(target_os = "linux")]
fn describe(terminal: &Path) -> Option<String> {
    if terminal.file_name()?.to_str()?.starts_with("rfcomm") {
        return Some("Bluetooth".into());
    }
    let device = std::fs::canonicalize(terminal.join("device")).ok()?;
    let bus = std::fs::canonicalize(device.join("subsystem")).ok()?;
    match bus.file_name()?.to_str()? {
        "amba" | "pnp" | "serial-base" => Some(String::new()),
        "pci" => Some("built in".into()),
        // An interface of a device, and a port of an interface.
        "usb" => usb(device.parent()?),
        "usb-serial" => usb(device.parent()?.parent()?),
        _ => None,
    }
}

#[cfg(target_os = "linux")]
fn usb(device: &Path) -> Option<String> {
    let told = |name: &str| {
        let text = std::fs::read_to_string(device.join(name)).ok()?;
        Some(text.trim().to_owned())
    };
    let (vendor, product) = (told("idVendor")?, told("idProduct")?);
    let words = ["manufacturer", "product", "serial"];
    let words: Vec<String> = words.into_iter().filter_map(told).collect();
    Some(format!("USB {vendor}:{product} {}", words.join(" ")))
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

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// A terminal of `class` whose device is `device`, on a bus.
    fn terminal(root: &Path, name: &str, device: &str, bus: &str) {
        let (class, device) = (root.join("class").join(name), root.join(device));
        std::fs::create_dir_all(root.join("bus").join(bus)).unwrap();
        std::fs::create_dir_all(&class).unwrap();
        std::fs::create_dir_all(&device).unwrap();
        symlink(&device, class.join("device")).unwrap();
        symlink(root.join("bus").join(bus), device.join("subsystem")).unwrap();
        std::fs::write(root.join("dev").join(name), "").unwrap();
    }

    #[test]
    fn ports_are_told_with_what_they_are_connected_to() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        let dev = root.join("dev");
        std::fs::create_dir(&dev).unwrap();
        terminal(root, "ttyACM0", "usb1/1-2/1-2:1.0", "usb");
        terminal(root, "ttyUSB0", "usb1/1-3/1-3:1.0/ttyUSB0", "usb-serial");
        terminal(root, "ttyS0", "pnp0/00:03", "pnp");
        terminal(root, "ttyS4", "pci0/4", "pci");
        // Room for a port, on the bus of nothing.
        terminal(root, "ttyS9", "platform/serial8250", "platform");
        for (device, name, text) in [
            ("usb1/1-2", "idVendor", "1546\n"),
            ("usb1/1-2", "idProduct", "1102\n"),
            ("usb1/1-2", "manufacturer", "u-blox AG\n"),
            ("usb1/1-2", "product", "u-blox Modem\n"),
            ("usb1/1-3", "idVendor", "2c7c\n"),
            ("usb1/1-3", "idProduct", "0296\n"),
            ("usb1/1-3", "serial", "7\n"),
        ] {
            std::fs::write(root.join(device).join(name), text).unwrap();
        }
        // A console has no device, and of rfcomm0 no more is known than its name.
        for name in ["tty1", "rfcomm0"] {
            std::fs::create_dir(root.join("class").join(name)).unwrap();
            std::fs::write(dev.join(name), "").unwrap();
        }
        // A port whose device file is not there.
        terminal(root, "ttyACM1", "usb1/1-2/1-2:1.2", "usb");
        std::fs::remove_file(dev.join("ttyACM1")).unwrap();

        let mut found = listed(&root.join("class"), &dev);
        found.sort_by(|a, b| a.name.cmp(&b.name));
        let told: Vec<String> = found
            .iter()
            .map(|port| {
                let name = Path::new(&port.name).file_name().unwrap();
                format!("{}: {}", name.to_str().unwrap(), port.description)
            })
            .collect();
        assert_eq!(
            told,
            [
                "rfcomm0: Bluetooth",
                "ttyACM0: USB 1546:1102 u-blox AG u-blox Modem",
                "ttyS0: ",
                "ttyS4: built in",
                "ttyUSB0: USB 2c7c:0296 7",
            ]
        );
    }

    #[test]
    fn a_computer_that_does_not_tell_has_no_ports() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(listed(&dir.path().join("class"), dir.path()), []);
    }
}
