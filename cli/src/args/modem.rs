//! Which modem, where, and what it needs to get on the network.

use clap::{Args, ValueEnum};

use super::port_name::PortName;
use crate::families::Choice;

/// Which modem, where, and what it needs to get on the network.
#[derive(Args, Clone)]
#[command(next_help_heading = "Modem")]
pub(crate) struct ModemArgs {
    /// The modem's family; auto asks the port, for at most 10 s
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

    /// Speed of the serial device
    #[arg(long, value_name = "N", default_value_t = 115_200, value_parser = clap::value_parser!(u32).range(300..=50_000_000))]
    pub(crate) baud: u32,

    /// RTS and CTS are wired: use them on both sides
    #[arg(long)]
    pub(crate) flow_control: bool,

    /// This native TLS build of SLM 2.0 to 2.5 (nrf9160) has Nordic's fix for #XSSOCKET; without the fix, that command corrupts the modem's memory, and connections are refused
    #[arg(long)]
    pub(crate) patched_native: bool,

    /// Access point name [default: what is stored in the modem or offered by the network]
    #[arg(long)]
    pub(crate) apn: Option<String>,

    /// User name for the access point, with --apn
    #[arg(long, value_name = "USER")]
    pub(crate) apn_user: Option<String>,

    /// Its password: @FILE, - for a line of standard input, or the environment variable SECTAG_APN_PASSWORD; given directly, it shows in the process list
    #[arg(long, value_name = "PASSWORD", requires = "apn_user")]
    pub(crate) apn_password: Option<String>,

    /// The SIM's PIN: @FILE, - for a line of standard input, or the environment variable SECTAG_SIM_PIN; given directly, it shows in the process list
    #[arg(long, value_name = "PIN")]
    pub(crate) sim_pin: Option<String>,

    /// The Wi-Fi network to join, for a modem with Wi-Fi
    #[arg(long, value_name = "NAME")]
    pub(crate) ssid: Option<String>,

    /// Its passphrase: @FILE, - for a line of standard input, or the environment variable SECTAG_PSK; given directly, it shows in the process list; left out for an open network
    #[arg(long, value_name = "PASSPHRASE", requires = "ssid")]
    pub(crate) psk: Option<String>,

    /// The secret that tokens of secure files are made of (cc31xx), a number such as 0x5eed1234; credentials are then kept encrypted in the chip's flash. @FILE, - for a line of standard input, or the environment variable SECTAG_FILE_TOKEN; given directly, it shows in the process list. Always the same for one chip: another one is a security alert, and enough of those lock the chip for good
    #[arg(long, value_name = "SECRET")]
    pub(crate) file_token: Option<String>,

    /// Who is asked for the time by SNTP, where TLS is on this computer (ublox-ppp) and the network tells none
    #[arg(long, value_name = "HOST", default_value = "pool.ntp.org")]
    pub(crate) time_server: String,

    /// Where the modem's clock is set from, which decides whether certificates are valid [default: network, then host]
    #[arg(long, value_name = "SOURCE")]
    pub(crate) set_clock: Option<ClockSource>,
}

impl ModemArgs {
    /// A modem of which nothing else is said.
    pub(crate) fn at(port: PortName, modem: Choice, baud: u32, flow_control: bool) -> Self {
        Self {
            modem,
            port,
            baud,
            flow_control,
            patched_native: false,
            apn: None,
            apn_user: None,
            apn_password: None,
            sim_pin: None,
            ssid: None,
            psk: None,
            file_token: None,
            time_server: String::new(),
            set_clock: None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ClockSource {
    /// This computer's clock, in any case
    Host,
    /// The cellular network, which the driver asks at bring-up
    Network,
    /// Not set by this tool; the driver still asks the network when the clock is not set
    No,
}
