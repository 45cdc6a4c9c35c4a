//! Where a modem is: what `--port` names.

use std::fmt;
use std::str::FromStr;

/// What `--port` names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PortName {
    Serial(String),
    Tcp(String),
}

impl FromStr for PortName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some(address) = text.strip_prefix("tcp:") else {
            return match text {
                "" => Err("the name of a serial device is needed, or tcp:HOST:PORT".into()),
                device => Ok(Self::Serial(device.into())),
            };
        };
        let number = |port: &str| port.parse().is_ok_and(|port: u16| port != 0);
        match address.rsplit_once(':') {
            Some((host, port)) if !host.is_empty() && number(port) => Ok(Self::Tcp(address.into())),
            _ => Err("behind tcp: a host, a colon and a port are needed: tcp:HOST:PORT".into()),
        }
    }
}

impl fmt::Display for PortName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Serial(device) => f.write_str(device),
            Self::Tcp(address) => write!(f, "tcp:{address}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_a_device_or_an_address() {
        for good in ["/dev/ttyUSB0", "COM3", "tcp:localhost:1", "tcp:[::1]:5000"] {
            let port: PortName = good.parse().unwrap();
            assert_eq!(port.to_string(), good);
        }
        for bad in [
            "",
            "tcp:",
            "tcp:host",
            "tcp::1",
            "tcp:host:0",
            "tcp:host:70000",
        ] {
            assert!(bad.parse::<PortName>().is_err(), "{bad}");
        }
    }
}
