//! `sectag simulate`: a modem for other programs.

mod state;

use std::future::pending;
use std::io;
use std::net::Ipv4Addr;
use std::path::Path;
use std::rc::Rc;

use embassy_futures::select::{Either3, select3};
use embassy_time::{Duration, Timer};
use sectag_simulator::{
    AccessPoint, Cc32xxOptions, Chunk, LoopbackNetwork, Nrf9160Options, NwpGeneration, NwpOptions,
    Options, ShortRangeOptions, Sim, Simulator, UbloxOptions, transport,
};
use time::OffsetDateTime;
use tokio::net::TcpListener;

use self::state::Kept;
use super::surroundings::Surroundings;
use crate::args::{ClockSetting, Dialect, Scenario, Simulate};
use crate::families::ModemName;
use crate::hints::{self, Failure};
use crate::report::Report;
use crate::serial_ports;
use crate::stop::Stop;

/// How often it is looked whether the modem has stored something.
const KEEP_EVERY: Duration = Duration::from_millis(500);

pub(crate) async fn run(args: Simulate, report: &Report) -> Result<(), Failure> {
    // Before `ready` is printed: a signal right behind it must find the link removed.
    let mut stop = Stop::listen().map_err(|error| Failure::new(error.to_string()))?;
    let modem = modem(&args)?;
    if let Some(text) = &args.fault {
        let script = sectag_simulator::fault(text)
            .map_err(|reason| Failure::new(format!("--fault: {reason}")))?;
        if !args.modem.speaks_at() && (text.starts_with("error") || text.contains(':')) {
            return Err(Failure::new(format!(
                "--fault {text}: {} has no lines, neither such that say ERROR nor such that begin somehow",
                args.modem.as_str()
            ))
            .hint("it has silent, garbage and reset, with the number of the command behind @"));
        }
        modem.set_script(script);
    }
    let mut kept = match &args.state {
        Some(path) => {
            let mut kept = Kept::restore(path, args.modem, &modem)?;
            // A file that cannot be written is told before anybody relies on it.
            kept.update(&modem)?;
            Some(kept)
        }
        None => None,
    };
    crate::trace::tell_of_simulated_modem();
    if is_on_wifi(&args) {
        let AccessPoint {
            ssid, passphrase, ..
        } = AccessPoint::default();
        report.note(&format!(
            "the only Wi-Fi network here is {ssid}, its passphrase {passphrase:?} (--ssid, --psk)"
        ));
    }
    let serving = serve(modem.clone(), &args, report);
    let keeping = keep(kept.as_mut(), &modem, report);
    let result = match select3(serving, stop.requested(), keeping).await {
        Either3::First(result) | Either3::Third(result) => result,
        Either3::Second(()) => Ok(()),
    };
    // What came since it was looked last.
    let last = kept.map_or(Ok(()), |mut kept| kept.update(&modem));
    result.and(last)
}

/// Whether the modem joins a network that the user has to name.
fn is_on_wifi(args: &Simulate) -> bool {
    match args.modem {
        ModemName::Bg96 | ModemName::Nrf9160 | ModemName::UbloxCellular => false,
        ModemName::ShortRange | ModemName::Cc31xx | ModemName::Cc32xx => true,
        ModemName::Ppp => !matches!(args.dialect, Some(Dialect::Ublox(_))),
    }
}

/// Keeps the file of `--state` up to date, for ever. Where that fails, the modem serves on, and it is tried again.
async fn keep(kept: Option<&mut Kept>, modem: &Simulator, report: &Report) -> Result<(), Failure> {
    let Some(kept) = kept else {
        return pending().await;
    };
    let mut told = false;
    loop {
        let updated = kept.update(modem);
        if let (Err(failure), false) = (&updated, told) {
            report.warn(&format!(
                "{}: what the modem stores now is not kept; it is tried again",
                failure.observed()
            ));
        }
        told = updated.is_err();
        Timer::after(KEEP_EVERY).await;
    }
}

fn modem(args: &Simulate) -> Result<Simulator, Failure> {
    let mut network = LoopbackNetwork::new();
    for mapping in &args.map {
        network
            .map(&mapping.server.host, mapping.server.port, mapping.target)
            .map_err(|error| Failure::new(error.to_string()))?;
    }
    if args.profile.is_some() && args.modem != ModemName::Bg96 {
        return Err(
            Failure::new(format!("--profile: {} has none", args.modem.as_str()))
                .hint("it is for bg96; other modems have --dialect"),
        );
    }
    let network = Rc::new(network);
    let baud = (args.baud > 0).then_some(args.baud);
    let turnaround = Duration::from_millis(args.turnaround_ms);
    let chunk = match (args.chunk, args.seed) {
        (None, _) => Chunk::Whole,
        (Some(size), None) => Chunk::Bytes(size as usize),
        (Some(max), Some(_)) => Chunk::Random { max: max as usize },
    };
    let clock = moment(args.clock)?;
    let around = around(args.scenario)?;
    if args.left_on.is_some() && args.modem != ModemName::Bg96 {
        return Err(Failure::new(
            "--left-on: only a simulated bg96 has modes that a host can leave on",
        ));
    }
    // A link is given by either, and there is no third.
    let family = match (args.modem, args.dialect) {
        (ModemName::Ppp, Some(Dialect::Ublox(_))) => ModemName::UbloxCellular,
        (ModemName::Ppp, _) => ModemName::ShortRange,
        (family, _) => family,
    };
    if args.modem == ModemName::Ppp {
        let far_end = sectag_simulator::Slirp::start();
        drop(far_end.map_err(|error| hints::unsuitable("the far end of PPP", &error))?);
    }
    Ok(match family {
        ModemName::Bg96 => {
            Dialect::refused_by(ModemName::Bg96, args.dialect)?;
            let defaults = Options::default();
            let options = Options {
                profile: args.profile.clone().unwrap_or(defaults.profile.clone()),
                baud,
                turnaround,
                chunk,
                seed: args.seed.unwrap_or(defaults.seed),
                clock,
                network_time: around.time.then(OffsetDateTime::now_utc),
                registration_delay: around.registration_delay(),
                sim: around.sim,
                pdp_refusal: around.pdp_refusal,
                left_on: args.left_on.unwrap_or_default(),
                ..defaults
            };
            Simulator::bg96(options, network)
        }
        ModemName::Nrf9160 => {
            let defaults = Nrf9160Options::default();
            let options = Nrf9160Options {
                profile: Dialect::nrf9160(args.dialect)?.unwrap_or(defaults.profile),
                baud,
                turnaround,
                chunk,
                seed: args.seed.unwrap_or(defaults.seed),
                clock,
                network_time: around.time.then(OffsetDateTime::now_utc),
                registration_delay: around.registration_delay(),
                sim: around.sim,
                ..defaults
            };
            Simulator::nrf9160(options, network)
        }
        ModemName::UbloxCellular => {
            let defaults = UbloxOptions::default();
            let options = UbloxOptions {
                profile: Dialect::ublox(args.dialect)?.unwrap_or(defaults.profile),
                baud,
                turnaround,
                chunk,
                seed: args.seed.unwrap_or(defaults.seed),
                clock,
                network_time: around.time.then(OffsetDateTime::now_utc),
                registration_delay: around.registration_delay(),
                sim: around.sim,
                refuses_data: around.pdp_refusal.is_some(),
                ..defaults
            };
            Simulator::ublox(options, network)
        }
        ModemName::ShortRange | ModemName::Ppp => {
            if args.scenario.is_some() {
                return Err(Failure::new(
                    "--scenario: this module has neither a SIM nor a cellular network that could be wrong",
                ));
            }
            let defaults = ShortRangeOptions::default();
            let options = ShortRangeOptions {
                profile: Dialect::short_range(args.dialect)?.unwrap_or(defaults.profile),
                baud,
                turnaround,
                chunk,
                seed: args.seed.unwrap_or(defaults.seed),
                ..defaults
            };
            Simulator::short_range(options, network)
        }
        ModemName::Cc31xx | ModemName::Cc32xx => {
            if !matches!(
                args.scenario,
                None | Some(Scenario::ClockUnset | Scenario::NoRegistration)
            ) {
                return Err(Failure::new(
                    "--scenario: this chip has neither a SIM nor a data connection that could be wrong",
                )
                .hint("it has no-registration, which is a network that is not there"));
            }
            let generation = if args.modem == ModemName::Cc31xx {
                Dialect::nwp(args.dialect)?
            } else {
                Dialect::refused_by(args.modem, args.dialect)?;
                NwpGeneration::Second
            };
            // The network of the simulated Wi-Fi modules.
            let AccessPoint {
                ssid, passphrase, ..
            } = AccessPoint::default();
            let modem = if args.modem == ModemName::Cc31xx {
                let defaults = NwpOptions::default();
                let options = NwpOptions {
                    generation,
                    ssid,
                    key: passphrase,
                    clock,
                    baud,
                    turnaround,
                    chunk,
                    seed: args.seed.unwrap_or(defaults.seed),
                    ..defaults
                };
                Simulator::nwp(options, network)
            } else {
                let defaults = Cc32xxOptions::default();
                let options = Cc32xxOptions {
                    ssid,
                    key: passphrase,
                    clock,
                    baud,
                    command_time: turnaround.max(defaults.command_time),
                    chunk,
                    seed: args.seed.unwrap_or(defaults.seed),
                    ..defaults
                };
                Simulator::cc32xx(options, network)
            };
            modem.set_registered(around.coverage);
            modem
        }
    })
}

/// What a scenario is to a modem. Where the server has a part in it, it cannot be simulated here.
fn around(scenario: Option<Scenario>) -> Result<Surroundings, Failure> {
    let mut around = Surroundings::default();
    match scenario {
        None => {}
        Some(Scenario::ClockUnset) => around.time = false,
        Some(Scenario::NoRegistration) => around.coverage = false,
        Some(Scenario::SimMissing) => around.sim = Sim::Missing,
        Some(Scenario::PdpRefused) => around.pdp_refusal = Some(561),
        Some(other) => {
            return Err(Failure::new(format!(
                "--scenario {}: it is about the server, and a simulated modem connects to yours",
                other.word()
            ))
            .hint("sectag demo shows it, with a server of its own; for modems there are clock-unset, no-registration, sim-missing and pdp-refused"));
        }
    }
    Ok(around)
}

fn moment(setting: ClockSetting) -> Result<Option<OffsetDateTime>, Failure> {
    let ClockSetting::At(moment) = setting else {
        return Ok(None);
    };
    i64::try_from(moment.to_unix())
        .ok()
        .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
        .map(Some)
        .ok_or_else(|| Failure::new("--clock is out of range"))
}

async fn serve(modem: Simulator, args: &Simulate, report: &Report) -> Result<(), Failure> {
    match (&args.link, args.tcp) {
        (Some(link), _) => serve_link(modem, link, report).await,
        (None, port) => serve_tcp(modem, port.unwrap_or(0), report).await,
    }
}

async fn serve_link(modem: Simulator, link: &Path, report: &Report) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::new(format!("{}: {error}", link.display()));
    if link.is_symlink()
        && let Some(program) = serial_ports::maker(link)
    {
        return Err(Failure::new(format!(
            "{}: it is the port of another simulated modem, that of {}",
            link.display(),
            program.shown()
        ))
        .hint("end that first, or give this one a link of its own"));
    }
    let pty = transport::open_pty(link).map_err(|error| {
        let exists = error.kind() == io::ErrorKind::AlreadyExists;
        let failure = failed(error);
        if exists {
            failure.hint("only a link is replaced: remove the file, or give another path")
        } else {
            failure
        }
    })?;
    ready(&link.display().to_string(), report)?;
    transport::serve_pty(modem, pty).await.map_err(failed)
}

async fn serve_tcp(modem: Simulator, port: u16, report: &Report) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::new(format!("TCP port {port}: {error}"));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .await
        .map_err(|error| match error.kind() {
            io::ErrorKind::AddrInUse => failed(error)
                .hint("another program listens there: give another port, or 0 for a free one"),
            io::ErrorKind::PermissionDenied => failed(error)
                .hint("ports below 1024 are the system's: give another, or 0 for a free one"),
            _ => failed(error),
        })?;
    let address = listener.local_addr().map_err(failed)?;
    ready(&format!("tcp:{address}"), report)?;
    transport::serve_tcp(modem, listener).await.map_err(failed)
}

/// What follows `ready:` is what `--port` takes.
fn ready(port: &str, report: &Report) -> Result<(), Failure> {
    report.result(&format!("ready: {port}"), |object| {
        object.text("ready", port)
    })
}
