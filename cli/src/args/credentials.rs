//! Commands about what is stored in the modem.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use sectag::Tag;

use super::modem::ModemArgs;
use super::server::{CheckName, Paths, TlsArgs, paths};
use super::values::{Server, parse_tag};

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
    /// Make a key for a tag, and a signing request: in the modem if that makes keys, else on this computer and stored in the modem
    Csr(CsrCredentials),
}

impl Credentials {
    /// Whose credentials.
    pub(crate) fn modem(&self) -> &ModemArgs {
        match self {
            Self::Store(args) => &args.modem,
            Self::List(args) => &args.modem,
            Self::Verify(args) => &args.modem,
            Self::Remove(args) => &args.modem,
            Self::Rotate(args) => &args.modem,
            Self::Csr(args) => &args.modem,
        }
    }
}

/// Files for the parts of a set. DER is converted where the modem wants PEM.
#[derive(Args)]
#[command(next_help_heading = "Credentials", group = clap::ArgGroup::new("files").args(["ca", "cert", "key"]).required(true).multiple(true))]
pub(crate) struct CredentialFiles {
    /// Certificate of the authority that signed the server's (PEM or DER); - for standard input
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

    /// Upload also what the modem has already, and what it is not known to be able to use
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

    /// The tag for the new ones, under which nothing else is stored; from then on it is the one to connect with
    #[arg(long, value_name = "N", value_parser = parse_tag)]
    pub(crate) new_tag: Tag,

    #[command(flatten)]
    pub(crate) files: CredentialFiles,

    /// A server that takes the new ones: only after a connection to it are the old ones removed
    #[arg(long, alias = "server", value_name = "HOST[:PORT]", value_parser = Server::mqtt)]
    pub(crate) host: Server,

    /// The new ones are without a client certificate and key, though the old ones have them
    #[arg(long, conflicts_with_all = ["cert", "key"])]
    pub(crate) drop_client_cert: bool,

    /// The new CA signs only servers that this device may talk to, so that a modem that cannot check the server's name may be used
    #[arg(long)]
    pub(crate) private_ca: bool,

    /// Connect although the modem is not known to check this (repeatable; weakens the protection)
    #[arg(long, value_name = "CHECK")]
    pub(crate) accept_missing: Vec<CheckName>,
}

impl RotateCredentials {
    /// The policy of the connection by which the new ones prove themselves.
    pub(crate) fn tls(&self) -> TlsArgs {
        TlsArgs {
            tag: self.new_tag,
            private_ca: self.private_ca,
            accept_missing: self.accept_missing.clone(),
        }
    }
}

#[derive(Args)]
pub(crate) struct CsrCredentials {
    #[command(flatten)]
    pub(crate) modem: ModemArgs,

    /// The number under which the key would be stored
    #[arg(long, value_name = "N", value_parser = parse_tag)]
    pub(crate) tag: Tag,

    /// The subject of the request, such as CN=pump-17,O=Example [default, for a key made in the modem: the device's UUID]
    #[arg(long, value_name = "NAME")]
    pub(crate) subject: Option<String>,

    /// Make the key on this computer, also where the modem makes keys, and write it to this new file too
    #[arg(long, value_name = "FILE")]
    pub(crate) key_out: Option<PathBuf>,
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
    #[arg(long, value_name = "N", value_parser = parse_tag, required_unless_present = "all")]
    pub(crate) tag: Option<Tag>,

    /// Everything under every tag
    #[arg(long, conflicts_with = "tag")]
    pub(crate) all: bool,
}
