//! `sectag jwt`: tokens that brokers take instead of a password. No modem is needed.

mod explain;
mod make;

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use sectag::signer::Algorithm;

use crate::args::parse_lifetime;
use crate::failure::Failure;
use crate::report::Report;

#[derive(Subcommand)]
pub(crate) enum Jwt {
    /// Sign a token with a private key and print it
    Make(Make),
    /// Say what a token is, and everything for which a server would refuse it
    Explain(Explain),
}

#[derive(Args)]
pub(crate) struct Make {
    /// The private key, not encrypted (PEM or DER): ECDSA P-256 or RSA
    #[arg(long, value_name = "FILE")]
    key: PathBuf,

    /// The audience, such as the project's id: the server compares it byte for byte
    #[arg(long, value_name = "AUD")]
    aud: String,

    /// How to sign [default: what the key can]
    #[arg(long, value_name = "ES256|RS256")]
    alg: Option<Alg>,

    /// How many seconds the token is valid, 86400 at most
    #[arg(long, value_name = "SECONDS", default_value_t = 3600, value_parser = parse_lifetime)]
    ttl: u32,
}

#[derive(Args)]
pub(crate) struct Explain {
    /// The token; - for a line of standard input, which does not show in the process list
    #[arg(value_name = "TOKEN")]
    token: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Alg {
    #[value(name = "ES256", alias = "es256")]
    Es256,
    #[value(name = "RS256", alias = "rs256")]
    Rs256,
}

impl Alg {
    fn algorithm(self) -> Algorithm {
        match self {
            Self::Es256 => Algorithm::Es256,
            Self::Rs256 => Algorithm::Rs256,
        }
    }
}

pub(crate) async fn run(command: &Jwt, report: &Report) -> Result<(), Failure> {
    match command {
        Jwt::Make(args) => make::run(args, report).await,
        Jwt::Explain(args) => explain::run(args, report),
    }
}
