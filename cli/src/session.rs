//! A modem to work with, and its runner beside the work.

use std::future::pending;
use std::pin::pin;
use std::time::{SystemTime, UNIX_EPOCH};

use embassy_futures::select::{Either, Either3, select, select3};
use embassy_time::{Duration, Timer, with_timeout};
use embedded_io_async::{Read, Write};
use sectag::clock::{DateTime, MIN_DATE};
use sectag::modem::{ClockPart, Full};
use sectag::{AtError, BringUpError, Control, Loss, Power, Runner, State, Status};
use sectag_host_clock::FromTokio;

use crate::args::{ClockSource, ModemArgs};
use crate::families::ModemName;
use crate::hints::{self, Failure};
use crate::identity::Identity;
use crate::port::{Opened, Speeds};
use crate::report::Report;

/// One connection at a time; the rings hold what BG96 and its like move at once, 1460 to 2048 bytes, twice.
const RING: usize = 4096;

/// How often it is looked whether the driver has changed the speed.
const LOOK: Duration = Duration::from_millis(200);

/// For the answer to a query of identity, once the driver has the modem.
const QUERY: Duration = Duration::from_secs(3);

/// For a modem that its driver could make nothing of.
pub(crate) const SECOND_LOOK: Duration = Duration::from_secs(5);

/// For a modem that does not come up: one late answer, or a command refused while it starts, ends nothing, and a modem
/// of another family is named soon.
const PATIENCE: Duration = Duration::from_secs(15);

/// After a failure: long enough to send the modem a close.
pub(crate) const PARTING: Duration = Duration::from_millis(300);

/// Something to do with a modem, whichever it is.
pub(crate) trait Job {
    async fn run<M: Full>(self, session: Session<'_, M>) -> Result<(), Failure>;
}

/// A modem to work with, and where to report.
pub(crate) struct Session<'a, M: Full> {
    pub(crate) control: Control<'a, M>,
    /// Its family, which the user has named or the modem.
    pub(crate) name: ModemName,
    /// What the user said about the modem.
    pub(crate) modem: &'a ModemArgs,
    pub(crate) report: &'a Report,
    speeds: Speeds,
}

/// When a modem says that it is of another family than its driver.
pub(crate) fn another(name: ModemName, identity: &Identity) -> Option<Failure> {
    let other = ModemName::of(identity).filter(|other| *other != name)?;
    let what = identity.shown();
    Some(
        Failure::new(format!("this is a {what}: --modem {}", other.as_str()))
            .hint("without --modem, the port is asked"),
    )
}

/// Runs `work` beside the driver of a modem on an open port.
pub(crate) async fn attach<M: Full>(
    name: ModemName,
    modem: M,
    opened: Opened,
    args: &ModemArgs,
    report: &Report,
    work: impl AsyncFnOnce(Session<'_, M>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let (port, power) = opened.into_parts();
    let speeds = power.speeds();
    let (reader, writer) = tokio::io::split(port);
    let mut state = Box::new(State::<M, 1, RING, RING>::new());
    let (control, mut runner) = sectag::new(
        &mut state,
        modem,
        FromTokio::new(reader),
        FromTokio::new(writer),
        power,
    );
    if let Some(tap) = report.tap() {
        runner = runner.with_tap(tap);
    }
    let asked = speeds.clone();
    let session = Session {
        control: control.patience(PATIENCE),
        name,
        modem: args,
        report,
        speeds,
    };
    let work = async {
        match work(session).await {
            Err(failure) => {
                Err(seen_by(&control, failure, || tried(args.baud, &asked.borrow())).await)
            }
            done => done,
        }
    };
    let work = beside(runner, work).await;
    work.map_err(|failure| failure.explained(M::CODES))
}

/// A failure with what the driver has seen of a connection that was lost, of a modem that is not up, or of a modem that
/// keeps a broker's answer.
async fn seen_by<M: Full>(
    control: &Control<'_, M>,
    failure: Failure,
    tried: impl Fn() -> String,
) -> Failure {
    if failure.is_down() {
        return match control.last_problem() {
            Some(problem) => hints::bring_up(&problem, &tried()),
            None => failure,
        };
    }
    if failure.is_lost() {
        let unclear = || matches!(control.last_loss(), Some(Loss::NoAnswer | Loss::Grammar));
        let clear = async {
            while unclear() {
                Timer::after(LOOK).await;
            }
        };
        // Whether a modem that stopped answering is still there is being found out.
        let _ = with_timeout(SECOND_LOOK, clear).await;
        return failure.lost_by(control.last_loss());
    }
    silent_by(control, failure).await
}

/// With the modem named where nothing came of a broker, and nothing comes of the modem either. It is asked before the server is looked at: by
/// the end of that look, a modem that was in the middle of an exchange may answer again.
pub(crate) async fn silent_by<M: Full>(control: &Control<'_, M>, failure: Failure) -> Failure {
    if !failure.is_silent() {
        return failure;
    }
    let control = control.keeps_connections();
    let mut ignore = |_: &[u8]| {};
    let asked = control.answering_raw_at("AT", QUERY, &mut ignore);
    match with_timeout(SECOND_LOOK, asked).await {
        Ok(Ok(())) => failure,
        _ => failure.by_the_modem(),
    }
}

impl<M: Full> Session<'_, M> {
    pub(crate) async fn bring_up(&self) -> Result<(), Failure> {
        self.reach(self.control.wait_up(), "is up and on the network")
            .await
    }

    /// Waits until the modem takes commands, which needs neither SIM nor network.
    pub(crate) async fn answer(&self) -> Result<(), Failure> {
        self.reach(self.control.wait_answering(), "answers").await
    }

    async fn reach(
        &self,
        reached: impl Future<Output = Result<(), BringUpError>>,
        state: &str,
    ) -> Result<(), Failure> {
        let args = self.modem;
        let step = self
            .report
            .spin(format!("bringing up {} on {}", M::NAME, args.port));
        let reached = self.telling(reached).await;
        reached.map_err(|error| hints::bring_up(&error, &self.tried()))?;
        // A driver of another modem may well think that it is up.
        self.recognise().await?;
        step.done(self.report, &format!("{} {state}", M::NAME));
        if let Some(baud) = self.other_speed() {
            self.report
                .note(&format!("it was found at {baud} baud: give --baud {baud}"));
        }
        Ok(())
    }

    /// What the modem tells of itself, as far as it can; an error where it does not answer, or where the driver can
    /// make nothing of its answers.
    pub(crate) async fn status(&self) -> Result<Status, BringUpError> {
        let asked = self.while_hopeful(self.control.status());
        let status = self.telling(asked).await?;
        match status.problem {
            Some(problem) if is_no_answer(&problem) || is_no_sense(&problem, &status) => {
                Err(problem)
            }
            _ => Ok(status),
        }
    }

    /// Work that needs a modem that answers, and neither SIM nor network. It ends where nothing answers or the driver
    /// can make nothing of the answers: then it would wait for as long as the driver tries again.
    pub(crate) async fn while_hopeful<T>(
        &self,
        work: impl Future<Output = T>,
    ) -> Result<T, BringUpError> {
        hopeful(self.control, work).await
    }

    /// Runs a job that needs a modem that answers, and neither SIM nor network.
    pub(crate) async fn answering(self, job: impl Job) -> Result<(), Failure> {
        self.answer().await?;
        let (control, args, asked) = (self.control, self.modem, self.speeds.clone());
        match hopeful(control, job.run(self)).await {
            Ok(done) => done,
            Err(problem) => Err(hints::bring_up(
                &problem,
                &tried(args.baud, &asked.borrow()),
            )),
        }
    }

    /// Whether the modem is one for the driver, as far as it says who it is.
    pub(crate) async fn recognise(&self) -> Result<(), Failure> {
        if self.modem.modem.0.is_none() {
            return Ok(());
        }
        let identity = Identity {
            manufacturer: self.query("AT+CGMI").await,
            model: self.query("AT+CGMM").await,
        };
        self.belongs(&identity)
    }

    /// As [`recognise`](Self::recognise), with what the modem has said already.
    pub(crate) fn known(&self, status: &Status) -> Result<(), Failure> {
        let text = |told: Option<&str>| told.unwrap_or_default().to_owned();
        self.belongs(&Identity {
            manufacturer: text(status.manufacturer.as_deref()),
            model: text(status.model.as_deref()),
        })
    }

    fn belongs(&self, identity: &Identity) -> Result<(), Failure> {
        another(self.name, identity).map_or(Ok(()), Err)
    }

    async fn query(&self, command: &str) -> String {
        let mut lines = Vec::new();
        let mut keep = |line: &[u8]| lines.push(String::from_utf8_lossy(line).trim().to_owned());
        let asked = self.control.answering_raw_at(command, QUERY, &mut keep);
        match with_timeout(QUERY, asked).await {
            Ok(Ok(())) => lines.join(" "),
            _ => String::new(),
        }
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

    /// Says meanwhile that the modem is looked for at other speeds, which takes its time, or that the network denies
    /// registration.
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
        let denied = async {
            while !self.control.is_denied() {
                Timer::after(LOOK).await;
            }
            self.report.note(
                "the network denies registration: is the subscription active, and does it cover this country and technology? Waiting all the same",
            );
            pending().await
        };
        match select3(work, tell, denied).await {
            Either3::First(done) | Either3::Second(done) | Either3::Third(done) => done,
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

/// Work that ends where the modem makes it hopeless, see [`Session::while_hopeful`].
async fn hopeful<M: Full, T>(
    control: Control<'_, M>,
    work: impl Future<Output = T>,
) -> Result<T, BringUpError> {
    let hopeless = async {
        loop {
            match control.wait_up().await {
                Err(
                    problem @ (BringUpError::At { .. }
                    | BringUpError::SettingRefused { .. }
                    | BringUpError::NoAnswer
                    | BringUpError::Unintelligible
                    | BringUpError::RefusesAll
                    | BringUpError::PoweredOff),
                ) => return problem,
                Err(_) => {}
                Ok(()) => pending().await,
            }
        }
    };
    // In this order: where work gives up for the reason that makes it hopeless, and at the same time, the reason counts.
    match select(hopeless, work).await {
        Either::First(problem) => Err(problem),
        Either::Second(done) => Ok(done),
    }
}

/// Whether nothing that makes sense comes from the modem.
pub(crate) fn is_no_answer(problem: &BringUpError) -> bool {
    matches!(
        problem,
        BringUpError::NoAnswer
            | BringUpError::Unintelligible
            | BringUpError::RefusesAll
            | BringUpError::PoweredOff
    )
}

/// Whether the driver could make nothing of what the modem answers, or of its silence in the middle of a bring-up, or got
/// refusals and not a word of who the modem is: it may be another one, whose features are not told then.
fn is_no_sense(problem: &BringUpError, status: &Status) -> bool {
    let is_nameless = status.manufacturer.is_none() && status.model.is_none();
    match problem {
        BringUpError::At { error, .. } => is_nameless || !matches!(error, AtError::Refused(_)),
        BringUpError::SettingRefused { .. } => is_nameless,
        _ => false,
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

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use clap::Parser;
    use sectag_simulator::{Boot, LoopbackNetwork, Options, Reaction, Simulator};

    use super::*;
    use crate::args::{Cli, Command};
    use crate::in_process::{beside, roomy, virtually};
    use crate::start;

    fn simulated() -> Simulator {
        Simulator::bg96(Options::default(), Rc::new(LoopbackNetwork::new()))
    }

    /// Runs a job at a simulated modem, and returns its failure.
    async fn fails(modem: &Simulator, job: impl Job) -> Failure {
        let line = [
            "sectag",
            "status",
            "--modem",
            "bg96",
            "--port",
            "tcp:memory:1",
        ];
        let Command::Status(args) = Cli::try_parse_from(line).unwrap().command else {
            unreachable!("it is what was asked for");
        };
        let report = Report::kept();
        let done = beside(modem, start::ask(&args.modem, &report, job)).await;
        done.unwrap_err()
    }

    /// A job that finds the broker silent, while the modem carries out this command, if any, without a word.
    struct Silent(Option<&'static str>);

    impl Job for Silent {
        async fn run<M: Full>(self, session: Session<'_, M>) -> Result<(), Failure> {
            let control = session.control;
            session.bring_up().await?;
            let busy = async {
                if let Some(command) = self.0 {
                    let mut ignore = |_: &[u8]| {};
                    let limit = Duration::from_secs(180);
                    let _ = control.raw_at(command, limit, &mut ignore).await;
                }
                pending::<()>().await;
            };
            let asked = async {
                Timer::after_secs(1).await;
                silent_by(&control, hints::mqtt_silence("publishing", 30)).await
            };
            match select(busy, asked).await {
                Either::First(()) => unreachable!("it is pending for ever"),
                Either::Second(failure) => Err(failure),
            }
        }
    }

    #[test]
    fn a_modem_in_the_middle_of_an_exchange_is_not_the_broker() {
        const BROKER: &str = "publishing: the broker did not answer within 30 s";
        for (command, told) in [
            (None, BROKER.to_owned()),
            (
                Some("AT+COPS=?"),
                format!(
                    "{BROKER}, and neither does the modem, which is in the middle of an exchange"
                ),
            ),
        ] {
            let asked = roomy().spawn(move || {
                virtually(async || {
                    let modem = simulated();
                    modem.set_script(Box::new(|line| {
                        if line.starts_with(b"AT+COPS=?") {
                            return Reaction::Silent;
                        }
                        Reaction::Normal
                    }));
                    fails(&modem, Silent(command)).await
                })
            });
            let failure = asked.unwrap().join().unwrap();
            assert_eq!(failure.observed(), told);
            // Of the broker something is said where it is the broker's silence.
            assert_eq!(failure.causes().count() > 0, command.is_none());
            assert!(!failure.is_silent() || command.is_none());
        }
    }

    /// A job that needs no more than an answer.
    struct Clock;

    impl Job for Clock {
        async fn run<M: Full>(self, session: Session<'_, M>) -> Result<(), Failure> {
            let asked = session.control.clock_if_any().await;
            asked.map(drop).map_err(|error| {
                assert_eq!(error, AtError::LinkDown);
                hints::at("the modem's clock", &error)
            })
        }
    }

    /// An exchange fails with no more than that the modem is not up; the driver knows why.
    #[test]
    fn why_the_modem_is_not_up_is_told() {
        let asked = roomy().spawn(|| {
            virtually(async || {
                let off = Options {
                    boot: Boot::Off,
                    ..Options::default()
                };
                let modem = Simulator::bg96(off, Rc::new(LoopbackNetwork::new()));
                fails(&modem, Clock).await
            })
        });
        let failure = asked.unwrap().join().unwrap();
        assert_eq!(failure.observed(), "nothing answers on this port");
        assert!(failure.causes().count() > 1, "it says why that may be");
    }

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
