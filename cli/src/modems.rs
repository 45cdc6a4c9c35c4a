//! The driver of each modem, made of what the options say.

use sectag::wifi::WifiConfig;
use sectag_bg96::Bg96;
use sectag_cc3200::at::Cc32xx;
use sectag_cc3200::nwp::{G2, Nwp};
use sectag_nrf9160::Nrf9160;
use sectag_ublox::cellular::UbloxCellular;
use sectag_ublox::short_range::ShortRange;

use crate::args::{ClockSource, ModemArgs, PortName};
use crate::failure::Failure;
use crate::report::Report;
use crate::secret;

/// What the configurations of all cellular modems have; each is a type of its own.
macro_rules! configured {
    ($config:expr, $args:expr, $report:expr) => {{
        let mut config = $config;
        if matches!($args.set_clock, Some(ClockSource::Host | ClockSource::No)) {
            config = config.keep_clock();
        }
        if let Some(apn) = &$args.apn {
            config = config
                .apn(leak(apn))
                .map_err(|error| Failure::new(format!("--apn: {error}")))?;
        }
        if let Some(pin) = sim_pin($args, $report)? {
            config = config
                .pin(leak(&pin))
                .map_err(|error| Failure::new(format!("--sim-pin: {error}")))?;
        }
        if $args.flow_control {
            config = config.flow_control();
        }
        config
    }};
}

pub(crate) fn bg96(args: &ModemArgs, report: &Report) -> Result<Bg96, Failure> {
    if args.patched_native {
        return Err(Failure::new("--patched-native: a bg96 has no such build"));
    }
    let mut config = configured!(sectag_bg96::Config::new(), args, report);
    if let Some((user, password)) = apn_login(args, report)? {
        config = config
            .login(sectag_bg96::Auth::Either, leak(&user), leak(&password))
            .map_err(|error| Failure::new(format!("--apn-user, --apn-password: {error}")))?;
    }
    Ok(Bg96::new(config))
}

pub(crate) fn ublox_cellular(args: &ModemArgs, report: &Report) -> Result<UbloxCellular, Failure> {
    use sectag_ublox::cellular::{Auth, Config};
    if args.patched_native {
        return Err(Failure::new(
            "--patched-native: a ublox-cellular has no such build",
        ));
    }
    let mut config = configured!(Config::new(), args, report);
    if let Some((user, password)) = apn_login(args, report)? {
        config = config
            .login(Auth::Either, leak(&user), leak(&password))
            .map_err(|error| Failure::new(format!("--apn-user, --apn-password: {error}")))?;
    }
    Ok(UbloxCellular::new(config))
}

pub(crate) fn nrf9160(args: &ModemArgs, report: &Report) -> Result<Nrf9160, Failure> {
    let mut config = configured!(sectag_nrf9160::Config::new(), args, report);
    if args.apn_user.is_some() {
        return Err(
            Failure::new("--apn-user: the driver of the nrf9160 gives no login to an access point")
                .hint("ask the operator for an APN that needs none, or for a SIM whose APN is the network's own"),
        );
    }
    if args.patched_native {
        config = config.patched_native();
    }
    // TCP holds its sender back by itself.
    if matches!(args.port, PortName::Tcp(_)) {
        config = config.flow_control();
    }
    Ok(Nrf9160::new(config))
}

pub(crate) fn short_range(args: &ModemArgs, report: &Report) -> Result<ShortRange, Failure> {
    let wifi = on_wifi("ublox-shortrange", args, report)?;
    let mut config = sectag_ublox::short_range::Config::new(wifi);
    // TCP holds its sender back by itself.
    if args.flow_control || matches!(args.port, PortName::Tcp(_)) {
        config = config.flow_control();
    }
    Ok(ShortRange::new(config))
}

pub(crate) fn cc31xx(args: &ModemArgs, report: &Report) -> Result<Nwp<G2>, Failure> {
    let wifi = on_wifi("cc31xx", args, report)?;
    is_told_no_time("cc31xx", args)?;
    let config = sectag_cc3200::nwp::Config::new(wifi);
    let given = args.file_token.as_deref();
    let token = secret::resolve("--file-token", given, "SECTAG_FILE_TOKEN", report)?;
    Ok(Nwp::new(match token {
        Some(token) => config.secure_files(number(&token)?),
        None => config,
    }))
}

pub(crate) fn cc32xx(args: &ModemArgs, report: &Report) -> Result<Cc32xx, Failure> {
    let wifi = on_wifi("cc32xx", args, report)?;
    is_told_no_time("cc32xx", args)?;
    Ok(Cc32xx::new(sectag_cc3200::at::Config::new(wifi)))
}

/// The secret of secure files. It is not repeated in the message.
fn number(token: &str) -> Result<u32, Failure> {
    let parsed = match token.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16),
        None => token.parse(),
    };
    parsed.map_err(|_| {
        Failure::new("--file-token: it is no number of 32 bits")
            .hint("give one in decimal, or in hexadecimal with 0x in front")
    })
}

/// Nobody but this computer sets its clock.
fn is_told_no_time(name: &str, args: &ModemArgs) -> Result<(), Failure> {
    if args.set_clock == Some(ClockSource::Network) {
        return Err(Failure::new(format!(
            "--set-clock network: a {name} is told no time by its network"
        ))
        .hint("set its clock from this computer: --set-clock host, which is also what happens without the option"));
    }
    Ok(())
}

/// The network that a modem with nothing but Wi-Fi is to join.
fn on_wifi(name: &str, args: &ModemArgs, report: &Report) -> Result<WifiConfig, Failure> {
    for (given, option) in [
        (args.apn.is_some(), "--apn"),
        (args.apn_user.is_some(), "--apn-user"),
        (args.sim_pin.is_some(), "--sim-pin"),
        (args.patched_native, "--patched-native"),
    ] {
        if given {
            return Err(
                Failure::new(format!("{option}: a {name} has no such thing"))
                    .hint("its network is named by --ssid and --psk"),
            );
        }
    }
    let wifi = wifi(args, report)?;
    wifi.ok_or_else(|| {
        Failure::new(format!("a {name} needs the Wi-Fi network to join")).hint(
            "name it by --ssid, and its passphrase by --psk or the environment variable SECTAG_PSK",
        )
    })
}

/// The network of --ssid and --psk, where it is named.
pub(crate) fn wifi(args: &ModemArgs, report: &Report) -> Result<Option<WifiConfig>, Failure> {
    let Some(ssid) = &args.ssid else {
        return Ok(None);
    };
    let key = secret::resolve("--psk", args.psk.as_deref(), "SECTAG_PSK", report)?;
    let wifi = match key {
        Some(key) => WifiConfig::wpa2(leak(ssid), leak(&key)),
        None => WifiConfig::open(leak(ssid)),
    };
    wifi.map(Some)
        .map_err(|error| Failure::new(format!("--ssid, --psk: {error}")))
}

pub(crate) fn sim_pin(args: &ModemArgs, report: &Report) -> Result<Option<String>, Failure> {
    let given = args.sim_pin.as_deref();
    secret::resolve("--sim-pin", given, "SECTAG_SIM_PIN", report)
}

pub(crate) fn apn_login(
    args: &ModemArgs,
    report: &Report,
) -> Result<Option<(String, String)>, Failure> {
    let Some(user) = &args.apn_user else {
        return Ok(None);
    };
    if args.apn.is_none() {
        return Err(Failure::new("--apn-user needs --apn")
            .hint("a login is for one access point: name it by --apn"));
    }
    let given = args.apn_password.as_deref();
    let password = secret::resolve("--apn-password", given, "SECTAG_APN_PASSWORD", report)?;
    Ok(Some((user.clone(), password.unwrap_or_default())))
}

/// A backend's configuration is meant for a `const`; this process makes one and ends.
pub(crate) fn leak(text: &str) -> &'static str {
    Box::leak(text.into())
}
