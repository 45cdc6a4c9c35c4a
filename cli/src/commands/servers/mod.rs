//! What the tool says of everything that can stand behind a name and a port, for each modem and by each route: a table, in `docs/servers.md`, of
//! which a cell may only get better.
//!
//! All of it runs in this process and in virtual time: the command as a user types it, the driver, a simulated modem, and a server in memory,
//! which the modem and the look from this computer both reach.

mod rows;
mod table;

use std::collections::VecDeque;
use std::fs;
use std::path::Path;
use std::rc::Rc;
use std::sync::Mutex;

use clap::Parser;
use embassy_futures::select::{Either, select};
use sectag::modem::Full;
use sectag::{Cause, Kind, Tag};
use sectag_simulator::time::block_on_virtual;
use sectag_simulator::{
    MemoryNetwork, Nrf9160Options, Nrf9160Profile, Options, Profile, Simulator, UbloxOptions,
};
use tempfile::TempDir;
use tokio::task::LocalSet;

use self::rows::{Device, Place, Row, Truth};
use self::table::Found;
use super::dispatch;
use crate::args::{Cli, Command};
use crate::failure::Failure;
use crate::hints;
use crate::port::in_memory;
use crate::probe::Names;
use crate::report::Report;
use crate::session::{Job, Session};
use crate::start;

const HOST: &str = "broker.sectag.test";
const PORT: u16 = 8883;
const TAG: Tag = Tag(3);
const STACK: usize = 64 * 1024 * 1024;

/// The modems of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Bg96,
    /// Nordic's Serial LTE Modem with the TLS of the modem.
    Slm,
    /// Likewise with the TLS of its application.
    Native,
    SerialModem,
    Ublox,
}

const MODEMS: [Unit; 5] = [
    Unit::Bg96,
    Unit::Slm,
    Unit::Native,
    Unit::SerialModem,
    Unit::Ublox,
];

/// How a user comes to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Route {
    Publish,
    Probe,
    Doctor,
}

const ROUTES: [Route; 3] = [Route::Publish, Route::Probe, Route::Doctor];

#[test]
fn the_true_cause_is_named_and_no_false_one_alone() {
    let rows = rows::all();
    let wanted = std::env::var("SECTAG_SERVERS").ok();
    let is_wanted = |row: &Row| {
        wanted
            .as_deref()
            .is_none_or(|wanted| row.name.contains(wanted))
    };
    let jobs = rows.iter().enumerate().filter(|(_, row)| is_wanted(row));
    let jobs = jobs.flat_map(|(number, row)| MODEMS.map(|modem| (number, row, modem)));
    let jobs: Mutex<VecDeque<_>> = Mutex::new(jobs.collect());
    let found = Mutex::new(Vec::new());
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            // The futures of commands are as large as the main thread's stack allows.
            let thread = std::thread::Builder::new().stack_size(STACK);
            let spawned = thread.spawn_scoped(scope, || {
                loop {
                    let job = jobs.lock().unwrap().pop_front();
                    let Some((number, row, modem)) = job else {
                        break;
                    };
                    let cells = ROUTES.into_iter().zip(column(row, modem));
                    let cells = cells.map(|(route, cell)| (number, modem, route, cell));
                    found.lock().unwrap().extend(cells);
                }
            });
            spawned.unwrap();
        }
    });
    let names: Vec<_> = rows
        .iter()
        .map(|row| (row.name, row.truth_in_words()))
        .collect();
    let found = found.into_inner().unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/servers.md");
    table::settle(&path, &names, &found, wanted.is_some());
}

/// What is found by each route, with one modem that has stored what the row says.
fn column(row: &Row, modem: Unit) -> [Found; 3] {
    let local = LocalSet::new();
    block_on_virtual(local.run_until(async {
        let network = MemoryNetwork::new();
        listen(row, &network);
        Names::set_for_this_thread(network.clone());
        let simulated = modem.simulator(row, Rc::new(network));
        let report = Report::kept();
        let stored = store(&simulated, modem, &row.device, &report).await;
        stored.unwrap_or_else(|failure| panic!("{} {modem:?}: {:?}", row.name, failure.lines()));
        let mut found = Vec::new();
        for route in ROUTES {
            let files = Files::of(&row.device);
            let report = Report::kept();
            let args = arguments(modem, route, &files);
            let command = Cli::try_parse_from(args).unwrap().command;
            let outcome = beside(&simulated, dispatch(command, &report)).await;
            show(row, modem, route, &outcome, &report);
            found.push(judge(row, modem, &outcome));
        }
        found.try_into().unwrap()
    }))
}

/// The server of a row, at its place in the network.
fn listen(row: &Row, network: &MemoryNetwork) {
    let server = row.server.clone();
    let (host, port) = match row.place {
        Place::There => (HOST, PORT),
        Place::OtherPort => (HOST, PORT + 1),
        Place::OtherName => ("another.sectag.test", PORT),
    };
    network.register(host, port, move |stream| {
        let server = server.clone();
        tokio::task::spawn_local(async move { server.serve(stream).await });
    });
}

/// Runs `work` of this tool with a port that leads to the modem.
async fn beside<T>(modem: &Simulator, work: impl Future<Output = T>) -> T {
    let (host, device) = tokio::io::duplex(4096);
    in_memory::put(host);
    let serving = async {
        let _ = modem.serve(device).await;
        std::future::pending::<()>().await;
    };
    match select(serving, work).await {
        Either::First(()) => unreachable!("it is pending for ever"),
        Either::Second(done) => done,
    }
}

async fn store(
    simulated: &Simulator,
    modem: Unit,
    device: &Device,
    report: &Report,
) -> Result<(), Failure> {
    let arguments = [&["sectag", "status"][..], &modem.arguments()].concat();
    let Command::Status(args) = Cli::try_parse_from(arguments).unwrap().command else {
        unreachable!("it is what was asked for");
    };
    beside(simulated, start::run(&args.modem, report, Store(device))).await
}

/// Stores what a device of a row has, by the driver alone: this tool would refuse some of it.
struct Store<'a>(&'a Device);

impl Job for Store<'_> {
    async fn run<M: Full>(self, session: Session<'_, M>) -> Result<(), Failure> {
        for (kind, pem) in self.0.credentials() {
            let stored = session.control.store(TAG, kind, pem.as_bytes()).await;
            stored.map_err(|error| hints::credential("storing", &error))?;
        }
        Ok(())
    }
}

/// What the device has, as files of this computer.
struct Files(TempDir);

impl Files {
    fn of(device: &Device) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for (kind, pem) in device.files() {
            fs::write(dir.path().join(Self::name(kind)), pem).unwrap();
        }
        Self(dir)
    }

    fn name(kind: Kind) -> &'static str {
        match kind {
            Kind::ClientCertificate => "client.pem",
            Kind::PrivateKey => "client.key",
            _ => "ca.pem",
        }
    }

    fn options(&self) -> Vec<String> {
        let option = |option: &str, kind| {
            let path = self.0.path().join(Self::name(kind));
            let there = path.exists().then(|| path.display().to_string());
            there.map(|path| [option.to_owned(), path])
        };
        let all = [
            option("--ca", Kind::Ca),
            option("--cert", Kind::ClientCertificate),
            option("--key", Kind::PrivateKey),
        ];
        all.into_iter().flatten().flatten().collect()
    }
}

fn arguments(modem: Unit, route: Route, files: &Files) -> Vec<String> {
    let own = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
    let command: &[&str] = match route {
        Route::Publish | Route::Probe => &["sectag", "publish", "-t", "a/b", "-m", "hello"],
        Route::Doctor => &["sectag", "doctor"],
    };
    let host = format!("{HOST}:{PORT}");
    let tag = TAG.to_string();
    let mut all = own(command);
    all.extend(own(&modem.arguments()));
    all.extend(own(&["--host", &host, "--tag", &tag, "--private-ca"]));
    let login = ["-i", rows::CLIENT_ID, "-u", rows::USER, "-P", "secret"];
    all.extend(own(&login));
    if route == Route::Probe {
        all.push("--probe".into());
    }
    if route != Route::Publish {
        all.extend(files.options());
    }
    all
}

impl Unit {
    /// As the table has it.
    const fn name(self) -> &'static str {
        match self {
            Self::Bg96 => "BG96",
            Self::Slm => "SLM",
            Self::Native => "SLM native",
            Self::SerialModem => "Serial Modem",
            Self::Ublox => "SARA-R5",
        }
    }

    fn arguments(self) -> [&'static str; 4] {
        let name = match self {
            Self::Bg96 => "bg96",
            Self::Slm | Self::Native | Self::SerialModem => "nrf9160",
            Self::Ublox => "ublox-cellular",
        };
        ["--modem", name, "--port", "tcp:memory:1"]
    }

    fn simulator(self, row: &Row, network: Rc<MemoryNetwork>) -> Simulator {
        let nrf9160 = |profile| Nrf9160Options {
            profile,
            checks_dates: true,
            no_sni: row.hides_name,
            ..Nrf9160Options::default()
        };
        match self {
            Self::Bg96 => {
                let mut options = Options::default();
                if row.hides_name {
                    options.profile = Profile::BG96_V1;
                }
                Simulator::bg96(options, network)
            }
            Self::Slm => Simulator::nrf9160(nrf9160(Nrf9160Profile::V2_1), network),
            Self::Native => Simulator::nrf9160(nrf9160(Nrf9160Profile::V3_1.native()), network),
            Self::SerialModem => Simulator::nrf9160(nrf9160(Nrf9160Profile::SERIAL_MODEM), network),
            Self::Ublox => Simulator::ublox(UbloxOptions::default(), network),
        }
    }
}

fn judge(row: &Row, modem: Unit, outcome: &Result<(), Failure>) -> Found {
    match (row.truth(modem), outcome) {
        (Truth::Well, Ok(())) => Found::Well,
        (Truth::Well, Err(_)) => Found::Fails,
        (Truth::Wrong { .. }, Ok(())) => Found::Unseen,
        (Truth::Wrong { causes, words }, Err(failure)) => {
            let named: Vec<Cause> = failure.causes().collect();
            let said = failure.lines().join("\n");
            match &named[..] {
                [] if !words.is_empty() && said.contains(words) => Found::Alone,
                [] => Found::No,
                [only] if causes[..1].contains(only) => Found::Alone,
                [only] if causes.contains(only) => Found::First,
                [_] => Found::False,
                [first, ..] if causes[0] == *first => Found::First,
                several if several.contains(&causes[0]) => Found::Later,
                _ => Found::No,
            }
        }
    }
}

/// Everything that the user reads, where the environment asks for it.
fn show(row: &Row, modem: Unit, route: Route, outcome: &Result<(), Failure>, report: &Report) {
    if std::env::var_os("SECTAG_SHOW").is_none() {
        return;
    }
    let end = match outcome {
        Ok(()) => "it succeeds".into(),
        Err(failure) => failure.lines().join("\n"),
    };
    println!(
        "== {}, {}, {route:?}: {}\n{}{end}",
        row.name,
        modem.name(),
        judge(row, modem, outcome).word(),
        report.told()
    );
}
