//! Commands to a server: publish, subscribe, connect.

use std::path::PathBuf;

use clap::Args;

use super::modem::ModemArgs;
use super::server::{MqttArgs, ProbeArgs, TlsArgs};
use super::values::{Server, parse_filter, parse_topic};

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
#[command(group = clap::ArgGroup::new("payload").args(["message", "file", "null_message"]).required(true))]
pub(crate) struct Publish {
    /// The topic to publish to
    #[arg(long, short, value_name = "TOPIC", value_parser = parse_topic)]
    pub(crate) topic: String,

    /// The payload; - for all of standard input
    #[arg(long, short, value_name = "TEXT", allow_hyphen_values = true)]
    pub(crate) message: Option<String>,

    /// The payload from a file, byte for byte
    #[arg(long, short, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,

    /// An empty payload, which with --retain removes what is retained
    #[arg(long, short)]
    pub(crate) null_message: bool,

    /// 0: sent once; 1: sent and acknowledged by the broker; 2: delivered exactly once
    #[arg(long, short, value_name = "0|1|2", default_value_t = 1, value_parser = clap::value_parser!(u8).range(0..=2))]
    pub(crate) qos: u8,

    /// The broker keeps it for later subscribers
    #[arg(long, short)]
    pub(crate) retain: bool,

    /// The longest wait for each answer of the broker, in seconds; a cellular round trip takes up to some
    #[arg(long, short = 'W', value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) timeout: u64,

    #[command(flatten)]
    pub(crate) broker: BrokerArgs,
}

#[derive(Args)]
pub(crate) struct Subscribe {
    /// The topic filter; + and # are wildcards
    #[arg(long, short, value_name = "FILTER", value_parser = parse_filter)]
    pub(crate) topic: String,

    /// The highest quality of service of what is delivered
    #[arg(long, short, value_name = "0|1|2", default_value_t = 1, value_parser = clap::value_parser!(u8).range(0..=2))]
    pub(crate) qos: u8,

    /// End after this many messages [default: at Ctrl-C]
    #[arg(long, short = 'C', value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) count: Option<u64>,

    /// End after this many seconds, a year at most; with --count, fewer messages until then are a failure
    #[arg(long, short = 'W', value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=31_536_000))]
    pub(crate) timeout: Option<u64>,

    #[command(flatten)]
    pub(crate) broker: BrokerArgs,
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
    #[arg(value_name = "HOST:PORT", required_unless_present = "host")]
    server: Option<Server>,

    /// The server, in the form of the other commands
    #[arg(long, value_name = "HOST:PORT", conflicts_with = "server")]
    host: Option<Server>,
}

impl Connect {
    /// Host and port.
    pub(crate) fn server(&self) -> (&str, u16) {
        match (&self.server, &self.host) {
            (Some(server), _) | (None, Some(server)) => (&server.host, server.port),
            // The definition above demands one.
            (None, None) => ("", 0),
        }
    }
}
