//! `sectag provision`: the credentials of many modems at once, as at the end of a production line.
//!
//! What a modem has already is proved and not sent, so a run that was cut short is just started again. A line that
//! fails stops no other.

mod csv;
mod manifest;
mod outcome;
mod reports;

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Instant;

use embassy_time::{Duration, Timer};
use sectag::Ensured;
use sectag::modem::Full;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use self::manifest::{Entry, Place};
use self::outcome::{Outcome, Part};
use self::reports::Reports;
use crate::args::{ModemArgs, PortName, Provision};
use crate::credential_file;
use crate::failure::Failure;
use crate::families::ModemName;
use crate::hints;
use crate::identify;
use crate::port;
use crate::report::Report;
use crate::secret;
use crate::serial_ports;
use crate::session::{Job, Session};
use crate::start;

/// A modem that resets, or an answer that is lost, is not the end of a line.
const ATTEMPTS: u32 = 3;
/// Between them: a modem that restarts is back by then, or the driver waits for it.
const PAUSE: Duration = Duration::from_secs(2);
/// For the IMEI.
const QUERY: Duration = Duration::from_secs(5);

pub(crate) async fn run(args: &Provision, report: &Report) -> Result<(), Failure> {
    passphrase(args, report)?;
    let mut entries = manifest::read(&args.manifest, args.modem).await?;
    let mut files = Reports::prepare(args, &entries)?;
    let total = entries.len();
    let step = report.spin(format!("provisioning, {total} lines"));
    let ports = find(&entries, args, report).await?;
    let args = Rc::new(args.clone());
    let free = Rc::new(Semaphore::new(usize::from(args.jobs)));
    let mut running = JoinSet::new();
    // A port has one user at a time, by whatever name: its lines come one after the other.
    let mut by_port: BTreeMap<String, Vec<Entry>> = BTreeMap::new();
    for entry in &mut entries {
        let known = entry.imei.as_ref().and_then(|imei| ports.get(imei));
        entry.port = entry.port.take().or_else(|| known.cloned());
    }
    // A modem that one line names by its port and another by its IMEI is one only now.
    manifest::contradictions(&entries)?;
    for entry in entries {
        let device = entry.port.as_ref().map(|place| place.device.clone());
        by_port
            .entry(device.unwrap_or_default())
            .or_default()
            .push(entry);
    }
    let (sender, mut outcomes) = tokio::sync::mpsc::unbounded_channel();
    for entries in by_port.into_values() {
        let (args, free, sender) = (Rc::clone(&args), Rc::clone(&free), sender.clone());
        let report = report.clone();
        running.spawn_local(async move {
            let _permit = free.acquire().await;
            for entry in entries {
                let outcome = line(entry, &args, &report).await;
                // The receiver lives as long as the tasks.
                let _ = sender.send(outcome);
            }
        });
    }
    drop(sender);
    while let Some(outcome) = outcomes.recv().await {
        // Standard output has the report then.
        if files.on_output() {
            report.note(&outcome.text());
        } else {
            report.row(&outcome.text(), Some(6), |object| outcome.object(object))?;
        }
        if !report.json()
            && let Some(failure) = &outcome.failure
        {
            for hint in failure.lines().iter().skip(1) {
                report.note(&format!("      {hint}"));
            }
        }
        files.add(outcome)?;
    }
    while running.join_next().await.is_some() {}
    drop(step);
    let failed = files.failed();
    files.finish(report)?;
    if failed == 0 {
        report.note(&match total {
            1 => "the one line is done".into(),
            total => format!("all {total} lines are done"),
        });
        return Ok(());
    }
    Err(Failure::new(format!(
        "{failed} of {total} lines failed, {} are done",
        total - failed
    ))
    .hint("mend what is said above and give the command again: what a modem has already is not sent again"))
}

/// Looks whether the passphrase can be read, and warns where it shows; each modem then reads it for itself.
fn passphrase(args: &Provision, report: &Report) -> Result<(), Failure> {
    if args.psk.as_deref() == Some("-") {
        return Err(
            Failure::new("--psk -: standard input ends with the first of many modems")
                .hint("give it as --psk @FILE or in the environment variable SECTAG_PSK"),
        );
    }
    if args.ssid.is_some() {
        secret::resolve("--psk", args.psk.as_deref(), "SECTAG_PSK", report)?;
    }
    Ok(())
}

/// The ports of the modems that the manifest names by IMEI only.
async fn find(
    entries: &[Entry],
    args: &Provision,
    report: &Report,
) -> Result<BTreeMap<String, Place>, Failure> {
    let mut found = BTreeMap::new();
    if entries.iter().all(|entry| entry.port.is_some()) {
        return Ok(found);
    }
    report.note("asking the ports of this computer for the IMEIs of the manifest");
    let mut asking = JoinSet::new();
    let (baud, flow_control) = (args.baud, args.flow_control);
    for port in serial_ports::list() {
        asking.spawn_local(async move {
            let name = PortName::Serial(port.name);
            let mut opened = port::open(&name, baud, flow_control).await.ok()?;
            identify::who(&name, &mut opened, baud).await.ok()?;
            let imei = identify::imei(&mut opened).await?;
            Some((imei, name))
        });
    }
    while let Some(asked) = asking.join_next().await {
        if let Ok(Some((imei, name))) = asked {
            found.insert(imei, Place::new(name));
        }
    }
    Ok(found)
}

/// Provisions one modem, and again where something passing was in the way.
async fn line(entry: Entry, args: &Provision, report: &Report) -> Outcome {
    let begin = Instant::now();
    let mut outcome = Outcome {
        line: entry.line,
        port: entry
            .port
            .as_ref()
            .map(|place| place.port.to_string())
            .unwrap_or_default(),
        imei: entry.imei.clone().unwrap_or_default(),
        tag: entry.tag.0,
        // Where the port is asked, it is known only later.
        modem: args.modem.0.map_or("", ModemName::as_str).into(),
        ..Outcome::default()
    };
    for file in &entry.files {
        *outcome.part(file.kind) = Part::Open;
    }
    let Some(Place { port, .. }) = &entry.port else {
        outcome.failure = Some(
            Failure::new(format!(
                "no port of this computer has the modem {}",
                outcome.imei
            ))
            .hint("sectag ports --ask tells who is there"),
        );
        return outcome;
    };
    let modem = ModemArgs {
        ssid: args.ssid.clone(),
        psk: args.psk.clone(),
        ..ModemArgs::at(port.clone(), args.modem, args.baud, args.flow_control)
    };
    let quiet = report.quiet();
    while outcome.attempts < ATTEMPTS {
        outcome.attempts += 1;
        let store = Store {
            entry: &entry,
            outcome: &mut outcome,
            report,
        };
        match start::ask(&modem, &quiet, store).await {
            Ok(()) => {
                outcome.failure = None;
                break;
            }
            Err(failure) => {
                let passing = failure.is_passing();
                if passing && outcome.attempts < ATTEMPTS {
                    report.note(&format!("{port}: {}: once more", failure.observed()));
                    Timer::after(PAUSE).await;
                }
                outcome.failure = Some(failure);
                if !passing {
                    break;
                }
            }
        }
    }
    outcome.took = begin.elapsed();
    outcome
}

struct Store<'a> {
    entry: &'a Entry,
    outcome: &'a mut Outcome,
    report: &'a Report,
}

impl Job for Store<'_> {
    async fn run<M: Full>(self, session: Session<'_, M>) -> Result<(), Failure> {
        self.outcome.modem = session.name.as_str().into();
        credential_file::check(&self.entry.files, &M::ACCEPTS).await?;
        match session.while_hopeful(self.store(&session)).await {
            Ok(done) => done,
            Err(problem) => Err(hints::bring_up(&problem, &session.tried())),
        }
    }
}

impl Store<'_> {
    async fn store<M: Full>(self, session: &Session<'_, M>) -> Result<(), Failure> {
        let Self {
            entry,
            outcome,
            report,
        } = self;
        let (control, port) = (session.control, &session.modem.port);
        // A driver of another modem may well think that it is up.
        session.recognise().await?;
        let mut first = String::new();
        let mut keep = |line: &[u8]| {
            if first.is_empty() {
                first = String::from_utf8_lossy(line).trim().to_owned();
            }
        };
        // Not every modem has one.
        let asked = control.answering_raw_at("AT+CGSN", QUERY, &mut keep).await;
        if asked.is_ok() && !first.is_empty() {
            if let Some(imei) = entry.imei.as_ref().filter(|imei| **imei != first) {
                return Err(Failure::new(format!(
                    "the modem on {port} is {first}, and the manifest wants {imei} there"
                ))
                .hint("change the port in the manifest, or leave it out: then the modem is looked for"));
            }
            outcome.imei = first;
        }
        for file in &entry.files {
            let kind = file.kind;
            let content = file.content();
            let ensured = control
                .ensure(entry.tag, kind, content)
                .await
                .map_err(|error| {
                    hints::credential(&format!("{}: storing the {kind}", file.path()), &error)
                })?;
            *outcome.part(kind) = match ensured {
                Ensured::Stored => Part::Stored,
                Ensured::AlreadyThere(_) => Part::Proved,
            };
            report.note(&match ensured {
                Ensured::Stored => format!("{port}: stored the {kind}"),
                Ensured::AlreadyThere(_) => format!("{port}: the {kind} is there already"),
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use embassy_time::Instant;
    use sectag_simulator::{LoopbackNetwork, Nrf9160Options, Options, Sim, Simulator};
    use sectag_test_support::pki::Pki;

    use super::*;
    use crate::args::{Cli, Command};
    use crate::in_process::{beside, roomy, virtually};

    /// Longer than any of this takes.
    const NEVER: Duration = Duration::from_secs(1_000_000);
    /// From the start of the command; the modem answers within the first two of them.
    const LIMIT: Duration = Duration::from_secs(12);

    /// Stores a CA, and returns the report.
    async fn provisioned(name: &str, modem: &Simulator) -> String {
        let dir = tempfile::tempdir().unwrap();
        let manifest = dir.path().join("manifest.csv");
        std::fs::write(dir.path().join("ca.pem"), Pki::shared().ca_pem()).unwrap();
        std::fs::write(&manifest, "port,tag,ca\ntcp:memory:1,7,ca.pem\n").unwrap();
        let (table, manifest) = (dir.path().join("report.csv"), manifest.to_str().unwrap());
        let files = ["--report", table.to_str().unwrap(), manifest];
        let line = [&["sectag", "provision", "--modem", name][..], &files].concat();
        let Command::Provision(args) = Cli::try_parse_from(line).unwrap().command else {
            unreachable!("it is what was asked for");
        };
        let report = Report::kept();
        let began = Instant::now();
        let done = beside(modem, run(&args, &report)).await;
        let told = report.told();
        assert_eq!(done, Ok(()), "{name}: {told}");
        let took = began.elapsed();
        assert!(took < LIMIT, "{name}: {} ms: {told}", took.as_millis());
        std::fs::read_to_string(table).unwrap()
    }

    /// A factory has neither; the IMEI is read all the same.
    #[test]
    fn neither_sim_nor_network_is_waited_for() {
        let sims = [Sim::Ready, Sim::Missing, Sim::PinRequired("1234".into())];
        for sim in sims {
            let asked = roomy().spawn(move || {
                virtually(async || {
                    let network = || Rc::new(LoopbackNetwork::new());
                    let bg96 = Options {
                        sim: sim.clone(),
                        registration_delay: NEVER,
                        ..Options::default()
                    };
                    let table = provisioned("bg96", &Simulator::bg96(bg96, network())).await;
                    assert!(table.contains(",866425030000017,bg96,7,"), "{table}");
                    let nrf9160 = Nrf9160Options {
                        sim,
                        registration_delay: NEVER,
                        ..Nrf9160Options::default()
                    };
                    let modem = Simulator::nrf9160(nrf9160, network());
                    let table = provisioned("nrf9160", &modem).await;
                    assert!(table.contains(",352656100885188,nrf9160,7,"), "{table}");
                });
            });
            asked.unwrap().join().unwrap();
        }
    }
}
