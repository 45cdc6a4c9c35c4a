//! Plays transcripts of the sheet through the backend: the host's bytes must be exactly these, the
//! modem's come in whatever pieces.
//!
//! Comments behind the first line say what surrounds the exchange: `# setup: up` or `open`, then for
//! each thing that the application does `# application: ...` and `# expect: ...`, which ends in `...`
//! where only the beginning counts. Up to the first event the modem answers as usual.

use std::cell::Cell;

use embassy_futures::select::{Either, select};
use embassy_time::{Duration, Timer, with_timeout};
use embedded_io_async::{Read, Write};
use sectag::{CaScope, ConnectError, CredentialStore, Socket, Tag, TlsConfig};
use sectag_transcript::{Event, Transcript};

use crate::bench::{Bench, bench};
use crate::scripted::Modem;
use crate::simulated::{HOST, PORT};

/// Between two pieces: the driver sees each by itself.
const PIECE: Duration = Duration::from_micros(10);
const LIMIT: Duration = Duration::from_secs(600);

/// What the scripted modem has the credentials of.
const TLS: TlsConfig = TlsConfig::new(Tag(1)).ca_scope(CaScope::Private);

async fn connect(bench: Bench) -> Result<Socket<'static>, ConnectError> {
    bench.sockets.connect(HOST, PORT, &TLS).await
}

/// A transcript and what surrounds it.
pub struct Play {
    transcript: Transcript,
    opened: bool,
    /// What the application does, and what must come of it.
    steps: Vec<(String, String)>,
}

impl Play {
    /// Reads one.
    ///
    /// # Panics
    /// When it is none.
    pub fn new(text: &str) -> Self {
        let transcript: Transcript = text.parse().expect("a transcript");
        let notes = |key: &str| -> Vec<String> {
            let lines = text.lines().filter_map(|line| line.strip_prefix(key));
            lines.map(str::to_owned).collect()
        };
        let (steps, expected) = (notes("# application: "), notes("# expect: "));
        assert_eq!(steps.len(), expected.len(), "each has its expectation");
        assert!(!steps.is_empty(), "the application does something");
        let setup = notes("# setup: ");
        assert!(setup == ["up"] || setup == ["open"], "{setup:?}");
        Self {
            transcript,
            opened: setup == ["open"],
            steps: steps.into_iter().zip(expected).collect(),
        }
    }

    /// How many bytes the modem says.
    pub fn modem_bytes(&self) -> usize {
        let events = self.transcript.events.iter();
        events
            .map(|event| match event {
                Event::Modem(bytes) => bytes.len(),
                _ => 0,
            })
            .sum()
    }

    /// Plays it. `cut` says whether the modem pauses in front of its byte of this number.
    ///
    /// # Panics
    /// When the driver says something else, or the application sees something else.
    pub fn run(&self, cut: &dyn Fn(usize) -> bool) {
        let (ready, played) = (Cell::new(false), Cell::new(false));
        bench(
            async |uart| {
                let mut modem = Modem::new(uart, usize::MAX);
                let first = match self.transcript.events.first() {
                    Some(Event::Host(line)) => String::from_utf8_lossy(line).trim_end().to_owned(),
                    _ => String::new(),
                };
                let mut pending = None;
                let stops = |line: &str| line == first || line.starts_with("AT+QSSLOPEN");
                let started = async {
                    while !(first.is_empty() && ready.get()) {
                        Timer::after_millis(1).await;
                    }
                };
                let mut started = std::pin::pin!(started);
                loop {
                    match select(modem.obey_until(stops), &mut started).await {
                        Either::First(line) if line == first && ready.get() => {
                            pending = Some(line);
                            break;
                        }
                        Either::First(line) if line == first => modem.say(usual(&first)).await,
                        Either::First(_) => {
                            modem.say("\r\nOK\r\n\r\n+QSSLOPEN: 0,0\r\n").await;
                        }
                        // The modem speaks first.
                        Either::Second(()) => break,
                    }
                }
                self.play(&mut modem, pending, cut).await;
                played.set(true);
                modem.obey_until(|_| false).await;
            },
            async |bench| {
                bench.control.wait_up().await.expect("it comes up");
                let mut socket = if self.opened {
                    Some(connect(bench).await.expect("it connects"))
                } else {
                    None
                };
                Timer::after_millis(5).await;
                ready.set(true);
                for (step, expected) in &self.steps {
                    let done = with_timeout(LIMIT, perform(bench, &mut socket, step)).await;
                    let seen = done.expect("it ends");
                    let same = match expected.strip_suffix("...") {
                        Some(start) => seen.starts_with(start),
                        None => seen == *expected,
                    };
                    assert!(same, "{step}: {seen}, expected {expected}");
                }
                drop(socket);
                let over = async {
                    while !played.get() {
                        Timer::after_millis(1).await;
                    }
                };
                with_timeout(LIMIT, over).await.expect("all was played");
            },
        );
    }

    async fn play(&self, modem: &mut Modem, pending: Option<String>, cut: &dyn Fn(usize) -> bool) {
        let mut said = 0;
        let skipped = usize::from(pending.is_some());
        for event in &self.transcript.events[skipped..] {
            match event {
                Event::Host(bytes) => {
                    let heard = modem.payload(bytes.len()).await;
                    assert_eq!(
                        heard.escape_ascii().to_string(),
                        bytes.escape_ascii().to_string()
                    );
                }
                Event::Modem(bytes) => {
                    for &byte in bytes {
                        if cut(said) {
                            Timer::after(PIECE).await;
                        }
                        modem.say([byte]).await;
                        said += 1;
                    }
                }
                Event::Wait(time) => {
                    assert!(modem.is_quiet(time.as_millis() as u64).await, "it is quiet");
                }
                Event::Reset => {}
            }
        }
    }
}

/// The answers to what a transcript begins with, before it begins.
fn usual(line: &str) -> &'static str {
    match line {
        "AT+CCLK?" => crate::scripted::CLOCK,
        _ => {
            "\r\n+QFLST: \"st7.ca\",1\r\n+QFLST: \"st7.crt\",1\r\n+QFLST: \"st7.key\",1\r\n\r\nOK\r\n"
        }
    }
}

async fn perform(bench: Bench, socket: &mut Option<Socket<'static>>, step: &str) -> String {
    let (what, rest) = step.split_once(' ').unwrap_or((step, ""));
    let rest = rest.replace("\\n", "\n");
    match what {
        "connect" => match connect(bench).await {
            Ok(new) => {
                *socket = Some(new);
                "ok".into()
            }
            Err(error) => format!("{error:?}"),
        },
        "clock" => match bench.control.clock().await {
            Ok(Some(now)) => now.to_string(),
            other => format!("{other:?}"),
        },
        "list" => {
            let mut listed = String::new();
            let done = bench
                .control
                .list(&mut |found| {
                    listed += &format!("{} {:?} {:?};", found.tag, found.kind, found.len);
                })
                .await;
            done.map_or_else(|error| format!("{error:?}"), |()| listed)
        }
        "write" => {
            let socket = socket.as_mut().expect("it is open");
            match socket.write_all(rest.as_bytes()).await {
                Ok(()) => match socket.flush().await {
                    Ok(()) => "ok".into(),
                    Err(error) => format!("{error:?}"),
                },
                Err(error) => format!("{error:?}"),
            }
        }
        "read" => {
            let socket = socket.as_mut().expect("it is open");
            let mut buf = vec![0; rest.parse().expect("a number")];
            let mut filled = 0;
            while filled < buf.len() {
                match socket.read(&mut buf[filled..]).await {
                    Ok(0) => return "end".into(),
                    Ok(count) => filled += count,
                    Err(error) => return format!("{error:?}"),
                }
            }
            buf.escape_ascii().to_string()
        }
        other => panic!("nothing is known of {other:?}"),
    }
}
