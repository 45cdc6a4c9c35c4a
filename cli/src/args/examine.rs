//! Commands that look at a modem, or at what is said to it.

use std::path::PathBuf;

use clap::Args;
use sectag::Tag;

use super::modem::ModemArgs;
use super::port_name::PortName;
use super::server::{CheckName, LocalFiles, LoginArgs};
use super::values::{Server, parse_tag};
use crate::families::Choice;

#[derive(Args)]
pub(crate) struct Doctor {
    #[command(flatten)]
    pub(crate) modem: ModemArgs,

    /// The server to connect to; the port is 8883 unless given [default: none, and the check ends with the data connection]
    #[arg(long, value_name = "HOST[:PORT]", requires = "tag", value_parser = Server::mqtt, help_heading = "TLS")]
    pub(crate) host: Option<Server>,

    /// The credentials to check
    #[arg(long, value_name = "N", value_parser = parse_tag, help_heading = "TLS")]
    pub(crate) tag: Option<Tag>,

    /// As for connect
    #[arg(long, help_heading = "TLS")]
    pub(crate) private_ca: bool,

    /// As for connect
    #[arg(long, value_name = "CHECK", help_heading = "TLS")]
    pub(crate) accept_missing: Vec<CheckName>,

    /// Look at the server from this computer even when the connection succeeds; when it fails, that is done anyway
    #[arg(long, help_heading = "TLS")]
    pub(crate) probe: bool,

    #[command(flatten)]
    pub(crate) files: LocalFiles,

    /// Log in to the broker too, as publish does; nothing is published. A client id, a user name or a token asks for it as well
    #[arg(long, requires = "host", help_heading = "MQTT")]
    pub(crate) login: bool,

    #[command(flatten)]
    pub(crate) user: LoginArgs,
}

impl Doctor {
    /// Whether to log in to the broker.
    pub(crate) fn logs_in(&self) -> bool {
        self.login || self.user.is_given()
    }
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
    /// The modem's family; auto asks the port
    #[arg(
        long,
        value_name = "NAME",
        env = "SECTAG_MODEM",
        default_value = "auto",
        hide_env_values = true
    )]
    pub(crate) modem: Choice,

    /// A serial device such as /dev/ttyUSB2, or tcp:HOST:PORT
    #[arg(
        long,
        short,
        value_name = "PORT",
        env = "SECTAG_PORT",
        hide_env_values = true
    )]
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
pub(crate) struct Restart {
    #[command(flatten)]
    pub(crate) modem: ModemArgs,
}

#[derive(Args)]
pub(crate) struct Terminal {
    #[command(flatten)]
    pub(crate) modem: ModemArgs,

    /// How long a command may take, in seconds; one that asks the network may take minutes
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub(crate) limit: u64,

    /// Commands to send, each with its AT [default: what is typed, or standard input line by line]
    #[arg(value_name = "COMMAND")]
    pub(crate) commands: Vec<String>,
}

#[derive(Args)]
pub(crate) struct Ports {
    /// Open each and ask who is there: queries of identity only, at most 10 s, all at once
    #[arg(long)]
    pub(crate) ask: bool,

    /// Speed to ask at first
    #[arg(long, value_name = "N", default_value_t = 115_200, value_parser = clap::value_parser!(u32).range(300..=50_000_000))]
    pub(crate) baud: u32,

    /// RTS and CTS are wired
    #[arg(long)]
    pub(crate) flow_control: bool,

    /// Only these [default: the serial ports of this computer]
    #[arg(value_name = "PORT")]
    pub(crate) ports: Vec<PortName>,
}
