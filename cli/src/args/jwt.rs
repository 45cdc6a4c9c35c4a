//! Commands about tokens.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use sectag::signer::Algorithm;

use super::values::parse_lifetime;

#[derive(Subcommand)]
pub(crate) enum Jwt {
    /// Sign a token with a private key and print it
    Make(MakeToken),
    /// Say what a token is, and everything for which a server would refuse it
    Explain(ExplainToken),
}

#[derive(Args)]
pub(crate) struct MakeToken {
    /// The private key, not encrypted (PEM or DER): ECDSA P-256 or RSA
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,

    /// The audience, such as the project's id: the server compares it byte for byte
    #[arg(long, value_name = "AUD")]
    pub(crate) aud: String,

    /// How to sign [default: what the key can]
    #[arg(long, value_name = "ES256|RS256")]
    pub(crate) alg: Option<Alg>,

    /// How many seconds the token is valid, 86400 at most
    #[arg(long, value_name = "SECONDS", default_value_t = 3600, value_parser = parse_lifetime)]
    pub(crate) ttl: u32,
}

#[derive(Args)]
pub(crate) struct ExplainToken {
    /// The token; - for a line of standard input, which does not show in the process list
    #[arg(value_name = "TOKEN")]
    pub(crate) token: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Alg {
    #[value(name = "ES256", alias = "es256")]
    Es256,
    #[value(name = "RS256", alias = "rs256")]
    Rs256,
}

impl Alg {
    pub(crate) fn algorithm(self) -> Algorithm {
        match self {
            Self::Es256 => Algorithm::Es256,
            Self::Rs256 => Algorithm::Rs256,
        }
    }
}
