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
    /// Print a manual page, in the format of man(7)
    Man {
        /// Of this command, such as publish or credentials store; without it, of sectag
        #[arg(value_name = "COMMAND")]
        command: Vec<String>,
    },
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
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    /// Hints and errors name them, and nothing but this ties their texts to the definition.
    #[cfg(feature = "demo")]
    #[test]
    fn every_option_that_a_text_names_exists() {
        let mut known = BTreeSet::from(["--help", "--version"].map(String::from));
        options_of(&Cli::command(), &mut known);
        // Of cargo, in the hints that say how the tool is built, and of tests/servers, in a test's text.
        known.extend(["--features", "--path", "--update"].map(String::from));
        let mut named = BTreeSet::new();
        named_below(
            Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")),
            &mut named,
        );
        assert!(named.contains("--tag") && named.len() > 30, "{named:?}");
        let unknown: Vec<_> = named.difference(&known).collect();
        assert!(unknown.is_empty(), "{unknown:?}");
    }

    fn options_of(command: &clap::Command, known: &mut BTreeSet<String>) {
        for argument in command.get_arguments() {
            let names = argument.get_long_and_visible_aliases().unwrap_or_default();
            known.extend(names.iter().map(|name| format!("--{name}")));
        }
        for below in command.get_subcommands() {
            options_of(below, known);
        }
    }

    /// The options in the source below a folder, without comments.
    fn named_below(folder: &Path, named: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                named_below(&path, named);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let lines = text.lines().map(str::trim_start);
                for line in lines.filter(|line| !line.starts_with("//")) {
                    named.extend(options_in(line));
                }
            }
        }
    }

    fn options_in(line: &str) -> impl Iterator<Item = String> {
        let words = line.split(|c: char| !c.is_ascii_lowercase() && c != '-');
        let options = words.filter(|word| {
            let name = word.strip_prefix("--").unwrap_or_default();
            // A single letter is a placeholder of a test.
            name.len() > 1 && name.starts_with(|c: char| c.is_ascii_lowercase())
        });
        options.map(str::to_owned)
    }
}
