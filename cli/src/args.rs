//! The command line: names, defaults, and what can be refused before anything is done.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use sectag::clock::DateTime;
use sectag::{Check, Kind, ServerName, Tag};
use sectag_simulator::Nrf9160Profile;

use crate::port::PortName;

/// Use the TLS that is inside a cellular or Wi-Fi modem.
#[derive(Parser)]
#[command(name = "sectag", version, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,

    /// Print results as JSON, one object per line
    #[arg(long, global = true)]
    pub(crate) json: bool,

    /// Trace the AT commands on standard error; secrets and payload are masked
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Show everything at work with a simulated modem and a broker inside this program
    Demo(Demo),
    /// Publish one MQTT message
    Publish(Publish),
    /// Print the MQTT messages of a topic
    Subscribe(Subscribe),
    /// Connect standard input and output to a server, as `openssl s_client` does
    Connect(Connect),
    /// Store, list, verify, replace or remove the credentials in a modem
    #[command(subcommand)]
    Credentials(Credentials),
    /// Show who the modem is and how it fares: firmware, registration, signal, clock
    Status(StatusArgs),
    /// Record what another command and the modem say to each other, secrets masked
    Record(Record),
    /// Check everything that a connection needs, in order, up to the first that is missing
    Doctor(Doctor),
    /// Be a modem: on a pseudo terminal or a TCP port
    Simulate(Simulate),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ModemName {
    Bg96,
    Nrf9160,
}

impl ModemName {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Bg96 => "bg96",
            Self::Nrf9160 => "nrf9160",
        }
    }
}

/// Which modem, where, and what it needs to get on the network.
#[derive(Args, Clone)]
pub(crate) struct ModemArgs {
    /// The modem's family
    #[arg(long, value_name = "NAME")]
    pub(crate) modem: ModemName,

    /// A serial device such as /dev/ttyUSB2, or tcp:HOST:PORT
    #[arg(long, value_name = "PORT")]
    pub(crate) port: PortName,

    /// Speed of the serial device
    #[arg(long, value_name = "N", default_value_t = 115_200, value_parser = clap::value_parser!(u32).range(300..))]
    pub(crate) baud: u32,

    /// RTS and CTS are wired: use them on both sides
    #[arg(long)]
    pub(crate) flow_control: bool,

    /// This native TLS build of SLM 2.0 to 2.5 (nrf9160) has Nordic's fix for #XSSOCKET; without the fix, that command corrupts the modem's memory, and connections are refused
    #[arg(long)]
    pub(crate) patched_native: bool,

    /// Access point name [default: what is stored in the modem or offered by the network]
    #[arg(long)]
    pub(crate) apn: Option<String>,

    /// The SIM's PIN: @FILE, - for a line of standard input, or the environment variable SECTAG_SIM_PIN; given directly, it shows in the process list
    #[arg(long, value_name = "PIN")]
    pub(crate) sim_pin: Option<String>,

    /// Where the modem's clock is set from, which decides whether certificates are valid [default: network, then host]
    #[arg(long, value_name = "SOURCE")]
    pub(crate) set_clock: Option<ClockSource>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ClockSource {
    /// This computer's clock, in any case
    Host,
    /// The cellular network, which the driver asks at bring-up
    Network,
    /// Not set by this tool; the driver still asks the network when the clock is not set
    No,
}

/// Which credentials, and how strictly the server is judged.
#[derive(Args, Clone)]
pub(crate) struct TlsArgs {
    /// The credentials to use; with a client certificate and key under it, TLS is mutual
    #[arg(long, value_name = "N", value_parser = parse_tag)]
    pub(crate) tag: Tag,

    /// The tag's CA signs only servers that this device may talk to, so that a modem that cannot check the server's name may be used
    #[arg(long)]
    pub(crate) private_ca: bool,

    /// Connect although the modem is not known to check this (repeatable; weakens the protection)
    #[arg(long, value_name = "CHECK")]
    pub(crate) accept_missing: Vec<CheckName>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CheckName {
    Chain,
    Name,
    Dates,
    Sni,
    /// That the cipher suite is a modern one
    Suites,
}

impl CheckName {
    /// `None` for the suites, which are a policy of their own.
    pub(crate) const fn check(self) -> Option<Check> {
        match self {
            Self::Chain => Some(Check::Chain),
            Self::Name => Some(Check::Name),
            Self::Dates => Some(Check::Dates),
            Self::Sni => Some(Check::Sni),
            Self::Suites => None,
        }
    }
}

/// The broker and how to log in.
#[derive(Args, Clone)]
pub(crate) struct MqttArgs {
    /// The broker's host name
    #[arg(long, value_name = "H", value_parser = parse_host)]
    pub(crate) host: String,

    /// The broker's TLS port
    #[arg(long, value_name = "P", default_value_t = minimq::MQTT_SECURE_DEFAULT_PORT, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) mqtt_port: u16,

    /// MQTT client id, at most 64 bytes [default: a random one]
    #[arg(long, value_name = "ID", value_parser = parse_client_id)]
    pub(crate) client_id: Option<String>,

    /// MQTT user name
    #[arg(long, value_name = "U")]
    pub(crate) username: Option<String>,

    /// MQTT password: @FILE, - for a line of standard input, or the environment variable SECTAG_PASSWORD; given directly, it shows in the process list
    #[arg(long, value_name = "P", requires = "username")]
    pub(crate) password: Option<String>,
}

/// A look at the server from this computer.
#[derive(Args, Clone)]
pub(crate) struct ProbeArgs {
    /// When the connection fails, look at the server from this computer too, to find out why
    #[arg(long)]
    pub(crate) probe: bool,

    #[command(flatten)]
    pub(crate) files: LocalFiles,
}

/// Files of this computer, to compare with; the modem's own are not read.
#[derive(Args, Clone)]
pub(crate) struct LocalFiles {
    /// The CA that is stored under the tag, for a look from this computer
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,

    /// The client certificate that is stored under the tag, for a look from this computer
    #[arg(long, value_name = "FILE", requires = "key")]
    pub(crate) cert: Option<PathBuf>,

    /// Its private key, which stays on this computer
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub(crate) key: Option<PathBuf>,
}

/// One path for each part of a set.
pub(crate) type Paths<'a> = [(Kind, &'a Option<PathBuf>); 3];

impl LocalFiles {
    pub(crate) fn paths(&self) -> Paths<'_> {
        paths(&self.ca, &self.cert, &self.key)
    }
}

fn paths<'a>(
    ca: &'a Option<PathBuf>,
    cert: &'a Option<PathBuf>,
    key: &'a Option<PathBuf>,
) -> Paths<'a> {
    [
        (Kind::Ca, ca),
        (Kind::ClientCertificate, cert),
        (Kind::PrivateKey, key),
    ]
}

#[derive(Args)]
pub(crate) struct Demo {
    /// The modem to simulate
    #[arg(long, value_name = "NAME", default_value = "bg96")]
    pub(crate) modem: ModemName,

    /// The firmware of an nrf9160, as for simulate
    #[arg(long, value_name = "D", value_parser = Nrf9160Profile::named)]
    pub(crate) dialect: Option<Nrf9160Profile>,

    /// What is wrong with the simulated world [default: nothing]
    #[arg(long, value_name = "NAME")]
    pub(crate) scenario: Option<Scenario>,
}

/// Things that go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scenario {
    /// The modem is given another CA than the server's
    WrongCa,
    /// The server's certificate has expired
    Expired,
    /// Nobody tells the modem the time
    ClockUnset,
    /// The server's certificate is for another name
    WrongHost,
    /// The server demands a client certificate, and there is none
    NoClientCert,
    /// The server has only an ECDSA key
    EcdsaServer,
    /// The broker does not know the login
    RefusedLogin,
    /// The modem restarts in the middle; the demo recovers
    Reset,
    /// There is no network
    NoRegistration,
    /// There is no SIM
    SimMissing,
    /// The network gives no data connection
    PdpRefused,
    /// The broker's name does not exist
    Dns,
}

impl Scenario {
    /// As the option calls it.
    pub(crate) fn word(self) -> String {
        self.to_possible_value()
            .map_or_else(String::new, |value| value.get_name().into())
    }
}

#[derive(Args)]
pub(crate) struct Doctor {
    #[command(flatten)]
    pub(crate) modem: ModemArgs,

    /// The server to connect to [default: none, and the check ends with the data connection]
    #[arg(long, value_name = "HOST:PORT", requires = "tag")]
    pub(crate) host: Option<Server>,

    /// The credentials to check
    #[arg(long, value_name = "N", value_parser = parse_tag)]
    pub(crate) tag: Option<Tag>,

    /// As for connect
    #[arg(long)]
    pub(crate) private_ca: bool,

    /// As for connect
    #[arg(long, value_name = "CHECK")]
    pub(crate) accept_missing: Vec<CheckName>,

    #[command(flatten)]
    pub(crate) files: LocalFiles,
}

/// A broker behind a modem.
#[derive(Args)]
pub(crate) struct BrokerArgs {
    #[command(flatten)]
    pub(crate) modem: ModemArgs,
    #[command(flatten)]
    pub(crate) tls: TlsArgs,
    #[command(flatten)]
    pub(crate) mqtt: MqttArgs,
    #[command(flatten)]
    pub(crate) probe: ProbeArgs,
}

#[derive(Args)]
pub(crate) struct Publish {
    #[command(flatten)]
    pub(crate) broker: BrokerArgs,

    /// The topic to publish to
    #[arg(long, value_name = "T", value_parser = parse_topic)]
    pub(crate) topic: String,

    /// The payload
    #[arg(long, value_name = "M")]
    pub(crate) message: String,

    /// 0: sent once; 1: sent and acknowledged by the broker
    #[arg(long, value_name = "0|1", default_value_t = 1, value_parser = clap::value_parser!(u8).range(0..=1))]
    pub(crate) qos: u8,
}

#[derive(Args)]
pub(crate) struct Subscribe {
    #[command(flatten)]
    pub(crate) broker: BrokerArgs,

    /// The topic filter; + and # are wildcards
    #[arg(long, value_name = "T", value_parser = parse_filter)]
    pub(crate) topic: String,

    /// End after this many messages [default: at Ctrl-C]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) count: Option<u64>,
}

#[derive(Args)]
pub(crate) struct Connect {
    #[command(flatten)]
    pub(crate) modem: ModemArgs,
    #[command(flatten)]
    pub(crate) tls: TlsArgs,
    #[command(flatten)]
    pub(crate) probe: ProbeArgs,

    /// The server. At the end of standard input the connection stays open until 5 s pass without an answer
    #[arg(value_name = "HOST:PORT")]
    pub(crate) server: Server,
}

#[derive(Subcommand)]
pub(crate) enum Credentials {
    /// Store credentials under a tag, replacing what is there; what the modem has already, byte for byte, is not sent again
    Store(StoreCredentials),
    /// List what is stored: tag, kind, size and SHA-256
    List(ListCredentials),
    /// Read back what is stored and compare it with files, byte for byte
    Verify(VerifyCredentials),
    /// Remove everything that is stored under a tag
    Remove(RemoveCredentials),
    /// Replace the credentials under a tag by new ones under another, once a connection with these has worked
    Rotate(RotateCredentials),
    /// Have the modem make a key and a signing request
    Csr(CsrCredentials),
}

/// Files for the parts of a set. DER is converted where the modem wants PEM.
#[derive(Args)]
#[command(group = clap::ArgGroup::new("files").args(["ca", "cert", "key"]).required(true).multiple(true))]
pub(crate) struct CredentialFiles {
    /// Certificate of the authority that signed the server's (PEM or DER)
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,

    /// This device's certificate (PEM or DER)
    #[arg(long, value_name = "FILE")]
    pub(crate) cert: Option<PathBuf>,

    /// This device's private key, not encrypted (PEM or DER)
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
}

impl CredentialFiles {
    pub(crate) fn paths(&self) -> Paths<'_> {
        paths(&self.ca, &self.cert, &self.key)
    }
}

#[derive(Args)]
pub(crate) struct StoreCredentials {
    #[command(flatten)]
    pub(crate) modem: ModemArgs,

    /// The number to store under
    #[arg(long, value_name = "N", value_parser = parse_tag)]
    pub(crate) tag: Tag,

    #[command(flatten)]
    pub(crate) files: CredentialFiles,

    /// Upload also what the modem has already
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Args)]
pub(crate) struct VerifyCredentials {
    #[command(flatten)]
    pub(crate) modem: ModemArgs,

    /// The number under which they are stored
    #[arg(long, value_name = "N", value_parser = parse_tag)]
    pub(crate) tag: Tag,

    #[command(flatten)]
    pub(crate) files: CredentialFiles,
}

#[derive(Args)]
pub(crate) struct RotateCredentials {
    #[command(flatten)]
    pub(crate) modem: ModemArgs,

    /// The tag of the credentials that are to go
    #[arg(long, value_name = "N", value_parser = parse_tag)]
    pub(crate) tag: Tag,

    /// The tag for the new ones, which is not in use; from then on it is the one to connect with
    #[arg(long, value_name = "N", value_parser = parse_tag)]
    pub(crate) new_tag: Tag,

    #[command(flatten)]
    pub(crate) files: CredentialFiles,

    /// A server that takes the new ones: only after a connection to it are the old ones removed
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) server: Server,

    /// The new CA signs only servers that this device may talk to, so that a modem that cannot check the server's name may be used
    #[arg(long)]
    pub(crate) private_ca: bool,

    /// Connect although the modem is not known to check this (repeatable; weakens the protection)
    #[arg(long, value_name = "CHECK")]
    pub(crate) accept_missing: Vec<CheckName>,
}

#[derive(Args)]
pub(crate) struct CsrCredentials {
    #[command(flatten)]
    pub(crate) modem: ModemArgs,

    /// The number under which the key would be stored
    #[arg(long, value_name = "N", value_parser = parse_tag)]
    pub(crate) tag: Tag,

    /// The subject of the request, such as CN=pump-17,O=Example [default: the device's UUID]
    #[arg(long, value_name = "NAME")]
    pub(crate) subject: Option<String>,
}

#[derive(Args)]
pub(crate) struct ListCredentials {
    #[command(flatten)]
    pub(crate) modem: ModemArgs,

    /// Only this tag
    #[arg(long, value_name = "N", value_parser = parse_tag)]
    pub(crate) tag: Option<Tag>,
}

#[derive(Args)]
pub(crate) struct RemoveCredentials {
    #[command(flatten)]
    pub(crate) modem: ModemArgs,

    /// The number to remove
    #[arg(long, value_name = "N", value_parser = parse_tag)]
    pub(crate) tag: Tag,
}

#[derive(Args)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    pub(crate) modem: ModemArgs,

    /// Also the numbers of the SIM (ICCID and IMSI), which name the subscriber
    #[arg(long)]
    pub(crate) sim: bool,
}

#[derive(Args)]
pub(crate) struct Record {
    /// The modem's family
    #[arg(long, value_name = "NAME")]
    pub(crate) modem: ModemName,

    /// A serial device such as /dev/ttyUSB2, or tcp:HOST:PORT
    #[arg(long, value_name = "PORT")]
    pub(crate) port: PortName,

    /// The transcript to write; an existing file is not overwritten
    #[arg(long, value_name = "FILE.at")]
    pub(crate) out: PathBuf,

    /// Keep what goes through a socket, except what is sent before the server's first byte: a login goes there. Without it all payload is masked
    #[arg(long)]
    pub(crate) payload: bool,

    /// The command to record, with its options; --modem and --port are added to it
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub(crate) command: Vec<String>,
}

#[derive(Args)]
#[command(group = clap::ArgGroup::new("where").args(["link", "tcp"]).required(true))]
pub(crate) struct Simulate {
    /// The modem to be
    #[arg(long, value_name = "NAME")]
    pub(crate) modem: ModemName,

    /// The firmware to be, of an nrf9160: a release of the Serial LTE Modem (2.0, 2.1, ... 2.7, 3.1), with -native behind it for a native TLS build, or sm for the Serial Modem [default: 2.1]
    #[arg(long, value_name = "D", value_parser = Nrf9160Profile::named)]
    pub(crate) dialect: Option<Nrf9160Profile>,

    /// Make a pseudo terminal, and this link to it
    #[arg(long, value_name = "PATH")]
    pub(crate) link: Option<PathBuf>,

    /// Listen on this port of 127.0.0.1; 0 takes a free one
    #[arg(long, value_name = "PORT")]
    pub(crate) tcp: Option<u16>,

    /// Where a server that the modem connects to is found (repeatable); nothing else exists but localhost
    #[arg(long, value_name = "HOST:PORT=127.0.0.1:PORT")]
    pub(crate) map: Vec<Mapping>,

    /// Speed of the simulated line; 0: as fast as possible
    #[arg(long, value_name = "N", default_value_t = 115_200)]
    pub(crate) baud: u32,

    /// Delay before each command is answered
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) turnaround_ms: u64,

    /// Cut what the modem sends into pieces of N bytes; with --seed, of 1 to N bytes
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) chunk: Option<u32>,

    /// Where random pieces start
    #[arg(long, value_name = "N", requires = "chunk")]
    pub(crate) seed: Option<u64>,

    /// What befalls a command, and which: silent, error, garbage or reset; every one, the K-th, or the K-th that begins so
    #[arg(long, value_name = "NAME[@K[:BEGINNING]]", value_parser = parse_fault)]
    pub(crate) fault: Option<String>,

    /// What the modem's clock shows at the start (UTC, 2026-11-20T12:00:00Z), or `unset`
    #[arg(long, value_name = "ISO|unset", default_value = "unset")]
    pub(crate) clock: ClockSetting,
}

/// A host name and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Server {
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl std::str::FromStr for Server {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (host, port) = text
            .rsplit_once(':')
            .ok_or("a host name, a colon and a port are needed")?;
        // IPv6 literals bring colons of their own.
        let host = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .unwrap_or(host);
        let port = port
            .parse()
            .ok()
            .filter(|port| *port != 0)
            .ok_or_else(|| format!("{port:?} is no port number"))?;
        Ok(Self {
            host: parse_host(host)?,
            port,
        })
    }
}

/// One entry of the simulated network.
#[derive(Clone, Debug)]
pub(crate) struct Mapping {
    pub(crate) server: Server,
    pub(crate) target: SocketAddr,
}

impl std::str::FromStr for Mapping {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (server, target) = text
            .split_once('=')
            .ok_or("HOST:PORT=127.0.0.1:PORT is needed")?;
        let target: SocketAddr = target
            .parse()
            .map_err(|_| format!("{target:?} is no address with a port"))?;
        if !target.ip().is_loopback() {
            return Err(format!(
                "{target} is not on this computer, and simulated connections never leave it"
            ));
        }
        Ok(Self {
            server: server.parse()?,
            target,
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClockSetting {
    At(DateTime),
    Unset,
}

impl std::str::FromStr for ClockSetting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "unset" {
            return Ok(Self::Unset);
        }
        parse_iso(text).map(Self::At).ok_or_else(|| {
            "a UTC date and time such as 2026-11-20T12:00:00Z is needed, or `unset`".into()
        })
    }
}

fn parse_iso(text: &str) -> Option<DateTime> {
    let (date, time) = text.strip_suffix('Z').unwrap_or(text).split_once('T')?;
    let date = fields(date, '-', [4, 2, 2])?;
    let time = fields(time, ':', [2, 2, 2])?;
    let small = |number: u16| u8::try_from(number).ok();
    DateTime::new(
        date[0],
        small(date[1])?,
        small(date[2])?,
        small(time[0])?,
        small(time[1])?,
        small(time[2])?,
    )
}

/// Three numbers of fixed widths.
fn fields(text: &str, separator: char, widths: [usize; 3]) -> Option<[u16; 3]> {
    let mut parts = text.split(separator);
    let mut numbers = [0; 3];
    for (number, width) in numbers.iter_mut().zip(widths) {
        let part = parts.next()?;
        if part.len() != width || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        *number = part.parse().ok()?;
    }
    parts.next().is_none().then_some(numbers)
}

/// Made again where it is used: a script counts, and cannot be copied.
fn parse_fault(text: &str) -> Result<String, String> {
    sectag_simulator::fault(text).map(|_| text.into())
}

fn parse_tag(text: &str) -> Result<Tag, String> {
    text.parse()
        .map(Tag)
        .map_err(|_| "a tag is a number from 0 on".into())
}

fn parse_host(text: &str) -> Result<String, String> {
    ServerName::new(text)
        .map(|name| name.as_str().to_owned())
        .map_err(|_| "a host name has 1 to 253 letters, digits, dots and hyphens".into())
}

fn parse_client_id(text: &str) -> Result<String, String> {
    if text.is_empty() || text.len() > 64 {
        return Err("a client id has 1 to 64 bytes".into());
    }
    Ok(text.into())
}

fn parse_topic(text: &str) -> Result<String, String> {
    if text.contains(['+', '#']) {
        return Err("+ and # are for subscriptions: a message has one topic".into());
    }
    parse_filter(text)
}

fn parse_filter(text: &str) -> Result<String, String> {
    if text.is_empty() || text.len() > 1024 || text.contains('\0') {
        return Err("a topic has 1 to 1024 bytes, none of them zero".into());
    }
    Ok(text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_sound() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn servers_are_names_or_literals_with_a_port() {
        let server = |text: &str| text.parse::<Server>();
        let expected = |host: &str, port| {
            Ok(Server {
                host: host.into(),
                port,
            })
        };
        assert_eq!(
            server("broker.example:8883"),
            expected("broker.example", 8883)
        );
        assert_eq!(server("[2001:db8::1]:443"), expected("2001:db8::1", 443));
        for bad in [
            "broker",
            "broker:",
            "broker:0",
            "broker:70000",
            ":1",
            "a b:1",
        ] {
            assert!(server(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn mappings_stay_on_this_computer() {
        assert!("broker.example:8883=127.0.0.1:1".parse::<Mapping>().is_ok());
        assert!(
            "broker.example:8883=192.0.2.1:1"
                .parse::<Mapping>()
                .is_err()
        );
        assert!("broker.example=127.0.0.1:1".parse::<Mapping>().is_err());
    }

    #[test]
    fn clocks_are_iso_or_unset() {
        let noon = DateTime::new(2026, 11, 20, 12, 0, 0).unwrap();
        let clock = |text: &str| text.parse::<ClockSetting>();
        assert_eq!(clock("2026-11-20T12:00:00Z"), Ok(ClockSetting::At(noon)));
        assert_eq!(clock("unset"), Ok(ClockSetting::Unset));
        for bad in [
            "",
            "2026-11-20",
            "2026-13-01T00:00:00Z",
            "2026-11-20T12:00:00+01:00",
        ] {
            assert!(clock(bad).is_err(), "{bad}");
        }
    }
}
