//! What the tool says of everything that can stand behind a name and a port, for each modem and by each route: a table, in `docs/servers.md`, of
//! which a cell may only get better.
//!
//! The command as a user types it, the driver and a simulated modem are in this process. The servers are there too, in memory and in virtual
//! time; and they are programs on 127.0.0.1 ([`real`]), in real time: what the table says is true of both.

mod real;
mod rows;
mod table;

use std::collections::VecDeque;
use std::fs;
use std::rc::Rc;
use std::sync::Mutex;

use clap::Parser;
use sectag::modem::Full;
use sectag::{Cause, Kind, Tag};
use sectag_simulator::{
    MemoryNetwork, Network, Nrf9160Options, Nrf9160Profile, Options, Profile, Simulator,
    UbloxOptions,
};
use tempfile::TempDir;
use tokio::task::LocalSet;

use self::real::Playing;
use self::rows::{Device, Row, Truth};
use self::table::{Cell, Found, Table};
use super::dispatch;
use crate::args::{Cli, Command};
use crate::failure::Failure;
use crate::hints;
use crate::in_process::{beside, roomy, virtually};
use crate::probe::Names;
use crate::report::Report;
use crate::session::{Job, Session};
use crate::start;

const HOST: &str = "broker.sectag.test";
const PORT: u16 = 8883;
const TAG: Tag = Tag(3);

/// The modems of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Bg96,
    /// Nordic's Serial LTE Modem with the TLS of the modem.
    Slm,
    /// Nordic's Serial LTE Modem with the TLS of its application.
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

/// Columns that are played at once where nearly all of their time is spent with waiting.
const AT_ONCE: usize = 16;

#[test]
fn the_true_cause_is_named_and_no_false_one_alone() {
    let rows = rows::all();
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let found = play(&rows, threads, is_wanted, in_memory);
    let table = Table::of(&rows);
    table.settle(&found);
}

/// Without `SECTAG_SERVERS=all`, those of them that are programs of others, with one modem: time is real here.
#[test]
fn servers_that_are_programs_are_told_as_those_in_memory() {
    let rows = rows::all();
    let is_played = |row: &Row, modem| {
        let is_cheap = row.peer.is_of_others() && modem == CHEAP;
        is_wanted(row, modem) && (is_cheap || all_servers())
    };
    let found = play(&rows, AT_ONCE, is_played, on_this_computer);
    let table = Table::of(&rows);
    if all_servers() {
        table.lower(&found);
    } else {
        table.compare(&found);
    }
}

/// The modem that is played with programs at each run of the tests.
const CHEAP: Unit = Unit::Bg96;

/// Whether all servers are wanted as programs, as `tests/servers` does.
fn all_servers() -> bool {
    std::env::var_os("SECTAG_SERVERS").is_some()
}

/// Whether a row is among those that the environment asks for: the rows with that in their name.
fn is_wanted(row: &Row, _: Unit) -> bool {
    std::env::var("SECTAG_ROWS").map_or(true, |part| row.name.contains(&part))
}

/// Plays the rows, and returns what was found, in no order.
fn play(
    rows: &[Row],
    threads: usize,
    is_played: impl Fn(&Row, Unit) -> bool,
    column: impl Fn(&Row, Unit) -> [Found; 3] + Sync,
) -> Vec<Cell> {
    let jobs = rows.iter().enumerate();
    let jobs = jobs.flat_map(|(number, row)| MODEMS.map(|modem| (number, row, modem)));
    let jobs = jobs.filter(|(_, row, modem)| is_played(row, *modem));
    let jobs: Mutex<VecDeque<_>> = Mutex::new(jobs.collect());
    let found = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let spawned = roomy().spawn_scoped(scope, || {
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
    found.into_inner().unwrap()
}

/// What is found by each route in virtual time, with the server of the row in memory.
fn in_memory(row: &Row, modem: Unit) -> [Found; 3] {
    virtually(async || column(row, modem, memory(row)).await)
}

/// A network with the server of a row, which is this thread's from now on.
fn memory(row: &Row) -> Rc<dyn Network> {
    let network = MemoryNetwork::new();
    let server = row.server.clone();
    let (host, port) = row.place.address();
    network.register(host, port, move |stream| {
        let server = server.clone();
        tokio::task::spawn_local(async move { server.serve(stream).await });
    });
    Names::InMemory(network.clone()).set_for_this_thread();
    Rc::new(network)
}

/// What is found by each route, with the program that plays the row on 127.0.0.1.
fn on_this_computer(row: &Row, modem: Unit) -> [Found; 3] {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, async {
        let playing = Playing::start(row).await;
        let network = playing.network(row);
        Names::Simulated(network.clone()).set_for_this_thread();
        column(row, modem, Rc::new(network)).await
    })
}

/// What is found by each route, with one modem that has stored what the row says.
async fn column(row: &Row, modem: Unit, network: Rc<dyn Network>) -> [Found; 3] {
    let simulated = modem.simulator(row, network);
    let report = Report::kept();
    let stored = store(&simulated, modem, &row.device, &report).await;
    stored.unwrap_or_else(|failure| panic!("{} {modem:?}: {:?}", row.name, failure.lines()));
    let mut found = Vec::new();
    for route in ROUTES {
        let report = Report::kept();
        let outcome = ask(row, modem, &simulated, route, &report).await;
        show(row, modem, route, &outcome, &report);
        found.push(judge(row, modem, &outcome));
    }
    found.try_into().unwrap()
}

/// Runs the command of a route.
async fn ask(
    row: &Row,
    modem: Unit,
    simulated: &Simulator,
    route: Route,
    report: &Report,
) -> Result<(), Failure> {
    let files = Files::of(&row.device);
    let args = arguments(modem, route, &files);
    let command = Cli::try_parse_from(args).unwrap().command;
    beside(simulated, dispatch(command, report)).await
}

/// A modem that falls silent, or refuses, while a broker is asked. Of the broker nothing is known then, and nothing is said.
#[test]
fn a_modem_that_hangs_or_refuses_is_not_the_broker() {
    const GONE: &str =
        "the connection was lost: the modem stopped answering, and nothing comes from it";
    const UNWILLING: &str =
        "the connection was lost: the modem refuses to send, and says that the connection stands";
    // Its exchange may take 40 s, and the broker gets 30 s.
    const BUSY: &str = "the broker did not answer within 30 s, and neither does the modem, which is in the middle of an exchange";
    for (modem, fault, told) in [
        // A BG96 is asked again for data that it does not hand over.
        (Unit::Bg96, "silent@1:AT+QSSLSEND", GONE),
        (Unit::SerialModem, "silent@1:AT#XRECV", GONE),
        (Unit::Ublox, "silent@1:AT+USORD", GONE),
        (Unit::Bg96, "error@1:AT+QSSLSEND", UNWILLING),
        (Unit::Slm, "silent@1:AT#XSEND", BUSY),
    ] {
        for route in [Route::Publish, Route::Probe] {
            let asked = roomy().spawn(move || hung(modem, fault, route)).unwrap();
            let failure = asked.join().unwrap();
            let lines = failure.lines();
            assert_eq!(lines[0], format!("error: MQTT CONNECT: {told}"), "{fault}");
            assert_eq!(failure.causes().count(), 0, "{fault}: {lines:#?}");
            assert!(!lines.join("").contains("--probe"), "{fault}: {lines:#?}");
        }
    }
}

/// What is said when a modem is befallen by a fault while the right broker is asked.
fn hung(modem: Unit, fault: &'static str, route: Route) -> Failure {
    let row = &rows::all()[0];
    virtually(async || {
        let simulated = modem.simulator(row, memory(row));
        let report = Report::kept();
        let stored = store(&simulated, modem, &row.device, &report).await;
        stored.unwrap();
        simulated.set_script(sectag_simulator::fault(fault).unwrap());
        let asked = ask(row, modem, &simulated, route, &report).await;
        asked.unwrap_err()
    })
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

    fn simulator(self, row: &Row, network: Rc<dyn Network>) -> Simulator {
        let nrf9160 = |profile| Nrf9160Options {
            profile,
            checks_dates: true,
            no_sni: row.hides_name,
            ..Nrf9160Options::default()
        };
        match self {
            Self::Bg96 => {
                let options = Options {
                    profile: match row.hides_name {
                        true => Profile::BG96_V1,
                        // Otherwise another name would be nobody's to see.
                        false => Profile::BG96_LATER,
                    },
                    ..Options::default()
                };
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
