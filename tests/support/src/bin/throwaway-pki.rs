//! Writes a throw-away PKI for trying things out: `throwaway-pki DIR [SERVER_NAME...]`.
//!
//! DIR receives ca.pem, server.pem, server.key, client.pem and client.key. SERVER_NAME is a DNS name or an IP address;
//! without any, the server is called `localhost` and `broker.sectag.test`. Nothing here protects the keys: not for
//! production.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use rustls::pki_types::ServerName;
use sectag_test_support::pki::Pki;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (dir, names) = match arguments.next() {
        Some(dir) if !dir.starts_with('-') => (dir, arguments.collect::<Vec<_>>()),
        _ => {
            eprintln!("usage: throwaway-pki DIR [SERVER_NAME...]");
            return ExitCode::from(2);
        }
    };
    if let Some(name) = names
        .iter()
        .find(|name| ServerName::try_from(name.as_str()).is_err())
    {
        eprintln!("error: {name:?} is neither a DNS name nor an IP address");
        return ExitCode::from(2);
    }
    let mut builder = Pki::builder();
    if !names.is_empty() {
        builder = builder.server_names(&names);
    }
    match builder.build().write_to(&dir) {
        Ok(()) => {
            println!("wrote ca.pem, server.pem, server.key, client.pem and client.key to {dir}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
