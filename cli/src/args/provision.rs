//! Many modems at once.

use std::path::PathBuf;

use clap::Args;

use crate::families::Choice;

#[derive(Args, Clone)]
pub(crate) struct Provision {
    /// A CSV file, or - for standard input: a line of names (port or imei, tag, and of ca, cert and key those that are stored), then a line for each set. Paths are relative to the manifest
    #[arg(value_name = "MANIFEST")]
    pub(crate) manifest: PathBuf,

    /// Write what became of each line to this file, as CSV or, where its name ends in .json, as JSON; - for standard output (repeatable). Only a report of an earlier run is written over
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Vec<PathBuf>,

    /// At most so many modems at a time
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) jobs: u16,

    /// The modems' family; auto asks each port
    #[arg(
        long,
        value_name = "NAME",
        env = "SECTAG_MODEM",
        default_value = "auto",
        hide_env_values = true,
        help_heading = "Modem"
    )]
    pub(crate) modem: Choice,

    /// Speed of the serial devices
    #[arg(long, value_name = "N", default_value_t = 115_200, value_parser = clap::value_parser!(u32).range(300..=50_000_000), help_heading = "Modem")]
    pub(crate) baud: u32,

    /// RTS and CTS are wired: use them on both sides
    #[arg(long, help_heading = "Modem")]
    pub(crate) flow_control: bool,

    /// The Wi-Fi network to join, for modems with Wi-Fi
    #[arg(long, value_name = "NAME", help_heading = "Modem")]
    pub(crate) ssid: Option<String>,

    /// Its passphrase: @FILE, or the environment variable SECTAG_PSK; given directly, it shows in the process list; left out for an open network
    #[arg(
        long,
        value_name = "PASSPHRASE",
        requires = "ssid",
        help_heading = "Modem"
    )]
    pub(crate) psk: Option<String>,
}
