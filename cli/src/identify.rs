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

/// Bytes that are kept while an answer is waited for: many times the longest.
const LONGEST: usize = 4096;

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
    let mut tried = Tried::default();
    match with_timeout(LIMIT, search(name, opened, baud, &mut tried)).await {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::UnexpectedEof => Err(Failure::new(
            format!("{name}: the other side has closed it"),
        )
        .hint("check that no other program has the modem, and that it is on this port")),
        Ok(Err(error)) => Err(Failure::new(format!("{name}: {error}"))),
        Err(_) => Err(nobody(name, &tried)),
    }
}

/// What was done and heard until the patience ended.
#[derive(Debug, Default)]
struct Tried {
    speeds: Vec<u32>,
    heard: Heard,
}

/// What came that was no answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Heard {
    #[default]
    Nothing,
    /// What was sent.
    Echo,
    Noise,
}

impl Heard {
    fn in_bytes(seen: &[u8], command: &str) -> Self {
        let text = String::from_utf8_lossy(seen);
        let rest = text.replace(command, "");
        if !rest.trim().is_empty() {
            Self::Noise
        } else if rest.len() < text.len() {
            Self::Echo
        } else {
            // An end of line alone says nothing.
            Self::Nothing
        }
    }
}

fn nobody(name: &PortName, tried: &Tried) -> Failure {
    let speeds: Vec<String> = tried.speeds.iter().map(u32::to_string).collect();
    let (at, another) = match name {
        PortName::Serial(_) => (
            format!(", at {} baud", speeds.join(", ")),
            "the modem may be set to another speed than these: name it by --baud",
        ),
        PortName::Tcp(_) => (
            String::new(),
            "the modem's serial side may be set to another speed than what serves this TCP port: look there",
        ),
    };
    let seconds = LIMIT.as_secs();
    let patience = format!(
        "a modem that is asleep or in data mode does not answer this, and its driver has more patience: name it by {}",
        ModemName::options()
    );
    match tried.heard {
        Heard::Nothing => Failure::new(format!(
            "nobody answers on {name}: AT was sent for {seconds} s{at}"
        ))
        .hint("check that the modem is powered, that TX and RX are crossed, and that the ground is common")
        .hint("if RTS and CTS are wired, try --flow-control; if not, try without"),
        Heard::Echo => Failure::new(format!(
            "what is sent to {name} comes back, and no answer: AT was sent for {seconds} s{at}"
        ))
        .hint("check that TX and RX are not joined, and that this port leads to the modem's AT interface"),
        Heard::Noise => Failure::new(format!(
            "bytes come from {name}, and none of them answers AT, which was sent for {seconds} s{at}"
        ))
        .hint("check that this port leads to the modem's AT interface, and that no other program has it")
        .hint(another)
        .hint("if RTS and CTS are wired, try --flow-control; if not, try without"),
    }
    .hint(patience)
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
    tried: &mut Tried,
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
            if !tried.speeds.contains(speed) {
                tried.speeds.push(*speed);
            }
            for end in ENDS {
                let stream = opened.stream();
                let (answer, heard) = listen(stream, "AT", end, patience).await?;
                tried.heard = tried.heard.max(heard);
                if answer.is_some() {
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
    Ok(listen(stream, command, end, patience).await?.0)
}

/// As [`ask`], with what came that was no answer.
async fn listen(
    stream: &mut dyn Stream,
    command: &str,
    end: &str,
    patience: Duration,
) -> std::io::Result<(Option<Answer>, Heard)> {
    stream
        .write_all(format!("{command}{end}").as_bytes())
        .await?;
    stream.flush().await?;
    let deadline = Instant::now() + patience;
    let mut seen = Vec::new();
    let mut heard = Heard::Nothing;
    let mut buffer = [0; 256];
    loop {
        let Ok(count) = with_deadline(deadline, stream.read(&mut buffer)).await else {
            return Ok((None, heard.max(Heard::in_bytes(&seen, command))));
        };
        match count? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            count => seen.extend_from_slice(&buffer[..count]),
        }
        if let Some(answer) = answer(&seen, command) {
            return Ok((Some(answer), heard));
        }
        if seen.len() > LONGEST {
            // No answer is so long; what comes without an end is not kept, and one behind it is still seen.
            heard = Heard::Noise;
            seen.drain(..seen.len() - LONGEST / 2);
            // While bytes are always there, the deadline of a read never comes.
            if Instant::now() >= deadline {
                return Ok((None, heard));
            }
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
    fn what_was_heard_is_told_from_silence_and_from_an_echo() {
        for (seen, heard) in [
            (&b""[..], Heard::Nothing),
            (b"\r\n\r\n", Heard::Nothing),
            (b"AT\r", Heard::Echo),
            (b"AT\r\r\nAT\r\n", Heard::Echo),
            (b"\xf8\x00\x80", Heard::Noise),
            (b"AT\r\nSSH-2.0\r\n", Heard::Noise),
        ] {
            assert_eq!(Heard::in_bytes(seen, "AT"), heard, "{seen:?}");
        }
        let device = PortName::Serial("/dev/ttyX".into());
        let told = |heard| {
            let speeds = vec![115_200, 9600];
            nobody(&device, &Tried { speeds, heard }).lines()
        };
        assert_eq!(
            told(Heard::Nothing)[0],
            "error: nobody answers on /dev/ttyX: AT was sent for 10 s, at 115200, 9600 baud"
        );
        assert_eq!(
            told(Heard::Echo)[..2],
            [
                "error: what is sent to /dev/ttyX comes back, and no answer: AT was sent for 10 s, at 115200, 9600 baud",
                "hint: check that TX and RX are not joined, and that this port leads to the modem's AT interface",
            ]
        );
        let noise = told(Heard::Noise);
        assert_eq!(
            noise[0],
            "error: bytes come from /dev/ttyX, and none of them answers AT, which was sent for 10 s, at 115200, 9600 baud"
        );
        assert!(noise[2].ends_with("name it by --baud"), "{noise:?}");
    }

    #[tokio::test]
    async fn an_answer_behind_a_flood_is_seen_and_the_flood_is_not_kept() {
        let (mut modem, mut host) = tokio::io::duplex(1024);
        let flood = async {
            for _ in 0..200 {
                modem.write_all(&[b'x'; 1000]).await.unwrap();
            }
            modem.write_all(b"\r\nOK\r\n").await.unwrap();
        };
        let (asked, ()) = tokio::join!(listen(&mut host, "AT", "\r", LIMIT), flood);
        let (answer, heard) = asked.unwrap();
        assert_eq!(heard, Heard::Noise);
        let kept: usize = answer.unwrap().lines.iter().map(String::len).sum();
        // One read may stand behind what is kept.
        assert!(kept <= LONGEST + 256, "{kept}");
    }

    #[tokio::test]
    async fn a_flood_without_an_end_ends_the_wait_for_an_answer() {
        let flood = tokio::io::repeat(b'x');
        let mut port = tokio::io::join(flood, tokio::io::sink());
        let asked = listen(&mut port, "AT", "\r", Duration::from_millis(20));
        let ended = with_timeout(Duration::from_secs(20), asked).await;
        let (answer, heard) = ended.expect("it waits for ever").unwrap();
        assert!(answer.is_none());
        assert_eq!(heard, Heard::Noise);
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
