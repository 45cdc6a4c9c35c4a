//! From errors to next steps for the user of this tool. A hint claims only what was observed: what the modem's answer
//! leaves possible, less what the driver has ruled out before it asked.

use std::io;

use minimq::{PeerError, ReasonCode, ResourceError};
use sectag::clock::MIN_DATE;
use sectag::{
    AtError, BringUpError, Check, Code, ConnectError, CredentialError, Kind, RunError, SocketError,
    Tag,
};

use crate::args::{ModemArgs, ModemName};
use crate::port::PortName;

/// Why a command failed, and what to do next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    cause: String,
    hints: Vec<String>,
}

impl Failure {
    pub(crate) fn new(cause: impl Into<String>) -> Self {
        Self {
            cause: cause.into(),
            hints: Vec::new(),
        }
    }

    /// A modem that can be simulated, but has no backend.
    pub(crate) fn not_implemented(modem: ModemName) -> Self {
        let name = modem.as_str();
        Self::new(format!("not implemented for {name} yet"))
            .hint(format!("`sectag simulate --modem {name}` works"))
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    pub(crate) fn print(&self) {
        eprintln!("error: {}", self.cause);
        for hint in &self.hints {
            eprintln!("hint: {hint}");
        }
    }
}

/// What a connection was meant to be.
pub(crate) struct Target<'a> {
    pub(crate) host: &'a str,
    pub(crate) port: u16,
    pub(crate) tag: Tag,
    /// A client certificate is sent.
    pub(crate) mutual: bool,
    /// Absent in the demo, which has no port to name.
    pub(crate) modem: Option<&'a ModemArgs>,
}

impl Target<'_> {
    fn store_command(&self, option: &str) -> String {
        let place = match self.modem {
            Some(args) => format!(" --modem {} --port {}", args.modem.as_str(), args.port),
            None => String::new(),
        };
        format!(
            "sectag credentials store{place} --tag {} {option}",
            self.tag
        )
    }
}

pub(crate) fn port(name: &PortName, error: &io::Error) -> Failure {
    let failure = Failure::new(format!("cannot open {name}: {error}"));
    match (name, error.kind()) {
        (PortName::Serial(_), io::ErrorKind::NotFound) => failure.hint(serial_ports()),
        (PortName::Serial(_), io::ErrorKind::PermissionDenied) => failure.hint(
            "let your user open serial ports: sudo usermod -aG dialout $USER, then log in again",
        ),
        (PortName::Serial(_), _) => {
            failure.hint("check that it is a serial device and that no other program has it open")
        }
        (PortName::Tcp(_), _) => {
            failure.hint("check host and port, and that the other side listens (tcp:HOST:PORT)")
        }
    }
}

fn serial_ports() -> String {
    let names: Vec<String> = tokio_serial::available_ports()
        .unwrap_or_default()
        .into_iter()
        .map(|port| port.port_name)
        .collect();
    if names.is_empty() {
        "this computer has no serial port now: check the cable, and that the modem is powered"
            .into()
    } else {
        format!("serial ports on this computer now: {}", names.join(", "))
    }
}

pub(crate) fn run(error: &RunError) -> Failure {
    Failure::new(error.to_string()).hint(
        "check the cable, and that the device or the simulator is still there, then start again",
    )
}

/// An exchange outside any connection.
pub(crate) fn at(doing: &str, error: &AtError) -> Failure {
    let failure = Failure::new(format!("{doing}: {error}"));
    match error {
        AtError::ModemReset | AtError::LinkDown => failure
            .hint("try again; if it happens again, check the modem's supply: transmitting takes up to 2 A"),
        AtError::Timeout | AtError::Garbled => {
            failure.hint("try again with -v, which shows the exchange; check --baud and --flow-control")
        }
        AtError::Refused(_) | AtError::TooLong => {
            failure.hint("try again with -v, which shows the exchange")
        }
        _ => failure,
    }
}

pub(crate) fn bring_up(error: &BringUpError, baud: u32) -> Failure {
    match error {
        BringUpError::NoAnswer => Failure::new("nothing answers AT on this port")
            .hint(format!(
                "check the speed: --baud {baud} was used, and the modem may be set to another"
            ))
            .hint("check the port: a USB modem has several, and only some take AT commands")
            .hint("check that the modem is on, that TX and RX are crossed, and that no other program has the port")
            .hint("if RTS and CTS are wired, try --flow-control; if not, try without"),
        BringUpError::NotRegistered { status } => Failure::new(format!(
            "the modem did not register to a network (+CEREG status {status}: {})",
            match status {
                0 => "not searching",
                2 => "still searching",
                3 => "registration denied",
                _ => "unknown",
            }
        ))
        .hint(if *status == 3 {
            "the network refused this SIM: check that its subscription is active and covers this radio technology"
        } else {
            "check the antenna first, then the SIM's subscription, then the bands and radio technology of the modem"
        }),
        BringUpError::PdpRefused(code) => {
            Failure::new(format!("the network refused the data connection: {code}"))
                .hint("check --apn: the SIM's operator tells its name")
        }
        BringUpError::SimMissing(code) => Failure::new(format!("no usable SIM: {code}"))
            .hint("check that the SIM is inserted the right way round and makes contact"),
        BringUpError::SimLocked => {
            Failure::new("the SIM wants a PIN that was not given, refused the one given, or wants its PUK")
                .hint("give the PIN by --sim-pin @FILE or SECTAG_SIM_PIN; it is tried once only")
                .hint("a SIM that wants its PUK must be unlocked in a telephone")
        }
        BringUpError::At { command, error } => at(command, error),
        other => Failure::new(other.to_string()),
    }
}

pub(crate) fn credential<S: std::fmt::Display>(doing: &str, error: &CredentialError<S>) -> Failure {
    match error {
        CredentialError::At(error) => at(doing, error),
        CredentialError::Corrupted => Failure::new(format!(
            "{doing}: the modem stored something else than was sent, so it was removed again"
        ))
        .hint("bytes were lost on the line: lower --baud, or wire RTS and CTS and use --flow-control, then store again"),
        CredentialError::NoSpace { needed, free } => Failure::new(format!(
            "{doing}: {needed} bytes are needed and the modem has {free} free"
        ))
        .hint("remove what is not needed: sectag credentials list, then sectag credentials remove"),
        CredentialError::InvalidInput(input) => Failure::new(format!("{doing}: {input}")),
        CredentialError::Unreadable => Failure::new(format!("{doing}: {error}"))
            .hint("nothing proves what it has: store it again with --force"),
        CredentialError::Misplaced(reason) => unsuitable(doing, reason),
        CredentialError::Unsuitable(reason) => unsuitable(doing, reason),
        error => Failure::new(format!("{doing}: {error}")),
    }
}

/// The driver says the cause, a colon, and the next step.
pub(crate) fn unsuitable(what: &str, reason: &dyn std::fmt::Display) -> Failure {
    let reason = reason.to_string();
    match reason.split_once(": ") {
        Some((cause, step)) => Failure::new(format!("{what}: {cause}")).hint(step),
        None => Failure::new(format!("{what}: {reason}")),
    }
}

pub(crate) fn connect(error: &ConnectError, target: &Target<'_>) -> Failure {
    let Target {
        host, port, tag, ..
    } = target;
    let doing = format!("cannot connect to {host}:{port}");
    match error {
        ConnectError::At(error) => at(&doing, error),
        ConnectError::BringUp(error) => {
            bring_up(error, target.modem.map_or(115_200, |args| args.baud))
        }
        ConnectError::ClockNotSet { now } => Failure::new(format!(
            "{doing}: the modem's clock says {now}, which is before {MIN_DATE}, so it cannot tell whether a certificate is valid"
        ))
        .hint("set it from this computer: --set-clock host"),
        ConnectError::CredentialMissing(kind) => {
            let option = match kind {
                Kind::ClientCertificate => "--cert client.pem",
                Kind::PrivateKey => "--key client.key",
                _ => "--ca ca.pem",
            };
            Failure::new(format!("{doing}: tag {tag} holds no {kind}"))
                .hint(format!("store it: {}", target.store_command(option)))
        }
        ConnectError::InvalidInput(input) => Failure::new(format!("{doing}: {input}")),
        ConnectError::Refused(code) => refused(*code, &doing, target),
        ConnectError::TimedOut => Failure::new(format!(
            "{doing}: the modem reported no result within its own limit"
        ))
        .hint("try again; if it happens again, check the signal at the antenna"),
        ConnectError::TooManySockets => Failure::new(format!("{doing}: all sockets are in use"))
            .hint("start again: bring-up closes what an earlier program left open"),
        ConnectError::Unverifiable(check) => unverifiable(*check, &doing),
        other => Failure::new(format!("{doing}: {other}")),
    }
}

fn unverifiable(check: Check, doing: &str) -> Failure {
    let failure = Failure::new(format!(
        "{doing}: refused, because this modem is not known to check the server's {check}"
    ));
    match check {
        Check::Name => failure
            .hint("if the tag's CA is your own and signs only servers that this device may talk to, say so: --private-ca")
            .hint("with a public CA, anyone who has a certificate of it can pose as the server; to take that risk: --accept-missing name"),
        Check::Chain => failure.hint(
            "without it anyone can pose as the server; to take that risk: --accept-missing chain",
        ),
        Check::Dates => failure.hint("to accept expired certificates: --accept-missing dates"),
        Check::Sni => failure.hint("if the server needs no SNI: --accept-missing sni"),
        _ => failure,
    }
}

/// What the modem's number leaves possible. Ruled out by then: a clock that is not set, credentials that are missing,
/// a name that is malformed.
fn refused(code: Code, doing: &str, target: &Target<'_>) -> Failure {
    let Target {
        host,
        port,
        tag,
        mutual,
        ..
    } = target;
    let failure = Failure::new(format!("{doing}: the modem answered {code}"));
    match code {
        Code::Vendor(565, _) => failure
            .hint(format!("check the spelling of {host}"))
            .hint("a private APN may not resolve public names, nor a public one private names: check --apn"),
        Code::Vendor(566, _) => {
            let failure = failure
                .hint("the modem has this one number for several causes; the likely ones first:")
                .hint(format!(
                    "- the CA under tag {tag} is not the one that signed the server's certificate: compare with openssl s_client -connect {host}:{port} -showcerts"
                ))
                .hint(format!(
                    "- {host} cannot be reached, or nothing listens on port {port}: try from another computer"
                ))
                .hint("- the server's certificate has expired, or is not yet valid by the modem's clock");
            let failure = if *mutual {
                failure.hint(format!(
                    "- the server refused the client certificate under tag {tag}, or the key there does not belong to it"
                ))
            } else {
                failure.hint(format!(
                    "- the server asks for a client certificate, and tag {tag} holds none: {}",
                    target.store_command("--cert client.pem --key client.key")
                ))
            };
            failure
                .hint(format!("- the firmware does check names, and the server's certificate is not for {host}"))
                .hint("- they have no TLS version or cipher suite in common: BG96 needs TLS 1.2, an RSA certificate and ECDHE-RSA-AES128-GCM-SHA256")
        }
        Code::Vendor(561 | 562 | 570 | 573, _) => {
            failure.hint("the data connection is at fault, not the server: check --apn and the signal")
        }
        Code::Vendor(569, _) => failure.hint(format!(
            "{host} or the network is slow or drops packets: try again, and check that a firewall lets port {port} through"
        )),
        _ => failure.hint("try again with -v, which shows the exchange"),
    }
}

pub(crate) fn socket(doing: &str, error: &SocketError) -> Failure {
    let failure = Failure::new(format!("{doing}: {error}"));
    match error {
        SocketError::ConnectionReset => {
            failure.hint("the modem restarted or lost the network or the connection: start again, with -v to see which")
        }
        _ => failure,
    }
}

pub(crate) fn mqtt(doing: &str, error: &minimq::Error<SocketError>) -> Failure {
    use minimq::Error;
    let because = |why: &str| Failure::new(format!("{doing}: {why}"));
    match error {
        Error::Transport(error) => socket(doing, error),
        Error::Disconnected => because("the broker closed the connection without giving a reason")
            .hint("brokers do so when the login is wrong (--username, --password), when the client id is not allowed or in use elsewhere (--client-id), or when they speak no MQTT 5")
            .hint("the broker's log tells which"),
        Error::Peer(PeerError::Rejected(reason)) => {
            let failure = because(&format!("the broker refused: {reason:?} (0x{:02x})", u8::from(reason)));
            match reason {
                ReasonCode::BadUsernameOrPassword => failure.hint("check --username and --password"),
                ReasonCode::NotAuthorized => failure.hint(
                    "check --username and --password, and what the broker's access rules allow this client and topic",
                ),
                ReasonCode::ClientIdentifierInvalid => {
                    failure.hint("give the client id that the broker expects: --client-id")
                }
                ReasonCode::UnsupportedProtocol => failure.hint("this tool speaks MQTT 5 only"),
                _ => failure.hint("the broker's log may tell more"),
            }
        }
        Error::Peer(_) => because("what the server sent is no MQTT").hint("check --mqtt-port"),
        Error::Resource(ResourceError::PacketTooLarge) => {
            because("the message is longer than the broker accepts")
        }
        Error::Resource(_) => because("the message is too long for this tool"),
        error => because(&error.to_string()),
    }
}

pub(crate) fn mqtt_silence(doing: &str, seconds: u64) -> Failure {
    Failure::new(format!(
        "{doing}: the broker did not answer within {seconds} s"
    ))
    .hint("check that --mqtt-port is the broker's MQTT port, not that of another service")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(mutual: bool) -> Target<'static> {
        Target {
            host: "broker.example",
            port: 8883,
            tag: Tag(7),
            mutual,
            modem: None,
        }
    }

    fn hints(error: ConnectError, mutual: bool) -> String {
        connect(&error, &target(mutual)).hints.join("\n")
    }

    #[test]
    fn next_steps_are_named() {
        let name = hints(ConnectError::Unverifiable(Check::Name), false);
        assert!(name.contains("--private-ca") && name.contains("--accept-missing name"));
        let missing = hints(ConnectError::CredentialMissing(Kind::Ca), false);
        assert!(missing.contains("sectag credentials store --tag 7 --ca"));
        let now = sectag::clock::DateTime::new(2000, 1, 1, 0, 0, 0).unwrap();
        assert!(hints(ConnectError::ClockNotSet { now }, false).contains("--set-clock host"));
    }

    #[test]
    fn a_refusal_says_only_what_is_possible() {
        let code = ConnectError::Refused(Code::Vendor(566, "socket connect failed"));
        assert!(hints(code, true).contains("refused the client certificate"));
        let without = hints(code, false);
        assert!(without.contains("asks for a client certificate"));
        assert!(!without.contains("refused the client certificate"));
    }
}
