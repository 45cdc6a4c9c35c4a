//! The modems that this tool knows: one row each in the table below. A new modem is a row, and a function that makes its
//! driver of the options.

use clap::ValueEnum;
use clap::builder::PossibleValue;
use sectag::Accepts;
use sectag::modem::{Credentials, Full, LinesPart};
use sectag::wifi::WifiConfig;
use sectag_bg96::Bg96;
use sectag_cc3200::at::Cc32xx;
use sectag_cc3200::nwp::{G2, Nwp};
use sectag_nrf9160::Nrf9160;
use sectag_ublox::cellular::UbloxCellular;
use sectag_ublox::short_range::ShortRange;

use crate::args::{ClockSource, ModemArgs};
use crate::failure::Failure;
use crate::identify::Identity;
use crate::port::{Opened, PortName};
use crate::ppp;
use crate::report::Report;
use crate::secret;
use crate::session::{Job, attach};

/// Makes the enumeration and what is looked up by it. `is` tells by the answers to the queries of identity whether a
/// modem is of this family; where that cannot be asked, it is `never`, and the user names the modem.
macro_rules! modems {
    ($($variant:ident, $name:literal, $what:literal, $driver:ty, $make:path, $is:path, $restart:expr;)+) => {
        /// A modem's family, by its name on the command line.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
        pub(crate) enum ModemName {
            $(#[value(name = $name)] #[doc = $what] $variant,)+
            /// A module of u-blox as a link: PPP, with TLS on this computer
            #[value(name = "ublox-ppp")]
            Ppp,
        }

        impl ModemName {
            const ALL: &[Self] = &[$(Self::$variant),+, Self::Ppp];
            const CHOICES: &[Choice] = &[Choice(None), $(Choice(Some(Self::$variant))),+, Choice(Some(Self::Ppp))];

            pub(crate) const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ Self::Ppp => "ublox-ppp" }
            }

            /// As its maker calls it.
            pub(crate) const fn what(self) -> &'static str {
                match self { $(Self::$variant => $what,)+ Self::Ppp => "u-blox module as a link" }
            }

            /// What credentials it takes.
            pub(crate) fn accepts(self) -> Accepts {
                match self { $(Self::$variant => <$driver>::ACCEPTS,)+ Self::Ppp => ppp::ACCEPTS }
            }

            /// The command that restarts it, and the line with which it says that it is there again.
            pub(crate) fn restart(self) -> Option<(&'static str, &'static str)> {
                match self { $(Self::$variant => $restart,)+ Self::Ppp => None }
            }

            /// Whether it speaks AT, before it is a link at least.
            pub(crate) const fn speaks_at(self) -> bool {
                match self {
                    $(Self::$variant => <<$driver as Full>::Lines as LinesPart<$driver>>::THERE,)+
                    Self::Ppp => true,
                }
            }

            fn is(self, identity: &Identity) -> bool {
                match self {
                    $(Self::$variant => $is(identity),)+
                    // The same modules are asked by their own names; that one is to be a link, the user says.
                    Self::Ppp => false,
                }
            }
        }

        /// Runs `job` with the driver of the modem on an open port.
        pub(crate) async fn run(
            name: ModemName,
            opened: Opened,
            args: &ModemArgs,
            report: &Report,
            job: impl Job,
        ) -> Result<(), Failure> {
            match name {
                $(ModemName::$variant => {
                    let modem = $make(args, report)?;
                    attach(name, modem, opened, args, report, async |session| job.run(session).await).await
                })+
                ModemName::Ppp => Err(Failure::new("ublox-ppp: this command needs a modem that has TLS inside")
                    .hint("name the module by --modem ublox-cellular or --modem ublox-shortrange")),
            }
        }
    };
}

modems! {
    Bg96, "bg96", "Quectel BG96", Bg96, bg96, is_quectel, Some(("AT+CFUN=1,1", "RDY"));
    Nrf9160, "nrf9160", "Nordic nRF9160", Nrf9160, nrf9160, is_nordic, Some(("AT#XRESET", "Ready"));
    // Models differ in the command, and say nothing when they are there again.
    UbloxCellular, "ublox-cellular", "u-blox SARA, LARA, LENA or LEXI", UbloxCellular, ublox_cellular, is_ublox_cellular, None;
    ShortRange, "ublox-shortrange", "u-blox ODIN-W2, NINA-W13, NINA-W15", ShortRange, short_range, is_short_range, None;
    // It knows none of the commands by which a modem is asked who it is.
    Cc32xx, "cc32xx", "TI CC3220, CC3235 with the AT application", Cc32xx, cc32xx, never, None;
    // It speaks no AT, so nobody can ask who is there.
    Cc31xx, "cc31xx", "TI CC3120, CC3130, CC3135", Nwp<G2>, cc31xx, never, None;
}

impl ModemName {
    /// The family that answers so.
    pub(crate) fn of(identity: &Identity) -> Option<Self> {
        Self::ALL.iter().copied().find(|name| name.is(identity))
    }

    /// `--modem` with each name, for messages.
    pub(crate) fn options() -> String {
        let names: Vec<&str> = Self::ALL.iter().map(|name| name.as_str()).collect();
        format!("--modem {}", names.join(", --modem "))
    }
}

/// What `--modem` says: a family, or that the port is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Choice(pub(crate) Option<ModemName>);

impl ValueEnum for Choice {
    fn value_variants<'a>() -> &'a [Self] {
        ModemName::CHOICES
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        match self.0 {
            Some(name) => name.to_possible_value(),
            None => Some(PossibleValue::new("auto").help("Asks the port who is there")),
        }
    }
}

fn never(_: &Identity) -> bool {
    false
}

fn is_quectel(identity: &Identity) -> bool {
    identity.manufacturer_has("quectel")
}

fn is_short_range(identity: &Identity) -> bool {
    identity.model_has("odin-w2")
        || identity.model_has("nina-w13")
        || identity.model_has("nina-w15")
}

fn is_nordic(identity: &Identity) -> bool {
    identity.manufacturer_has("nordic") || identity.model_has("nrf91")
}

/// Short-range modules have the same manufacturer.
fn is_ublox_cellular(identity: &Identity) -> bool {
    let families = ["sara-", "lara-", "lena-", "lexi-", "toby-"];
    let is_family = families.iter().any(|family| identity.model_has(family));
    identity.manufacturer_has("u-blox") && is_family
}

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

fn bg96(args: &ModemArgs, report: &Report) -> Result<Bg96, Failure> {
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

fn ublox_cellular(args: &ModemArgs, report: &Report) -> Result<UbloxCellular, Failure> {
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

fn short_range(args: &ModemArgs, report: &Report) -> Result<ShortRange, Failure> {
    let wifi = on_wifi("ublox-shortrange", args, report)?;
    let mut config = sectag_ublox::short_range::Config::new(wifi);
    // TCP holds its sender back by itself.
    if args.flow_control || matches!(args.port, PortName::Tcp(_)) {
        config = config.flow_control();
    }
    Ok(ShortRange::new(config))
}

fn cc31xx(args: &ModemArgs, report: &Report) -> Result<Nwp<G2>, Failure> {
    let wifi = on_wifi("cc31xx", args, report)?;
    is_told_no_time("cc31xx", args)?;
    Ok(Nwp::new(sectag_cc3200::nwp::Config::new(wifi)))
}

fn cc32xx(args: &ModemArgs, report: &Report) -> Result<Cc32xx, Failure> {
    let wifi = on_wifi("cc32xx", args, report)?;
    is_told_no_time("cc32xx", args)?;
    Ok(Cc32xx::new(sectag_cc3200::at::Config::new(wifi)))
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
