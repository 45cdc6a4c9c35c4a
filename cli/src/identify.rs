//! Who is on a port: nothing but queries of identity, at most 10 s.
//!
//! Nothing is configured, and nothing escaped from: a modem that is in data mode, or that speaks no AT, does not
//! answer, and is named by the user.

use embassy_time::{Duration, Instant, with_deadline, with_timeout};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::args::PortName;
use crate::failure::Failure;
use crate::families::ModemName;
use crate::identity::Identity;
use crate::port::{Opened, Stream};

/// For the whole search.
const LIMIT: Duration = Duration::from_secs(10);
/// For an answer at the speed that was named, and at each other.
const PATIENCE: Duration = Duration::from_millis(1000);
const GLANCE: Duration = Duration::from_millis(400);

/// Factory settings of the modems in the table, and what people set them to.
const SPEEDS: [u32; 6] = [115_200, 921_600, 460_800, 230_400, 57_600, 9600];

/// What ends a command, in the order in which it is tried: most take the first, an nRF9160 may be built for another.
const ENDS: [&str; 3] = ["\r", "\r\n", "\n"];

/// Who answered, and at which speed.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) identity: Identity,
    pub(crate) baud: u32,
}

/// The family of the modem on an open port, and the speed that it was found at.
pub(crate) async fn modem(
    name: &PortName,
    opened: &mut Opened,
    baud: u32,
) -> Result<(ModemName, u32), Failure> {
    let found = who(name, opened, baud).await?;
    match ModemName::of(&found.identity) {
        Some(modem) => Ok((modem, found.baud)),
        None => Err(Failure::new(format!(
            "the modem on {name} is {}, which this tool does not know",
            found.identity.shown()
        ))
        .hint(format!(
            "if it speaks as one of these does, name that: {}",
            ModemName::options()
        ))),
    }
}

/// Asks the modem on an open port who it is.
pub(crate) async fn who(name: &PortName, opened: &mut Opened, baud: u32) -> Result<Found, Failure> {
    let mut tried = Vec::new();
    match with_timeout(LIMIT, search(name, opened, baud, &mut tried)).await {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(error)) => Err(Failure::new(format!("{name}: {error}"))),
        Err(_) => Err(nobody(name, &tried)),
    }
}

fn nobody(name: &PortName, tried: &[u32]) -> Failure {
    let speeds: Vec<String> = tried.iter().map(u32::to_string).collect();
    let at = match name {
        PortName::Serial(_) => format!(", at {} baud", speeds.join(", ")),
        PortName::Tcp(_) => String::new(),
    };
    Failure::new(format!(
        "nobody answers on {name}: AT was sent for {} s{at}",
        LIMIT.as_secs()
    ))
    .hint("check that the modem is powered, that TX and RX are crossed, and that the ground is common")
    .hint("if RTS and CTS are wired, try --flow-control; if not, try without")
    .hint(format!(
        "a modem that is asleep or in data mode does not answer this, and its driver has more patience: name it by {}",
        ModemName::options()
    ))
}

/// The IMEI of a modem that has answered; `None` where it does not tell.
pub(crate) async fn imei(opened: &mut Opened) -> Option<String> {
    for end in ENDS {
        let told = query(opened.stream(), "AT+CGSN", end).await.ok()?;
        if !told.is_empty() {
            return Some(told);
        }
    }
    None
}

/// Sends a command that restarts the modem, and waits, without limit, for the line that says that it has.
pub(crate) async fn restart(
    stream: &mut dyn Stream,
    command: &str,
    banner: &str,
) -> std::io::Result<()> {
    // A terminator that the modem takes: the first that is answered.
    let mut end = ENDS[0];
    for candidate in ENDS {
        if ask(stream, "AT", candidate, PATIENCE).await?.is_some() {
            end = candidate;
            break;
        }
    }
    stream
        .write_all(format!("{command}{end}").as_bytes())
        .await?;
    stream.flush().await?;
    let mut seen = Vec::new();
    let mut buffer = [0; 256];
    loop {
        match stream.read(&mut buffer).await? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            count => seen.extend_from_slice(&buffer[..count]),
        }
        let text = String::from_utf8_lossy(&seen);
        if text.split(['\r', '\n']).any(|line| line.trim() == banner) {
            return Ok(());
        }
    }
}

/// Until somebody answers.
async fn search(
    name: &PortName,
    opened: &mut Opened,
    baud: u32,
    tried: &mut Vec<u32>,
) -> std::io::Result<Found> {
    let mut speeds = vec![baud];
    if let PortName::Serial(_) = name {
        speeds.extend(SPEEDS.into_iter().filter(|speed| *speed != baud));
    }
    let mut patience = PATIENCE;
    loop {
        for speed in &speeds {
            if speeds.len() > 1 && !opened.set_speed(*speed) {
                continue;
            }
            if !tried.contains(speed) {
                tried.push(*speed);
            }
            for end in ENDS {
                let stream = opened.stream();
                if ask(stream, "AT", end, patience).await?.is_some() {
                    let identity = Identity {
                        manufacturer: query(stream, "AT+CGMI", end).await?,
                        model: query(stream, "AT+CGMM", end).await?,
                    };
                    return Ok(Found {
                        identity,
                        baud: *speed,
                    });
                }
            }
            patience = GLANCE;
        }
    }
}

/// The information lines of an answer in one; empty where there is none.
async fn query(stream: &mut dyn Stream, command: &str, end: &str) -> std::io::Result<String> {
    for _ in 0..3 {
        match ask(stream, command, end, PATIENCE).await? {
            // A result without information is that of an earlier AT, which came late.
            Some(Answer {
                refused: false,
                lines,
            }) if lines.is_empty() => {}
            Some(Answer { refused: true, .. }) => return Ok(String::new()),
            Some(Answer { lines, .. }) => return Ok(lines.join(" ")),
            None => {}
        }
    }
    Ok(String::new())
}

struct Answer {
    refused: bool,
    lines: Vec<String>,
}

/// One command and what comes up to a result; `None` when none comes in time.
async fn ask(
    stream: &mut dyn Stream,
    command: &str,
    end: &str,
    patience: Duration,
) -> std::io::Result<Option<Answer>> {
    stream
        .write_all(format!("{command}{end}").as_bytes())
        .await?;
    stream.flush().await?;
    let deadline = Instant::now() + patience;
    let mut seen = Vec::new();
    let mut buffer = [0; 256];
    loop {
        let Ok(count) = with_deadline(deadline, stream.read(&mut buffer)).await else {
            return Ok(None);
        };
        match count? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            count => seen.extend_from_slice(&buffer[..count]),
        }
        if let Some(answer) = answer(&seen, command) {
            return Ok(Some(answer));
        }
    }
}

/// The answer in what was received, once its result is there.
fn answer(seen: &[u8], command: &str) -> Option<Answer> {
    let text = String::from_utf8_lossy(seen);
    let whole = text.rfind(['\r', '\n']).unwrap_or(0);
    let mut lines = Vec::new();
    for line in text[..whole].split(['\r', '\n']).map(str::trim) {
        match line {
            "" => {}
            // Its echo.
            line if line == command => {}
            "OK" => {
                return Some(Answer {
                    refused: false,
                    lines,
                });
            }
            "ERROR" => {
                return Some(Answer {
                    refused: true,
                    lines,
                });
            }
            line if line.starts_with("+CME ERROR") => {
                return Some(Answer {
                    refused: true,
                    lines,
                });
            }
            line => lines.push(line.trim_matches('"').to_owned()),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_what_stands_before_its_result() {
        let lines = |seen: &str| answer(seen.as_bytes(), "AT+CGMI").map(|answer| answer.lines);
        assert_eq!(
            lines("AT+CGMI\r\r\nQuectel\r\n\r\nOK\r\n"),
            Some(vec!["Quectel".into()])
        );
        assert_eq!(
            lines("\r\n\"u-blox\"\r\nOK\r\n"),
            Some(vec!["u-blox".into()])
        );
        assert_eq!(lines("\r\nQuectel\r\n\r\nOK"), None);
        assert_eq!(lines(""), None);
        assert!(answer(b"\r\n+CME ERROR: 3\r\n", "AT").is_some_and(|answer| answer.refused));
    }

    #[test]
    fn families_are_told_apart_by_what_they_say() {
        let of = |manufacturer: &str, model: &str| {
            ModemName::of(&Identity {
                manufacturer: manufacturer.into(),
                model: model.into(),
            })
        };
        assert_eq!(of("Quectel", "BG96"), Some(ModemName::Bg96));
        assert_eq!(
            of("Nordic Semiconductor ASA", "nRF9160-SICA"),
            Some(ModemName::Nrf9160)
        );
        assert_eq!(of("Somebody", "else"), None);
    }
}
