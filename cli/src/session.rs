//! Brings a modem up and does a job beside its runner.

use std::future::pending;
use std::pin::pin;
use std::time::{SystemTime, UNIX_EPOCH};

use embassy_futures::select::{Either, select};
use embassy_time::{Duration, Timer, with_timeout};
use embedded_io_adapters::tokio_1::FromTokio;
use embedded_io_async::{Read, Write};
use sectag::clock::{DateTime, MIN_DATE};
use sectag::modem::{ClockPart, Credentials, Full};
use sectag::{Accepts, Control, Power, Runner, Sockets, State};
use sectag_bg96::{Bg96, Config};
use sectag_nrf9160::Nrf9160;

use crate::args::{ClockSource, ModemArgs, ModemName};
use crate::hints::{self, Failure};
use crate::port::{self, PortName, Speeds};
use crate::report::Report;
use crate::secret;

/// One connection at a time; the rings hold what BG96 and its like move at once, 1460 to 2048 bytes, twice.
const RING: usize = 4096;

/// How often it is looked whether the driver has changed the speed.
const LOOK: Duration = Duration::from_millis(200);

/// After a failure: long enough to send the modem a close.
const PARTING: Duration = Duration::from_millis(300);

/// Something to do with a modem, whichever it is.
pub(crate) trait Job {
    async fn run<M: Full>(self, session: Session<'_, M>) -> Result<(), Failure>;
}

/// A modem to work with, and where to report.
pub(crate) struct Session<'a, M: Full> {
    pub(crate) control: Control<'a, M>,
    pub(crate) sockets: Sockets<'a, M>,
    /// What the user said about the modem.
    pub(crate) modem: &'a ModemArgs,
    pub(crate) report: &'a Report,
    speeds: Speeds,
}

/// What credentials the modem takes.
pub(crate) fn accepts(name: ModemName) -> Accepts {
    match name {
        ModemName::Bg96 => <Bg96>::ACCEPTS,
        ModemName::Nrf9160 => <Nrf9160>::ACCEPTS,
    }
}

/// Opens the port, brings the modem up, sets its clock and runs `job`.
pub(crate) async fn run(args: &ModemArgs, report: &Report, job: impl Job) -> Result<(), Failure> {
    ask(args, report, Up(job)).await
}

/// Opens the port and runs `job`, which may find the modem in any state.
pub(crate) async fn ask(args: &ModemArgs, report: &Report, job: impl Job) -> Result<(), Failure> {
    match args.modem {
        ModemName::Bg96 => {
            let modem = Bg96::new(bg96_config(args, report)?);
            attach(modem, args, report, async |session| job.run(session).await).await
        }
        ModemName::Nrf9160 => nrf9160(args, report, async |session| job.run(session).await).await,
    }
}

/// The same for what an nRF9160 alone can do.
pub(crate) async fn nrf9160(
    args: &ModemArgs,
    report: &Report,
    work: impl AsyncFnOnce(Session<'_, Nrf9160>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let modem = Nrf9160::new(nrf9160_config(args, report)?);
    attach(modem, args, report, work).await
}

async fn attach<M: Full>(
    modem: M,
    args: &ModemArgs,
    report: &Report,
    work: impl AsyncFnOnce(Session<'_, M>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let (port, power) = port::open(&args.port, args.baud, args.flow_control).await?;
    let speeds = power.speeds();
    let (reader, writer) = tokio::io::split(port);
    let mut state = State::<M, 1, RING, RING>::new(modem);
    if let Some(tap) = report.tap() {
        state = state.with_tap(tap);
    }
    let mut state = Box::new(state);
    let (control, sockets, runner) = sectag::new(
        &mut state,
        FromTokio::new(reader),
        FromTokio::new(writer),
        power,
    );
    let session = Session {
        control,
        sockets,
        modem: args,
        report,
        speeds,
    };
    let work = beside(runner, work(session)).await;
    work.map_err(|failure| failure.explained(M::CODES))
}

/// What is done on a modem that is on the network and knows the time.
struct Up<J>(J);

impl<J: Job> Job for Up<J> {
    async fn run<M: Full>(self, session: Session<'_, M>) -> Result<(), Failure> {
        session.bring_up().await?;
        session.set_clock().await?;
        self.0.run(session).await
    }
}

impl<M: Full> Session<'_, M> {
    pub(crate) async fn bring_up(&self) -> Result<(), Failure> {
        let args = self.modem;
        let step = self
            .report
            .spin(format!("bringing up {} on {}", M::NAME, args.port));
        self.telling(self.control.wait_up())
            .await
            .map_err(|error| hints::bring_up(&error, &self.tried()))?;
        step.done(
            self.report,
            &format!("{} is up and on the network", M::NAME),
        );
        if let Some(baud) = self.other_speed() {
            self.report
                .note(&format!("it was found at {baud} baud: give --baud {baud}"));
        }
        Ok(())
    }

    /// The speed at which the modem was found, where it is not the one that was given.
    pub(crate) fn other_speed(&self) -> Option<u32> {
        let now = self.speeds.borrow().last().copied();
        now.filter(|baud| *baud != self.modem.baud)
    }

    /// The speeds at which the modem was asked, in words.
    pub(crate) fn tried(&self) -> String {
        tried(self.modem.baud, &self.speeds.borrow())
    }

    /// Says meanwhile that the modem is looked for at other speeds, which takes its time.
    pub(crate) async fn telling<T>(&self, work: impl Future<Output = T>) -> T {
        let tell = async {
            while self.other_speed().is_none() {
                Timer::after(LOOK).await;
            }
            self.report.note(&format!(
                "nothing answers at {} baud: trying the modem's other speeds, which takes most of a minute",
                self.modem.baud
            ));
            pending().await
        };
        match select(work, tell).await {
            Either::First(done) | Either::Second(done) => done,
        }
    }

    /// The driver has asked the network already, at bring-up.
    pub(crate) async fn set_clock(&self) -> Result<(), Failure> {
        if !M::Clock::THERE {
            return match self.modem.set_clock {
                Some(ClockSource::Host | ClockSource::Network) => Err(Failure::new(format!(
                    "--set-clock: {} has no clock that could be set",
                    M::NAME
                ))),
                _ => Ok(()),
            };
        }
        let failed = |error| hints::at("the modem's clock", &error);
        let from_host = match self.modem.set_clock {
            Some(ClockSource::Host) => true,
            Some(ClockSource::Network | ClockSource::No) => false,
            None => self
                .control
                .clock_if_any()
                .await
                .map_err(failed)?
                .is_none_or(|now| !now.is_plausible(MIN_DATE)),
        };
        if !from_host {
            return Ok(());
        }
        let Some(now) = host_clock().filter(|now| *now >= MIN_DATE) else {
            self.report.warn(&format!(
                "this computer's clock is before {MIN_DATE}, so the modem's is not set from it"
            ));
            return Ok(());
        };
        self.control.set_clock_if_any(now).await.map_err(failed)?;
        self.report.note(&format!(
            "the modem's clock was set to {now} from this computer"
        ));
        Ok(())
    }
}

fn tried(given: u32, speeds: &[u32]) -> String {
    let mut others: Vec<u32> = speeds
        .iter()
        .copied()
        .filter(|baud| *baud != given)
        .collect();
    if others.is_empty() {
        return format!("--baud {given} was used");
    }
    others.sort_unstable();
    let others: Vec<String> = others.iter().map(u32::to_string).collect();
    format!(
        "--baud {given} was used, and tried were {}",
        others.join(", ")
    )
}

/// Polls the runner and `work`; a port that fails ends the work.
pub(crate) async fn beside<M: Full, R: Read, W: Write, P: Power, T>(
    mut runner: Runner<'_, M, R, W, P>,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let mut running = pin!(runner.run());
    match select(&mut running, work).await {
        Either::First(error) => Err(hints::run(&error)),
        Either::Second(Ok(output)) => Ok(output),
        Either::Second(Err(failure)) => {
            // The work may have dropped an open socket; what the port reports now is no news.
            let _ = with_timeout(PARTING, running).await;
            Err(failure)
        }
    }
}

pub(crate) fn host_clock() -> Option<DateTime> {
    DateTime::from_unix(SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs())
}

/// What the configurations of all modems have; each is a type of its own.
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

fn bg96_config(args: &ModemArgs, report: &Report) -> Result<Config, Failure> {
    if args.patched_native {
        return Err(Failure::new("--patched-native: a bg96 has no such build"));
    }
    Ok(configured!(Config::new(), args, report))
}

fn nrf9160_config(args: &ModemArgs, report: &Report) -> Result<sectag_nrf9160::Config, Failure> {
    let mut config = configured!(sectag_nrf9160::Config::new(), args, report);
    if args.patched_native {
        config = config.patched_native();
    }
    // TCP holds its sender back by itself.
    if matches!(args.port, PortName::Tcp(_)) {
        config = config.flow_control();
    }
    Ok(config)
}

fn sim_pin(args: &ModemArgs, report: &Report) -> Result<Option<String>, Failure> {
    secret::resolve(
        "--sim-pin",
        args.sim_pin.as_deref(),
        "SECTAG_SIM_PIN",
        report,
    )
}

/// A backend's configuration is meant for a `const`; this process makes one and ends.
fn leak(text: &str) -> &'static str {
    Box::leak(text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_says_where_it_looked() {
        assert_eq!(tried(9600, &[9600]), "--baud 9600 was used");
        assert_eq!(
            tried(115_200, &[115_200, 921_600, 9600]),
            "--baud 115200 was used, and tried were 9600, 921600"
        );
        // Where it went on to look, the speed that was given is not named twice.
        assert_eq!(
            tried(115_200, &[921_600, 115_200]),
            "--baud 115200 was used, and tried were 921600"
        );
    }
}
