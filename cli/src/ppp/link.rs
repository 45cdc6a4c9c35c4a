//! From an open port to a link with an address, names, the time, and sockets.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::time::{SystemTime, UNIX_EPOCH};

use embassy_futures::select::{Either4, select4};
use embassy_net::{Stack, StackResources};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::signal::Signal;
use embassy_time::{Duration, Timer, with_timeout};
use embedded_io_async::{Read, Write};
use rand_core::OsRng;
use sectag::clock::DateTime;
use sectag::wifi::WifiConfig;
use sectag::{BringUpError, Status, TimeSource};
use sectag_host_clock::FromTokio;
use sectag_host_clock::with_own_waker;
use sectag_ppp::dial::beside::{self, FACTORY};
use sectag_ppp::dial::{Cellular, Dialogue, OdinW2, Own, cellular, odin_w2};
use sectag_ppp::net::{self, RunError};
use sectag_ppp::tls::{self, Buffers, Clock as _, RunningClock, Sockets, State, Time};
use sectag_ppp::{Login, sntp};

use super::credentials::Set;
use crate::args::{ClockSource, ModemArgs};
use crate::hints::{self, Failure};
use crate::port;
use crate::report::Report;
use crate::route::plausible;
use crate::session::host_clock;

/// Any record of any server fits.
const RECORD: usize = 16_640;
const SEND: usize = 4_096;
const RING: usize = 4_096;
/// For the link's negotiation, which gives up by itself.
const NEGOTIATION: Duration = Duration::from_secs(90);
/// After the work: long enough to send the end of a connection.
const PARTING: Duration = Duration::from_millis(300);

/// What is needed before the link.
pub(crate) struct Dial {
    pub(crate) module: Module,
    /// Of the access point.
    pub(crate) login: Login,
    pub(crate) clock: Option<ClockSource>,
    pub(crate) time_server: String,
}

/// Which of the two dialogues is meant.
pub(crate) enum Module {
    /// An ODIN-W2, with the network to join.
    ShortRange(WifiConfig),
    Cellular(Cellular),
}

impl Dial {
    pub(crate) fn from_args(args: &ModemArgs, report: &Report) -> Result<Self, Failure> {
        let wifi = crate::modems::wifi(args, report)?;
        if args.patched_native {
            return Err(Failure::new(
                "--patched-native: a ublox-ppp has no such build",
            ));
        }
        let cellular_only = [
            (args.apn.is_some(), "--apn"),
            (args.sim_pin.is_some(), "--sim-pin"),
        ];
        let module = match wifi {
            Some(wifi) => {
                if let Some((_, option)) = cellular_only.iter().find(|(given, _)| *given) {
                    return Err(Failure::new(format!(
                        "{option} is for a cellular module, --ssid for an ODIN-W2"
                    ))
                    .hint("give one of them: which module is on the port?"));
                }
                Module::ShortRange(wifi)
            }
            None => Module::Cellular(cellular_of(args, report)?),
        };
        let login = match crate::modems::apn_login(args, report)? {
            Some((user, password)) => {
                let (user, password) = (crate::modems::leak(&user), crate::modems::leak(&password));
                let login = Login::new(user, password);
                login.map_err(|error| hints::unsuitable("--apn-user, --apn-password", &error))?
            }
            None => Login::NONE,
        };
        Ok(Self {
            module,
            login,
            clock: args.set_clock,
            time_server: args.time_server.clone(),
        })
    }
}

fn cellular_of(args: &ModemArgs, report: &Report) -> Result<Cellular, Failure> {
    let mut config = Cellular::new();
    if let Some(apn) = &args.apn {
        let set = config.apn(crate::modems::leak(apn));
        config = set.map_err(|error| Failure::new(format!("--apn: {error}")))?;
    }
    if let Some(pin) = crate::modems::sim_pin(args, report)? {
        let set = config.pin(crate::modems::leak(&pin));
        config = set.map_err(|error| Failure::new(format!("--sim-pin: {error}")))?;
    }
    Ok(config)
}

/// A link that is up.
#[derive(Clone, Copy)]
pub(crate) struct Link<'l> {
    pub(crate) sockets: Sockets<'l>,
    pub(crate) stack: Stack<'l>,
    clock: &'l RunningClock,
    short_range: bool,
    /// What the module told of itself before the dial.
    told: &'l Status,
}

impl Link<'_> {
    /// The time, as far as it is known.
    pub(crate) fn now(&self) -> Option<DateTime> {
        self.clock.time().map(|time| time.now)
    }

    /// And where it comes from.
    pub(crate) fn time_source(&self) -> Option<TimeSource> {
        self.clock.time().map(|time| time.source)
    }

    /// What the module tells of itself; ODIN-W2 is asked beside the link, others were asked before it.
    pub(crate) async fn status(&self) -> Result<Status, BringUpError> {
        let mut status = self.told.clone();
        if self.short_range {
            status = beside::status(self.stack, FACTORY).await?;
        }
        status.clock = self.now();
        let config = self.stack.config_v4();
        let address = config.map(|config| config.address.address().to_string());
        status.address = address.and_then(|address| address.as_str().try_into().ok());
        Ok(status)
    }
}

/// Dials on the port and runs `work` above the link.
pub(super) async fn on_port(
    args: &ModemArgs,
    dial: &Dial,
    set: &Set,
    report: &Report,
    work: impl AsyncFnOnce(Link<'_>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let opened = port::open(&args.port, args.baud, args.flow_control).await?;
    let (port, _speed) = opened.into_parts();
    let (rx, tx) = tokio::io::split(port);
    let step = report.spin(format!("dialling on {}", args.port));
    let step = Cell::new(Some(step));
    let tried = format!("--baud {} was used", args.baud);
    let ends = (FromTokio::new(rx), FromTokio::new(tx));
    let up = async |link: Link<'_>, detail: String| {
        if let Some(step) = step.take() {
            step.done(report, &detail);
        }
        work(link).await
    };
    over(ends, dial, set, report, &tried, up).await
}

/// Dials on a line and runs `work` above the link, with what is to be said of it.
pub(crate) async fn over<R: Read, W: Write>(
    (mut rx, mut tx): (R, W),
    dial: &Dial,
    set: &Set,
    report: &Report,
    tried: &str,
    work: impl AsyncFnOnce(Link<'_>, String) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let failed = |error| match error {
        BringUpError::Firmware { reason } => hints::unsuitable("ublox-ppp", &reason),
        error => hints::bring_up(&error, tried),
    };
    let mut line = Dialogue::new(&mut rx, &mut tx);
    let told = dialled(&mut line, dial).await.map_err(failed)?;
    let behind = line.behind().to_vec();
    let model = told.model.as_deref().unwrap_or("a module").to_owned();

    let mut net_state = net::State::<8, 8>::new();
    let (device, mut link_runner) = net::new(&mut net_state);
    let mut resources = StackResources::<8>::new();
    let config = embassy_net::Config::default();
    let (stack, mut stack_runner) = embassy_net::new(device, config, &mut resources, seed());
    let clock = RunningClock::new();
    let mut tls_state = Box::new(State::<RING, RING>::new());
    let mut buffers = Box::new(Buffers::<RECORD, SEND>::new());
    let (sockets, mut tls_runner) = tls::new(
        &mut tls_state,
        &mut buffers,
        stack,
        set.credentials(),
        &clock,
        set.key(),
        OsRng,
    );
    let link = Link {
        sockets,
        stack,
        clock: &clock,
        short_range: matches!(dial.module, Module::ShortRange(_)),
        told: &told,
    };
    let outcome = RefCell::new(None);
    let finished = Signal::<NoopRawMutex, ()>::new();
    let application = async {
        let done = async {
            if with_timeout(NEGOTIATION, stack.wait_config_up())
                .await
                .is_err()
            {
                return Err(Failure::new("the link came up, and gave no address"));
            }
            set_clock(&link, dial, report).await?;
            let address = stack.config_v4().map(|config| config.address.address());
            let address = address.map_or_else(String::new, |address| address.to_string());
            work(
                link,
                format!("{model} has dialled: this computer is {address}"),
            )
            .await
        };
        let done = done.await;
        // What it was about has ended; its last segments are still to go.
        Timer::after(PARTING).await;
        outcome.replace(Some(done));
        finished.signal(());
        std::future::pending::<Infallible>().await
    };
    let running = link_runner.run(
        &mut rx,
        &mut tx,
        &behind,
        dial.login,
        stack,
        finished.wait(),
    );
    // All of them apart: embassy-net's channels and the signal compare wakers.
    let all = with_own_waker(select4(
        running,
        stack_runner.run(),
        with_own_waker(tls_runner.run()),
        with_own_waker(application),
    ));
    let ended = match all.await {
        Either4::First(ended) => ended,
        Either4::Second(never) | Either4::Third(never) => never,
        Either4::Fourth(never) => match never {},
    };
    let done = outcome.take();
    done.unwrap_or_else(|| Err(lost(&ended)))
}

/// The dialogue before the link; what the module told of itself.
async fn dialled<R: Read, W: Write>(
    line: &mut Dialogue<R, W>,
    dial: &Dial,
) -> Result<Status, BringUpError> {
    let model = line.model().await?;
    let is_short_range = ["ODIN-", "NINA-"].iter().any(|it| model.starts_with(it));
    match (&dial.module, is_short_range) {
        (Module::ShortRange(wifi), true) => {
            let told = line.status(true).await?;
            let own = Own::default();
            odin_w2(line, &OdinW2 { wifi: *wifi, own }).await?;
            Ok(told)
        }
        (Module::Cellular(config), false) => {
            let mut told = line.status(false).await?;
            // One process dials once, and keeps no memory of the PIN.
            cellular(line, &mut config.clone()).await?;
            // It was not registered before, perhaps.
            told.registration = None;
            Ok(told)
        }
        (Module::ShortRange(_), false) => Err(BringUpError::Firmware {
            reason: "--ssid is for an ODIN-W2, and this is a cellular module: leave it out, and name the access point by --apn",
        }),
        (Module::Cellular(_), true) => Err(BringUpError::Firmware {
            reason: "this module needs a Wi-Fi network: name it by --ssid, and its passphrase by --psk",
        }),
    }
}

/// The cellular network's time, else SNTP's, else this computer's, unless the user has said which.
async fn set_clock(link: &Link<'_>, dial: &Dial, report: &Report) -> Result<(), Failure> {
    let host = || {
        let now = host_clock()?;
        plausible(Some(now)).map(|now| Time {
            now,
            source: TimeSource::Host,
        })
    };
    let wanted = dial.clock;
    let time = match wanted {
        Some(ClockSource::Host) => host(),
        Some(ClockSource::No) => None,
        Some(ClockSource::Network) | None => match network_time(link, dial, report).await {
            None if wanted.is_none() => host(),
            time => time,
        },
    };
    if let Some(time) = time {
        link.clock.set(time);
    }
    Ok(())
}

async fn network_time(link: &Link<'_>, dial: &Dial, report: &Report) -> Option<Time> {
    if let Some(now) = plausible(link.told.clock) {
        return Some(Time {
            now,
            source: TimeSource::Network,
        });
    }
    match sntp::ask(link.stack, &dial.time_server, seed()).await {
        Ok(now) => Some(Time {
            now,
            source: TimeSource::Sntp,
        }),
        Err(error) => {
            report.note(&format!("no time by SNTP of {}: {error}", dial.time_server));
            None
        }
    }
}

/// A link that ended before the work did.
fn lost(ended: &RunError) -> Failure {
    hints::unsuitable("the link ended", ended).lost()
}

/// Hard enough to guess for what a link and a question for the time need; keys come from the system's generator.
fn seed() -> u64 {
    use rand_core::RngCore;
    let mut bytes = [0; 8];
    if rand_core::OsRng.try_fill_bytes(&mut bytes).is_ok() {
        return u64::from_le_bytes(bytes);
    }
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(1, |since| since.as_nanos() as u64)
}
