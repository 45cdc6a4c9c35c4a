//! The server: how strictly it is judged, how to log in, and a look at it from here.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use sectag::{Check, Kind, Tag};

use super::values::{Server, parse_client_id, parse_lifetime, parse_tag, parse_username};

/// Which credentials, and how strictly the server is judged.
#[derive(Args, Clone)]
#[command(next_help_heading = "TLS")]
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
    /// That the cipher suite is a modern one, also where the modem can choose or tell it
    Suites,
    /// That TLS older than 1.2 is refused
    Version,
}

impl CheckName {
    /// `None` for suites and version, which are policies of their own.
    pub(crate) const fn check(self) -> Option<Check> {
        match self {
            Self::Chain => Some(Check::Chain),
            Self::Name => Some(Check::Name),
            Self::Dates => Some(Check::Dates),
            Self::Sni => Some(Check::Sni),
            Self::Suites | Self::Version => None,
        }
    }
}

/// The broker and how to log in.
#[derive(Args, Clone)]
#[command(next_help_heading = "MQTT")]
pub(crate) struct MqttArgs {
    /// The broker; its TLS port is 8883 unless given
    #[arg(long, value_name = "HOST[:PORT]", value_parser = Server::mqtt)]
    pub(crate) host: Server,

    /// Deprecated: the port is part of --host
    #[arg(long, value_name = "P", hide = true, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) mqtt_port: Option<u16>,

    #[command(flatten)]
    pub(crate) login: LoginArgs,
}

/// Who logs in to a broker.
#[derive(Args, Clone)]
#[command(next_help_heading = "MQTT")]
pub(crate) struct LoginArgs {
    /// MQTT client id, at most 64 bytes [default: a random one]
    #[arg(long, short = 'i', alias = "id", value_name = "ID", value_parser = parse_client_id)]
    pub(crate) client_id: Option<String>,

    /// MQTT user name
    #[arg(long, short, value_name = "U", value_parser = parse_username)]
    pub(crate) username: Option<String>,

    /// MQTT password: @FILE, - for a line of standard input, or the environment variable SECTAG_PASSWORD; given directly, it shows in the process list
    #[arg(long, short = 'P', value_name = "P", requires = "username")]
    pub(crate) password: Option<String>,

    /// Log in with a token (JWT) in place of a password, signed with this private key (ECDSA P-256 or RSA), which stays on this computer
    #[arg(
        long,
        value_name = "FILE",
        requires = "jwt_aud",
        conflicts_with = "password"
    )]
    pub(crate) jwt_key: Option<std::path::PathBuf>,

    /// The audience of the token, such as the project's id
    #[arg(long, value_name = "AUD", requires = "jwt_key")]
    pub(crate) jwt_aud: Option<String>,

    /// How many seconds the token is valid, by the modem's clock; 86400 at most
    #[arg(
        long,
        value_name = "SECONDS",
        requires = "jwt_key",
        default_value_t = 3600,
        value_parser = parse_lifetime
    )]
    pub(crate) jwt_ttl: u32,
}

impl LoginArgs {
    /// Whether any of it was given.
    pub(crate) fn is_given(&self) -> bool {
        self.client_id.is_some() || self.username.is_some() || self.jwt_key.is_some()
    }
}

impl MqttArgs {
    /// Host and port.
    pub(crate) fn server(&self) -> (&str, u16) {
        (&self.host.host, self.mqtt_port.unwrap_or(self.host.port))
    }
}

/// A look at the server from this computer.
#[derive(Args, Clone)]
#[command(next_help_heading = "Look from this computer")]
pub(crate) struct ProbeArgs {
    /// When the connection fails, look at the server from this computer too, to find out why
    #[arg(long)]
    pub(crate) probe: bool,

    #[command(flatten)]
    pub(crate) files: LocalFiles,
}

/// Files of this computer, to compare with; the modem's own are not read.
#[derive(Args, Clone)]
#[command(next_help_heading = "Look from this computer")]
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

pub(super) fn paths<'a>(
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
