//! `sectag at`: commands that somebody types, with the driver beside them: it refuses that behind which it would not
//! find the modem again, and brings it up anew behind whatever else is no query.

use std::borrow::Cow;
use std::io::IsTerminal;

use embassy_time::Duration;
use rustyline::DefaultEditor;
use rustyline::error::ReadlineError;
use sectag::modem::{Full, LinesPart};
use sectag::{AtError, RawError};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::sync::mpsc;

use crate::args::Terminal;
use crate::failure::Failure;
use crate::hints;
use crate::report::Report;
use crate::session::{Job, Session};
use crate::start;

pub(crate) async fn run(args: &Terminal, report: &Report) -> Result<(), Failure> {
    start::ask(&args.modem, report, args).await
}

impl Job for &Terminal {
    async fn run<M: Full>(self, session: Session<'_, M>) -> Result<(), Failure> {
        if !self.commands.is_empty() {
            for command in &self.commands {
                send(self, &session, command).await?;
            }
            return Ok(());
        }
        if std::io::stdin().is_terminal() {
            return typed(self, &session).await;
        }
        let mut lines = BufReader::new(tokio::io::stdin()).lines();
        let failed = |error| Failure::new(format!("reading standard input: {error}"));
        while let Some(line) = lines.next_line().await.map_err(failed)? {
            let line = line.trim();
            if !line.is_empty() {
                send(self, &session, line).await?;
            }
        }
        Ok(())
    }
}

/// With the history of earlier sessions. A command that fails is told, and the next one read.
async fn typed<M: Full>(args: &Terminal, session: &Session<'_, M>) -> Result<(), Failure> {
    session
        .report
        .note("AT commands, one a line; arrow keys bring earlier ones back, Ctrl-D ends");
    let (wanted, mut lines) = editor(M::Lines::is_secret);
    while wanted.send(()).is_ok() {
        let Some(line) = lines.recv().await else {
            break;
        };
        if let Err(failure) = send(args, session, &line).await {
            failure.print();
        }
    }
    Ok(())
}

/// A thread that reads a line each time it is asked for one; it ends at the end of input.
fn editor(is_secret: fn(&str) -> bool) -> (std::sync::mpsc::Sender<()>, mpsc::Receiver<String>) {
    let (wanted, asked) = std::sync::mpsc::channel();
    let (sender, lines) = mpsc::channel(1);
    std::thread::spawn(move || {
        let Ok(mut editor) = DefaultEditor::new() else {
            return;
        };
        let history = history();
        if let Some(file) = &history {
            // There is none at the first time.
            let _ = editor.load_history(file);
        }
        while asked.recv().is_ok() {
            let line = loop {
                match editor.readline("AT> ") {
                    Ok(line) if line.trim().is_empty() => {}
                    Ok(line) => break line.trim().to_owned(),
                    Err(ReadlineError::Interrupted) => {}
                    Err(_) => return,
                }
            };
            // A PIN or a key that was typed does not belong into a file.
            if !is_secret(&line) && !line.to_uppercase().contains("PSK") {
                let _ = editor.add_history_entry(&line);
                if let Some(file) = &history {
                    let _ = editor.save_history(file);
                }
            }
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    (wanted, lines)
}

/// Where the history is kept: XDG's place for state.
fn history() -> Option<std::path::PathBuf> {
    let state = std::env::var_os("XDG_STATE_HOME")
        .map(std::path::PathBuf::from)
        .or_else(|| {
            Some(std::path::PathBuf::from(std::env::var_os("HOME")?).join(".local/state"))
        })?;
    let folder = state.join("sectag");
    std::fs::create_dir_all(&folder).ok()?;
    Some(folder.join("at-history"))
}

/// One command; its lines are printed as they come, and its result behind them.
async fn send<M: Full>(
    args: &Terminal,
    session: &Session<'_, M>,
    command: &str,
) -> Result<(), Failure> {
    let report = session.report;
    let sent = command;
    let command = &*masked(command, M::Lines::is_secret(command));
    let step = report.spin(command);
    let mut lines = Vec::new();
    let mut keep = |line: &[u8]| lines.push(String::from_utf8_lossy(line).into_owned());
    let limit = Duration::from_secs(args.limit);
    let sending = session.control.raw_at(sent, limit, &mut keep);
    let result = session.while_hopeful(sending).await;
    let took = step.elapsed();
    drop(step);
    let result = result.map_err(|problem| hints::bring_up(&problem, &session.tried()))?;
    let word = match &result {
        Ok(()) => "OK".to_owned(),
        Err(RawError::At(AtError::Refused(code))) => code.to_string(),
        Err(error) => error.to_string(),
    };
    if report.json() {
        report.result("", |object| {
            object
                .text("command", command)
                .texts("lines", &lines)
                .text("result", &word)
                .number("ms", took.as_millis() as u64)
        })?;
    } else {
        for line in &lines {
            report.result(line, |object| object)?;
        }
        if result.is_ok() {
            report.output(b"OK")?;
        }
    }
    match result {
        Ok(()) => Ok(()),
        Err(RawError::At(AtError::Garbled)) => Err(Failure::new(format!(
            "{command}: the answer is none to a command line: the modem asks for data behind the command, or bytes were lost"
        ))
        .hint("this command sends lines and no data: sectag credentials store uploads files, sectag connect sends through a socket")
        .hint("-v shows the exchange")),
        Err(RawError::At(error)) => Err(hints::at(command, &error)),
        Err(RawError::Forbidden { instead }) => {
            let failure = Failure::new(format!(
                "{command}: not sent, because what it does the driver neither notices nor mends"
            ));
            let failure = match here(instead) {
                Some(option) => failure.hint(format!("in this tool: {option}")),
                None => failure,
            };
            let what = if instead.starts_with("nothing") {
                format!("in its place there is {instead}")
            } else {
                format!("firmware uses: {instead}")
            };
            Err(failure
                .hint(what)
                .hint("a terminal program such as picocom has no driver that must find the modem"))
        }
        Err(error) => Err(Failure::new(format!("{command}: {error}"))),
    }
}

/// A command as it may be printed: of one with a secret, up to its arguments.
fn masked(command: &str, secret: bool) -> Cow<'_, str> {
    match command.find('=').filter(|_| secret) {
        Some(end) => format!("{}=(masked)", &command[..end]).into(),
        None => command.into(),
    }
}

/// The option or command of this tool that does what firmware does so.
fn here(instead: &str) -> Option<&'static str> {
    [
        ("Config::pin", "--sim-pin, which is tried once only"),
        ("Config::flow_control", "--flow-control"),
        ("Config::apn", "--apn"),
        ("Config::login", "--apn-user and --apn-password"),
        // Of the modems with Wi-Fi: the network to join.
        ("Config::new", "--ssid and --psk"),
        ("Control::power_off", "sectag restart"),
    ]
    .into_iter()
    .find(|(begin, _)| instead.starts_with(begin))
    .map(|(_, here)| here)
}

#[cfg(test)]
mod tests {
    use sectag::modem::{Full, LinesPart};
    use sectag_bg96::Bg96;
    use sectag_nrf9160::Nrf9160;
    use sectag_ublox::cellular::UbloxCellular;

    use super::{here, masked};

    #[test]
    fn items_of_the_api_are_translated_to_options_of_the_tool() {
        let of = |instead| here(instead).unwrap_or_default();
        assert_eq!(of("Config::apn"), "--apn");
        assert_eq!(of("Config::new"), "--ssid and --psk");
        assert_eq!(
            of("Control::power_off and Control::power_on"),
            "sectag restart"
        );
        assert_eq!(here("nothing"), None);
    }

    fn shown<M: Full>(command: &str) -> String {
        masked(command, M::Lines::is_secret(command)).into_owned()
    }

    #[test]
    fn what_is_secret_is_not_printed_also_behind_another_command() {
        let secret = [
            shown::<Bg96>("AT+CPIN=\"9753\""),
            shown::<Bg96>("AT+CMEE=1;+CGAUTH=1,1,\"u\",\"9753\""),
            shown::<Bg96>("AT+QMTCONN=0,\"id\",\"u\",\"9753\""),
            shown::<Bg96>("AT+QHTTPCFG=\"auth\",\"u:9753\""),
            shown::<Bg96>("at+qftpcfg=\"account\",\"u\",\"9753\""),
            shown::<Nrf9160>("AT#XMQTTCON=1,\"u\",\"9753\""),
            shown::<Nrf9160>("AT%XSUDO=4,\"9753\""),
            shown::<UbloxCellular>("AT+CLCK=\"SC\",1,\"9753\""),
            shown::<UbloxCellular>("AT+CGAUTH=1,1,\"u\",\"9753\""),
        ];
        for shown in secret {
            assert!(
                shown.ends_with("=(masked)") && !shown.contains("9753"),
                "{shown}"
            );
        }
        assert_eq!(shown::<Bg96>("AT+CSQ"), "AT+CSQ");
        assert_eq!(shown::<Bg96>("AT+CMEE=1"), "AT+CMEE=1");
    }
}
