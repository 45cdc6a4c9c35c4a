//! The command line: names, defaults, and what can be refused before anything is done.

mod broker;
mod credentials;
mod examine;
mod jwt;
mod modem;
mod port_name;
mod provision;
mod server;
#[cfg(feature = "demo")]
mod simulated;
mod values;

use clap::{Parser, Subcommand};

pub(crate) use self::broker::*;
pub(crate) use self::credentials::*;
pub(crate) use self::examine::*;
pub(crate) use self::jwt::*;
pub(crate) use self::modem::*;
pub(crate) use self::port_name::PortName;
pub(crate) use self::provision::*;
pub(crate) use self::server::*;
#[cfg(feature = "demo")]
pub(crate) use self::simulated::*;
pub(crate) use self::values::Server;

#[derive(Parser)]
#[command(name = "sectag", version, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,

    /// Print results and failures as JSON, one object per line
    #[arg(long, global = true, help_heading = "Output")]
    pub(crate) json: bool,

    /// Trace the AT commands on standard error; secrets and payload are masked
    #[arg(short, long, global = true, help_heading = "Output")]
    pub(crate) verbose: bool,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Show everything at work with a simulated modem and a broker inside this program
    #[cfg(feature = "demo")]
    Demo(Demo),
    /// Show everything at work with a simulated modem (not in this build)
    #[cfg(not(feature = "demo"))]
    Demo(Absent),
    /// Publish one MQTT message
    Publish(Publish),
    /// Print the MQTT messages of a topic, of up to 16 MiB each
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
    /// Store the credentials of many modems at once, by a manifest
    Provision(Provision),
    /// Restart the modem
    Restart(Restart),
    /// Talk AT to the modem, with the driver beside it
    At(Terminal),
    /// List the serial ports of this computer; --ask tells who is on them
    Ports(Ports),
    /// Make a token (JWT) that a broker takes as a password, or explain one
    #[command(subcommand)]
    Jwt(Jwt),
    /// Be a modem: on a pseudo terminal or a TCP port
    #[cfg(feature = "demo")]
    Simulate(Simulate),
    /// Be a modem (not in this build)
    #[cfg(not(feature = "demo"))]
    Simulate(Absent),
    /// Print the completions of a shell, to be put where it looks for them
    Completions {
        /// For which shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page, in the format of man(7)
    Man,
}

/// Whatever stands behind a command that this build does not have.
#[cfg(not(feature = "demo"))]
#[derive(clap::Args)]
pub(crate) struct Absent {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    _anything: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_sound() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }
}
