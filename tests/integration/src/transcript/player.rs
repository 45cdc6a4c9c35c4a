//! The modem's part of a transcript, with a driver and an application on the other side.

use std::cell::Cell;
use std::future::Future;

use embassy_futures::select::{Either, Either3, select, select3};
use embassy_time::{Duration, Timer, with_timeout};
use embedded_io_adapters::tokio_1::FromTokio;
use sectag::{NoPins, State};
use sectag_simulator::time::VirtualClock;
use sectag_transcript::Event;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::application::{Application, LIMIT};
use super::script::{Setup, is_like};
use super::{Answer, Backend, Script};

/// Between two pieces: the driver sees each by itself.
const PIECE: Duration = Duration::from_micros(10);
/// Room for what any backend fetches or pushes at once, twice.
const RX: usize = 4096;
const TX: usize = 2048;

/// Plays it. `cut` says whether the modem pauses in front of its byte of this number.
///
/// # Panics
/// When the driver says something else, or the application sees something else.
pub(super) fn play<B: Backend>(backend: &B, script: &Script, cut: &dyn Fn(usize) -> bool) {
    let (host, device) = tokio::io::duplex(64 * 1024);
    let (rx, tx) = tokio::io::split(host);
    // Leaked, as a firmware's static is.
    let state: &'static mut State<'static, B::Modem, 2, RX, TX> = Box::leak(Box::new(State::new()));
    let (control, mut runner) = sectag::new(
        state,
        backend.driver(&script.config()),
        FromTokio::new(rx),
        FromTokio::new(tx),
        NoPins,
    );
    crate::trace::when_asked();
    let (ready, played) = (Cell::new(script.setup == Setup::Off), Cell::new(false));

    let modem = async {
        let mut line = Line {
            backend,
            script,
            uart: device,
        };
        line.play(&ready, cut).await;
        played.set(true);
        line.obey(None, std::future::pending()).await;
    };
    let application = async {
        let mut application = Application::new(control, B::TLS);
        if script.setup != Setup::Off {
            application.set_up(script.setup).await;
            Timer::after_millis(5).await;
            ready.set(true);
        }
        for (step, expected) in script.application() {
            let done = with_timeout(LIMIT, application.perform(step)).await;
            let seen = done.unwrap_or_else(|_| panic!("{step}: it does not end"));
            assert!(
                is_like(&seen, expected),
                "{step}: {seen}, expected {expected}"
            );
        }
        drop(application);
        let over = async {
            while !played.get() {
                Timer::after_millis(1).await;
            }
        };
        let over = with_timeout(LIMIT, over).await;
        assert!(over.is_ok(), "not all of it was played");
    };
    // Script and driver may keep each other busy for ever: that is to be a failure, and soon.
    VirtualClock::new().poll_limit(200_000).run(async {
        match select3(modem, runner.run(), application).await {
            Either3::First(()) => unreachable!("it obeys for ever"),
            Either3::Second(error) => panic!("the runner ended: {error}"),
            Either3::Third(()) => {}
        }
    });
}

/// How the modem treats what it hears.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// It must be the transcript's.
    Strict,
    /// It is answered as usual.
    Gap,
    /// It is lost.
    Down,
}

struct Line<'a, B> {
    backend: &'a B,
    script: &'a Script,
    uart: DuplexStream,
}

impl<B: Backend> Line<'_, B> {
    async fn play(&mut self, ready: &Cell<bool>, cut: &dyn Fn(usize) -> bool) {
        let (mut mode, mut said) = (Mode::Gap, 0);
        for step in &self.script.steps {
            if step.gap && mode == Mode::Strict {
                mode = Mode::Gap;
            }
            match &step.event {
                Event::Host(bytes) => {
                    match mode {
                        Mode::Strict => {
                            let heard = self.payload(bytes.len()).await;
                            assert_eq!(
                                heard.escape_ascii().to_string(),
                                bytes.escape_ascii().to_string()
                            );
                        }
                        Mode::Gap => {
                            self.obey(Some((bytes, ready)), std::future::pending())
                                .await
                        }
                        Mode::Down => {
                            panic!("a modem that is down hears nothing: what is its banner?")
                        }
                    }
                    mode = Mode::Strict;
                }
                Event::Modem(bytes) => {
                    if mode == Mode::Gap {
                        self.settle(ready).await;
                        mode = Mode::Strict;
                    }
                    let back = mode == Mode::Down && self.backend.is_banner(bytes);
                    if back {
                        self.ignore_for(Duration::from_ticks(0)).await;
                    }
                    for &byte in bytes {
                        if cut(said) {
                            Timer::after(PIECE).await;
                        }
                        self.say(&[byte]).await;
                        said += 1;
                    }
                    if back {
                        mode = Mode::Gap;
                    }
                }
                Event::Wait(time) => {
                    let time = Duration::from_micros(time.as_micros() as u64);
                    match mode {
                        Mode::Strict => {
                            let heard = select(self.uart.read_u8(), Timer::after(time)).await;
                            assert!(matches!(heard, Either::Second(())), "the driver is quiet");
                        }
                        Mode::Gap => self.obey(None, Timer::after(time)).await,
                        Mode::Down => self.ignore_for(time).await,
                    }
                }
                Event::Reset => {
                    if mode == Mode::Gap {
                        self.settle(ready).await;
                    }
                    self.ignore_for(Duration::from_ticks(0)).await;
                    mode = Mode::Down;
                }
            }
        }
    }

    /// Before the modem does something by itself: answers as usual until there is nothing else to do.
    async fn settle(&mut self, ready: &Cell<bool>) {
        let quiet = async {
            while !ready.get() {
                Timer::after_millis(1).await;
            }
            Timer::after_millis(1).await;
        };
        self.obey(None, quiet).await;
    }

    /// Answers as usual, until the driver says what is awaited and the flag beside it is set, or `until`
    /// is over between two lines.
    async fn obey(
        &mut self,
        awaited: Option<(&[u8], &Cell<bool>)>,
        until: impl Future<Output = ()>,
    ) {
        let mut until = std::pin::pin!(until);
        let config = self.script.config();
        let end = self.backend.line_end(&config);
        let mut heard = Vec::new();
        loop {
            let byte = if heard.is_empty() {
                match select(self.byte(), &mut until).await {
                    Either::First(byte) => byte,
                    Either::Second(()) => return,
                }
            } else {
                self.byte().await
            };
            heard.push(byte);
            if let Some((bytes, ready)) = awaited
                && ready.get()
            {
                if heard == bytes {
                    return;
                }
                if bytes.starts_with(&heard) {
                    continue;
                }
            }
            match heard.as_slice() {
                // Of a CR LF, or an escape from a data mode that it is not in.
                b"\n" | b"+++" => heard.clear(),
                line if line.ends_with(end) => {
                    let line = &line[..line.len() - end.len()];
                    let line = String::from_utf8_lossy(line).into_owned();
                    heard.clear();
                    let answer = self.script.usual(&line);
                    self.answer(answer.unwrap_or_else(|| self.backend.usual(&config, &line)))
                        .await;
                }
                _ => {}
            }
        }
    }

    async fn answer(&mut self, answer: Answer) {
        match answer {
            Answer::Now(bytes) => self.say(&bytes).await,
            Answer::Payload(prompt, count, result) => {
                self.say(&prompt).await;
                let payload = self.payload(count).await;
                self.say(&result(&payload)).await;
            }
        }
    }

    /// What is heard until then is lost.
    async fn ignore_for(&mut self, time: Duration) {
        let mut over = std::pin::pin!(Timer::after(time));
        while let Either::First(_) = select(self.byte(), &mut over).await {}
    }

    async fn byte(&mut self) -> u8 {
        let byte = self.uart.read_u8().await;
        byte.expect("the driver keeps its UART open")
    }

    async fn payload(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        let read = self.uart.read_exact(&mut bytes).await;
        read.expect("the driver keeps its UART open");
        bytes
    }

    async fn say(&mut self, bytes: &[u8]) {
        let said = self.uart.write_all(bytes).await;
        said.expect("the driver keeps its UART open");
    }
}
